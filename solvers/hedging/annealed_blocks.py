"""Blocks solved by simulated annealing of their weights; no model, no oracle."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from formulations.arrays import BitArray, FloatArray
from formulations.checks import check_number, check_whole
from formulations.errors import InvalidInputError
from solvers.hedging.blocks import Answer, ranked
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.kernels.walks import anneal_with_linear_term

if TYPE_CHECKING:
    from formulations import TrainingProblem


WORK = 2**18
"""Flips times samples of an annealing between two looks at the clock."""


@dataclass(frozen=True)
class AnnealedBlocks:
    """Simulated annealing of the weights by the block's true loss plus the linear term.

    It needs no model and no Ising machine: the baseline for the solvers that do.

    Parameters
    ----------
    flips : int
        Proposed flips of each restart.
    restarts : int
        The first restart begins at the first starting point, the others at random weights.
    start_temperature, end_temperature : float
        In units of the mean |change of the value| of a flip at the beginning.
    """

    flips: int = 10_000
    restarts: int = 2
    start_temperature: float = 0.15
    end_temperature: float = 0.005

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

    @property
    def certifies(self) -> bool:
        """A search proves nothing."""
        return False

    def prepare(self, problem: TrainingProblem) -> AnnealedBlock:
        """Keep the problem only: the arrays of a walk change as it goes."""
        return AnnealedBlock(self, problem)


@dataclass(frozen=True)
class AnnealedBlock:
    """A block to be annealed."""

    options: AnnealedBlocks
    problem: TrainingProblem

    def minimise(
        self,
        linear: FloatArray,
        starts: BitArray,
        seed: np.random.SeedSequence,
        seconds: float | None = None,
    ) -> Answer:
        """The best point of each restart."""
        started = time.perf_counter()
        options, rng = self.options, np.random.default_rng(seed)
        landscape = IncrementalLoss(self.problem)
        moves, unit = landscape.moves, landscape.unit
        linear_term = landscape.linear_term(linear) / unit
        cooling = float(options.end_temperature / options.start_temperature) ** (1 / options.flips)
        points = [*starts]

        def late() -> bool:
            return seconds is not None and time.perf_counter() - started >= seconds

        for restart in range(options.restarts):
            if points and late():
                break
            at = landscape.random_choice(rng)
            if restart == 0 and len(starts):
                at = landscape.choice(starts[0])
            best = at.copy()
            landscape.set_choice(at)
            probe = best.copy()
            # 128 flips at infinite temperature measure the scale of a change
            _, scale, _ = anneal_with_linear_term(
                landscape.state, moves, linear_term, rng, 128, np.inf, 1.0, probe, np.inf
            )
            landscape.set_choice(at)
            temperature, least = float(options.start_temperature * (scale or 1.0)), np.inf
            for count in _parts(int(options.flips), self.problem.num_samples):
                if late():
                    break
                least, _, temperature = anneal_with_linear_term(
                    landscape.state,
                    moves,
                    linear_term,
                    rng,
                    count,
                    temperature,
                    cooling,
                    best,
                    least,
                )
            points.append(landscape.bits(best))
        bits, values, losses = ranked(self.problem, np.array(points), linear, len(points))
        return Answer(bits, values, losses, -np.inf)


def _parts(flips: int, samples: int) -> Iterator[int]:
    """Flips of an annealing in parts of some milliseconds, between which Ctrl-C is heard."""
    size = max(1, WORK // samples)
    for done in range(0, flips, size):
        yield min(size, flips - done)
