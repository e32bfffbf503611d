"""D-Wave's hybrid solver for QUBOs as an oracle."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from solvers.oracles.answers import best_first
from solvers.oracles.base import QUBO, Samples, check_question, rebuilt
from solvers.oracles.cloud.connection import (
    Connection,
    Factory,
    booked,
    check_mapping,
    check_positive,
    presentably,
)
from solvers.oracles.dimod_sampler import from_dimod


@dataclass(frozen=True)
class HybridBQM:
    """Oracle: D-Wave's hybrid solver for QUBOs of up to a million variables, one sample per call.

    Parameters
    ----------
    time_limit : float, optional
        Seconds that the solver may run and charges; None takes its minimum for the QUBO's size
        (:func:`~solvers.oracles.cloud.estimates.hybrid_bqm_seconds`).
    options : mapping
        Other parameters of the sampler, checked against those it supports.
    sampler : callable, optional
        Makes the sampler; None makes a ``dwave.system.LeapHybridSampler``, configured by Ocean.

    Raises
    ------
    InvalidInputError
        For options out of range; from ``sample``, for a QUBO that is not finite.
    OracleError
        From ``sample``, without credentials.

    Examples
    --------
    >>> from solvers.oracles.cloud.mock import MockHybridBQM
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> samples = HybridBQM(sampler=MockHybridBQM).sample(qubo, np.random.SeedSequence(0))
    >>> samples.x.tolist(), samples.info["charged"]
    ([[0, 1]], 3.0)
    """

    time_limit: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    sampler: Factory | None = field(default=None, repr=False)
    _connection: Connection = field(init=False, repr=False, compare=False)

    __reduce__ = rebuilt

    def __post_init__(self) -> None:
        check_positive("time_limit", self.time_limit, "seconds")
        check_mapping("options", self.options)
        connection = Connection(self.sampler, "LeapHybridSampler", "the hybrid solver")
        object.__setattr__(self, "_connection", connection)

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Return a sample of ``qubo``; ``info`` has ``timing``, ``charged`` and ``problem_id``."""
        check_question(qubo, seed)
        if not qubo.num_variables:
            return best_first(qubo, np.zeros((1, 0)), time.perf_counter())
        limit = {} if self.time_limit is None else {"time_limit": self.time_limit}
        oracle = from_dimod(self._connection(), **limit, **self.options)
        return booked(presentably(lambda: oracle.sample(qubo, seed)))
