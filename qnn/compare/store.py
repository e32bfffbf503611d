"""A folder of finished cells, so that none is ever run twice.

Every cell is a JSON file of its own, written whole or not at all.  Its name is a digest of all that
decides its outcome: the data's content, the model, the solver with exactly those options that it
has, the seed, and the release.  ``comparison.json`` is the plan that was written last.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from formulations.archive import access_error
from formulations.errors import FileAccessError, FileFormatError
from qnn.compare.cells import Cell, Outcome
from qnn.compare.references import REFERENCES
from qnn.compare.summary import about, completed
from qnn.output import COMPARISON_FORMAT, environment, plain, to_json, write_text
from qnn.sources import open_source
from qnn.training import DataOptions, asks_oracle, make_solver
from solvers.identity import text
from solvers.result import Status

PLAN = "comparison.json"
PLAN_KIND = "comparison plan"

NOT_FINISHED = {"failed", Status.INTERRUPTED.value, Status.ORACLE_FAILED.value}
"""Cells that ended like this are run again."""

BUDGETS = ("budget_calls", "budget_seconds", "budget_charged")


class Store:
    """Outcomes by what decides them, in a folder.

    Parameters
    ----------
    folder : path-like
        Made if it is not there.

    Raises
    ------
    FileAccessError
        If it cannot be made.

    Examples
    --------
    >>> import tempfile
    >>> from qnn.training import ModelOptions, SolverOptions
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
        self._release = environment()["packages"]["qnn-ising"]
        self._names: dict[Cell, str] = {}
        self._contents: dict[tuple[str, str | None, str | None], str] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise access_error("keep a comparison in", folder, error) from error

    def name(self, cell: Cell) -> str:
        """The name of a cell's file."""
        if cell not in self._names:
            written = json.dumps(plain(self._determinants(cell)), sort_keys=True)
            digest = hashlib.sha256(written.encode()).hexdigest()
            self._names[cell] = f"{digest[:24]}.json"
        return self._names[cell]

    def get(self, cell: Cell) -> Outcome | None:
        """The outcome of a cell that has been finished."""
        return _outcome(self.folder / self.name(cell))

    def put(self, cell: Cell, outcome: Outcome) -> None:
        """Keep an outcome, unless the cell is to be run again."""
        if outcome["status"] in NOT_FINISHED:
            return
        content = {
            "format": COMPARISON_FORMAT,
            "kind": "cell",
            "of": self._determinants(cell),
            "environment": environment(),
            "outcome": outcome,
        }
        write_text(self.folder / self.name(cell), to_json(content, indent=None))

    def write_plan(self, cells: Sequence[Cell], **more: Any) -> None:
        """Say in the folder which cells make up the comparison."""
        names = [self.name(cell) for cell in cells]
        content = {**about(cells, **more), "kind": PLAN_KIND, "files": names}
        write_text(self.folder / PLAN, to_json(content))

    def _determinants(self, cell: Cell) -> dict[str, Any]:
        """Everything that the outcome of a cell depends on, but the speed of the machine."""
        solver: dict[str, Any] = {"name": cell.solver}
        if cell.solver not in REFERENCES:
            made = make_solver(
                cell.solver, cell.options, encoding=cell.model.encoding, seed=cell.seed
            )
            solver |= {"is": text(made), "workers": getattr(made, "workers", None)}
            if asks_oracle(cell.solver, cell.options.oracle is not None):
                solver |= {name: getattr(cell.options, name) for name in BUDGETS}
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
        """A digest of what is read, before classes are chosen."""
        source = (_without_selection(data.spec), data.target, data.data_dir)
        if source not in self._contents:
            read = open_source(source[0], target=data.target, data_dir=data.data_dir)
            self._contents[source] = text([read.X, read.y.astype(str), read.held_out])
        return self._contents[source]


def in_folder(folder: str | PathLike[str]) -> dict[str, Any]:
    """The results of the comparison whose plan is in a folder, as far as they are there.

    Raises
    ------
    FileAccessError
        If there is no plan, or it cannot be read.
    FileFormatError
        If it is damaged, or written by a newer release.
    """
    path = Path(folder) / PLAN
    try:
        content = json.loads(path.read_bytes())
        kind, version, files = content.pop("kind"), content["format"], content.pop("files")
    except FileNotFoundError:
        raise FileAccessError(
            f"{str(folder)!r} holds no comparison: there is no {PLAN}; name a folder that qnn "
            "compare --keep has written"
        ) from None
    except OSError as error:
        raise access_error("read", path, error) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise FileFormatError(
            f"{str(path)!r} is damaged ({type(error).__name__}: {error}): run qnn compare again"
        ) from error
    if kind != PLAN_KIND or version > COMPARISON_FORMAT:
        raise FileFormatError(
            f"{str(path)!r} holds {kind!r}, format {version!r}: expected {PLAN_KIND!r}, format "
            f"{COMPARISON_FORMAT} or older; install a newer release of qnn-ising"
        )
    outcomes = [_outcome(path.parent / name) for name in files]
    done = [outcome for outcome in outcomes if outcome is not None]
    return completed(content, done, interrupted=len(done) < len(files))


def _outcome(path: Path) -> Outcome | None:
    """What a cell's file holds; None if there is none, or none that can be read."""
    try:
        content = json.loads(path.read_bytes())
        outcome: Outcome = content["outcome"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return outcome


def _without_selection(spec: str) -> str:
    name, _, selection = spec.rpartition(":")
    return name if name and "," in selection and not Path(spec).exists() else spec
