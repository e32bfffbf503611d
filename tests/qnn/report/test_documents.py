"""Results of every kind and release are read; what is none is refused by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from formulations.errors import FileAccessError, FileFormatError
from qnn import report
from qnn.compare import Store, plan, run
from qnn.runs import resume
from qnn.runs.solver_options import SolverOptions
from qnn.runs.training import DataOptions, ModelOptions, train
from tests.conftest import ROOT

FIXTURES = ROOT / "tests" / "fixtures"
DATA, MODEL = DataOptions("iris:0,1", samples=20), ModelOptions(hidden=(2,))
OPTIONS = SolverOptions(iterations=4, reads=2, sweeps=10, flips=200)


def test_a_comparison_of_the_first_format_is_read_and_tested() -> None:
    found = report.load(FIXTURES / "comparison-v1.json")
    assert [one["spec"] for one in found["datasets"]] == ["digits:3,8"]
    (summary,) = found["summary"]
    old = json.loads((FIXTURES / "comparison-v1.json").read_text())
    medians = {row["name"]: row["train_loss"] for row in old["summary"]}
    for row in summary["rows"]:
        assert medians.pop(row["name"]).items() <= row["train_loss"].items()
    assert not medians
    assert summary["pairs"][0]["smallest_p"] == 0.25
    assert "penalty, best of 2" in report.markdown([found])


def test_a_training_run_of_the_first_format_is_read() -> None:
    page = report.markdown([report.load(FIXTURES / "training-v1.json")])
    assert page.startswith("# qcgd on digits:3,8\n\n4-2-1, bipolar weights")
    assert "| training loss | 7 |" in page


def test_a_folder_of_a_comparison_is_read_also_half_done(tmp_path: Path) -> None:
    cells = plan(DATA, MODEL, OPTIONS, solvers=["annealing"], seeds=[0, 1], penalties=[1.0])
    store = Store(tmp_path)
    store.write_plan(cells, command="qnn compare")
    run(cells[:1], keep=store)
    found = report.load(tmp_path)
    assert found["interrupted"]
    assert len(found["cells"]) == 1
    assert "1 of 2 runs are here" in report.markdown([found])


def test_a_folder_of_a_training_run_is_read(tmp_path: Path) -> None:
    asked = resume.Asked("qcgd", DATA, MODEL, OPTIONS)
    resume.write(asked, str(tmp_path))
    with pytest.raises(FileAccessError, match="has kept nothing yet"):
        report.load(tmp_path)
    done = train(DATA, MODEL, "qcgd", OPTIONS, checkpoint=str(tmp_path), checkpoint_every=0)
    found = report.load(tmp_path)
    assert found["train_loss"] == done.result.loss
    assert found["history"]["multiplier_mean"] == done.result.history.columns["multiplier_mean"]
    assert "qcgd on iris:0,1" in report.markdown([found])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]", "holds None"),
        ("{", "is not a file of qnn compare --json"),
        ("\xc1", "it is not text in UTF-8"),
        ('{"kind": "dry run", "format": 1}', "holds 'dry run': expected"),
        ('{"kind": "comparison", "format": 99}', "newer release"),
        ('{"kind": "comparison", "format": 1}', "is damaged"),
        ('{"kind": "comparison", "format": 2, "datasets": []}', "is damaged"),
        ('{"kind": "training", "format": 1, "solver": "qcgd"}', "is damaged"),
    ],
)
def test_what_is_no_results_file_is_refused(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "results.json"
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(FileFormatError, match=said):
        report.load(path)


@pytest.mark.parametrize("made", [False, True])
def test_what_is_not_there_is_named(tmp_path: Path, made: bool) -> None:
    place: Any = tmp_path / "run"
    if made:
        place.mkdir()
    with pytest.raises(FileAccessError, match="holds no run" if made else "is not there"):
        report.load(place)
