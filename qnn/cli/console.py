"""Output shared by all commands: tables, JSON, files and a progress bar."""

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
"""Exit code of a run that its oracle ended; partial results are still written."""


def for_tables(json_file: str | None) -> Console:
    """Console for tables: standard output, or standard error if standard output carries the JSON.

    Output is made visible, see :mod:`qnn.visible`.
    """
    from rich.console import Console
    from rich.text import Text

    class VisibleConsole(Console):
        """Console that makes all plain text visible: cells, titles, captions and lines."""

        def render_str(self, text: str, **given: Any) -> Text:
            shown = visible(str(without_credentials(text)), lines=True)
            return super().render_str(shown, **given)

    terminal = (sys.stderr if json_file == "-" else sys.stdout).isatty()
    shown = VisibleConsole(
        stderr=json_file == "-",
        width=None if terminal else 120,
        markup=False,  # a file may be named [bold].csv
        emoji=False,
        highlight=False,
    )
    shown.width = max(shown.width, 40)  # rich drops what does not fit on a narrower terminal
    return shown


def say(text: str, *, err: bool = False) -> None:
    """Print a line of text for people."""
    click.echo(visible(str(without_credentials(text)), lines=True), err=err)


def check_outputs(
    json_file: str | None,
    *files: str | None,
    inputs: Iterable[str | None] = (),
    folders: Iterable[str | None] = (),
) -> None:
    """Refuse unwritable output paths before the work begins.

    Only the first may be ``-``. No output may overwrite one of the ``inputs``, or a file that a
    folder of runs keeps for itself.
    """
    from qnn.runs.output import check_outputs as check

    if "-" in files:
        raise InvalidInputError(
            "'-' is standard output, which takes the results of --json alone: give the name of a "
            "file, as ./- for one that is called so"
        )
    places = [path for path in (json_file, *files) if path is not None and path != "-"]
    kept = [Path(folder).resolve() for folder in folders if folder is not None]
    # files that belong to folders of runs, comparisons and recorded answers
    names = ("run.json", "checkpoint.npz", ".lock", "comparison.json", "?" * 24 + ".json",
             "?" * 40 + ".npz", "?" * 40 + ".refused-*.npz")  # fmt: skip
    own = [
        place
        for place in map(Path, places)
        if any(place.match(name) for name in names) and place.parent.resolve() in kept
    ]
    check(places, inputs=[path for path in inputs if path is not None], own=own)


def data_files(words: Iterable[str], data_dir: str | None = None) -> list[str]:
    """Input files of the data, as far as their names show; other sources do not matter here."""
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
    """Show and write results; a failure of one output does not stop the others.

    The order is: display, files, JSON. Ctrl-C during a step repeats it; a second Ctrl-C ends the
    command. Errors are raised at the end.

    ``shown`` holds tables, texts, and functions that display anything else; it is skipped if
    ``json_file`` is standard output. ``files`` maps each path to the function that writes it; None
    paths are skipped. With ``tell``, the command prints what was written.
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
        except (QnnError, OSError, SystemExit) as error:  # rich exits if its output is closed
            failures.append(error)
    ours = [failure for failure in failures if isinstance(failure, QnnError)]
    if len(ours) > 1:
        raise FileAccessError("; ".join(map(str, ours)))
    for failure in [*ours, *failures]:
        raise failure


def exit_code(status: str, info: Mapping[str, Any]) -> int:
    """Return the exit code of a run after its result is delivered.

    Raises
    ------
    FileAccessError
        If a paid answer is missing from the record, and the run did not end because of that.
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
    """Progress bar on standard error and its update function; draws nothing without a terminal."""
    from solvers.shown import moving_bar

    interrupts.work_begins()
    with moving_bar(visible(description)) as move:
        yield lambda done, total, note: move(done, total, visible(note))
