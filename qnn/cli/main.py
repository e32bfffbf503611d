"""The command ``qnn``; its sub-commands are in :mod:`qnn.cli.commands`.

Every error becomes one line on standard error and an exit code, see ``qnn --help``.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import NoReturn

import click

from formulations.errors import InvalidInputError, OracleError, QnnError
from qnn.cli import interrupts, process
from qnn.cli.commands import COMMANDS
from qnn.cli.console import ORACLE_FAILED
from qnn.cli.help import Group
from qnn.visible import visible, without_credentials


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit.

    ``arguments`` defaults to those of the process; its streams are then prepared too.
    """
    try:
        with interrupts.interruptible():
            if arguments is None:
                process.prepare()
            elif any("\0" in word for word in arguments):  # a process cannot receive one
                raise InvalidInputError("a zero byte in an argument: expected text without any")
            code = cli.main(arguments, prog_name="qnn", standalone_mode=False) or 0
            sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted before there was a result")
        code = interrupts.INTERRUPTED
    except BrokenPipeError:
        code = 1  # the reader of standard output closed it
    except Exception as error:
        code = _explained(error)
    _silence_stdout()
    sys.exit(code)


def _explained(error: Exception) -> int:
    """Print the error in one line and return the exit code.

    Errors with an external cause say what to do; all others are our own faults.
    """
    if os.environ.get("QNN_TRACEBACK"):
        text = "".join(traceback.format_exception(error))
        click.echo(visible(str(without_credentials(text)), lines=True), err=True)
    code, failed = 2, isinstance(error, OracleError) and not isinstance(error, InvalidInputError)
    match error:
        case click.exceptions.NoArgsIsHelpError():
            error.show()
            return code
        case click.UsageError(ctx=context) if context is not None:
            reason = f"{error.format_message()}  See {context.command_path} --help."
        case click.ClickException():
            reason = error.format_message()
        case QnnError():
            reason, code = str(error), ORACLE_FAILED if failed else code
        case MemoryError():
            reason = f"not enough memory ({error}); take fewer inputs, hidden units or samples"
        case OSError(filename=name):
            where = f"{os.fsdecode(name)}: " if isinstance(name, str | bytes) else ""
            reason = f"{where}{error.strerror or error}; check the name, the permission and the "
            reason += "space left, then try again"
        case RecursionError():
            reason = f"what was given is nested too deeply ({error}); flatten it"
        case UnicodeError():
            reason = f"what was given is no text ({error}); expected UTF-8, without zero bytes"
        case _:
            code = 70
            reason = (
                f"unexpected {type(error).__name__}: {error}; this is a fault of qnn's, please "
                "report it with what QNN_TRACEBACK=1 in the environment shows"
            )
    _say(f"error: {reason}")
    return code


def _say(line: str) -> None:
    """Print one line on standard error; do nothing if that is not writable."""
    with suppress(OSError):
        line = " ".join(str(without_credentials(line)).split())
        click.echo(f"qnn: {visible(line)}", err=True)


def _silence_stdout() -> None:
    """Keep the interpreter from failing again when it flushes a closed or full output."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="""\b
Exit codes:
  0    a result, even after Ctrl-C, a time limit or a spent budget: see status
  1    the reader of standard output closed it
  2    bad input, or a file that cannot be read or written
  3    the oracle failed; anything found before is written
  70   an error in qnn itself; QNN_TRACEBACK=1 in the environment shows where
  130  Ctrl-C before there was a result

\b
Start with:
  qnn train digits:3,8 --inputs 16
  qnn list solvers
  eval "$(qnn completion bash)"
""",
)
@click.version_option(package_name="qnn-ising", prog_name="qnn")
def cli() -> None:
    """Solve constrained binary models, and train low-bit networks, with Ising machines.

    qnn COMMAND --help describes a command, with examples.  Every command writes its results to
    --json FILE and takes its randomness from --seed.  If an option is given twice, the last one
    counts.
    """


for _command in COMMANDS:
    cli.add_command(_command)
