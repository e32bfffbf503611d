"""The same seed, the same answer, in processes that order their sets differently."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import dimod
import pytest

from formulations.cqm.to_dimod import from_cqm

SCRIPT = """
import json, sys
from pathlib import Path
import dimod
from formulations.cqm.presolved import Presolved
from qnn.cli.main import cli
from qnn.data.models import answer_json, read_model_file
from solvers import QCGD, Candidates, PenaltyMethod
from solvers.oracles import Annealer

folder, second, said = Path(sys.argv[1]), sys.argv[2] == "2", {}
oracle = Annealer(reads=3, sweeps=10)
files = ("model.cqm", "model.lp", "model.npz")
models = {name: read_model_file(folder / name).cqm for name in files}
with open(folder / "model.cqm", "rb") as file:
    models["dimod's own"] = dimod.ConstrainedQuadraticModel.from_file(file)
unlabelled = dimod.ConstrainedQuadraticModel()
bits = [dimod.Binary(k) for k in range(9)]
pairs = sum((3 - k) * bits[k] * bits[(k + 4) % 9] for k in range(9))
unlabelled.set_objective(sum((k * 7 % 5 - 2) * b for k, b in enumerate(bits)) + pairs)
for k in range(7):
    unlabelled.add_constraint((k + 2) * bits[k] + 3 * bits[k + 1] + 4 * bits[k + 2] <= 6)
models["unlabelled"] = unlabelled
stop = () if second else (lambda progress: True,)
part = QCGD(oracle, iterations=3, seed=3, candidates=Candidates(wanted=99), stop=None,
            checkpoint=folder / "run", callbacks=stop)
assert part.sample_cqm(unlabelled).info["oracle_calls"] == (3 if second else 1)
for name, cqm in models.items():
    for solver in (QCGD(oracle, iterations=2, seed=3), PenaltyMethod(oracle, iterations=2, seed=3)):
        found = solver.sample_cqm(cqm)
        text = answer_json(found) if name[:5] == "model" else found.record.sample.tolist()
        said[f"{name} {type(solver).__name__}"] = [found.record.energy.tolist(), text]
    model = Presolved.of(cqm).model
    said[f"{name} rows"] = [model.rows.toarray().tolist(), model.rhs.tolist()]
record = str(folder / "record")
flags = ["--record", "--replay"] if second else ["--record"]
keeps = ["kept-2", "kept-1"] if second else ["kept-1"]
quick = "--inputs 4 --hidden 2 --samples 20 --iterations 3".split()
quick += "--reads 2 --sweeps 20 --flips 500".split()
out = str(folder / "out.json")
for flag in flags:
    train = ["train", "digits:3,8", *quick, "--seed", "1", "--json", out, flag, f"{record}-train"]
    assert not cli.main(train, standalone_mode=False)
    found = json.loads(Path(out).read_text())
    said["train"] = [found[name] for name in ("train_loss", "test_accuracy", "oracle_calls")]
for kept in keeps:
    solvers = ["--solvers", "qcgd,annealing", "--seeds", "1", "--keep", str(folder / kept)]
    compare = ["compare", "digits:3,8", *quick, *solvers, "--json", out]
    assert not cli.main(compare, standalone_mode=False)
    cells = json.loads(Path(out).read_text())["cells"]
    said["compare"] = [[cell[name] for name in ("solver", "train_loss")] for cell in cells]
for name in ("model.cqm", "model.lp", "model.npz"):
    asked = ["solve", str(folder / name), "--iterations", "5", "--seed", "1", "--reads", "2"]
    for flag in flags:
        solve = [*asked, "--json", out, flag, f"{record}-{name}"]
        assert not cli.main(solve, standalone_mode=False)
        answer = json.loads(Path(out).read_text())
        said[f"{name} by command"] = [answer["objective"], answer["sample"]]
Path(sys.argv[3]).write_text(json.dumps(said))
"""


def _cqm() -> dimod.ConstrainedQuadraticModel:
    """Ten overlapping capacities over bits, with labels of several types."""
    cqm = dimod.ConstrainedQuadraticModel()
    x = [dimod.Binary(f"x{k}") for k in range(12)]
    cqm.set_objective(sum(-(k % 4 + 1) * bit for k, bit in enumerate(x)) + 2 * x[0] * x[5])
    for k in range(10):
        row = sum(((j * k) % 5 + 1) * x[(k + j) % 12] for j in range(5))
        cqm.add_constraint(row <= 6, label=[f"capacity {k}", k, ("row", k), k / 2 + 0.25][k % 4])
    cqm.add_constraint(x[0] * x[1] + x[2] == 1, label="product")
    return cqm


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, object]]:
    """What two processes say: both record, and the second replays what the first has recorded."""
    folder = tmp_path_factory.mktemp("seeds")
    cqm = _cqm()
    with cqm.to_file() as file:
        (folder / "model.cqm").write_bytes(file.read())
    from_cqm(cqm).save(folder / "model.npz")
    named = cqm.relabel_constraints({v: f"c{i}" for i, v in enumerate(cqm.constraints)}) or cqm
    (folder / "model.lp").write_text(dimod.lp.dumps(named))
    answers = []
    for seed in ("1", "2"):
        out = folder / f"said-{seed}.json"
        command = [sys.executable, "-c", SCRIPT, str(folder), seed, str(out)]
        done = subprocess.run(
            command, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr[-2000:]
        answers.append({**json.loads(out.read_text()), "recorded": _recorded(folder)})
    return answers


def _recorded(folder: Path) -> dict[str, int]:
    """Number of answers in each record."""
    return {
        record.name: sum(1 for file in record.rglob("*") if file.is_file())
        for record in folder.glob("record-*")
    }


def test_answers_and_models_do_not_depend_on_the_hash_seed(said: list[dict[str, object]]) -> None:
    first, *others = said
    for other in others:
        for name in first:
            assert other[name] == first[name], name


def test_recording_twice_asks_nothing_anew(said: list[dict[str, object]]) -> None:
    assert said[0]["recorded"] == said[1]["recorded"]
    assert len(said[0]["recorded"]) == 4  # type: ignore[arg-type]
