"""What every command shows and writes: tables, JSON, files and a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from formulations.errors import FileAccessError, InvalidInputError, QnnError
from qnn.cli import interrupts
from qnn.visible import visible, without_credentials

if TYPE_CHECKING:
    from rich.console import Console

ORACLE_FAILED = 3
"""Exit code of a run that its oracle has ended; what it had is written all the same."""


def for_tables(json_file: str | None) -> Console:
    """Where tables go: standard output, or standard error when that is for the JSON.

    What is printed on it is visible, see :mod:`qnn.visible`.
    """
    from rich.console import Console
    from rich.text import Text

    class VisibleConsole(Console):
        """Every plain text passes here: cells, titles, captions and lines."""

        def render_str(self, text: str, **given: Any) -> Text:
            shown = visible(str(without_credentials(text)), lines=True)
            return super().render_str(shown, **given)

    terminal = (sys.stderr if json_file == "-" else sys.stdout).isatty()
    shown = VisibleConsole(
        stderr=json_file == "-",
        width=None if terminal else 120,
        markup=False,  # a file may be called [bold].csv
        emoji=False,
        highlight=False,
    )
    shown.width = max(shown.width, 40)  # on a narrower terminal rich leaves out what does not fit
    return shown


def say(text: str, *, err: bool = False) -> None:
    """A line of text for people."""
    click.echo(visible(str(without_credentials(text)), lines=True), err=err)


def check_outputs(
    json_file: str | None,
    *files: str | None,
    inputs: Iterable[str | None] = (),
    folders: Iterable[str | None] = (),
) -> None:
    """Refuse, before the work begins, places that cannot be written to.

    The first alone may be ``-``. No output may take the place of one of the ``inputs``, which are
    read, or of a file that a folder of runs keeps for itself.
    """
    from qnn.runs.output import check_outputs as check

    if "-" in files:
        raise InvalidInputError(
            "'-' is standard output, which takes the results of --json alone: give the name of a "
            "file, as ./- for one that is called so"
        )
    places = [path for path in (json_file, *files) if path is not None and path != "-"]
    kept = [Path(folder).resolve() for folder in folders if folder is not None]
    # files that folders of runs, of comparisons and of recorded answers keep for themselves
    names = ("run.json", "checkpoint.npz", ".lock", "comparison.json", "?" * 24 + ".json",
             "?" * 40 + ".npz", "?" * 40 + ".refused-*.npz")  # fmt: skip
    own = [
        place
        for place in map(Path, places)
        if any(place.match(name) for name in names) and place.parent.resolve() in kept
    ]
    check(places, inputs=[path for path in inputs if path is not None], own=own)


def data_files(words: Iterable[str], data_dir: str | None = None) -> list[str]:
    """The files that data are read from, as far as their names tell; others do not matter here."""
    found = [name for word in words for name in (word, word.rpartition(":")[0]) if name]
    found += [name.replace("images-idx3", "labels-idx1") for name in found]
    if data_dir is not None and Path(data_dir).is_dir():
        found += [str(path) for path in Path(data_dir).iterdir()]
    return found


def write_json(path: str | None, value: Any) -> None:
    from qnn.runs.output import to_json, write_text

    if path == "-":
        click.echo(to_json(value), nl=False)
    elif path is not None:
        write_text(path, to_json(value))


def deliver(
    json_file: str | None,
    value: Any,
    *shown: object,
    files: Mapping[str | None, Callable[[], object]] | None = None,
    tell: bool = False,
) -> None:
    """Show and write results: each way is tried, whatever becomes of the others.

    First what is shown, then the files, then the JSON. Ctrl-C during one of them has it done once
    more; a second one ends the command. What went wrong is raised in the end.

    What is ``shown`` are tables, texts, and functions that show what is neither; if ``json_file``
    is standard output, nothing is. ``files`` has by path what writes that file; paths that are None
    are passed over. With ``tell`` the command says what has been written.
    """
    table = for_tables(json_file)

    def show() -> None:
        for one in shown:
            if callable(one):
                one()
            else:
                table.print(one)

    steps: dict[str | None, Callable[[], object]] = {}
    if json_file != "-" and shown:
        steps[None] = show
    for path, write in (files or {}).items():
        if path is not None:
            steps[path] = write
    if json_file is not None:
        steps[json_file] = lambda: write_json(json_file, value)
    failures: list[BaseException] = []
    for path, step in steps.items():
        try:
            _insistently(step)
            if tell and json_file != "-" and path is not None:
                table.print(f"written: {path}")
        except (QnnError, OSError, SystemExit) as error:  # rich exits where its output is closed
            failures.append(error)
    ours = [failure for failure in failures if isinstance(failure, QnnError)]
    if len(ours) > 1:
        raise FileAccessError("; ".join(map(str, ours)))
    for failure in [*ours, *failures]:
        raise failure


def exit_code(status: str, info: Mapping[str, Any]) -> int:
    """The exit code of a run, once its result is delivered.

    Raises
    ------
    FileAccessError
        If an answer that was paid for is in no record, and the run has not ended because of that.
    """
    if status == "oracle failed":
        return ORACLE_FAILED
    if "record_failure" in info:
        raise FileAccessError(info["record_failure"])
    return 0


def _insistently(step: Callable[[], object]) -> None:
    try:
        step()
    except KeyboardInterrupt:
        step()


@contextmanager
def progress_bar(description: str) -> Iterator[Callable[[int, int | None, str], None]]:
    """A progress bar on standard error, and the function that moves it; nothing if no terminal."""
    from solvers.shown import moving_bar

    interrupts.work_begins()
    with moving_bar(visible(description)) as move:
        yield lambda done, total, note: move(done, total, visible(note))
