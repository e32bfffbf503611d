"""The command ``qnn``; its sub-commands are in :mod:`qnn.commands`.

Errors that the toolkit raises on purpose, and the operating system's, become one line on standard
error and exit code 2.  Ctrl-C returns what there is so far; only without it is the exit code 130.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from formulations.errors import QnnError
from qnn.commands import COMMANDS

BAD_INPUT, INTERRUPTED = 2, 130


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
    except (QnnError, OSError) as error:
        click.echo(f"qnn: error: {_one_line(error)}", err=True)
        code = BAD_INPUT
        _silence_stdout()
    sys.exit(code)


def _one_line(error: Exception) -> str:
    """The message of an error; for one of the operating system the file, the reason, the remedy."""
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


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="qnn-ising", prog_name="qnn")
def cli() -> None:
    """Train networks of one or two bits a weight with an annealer."""


for _command in COMMANDS:
    cli.add_command(_command)

if __name__ == "__main__":
    main()
