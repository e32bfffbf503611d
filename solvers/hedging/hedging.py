"""Progressive hedging: bring copies of the weights, one per block of samples, to consensus.

    x_k  = argmin f_k(x) + W_k.x + (rho/2)(1 - 2 xbar).x     for every block k
    xbar = sum_k p_k x_k
    W_k += rho (x_k - xbar)                                  so that sum_k p_k W_k = 0 always

with p_k the block's share of the samples and f_k its loss divided by p_k: sum_k p_k f_k is the loss
of the whole problem [Rockafellar & Wets 1991; with integers Watson & Woodruff 2011].  On bits the
proximal term is linear, so only the linear coefficients of a block's model change.  For any
multipliers W

    sum_k p_k min_x (f_k(x) + W_k.x)

is a lower bound on the least loss [Gade et al. 2016].  The best bound of this form is that of
:class:`~solvers.decomposed.decomposed.DecomposedQCGD` at level 1.

Consensus is not the goal: every point that a block returns and every rounded mean is scored on all
samples, and the best one is the answer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from formulations import TrainingProblem
from formulations.checks import check_has, check_whole, choose
from formulations.deprecation import renamed
from formulations.errors import BudgetExhaustedError, OracleError
from solvers.hedging.annealed_blocks import AnnealedBlocks
from solvers.hedging.block_solvers import CpSatBlocks, PenaltyBlocks, QcgdBlocks
from solvers.hedging.blocks import Block, BlockSolver
from solvers.hedging.exact_blocks import Enumeration, ExactIfSmall
from solvers.hedging.rho import CycleDetector, FixedRho, GrowingRho
from solvers.hedging.rounds import Hedge
from solvers.hedging.state import AGREED
from solvers.run.executors import OutOfTimeError, Team
from solvers.run.option_checks import check_count, check_problem
from solvers.run.result import Result, Status, reach
from solvers.run.solver import Parallel, Start, check_start, start_bits
from solvers.run.stopping import Over

__all__ = [
    "AnnealedBlocks",
    "CpSatBlocks",
    "CycleDetector",
    "Enumeration",
    "ExactIfSmall",
    "FixedRho",
    "GrowingRho",
    "PenaltyBlocks",
    "ProgressiveHedging",
    "QcgdBlocks",
]


@renamed(fix_after=None, shake=None, variant=None)
@dataclass(frozen=True)
class ProgressiveHedging(Parallel):
    """Decomposition by samples, with a lower bound.

    Parameters
    ----------
    blocks : BlockSolver
        Minimises a block's loss plus a linear term.  ``Enumeration()`` (up to 20 free bits) and
        ``CpSatBlocks()`` are exact; ``ExactIfSmall(...)`` uses a table if it fits;
        ``PenaltyBlocks(oracle)`` and ``QcgdBlocks(QCGD(...))`` call an oracle; ``AnnealedBlocks()``
        needs none.
    block_size : int, optional
        Samples per block; None makes four blocks.
    rounds : int or None
        Maximum number of rounds, including those of restarts; None runs until the time limit.
    rho : FixedRho or GrowingRho, optional
        None is ``GrowingRho()``.
    symmetry : {"order", "fix", "none"} or None
        Hidden units can be permuted, so equal networks may differ as bits.  ``"order"`` sorts the
        units by the signs of their output weights and of their weights from one input, and hedges
        over every assignment of signs; together these branches contain every network.  ``"fix"``
        stays in the branch of the start; its bound holds for that branch and is reported only if
        there is no other.  None is ``"order"`` with blocks that prove bounds, otherwise ``"fix"``.
    max_branches : int
        Maximum number of branches; beyond it, units are sorted by fewer signs.
    cycles : CycleDetector, optional
        Detects cycles; fixing one weight breaks each.  None ignores cycles.
    start : solver, Result, Weights or None
        Starting point of all copies.  A solver is run first, and its time counts.  With None every
        block starts at its own optimum.
    restarts : int
        Number of times a branch restarts near the incumbent after its copies agree.
    executor, workers, seed, time_limit, callbacks, checkpoint, checkpoint_every
        See :class:`~solvers.run.solver.Parallel` and :class:`~solvers.run.solver.Iterative`.

    Raises
    ------
    InvalidInputError
        For unknown names or values out of range; by ``solve``, for a block that its solver cannot
        handle.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [1, -1]], [1, -1, -1])
    >>> result = ProgressiveHedging(block_size=1).solve(problem)
    >>> result.loss, result.lower_bound, result.status
    (2.0, 2.0, <Status.OPTIMAL: 'optimal'>)
    """

    blocks: BlockSolver = field(default_factory=Enumeration)
    block_size: int | None = None
    rounds: int | None = 60
    rho: FixedRho | None = None
    symmetry: str | None = None
    max_branches: int = 64
    cycles: CycleDetector | None = field(default_factory=CycleDetector)
    start: Start | None = None
    restarts: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_start(self.start)
        check_has("blocks", self.blocks, "prepare", "solvers.hedging.hedging.Enumeration()")
        if self.rho is not None:
            check_has("rho", self.rho, "following", "solvers.hedging.hedging.GrowingRho(), or None")
        if self.cycles is not None:
            check_has(
                "cycles", self.cycles, "cycling", "solvers.hedging.hedging.CycleDetector(), or None"
            )
        check_whole("max_branches", self.max_branches, most=2**16)  # each worker has its own copies
        check_whole("restarts", self.restarts, least=0)
        check_count("rounds", self.rounds, self.time_limit)
        if self.symmetry is not None:
            choose("symmetry", self.symmetry, ["order", "fix", "none"])

    def solve(self, problem: TrainingProblem) -> Result:
        """Hedge over the free weight bits of ``problem``.

        Returns
        -------
        Result
            ``lower_bound`` bounds the loss of every setting of the free bits; it is None if blocks
            prove nothing or branches are left out.  The status is OPTIMAL if it equals the loss.
            ``history`` has a row per round: ``loss``, ``mean_loss`` of the best rounded mean,
            ``disagreement`` (mean |x_k - xbar|), ``bound`` of the worst branch, ``open`` branches,
            ``fixed`` bits.  ``info`` has ``consensus``, ``why`` it was reached or not, and the
            numbers of ``blocks``, ``branches``, ``rounds``, ``restarts``, models ``shipped`` to
            workers, and tasks ``run_again``.
        """
        check_problem(problem)
        if isinstance(self.blocks, ExactIfSmall):
            return replace(self, blocks=self.blocks.chosen(problem)).solve(problem)
        blocks = blocks_of(problem, self.block_size, self.blocks)
        hedge_of = partial(
            Hedge,
            rho=self.rho or GrowingRho(),
            certifies=self.blocks.certifies,
            symmetry=self.symmetry,
            max_branches=self.max_branches,
            cycles=self.cycles,
            restarts=self.restarts,
            seed=self.seed,
        )
        return solve_in_blocks(self, problem, blocks, self.rounds, self.start, hedge_of)


def solve_in_blocks(
    solver: Parallel,
    problem: TrainingProblem,
    blocks: Sequence[Block],
    rounds: int | None,
    start: Start | None,
    hedge_of: Callable[[TrainingProblem, Team[Block], Over], Hedge],
) -> Result:
    """Run the loop over rounds of any kind: workers, start, checkpoint, result."""
    run = solver.begun(problem, getattr(blocks[0].solver, "oracle", None))

    def name(k: int) -> str:
        numbers = blocks[k].problem.sample_numbers
        return f"block {k} (samples {numbers[0]} to {numbers[-1]})"

    team = Team(blocks, solver.executor, solver.workers, name)
    hedge = hedge_of(problem, team, run.late)
    with run.guarded(), team:
        if not run.resume(hedge):
            bits = start_bits(start, problem, run)
            if bits is None:  # the run has an incumbent from here on
                anything = problem.random_bits(np.random.default_rng(solver.seed), 1)
                run.incumbent.offer(anything, problem.losses(anything))
            hedge.begin(bits)
        for _ in run.steps(rounds):
            try:
                hedge.round(run)
            except OutOfTimeError:
                run.status = Status.TIME_LIMIT
                run.save()
                break
            except (OracleError, BudgetExhaustedError):
                run.save()  # state of the last full round, so that the run can resume
                raise
            if hedge.finished:
                break
    about = {"blocks": len(blocks), "shipped": team.shipments, "run_again": team.failures}
    if not hedge.begun:
        nothing = {"branches": 0, "rounds": 0, "restarts": 0, "consensus": False}
        return run.result(problem, why="ended before the first round", **nothing, **about)
    bound = hedge.bound()
    if bound is not None and run.incumbent.loss <= reach(bound):
        run.status, bound = Status.OPTIMAL, run.incumbent.loss
    state = hedge.state
    return run.result(
        problem,
        lower_bound=bound,
        consensus=hedge.finished and bool((state.outcome == AGREED).any()),
        why=hedge.why(len(run.history)),
        branches=len(hedge.base),
        rounds=len(run.history),
        restarts=int(state.restarts.sum()),
        **about,
    )


def blocks_of(problem: TrainingProblem, size: int | None, solver: BlockSolver) -> list[Block]:
    """Return the blocks of the given number of samples; None makes four."""
    size = size or -(-problem.num_samples // 4)
    return [Block(part, solver) for part in problem.blocks(size)]
