"""The options of solvers that divide a problem: by samples, or into a few weights at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qnn.cli.help import one_of, option
from qnn.cli.values import at_least
from qnn.runs.solver_options import BLOCKS


def block_options(heading: str) -> list[Callable[[Any], Any]]:
    """The options under a heading, in the order in which they are shown."""
    return [
        option(
            "--level",
            heading=heading,
            type=int,
            default=1,
            callback=at_least(1),
            metavar="N",
            help="Blocks of decomposed agree on the mean of every product of up to N weight bits.",
        ),
        option(
            "--blocks",
            heading=heading,
            metavar="NAME",
            shell_complete=one_of(BLOCKS),
            names=lambda: list(BLOCKS),
            help="Who solves the blocks of hedging and decomposed: NAMES.  The first two prove "
            "bounds, and so do qcgd and lifted with an exact oracle.",
            otherwise="enumeration up to 2^16 weight settings, else the oracle or annealing",
        ),
        option(
            "--block-size",
            heading=heading,
            type=int,
            callback=at_least(1),
            metavar="N",
            help="Samples in a block of hedging and decomposed.",
            otherwise="a quarter of them",
        ),
        option(
            "--restricted-model",
            heading=heading,
            metavar="NAME",
            default="flips",
            shell_complete=one_of(["flips", "states"]),
            help="What restricted asks a named oracle: flips, all single and double moves of 32 "
            "weights, or states, two to eight weights with all states of the network that they "
            "change.",
        ),
    ]
