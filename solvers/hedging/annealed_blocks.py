"""Solve blocks by simulated annealing of their weights, without a model or an oracle."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray, FloatArray
from formulations.checks import check_number, check_whole
from formulations.errors import InvalidInputError
from solvers.hedging.blocks import Answer, Minimise, ranked
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.kernels.walks import anneal_with_linear_term


@dataclass(frozen=True)
class AnnealedBlocks:
    """Simulated annealing of the weights by the block's true loss plus the linear term.

    This solver needs no model and no Ising machine: it is the baseline for those that do.

    Parameters
    ----------
    flips : int
        Proposed flips per restart.
    restarts : int
        The first restart begins at the first starting point, the others at random weights.
    start_temperature, end_temperature : float
        In units of the initial mean |change of the value| per flip.
    """

    flips: int = 10_000
    restarts: int = 2
    start_temperature: float = 0.15
    end_temperature: float = 0.005
    certifies = False

    def __post_init__(self) -> None:
        check_whole("flips", self.flips)
        check_whole("restarts", self.restarts)
        check_number("start_temperature", self.start_temperature)
        check_number("end_temperature", self.end_temperature)
        if not 0 < self.end_temperature <= self.start_temperature < np.inf:
            raise InvalidInputError(
                f"temperatures from {self.start_temperature!r} to {self.end_temperature!r}: "
                "expected positive numbers that fall"
            )

    def prepare(self, problem: TrainingProblem) -> Minimise:
        """Prepare nothing: a walk changes its own arrays."""

        def minimise(
            linear: FloatArray,
            starts: BitArray,
            seed: np.random.SeedSequence,
            seconds: float | None = None,
        ) -> Answer:
            """Return the best point of each restart."""
            until = np.inf if seconds is None else time.perf_counter() + seconds
            rng, walk = np.random.default_rng(seed), IncrementalLoss(problem)
            terms = walk.state, walk.moves, walk.linear_term(linear) / walk.unit, rng
            cooling = float(self.end_temperature / self.start_temperature) ** (1 / self.flips)
            size = max(1, 2**18 // problem.num_samples)  # flips between two checks of the clock
            points = [*starts]
            for restart in range(self.restarts):
                if points and time.perf_counter() >= until:
                    break
                at = walk.random_choice(rng)
                if restart == 0 and len(starts):
                    at = walk.choice(starts[0])
                best = at.copy()
                walk.set_choice(at)
                # 128 flips at infinite temperature measure the scale of a change
                _, scale, _ = anneal_with_linear_term(*terms, 128, np.inf, 1.0, best.copy(), np.inf)
                walk.set_choice(at)
                temperature, least = float(self.start_temperature * (scale or 1.0)), np.inf
                for done in range(0, int(self.flips), size):
                    if time.perf_counter() >= until:
                        break
                    count = min(size, int(self.flips) - done)
                    least, _, temperature = anneal_with_linear_term(
                        *terms, count, temperature, cooling, best, least
                    )
                points.append(walk.bits(best))
            found = ranked(problem, np.array(points), linear, len(points))
            return Answer(*found, -np.inf)

        return minimise
