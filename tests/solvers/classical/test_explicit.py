from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import check_grad
from scipy.special import softmax
from sklearn.datasets import load_digits
from sklearn.naive_bayes import MultinomialNB

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers import LargeNeighborhoodSearch, WeightAnnealing
from solvers.classical.explicit import (
    TINY,
    ExplicitSoftmax,
    SoftmaxNetwork,
    class_codes,
    explicit_weights,
    scaled_rows,
)
from solvers.run.result import Status
from tests.formulations.problems import problems
from tests.strategies import every_point


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.5, 1.0, 3.0, 30.0]))
def test_one_layer_is_multinomial_naive_bayes(seed: int, K: float) -> None:
    rng = np.random.default_rng(seed)
    X, y = rng.random((60, 7)) + 0.01, rng.integers(0, 3, 60)
    y[:3] = range(3)
    network = ExplicitSoftmax(K).fit(X, y)
    rows = network.inputs(X)
    bayes = MultinomialNB(alpha=TINY, force_alpha=True).fit(rows, y)
    ours = network.logits(X)
    theirs = bayes.predict_joint_log_proba(rows)
    assert np.ptp(ours - theirs, axis=1) == pytest.approx(
        0, abs=1e-6
    )  # up to a constant: all columns
    assert (network.predict(X) == bayes.predict(rows)).all()


def test_balanced_digits_have_the_predictions_of_naive_bayes_at_every_scale() -> None:
    X, y = load_digits(return_X_y=True)
    kept = np.concatenate([np.flatnonzero(y == c)[:170] for c in range(10)])
    X, y = X[kept], y[kept]
    bayes = MultinomialNB(alpha=TINY, force_alpha=True).fit(scaled_rows(X, 1.0), y)
    for K in (1.0, 10.0, 100.0):
        predicted = ExplicitSoftmax(K).fit(X, y).predict(X)
        assert (predicted == bayes.predict(scaled_rows(X, K))).all()


def test_one_hot_inputs_at_scale_one_give_the_shares_of_the_classes() -> None:
    rng = np.random.default_rng(0)
    kind, y = rng.integers(0, 4, 500), rng.integers(0, 3, 500)
    network = ExplicitSoftmax(1.0).fit(np.eye(4)[kind], y)
    probabilities = softmax(network.logits(np.eye(4)), axis=1)
    for k in range(4):
        shares = np.bincount(y[kind == k], minlength=3) / np.sum(kind == k)
        assert probabilities[k] == pytest.approx(shares)


def test_digits_reach_the_documented_accuracy() -> None:
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    train, test = order[:1400], order[1400:]
    network = ExplicitSoftmax(30.0).fit(X[train], y[train])
    assert np.mean(network.predict(X[test]) == y[test]) > 0.87  # 89.6 % over ten draws
    deep = ExplicitSoftmax(30.0, hidden=[10]).fit(X[train], y[train])
    assert np.mean(deep.predict(X[test]) == y[test]) > 0.87


def test_rows_are_scaled_and_zeros_stay() -> None:
    X = scaled_rows([[1, 3], [0, 0], [5, 5]], 7.0)
    assert X.sum(axis=1).tolist() == [7.0, 0.0, 7.0]
    network = ExplicitSoftmax(3.0, complement=True).fit([[0.0, 1.0], [1.0, 0.0]], [0, 1])
    assert network.inputs([[0.25, 1.0]]).sum() == pytest.approx(3.0)
    assert np.isfinite(explicit_weights(np.eye(2), np.zeros((2, 2)), 1.0)).all()


def test_codes_are_distinct_and_sum_to_one() -> None:
    for classes, width in ((3, 2), (10, 4), (7, 3), (4, 9)):
        codes = class_codes(classes, width)
        assert codes.sum(axis=1) == pytest.approx(1.0)
        assert len(np.unique(codes, axis=0)) == classes
    with pytest.raises(InvalidInputError, match="2 units has 3 codes, too few for 4"):
        class_codes(4, 2)


@pytest.mark.parametrize("hidden", [[], [4], [5, 4]])
def test_gradients_are_those_of_the_cross_entropy(hidden: list[int]) -> None:
    rng = np.random.default_rng(1)
    X, y = rng.random((30, 6)), rng.integers(0, 3, 30)
    network = ExplicitSoftmax(4.0, hidden=hidden).fit(X, y)
    shapes = [U.shape for U in network.weights]
    cuts = np.cumsum([U.size for U in network.weights])[:-1]

    def at(flat: np.ndarray) -> SoftmaxNetwork:
        parts = zip(np.split(flat, cuts), shapes, strict=True)
        return SoftmaxNetwork(tuple(part.reshape(shape) for part, shape in parts), 4.0)

    def slope(flat: np.ndarray) -> np.ndarray:
        gradients = at(flat).gradients(network.inputs(X), np.eye(3)[y])
        return np.concatenate([g.ravel() for g in gradients])

    start = rng.normal(size=sum(U.size for U in network.weights))
    assert check_grad(lambda flat: at(flat).cross_entropy(X, y), slope, start) < 1e-5


# -- the game of low bits --------------------------------------------------------------------------


def three_or_eight(seed: int, weights: str = "bipolar") -> TrainingProblem:
    X, y = load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero((y == 3) | (y == 8)))[:100]
    pooled = X[chosen].reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, 16)
    signed = np.where(pooled > np.median(pooled, axis=0), 1, -1)
    network = Network.dense([16, 5, 1], weights=weights)
    return TrainingProblem(network, signed, np.where(y[chosen] == 8, 1, -1))


@settings(max_examples=40)
@given(problems(max_bits=10, max_samples=4))
def test_the_loss_is_real_and_no_better_than_the_optimum(problem: TrainingProblem) -> None:
    result = ExplicitSoftmax(draws=2).solve(problem)
    least = problem.losses(every_point(problem.num_free_bits)).min()
    assert result.loss == pytest.approx(problem.loss(result.weights), rel=1e-9, abs=1e-9)
    assert result.loss >= least - 1e-9
    assert (result.status, result.lower_bound) == (Status.FINISHED, None)


@pytest.mark.parametrize("weights", ["bipolar", "ternary", "uniform:3", "codebook:-1,0.5,2"])
def test_it_is_better_than_the_best_of_many_guesses(weights: str) -> None:
    problem = three_or_eight(0, weights)
    guesses = np.random.default_rng(0).integers(0, 2, (300, problem.num_free_bits))
    assert ExplicitSoftmax().solve(problem).loss < problem.losses(guesses).min()


def test_many_classes_on_narrow_and_wide_hidden_layers() -> None:
    X, y = load_digits(return_X_y=True)
    signed = np.where(X[:200].reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, 16) > 20, 1, -1)
    for hidden in (1, 2, 4, 10, 16):
        problem = TrainingProblem(Network.dense([16, hidden, 10], bias=True), signed, y[:200])
        result = ExplicitSoftmax(draws=2).solve(problem)
        guesses = np.random.default_rng(0).integers(0, 2, (20, problem.num_free_bits))
        assert result.loss < problem.losses(guesses).min()


def test_its_answer_starts_a_search() -> None:
    problem = three_or_eight(1)
    start = ExplicitSoftmax(draws=3).solve(problem)
    search = LargeNeighborhoodSearch(rounds=1, start=start).solve(problem)
    assert search.loss <= start.loss
    assert LargeNeighborhoodSearch(rounds=1, start=ExplicitSoftmax()).solve(problem).loss >= 0
    assert WeightAnnealing(flips=2000).solve(problem).loss <= start.loss


def test_same_seed_same_result_and_more_draws_only_add() -> None:
    problem = three_or_eight(2)
    first, again = (ExplicitSoftmax(draws=4, seed=3).solve(problem) for _ in range(2))
    assert first.bits.tolist() == again.bits.tolist()
    more = ExplicitSoftmax(draws=6, seed=3).solve(problem)
    assert more.history["loss"][:4].tolist() == first.history["loss"].tolist()


@pytest.mark.parametrize(
    "bad",
    [
        {"scale": 0.0},
        {"hidden": [0]},
        {"rounding": "upwards"},
        {"draws": None},
        {"seed": -1},
        {"time_limit": -1.0},
    ],
)
def test_bad_options_are_refused_by_name(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(bad))):
        ExplicitSoftmax(**bad)  # type: ignore[arg-type]


def test_bad_data_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least 0"):
        ExplicitSoftmax().fit([[-1.0, 2.0]], [0])
    with pytest.raises(InvalidInputError, match="at most 1"):
        ExplicitSoftmax(complement=True).fit([[0.5, 2.0]], [0])
    with pytest.raises(InvalidInputError, match="class numbers"):
        ExplicitSoftmax().fit([[0.5, 2.0]], [-1])
    with pytest.raises(InvalidInputError, match="shape"):
        ExplicitSoftmax().fit([[0.5, 2.0]], [0, 1])


def test_inputs_that_are_all_the_same_give_finite_weights() -> None:
    problem = TrainingProblem(
        Network.dense([3, 2, 1], bias=True), np.ones((6, 3), int), [1, -1] * 3
    )
    with np.errstate(all="raise"):
        assert ExplicitSoftmax(draws=2).solve(problem).loss == 6.0
