from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulations.errors import InvalidInputError
from solvers.oracles import QUBO, ExactOracle, Oracle, Samples
from solvers.oracles.testing import random_qubo
from solvers.oracles.time_to_solution import TimeToSolution, Trials, reads_needed

COIN = QUBO(np.array([-1.0]), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


class Coin:
    """Each read is right with a given probability; a read takes a hundredth of a second."""

    def __init__(self, chance: float, reads: int = 10) -> None:
        self.chance, self.reads = chance, reads

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        x = (np.random.default_rng(seed).random((self.reads, 1)) < self.chance).astype(np.int8)
        x = np.sort(x, axis=0)[::-1]
        return Samples(x, qubo.energies(x), 0.01 * self.reads)


def time_to_solution(
    oracle: Oracle, qubo: QUBO, energy: float, *, calls: int = 20, seed: int = 0, **options: float
) -> TimeToSolution:
    return Trials.of(oracle, qubo, calls=calls, seed=seed).time_to(energy, seed=seed, **options)


@given(st.floats(1e-6, 1.0), st.floats(0.5, 0.999))
def test_so_many_reads_succeed_with_the_target(p: float, target: float) -> None:
    needed = float(reads_needed(p, target))
    assert needed >= 1.0
    assert 1.0 - (1.0 - p) ** needed >= target - 1e-9


def test_the_formula() -> None:
    found = Trials(np.array([-1.0] + [0.0] * 9), np.array([10]), np.array([0.1]), 1.0).time_to(-1.0)
    assert found.read_seconds == pytest.approx(0.01)
    assert found.seconds == pytest.approx(0.01 * math.log(0.01) / math.log(0.9))


def test_never_and_always() -> None:
    never = time_to_solution(Coin(0.0), COIN, -1.0)
    assert never.seconds == never.high == math.inf
    assert 0.01 < never.low < math.inf  # of 200 reads none: one in 80 is possible, one in 2 is not
    always = time_to_solution(Coin(1.0), COIN, -1.0)
    assert always.seconds == always.low == pytest.approx(0.01)
    assert 0.01 < always.high < 0.012  # one in 80 may fail
    assert always.successes == always.reads == 200


def test_the_interval_holds_the_truth_as_often_as_it_says() -> None:
    truth = 0.01 * float(reads_needed(0.2))
    inside = 0
    for seed in range(200):
        found = time_to_solution(Coin(0.2), COIN, -1.0, calls=10, seed=seed, confidence=0.9)
        inside += found.low <= truth <= found.high
    assert 165 <= inside <= 195


def test_more_calls_narrow_it_and_the_seed_reproduces_it() -> None:
    few, many = (time_to_solution(Coin(0.3), COIN, -1.0, calls=calls) for calls in (5, 200))
    assert many.high - many.low < (few.high - few.low) / 3
    assert time_to_solution(Coin(0.3), COIN, -1.0, calls=5) == few


def test_an_exact_answer_is_one_read_however_many_minima_it_lists() -> None:
    flat = QUBO(np.zeros(3), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    found = time_to_solution(ExactOracle(max_samples=8), flat, 0.0, calls=3)
    assert (found.successes, found.reads) == (3, 3)


def test_energies_are_compared_within_rounding() -> None:
    qubo = random_qubo(10)
    least = ExactOracle().sample(qubo, np.random.SeedSequence(0)).energies[0]
    assert time_to_solution(ExactOracle(), qubo, least - 1e-12, calls=1).successes == 1
    assert time_to_solution(ExactOracle(), qubo, least - 1e-3, calls=1).successes == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"energy": math.nan}, "energy=nan"),
        ({"target": 1.0}, "target=1.0"),
        ({"confidence": 0.0}, "confidence=0.0"),
        ({"calls": 0}, "calls=0"),
    ],
)
def test_bad_options_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        time_to_solution(Coin(0.5), COIN, **{"energy": -1.0, **options})  # type: ignore[arg-type]
