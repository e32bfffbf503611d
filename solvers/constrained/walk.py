"""Walk by enumerated restricted problems that keeps constraints once they hold."""

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
    """Walk that solves restricted problems exactly and keeps constraints once they hold.

    The loss of a walk with violations includes their price per unit, as in ``problem.losses``.

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
        """True if no weights can beat the best ones found so far, which violate nothing."""
        return self._best_broken == 0 and super().at_floor

    def begin(self, bits: BitArray) -> None:
        """Start at free weight bits; the loss includes the price of their violations."""
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
        if not sparse:  # most choices are then candidates
            size = min(size, 4)
        # The loss of twenty samples takes as long as one box.
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
        # At first the loss matters, at the end only among choices with equal violation.
        heat = self.watch.guard.heat
        heat[0] = max(heat[0] * (0.99 if self.watch.broken else 1.0), 0.02)
        before = self.loss
        self._price()
        tally.rounds += len(blocks)
        tally.evaluated += evaluated
        return max(before - self.loss, 0.0) / max(1, evaluated)

    def draw(self, policy: Policy, count: int, size: int, rng: np.random.Generator) -> IntArray:
        """Draw blocks of weights; most include nonzero ones, which can make room."""
        blocks = super().draw(policy, count, size, rng)
        if size == 1 or policy.guided or rng.random() >= 0.75:
            return blocks
        return self.watch.exchanging(blocks, (size + 1) // 2, rng)

    def best(self) -> tuple[BitArray, float]:
        """Best free weight bits found so far, and their loss including the price of violations."""
        bits, loss = super().best()
        return bits, loss + self.problem.price * self._best_broken

    def snapshot(self) -> dict[str, Any]:
        heat = self.watch.guard.heat
        return {**super().snapshot(), "best_broken": self._best_broken, "heat": heat}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        super().restore(snapshot)
        self._best_broken = snapshot["best_broken"]
        self.watch.guard.heat[:] = snapshot["heat"]
        self.watch.refresh()
