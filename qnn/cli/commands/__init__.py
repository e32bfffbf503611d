"""The sub-commands of ``qnn``, one file each.

A command imports its dependencies when it is called, so that help needs only click.
"""

from __future__ import annotations

import click

from qnn.cli.commands.compare import compare
from qnn.cli.commands.completion import completion
from qnn.cli.commands.export import export
from qnn.cli.commands.frontier import frontier
from qnn.cli.commands.list import list_
from qnn.cli.commands.predict import predict, test_
from qnn.cli.commands.report import report
from qnn.cli.commands.reproduce import reproduce
from qnn.cli.commands.size import size
from qnn.cli.commands.solve import solve
from qnn.cli.commands.train import resume, train
from qnn.cli.commands.verify import verify

COMMANDS: tuple[click.Command, ...] = (
    train, resume, compare, frontier, report, predict, test_, verify, export, size,
    solve, reproduce, list_, completion,
)  # fmt: skip
"""In the order that ``qnn --help`` lists them."""

__all__ = ["COMMANDS"]
