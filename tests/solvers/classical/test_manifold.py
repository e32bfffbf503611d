from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits

from formulations import TrainingProblem
from formulations.errors import InvalidInputError
from solvers import LargeNeighborhoodSearch, ManifoldNetwork
from solvers.classical.manifold import (
    CLIP,
    TrainedManifold,
    decision_layer,
    rescaled_rows,
    ridge_layer,
    sample_weights,
    softmax_over_samples,
)
from solvers.run.result import Status
from tests.formulations.problems import problems
from tests.solvers.classical.test_explicit import three_or_eight
from tests.strategies import every_point


@settings(max_examples=50)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_sample_weights_solve_their_quadratic_program(errors: list[float]) -> None:
    """min a'f + lam |a|^2 on the simplex: one slope where positive, none less elsewhere."""
    f = np.array(errors)
    a = sample_weights(f)
    assert a.sum() == pytest.approx(1.0)
    assert (a >= 0).all()
    two_lam = (len(f) - 2) * np.sort(f)[-2] - np.sort(f)[:-2].sum() if len(f) > 2 else 0.0
    if two_lam > 1e-6:
        slope = f + two_lam * a
        assert slope[a > 0] == pytest.approx(slope[a > 0][0], rel=1e-6, abs=1e-6)
        assert (slope >= slope[a > 0].max() - 1e-6 * (1 + f.max())).all()


def test_the_decision_layer_lies_on_the_flexible_stiefel_manifold() -> None:
    """W'SW = I for the scatter S of its weighted samples: here at the first round, evenly."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(6, 80)), rng.integers(0, 3, 80)
    Y = (y == np.arange(3)[:, None]).astype(float)
    layer = decision_layer(X, Y, gamma=0.3, rounds=1)
    Xc = X - X.mean(axis=1, keepdims=True)
    S = Xc @ Xc.T / 80 + 0.3 * np.eye(6)
    gram = layer.W.T @ S @ layer.W
    eigenvalues = np.linalg.eigvalsh(gram)
    assert eigenvalues == pytest.approx(np.ones(3), abs=1e-9)
    out = layer(X).mean(axis=1)
    assert out == pytest.approx(Y.mean(axis=1))


def test_the_ridge_layer_is_ridge_regression() -> None:
    from sklearn.linear_model import Ridge

    rng = np.random.default_rng(1)
    X, T = rng.normal(size=(5, 40)), rng.normal(size=(3, 40))
    ours, theirs = ridge_layer(X, T, 0.7), Ridge(alpha=0.7).fit(X.T, T.T)
    assert ours.W.T == pytest.approx(theirs.coef_)
    assert ours.b == pytest.approx(theirs.intercept_)


def test_the_released_squashing_is_constant_beyond_ten_thousand_samples() -> None:
    rng = np.random.default_rng(2)
    few, many = (0.1 * rng.normal(size=(3, n)) for n in (1_000, 20_000))
    assert np.ptp(softmax_over_samples(few)) > 0
    assert (softmax_over_samples(many) == CLIP).all()
    assert rescaled_rows(many).min() == pytest.approx(0.05)
    assert rescaled_rows(many).max() == pytest.approx(0.95)


def test_with_two_classes_all_hidden_units_learn_one_rule() -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(300, 6))
    network = ManifoldNetwork([5], epochs=2).fit(X, (X[:, 0] + X[:, 1] > 0).astype(int))
    z = network.hidden[0](X.T)
    assert np.abs(np.corrcoef(z)) == pytest.approx(np.ones((5, 5)), abs=1e-6)


def clusters(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 4, n)
    return np.random.default_rng(9).normal(size=(4, 8))[y] + 0.5 * rng.normal(size=(n, 8)), y


def test_the_mended_form_survives_what_the_released_one_does_not() -> None:
    X, y = clusters(24_000)
    accuracy = {
        squashing: np.mean(
            ManifoldNetwork([10], epochs=2, squashing=squashing).fit(X, y).predict(X) == y
        )
        for squashing in ("released", "rescaled")
    }
    assert accuracy["released"] < 0.5
    assert accuracy["rescaled"] > 0.9


def test_digits_reach_the_documented_accuracy() -> None:
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:1400], order[1400:]
    for squashing in ("released", "rescaled"):
        network = ManifoldNetwork([100], squashing=squashing).fit(X[train] / 16, y[train])
        assert np.mean(network.predict(X[test] / 16) == y[test]) > 0.9


def test_every_epoch_is_told_and_the_last_is_returned() -> None:
    X, y = clusters(200)
    seen: list[tuple[int, TrainedManifold]] = []
    network = ManifoldNetwork([6], epochs=3).fit(X, y, lambda *told: seen.append(told))
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert seen[-1][1] is network
    shorter = ManifoldNetwork([6], epochs=2).fit(X, y)
    assert (shorter.outputs(X) == seen[1][1].outputs(X)).all()
    deep = ManifoldNetwork([8, 5]).fit(X, y)
    assert [layer.W.shape for layer in deep.hidden] == [(8, 8), (8, 5)]


# -- the game of low bits --------------------------------------------------------------------------


@settings(max_examples=40)
@given(problems(max_bits=10, max_samples=4))
def test_the_loss_is_real_and_no_better_than_the_optimum(problem: TrainingProblem) -> None:
    result = ManifoldNetwork(draws=2, epochs=2).solve(problem)
    least = problem.losses(every_point(problem.num_free_bits)).min()
    assert result.loss == pytest.approx(problem.loss(result.weights), rel=1e-9, abs=1e-9)
    assert result.loss >= least - 1e-9
    assert (result.status, result.lower_bound) == (Status.FINISHED, None)


@pytest.mark.parametrize("weights", ["bipolar", "ternary", "uniform:3"])
def test_it_is_better_than_the_best_of_many_guesses(weights: str) -> None:
    problem = three_or_eight(0, weights)
    guesses = np.random.default_rng(0).integers(0, 2, (300, problem.num_free_bits))
    start = ManifoldNetwork().solve(problem)
    assert start.loss < problem.losses(guesses).min()
    assert LargeNeighborhoodSearch(rounds=1, start=start).solve(problem).loss <= start.loss


def test_same_seed_same_result() -> None:
    problem = three_or_eight(2)
    first, again = (ManifoldNetwork(seed=3).solve(problem) for _ in range(2))
    assert first.bits.tolist() == again.bits.tolist()


@pytest.mark.parametrize(
    "bad",
    [
        {"hidden": [0]},
        {"epochs": 0},
        {"gamma": 0.0},
        {"squashing": "sqashed"},
        {"rounding": "upwards"},
        {"draws": None},
        {"seed": -1},
        {"time_limit": -1.0},
    ],
)
def test_bad_options_are_refused_by_name(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(bad))):
        ManifoldNetwork(**bad)  # type: ignore[arg-type]


def test_bad_data_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="shape"):
        ManifoldNetwork().fit([[0.5, 2.0]], [0, 1])
    with pytest.raises(InvalidInputError, match="finite"):
        ManifoldNetwork().fit([[0.5, np.nan]], [0])
    with pytest.raises(InvalidInputError, match="class numbers"):
        ManifoldNetwork().fit([[0.5, 2.0]], [-1])
