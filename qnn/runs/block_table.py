"""The one table of who can solve the blocks of ``hedging`` and ``decomposed``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from formulations.checks import choose
from formulations.errors import InvalidInputError

if TYPE_CHECKING:
    from qnn.runs.solver_options import SolverOptions
    from solvers.hedging.blocks import BlockSolver
    from solvers.oracles import Oracle

BLOCKS: Mapping[str, str] = MappingProxyType(
    {
        "enumeration": "a table of all weight settings",
        "cp-sat": "CP-SAT on the block's model (extra exact)",
        "qcgd": "ten calls of QCGD",
        "penalty": "one call, rows as penalties of weight --penalty",
        "lifted": "one call, rows with multipliers that find their size from question to question",
        "annealing": "annealing of the weights",
    }
)
"""One line about each; the first two prove bounds."""

ASKING = ("qcgd", "penalty", "lifted")
"""Those that ask an oracle."""


def block_solver(
    options: SolverOptions, encoding: str | None, oracle: Callable[[], Oracle]
) -> BlockSolver | None:
    """The solver of blocks that the options name, if they name one.

    Raises
    ------
    InvalidInputError
        If there is none of that name, or it asks no oracle and one was named.

    Examples
    --------
    >>> from qnn.runs.solver_options import SolverOptions
    >>> from solvers.oracles import Annealer
    >>> block_solver(SolverOptions(blocks="enumeration"), None, Annealer)
    Enumeration(max_bits=20, points=4)
    """
    import solvers
    from solvers.decomposed.lifted_blocks import LiftedBlocks
    from solvers.hedging import hedging

    name = options.blocks
    if name is None:
        return None
    if choose("blocks", name, list(BLOCKS)) not in ASKING and options.oracle is not None:
        raise InvalidInputError(
            f"--blocks {name} with --oracle {options.oracle}: these blocks ask no oracle; leave "
            f"one out, or take --blocks {' or '.join(ASKING)}"
        )
    kinds: Mapping[str, Callable[[], BlockSolver]] = {
        "enumeration": hedging.Enumeration,
        "cp-sat": lambda: hedging.CpSatBlocks(encoding=encoding, workers=options.threads),
        "qcgd": lambda: hedging.QcgdBlocks(solvers.QCGD(oracle(), 10, encoding=encoding)),
        "penalty": lambda: hedging.PenaltyBlocks(oracle(), options.penalty, encoding),
        "lifted": lambda: LiftedBlocks(oracle(), encoding),
        "annealing": lambda: hedging.AnnealedBlocks(options.flips),
    }
    return kinds[name]()
