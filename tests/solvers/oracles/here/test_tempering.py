"""Parallel tempering: right distributions, nothing lost, nothing to tune."""

from __future__ import annotations

import time

import numpy as np
import pytest

from formulations.errors import InvalidInputError
from solvers.kernels.tempering import temper
from solvers.oracles import Annealer, ExactOracle, ParallelTempering, WarmOracle
from solvers.oracles.deadline import answer_by
from solvers.oracles.ising import Ising, Neighbours
from solvers.oracles.testing import every_state, random_qubo


def seed(number: int = 0) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


def test_it_is_an_oracle_that_can_be_started() -> None:
    assert isinstance(ParallelTempering(), WarmOracle)


def test_it_finds_the_minimum_of_small_models() -> None:
    for number in range(8):
        qubo = random_qubo(14, number)
        least = ExactOracle().sample(qubo, seed()).energies[0]
        samples = ParallelTempering(2, 50).sample(qubo, seed(number))
        assert samples.energies[0] == pytest.approx(least)


def test_every_temperature_keeps_its_boltzmann_distribution() -> None:
    """The replicas' states after exchanges, against enumeration, at four temperatures at once."""
    qubo, ladders, betas = random_qubo(4, share=1.0), 20_000, np.array([0.2, 0.5, 1.0, 2.0])
    ising, around = Ising.of(qubo), Neighbours.of(4, qubo.heads, qubo.tails)
    spins = (2 * np.random.default_rng(0).integers(0, 2, (ladders, 4, 4)) - 1).astype(np.int8)
    numbers = seed().generate_state(ladders, np.uint64) | np.uint64(1)
    swapped, stop = np.zeros((ladders, 3)), np.zeros(1, dtype=np.bool_)
    J, ladder, best = ising.J[around.coupler], np.tile(betas, (ladders, 1)), spins[:, 0].copy()
    model = ising.h, around.starts, around.others, J
    temper(*model, ladder, 0, 31, numbers, spins, best, swapped, stop)
    energies = qubo.energies(every_state(4))
    for k, beta in enumerate(betas):
        weight = np.exp(-beta * energies)
        share = np.bincount(((spins[:, k] + 1) // 2) @ [1, 2, 4, 8], minlength=16) / ladders
        np.testing.assert_allclose(share, weight / weight.sum(), atol=0.012)  # three deviations
    assert (swapped.mean(0) > 0.2).all()


def test_given_states_are_never_lost() -> None:
    """A minimum that is given comes back, whichever of the states it is."""
    qubo = random_qubo(300, share=0.1)
    states = np.random.default_rng(0).integers(0, 2, (5, 300), dtype=np.int8)
    states[3] = Annealer(20, 500).sample(qubo, seed()).x[0]
    samples = ParallelTempering(2, 2).sample_from(qubo, states, seed())
    assert (samples.energies <= qubo.energies(states[3:4])[0] + 1e-9).all()


def test_replicas_of_a_glass_exchange_without_a_schedule() -> None:
    qubo = random_qubo(400, share=0.05)
    info = ParallelTempering(2, 200).sample(qubo, seed()).info
    assert info["replicas"] == 28
    assert 0.15 < info["exchanged"] < 0.7


def test_threads_change_nothing_and_a_deadline_is_kept() -> None:
    qubo = random_qubo(60)
    one = ParallelTempering(5, 20, threads=1).sample(qubo, seed())
    two = ParallelTempering(5, 20, threads=3).sample(qubo, seed())
    np.testing.assert_array_equal(one.x, two.x)
    started = time.perf_counter()
    with answer_by(started + 0.3):
        cut = ParallelTempering(2, 10**6).sample(random_qubo(400), seed())
    assert time.perf_counter() - started < 5.0
    assert cut.info["cut"]
    assert cut.energies[0] < 0.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"reads": 0}, "reads=0"),
        ({"replicas": 1}, "replicas=1: expected an integer from 2"),
        ({"threads": True}, "threads=True"),
    ],
)
def test_bad_options_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ParallelTempering(**options)
