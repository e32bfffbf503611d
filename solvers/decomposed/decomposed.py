"""Decomposed lifted problem: blocks of samples that agree on moments of the weight bits.

Instead of one lifted problem over all samples [arXiv 2506.18240 v4, decomposed copositive
formulation], each block of samples has its own lifted problem and its own distribution of the
weight bits.  The blocks have to agree on the means of the bits (level 1), and of their products of
two (level 2) or more.  The mathematics is in :mod:`solvers.decomposed.rounds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from math import comb

from formulations import TrainingProblem
from formulations.checks import check_has, check_whole, choose
from formulations.errors import InvalidInputError
from solvers.decomposed.lifted_blocks import LiftedBlocks
from solvers.decomposed.rounds import Decomposition
from solvers.hedging.blocks import BlockSolver
from solvers.hedging.exact_blocks import ExactIfSmall
from solvers.hedging.hedging import blocks_of, solve_in_blocks
from solvers.hedging.rho import FixedRho
from solvers.oracles import Annealer, Oracle
from solvers.oracles.base import check_oracle
from solvers.run.option_checks import check_count, check_problem
from solvers.run.result import Result
from solvers.run.solver import Parallel, Start, check_start


@dataclass(frozen=True)
class DecomposedQCGD(Parallel):
    """Decomposed lifted problem, with a lower bound if blocks are solved exactly.

    Parameters
    ----------
    oracle : Oracle, optional
        Solves the block's QUBO once per block and iteration.  None tabulates blocks with few weight
        settings, which is exact, and sends the others to an annealer.
    level : int
        The blocks agree on the mean of every product of up to ``level`` weight bits.  A higher
        level never weakens the bound.  Level 2 couples every pair of weight bits in a block's QUBO;
        higher levels need tables.
    block_size : int, optional
        Samples per block.  None makes four blocks, or blocks of one sample if an exact oracle has
        to enumerate them.
    iterations : int or None
        Maximum number of questions to each block; None runs until the time limit.
    blocks : BlockSolver, optional
        Solver of the blocks to use instead of the oracle, such as
        ``solvers.hedging.hedging.CpSatBlocks()``.
    symmetry : {"order", "fix", "none"} or None
        As in :class:`~solvers.hedging.hedging.ProgressiveHedging`.
    max_branches : int
        As in :class:`~solvers.hedging.hedging.ProgressiveHedging`.
    start : solver, Result, Weights or None
        First incumbent; ``"fix"`` stays in its branch.
    encoding : {"twos-complement", "one-hot", "threshold"} or None
        Encoding of the blocks' models.
    executor, workers, seed, time_limit, callbacks, checkpoint, checkpoint_every
        See :class:`~solvers.run.solver.Parallel` and :class:`~solvers.run.solver.Iterative`.

    Raises
    ------
    InvalidInputError
        For options out of range; by ``solve``, for a level or a block that the blocks' solver
        cannot handle.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> from solvers.oracles import ExactOracle
    >>> net = Network.dense([2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, 1], [1, -1], [-1, 1]], [1, -1, -1])
    >>> for level in (1, 2):
    ...     result = DecomposedQCGD(oracle=ExactOracle(), level=level).solve(problem)
    ...     print(result.loss, result.lower_bound, result.status.value)
    2.0 2.0 optimal
    2.0 2.0 optimal
    """

    oracle: Oracle | None = None
    level: int = 1
    block_size: int | None = None
    iterations: int | None = 60
    blocks: BlockSolver | None = None
    symmetry: str | None = None
    max_branches: int = 64
    start: Start | None = None
    encoding: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_start(self.start)
        if self.oracle is not None:
            check_oracle(self.oracle)
        if self.blocks is not None:
            check_has("blocks", self.blocks, "prepare", "solvers.hedging.hedging.Enumeration()")
            if self.oracle is not None:
                raise InvalidInputError(
                    "both oracle and blocks: an oracle is asked about blocks by "
                    "blocks=LiftedBlocks(oracle) already; leave one of them out"
                )
        check_whole("level", self.level)
        check_whole("max_branches", self.max_branches, most=2**16)
        check_count("iterations", self.iterations, self.time_limit)
        if self.symmetry is not None:
            choose("symmetry", self.symmetry, ["order", "fix", "none"])

    def solve(self, problem: TrainingProblem) -> Result:
        """Train the free weight bits of ``problem``.

        Returns
        -------
        Result
            As in :meth:`~solvers.hedging.hedging.ProgressiveHedging.solve`; ``lower_bound`` is None
            if a block's answers prove nothing or branches are left out.  ``info["level"]`` is the
            level of the moments, ``info["moments"]`` their number.
        """
        check_problem(problem)
        blocks = self._blocks(problem)
        level = min(self.level, problem.num_free_bits)
        if level > getattr(blocks, "max_level", 1):
            raise InvalidInputError(
                f"level={self.level}: {type(blocks).__name__} solves blocks with products of at "
                f"most {getattr(blocks, 'max_level', 1)} weight bits; take a lower level, or "
                "blocks=solvers.hedging.hedging.Enumeration()"
            )
        enumerated = isinstance(blocks, LiftedBlocks) and blocks.certifies
        size = 1 if self.block_size is None and enumerated else self.block_size
        hedge_of = partial(
            Decomposition,
            level=level,
            rho=FixedRho(1.0),
            certifies=blocks.certifies,
            symmetry=self.symmetry,
            max_branches=self.max_branches,
            seed=self.seed,
        )
        parts = blocks_of(problem, size, blocks)
        result = solve_in_blocks(self, problem, parts, self.iterations, self.start, hedge_of)
        count = sum(comb(problem.num_free_bits, size) for size in range(1, level + 1))
        result.info.update(level=level, moments=count)
        return result

    def _blocks(self, problem: TrainingProblem) -> BlockSolver:
        """Return the solver of this problem's blocks."""
        blocks = self.blocks
        if blocks is None:
            lifted = LiftedBlocks(self.oracle or Annealer(reads=20, sweeps=100), self.encoding)
            blocks = lifted if self.oracle is not None else ExactIfSmall(lifted)
        return blocks.chosen(problem) if isinstance(blocks, ExactIfSmall) else blocks
