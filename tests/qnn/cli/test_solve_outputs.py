"""What ``qnn solve`` begins with and writes: starts, solutions, submissions, reports, workers."""

from __future__ import annotations

import csv
import json
import re
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from formulations.errors import FileFormatError
from qnn.cli import main as cli
from qnn.data.models import read_model_file
from qnn.data.qoblib import COLUMNS
from qnn.data.solutions import read_start
from solvers import QCGD
from solvers.run.run import Progress

QUICK = ("--iterations", 20, "--seed", 1)

OPB = "max: 3 x1 +2 x2 +4 ~x3 x1 x4 +1 x5 ;\n1 x1 1 x2 1 x4 1 x5 <= 3;\n1 x3 1 x1 1 x5 >= 1;\n"


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        cli.main([str(argument) for argument in arguments])
    return int(exit_.value.code or 0)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    path = tmp_path / "small.opb"
    path.write_text(OPB)
    return path


def worth(point: dict[str, int]) -> int:
    x = [0, *(point[f"x{k}"] for k in range(1, 6))]
    assert x[1] + x[2] + x[4] + x[5] <= 3
    assert x[3] + x[1] + x[5] >= 1
    return 3 * x[1] + 2 * x[2] + 4 * (1 - x[3]) * x[1] * x[4] + x[5]


def values(path: Path) -> dict[str, int]:
    lines = [line.split() for line in path.read_text().splitlines() if line[0] != "#"]
    return {name: int(value) for name, value in lines}


def test_objectives_are_those_of_a_file_that_maximises(model: Path) -> None:
    out = model.parent / "out.json"
    assert call("solve", model, *QUICK, "--oracle", "exact", "--json", out) == 0
    record = json.loads(out.read_text())
    assert (record["sense"], record["objective"]) == ("maximize", 9.0)
    assert record["bound"] == pytest.approx(9.0)
    assert (record["status"], record["gap"], worth(record["sample"])) == ("optimal", 0.0, 9)
    assert record["lower_bound"] == -record["bound"]  # of what is minimised


def test_solutions_are_distinct_feasible_and_best_first(model: Path) -> None:
    folder = model.parent / "answers"
    folder.mkdir()
    (folder / "solution_099.sol").write_text("of an earlier run\n")
    (folder / "notes.sol").write_text("mine\n")
    assert call("solve", model, *QUICK, "--solutions", folder) == 0
    files = sorted(folder.glob("solution_*.sol"))
    assert len(files) > 1
    assert not (folder / "solution_099.sol").exists()
    assert (folder / "notes.sol").exists()
    points = [values(path) for path in files]
    told = [float(path.read_text().split("\n")[0].rpartition("=")[2]) for path in files]
    assert [worth(point) for point in points] == told == sorted(told, reverse=True)
    assert told[0] == 9
    assert len({tuple(point.items()) for point in points}) == len(points)


@pytest.mark.parametrize("ending", ["sol", "scip.sol", "json"])
def test_an_answer_may_begin_where_another_ended(model: Path, ending: str) -> None:
    start = model.parent / f"start.{ending}"
    if ending == "json":
        assert call("solve", model, *QUICK, "--save", start) == 0
    else:
        text = "solution status: optimal\nobjective value: 9\nx1 1 \t(obj:3)\nx2 1\nx4 1.0000001\n"
        start.write_text(text if ending[0] == "s" and "scip" in ending else "x1 1\nx2 1\nx4 1\n")
    file = read_model_file(model)
    point = dict(zip(file.cqm.variables, read_start(start, file)[0].tolist(), strict=True))
    assert file.cqm.check_feasible(point)
    assert file.stated(file.cqm.objective.energy(point)) == 9
    out = model.parent / "out.json"
    assert call("solve", model, "--iterations", 1, "--start", start, "--json", out) == 0
    assert json.loads(out.read_text())["objective"] == 9


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x7 1\n", "the model has no variable 'x7'"),
        ("x1\n", "line 1: expected a variable and its value"),
        ("x1 0.5\n", "expected whole numbers"),
        ("{}", "expected what qnn solve --save"),
        ("x1 nan\n", "expected whole numbers"),
    ],
)
def test_what_is_no_start_is_refused(model: Path, text: str, words: str) -> None:
    path = model.parent / "start.sol"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=re.escape(words)):
        read_start(path, read_model_file(model))


def test_a_submission_to_qoblib_has_its_three_files(model: Path) -> None:
    assert call("solve", model, *QUICK, "--workers", 2, "--qoblib", model.parent / "mine") == 0
    place = model.parent / "mine" / "small"
    names = [
        f"small_{end}" for end in ("objective_time_series.json", "solution.sol", "summary.csv")
    ]
    assert sorted(path.name for path in place.iterdir()) == names
    with open(place / "small_summary.csv", newline="") as file:
        lines = list(csv.reader(file))
    assert tuple(lines[0]) == COLUMNS
    row = dict(zip(COLUMNS, lines[1], strict=True))
    assert (row["Problem"], row["Best Objective Value"], row["# Runs"]) == ("small", "9", "2")
    assert (row["# Binary Variables"], row["Paradigm"]) == ("5", "Classical")
    assert float(row["Time to Solution"]) <= float(row["Total Runtime"]) + 1.0
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", row["Date"])
    assert worth(values(place / "small_solution.sol")) == 9
    series = json.loads((place / "small_objective_time_series.json").read_text())
    assert len(series) == 2
    for run in series:
        found = [point["Incumbent"] for point in run if point["Incumbent"] is not None]
        assert found == sorted(found)
        assert [point["Time"] for point in run] == sorted(point["Time"] for point in run)


def test_workers_are_runs_of_their_own_seeds_and_the_first_has_the_seed_given(model: Path) -> None:
    one, two = model.parent / "one.json", model.parent / "two.json"
    assert call("solve", model, *QUICK, "--json", one) == 0
    assert call("solve", model, *QUICK, "--workers", 2, "--json", two) == 0
    alone, both = json.loads(one.read_text()), json.loads(two.read_text())
    assert len(both["runs"]) == 2
    assert both["runs"][0]["objective"] == alone["runs"][0]["objective"]
    assert both["oracle_calls"] == sum(run["oracle_calls"] for run in both["runs"])
    assert both["objective"] == 9


@pytest.mark.parametrize(
    "more",
    [
        ("--workers", 0),
        ("--workers", 2, "--budget-calls", 5),
        ("--start", "nowhere.sol"),
        ("--report", "report.txt"),
        ("--solutions", "no/such/place"),
    ],
)
def test_what_cannot_be_done_is_refused_before_any_work(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
    more: tuple[object, ...]
) -> None:  # fmt: skip
    def work(*given: object, **named: object) -> None:
        raise AssertionError("the work has begun")

    monkeypatch.setattr(QCGD, "sample_cqm", work)
    monkeypatch.chdir(model.parent)
    assert call("solve", model, *more) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_progress_line_says_best_bound_gap_and_source(model: Path) -> None:
    from qnn.cli.commands.solve import _note

    file = read_model_file(model)
    nothing = Progress(1, None, 1e9, 0.1, feasible=False, bound=-12.0)
    assert _note(file, nothing) == "no feasible point yet, bound 12"
    some = Progress(2, None, -9.0, 0.2, bound=-12.0, source="relinking")
    assert _note(file, some) == "best 9, bound 12, gap 25.00%, by relinking"


@pytest.mark.skipif(find_spec("matplotlib") is None, reason="pages have pictures")
def test_a_report_is_one_page(model: Path) -> None:
    page = model.parent / "r.html"
    assert call("solve", model, *QUICK, "--workers", 2, "--report", page) == 0
    text = page.read_text()
    for words in ("Answer to", "A feasible point has the objective 9", "<svg", "Runs side by side"):
        assert words in text


def test_a_report_of_a_model_without_answer(tmp_path: Path) -> None:
    path, page = tmp_path / "none.opb", tmp_path / "r.md"
    path.write_text("min: 1 x1 ;\n1 x1 1 x2 >= 3;\n")
    assert call("solve", path, "--report", page, "--qoblib", tmp_path / "q") == 0
    assert "No point satisfies all constraints: proven." in page.read_text()
    assert not list((tmp_path / "q" / "none").glob("*.sol"))


def test_starts_cover_variables_that_were_added_for_products(tmp_path: Path) -> None:
    path = tmp_path / "deep.opb"
    path.write_text("min: -1 x1 x2 x3 ~x4 x5 ;\n1 x1 1 x4 <= 2;\n")
    start = tmp_path / "start.sol"
    start.write_text("\n".join(f"x{k} {int(k != 4)}" for k in range(1, 6)))
    file = read_model_file(path)
    full = read_start(start, file)
    assert np.isin(full, (0, 1)).all()
    point = dict(zip(file.cqm.variables, full[0].tolist(), strict=True))
    assert file.cqm.check_feasible(point)
    assert file.cqm.objective.energy(point) == -1
