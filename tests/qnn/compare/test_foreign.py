"""A folder of a comparison that somebody else made: nothing outside it is read or written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from formulations.errors import FileAccessError, FileFormatError
from qnn import report
from qnn.compare import Cell, Store, in_folder
from qnn.compare.store import PLAN
from qnn.runs.solver_options import SolverOptions
from qnn.runs.training import DataOptions, ModelOptions

CELL = Cell(DataOptions("iris:0,1"), ModelOptions(), "random", SolverOptions(), seed=0)
FINISHED: dict[str, Any] = {
    **CELL.head, "status": "finished", "train_loss": 1.0, "loss": "hinge"
}  # fmt: skip


def kept(folder: Path) -> Path:
    """A folder with one finished run."""
    store = Store(folder)
    store.write_plan([CELL])
    store.put(CELL, FINISHED)
    return folder / store.name(CELL)


@pytest.mark.parametrize(
    "name", ["../outside.json", "/etc/passwd", "a/../../outside.json", "", ".", 5, None, "x\0.json"]
)
def test_a_plan_names_no_file_outside_its_folder(name: Any, tmp_path: Path) -> None:
    cell = kept(tmp_path / "runs")
    (tmp_path / "outside.json").write_bytes(cell.read_bytes())
    plan = json.loads((tmp_path / "runs" / PLAN).read_text())
    (tmp_path / "runs" / PLAN).write_text(json.dumps({**plan, "files": [name]}))
    for read in (in_folder, report.load):
        with pytest.raises(FileFormatError, match="files"):
            read(tmp_path / "runs")


def test_a_link_out_of_the_folder_is_neither_followed_nor_written_through(tmp_path: Path) -> None:
    cell = kept(tmp_path / "runs")
    assert len(in_folder(tmp_path / "runs")["cells"]) == 1
    before = cell.read_bytes()
    cell.rename(tmp_path / "outside.json")
    cell.symlink_to(tmp_path / "outside.json")
    with pytest.raises(FileAccessError, match="it is a link"):
        in_folder(tmp_path / "runs")
    store = Store(tmp_path / "runs")
    assert store.get(CELL) is None
    with pytest.raises(FileAccessError, match="it is a link"):
        store.put(CELL, FINISHED)
    assert (tmp_path / "outside.json").read_bytes() == before


def test_what_cannot_be_kept_is_told_and_not_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(tmp_path / "runs")
    (tmp_path / "runs").rmdir()
    with pytest.warns(UserWarning, match="iris:0,1 random seed=0 is not kept"):
        store.keep(CELL, FINISHED)
    assert len(store.failures) == 1
