"""Rounds of the decomposed lifted problem: a question per block, a step of the multipliers.

    min sum_k E_k[f_k(x)]      over distributions of the weight bits x, one of each block k,
    E_k[m(x)] = E_j[m(x)]      moments: the bits, and products of up to ``level`` of them.

The multipliers l_k of these equalities sum to zero.  For any such multipliers

    sum_k min_x (f_k(x) + l_k.m(x))

is a lower bound on the least loss.  Level 1 is the Lagrangian dual of progressive hedging.  At a
level equal to the number of bits the distributions coincide, and the bound is the least loss.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray, FloatArray, IntArray
from solvers.decomposed.bundle import box_step
from solvers.hedging.blocks import FREE, Answer, Block, Question
from solvers.hedging.products import Products, members_of, products_at
from solvers.hedging.rounds import Hedge, Round
from solvers.hedging.state import AGREED, BEATEN, HedgingState
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.kernels.walks import anneal
from solvers.run.executors import Team
from solvers.run.result import Incumbent
from solvers.run.stopping import Over, never


@dataclass
class DecomposedState(HedgingState):
    """State of :class:`Decomposition`: ``W`` and ``x`` have a column per moment.

    ``W`` holds the best multipliers so far, divided by p_k; ``rho`` the radius of the box.

    Parameters
    ----------
    atoms : ndarray of int8, shape (B, K, A, n)
        Points returned by each block.
    atom_losses : ndarray of float64, shape (B, K, A)
        Loss of each point on its block; infinite in empty places.
    trial : ndarray of float64, shape (B, K, M)
        The multipliers to ask about next, divided by p_k.
    gap : ndarray of float64, shape (B,)
        Excess of the planes' model maximum over the value at ``W``.
    memory : list of list
        State left by each branch's blocks for their next question.
    """

    atoms: BitArray = field(default_factory=lambda: np.zeros(0, dtype=np.int8))
    atom_losses: FloatArray = field(default_factory=lambda: np.zeros(0))
    trial: FloatArray = field(default_factory=lambda: np.zeros(0))
    gap: FloatArray = field(default_factory=lambda: np.zeros(0))
    memory: list[list[Any]] = field(default_factory=list)


class Decomposition(Hedge):
    """Run of the decomposed lifted problem between two rounds.

    Parameters
    ----------
    problem, team, over, **options
        See :class:`~solvers.hedging.rounds.Hedge`.
    level : int
        Maximum degree of the products on whose means all blocks have to agree.
    """

    state: DecomposedState

    def __init__(
        self,
        problem: TrainingProblem,
        team: Team[Block],
        over: Over = never,
        level: int = 1,
        **options: Any,
    ) -> None:
        super().__init__(problem, team, over, **options)
        self.members = members_of(problem.num_free_bits, level)
        self.incremental = IncrementalLoss(problem)

    def moments(self, points: FloatArray | BitArray) -> FloatArray:
        """Return the bits and their products, shape (..., n) -> (..., M)."""
        flat = np.asarray(points, dtype=np.float64).reshape(-1, points.shape[-1])
        all_of_them = np.concatenate([flat, products_at(flat, self.members)], axis=1)
        return all_of_them.reshape(*points.shape[:-1], -1)

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        self._break_symmetry(snapshot["start"])
        self.state, self.begun = DecomposedState.of(snapshot["state"]), True

    def _first(self, bits: BitArray | None) -> DecomposedState:
        """Start from zero multipliers, with a box as wide as a flip's change of a block's loss."""
        first = super()._first(bits)
        K, means = len(self.p), self.moments(first.xbar)
        first.x, first.xbar = np.repeat(means[:, None], K, axis=1), means
        first.W = np.zeros_like(first.x)
        first.rho = np.full(first.rho.shape, float(self.rho.mean()) / K)
        memory: list[list[Any]] = [[None] * K for _ in self.base]
        gap = np.full(len(self.base), np.inf)
        return DecomposedState(
            **vars(first),
            atoms=np.zeros((*first.W.shape[:2], 0, self.problem.num_free_bits), dtype=np.int8),
            atom_losses=np.zeros((*first.W.shape[:2], 0)),
            trial=first.W.copy(),
            gap=gap,
            memory=memory,
        )

    # -- a round -----------------------------------------------------------------------------------

    def _question(self, b: int, k: int, question: Question) -> Question:
        """Return the question with the products' multipliers and the block's memory."""
        n = self.problem.num_free_bits
        products = None
        if self.members.shape[1] > 1:
            products = Products(self.members, question.linear[n:])
        memory = self.state.memory[b][k]
        return replace(question, linear=question.linear[:n], products=products, memory=memory)

    def _step(self, old: HedgingState, new: HedgingState, this: Round) -> None:
        """Ask at the trial multipliers, move there if they are better, and find the next trial."""
        assert isinstance(new, DecomposedState)
        trial = new.trial
        (answers,) = self._ask([(trial, self.base)], new, this)
        self._raise_bounds(new, answers, trial)
        new.memory = [list(row) for row in new.memory]
        for b, several in answers.items():
            new.memory[b] = [answer.memory for answer in several]
            known = np.isfinite(new.atom_losses[b]).any()
            before = self._values(new, b, trial)[1] if known else np.inf
            self._extend(new, b, several)
            self._improve(new, b, before)
        new.trial = self._centred(new.trial)

    def _values(
        self, state: DecomposedState, b: int, W: FloatArray
    ) -> tuple[FloatArray, float, IntArray, FloatArray]:
        """Return the values at W of all known points of branch b, the sum over the blocks of the
        least ones, the points' blocks, and their moments.
        """
        block, place = np.nonzero(np.isfinite(state.atom_losses[b]))
        moments = self.moments(state.atoms[b, block, place])
        linear = np.einsum("am,am->a", (self.p[:, None] * W[b])[block], moments)
        values = state.atom_losses[b, block, place] + linear
        first = np.searchsorted(block, np.arange(len(self.p)))
        return values, float(np.minimum.reduceat(values, first).sum()), block, moments

    def _extend(self, state: DecomposedState, b: int, answers: list[Answer]) -> None:
        """Keep the new points of the answers."""
        for k, answer in enumerate(answers):
            used = np.isfinite(state.atom_losses[b, k])
            known = {atom.tobytes() for atom in state.atoms[b, k, used]}
            new = [i for i, bits in enumerate(answer.bits) if bits.tobytes() not in known]
            short = len(new) - int((~used).sum())
            if short > 0:
                more = ((0, 0), (0, 0), (0, short + state.atom_losses.shape[2]))
                state.atoms = np.pad(state.atoms, (*more, (0, 0)))
                state.atom_losses = np.pad(state.atom_losses, more, constant_values=np.inf)
                used = np.isfinite(state.atom_losses[b, k])
            places = np.flatnonzero(~used)[: len(new)]
            state.atoms[b, k, places] = answer.bits[new]
            state.atom_losses[b, k, places] = answer.losses[new]

    def _improve(self, state: DecomposedState, b: int, before: float) -> None:
        """Judge the trial, predicted at ``before`` by the earlier points; find the next trial.

        A tenth of the predicted gain is enough to take the step, half of it to grow the box.
        """
        value = self._values(state, b, state.trial)[1]
        at_centre = self._values(state, b, state.W)[1]
        predicted = before - at_centre
        if value >= at_centre + 0.1 * predicted:
            state.W[b] = state.trial[b]
            if value >= at_centre + 0.5 * predicted:
                state.rho[b] *= 2.0
        elif value < at_centre:
            state.rho[b] /= 2.0
        values, now, block, moments = self._values(state, b, state.W)
        free = self.moments(self.base[b] == FREE) > 0.0
        change, weights, most = box_step(moments[:, free], values, block, float(state.rho[b, 0]))
        state.gap[b] = most - now
        state.x[b] = np.stack(
            [weights[block == k] @ moments[block == k] for k in range(len(self.p))]
        )
        state.xbar[b] = self.p @ state.x[b]
        state.trial[b] = state.W[b]
        state.trial[b][:, free] += change / self.p[:, None]

    # -- between two rounds ------------------------------------------------------------------------

    def _decide(self, state: HedgingState, best: Incumbent) -> None:
        """Close branches that cannot improve the incumbent, or whose bound attains the dual."""
        assert isinstance(state, DecomposedState)
        for b in state.open:
            at_W = self._values(state, b, state.W)[1]
            tolerance = 1e-7 * max(1.0, abs(at_W))  # a smaller gain counts as none
            if self.up(float(state.bounds[b])) >= best.loss:
                state.outcome[b] = BEATEN
            elif state.gap[b] <= tolerance and state.bounds[b] >= at_W - 10.0 * tolerance:
                state.outcome[b] = AGREED

    def _rounded(self, xbar: FloatArray, ties: BitArray) -> BitArray:
        """Round the mean of the bits."""
        return super()._rounded(xbar[: self.problem.num_free_bits], ties)

    def _rounded_means(
        self, state: HedgingState, this: Round, points: BitArray, losses: FloatArray
    ) -> BitArray:
        """Return each open branch's rounded mean, and the best of them and the best point after
        polishing.
        """
        means = np.array([self._rounded(state.xbar[b], this.incumbent) for b in state.open])
        best = means[np.argmin(self.problem.losses(means))]
        rng = self._rng(3, this.number)  # hedging's own streams begin with 0, 1 and 2
        polished = [self._polished(start, rng) for start in (best, points[np.argmin(losses)])]
        return np.concatenate([means, polished])

    def _polished(self, bits: BitArray, rng: np.random.Generator) -> BitArray:
        """Improve a point by single-weight flips, none of which raises the loss."""
        walk = self.incremental
        choice = walk.choice(bits)
        walk.set_choice(choice)
        best, flips = choice.copy(), 30 * len(bits)
        anneal(walk.state, walk.moves, rng, flips, 1e-300, 1.0, best, np.inf, -np.inf)
        return walk.bits(best)

    def why(self, rounds: int) -> str:
        """Summarise what the bound has reached."""
        state = self.state
        if (state.outcome == BEATEN).all():
            return "the bound of every branch has met the best loss"
        settled = f"{len(self.base) - len(state.open)} of {len(self.base)} branches are settled"
        return f"{settled} after {rounds} rounds; a higher level or larger blocks prove more"
