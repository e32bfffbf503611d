"""Folder of finished cells, so that no cell is run twice.

Every cell is a JSON file of its own, written whole or not at all.  Its name is a digest of
everything that determines the outcome: the data's content, the model, the solver with the options
that it takes, the seed, and the release.  ``comparison.json`` holds the latest plan.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from formulations.errors import FileAccessError, FileFormatError
from formulations.files.bounded import access_error
from formulations.files.schema import Form, checked, fields, one_of, read_json
from formulations.files.writing import check_no_link
from qnn.compare import forms
from qnn.compare.cells import Cell, Outcome
from qnn.compare.references import REFERENCES
from qnn.compare.summary import about, completed
from qnn.data.sources import open_source
from qnn.runs.output import COMPARISON_FORMAT, check_head, environment, plain, to_json, write_text
from qnn.runs.solver_table import asks_oracle, make_solver
from qnn.runs.training import DataOptions
from solvers.run.checkpoint import CheckpointWarning
from solvers.run.folder_lock import FolderLock
from solvers.run.identity import text
from solvers.run.result import Status

PLAN = "comparison.json"


class Store:
    """Outcomes in a folder, keyed by everything that determines them.

    Parameters
    ----------
    folder : path-like
        Created if missing.

    Examples
    --------
    >>> import tempfile
    >>> from qnn.runs.training import ModelOptions
    >>> from qnn.runs.solver_options import SolverOptions
    >>> store = Store(tempfile.mkdtemp())
    >>> cell = Cell(DataOptions("iris:0,1"), ModelOptions(), "annealing", SolverOptions(), seed=0)
    >>> store.get(cell) is None
    True
    >>> store.put(cell, {"status": "finished", "train_loss": 0.0})
    >>> store.get(cell)
    {'status': 'finished', 'train_loss': 0.0}
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self.folder = Path(folder)
        self.failures: list[str] = []
        self._release = environment()["packages"]["qnn-ising"]
        self._names: dict[Cell, str] = {}
        self._contents: dict[tuple[str, str | None, str | None], str] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise access_error("keep a comparison in", folder, error) from error

    def name(self, cell: Cell) -> str:
        """Return the name of a cell's file."""
        if cell not in self._names:
            written = json.dumps(plain(self._determinants(cell)), sort_keys=True)
            digest = hashlib.sha256(written.encode()).hexdigest()
            self._names[cell] = f"{digest[:24]}.json"
        return self._names[cell]

    def get(self, cell: Cell) -> Outcome | None:
        """Return the outcome of a finished cell; an unreadable one is run again."""
        try:
            return _outcome(self.folder / self.name(cell))
        except (FileAccessError, FileFormatError):
            return None

    def claimed(self) -> FolderLock:
        """Lock the folder for this comparison, so that no cell runs twice at once."""
        return FolderLock(self.folder, "the comparison")

    def keep(self, cell: Cell, outcome: Outcome) -> None:
        """Store an outcome with :meth:`put`; if that fails, warn and continue without it.

        A full disk must not lose hours of other cells; ``failures`` collects the errors.
        """
        try:
            self.put(cell, outcome)
        except FileAccessError as error:
            self.failures.append(str(error))
            warnings.warn(f"{cell.key} is not kept: {error}", CheckpointWarning, stacklevel=2)

    def put(self, cell: Cell, outcome: Outcome) -> None:
        """Store an outcome, unless the cell must be run again."""
        if outcome["status"] in ("failed", Status.INTERRUPTED.value, Status.ORACLE_FAILED.value):
            return
        content = {
            "format": COMPARISON_FORMAT,
            "kind": "cell",
            "of": self._determinants(cell),
            "environment": environment(),
            "outcome": outcome,
        }
        self._write(self.name(cell), to_json(content, indent=None))

    def write_plan(self, cells: Sequence[Cell], **more: Any) -> None:
        """Write the cells of the comparison to the folder."""
        names = [self.name(cell) for cell in cells]
        content = {**about(cells, **more), "kind": "comparison plan", "files": names}
        self._write(PLAN, to_json(content))

    def _write(self, name: str, text: str) -> None:
        check_no_link(self.folder / name)
        write_text(self.folder / name, text)

    def _determinants(self, cell: Cell) -> dict[str, Any]:
        """Everything that a cell's outcome depends on, except the speed of the machine."""
        solver: dict[str, Any] = {"name": cell.solver}
        if cell.solver not in REFERENCES:
            made = make_solver(
                cell.solver, cell.options, encoding=cell.model.encoding, seed=cell.seed
            )
            solver |= {"is": text(made), "workers": getattr(made, "workers", None)}
            if asks_oracle(cell.solver, cell.options.oracle is not None):
                budgets = ("budget_calls", "budget_seconds", "budget_charged")
                solver |= {name: getattr(cell.options, name) for name in budgets}
        data = {name: value for name, value in plain(cell.data).items() if name != "data_dir"}
        return {
            "format": COMPARISON_FORMAT,
            "release": self._release,
            "data": {**data, "content": self._content(cell.data)},
            "model": cell.model,
            "solver": solver,
            "seed": cell.seed,
        }

    def _content(self, data: DataOptions) -> str:
        """Digest of the data as read, before classes are selected."""
        name, _, selection = data.spec.rpartition(":")
        selected = name and "," in selection and not Path(data.spec).exists()
        source = (name if selected else data.spec, data.target, data.data_dir)
        if source not in self._contents:
            read = open_source(source[0], target=data.target, data_dir=data.data_dir)
            self._contents[source] = text([read.X, read.y.astype(str), read.held_out])
        return self._contents[source]


def in_folder(folder: str | PathLike[str]) -> dict[str, Any]:
    """Return the results available so far for the comparison planned in a folder."""
    path = Path(folder) / PLAN
    if not path.exists():
        raise FileAccessError(
            f"{str(folder)!r} holds no comparison: there is no {PLAN}; name a folder that qnn "
            "compare --keep has written"
        )
    content = read_json(path, "a plan of qnn compare")
    check_head(path, content, "comparison plan", COMPARISON_FORMAT)
    checked(content, forms.plan(), path)
    files = content.pop("files")
    outcomes = [_outcome(path.parent / name, forms.cell()) for name in files]
    done = [outcome for outcome in outcomes if outcome is not None]
    return completed(content, done, interrupted=len(done) < len(files))


def _outcome(path: Path, form: Form | None = None) -> Outcome | None:
    """Return the content of a cell's file; None if there is none yet."""
    if not path.exists():
        return None
    check_no_link(path)
    content = read_json(path, "a finished run of qnn compare")
    checked(
        content,
        fields({"kind": one_of("cell"), "outcome": form or forms.outcome()}, more=True),
        path,
    )
    outcome: Outcome = content["outcome"]
    return outcome
