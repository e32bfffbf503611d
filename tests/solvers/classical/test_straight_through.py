from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from sklearn.datasets import load_digits

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers.classical.straight_through import StraightThrough
from solvers.run.result import Status
from tests.formulations.problems import problems
from tests.strategies import every_point


def noise(weights: str = "bipolar", loss: str = "hinge", classes: int = 3) -> TrainingProblem:
    rng = np.random.default_rng(0)
    X, y = rng.integers(-3, 4, (60, 8)), rng.integers(0, classes, 60)
    return TrainingProblem(Network.dense([8, 6, classes], bias=True, weights=weights), X, y, loss)


def three_or_eight(seed: int) -> TrainingProblem:
    X, y = load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero((y == 3) | (y == 8)))[:100]
    pooled = X[chosen].reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, 16)
    return TrainingProblem(Network.dense([16, 5, 1]), pooled, np.where(y[chosen] == 8, 1, -1))


@settings(max_examples=40)
@given(problems(max_bits=10, max_samples=4))
def test_the_loss_is_real_and_no_better_than_the_optimum(problem: TrainingProblem) -> None:
    result = StraightThrough(epochs=3).solve(problem)
    least = problem.losses(every_point(problem.num_free_bits)).min()
    assert result.loss == pytest.approx(problem.loss(result.weights), rel=1e-9, abs=1e-9)
    assert result.loss >= least - 1e-9
    assert (result.status, result.lower_bound) == (Status.FINISHED, None)


def test_digits_as_good_as_documented() -> None:
    small = [StraightThrough(seed=s).solve(three_or_eight(s)).loss for s in range(3)]
    assert np.median(small) <= 4  # 4, 6, 4 in the design notes


def test_learns_a_linear_rule() -> None:
    rng = np.random.default_rng(1)
    X, rule = rng.integers(-3, 4, (200, 9)), rng.choice([-1, 1], 9)
    problem = TrainingProblem(Network.dense([9, 1]), X, np.where(X @ rule >= 0, 1, -1))
    result = StraightThrough(epochs=30).solve(problem)
    assert result.weights.matrices[0].tolist() == [rule.tolist()]


@pytest.mark.parametrize("loss", ["hinge", "logistic", "squared", "zero-one"])
@pytest.mark.parametrize("weights", ["bipolar", "ternary", "uniform:2", "codebook:-1,0.5,2"])
def test_training_is_better_than_the_start(weights: str, loss: str) -> None:
    result = StraightThrough(epochs=15).solve(noise(weights, loss))
    assert result.loss < result.history["loss"][0]


def test_history_and_info() -> None:
    result = StraightThrough(epochs=20, rate=[0.01, 0.05], restarts=3).solve(noise())
    history = result.history
    assert result.info["epochs"] == len(history) == 20
    assert result.info["restarts"] == 3
    assert result.info["rate"] in (0.01, 0.05)
    assert 0 < history["rate"].min() <= history["rate"].max() == 0.05
    assert result.loss == history["best_loss"][-1] == history["loss"].min()


def test_the_old_keyword_for_rates() -> None:
    with pytest.warns(DeprecationWarning, match="use rate="):
        old = StraightThrough(epochs=3, rates=[0.03, 0.1])
    assert old == StraightThrough(epochs=3, rate=[0.03, 0.1])


def test_what_is_not_free_stays() -> None:
    problem = noise("ternary")
    incumbent = np.random.default_rng(3).integers(0, 2, problem.num_free_bits).astype(np.int8)
    free = [0, 1, 16, 17, 100, 101]
    restricted = problem.restrict(free, incumbent)
    result = StraightThrough(epochs=3).solve(restricted)
    held = np.setdiff1d(np.arange(len(incumbent)), free)
    assert (restricted.full_bits(result.bits)[held] == incumbent[held]).all()
    assert result.loss == problem.loss(result.weights)


def test_same_seed_same_result() -> None:
    first, again, other = (StraightThrough(5, seed=s).solve(noise()) for s in (7, 7, 8))
    assert first.bits.tolist() == again.bits.tolist()
    assert first.history.columns == again.history.columns
    assert first.history.columns != other.history.columns


@pytest.mark.parametrize(
    "bad",
    [
        {"epochs": 0},
        {"restarts": 0},
        {"batch": 1.5},
        {"rate": []},
        {"rate": [0.1, -1]},
        {"rate": 3.0},
        {"held_out": 1},
        {"held_out": -0.1},
        {"augment": "shift"},
        {"seed": -1},
        {"time_limit": 0.0},
    ],
)
def test_bad_options_are_refused_by_name(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(bad))):
        StraightThrough(**bad)
