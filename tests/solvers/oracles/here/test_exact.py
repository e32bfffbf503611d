from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulations.errors import InvalidInputError
from solvers.oracles.base import QUBO, Oracle
from solvers.oracles.here.exact import ExactOracle
from tests.strategies import every_point

SEED = np.random.SeedSequence(0)


def dense(n: int, seed: int = 0) -> QUBO:
    rng = np.random.default_rng(seed)
    heads, tails = np.triu_indices(n, 1)
    return QUBO(rng.normal(size=n), heads, tails, rng.normal(size=len(heads)))


@st.composite
def qubos(draw: st.DrawFn) -> QUBO:
    """Small QUBOs, often with ties, zero couplers and several connected parts."""
    n = draw(st.integers(1, 9))
    pairs = draw(st.sets(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)), max_size=14))
    edges = sorted({(min(p), max(p)) for p in pairs if p[0] != p[1]})
    # multiples of 1/64, so that energies are exact and equal ones are equal
    number = st.one_of(st.integers(-2, 2).map(float), st.integers(-640, 640).map(lambda i: i / 64))
    return QUBO(
        np.array(draw(st.lists(number, min_size=n, max_size=n))),
        np.array([a for a, _ in edges], dtype=np.int64),
        np.array([b for _, b in edges], dtype=np.int64),
        np.array(draw(st.lists(number, min_size=len(edges), max_size=len(edges)))),
    )


@given(qubos())
def test_all_minima_and_nothing_else(qubo: QUBO) -> None:
    samples = ExactOracle(max_samples=512).sample(qubo, SEED)
    points = every_point(qubo.num_variables)
    energies = qubo.energies(points)
    least = energies.min()
    assert samples.exact
    np.testing.assert_allclose(samples.energies, least, rtol=1e-9, atol=1e-9)
    assert samples.x.dtype == np.int8
    found = {tuple(x) for x in samples.x.tolist()}
    assert len(found) == len(samples.x)
    assert found >= {tuple(x) for x in points[energies == least].tolist()}
    assert samples.x.tolist() == sorted(samples.x.tolist())


def test_it_is_an_oracle() -> None:
    assert isinstance(ExactOracle(), Oracle)


def test_no_more_minima_than_asked_for() -> None:
    none = np.zeros(0, dtype=np.int64)
    free = QUBO(np.zeros(20), none, none, np.zeros(0))
    assert ExactOracle(max_samples=5).sample(free, SEED).x.shape == (5, 20)
    assert ExactOracle(max_samples=1).sample(free, SEED).x.shape == (1, 20)


def test_the_seed_makes_no_difference() -> None:
    first, second = (
        ExactOracle().sample(dense(12), np.random.SeedSequence(seed)) for seed in (1, 2)
    )
    np.testing.assert_array_equal(first.x, second.x)


def test_rounding_does_not_build_up_over_a_million_states() -> None:
    qubo = dense(20, seed=3)
    samples = ExactOracle().sample(qubo, SEED)
    least = min(
        qubo.energies(np.concatenate([every_point(16), np.tile(top, (2**16, 1))], axis=1)).min()
        for top in every_point(4)
    )
    assert samples.energies[0] == pytest.approx(least, rel=1e-12)


def test_twenty_variables_take_well_under_a_second() -> None:
    ExactOracle().sample(dense(3), SEED)  # compiled outside the measured time
    started = time.perf_counter()
    ExactOracle().sample(dense(20), SEED)
    assert time.perf_counter() - started < 0.5


def test_connected_parts_are_enumerated_apart() -> None:
    n = 60  # a path cut into parts of six
    heads = np.array([i for i in range(n - 1) if i % 6 != 5])
    rng = np.random.default_rng(0)
    qubo = QUBO(rng.normal(size=n), heads, heads + 1, rng.normal(size=len(heads)))
    samples = ExactOracle(max_variables=6).sample(qubo, SEED)
    flipped = np.abs(samples.x[0] - np.eye(n, dtype=np.int8))
    assert (qubo.energies(flipped) >= samples.energies[0]).all()
    assert samples.exact


def test_zero_couplers_connect_nothing() -> None:
    heads, tails = np.triu_indices(40, 1)
    qubo = QUBO(np.ones(40), heads, tails, np.zeros(len(heads)))
    assert ExactOracle().sample(qubo, SEED).x.tolist() == [[0] * 40]


def test_a_qubo_without_variables_has_energy_zero() -> None:
    none = np.zeros(0, dtype=np.int64)
    samples = ExactOracle().sample(QUBO(np.zeros(0), none, none, np.zeros(0)), SEED)
    assert samples.x.shape == (1, 0)
    assert samples.energies.tolist() == [0.0]


def test_too_many_variables_are_refused_with_the_number() -> None:
    with pytest.raises(InvalidInputError, match="30 variables, 30 of them connected"):
        ExactOracle().sample(dense(30), SEED)


def test_coefficients_must_be_finite() -> None:
    qubo = dense(4)
    qubo.linear[2] = np.nan
    with pytest.raises(InvalidInputError, match="not finite"):
        ExactOracle().sample(qubo, SEED)


@pytest.mark.parametrize(
    "options", [{"max_variables": 0}, {"max_variables": 41}, {"max_samples": 0}]
)
def test_options_out_of_range_are_refused(options: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(options))):
        ExactOracle(**options)
