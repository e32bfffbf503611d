"""Wrapper for an oracle that succeeds only with some probability."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from formulations.arrays import BitArray
from formulations.checks import check_share
from solvers.oracles.base import QUBO, Samples
from solvers.oracles.wrappers.base import Wrapper, rescored


@dataclass(frozen=True)
class Success(Wrapper):
    """Oracle that answers with a given probability, and otherwise with as many random states.

    A failed call costs as much as a successful one, so a chance q of at least one success takes
    ln(1 - q) / ln(1 - p) calls.

    Parameters
    ----------
    oracle : Oracle
    probability : float
        Success probability p of a call, from 0 to 1.

    Examples
    --------
    >>> from solvers.oracles import ExactOracle
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> oracle = Success(ExactOracle(), probability=0.5)
    >>> [oracle.sample(qubo, np.random.SeedSequence(i)).energies[0].item() for i in range(4, 8)]
    [-3.0, -3.0, -3.0, 0.0]
    """

    probability: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share("probability", self.probability)

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return the oracle's answer or random states; neither proves anything."""
        own, inner = seed.spawn(2)
        rng = np.random.default_rng(own)
        samples = self.ask(qubo, states, inner)
        if rng.random() < self.probability:
            return replace(samples, exact=False)
        return rescored(qubo, samples, rng.integers(0, 2, samples.x.shape, dtype=np.int8))
