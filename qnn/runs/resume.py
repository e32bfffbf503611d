"""Arguments of a training run, stored beside its checkpoint so that the run can resume."""

from __future__ import annotations

import os
import shlex
import warnings
from collections.abc import Collection, Iterator
from contextlib import chdir, contextmanager
from dataclasses import MISSING, dataclass, replace
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any, Self

import click

from formulations.errors import FileAccessError, FileFormatError, InvalidInputError
from formulations.files.bounded import access_error
from formulations.files.schema import (
    Form,
    Misfit,
    fields,
    flag,
    items,
    may,
    nothing_or,
    number,
    read_json,
    text,
    whole,
)
from formulations.files.writing import check_no_link
from qnn.runs.output import FORMAT, check_head, plain, to_json, write_text
from qnn.runs.solver_options import SolverOptions
from qnn.runs.solver_table import make_solver
from qnn.runs.training import DataOptions, ModelOptions, with_checkpoint
from qnn.visible import visible
from solvers.run import checkpoint
from solvers.run.folder_lock import FolderLock

FILE = "run.json"

OPTIONS = (
    "time_limit", "budget_calls", "budget_seconds", "budget_charged", "record", "replay",
)  # fmt: skip
"""Limits and records that may be given anew on resuming: solver options that do not change the
run's course."""


@dataclass(frozen=True)
class Asked:
    """Arguments of ``qnn train``; relative paths are relative to ``folder``."""

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
        """Return a copy with the values of ``given`` that are not None, also within the options."""
        given = {name: value for name, value in given.items() if value is not None}
        own = {name: given.pop(name) for name in OPTIONS if name in given}
        return replace(self, options=replace(self.options, **own), **given)

    def outside(self, folder: str) -> dict[str, str]:
        """Return the absolute paths written outside a folder, by option."""
        inside = os.path.realpath(folder)
        outputs = {"json_file": "--json", "save_file": "--save", "record": "--record"}
        found = {}
        for name, option in outputs.items():
            place = getattr(self.options if name in OPTIONS else self, name)
            if place in (None, "-"):
                continue
            place = os.path.normpath(os.path.join(self.folder, place))
            if os.path.commonpath([inside, os.path.realpath(place)]) != inside:
                found[option] = place
        return found

    @contextmanager
    def in_folder(self) -> Iterator[None]:
        """Work in the folder where the run began, if it still exists."""
        if os.path.isdir(self.folder):
            with chdir(self.folder):
                yield
        else:
            yield


def check_trusted(asked: Asked, folder: str, given: Collection[str]) -> None:
    """Refuse external paths that only the folder's file names, since it may be somebody else's.

    ``asked`` is the run as it was read; it may name any path inside its ``folder``. ``given`` are
    the options that the resuming user has named: ``--save``, ``--json``, ``--record``.
    """
    found = {
        option: place for option, place in asked.outside(folder).items() if option not in given
    }
    if found:
        places = " and ".join(map(repr, found.values()))
        words = [word for option, place in found.items() for word in (option, place)]
        allowed = shlex.join(["qnn", "resume", folder, *words])
        raise InvalidInputError(
            f"the run in {folder!r} would write to {places}, outside its folder, because its "
            f"{FILE} says so: to allow that, type {allowed}; or name another place"
        )


def command(asked: Asked, folder: str) -> str:
    """Return the shell command that resumes a run."""
    places = [word for option, place in asked.outside(folder).items() for word in (option, place)]
    return shlex.join(["qnn", "resume", folder, *places])


@contextmanager
def kept(asked: Asked, folder: str | None) -> Iterator[None]:
    """Hold the lock of the folder, if any, that keeps the run.

    Nothing in the folder changes before it is locked.
    """
    if folder is None:
        yield
        return
    with_checkpoint(make_solver(asked.solver, asked.options), asked.solver, folder)
    with FolderLock(folder, "the checkpoint"):
        write(asked, folder)
        yield


def write(asked: Asked, folder: str) -> None:
    """Write ``asked`` to a folder, unless it holds another run that has begun.

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
        free = (*OPTIONS, "json_file", "save_file", "checkpoint_every", "folder")
        for name in here:
            if name not in free and there[name] != here[name]:
                raise InvalidInputError(
                    f"{folder!r} holds another run: {name} is {there[name]!r} there and "
                    f"{here[name]!r} here; go on with it by qnn resume, or give another folder"
                )
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise access_error("keep a run in", folder, error) from error
    check_no_link(Path(folder) / FILE)
    write_text(Path(folder) / FILE, to_json({"format": FORMAT, "kind": "run", **plain(asked)}))


def read(folder: str) -> Asked:
    """Read the arguments of the run in a folder."""
    path = Path(folder) / FILE
    if not path.exists():
        raise FileAccessError(
            f"{folder!r} holds no run: there is no {FILE}; name a folder that qnn train "
            "--checkpoint has written"
        )
    content = read_json(path)
    check_head(path, content, "run", FORMAT)
    try:
        _content()(content, "")
    except Misfit as error:
        raise FileFormatError(
            f"{str(path)!r} is damaged ({error}): begin the run anew in another folder"
        ) from error
    model: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in content["model"].items()
    }
    parts = {
        "data": DataOptions(**content["data"]),
        "model": ModelOptions(**model),
        "options": SolverOptions(**content["options"]),
    }
    rest = {name: value for name, value in content.items() if name not in ("kind", "format")}
    return Asked(**{**rest, **parts})


def _content() -> Form:
    """Return the required form of ``run.json``: the fields of :class:`Asked`, by annotation."""
    count = whole(0)

    def yes_or_text(value: Any, where: str) -> None:
        (flag if isinstance(value, bool) else text)(value, where)

    def count_or_text(value: Any, where: str) -> None:
        (text if isinstance(value, str) else nothing_or(count))(value, where)

    forms: dict[str, Form] = {
        "str": text,
        "str | None": nothing_or(text),
        "bool | str": yes_or_text,
        "int": count,
        "int | None": nothing_or(count),
        "int | str | None": count_or_text,
        "float": number(0),
        "float | None": nothing_or(number(above=0)),
        "Sequence[str]": items(text),
        "tuple[str, ...]": items(text),
        "tuple[int | str, ...] | None": nothing_or(items(count_or_text)),
    }

    def form_of(of: type[Any], **more: Form) -> Form:
        own = {
            one.name: forms[str(one.type)] if one.default is MISSING else may(forms[str(one.type)])
            for one in fields_of(of)
        }
        return fields({**more, **own})

    for kind in (DataOptions, ModelOptions, SolverOptions):
        forms[kind.__name__] = form_of(kind)
    return form_of(Asked, format=whole(1), kind=text)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """Show the toolkit's warnings, such as for unknown images, in the style of errors."""
    show = warnings.showwarning

    def line(message: Warning | str, category: type[Warning], *place: Any) -> None:
        if category in (UserWarning, checkpoint.CheckpointWarning):
            line_of_it = " ".join(str(message).split())
            click.echo(visible(f"qnn: warning: {line_of_it}"), err=True)
        else:
            show(message, category, *place)

    with warnings.catch_warnings():
        warnings.simplefilter("always", checkpoint.CheckpointWarning)
        warnings.showwarning = line  # type: ignore[assignment]
        yield


def _flat(asked: Asked) -> dict[str, Any]:
    """Return every option by name, as written to the file."""
    flat: dict[str, Any] = {}
    for item in fields_of(asked):
        value = plain(getattr(asked, item.name))
        flat |= value if isinstance(value, dict) else {item.name: value}
    return flat
