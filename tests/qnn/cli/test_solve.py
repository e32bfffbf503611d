"""``qnn solve``: the kinds of model files, the answer, and what is refused."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import dimod
import pytest

from formulations import QCBO
from formulations.errors import FileAccessError, FileFormatError
from qnn.cli import main as cli
from qnn.data.models import read_model_file

QUICK = ("--iterations", 20, "--seed", 1)


def call(*arguments: object) -> int:
    with pytest.raises(SystemExit) as exit_:
        cli.main([str(argument) for argument in arguments])
    return int(exit_.value.code or 0)


def knapsack() -> dimod.ConstrainedQuadraticModel:
    x, i = [dimod.Binary(f"x{k}") for k in range(6)], dimod.Integer("i", upper_bound=3)
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(i - sum((k + 2) * x[k] for k in range(6)))
    cqm.add_constraint(sum((k + 1) * x[k] for k in range(6)) - 2 * i <= 8, label="capacity")
    return cqm


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The same model as files of all kinds, and files of none."""
    cqm = knapsack()
    with cqm.to_file() as file:
        (tmp_path / "model.cqm").write_bytes(file.read())
    (tmp_path / "model.lp").write_text(dimod.lp.dumps(cqm))
    QCBO.from_cqm(cqm).save(tmp_path / "model.npz")
    (tmp_path / "model.mps").write_text("NAME model\n")
    (tmp_path / "words.lp").write_text("no model\n")
    (tmp_path / "broken.cqm").write_bytes((tmp_path / "model.cqm").read_bytes()[:100])
    (tmp_path / "words.txt").write_text("no model\n")
    return tmp_path


@pytest.mark.parametrize("name", ["model.cqm", "model.lp", "model.npz"])
def test_every_kind_of_file_gives_the_same_objective(folder: Path, name: str) -> None:
    out = folder / "out.json"
    assert call("solve", folder / name, *QUICK, "--oracle", "exact", "--json", out) == 0
    record = json.loads(out.read_text())
    least = dimod.ExactCQMSolver().sample_cqm(knapsack()).filter(lambda d: d.is_feasible).first
    assert record["kind"] == "answer"
    assert record["feasible"]
    assert record["objective"] == least.energy
    assert record["lower_bound"] <= least.energy + 1e-6
    assert record["options"]["oracle"] == "exact"
    if name != "model.npz":  # there i is bits
        assert knapsack().objective.energy(record["sample"]) == least.energy


def test_the_saved_answer_is_dimods_own(folder: Path) -> None:
    saved = folder / "answer.json"
    assert call("solve", folder / "model.cqm", *QUICK, "--save", saved) == 0
    samples = dimod.SampleSet.from_serializable(json.loads(saved.read_text()))
    assert samples.record.is_feasible.all()
    assert knapsack().check_feasible(samples.first.sample)
    assert samples.info["infeasibility"] is None


def test_the_table_on_the_terminal(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("solve", folder / "model.lp", *QUICK, "--reads", 5, "--sweeps", 20) == 0
    shown = capsys.readouterr().out
    for word in ("status", "feasible", "objective", "bits after presolve", "x4"):
        assert word in shown


def test_an_infeasible_model_is_an_answer_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "none.lp"
    path.write_text("Minimize\n obj: x\nSubject To\n c: x + y >= 3\nBinary\n x y\nEnd\n")
    assert call("solve", path, "--json", "-") == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["status"], record["infeasibility"]) == ("infeasible", "model")
    assert record["sample"] == {}


def test_a_dry_run_sends_nothing(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("solve", folder / "model.cqm", "--dry-run", "--search", 0, "--json", "-") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["kind"] == "dry run"
    assert record["footprint"]["variables"] >= record["bits_after_presolve"]


def test_budgets_stop_the_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("solve", folder / "model.cqm", "--budget-calls", 2, "--json", "-") == 0
    record = json.loads(capsys.readouterr().out)
    assert record["oracle_calls"] <= 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.mps", "ends without ENDATA: it is no MPS file, or cut off"),
        ("words.lp", "expected an LP file, found no variable"),
        ("broken.cqm", "damaged or of another kind"),
        ("words.txt", "expected a CQM file"),
    ],
)
def test_files_of_other_kinds_are_refused(folder: Path, name: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        read_model_file(folder / name)


def test_errors_are_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (
        (folder / "nothing.cqm",),
        (folder / "model.cqm", "--oracle", "exat"),
        (folder / "model.cqm", "--oracle", "exact", "--oracle-option", "max_samples=0"),
        (folder / "model.cqm", "--save", folder / "no" / "such"),
    ):
        assert call("solve", *arguments) == 2
        shown = capsys.readouterr().err
        assert shown.count("\n") == 1
        assert shown.startswith("qnn: error:")


# -- hostile models --------------------------------------------------------------------------------


LP = "Minimize\n obj: {0} + 2 b_c\nSubject To\n c_1: {0} + b_c >= {1}\nBinary\n {0} b_c\nEnd\n"


@pytest.mark.parametrize("name", ["held_1", "objective", "status"])
def test_names_of_the_model_are_shown_as_they_are(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "model.lp"
    path.write_text(LP.format(name, 1))
    assert call("solve", path, *QUICK) == 0
    rows = [line.strip("│ ").split("│") for line in capsys.readouterr().out.splitlines()]
    shown = [[cell.strip() for cell in row] for row in rows if len(row) == 2]
    assert [name, "1"] in shown  # the variable, beside the figure of the same name
    assert ["status", "optimal"] in shown


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (LP.format("x", "1\0").encode(), "line 4: byte 0x00 is no text"),
        (LP.format("x", "\x1b[31m1").encode(), "line 4: byte 0x1b is no text"),
        (LP.format("x", "1").encode() + b"\xff", "line 8: byte 0xff is no text"),
        (LP.format("x", "1").encode("utf-16"), "line 1: byte 0xff is no text"),
        (b"", "found no variable in it"),
    ],
    ids=["zero byte", "escape", "not UTF-8", "UTF-16", "empty"],
)
def test_what_is_no_text_never_reaches_the_reader_of_lp_files(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / "model.lp"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=words):
        read_model_file(path)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "model.lp")
    with pytest.raises(FileAccessError, match="it is a pipe"):
        read_model_file(tmp_path / "model.lp")


HOSTILE = """
import random, sys
from pathlib import Path
from formulations.errors import QnnError
from qnn.data.models import read_model_file
from tests.fuzzing import damaged
rng = random.Random(0)
for path in map(Path, sys.argv[1:]):
    content = path.read_bytes()
    for _ in range(150):
        path.write_bytes(damaged(rng, content))
        try:
            read_model_file(path)
        except QnnError:
            pass
"""


def test_damaged_models_are_read_or_refused(folder: Path) -> None:
    """In a process of its own, with little memory and time: dimod's readers are compiled."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            HOSTILE,
            *(folder / f"model.{kind}" for kind in ("lp", "cqm", "npz")),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32)),
    )
    assert done.returncode == 0, done.stderr[-2000:]
