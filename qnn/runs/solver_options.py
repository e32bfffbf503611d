"""Solver names and options of the public interface, and the solver built from them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from formulations.errors import InvalidInputError

if TYPE_CHECKING:
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
"""Solvers for the blocks of ``hedging`` and ``decomposed``; the first two prove bounds."""

ASKING = ("qcgd", "penalty", "lifted")
"""Solvers that always ask an oracle."""


@dataclass(frozen=True, kw_only=True)
class OracleOptions:
    """Choice of the oracle that answers QUBOs, its options, and its budget.

    Parameters
    ----------
    oracle : str, optional
        Name of an oracle in :mod:`solvers.oracles.registry`.  None: the annealer, except for
        ``restricted``, which then has none.
    oracle_option : sequence of str
        Options of the oracle, each as ``KEY=VALUE``.
    reads, sweeps, threads : int
        Options of the oracle, if it has them, that need no ``oracle_option``.
    budget_calls, budget_seconds, budget_charged : int, float, float, optional
        Limits on the oracle's calls, on its own seconds, and on the seconds charged.
    oracle_timeout : float, optional
        Seconds after which a call is abandoned and repeated.
    record, replay : str, optional
        Folder to store every answer in, and folder to read all answers from.
    """

    reads: int = 10
    sweeps: int = 50
    threads: int = 2
    oracle: str | None = None
    oracle_option: Sequence[str] = ()
    budget_calls: int | None = None
    budget_seconds: float | None = None
    budget_charged: float | None = None
    oracle_timeout: float | None = None
    record: str | None = None
    replay: str | None = None


@dataclass(frozen=True)
class SolverOptions(OracleOptions):
    """Solver options of the public interface, including those of the oracle.

    Parameters
    ----------
    iterations : int or None
        Oracle calls of ``qcgd``, ``qcgd-cold`` and ``penalty``, rounds of ``hedging`` and
        ``decomposed``; ``random`` makes as many guesses as these have reads.  None: every solver
        runs until the time limit, unless it finishes by itself.
    penalty : float
        Weight of ``penalty``.
    flips, restarts : int
        Proposals per restart, and restarts, of ``annealing``; proposals per block of ``hedging``
        where its blocks are too large for the exact tables that prove a bound.
    restricted_model : {"flips", "states"}
        Problems that ``restricted`` sends to a named oracle: all single and double moves of 32
        weights, or two to eight weights with the network's states.
    time_limit : float, optional
        Seconds.
    level : int
        Maximum weight bits in a product on whose mean the blocks of ``decomposed`` agree.
    blocks : str, optional
        Solver of the blocks of ``hedging`` and ``decomposed``, a name of ``BLOCKS``.  None: tables
        if they are small enough, else the named oracle, or annealing.
    block_size : int, optional
        Samples in a block.
    """

    iterations: int | None = 100
    penalty: float = 1.0
    flips: int = 20_000
    restarts: int = 1
    restricted_model: str = "flips"
    time_limit: float | None = None
    level: int = 1
    blocks: str | None = None
    block_size: int | None = None

    def __post_init__(self) -> None:
        if self.iterations is None and self.time_limit is None:
            raise InvalidInputError("iterations=None never ends: give a time_limit or a number")
        object.__setattr__(self, "oracle_option", tuple(self.oracle_option))  # a list in a file

    def guarded(self, oracle: Oracle) -> Oracle:
        """Wrap an oracle with its budget, retries after transient errors, and record.

        The budget is outermost, so that a replayed run stops at the same call.

        Examples
        --------
        >>> from solvers.oracles import Annealer
        >>> SolverOptions(budget_calls=3).guarded(Annealer()).calls
        3
        """
        from solvers.oracles import Budget, Record, Replay, Retry, Timeout

        if self.record is not None and self.replay is not None:
            raise InvalidInputError(
                "both --record and --replay: a replay asks no oracle; --record alone takes what is "
                "there and asks for the rest"
            )
        if self.record is not None:
            oracle = Record(oracle, self.record)
        if self.replay is not None:
            oracle = Replay(oracle, self.replay)
        if self.oracle_timeout is not None:
            oracle = Timeout(oracle, self.oracle_timeout)
        oracle = Retry(oracle)
        limits = (self.budget_calls, self.budget_seconds, self.budget_charged)
        return oracle if limits == (None, None, None) else Budget(oracle, *limits)

    def check_no_oracle(self, solver: str) -> None:
        """Refuse options that concern an oracle, for a solver that asks none."""
        asking = (
            "oracle", "oracle_option", "budget_calls", "budget_seconds", "budget_charged",
            "record", "replay", "oracle_timeout",
        )  # fmt: skip
        for name in asking:
            if getattr(self, name) not in (None, ()):
                raise InvalidInputError(
                    f"--{name.replace('_', '-')}: solver {solver!r} asks no oracle; leave it out, "
                    "or take one that does, such as qcgd"
                )


def restricted_form(options: SolverOptions) -> dict[str, Any]:
    """Return form and sizes of the restricted problems that a named oracle is asked.

    Among those measured with an annealer, flips of 32 weights reach the lowest loss.

    Examples
    --------
    >>> restricted_form(SolverOptions(oracle="annealer"))
    {'model': 'flips', 'sizes': (32,)}
    """
    flips = options.oracle is not None and options.restricted_model == "flips"
    return {"model": options.restricted_model} | ({"sizes": (32,)} if flips else {})


def block_solver(
    options: SolverOptions, encoding: str | None, oracle: Callable[[], Oracle]
) -> BlockSolver | None:
    """Return the solver of blocks that the options name, or None.

    Examples
    --------
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
    from formulations.checks import choose

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
