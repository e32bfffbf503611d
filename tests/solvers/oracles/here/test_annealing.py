from __future__ import annotations

import os
import pickle
import signal
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulations.errors import InvalidInputError
from solvers.oracles import QUBO, Annealer, ExactOracle, Oracle, WarmOracle
from solvers.oracles.ising import Ising
from tests.strategies import every_point

SEED = 7


def seed(number: int = SEED) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


def random_qubo(n: int, number: int = 0, share: float = 1.0) -> QUBO:
    random = np.random.default_rng(number)
    heads, tails = np.triu_indices(n, 1)
    kept = random.random(len(heads)) < share
    heads, tails = heads[kept].astype(np.int64), tails[kept].astype(np.int64)
    return QUBO(random.normal(size=n), heads, tails, random.normal(size=len(heads)))


def test_it_is_an_oracle_and_can_be_started() -> None:
    assert isinstance(Annealer(), Oracle)
    assert isinstance(Annealer(), WarmOracle)
    assert not isinstance(ExactOracle(), WarmOracle)


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_samples_are_sorted_bits_with_the_energies_of_the_qubo(n: int, number: int) -> None:
    qubo = random_qubo(n, number, share=0.5)
    samples = Annealer(reads=4, sweeps=10).sample(qubo, seed(number))
    assert samples.x.shape == (4, n)
    assert samples.x.dtype == np.int8
    assert np.isin(samples.x, (0, 1)).all()
    x = samples.x.astype(float)
    by_hand = [r @ qubo.linear + sum(qubo.couplings * r[qubo.heads] * r[qubo.tails]) for r in x]
    np.testing.assert_allclose(samples.energies, by_hand, atol=1e-9)
    assert (np.diff(samples.energies) >= 0).all()
    assert not samples.exact
    assert samples.seconds > 0


@given(st.integers(0, 1000))
def test_spins_have_the_energies_of_the_bits_up_to_a_constant(number: int) -> None:
    qubo = random_qubo(6, number)
    ising = Ising.of(qubo)
    x = np.random.default_rng(number).integers(0, 2, (8, 6))
    s = 2.0 * x - 1.0
    spins = s @ ising.h + (s[:, ising.heads] * s[:, ising.tails]) @ ising.J
    shift = qubo.energies(x) - spins
    np.testing.assert_allclose(shift, shift[0], atol=1e-9)


def test_at_one_temperature_states_come_as_often_as_boltzmann_says() -> None:
    qubo, beta = random_qubo(4), 0.7
    states = every_point(4)
    weight = np.exp(-beta * qubo.energies(states))
    oracle = Annealer(reads=20_000, sweeps=30, beta_range=(beta, beta))
    found = oracle.sample(qubo, seed()).x @ [1, 2, 4, 8]
    share = np.bincount(found, minlength=16) / 20_000
    np.testing.assert_allclose(share, weight / weight.sum(), atol=0.012)  # three deviations


def test_it_is_as_good_as_the_public_sampler() -> None:
    """Same temperatures and sweeps on a glass of 200 spins: mean energies within 1 %."""
    import dimod
    from dwave.samplers import SimulatedAnnealingSampler

    qubo = random_qubo(200, share=0.1)
    ours = Annealer(reads=40, sweeps=100, beta_range=(0.1, 10.0)).sample(qubo, seed())
    bqm = dimod.BinaryQuadraticModel.from_numpy_vectors(
        qubo.linear, (qubo.heads, qubo.tails, qubo.couplings), 0.0, "BINARY"
    )
    theirs = SimulatedAnnealingSampler().sample(
        bqm, beta_range=(0.1, 10.0), num_reads=40, num_sweeps=100, seed=SEED
    )
    assert ours.energies.mean() == pytest.approx(theirs.record.energy.mean(), rel=0.01)


def test_it_finds_the_minimum_of_small_problems() -> None:
    for number in range(5):
        qubo = random_qubo(14, number)
        least = ExactOracle().sample(qubo, seed()).energies[0]
        found = Annealer(reads=10, sweeps=200).sample(qubo, seed()).energies[0]
        assert found == pytest.approx(least)


def test_same_seed_same_samples() -> None:
    qubo = random_qubo(40)
    oracle = Annealer(reads=7, sweeps=5)
    one = oracle.sample(qubo, seed())
    for threads in (1, 3):
        two = Annealer(reads=7, sweeps=5, threads=threads).sample(qubo, seed())
        np.testing.assert_array_equal(one.x, two.x)
    assert one.x.shape == (7, 40)
    assert (oracle.sample(qubo, seed(8)).x != one.x).any()


def test_neighbours_are_kept_for_the_same_couplers_only() -> None:
    qubo, other = random_qubo(30, share=0.3), random_qubo(30, 1, share=0.3)
    oracle = Annealer(reads=3, sweeps=5)
    for asked in (qubo, other, QUBO(-qubo.linear, qubo.heads, qubo.tails, -qubo.couplings)):
        again, afresh = oracle.sample(asked, seed()), Annealer(3, 5).sample(asked, seed())
        np.testing.assert_array_equal(again.x, afresh.x)
    assert pickle.loads(pickle.dumps(oracle)).sample(qubo, seed()).x.shape == (3, 30)


def test_long_calls_are_shared_among_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    qubo = random_qubo(40)
    one = Annealer(reads=7, sweeps=5).sample(qubo, seed())
    monkeypatch.setattr("solvers.oracles.here.annealing.LONG", 1)
    monkeypatch.setattr("os.cpu_count", lambda: 3)
    np.testing.assert_array_equal(Annealer(reads=7, sweeps=5).sample(qubo, seed()).x, one.x)


def test_more_threads_than_reads() -> None:
    assert Annealer(reads=2, sweeps=3, threads=5).sample(random_qubo(5), seed()).x.shape == (2, 5)


def test_negligible_coefficients_are_dropped_and_counted_and_change_no_temperature() -> None:
    qubo = random_qubo(20)
    sound = Ising.of(qubo)
    couplings = qubo.couplings.copy()
    couplings[3], couplings[5] = 1e-12, -1e-13
    spoilt = Ising.of(QUBO(qubo.linear, qubo.heads, qubo.tails, couplings))
    assert (sound.dropped, spoilt.dropped) == (0, 2)
    assert np.count_nonzero(spoilt.J) == len(couplings) - 2
    np.testing.assert_allclose(spoilt.beta_range(), sound.beta_range(), rtol=0.2)
    info = (
        Annealer(sweeps=2).sample(QUBO(qubo.linear, qubo.heads, qubo.tails, couplings), seed()).info
    )
    assert info["dropped"] == 2


@given(st.floats(1e-6, 1e6))
def test_temperatures_follow_the_units(factor: float) -> None:
    qubo = random_qubo(12)
    scaled = QUBO(factor * qubo.linear, qubo.heads, qubo.tails, factor * qubo.couplings)
    expected = np.array(Ising.of(qubo).beta_range()) / factor
    np.testing.assert_allclose(Ising.of(scaled).beta_range(), expected, rtol=1e-9)


@pytest.mark.parametrize("n", [0, 3])
def test_no_coefficients_at_all(n: int) -> None:
    none = np.zeros(0, dtype=np.int64)
    samples = Annealer(reads=2, sweeps=2).sample(QUBO(np.zeros(n), none, none, np.zeros(0)), seed())
    assert samples.x.shape == (2, n)
    assert samples.energies.tolist() == [0.0, 0.0]


def test_warm_starts_stay_near() -> None:
    """At the cold end nothing leaves a minimum; reads take the states in turn."""
    qubo = random_qubo(14)
    best = ExactOracle().sample(qubo, seed()).x[0]
    second = np.where(np.arange(14) == 0, 1 - best, best)  # one flip away
    oracle = Annealer(reads=4, sweeps=5, beta_range=(1e3, 1e6))
    samples = oracle.sample_from(qubo, np.stack([best, second]), seed())
    assert (samples.x == best).all(axis=1).sum() >= 2
    hot, cold = Annealer(sweeps=5).sample_from(qubo, [best], seed()).info["beta_range"]
    hottest, coldest = Annealer(sweeps=5).sample(qubo, seed()).info["beta_range"]
    least, most = Annealer().reheat
    assert hottest / most <= hot <= hottest / least
    assert cold == pytest.approx(coldest)


@pytest.mark.parametrize("states", [[[0, 1]], [0, 1, 0], np.zeros((0, 3))])
def test_initial_states_that_do_not_fit(states: object) -> None:
    with pytest.raises(InvalidInputError, match="initial states of shape"):
        Annealer().sample_from(random_qubo(3), states, seed())  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"read": 3}, "unknown option of Annealer 'read'.*Did you mean 'reads'"),
        ({"num_sweeps": 3}, "Did you mean 'sweeps'"),
        ({"reads": 0}, "reads=0: expected an integer from 1 to"),
        ({"sweeps": 2.5}, "sweeps=2.5"),
        ({"threads": True}, "threads=True"),
        ({"beta_range": (1.0, 0.1)}, "0 < first <= second"),
        ({"beta_range": (1.0,)}, "two inverse temperatures"),
        ({"beta_range": "hot"}, "two inverse temperatures"),
        ({"schedule": "geometrc"}, "Did you mean 'geometric'"),
        ({"reheat": 0.1}, "two shares"),
        ({"reheat": (0.1, 2.0)}, "none above 1"),
    ],
)
def test_bad_options_are_refused(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Annealer(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_coefficients_that_are_not_finite(bad: float) -> None:
    qubo = random_qubo(4)
    qubo.linear[2] = bad
    with pytest.raises(InvalidInputError, match="not finite"):
        Annealer().sample(qubo, seed())


def test_ctrl_c_ends_a_long_call() -> None:
    qubo = random_qubo(300)
    timer = threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    started = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        Annealer(reads=2000, sweeps=3000).sample(qubo, seed())
    assert time.perf_counter() - started < 5.0  # all of it takes twice as long at least
