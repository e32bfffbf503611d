"""Results that were rewritten: refused by name, or a report like any other."""

from __future__ import annotations

import json
import random
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formulations.errors import FileFormatError, QnnError
from qnn import report
from qnn.compare import Store, in_folder, plan, run
from qnn.runs.solver_options import SolverOptions
from qnn.runs.training import DataOptions, ModelOptions
from tests.conftest import ROOT
from tests.fuzzing import damaged, rewritten
from tests.qnn.report.results import of_cells, outcome, reference

FIXTURES = ROOT / "tests" / "fixtures"


def documents() -> list[dict[str, Any]]:
    """A comparison of each format, and a training run."""
    cells = [
        outcome(data, name, seed, 10.0 + seed)
        for data in ("digits:3,8", "iris")
        for name in ("qcgd", "penalty 0.3", "penalty 1")
        for seed in range(2)
    ]
    cells += [reference("iris", 0), outcome("iris", "exact", 0, None)]
    old = [json.loads((FIXTURES / f"{n}-v1.json").read_text()) for n in ("comparison", "training")]
    return [json.loads(json.dumps(of_cells(cells))), *old]


DOCUMENTS = documents()


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.integers(0, 2**32), st.sampled_from(range(len(DOCUMENTS))))
def test_results_are_refused_or_make_a_report(tmp_path: Path, seed: int, number: int) -> None:
    rng = random.Random(seed)
    data = json.dumps(rewritten(rng, DOCUMENTS[number], rng.choice([1, 1, 2]))).encode()
    if rng.random() < 0.1:
        data = damaged(rng, data)
    path = tmp_path / "results.json"
    path.write_bytes(data)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        try:
            found = report.load(path)
        except QnnError as error:
            assert str(path) in str(error)  # noqa: PT017 (either way is right)
            return
        assert report.markdown([found]).encode()
        assert list(report.told([found]))
        json.dumps(report.record([found]), allow_nan=False)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("train_loss", "7", r"cells\[0\].train_loss is '7': expected a finite number"),
        ("train_accuracy", 1.5, r"cells\[0\].train_accuracy is 1.5: expected a share"),
        ("seed", True, r"cells\[0\].seed is True: expected an integer"),
        ("trace", {"seconds": [1]}, r"cells\[0\].trace is .*: expected the columns"),
    ],
)
def test_a_figure_of_another_type_is_named(
    tmp_path: Path, field: str, value: object, said: str
) -> None:
    document = json.loads(json.dumps(DOCUMENTS[0]))
    document["cells"][0][field] = value
    (tmp_path / "results.json").write_text(json.dumps(document))
    with pytest.raises(FileFormatError, match=f"results.json' is damaged .*{said}"):
        report.load(tmp_path / "results.json")


def test_a_summary_that_contradicts_its_cells_is_not_believed(tmp_path: Path) -> None:
    document = json.loads(json.dumps(DOCUMENTS[0]))
    right = document["summary"][0]["rows"][0]["train_loss"]["median"]
    document["summary"][0]["rows"][0]["train_loss"]["median"] = -1e9
    (tmp_path / "results.json").write_text(json.dumps(document))
    found = report.load(tmp_path / "results.json")
    assert found["summary"][0]["rows"][0]["train_loss"]["median"] == right


def test_a_plan_names_files_of_its_own_folder_only(tmp_path: Path) -> None:
    cells = plan(
        DataOptions("iris:0,1", samples=20),
        ModelOptions(hidden=(2,)),
        SolverOptions(flips=50),
        solvers=["annealing"],
        seeds=[0],
        penalties=[1.0],
    )
    folder = tmp_path / "runs"
    store = Store(folder)
    store.write_plan(cells)
    run(cells, keep=store)
    assert len(in_folder(folder)["cells"]) == 1
    (cell,) = (path for path in folder.glob("*.json") if path.name != "comparison.json")
    (tmp_path / "outside.json").write_bytes(cell.read_bytes())
    content = json.loads((folder / "comparison.json").read_text())
    for name in ("../outside.json", str(tmp_path / "outside.json"), "outside.json", 3):
        (folder / "comparison.json").write_text(json.dumps({**content, "files": [name]}))
        with pytest.raises(FileFormatError, match=r"files\[0\] is .*: expected"):
            in_folder(folder)
    (folder / "comparison.json").write_text(json.dumps(content))
    cell.write_text("{")
    assert store.get(cells[0]) is None  # is run again
    with pytest.raises(FileFormatError, match=cell.name):
        in_folder(folder)
