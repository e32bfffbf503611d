"""The folder of finished cells: what is kept, what is found again, what a kill leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formulations.errors import FileAccessError, FileFormatError
from qnn.compare import Cell, Store, in_folder, plan, run
from qnn.compare.store import PLAN
from qnn.runs.solver_options import SolverOptions
from qnn.runs.training import DataOptions, ModelOptions

DATA = DataOptions("digits:3,8", samples=20, inputs=4)
MODEL = ModelOptions(hidden=(2,))
OPTIONS = SolverOptions(iterations=3, reads=2, sweeps=20, flips=300)
CELL = Cell(DATA, MODEL, "annealing", OPTIONS, seed=0)


def cells_of(*solvers: str, seeds: int = 2) -> list[Cell]:
    return plan(DATA, MODEL, OPTIONS, solvers=solvers, seeds=range(seeds), penalties=[0.5, 2.0])


def test_a_larger_comparison_takes_what_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = str(tmp_path / "kept")
    first, _ = run(cells_of("annealing"), keep=folder)
    ran: list[str] = []
    real = Cell.run
    monkeypatch.setattr(
        Cell, "run", lambda self: (ran.append(f"{self.data.spec} {self.solver}"), real(self))[1]
    )
    larger, _ = run(cells_of("annealing", "random", seeds=3), keep=folder)
    assert [one for one in ran if one.startswith("digits")].count("digits:3,8 annealing") == 1
    assert [o for o in larger if o["solver"] == "annealing" and o["seed"] < 2] == first


def test_the_name_has_what_decides_the_outcome_and_nothing_else(tmp_path: Path) -> None:
    store = Store(tmp_path)

    def name(**changes: Any) -> str:
        options = {k: v for k, v in changes.items() if hasattr(OPTIONS, k)}
        others = {k: v for k, v in changes.items() if k not in options}
        return store.name(replace(CELL, options=replace(OPTIONS, **options), **others))

    same = [name(), name(threads=1), name(sweeps=999), name(penalty=7.0), name(iterations=50)]
    assert len(set(same)) == 1  # annealing has none of them
    others = [
        name(flips=301),
        name(restarts=2),
        name(time_limit=1.0),
        name(seed=1),
        name(solver="random"),
        name(model=ModelOptions(hidden=(3,))),
        name(data=replace(DATA, samples=30)),
        name(data=replace(DATA, spec="digits:3,9")),
    ]
    assert len({*others, same[0]}) == len(others) + 1
    assert name(solver="qcgd", sweeps=20) != name(solver="qcgd", sweeps=21)
    assert name(solver="qcgd", budget_calls=2) != name(solver="qcgd")


def test_a_file_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"

    def name() -> str:
        cell = replace(CELL, data=DataOptions(str(path), samples=4))
        return Store(tmp_path / "kept").name(cell)

    X, y = np.arange(20.0).reshape(10, 2), np.arange(10) % 2
    np.savez(path, X=X, y=y)
    before = name()
    np.savez_compressed(path, X=X, y=y)
    assert name() == before
    np.savez(path, X=X + 1, y=y)
    assert name() != before


@pytest.mark.parametrize("status", ["failed", "interrupted", "oracle failed"])
def test_what_did_not_finish_is_run_again(tmp_path: Path, status: str) -> None:
    store = Store(tmp_path)
    store.put(CELL, {"status": status})
    assert store.get(CELL) is None


def test_a_damaged_cell_is_run_again(tmp_path: Path) -> None:
    store = Store(tmp_path)
    run([CELL], keep=store)
    file = tmp_path / store.name(CELL)
    file.write_bytes(file.read_bytes()[:100])
    assert store.get(CELL) is None
    (outcome,), _ = run([CELL], keep=store)
    assert store.get(CELL) == json.loads(json.dumps(outcome))


def test_the_folder_has_the_results(tmp_path: Path) -> None:
    planned = cells_of("annealing", "penalty")
    store = Store(tmp_path)
    store.write_plan(planned, equal="sweeps", workers=1, command="qnn compare ...")
    outcomes, _ = run(planned[:4], keep=store)
    page = in_folder(tmp_path)
    assert page["interrupted"]
    assert page["planned"] == 6
    assert page["kind"] == "comparison"
    assert page["command"] == "qnn compare ..."
    assert [cell["key"] for cell in page["cells"]] == [o["key"] for o in outcomes]
    run(planned, keep=store)
    assert not in_folder(tmp_path)["interrupted"]


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(FileAccessError, match="holds no comparison"):
        in_folder(tmp_path)
    (tmp_path / PLAN).write_text('{"format": 2, "kind"')
    with pytest.raises(FileFormatError, match="is not a plan of qnn compare"):
        in_folder(tmp_path)
    (tmp_path / PLAN).write_text('{"format": 99, "kind": "comparison plan", "files": []}')
    with pytest.raises(FileFormatError, match="newer release"):
        in_folder(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(FileAccessError):
        Store(tmp_path / "file")


def test_killed_at_any_moment_it_goes_on_and_repeats_nothing(tmp_path: Path) -> None:
    """SIGKILL of the command with two workers; then the same words again."""
    folder = tmp_path / "kept"
    words = (
        "compare iris:0,1 wine --samples 40 --hidden 3 --seeds 4 --workers 2 "
        "--solvers random,annealing --equal seconds --time-limit 0.1"
    )
    command = [sys.executable, "-m", "qnn", *words.split(), "--keep", str(folder)]
    quiet = subprocess.DEVNULL

    def files() -> dict[str, int]:
        kept = folder.glob("*.json")
        return {file.name: file.stat().st_mtime_ns for file in kept if file.name != PLAN}

    process = subprocess.Popen(command, stdout=quiet, stderr=quiet)
    workers = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    children: list[str] = []
    deadline = time.monotonic() + 300
    while len(files()) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
        children = workers.read_text().split() if workers.exists() else []
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = files()
    assert 3 <= len(before) < 16
    subprocess.run(command, check=True, stdout=quiet, stderr=quiet, timeout=300)
    after = files()
    assert {name: after[name] for name in before} == before  # none was run again
    page = in_folder(folder)
    assert len(page["cells"]) == len(after) == 16
    assert not page["interrupted"]
    for child in children:  # the workers of the killed command are gone, too
        with pytest.raises(ProcessLookupError):
            os.kill(int(child), 0)
