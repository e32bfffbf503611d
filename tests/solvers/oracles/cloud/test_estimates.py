"""Estimates of cloud time, against Ocean's own formulas and published figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulations.errors import InvalidInputError
from solvers.oracles.cloud.estimates import (
    TIMINGS,
    hybrid_bqm_seconds,
    hybrid_cqm_seconds,
    qpu_seconds,
)


@pytest.fixture(scope="module")
def solver() -> Any:
    """A solver of Ocean's with the timing data that D-Wave publishes as its example."""
    from dwave.cloud.solver import StructuredSolver
    from dwave.cloud.testing.mocks import qpu_pegasus_solver_data, qpu_problem_timing_data

    data = qpu_pegasus_solver_data(2, problem_timing_data=qpu_problem_timing_data("advantage"))
    return StructuredSolver(client=None, data=data)


@given(st.integers(1, 5640), st.integers(1, 10_000), st.none() | st.floats(0.5, 2000.0))
def test_ocean_estimates_the_same(
    solver: Any, qubits: int, reads: int, annealing_time: float | None
) -> None:
    ours = qpu_seconds(qubits, reads, 3, annealing_time=annealing_time)
    theirs = qpu_seconds(qubits, reads, 3, annealing_time=annealing_time, solver=solver)
    assert ours == pytest.approx(theirs, rel=1e-9)


def test_readout_within_the_published_range() -> None:
    for graph, low, high in (("P", 18e-6, 250e-6), ("Z", 17e-6, 101.1e-6)):
        timing = TIMINGS[graph]
        for qubits in (1, 10, 1000, 5000):
            one, two = (timing.access_seconds(qubits, reads) for reads in (1, 2))
            assert low <= (two - one) - 1e-6 * (20.0 + timing.delay) <= high


@pytest.mark.parametrize(
    ("numbers", "message"),
    [
        ((0, 1, None), "qubits=0"),
        ((1, 0, None), "reads=0"),
        ((1, 1, -2.0), "annealing_time=-2.0.*microseconds"),
    ],
)
def test_numbers_out_of_range_are_refused(
    numbers: tuple[int, int, float | None], message: str
) -> None:
    with pytest.raises(InvalidInputError, match=message):
        TIMINGS["P"].access_seconds(*numbers)


def test_ocean_asks_for_the_same_least_time_of_a_hybrid_bqm() -> None:
    import dimod
    from dwave.system import LeapHybridSampler

    from solvers.oracles.cloud.mock import MockHybridBQM

    mock = MockHybridBQM()
    for n in (1, 1024, 3000, 20_000):
        bqm = dimod.BinaryQuadraticModel(n, "BINARY")
        assert mock.min_time_limit(bqm) == LeapHybridSampler.min_time_limit(mock, bqm)


def test_hybrid_times_never_fall_with_size() -> None:
    times = [hybrid_bqm_seconds(n) for n in np.geomspace(1, 1e6, 50).astype(int)]
    assert (np.diff(times) >= 0).all()
    assert hybrid_cqm_seconds(1, 1, 1) == 5.0
