"""``qnn solve``: the kinds of model files, the answer, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import dimod
import pytest

from formulations import QCBO
from formulations.errors import FileFormatError
from qnn import cli
from qnn.models import read_model

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
        ("model.mps", "MPS file, which Ocean cannot read: convert it to LP"),
        ("words.lp", "expected an LP file, found no variable"),
        ("broken.cqm", "damaged or of another kind"),
        ("words.txt", "expected a CQM file"),
    ],
)
def test_files_of_other_kinds_are_refused(folder: Path, name: str, message: str) -> None:
    with pytest.raises(FileFormatError, match=message):
        read_model(folder / name)


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
