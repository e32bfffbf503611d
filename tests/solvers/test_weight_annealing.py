from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.datasets import load_digits

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers.run.result import Status
from solvers.run.run import Progress
from solvers.weight_annealing import WeightAnnealing
from tests.formulations.problems import problems
from tests.strategies import every_point


def three_or_eight(samples: int, seed: int, hidden: int = 5) -> TrainingProblem:
    """Digits 3 v 8, pooled to 16 inputs."""
    X, y = load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero((y == 3) | (y == 8)))[:samples]
    pooled = X[chosen].reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, 16)
    return TrainingProblem(Network.dense([16, hidden, 1]), pooled, np.where(y[chosen] == 8, 1, -1))


def noise(samples: int = 60) -> TrainingProblem:
    """Labels that no network of this size can learn."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(-3, 4, (samples, 8)), rng.choice([-1, 1], samples)
    return TrainingProblem(Network.dense([8, 3, 1], bias=True), X, y)


@settings(max_examples=20)
@given(problems(max_bits=10, max_samples=4))
def test_restarts_find_the_optimum_of_tiny_problems(problem: TrainingProblem) -> None:
    least = problem.losses(every_point(problem.num_free_bits)).min()
    result = WeightAnnealing(flips=1000, restarts=10).solve(problem)
    assert result.loss == pytest.approx(least, rel=1e-9, abs=1e-9)
    assert result.loss == pytest.approx(problem.loss(result.weights), rel=1e-9, abs=1e-9)
    if result.status is Status.OPTIMAL:
        assert result.lower_bound == pytest.approx(least, rel=1e-9, abs=1e-9)
    else:
        assert result.lower_bound is None


def test_digits_at_least_as_good_as_documented() -> None:
    losses = [WeightAnnealing(seed=s).solve(three_or_eight(100, s)).loss for s in range(5)]
    assert np.median(losses) <= 2  # 2, 2, 4 in the design notes
    losses = [WeightAnnealing(seed=s).solve(three_or_eight(300, s)).loss for s in range(3)]
    assert np.median(losses) <= 15  # 30, 26, 40 there


def test_same_seed_same_result() -> None:
    problem = noise()
    first, again, other = (WeightAnnealing(3000, 2, seed=s).solve(problem) for s in (7, 7, 8))
    assert first.bits.tolist() == again.bits.tolist()
    assert first.history.columns == again.history.columns
    assert first.history.columns != other.history.columns


def test_the_best_visited_point_is_returned_not_the_last() -> None:
    hot = WeightAnnealing(3000, start_temperature=50.0, end_temperature=50.0, seed=1)
    result = hot.solve(noise())
    assert result.loss <= result.history["loss"].min()
    assert result.loss < result.history["loss"][-1]
    assert (np.diff(result.history["best_loss"]) <= 0).all()
    assert result.info["flips"] == 3000 == result.history["flips"][-1]


def test_the_temperature_falls_geometrically_across_steps() -> None:
    result = WeightAnnealing(1000, start_temperature=8.0, end_temperature=0.5).solve(noise())
    temperatures = result.history["temperature"]
    assert temperatures[0] == 8.0
    ratios = temperatures[1:] / temperatures[:-1]
    np.testing.assert_allclose(ratios, ratios[0])
    np.testing.assert_allclose(temperatures[-1] * ratios[0], 0.5, rtol=1e-2)


@pytest.mark.parametrize("given", [{"start_temperature": 1e-6}, {"end_temperature": 1e6}])
def test_one_temperature_given_does_not_cross_the_other(given: dict[str, float]) -> None:
    info = WeightAnnealing(100, **given).solve(noise()).info
    assert info["start_temperature"] == info["end_temperature"] == next(iter(given.values()))


def test_restricted_problems_change_only_their_free_bits() -> None:
    problem, rng = noise(), np.random.default_rng(3)
    incumbent = rng.integers(0, 2, problem.num_free_bits).astype(np.int8)
    free = np.sort(rng.choice(problem.num_free_bits, 9, replace=False))
    small = problem.restrict(free, incumbent)
    result = WeightAnnealing(flips=4000).solve(small)
    bits = problem.bits_from_weights(result.weights)
    fixed = np.delete(np.arange(problem.num_free_bits), free)
    np.testing.assert_array_equal(bits[fixed], incumbent[fixed])
    assert result.bits.shape == (9,)
    assert result.loss == small.losses(every_point(9)).min()


def test_the_time_limit_is_kept() -> None:
    problem = noise(1000)
    WeightAnnealing(flips=100).solve(problem)  # compiled outside the measured time
    started = time.perf_counter()
    result = WeightAnnealing(flips=10**9, time_limit=0.3).solve(problem)
    assert time.perf_counter() - started < 1.0
    assert result.status is Status.TIME_LIMIT
    assert result.loss == problem.loss(result.weights)


def test_restarts_without_end_stop_at_the_time_limit() -> None:
    result = WeightAnnealing(flips=2000, restarts=None, time_limit=0.3).solve(noise())
    assert result.status is Status.TIME_LIMIT
    assert result.info["flips"] > 2000


def test_a_time_limit_too_short_for_anything_still_gives_weights() -> None:
    result = WeightAnnealing(time_limit=1e-9).solve(noise())
    assert result.status is Status.TIME_LIMIT
    assert np.isfinite(result.loss)


def test_ctrl_c_keeps_the_incumbent() -> None:
    problem = noise()

    def interrupt(progress: Progress) -> None:
        if progress.iteration == 5:
            raise KeyboardInterrupt

    result = WeightAnnealing(2000, callbacks=(interrupt,)).solve(problem)
    assert result.status is Status.INTERRUPTED
    assert len(result.history) == 5
    assert result.loss == problem.loss(result.weights) == result.history["best_loss"][-1]


def test_a_callback_may_stop_the_run() -> None:
    seen: list[int] = []

    def stop(progress: Progress) -> bool:
        seen.append(progress.iteration)
        return len(seen) == 3

    result = WeightAnnealing(2000, callbacks=(stop,)).solve(noise())
    assert result.status is Status.INTERRUPTED
    assert seen == [1, 2, 3]


def test_a_loss_that_cannot_be_beaten_ends_the_run() -> None:
    problem = TrainingProblem(Network.dense([2, 1]), [[1, 1], [-1, -1]], [1, -1])
    result = WeightAnnealing(flips=10**6).solve(problem)
    assert result.status is Status.OPTIMAL
    assert result.loss == result.lower_bound == 0.0
    assert result.info["flips"] < 1000


def test_a_restart_that_begins_at_the_best_weights_counts() -> None:
    network = Network.dense([1, 1], weights="ternary")
    problem = TrainingProblem(network, [[-1]], [1], loss="zero-one")
    for seed in range(20):
        result = WeightAnnealing(flips=1, restarts=50, seed=seed).solve(problem)
        assert result.loss == 0.0
        assert result.status is Status.OPTIMAL


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"flips": 0}, "flips=0"),
        ({"flips": 2.5}, "flips=2.5"),
        ({"restarts": -1}, "restarts=-1"),
        ({"restarts": None}, "time_limit"),
        ({"seed": -1}, "seed=-1"),
        ({"start_temperature": 0.0}, "start_temperature=0.0"),
        ({"end_temperature": float("nan")}, "end_temperature=nan"),
        ({"start_temperature": 1.0, "end_temperature": 2.0}, "swap"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        WeightAnnealing(**options)


def test_a_negative_time_limit_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="time_limit=-1"):
        WeightAnnealing(time_limit=-1).solve(noise())
