"""Random search: scored honestly, repeatable, stopped by a callback, options refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers.random_search import RandomSearch
from solvers.run.result import Status


@pytest.fixture
def problem() -> TrainingProblem:
    rng = np.random.default_rng(0)
    X = rng.choice([-1, 1], size=(20, 4))
    return TrainingProblem(Network.dense([4, 3, 1], weights="codebook:-1,0,2"), X, X[:, 0])


def test_reports_the_real_loss_and_repeats(problem: TrainingProblem) -> None:
    first, again = (RandomSearch(250, seed=3).solve(problem) for _ in range(2))
    assert first.loss == problem.loss(first.weights) == again.loss
    assert np.array_equal(first.bits, again.bits)
    assert first.status is Status.FINISHED
    assert len(first.history) == 3
    assert (np.diff(first.history["loss"]) <= 0).all()


def test_more_guesses_are_never_worse(problem: TrainingProblem) -> None:
    losses = [RandomSearch(n, seed=1).solve(problem).loss for n in (100, 200, 1000)]
    assert losses == sorted(losses, reverse=True)


def test_a_callback_stops_it(problem: TrainingProblem) -> None:
    result = RandomSearch(10_000, callbacks=(lambda progress: progress.iteration == 2,))
    assert result.solve(problem).status is Status.INTERRUPTED


def test_a_time_limit_leaves_an_answer(problem: TrainingProblem) -> None:
    result = RandomSearch(10_000, time_limit=1e-9).solve(problem)
    assert result.status is Status.TIME_LIMIT
    assert result.loss == problem.loss(result.weights)


@pytest.mark.parametrize("options", [{"guesses": 0}, {"guesses": 1.5}, {"time_limit": 0.0}])
def test_bad_options(options: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        RandomSearch(**options)
