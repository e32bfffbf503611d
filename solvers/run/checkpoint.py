"""Checkpoints: a run killed at any moment resumes and ends as if it had never stopped.

A solver's loop carries an object from one step to the next, which can make and restore a snapshot.
:class:`solvers.run.run.Run` adds the state that all runs share and saves both between two steps to
one file of a folder.  The file is written completely or not at all.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from copy import copy
from math import isfinite
from os import PathLike
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, TypeVar

import numpy as np

from formulations.arrays import Array
from formulations.errors import FileAccessError, FileFormatError, InvalidInputError
from formulations.files.archive import read_archive, write_archive
from formulations.files.bounded import access_error, damaged
from formulations.files.schema import (
    Form,
    Misfit,
    anything,
    fields,
    items,
    mapping,
    one_of,
    text,
    whole,
)
from formulations.files.writing import check_no_link
from solvers.run.folder_lock import FolderLock

Folder = str | PathLike[str]
T = TypeVar("T")

CHECKPOINT = "a checkpoint"
FILE = "checkpoint.npz"

LAYOUT = 2
"""Version of the solvers' snapshots; raised whenever their content changes."""

EVERY = 10.0
"""Default seconds between two checkpoints."""


class Resumable(Protocol):
    """Object that a solver's loop carries from one step to the next."""

    def snapshot(self) -> Mapping[str, Any]:
        """Return the state: arrays, generators, numbers, texts, None; lists, mappings of them."""
        ...

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Restore a snapshot that an object made from the same arguments has returned."""
        ...


class Carried:
    """Loop, or part of one, saved by the names of the attributes it carries, without ``_``.

    An attribute with a snapshot of its own is saved by that.
    """

    CARRIED: ClassVar[tuple[str, ...]] = ()

    def snapshot(self) -> dict[str, Any]:
        parts = {name.lstrip("_"): getattr(self, name) for name in self.CARRIED}
        return {k: v.snapshot() if hasattr(v, "snapshot") else v for k, v in parts.items()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        for name in self.CARRIED:
            part, saved = getattr(self, name), snapshot[name.lstrip("_")]
            if hasattr(part, "restore"):
                part.restore(saved)
            else:  # what the loop changes in place must not change the snapshot
                setattr(self, name, copy(saved) if isinstance(saved, np.ndarray | dict) else saved)


class CheckpointWarning(UserWarning):
    """A checkpoint could not be written; the run continues, and the previous one remains."""


class Checkpoint:
    """Folder with the latest snapshot of one run.

    Parameters
    ----------
    folder : path-like
        Created if missing.
    identity : mapping of str to str
        Texts that identify the run; the snapshot of another run is refused.
    every : float
        Seconds between two snapshots; 0 saves after every step.

    Attributes
    ----------
    failure : str or None
        Why the latest snapshot could not be written, or None.

    Raises
    ------
    InvalidInputError
        For seconds out of range.

    Examples
    --------
    >>> folder = tempfile.mkdtemp()
    >>> with Checkpoint(folder, {"solver": "mine"}) as checkpoint:
    ...     checkpoint.load()
    ...     checkpoint.save({"iteration": 3, "best": np.array([1, 0])})
    >>> with Checkpoint(folder, {"solver": "mine"}) as checkpoint:
    ...     checkpoint.load()
    {'iteration': 3, 'best': array([1, 0])}
    """

    def __init__(self, folder: Folder, identity: Mapping[str, str], every: float = EVERY) -> None:
        if not isinstance(every, (int, float)) or isinstance(every, bool) or not 0 <= every:
            raise InvalidInputError(
                f"checkpoint_every={every!r}: expected seconds, or 0 to save after every step"
            )
        self.folder, self.identity, self.every = Path(folder), dict(identity), float(every)
        self.path = self.folder / FILE
        self.failure: str | None = None
        self._saved = time.monotonic()
        self._lock = FolderLock(folder, "the checkpoint")

    @classmethod
    def of(cls, solver: Any, problem: object) -> Self | None:
        """Make a solver's checkpoint from ``checkpoint`` and ``checkpoint_every``, if wanted."""
        from solvers.run.identity import identity

        if solver.checkpoint is None:
            return None
        return cls(solver.checkpoint, identity(solver, problem), solver.checkpoint_every)

    # -- the folder --------------------------------------------------------------------------------

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def open(self) -> None:
        """Claim the folder for this process alone.

        Raises
        ------
        FileAccessError
            If it cannot be created or written to, or another run is using it.
        """
        self._lock.claim()
        try:
            check_no_link(self.path)
            with tempfile.TemporaryFile(dir=self.folder) as probe:
                probe.write(b"\0")
        except FileAccessError:
            self.close()
            raise
        except OSError as error:
            self.close()
            raise access_error("keep a checkpoint in", self.folder, error) from error
        for leftover in self.folder.glob(f".{FILE}.*.tmp"):  # left by a killed process
            with suppress(OSError):
                leftover.unlink()

    def close(self) -> None:
        """Release the folder."""
        self._lock.release()

    # -- to the file and back ----------------------------------------------------------------------

    @property
    def due(self) -> bool:
        """True if another snapshot is due."""
        return time.monotonic() - self._saved >= self.every

    def save(self, snapshot: Mapping[str, Any]) -> None:
        """Write a snapshot, completely or not at all.

        A full disk or a lost permission must not end a healthy run: it warns, stores the reason as
        ``failure`` and keeps the previous checkpoint, and the run may try again.
        """
        arrays: dict[str, Array] = {}
        content = {
            "layout": LAYOUT,
            "identity": self.identity,
            "snapshot": _packed(snapshot, "", arrays),
        }
        try:
            write_archive(self.path, CHECKPOINT, content, arrays)
            self.failure = None
        except FileAccessError as error:
            self.failure = str(error)
            warnings.warn(
                f"the run goes on without a new checkpoint: {error}",
                CheckpointWarning,
                stacklevel=2,
            )
        self._saved = time.monotonic()

    def load(self) -> dict[str, Any] | None:
        """Return the latest snapshot; None if there is none yet.

        Raises
        ------
        FileAccessError
            If the file cannot be read.
        FileFormatError
            If it is damaged, or written by another release.
        InvalidInputError
            If it belongs to another run; the error names the difference.
        """
        if not self.path.exists():
            return None
        content, arrays = read_archive(self.path, CHECKPOINT, _content)
        return self.understood(lambda: self._unpacked(content, arrays))

    def _unpacked(self, content: dict[str, Any], arrays: dict[str, Array]) -> dict[str, Any]:
        if content["layout"] != LAYOUT:
            raise FileFormatError(
                f"{str(self.path)!r} was written by another release (layout {content['layout']}, "
                f"here {LAYOUT}): go on with that one, or begin anew in another folder"
            )
        # options that solvers no longer have, at their defaults
        gone = {"split": "'constant'", "fix_after": "None", "shake": "0.2", "variant": "'hedging'"}
        identity: dict[str, str] = content["identity"]
        there = {name: given for name, given in identity.items() if gone.get(name) != given}
        for name in dict.fromkeys([*there, *self.identity]):
            if there.get(name) != self.identity.get(name):
                raise InvalidInputError(
                    f"the checkpoint in {str(self.folder)!r} belongs to another run: {name} is "
                    f"{there.get(name)} there and {self.identity.get(name)} here; give the same, "
                    "or another folder"
                )
        snapshot: dict[str, Any] = _unpacked(content["snapshot"], arrays)
        return snapshot

    def understood(self, read: Callable[[], T]) -> T:
        """Return the result of ``read`` on the content; treat any unexpected error as damage."""
        try:
            return read()
        except (FileFormatError, InvalidInputError):
            raise
        except Exception as error:
            detail = f"{type(error).__name__}: {error}"
            raise damaged(self.path, f"{detail}; or begin anew in another folder") from error


def peek(folder: Folder) -> dict[str, Any] | None:
    """Return the latest snapshot of any run in a folder, for inspection; None if there is none.

    Raises
    ------
    FileAccessError, FileFormatError
        If it cannot be read, is damaged, or was written by another release.
    """
    path = Path(folder) / FILE
    if not path.exists():
        return None
    content, _ = read_archive(path, CHECKPOINT, _content)
    return Checkpoint(folder, content["identity"]).load()


def check_alike(fresh: Any, saved: Any, where: str = "the snapshot") -> None:
    """Refuse a snapshot whose structure differs from that of the resuming run.

    Parameters
    ----------
    fresh : object
        Snapshot of the run before its first step; anything may take the place of a None in it.
    saved : object
        Snapshot that was read.
    where : str
        Location, for the message.

    Raises
    ------
    Misfit
        Naming the part that differs.

    Examples
    --------
    >>> check_alike({"iteration": 0, "best": None}, {"iteration": 3, "best": np.array([1])})
    >>> check_alike({"iteration": 0}, {"iteration": "3"})
    Traceback (most recent call last):
    formulations.files.schema.Misfit: the snapshot.iteration is '3': expected a number
    """
    if fresh is None:
        return
    if isinstance(fresh, Mapping):
        if not isinstance(saved, Mapping):
            raise Misfit(where, saved, "named parts")
        for name in fresh.keys() & saved.keys():
            check_alike(fresh[name], saved[name], f"{where}.{name}")
    elif isinstance(fresh, np.ndarray):
        good = isinstance(saved, np.ndarray) and saved.dtype.kind in "biuf"
        if not good or (fresh.size and saved.ndim != fresh.ndim):
            raise Misfit(where, saved, f"an array of numbers with {fresh.ndim} axes")
    elif isinstance(fresh, np.random.Generator):
        if not isinstance(saved, np.random.Generator):
            raise Misfit(where, saved, "the state of a random generator")
    elif isinstance(fresh, list | tuple):
        if not isinstance(saved, list | tuple):
            raise Misfit(where, saved, "a list")
    elif saved is not None:
        flag = isinstance(fresh, bool | np.bool_)
        kind = bool if flag else str if isinstance(fresh, str) else (int, float, np.number)
        if not isinstance(saved, kind) or (isinstance(saved, bool) and not flag):
            raise Misfit(
                where, saved, "true or false" if flag else "a text" if kind is str else "a number"
            )


# -- snapshots as JSON and arrays -----------------------------------------------------------------


def _packed(value: Any, name: str, arrays: dict[str, Array]) -> Any:
    """Return ``value`` as JSON; move its arrays to ``arrays``, each named by its position."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, np.generic):
        return _packed(value.item(), name, arrays)
    if isinstance(value, float):
        return value if isfinite(value) else {"float": str(value)}
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {"array": name}
    if isinstance(value, np.random.Generator):
        return {"generator": value.bit_generator.state}
    if isinstance(value, Mapping):
        inside = f"{name}." if name else ""
        return {"mapping": {k: _packed(v, f"{inside}{k}", arrays) for k, v in value.items()}}
    if isinstance(value, (list, tuple)):
        return [_packed(part, f"{name}.{i}", arrays) for i, part in enumerate(value)]
    raise TypeError(f"{name}: a {type(value).__name__} cannot be put into a checkpoint")


def _packed_form(value: Any, where: str) -> None:
    """Build the form of the result of :func:`_packed`."""
    if isinstance(value, list):
        items(_packed_form)(value, where)
    elif isinstance(value, dict):
        kinds: dict[str, Form] = {
            "float": one_of("nan", "inf", "-inf"),
            "array": text,
            "generator": mapping(anything),
            "mapping": mapping(_packed_form),
        }
        if len(value) != 1 or not value.keys() <= kinds.keys():
            raise Misfit(where, value, f"one of the fields {', '.join(kinds)}")
        for kind, content in value.items():
            kinds[kind](content, where)
    elif isinstance(value, str):
        text(value, where)


def _content(value: Any, where: str) -> None:
    """Return the form of a checkpoint's content."""
    table = {"layout": whole(1), "identity": mapping(text), "snapshot": _packed_form}
    fields(table, more=True)(value, where)


def _unpacked(packed: Any, arrays: Mapping[str, Array]) -> Any:
    """Return the value that :func:`_packed` converted to JSON."""
    if isinstance(packed, list):
        return [_unpacked(part, arrays) for part in packed]
    if not isinstance(packed, dict):
        return packed
    ((kind, content),) = packed.items()
    if kind == "float":
        return float(content)
    if kind == "array":
        return arrays[content]
    if kind == "generator":
        generator = np.random.default_rng(0)
        generator.bit_generator.state = content
        return generator
    return {key: _unpacked(part, arrays) for key, part in content.items()}
