"""The command ``qnn``; its sub-commands are in :mod:`qnn.cli.commands`.

Every error becomes one line on standard error and an exit code, see :data:`EXIT_CODES`.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, NoReturn

import click

from formulations.errors import InvalidInputError, OracleError, QnnError
from qnn.cli import interrupts, process
from qnn.cli.commands import COMMANDS
from qnn.cli.console import ORACLE_FAILED
from qnn.cli.help import Group, indented
from qnn.visible import visible, without_credentials

OUTPUT_CLOSED, BAD_INPUT, UNEXPECTED = 1, 2, 70

EXIT_CODES = """
0    a result, even after Ctrl-C, a time limit, a budget: see status
1    what reads standard output has closed it
2    refused: bad input, or a file that cannot be read or written
3    the oracle failed; what was found before, if anything, is written
70   a fault of qnn's; QNN_TRACEBACK=1 in the environment shows where
130  Ctrl-C before there was a result
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    Parameters
    ----------
    arguments : sequence of str, optional
        Those of the process where none are given; its streams are made ready then, too.
    """
    try:
        with interrupts.interruptible():
            if arguments is None:
                process.prepare()
            elif any("\0" in word for word in arguments):  # a process cannot be given one
                raise InvalidInputError("a zero byte in an argument: expected text without any")
            code = cli.main(arguments, prog_name="qnn", standalone_mode=False) or 0
            sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted before there was a result")
        code = interrupts.INTERRUPTED
    except BrokenPipeError:
        code = OUTPUT_CLOSED
    except Exception as error:
        code = _explained(error)
    _silence_stdout()
    sys.exit(code)


def _explained(error: Exception) -> int:
    """Say in one line what went wrong; the exit code."""
    if os.environ.get("QNN_TRACEBACK"):
        text = "".join(traceback.format_exception(error))
        click.echo(visible(str(without_credentials(text)), lines=True), err=True)
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return BAD_INPUT
    if isinstance(error, click.UsageError) and error.ctx is not None:
        _say(f"error: {error.format_message()}  See {error.ctx.command_path} --help.")
        return BAD_INPUT
    for kinds, reason in REASONS:
        if isinstance(error, kinds):
            _say(f"error: {reason(error)}")
            failed = isinstance(error, OracleError) and not isinstance(error, InvalidInputError)
            return ORACLE_FAILED if failed else BAD_INPUT
    _say(
        f"error: unexpected {type(error).__name__}: {error}; this is a fault of qnn's, please "
        "report it with what QNN_TRACEBACK=1 in the environment shows"
    )
    return UNEXPECTED


def _reason_of_system(error: OSError) -> str:
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    reason = error.strerror or str(error)
    return f"{where}{reason}; check the name, the permission and the space left, then try again"


REASONS: Sequence[tuple[tuple[type[Exception], ...], Callable[[Any], str]]] = (
    ((click.ClickException,), lambda error: str(error.format_message())),
    ((QnnError,), str),
    (
        (MemoryError,),
        lambda error: f"not enough memory ({error}); take fewer inputs, hidden units or samples",
    ),
    ((OSError,), _reason_of_system),
    ((RecursionError,), lambda error: f"what was given is nested too deeply ({error}); flatten it"),
    (
        (UnicodeError,),
        lambda error: f"what was given is no text ({error}); expected UTF-8, without zero bytes",
    ),
)
"""Errors that have a cause outside, and what is said of them; all others are faults of ours."""


def _say(line: str) -> None:
    """One line on standard error; nothing if that cannot be written to."""
    with suppress(OSError):
        line = " ".join(str(without_credentials(line)).split())
        click.echo(f"qnn: {visible(line)}", err=True)


def _silence_stdout() -> None:
    """Keep the interpreter from failing once more when it flushes a closed or full output."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=f"""\b
Exit codes:
{indented(EXIT_CODES)}

\b
Begin with:
  qnn train digits:3,8 --inputs 16
  qnn list solvers
  eval "$(qnn completion bash)"
""",
)
@click.version_option(package_name="qnn-ising", prog_name="qnn")
def cli() -> None:
    """Train networks of one or two bits a weight with an Ising machine.

    qnn COMMAND --help says what a command takes, with examples.  Each writes its results to --json
    FILE, and what is random follows --seed.  If an option is given twice, the last one counts.
    """


for _command in COMMANDS:
    cli.add_command(_command)
