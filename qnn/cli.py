"""The command ``qnn``; its sub-commands are in :mod:`qnn.commands`.

Errors that the toolkit raises on purpose, and the operating system's, become one line on standard
error and an exit code, see :data:`EXIT_CODES`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from formulations.errors import InvalidInputError, OracleError, QnnError
from qnn.commands import COMMANDS
from qnn.commands.console import ORACLE_FAILED
from qnn.help import Group, indented

BAD_INPUT, INTERRUPTED = 2, 130

EXIT_CODES = """
0    a result, even after Ctrl-C, a time limit, a budget: see status
1    what reads standard output has closed it
2    refused: bad input, or a file that cannot be read or written
3    the oracle failed; what was found before, if anything, is written
130  Ctrl-C before there was a result
"""


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit."""
    try:
        code = cli.main(arguments, prog_name="qnn", standalone_mode=False) or 0
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        code = error.exit_code
    except (KeyboardInterrupt, click.Abort):
        click.echo("qnn: interrupted before there was a result", err=True)
        code = INTERRUPTED
    except BrokenPipeError:
        code = _silence_stdout()
    except (QnnError, OSError, MemoryError) as error:
        click.echo(f"qnn: error: {_one_line(error)}", err=True)
        failed = isinstance(error, OracleError) and not isinstance(error, InvalidInputError)
        code = ORACLE_FAILED if failed else BAD_INPUT
        _silence_stdout()
    sys.exit(code)


def _one_line(error: Exception) -> str:
    """The message of an error; of others than the toolkit's the reason and the remedy."""
    if isinstance(error, MemoryError) and not isinstance(error, QnnError):
        return f"not enough memory ({error}); take fewer inputs, hidden units or samples"
    if isinstance(error, OSError) and not isinstance(error, QnnError):
        where = f"{error.filename}: " if error.filename else ""
        reason = error.strerror or str(error)
        return f"{where}{reason}; check the name, the permission and the space left, then try again"
    return " ".join(str(error).split())


def _silence_stdout() -> int:
    """Keep the interpreter from failing once more when it flushes a closed or full output."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


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
    FILE, and what is random follows --seed.
    """


for _command in COMMANDS:
    cli.add_command(_command)

if __name__ == "__main__":
    main()
