"""What every command shows: tables, JSON and a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rich.console import Console

ORACLE_FAILED = 3
"""Exit code of a run that its oracle has ended; what it had is written all the same."""


def for_tables(json_file: str | None) -> Console:
    """Where tables go: standard output, or standard error when that is for the JSON."""
    from rich.console import Console

    terminal = (sys.stderr if json_file == "-" else sys.stdout).isatty()
    return Console(
        stderr=json_file == "-",
        width=None if terminal else 120,
        markup=False,  # a file may be called [bold].csv
        emoji=False,
        highlight=False,
    )


def check_outputs(*paths: str | None) -> None:
    """Refuse places that cannot be written to before the work begins."""
    from qnn.output import check_writable

    for path in paths:
        if path is not None and path != "-":
            check_writable(path)


def write_json(path: str | None, value: Any) -> None:
    from qnn.output import to_json, write_text

    if path == "-":
        click.echo(to_json(value), nl=False)
    elif path is not None:
        write_text(path, to_json(value))


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[int, int | None, str], None]]:
    """A progress bar on standard error, and the function that moves it; nothing if no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    shown = Console(stderr=True)
    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    ]
    with Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal) as bar:
        task = bar.add_task(description, total=None, note="")
        yield lambda done, total, note: bar.update(task, completed=done, total=total, note=note)
