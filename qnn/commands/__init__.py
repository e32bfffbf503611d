"""The sub-commands of ``qnn``, one file each.

A command imports what it works with when it is called, so that help needs nothing but click.
"""

from __future__ import annotations

import click

from qnn.commands.compare import compare
from qnn.commands.completion import completion
from qnn.commands.export import export
from qnn.commands.list import list_
from qnn.commands.report import report
from qnn.commands.reproduce import reproduce
from qnn.commands.size import size
from qnn.commands.solve import solve
from qnn.commands.train import resume, train

COMMANDS: tuple[click.Command, ...] = (
    train, resume, compare, report, export, size, solve, reproduce, list_, completion,
)  # fmt: skip
"""In the order of ``qnn --help``."""

__all__ = ["COMMANDS"]
