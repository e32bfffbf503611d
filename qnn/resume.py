"""What a training run was asked for, in a file beside its checkpoint, so that it can go on."""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Iterator
from contextlib import chdir, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

import click

from formulations.archive import access_error
from formulations.errors import FileAccessError, FileFormatError, InvalidInputError
from qnn.output import FORMAT, plain, to_json, write_text
from qnn.training import DataOptions, ModelOptions, SolverOptions
from solvers import checkpoint

FILE = "run.json"
KIND = "run"

LIMITS = ("time_limit", "budget_calls", "budget_seconds", "budget_charged")
"""What a run that goes on may be given more of."""

MAY_DIFFER = {*LIMITS, "record", "replay", "json_file", "save_file", "checkpoint_every", "folder"}
"""What may be asked for otherwise when a run goes on: none of it changes where the run goes."""


@dataclass(frozen=True)
class Asked:
    """The arguments of ``qnn train``.

    Parameters
    ----------
    solver : str
    data : DataOptions
    model : ModelOptions
    options : SolverOptions
    seed : int
    json_file, save_file : str, optional
        Where the record and the network go.
    checkpoint_every : float
        Seconds between two checkpoints.
    folder : str
        What relative names are relative to.
    """

    solver: str
    data: DataOptions
    model: ModelOptions
    options: SolverOptions
    seed: int = 0
    json_file: str | None = None
    save_file: str | None = None
    checkpoint_every: float = 10.0
    folder: str = "."

    def instead(self, **given: Any) -> Self:
        """The same with what is not None in ``given``; time limit and budgets are the options'."""
        given = {name: value for name, value in given.items() if value is not None}
        limits = {name: given.pop(name) for name in LIMITS if name in given}
        return replace(self, options=replace(self.options, **limits), **given)

    @contextmanager
    def in_folder(self) -> Iterator[None]:
        """Work where the run was begun, if that is still there."""
        if os.path.isdir(self.folder):
            with chdir(self.folder):
                yield
        else:
            yield


def write(asked: Asked, folder: str) -> None:
    """Put ``asked`` into a folder, unless it holds another run that has begun.

    Raises
    ------
    InvalidInputError
        If it holds another run; the error names what differs.
    FileAccessError, FileFormatError
        If the folder cannot be written to, or what is in it is no run.

    Examples
    --------
    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> write(Asked("annealing", DataOptions("iris"), ModelOptions(), SolverOptions()), folder)
    >>> read(folder).solver
    'annealing'
    """
    if (Path(folder) / FILE).exists() and (Path(folder) / checkpoint.FILE).exists():
        there, here = _flat(read(folder)), _flat(asked)
        for name in here:
            if name not in MAY_DIFFER and there[name] != here[name]:
                raise InvalidInputError(
                    f"{folder!r} holds another run: {name} is {there[name]!r} there and "
                    f"{here[name]!r} here; go on with it by qnn resume, or give another folder"
                )
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise access_error("keep a run in", folder, error) from error
    write_text(Path(folder) / FILE, to_json({"format": FORMAT, "kind": KIND, **plain(asked)}))


def read(folder: str) -> Asked:
    """What the run in a folder was asked for.

    Raises
    ------
    FileAccessError
        If there is none, or it cannot be read.
    FileFormatError
        If it is damaged, or written by a newer release.
    """
    path = Path(folder) / FILE
    try:
        text = path.read_bytes()
    except FileNotFoundError:
        raise FileAccessError(
            f"{folder!r} holds no run: there is no {FILE}; name a folder that qnn train "
            "--checkpoint has written"
        ) from None
    except OSError as error:
        raise access_error("read", path, error) from error
    try:
        content = json.loads(text)
        kind, version = content.pop("kind"), content.pop("format")
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise _damaged(path, error) from error
    if kind != KIND or not isinstance(version, int) or version > FORMAT:
        raise FileFormatError(
            f"{str(path)!r} holds {kind!r}, format {version!r}: expected {KIND!r}, format {FORMAT} "
            "or older; check the folder, or install a newer release of qnn-ising"
        )
    try:
        model = content["model"]
        parts = {
            "data": DataOptions(**content["data"]),
            "model": ModelOptions(**{**model, "hidden": tuple(model["hidden"])}),
            "options": SolverOptions(**content["options"]),
        }
        return Asked(**{**content, **parts})
    except (KeyError, TypeError) as error:
        raise _damaged(path, error) from error


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show what could not be saved as the command line shows errors."""
    show = warnings.showwarning

    def line(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if issubclass(category, checkpoint.CheckpointWarning):
            click.echo(f"qnn: warning: {' '.join(str(message).split())}", err=True)
        else:
            show(message, category, *place)

    with warnings.catch_warnings():
        warnings.simplefilter("always", checkpoint.CheckpointWarning)
        warnings.showwarning = line  # type: ignore[assignment]
        yield


def _damaged(path: Path, error: Exception) -> FileFormatError:
    return FileFormatError(
        f"{str(path)!r} is damaged ({type(error).__name__}: {error}): begin the run anew in "
        "another folder"
    )


def _flat(asked: Asked) -> dict[str, Any]:
    """Every option by its name, as it is written to the file."""
    flat: dict[str, Any] = {}
    for item in fields(asked):
        value = plain(getattr(asked, item.name))
        flat |= value if isinstance(value, dict) else {item.name: value}
    return flat
