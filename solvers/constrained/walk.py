"""A walk by enumerated restricted problems that keeps the constraints at every step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from formulations.arrays import BitArray, IntArray
from solvers.constrained.watch import Watch
from solvers.neighborhood.neighborhoods import Policy
from solvers.neighborhood.steps import WORK, Tally, Walk

if TYPE_CHECKING:
    from formulations import TrainingProblem


class GuardedWalk(Walk):
    """Restricted problems solved exactly among the choices that break no more than before.

    The loss of a walk that breaks something is that of its weights and the price of a violation
    for each unit, as ``problem.losses`` has it.

    Parameters
    ----------
    problem : TrainingProblem
        With constraints.
    """

    def __init__(self, problem: TrainingProblem) -> None:
        super().__init__(problem)
        self.watch = Watch(problem, self.landscape)
        self._best_broken = 2**60

    @property
    def at_floor(self) -> bool:
        """Whether no weights can beat the best ones met so far, which break nothing."""
        return self._best_broken == 0 and super().at_floor

    def begin(self, bits: BitArray) -> None:
        """Start at free weight bits; what they break has its price."""
        super().begin(bits)
        self._best_broken = self.watch.refresh()
        self._price()

    def _price(self) -> None:
        value = float(self.landscape.state.losses[0])
        self.loss = self.landscape.loss(value) + self.problem.price * self.watch.broken

    def step(
        self,
        policy: Policy,
        size: int,
        temperature: float,
        limit: int | None,
        rng: np.random.Generator,
        tally: Tally,
    ) -> float:
        """Solve a batch of blocks of one policy, each drawn from its heat bath."""
        landscape, levels = self.landscape, float(np.median(self.weights.num_levels))
        while size > 1 and levels**size * self.problem.num_samples > 1e9:
            size -= 1
        sparse = not self.watch.broken and not self.watch.guard.asked.shape[1]
        if not sparse:  # most choices are candidates then
            size = min(size, 4)
        # the loss of twenty samples takes as long as a box
        work = self.problem.num_samples + 20 * self.watch.guard.asked.shape[1]
        dear = max(levels ** (size / 2 if sparse else size), 2.0) * work
        count = int(np.clip(WORK / dear, 16, 1024))
        count = count if limit is None else min(count, limit)
        blocks = self.draw(policy, count, size, rng)
        gains = np.zeros(len(blocks))
        found = self.watch.heat_bath(
            rng,
            blocks,
            np.full(len(blocks), temperature / landscape.unit),
            gains,
            self._best,
            self._best_broken,
            self._best_value,
            self._goal,
        )
        self._best_broken, self._best_value, evaluated = found
        # at first the loss has its say, in the end only among choices that break as much
        heat = self.watch.guard.heat
        heat[0] = max(heat[0] * (0.99 if self.watch.broken else 1.0), 0.02)
        before = self.loss
        self._price()
        tally.rounds += len(blocks)
        tally.evaluated += evaluated
        return max(before - self.loss, 0.0) / max(1, evaluated)

    def draw(self, policy: Policy, count: int, size: int, rng: np.random.Generator) -> IntArray:
        """Blocks of weights, in most of them some that are not zero, which can make room."""
        blocks = super().draw(policy, count, size, rng)
        if size == 1 or policy.guided or rng.random() >= 0.75:
            return blocks
        return self.watch.exchanging(blocks, (size + 1) // 2, rng)

    def best(self) -> tuple[BitArray, float]:
        """Best free weight bits met so far, and their loss with the price of what they break."""
        bits, loss = super().best()
        return bits, loss + self.problem.price * self._best_broken

    def snapshot(self) -> Mapping[str, Any]:
        """Everything that a step changes."""
        heat = self.watch.guard.heat
        return {**super().snapshot(), "best_broken": self._best_broken, "heat": heat}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        super().restore(snapshot)
        self._best_broken = snapshot["best_broken"]
        self.watch.guard.heat[:] = snapshot["heat"]
        self.watch.refresh()
