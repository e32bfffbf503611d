"""The default trainer: recipes, the held-out choice, limits, Ctrl-C, and going on."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from qnn import QNNRegressor
from solvers import LargeNeighborhoodSearch, RandomSearch, Status, StraightThrough, Trainer
from solvers.run.run import Progress
from solvers.trainer import BOTH, GRADIENTS, SEARCH, _stratified


def cancer(hidden: int = 3, samples: int = 400) -> TrainingProblem:
    X, y = load_breast_cancer(return_X_y=True)
    inputs = 2 * (X > np.median(X, axis=0)).astype(int)[:samples, :6] - 1
    network = Network.dense([6, hidden, 1], weights="ternary", bias=True)
    return TrainingProblem(network, inputs, 2 * y[:samples] - 1, loss="hinge")


QUICK = {
    "gradients": StraightThrough(epochs=20),
    "search": LargeNeighborhoodSearch(rounds=200, sizes=(2, 3)),
}


def test_every_recipe_is_judged_and_the_same_seed_gives_the_same_network() -> None:
    first, second = (Trainer(seed=3, **QUICK).solve(cancer()) for _ in range(2))
    assert list(first.info["held_out"]) == [GRADIENTS, SEARCH]
    assert first.info["recipe"] in first.info["held_out"]
    np.testing.assert_array_equal(first.bits, second.bits)
    assert first.loss == cancer().loss(first.weights)


def test_a_large_network_is_trained_by_gradients_without_a_trial() -> None:
    result = Trainer(search_bits=10, **QUICK).solve(cancer())
    assert result.info["recipe"] == GRADIENTS
    assert result.info["held_out"] == {}
    assert len(result.history) == 1


def test_few_samples_are_trained_by_gradients_without_a_trial() -> None:
    result = Trainer(**QUICK).solve(cancer(samples=100))
    assert (result.info["recipe"], result.info["held_out"]) == (GRADIENTS, {})


def test_a_search_that_is_clearly_better_on_held_out_samples_is_taken() -> None:
    # gradients that do nothing but guess, so that any search is better
    guess = RandomSearch(guesses=1)
    result = Trainer(gradients=guess, search=QUICK["search"]).solve(cancer())
    assert result.info["recipe"] in (BOTH, SEARCH)


def test_held_out_samples_are_a_share_of_each_class() -> None:
    classes = np.repeat([0, 1, 2], [40, 80, 1])
    held_out = _stratified(classes, 0.25, np.random.default_rng(0))
    assert np.bincount(classes[held_out], minlength=3).tolist() == [10, 20, 0]


def test_a_start_is_gone_on_from() -> None:
    problem = cancer()
    begun = Trainer(seed=1, **QUICK).solve(problem)
    on = Trainer(seed=2, start=begun, **QUICK).solve(problem)
    assert on.loss <= begun.loss


def test_the_time_limit_holds_for_all_parts_together() -> None:
    Trainer(time_limit=0.5).solve(cancer())  # compiles
    clock = time.perf_counter()
    Trainer(time_limit=1.0).solve(cancer(8))
    assert time.perf_counter() - clock < 4.0


def test_a_callback_that_stops_leaves_a_network() -> None:
    seen: list[float] = []

    def stop(progress: Progress) -> bool:
        seen.append(progress.seconds)
        return len(seen) >= 5

    result = Trainer(callbacks=(stop,), **QUICK).solve(cancer())
    assert result.status is Status.INTERRUPTED
    assert result.loss == cancer().loss(result.weights)
    assert seen == sorted(seen)  # by the clock of the whole run, not of its parts


def test_a_run_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    whole = Trainer(seed=4, **QUICK).solve(cancer())
    steps: list[int] = []

    def stop_after_two(progress: Progress) -> bool:
        steps.append(progress.iteration)
        return len(list(tmp_path.glob("*"))) > 0 and len(steps) > 60

    options = {**QUICK, "seed": 4, "checkpoint": tmp_path, "checkpoint_every": 0.0}
    cut = Trainer(callbacks=(stop_after_two,), **options).solve(cancer())
    assert cut.status is Status.INTERRUPTED
    np.testing.assert_array_equal(Trainer(**options).solve(cancer()).bits, whole.bits)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"held_out": 1.0}, "held_out=1.0: expected a share below 1"),
        ({"gradients": "adam"}, "gradients='adam': expected an object with solve"),
        ({"search_bits": -1}, "search_bits=-1"),
        ({"time_limit": 0}, "time_limit=0"),
    ],
)
def test_bad_options_are_named(options: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        Trainer(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize("bits", [300, 3_000])
def test_numbers_are_learned_as_classes_are(bits: int) -> None:
    X = np.linspace(-1, 1, 400)[:, None]
    regressor = QNNRegressor(bits=bits, solver=Trainer(**QUICK), random_state=0)
    assert regressor.fit(X, 3 * X[:, 0]).score(X, 3 * X[:, 0]) > 0.9
