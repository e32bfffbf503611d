from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers.classical.random_features import RandomFeatures
from solvers.run.result import Status
from tests.formulations.problems import problems
from tests.strategies import every_point


def noise(weights: str = "bipolar", loss: str = "hinge", classes: int = 3) -> TrainingProblem:
    rng = np.random.default_rng(0)
    X, y = rng.integers(-3, 4, (60, 8)), rng.integers(0, classes, 60)
    return TrainingProblem(Network.dense([8, 6, classes], bias=True, weights=weights), X, y, loss)


@settings(max_examples=40)
@given(problems(max_bits=10, max_samples=4))
def test_the_loss_is_real_and_no_better_than_the_optimum(problem: TrainingProblem) -> None:
    result = RandomFeatures(draws=3).solve(problem)
    least = problem.losses(every_point(problem.num_free_bits)).min()
    assert result.loss == pytest.approx(problem.loss(result.weights), rel=1e-9, abs=1e-9)
    assert result.loss >= least - 1e-9
    assert (result.status, result.lower_bound) == (Status.FINISHED, None)


@pytest.mark.parametrize("weights", ["bipolar", "ternary", "uniform:3", "codebook:-1,0.5,2"])
@pytest.mark.parametrize("loss", ["hinge", "logistic", "squared", "zero-one"])
def test_descent_never_makes_a_draw_worse(weights: str, loss: str) -> None:
    problem = noise(weights, loss)
    greedy = RandomFeatures(draws=4).solve(problem).history["loss"]
    rounded = RandomFeatures(draws=4, greedy=False).solve(problem).history["loss"]
    assert (greedy <= rounded + 1e-9).all()


def test_no_single_output_weight_can_improve_a_draw() -> None:
    problem = noise()
    result = RandomFeatures(draws=1).solve(problem)
    first = problem.network.bit_offsets()[-2]
    flipped = np.tile(result.bits, (problem.num_free_bits - first, 1))
    flipped[np.arange(len(flipped)), first + np.arange(len(flipped))] ^= 1
    assert problem.losses(flipped).min() >= result.loss


def test_a_draw_is_among_the_best_of_fifty_guesses() -> None:
    rng = np.random.default_rng(1)
    X = rng.integers(-3, 4, (200, 10))
    y = np.where(X @ rng.normal(size=10) > 0, 1, -1)
    problem = TrainingProblem(Network.dense([10, 20, 1]), X, y, loss="zero-one")
    guesses = problem.losses(rng.integers(0, 2, (200, problem.num_free_bits)))
    result = RandomFeatures(draws=20).solve(problem)
    assert np.median(result.history["loss"]) < np.quantile(guesses, 0.02)


def test_without_hidden_units_it_is_ridge_regression() -> None:
    rng = np.random.default_rng(2)
    X = rng.integers(-3, 4, (50, 4))
    problem = TrainingProblem(
        Network.dense([4, 1], weights="uniform:3"), X, X @ [1, -3, 5, 7], loss="squared"
    )
    result = RandomFeatures(draws=1, ridge=1e-9, greedy=False).solve(problem)
    assert result.loss == 0.0
    assert result.weights.matrices[0].tolist() == [[1, -3, 5, 7]]


def test_what_is_not_free_stays() -> None:
    problem = noise("ternary")
    incumbent = np.random.default_rng(3).integers(0, 2, problem.num_free_bits).astype(np.int8)
    for free in ([0, 5, 17, 100, 101], [0, 1, 2], [problem.num_free_bits - 1]):
        restricted = problem.restrict(free, incumbent)
        result = RandomFeatures(draws=3).solve(restricted)
        held = np.setdiff1d(np.arange(len(incumbent)), free)
        assert (restricted.full_bits(result.bits)[held] == incumbent[held]).all()


def test_same_seed_same_result() -> None:
    first, again, other = (RandomFeatures(5, seed=s).solve(noise()) for s in (7, 7, 8))
    assert first.bits.tolist() == again.bits.tolist()
    assert first.history.columns == again.history.columns
    assert first.history.columns != other.history.columns


def test_more_draws_only_add_to_fewer() -> None:
    few, many = (RandomFeatures(draws).solve(noise()).history["loss"] for draws in (3, 6))
    assert few.tolist() == many[:3].tolist()


def test_the_time_limit_and_callbacks_end_it_with_an_answer() -> None:
    started = time.perf_counter()
    result = RandomFeatures(None, time_limit=0.2).solve(noise())
    assert result.status is Status.TIME_LIMIT
    assert time.perf_counter() - started < 2
    at_once = RandomFeatures(None, time_limit=1e-9).solve(noise())
    assert at_once.loss == noise().loss(at_once.weights)
    stopped = RandomFeatures(callbacks=(lambda p: p.iteration == 2,)).solve(noise())
    assert (stopped.status, stopped.info["draws"]) == (Status.INTERRUPTED, 2)


def test_ctrl_c_returns_what_there_is() -> None:
    def interrupt(progress: object) -> None:
        raise KeyboardInterrupt

    assert RandomFeatures(callbacks=(interrupt,)).solve(noise()).status is Status.INTERRUPTED


@pytest.mark.parametrize(
    "bad",
    [
        {"draws": 0},
        {"draws": None},
        {"ridge": 0.0},
        {"ridge": np.nan},
        {"seed": -1},
        {"time_limit": -1.0},
    ],
)
def test_bad_options_are_refused_by_name(bad: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(bad))):
        RandomFeatures(**bad)


def test_random_units_learn_a_rule() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 8))
    y = (X[:, 0] - X[:, 1] + 0.5 * X[:, 2] > 0).astype(int)
    network = RandomFeatures(units=200, seed=1).fit(X[:400], y[:400])
    assert np.mean(network.predict(X[400:]) == y[400:]) > 0.85
    assert set(np.unique(network.hidden)) == {-1, 1}
    again = RandomFeatures(units=200, seed=1).fit(X[:400], y[:400])
    assert (again.output == network.output).all()
    with pytest.raises(InvalidInputError, match="class numbers"):
        RandomFeatures().fit(X, y - 1)
    with pytest.raises(InvalidInputError, match="shape"):
        RandomFeatures().fit(X, y[:10])
