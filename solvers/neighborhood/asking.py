"""Walk that sends its restricted problems to an oracle, in one of two forms.

``states``: variables for a few free weight bits and the network's states on some samples; exact,
but large.  ``flips``: the quadratic model of all single and double moves of some weights on all
samples (:mod:`solvers.restricted.flips`); small, dense, and trusted within a radius.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray, FloatArray, IntArray
from solvers.kernels.blocks import visit
from solvers.neighborhood.neighborhoods import Policy
from solvers.neighborhood.steps import Tally, Walk
from solvers.oracles.base import QUBO
from solvers.oracles.together import Asking
from solvers.qcgd.lifting import Lifting
from solvers.qcgd.scoring import TrainingScoring, WithSlack
from solvers.restricted.builder import RestrictedBuilder, plan_of
from solvers.restricted.flips import best_on_the_way, flip_model
from solvers.restricted.penalised import penalised

DAMPING = 0.1
"""Damping of the first flip model."""

Question = tuple[QUBO, Callable[[BitArray], IntArray]]
"""A QUBO, and the map from its samples (R, n) to places of the block's weights (R, K)."""


class OracleWalk(Walk):
    """Restricted problems as QUBOs for an oracle; answers are scored on all samples.

    Parameters
    ----------
    problem : TrainingProblem
    model : {"states", "flips"}
    batch : int, optional
        Number of samples in a model with states.
    variables : int, optional
        Maximum model size: samples (states) or weights (flips) are dropped until it fits.
    """

    CARRIED = (*Walk.CARRIED, "_fitted", "_asked", "_scales")

    def __init__(
        self,
        problem: TrainingProblem,
        model: str = "states",
        batch: int | None = None,
        variables: int | None = None,
    ) -> None:
        super().__init__(problem)
        self.model, self.variables = model, variables
        self.batch = min(batch or problem.num_samples, problem.num_samples)
        self._builder = None if plan_of(problem) is None else RestrictedBuilder(problem)
        self._fitted: dict[str, int] = {}
        self._asked: dict[str, int] = {}
        self._scales: dict[str, float] = {}

    def begin(self, bits: BitArray) -> None:
        """Start at free weight bits; constraint violations add their price to the loss."""
        super().begin(bits)
        self._best_value += self._price()
        self.loss = self.landscape.loss(self._best_value)

    def _price(self) -> float:
        """Return the price of the constraint violations, in units of the incremental loss."""
        if not self.problem.constraints:
            return 0.0
        broken = self.problem.violations(self.problem.full_bits(self.bits)[None])[0]
        return float(self.problem.price * broken / self.landscape.unit)

    def step(
        self,
        policy: Policy,
        size: int,
        temperature: float,
        limit: int | None,
        rng: np.random.Generator,
        tally: Tally,
    ) -> Asking[float]:
        """Send one restricted problem; accept the best answer by the Metropolis rule."""
        moves, kind = self.landscape.moves, f"{policy.name}:{size}"
        block = self.draw(policy, 1, size, rng)[0]
        block = block[block >= 0]
        tally.rounds += 1
        question = (self._flips if self.model == "flips" else self._states)(block, kind, rng)
        if question is None:
            return 0.0
        qubo, places = question
        seed = np.random.SeedSequence(int(rng.integers(2**31)))
        answer = yield qubo, None, seed, tally.ledger
        tally.sizes.append(qubo.num_variables)
        start, reads = moves.choice[block], places(answer.x)
        values, lengths = self._tried(block, reads)
        chosen = int(values.argmin())
        moved = np.flatnonzero(reads[chosen] != start)
        taken = moved[: lengths[chosen]]
        if self.model == "flips":
            # less damping after an answer that is taken in full, more after any other
            self._scales[kind] *= 1 / 1.5 if len(taken) == len(moved) else 1.5
        if not len(taken):
            return 0.0
        gain = self.loss - self.landscape.loss(values[chosen])
        if gain >= 0 or rng.random() < np.exp(gain / temperature):
            self._move(block[taken], reads[chosen, taken])
            self.loss -= gain
            if values[chosen] < self._best_value:
                self._best[:], self._best_value = moves.choice, values[chosen]
        return max(gain, 0.0)

    def _move(self, weights: IntArray, places: IntArray) -> float:
        """Move weights to the given places; return the loss there."""
        landscape = self.landscape
        return float(visit(landscape.state, landscape.moves, weights, places, True)[-1])

    def _tried(self, block: IntArray, reads: IntArray) -> tuple[FloatArray, IntArray]:
        """Return the least loss on the path to each read, and how many moves lead there.

        With constraints only the read itself counts, with the price of its violations.
        """
        landscape = self.landscape
        if not self.problem.constraints:
            found = best_on_the_way(landscape.state, landscape.moves, block, reads)
            return cast("tuple[FloatArray, IntArray]", found)
        start = landscape.moves.choice[block]
        values, lengths = np.full(len(reads), np.inf), (reads != start).sum(axis=1)
        for r in np.flatnonzero(lengths):
            values[r] = self._move(block, reads[r]) + self._price()
            self._move(block, start)
        return values, lengths

    # -- all single and double moves --------------------------------------------------------------

    def _flips(self, block: IntArray, kind: str, rng: np.random.Generator) -> Question:
        moves, block = self.landscape.moves, block[: self.variables]
        here, levels = moves.choice[block], moves.num_levels[block]
        there = (here + rng.integers(1, levels)) % levels
        damping = self._scales.setdefault(kind, DAMPING)
        qubo = flip_model(self.landscape.state, moves, block, there, damping)
        return qubo, lambda x: np.where(x[:, : len(block)] > 0, there, here)

    # -- states of the network --------------------------------------------------------------------

    def _states(self, block: IntArray, kind: str, rng: np.random.Generator) -> Question | None:
        free = self.landscape.some_bits_of(block, rng)
        samples = np.arange(self.problem.num_samples)
        if self.batch < len(samples) or self.variables is not None:
            samples = rng.permutation(len(samples))[: self.batch]
        if self._builder is None:
            return self._built_slowly(block, free, samples, kind)
        bits, z = self.problem.full_bits(self.bits), self.landscape.pre_activation_rows()
        rows, _ = self._builder.build(self.problem.free[free], bits, samples, z, self.variables)
        if not len(rows.length):
            return None  # no free bit can change a loss
        asked = self._asked[kind] = self._asked.get(kind, 0) + 1
        # Questions of one kind (policy and size) share their penalty weight.
        known = self._scales.get(kind) if asked % 64 else None
        qubo, self._scales[kind] = penalised(rows, known)
        first = len(rows.linear) - len(free)
        return qubo, lambda x: self._places(block, free, x[:, first:])

    def _places(self, block: IntArray, free: IntArray, bits: BitArray) -> IntArray:
        """Convert free bits (at positions ``free``) to places of the weights, (R, f) -> (R, K)."""
        moves, problem = self.landscape.moves, self.problem
        numbers = problem.free[free]
        layer, neuron, source, bit = problem.bit_table[numbers].T
        owns = (
            (layer[:, None] - 1 == moves.layer[block])
            & (neuron[:, None] == moves.neuron[block])
            & (source[:, None] == moves.source[block])
        )
        coefficient = np.zeros(len(free), dtype=np.int64)
        for number, one in enumerate(problem.free_layers):
            here = layer - 1 == number
            coefficient[here] = one.coefficient[source[here], bit[here]]
        change: IntArray = ((bits - self.bits[free]) * coefficient) @ owns
        first, gap, choice = moves.first[block], moves.gap[block], moves.choice[block]
        counted, place = gap > 0, np.zeros_like(change)
        place[:, counted] = choice[counted] + change[:, counted] // gap[counted]
        listed = np.flatnonzero(~counted)
        level = moves.levels[first[listed] + choice[listed]] + change[:, listed]
        for number in range(1, int(moves.num_levels[block[listed]].max(initial=0))):
            inside = number < moves.num_levels[block[listed]]  # levels ascend within a weight
            reached = moves.levels[first[listed] + np.where(inside, number, 0)] <= level
            place[:, listed] += reached & inside
        return place

    def _built_slowly(
        self, block: IntArray, free: IntArray, samples: IntArray, kind: str
    ) -> Question | None:
        """Do as :meth:`_states` for problems that the compiled builder does not support."""
        restricted = self._restricted(free, samples, kind)
        if not restricted.undecided[-1].any():
            return None
        target = TrainingScoring(restricted)
        model = target.model if target.model.equality.all() else WithSlack(target).model
        lifting, columns = Lifting.of(model), model.weight_variables
        y = np.zeros(lifting.num_multipliers)
        y[lifting.kinds[1].start :] = lifting.plausible_scale()
        return lifting.qubo(y), lambda x: self._places(
            block, free, restricted.repair_bits(x[:, columns])
        )

    def _restricted(self, free: IntArray, samples: IntArray, kind: str) -> TrainingProblem:
        """Restrict the problem to some free bits (positions), on as many samples as fit.

        The search for the number of samples starts at the last number for this kind of question, or
        at a small one, and grows at most eightfold, so the work is proportional to the model, not
        to all samples.  It aims at 93 % of the limit, and accepts 85 %.
        """
        full = self.problem.full_bits(self.bits)
        first = len(samples) if self.variables is None else 64
        count, grows = min(self._fitted.get(kind, first), len(samples)), True
        while True:
            chosen = np.sort(samples[:count])
            part = self.problem.subset(chosen)
            z = self.landscape.pre_activations(chosen)
            restricted = part.restrict(self.problem.free[free], full, z)
            if self.variables is None:
                return restricted
            size = restricted.size().num_variables
            fits = size <= self.variables
            full_enough = size >= 0.85 * self.variables or count == len(samples)
            wanted = int(count * 0.93 * self.variables / max(size, 1))
            if count == 1 or (fits and (full_enough or not grows)):
                self._fitted[kind] = max(1, wanted)
                return restricted
            grows = grows and fits
            count = min(wanted, 8 * count, len(samples)) if fits else max(1, wanted)
