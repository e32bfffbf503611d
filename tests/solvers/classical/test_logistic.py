"""Logistic regression, rounded to the levels of a network without hidden layer."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers.classical.logistic import RidgeLogistic, ridge_logistic

RAW, CLASSES = load_iris(return_X_y=True)
STANDARD = (RAW - RAW.mean(axis=0)) / RAW.std(axis=0)


@pytest.mark.parametrize("strength", [0.1, 10.0])
def test_it_is_the_regression_of_scikit_learn(strength: float) -> None:
    V = ridge_logistic(STANDARD, CLASSES, 3, strength)
    theirs = LogisticRegression(C=strength, tol=1e-8, max_iter=1000).fit(STANDARD, CLASSES)
    np.testing.assert_allclose(V[:-1].T, theirs.coef_, atol=0.02)
    again = ridge_logistic(STANDARD, CLASSES, 3, strength, V)
    np.testing.assert_allclose(again, V, atol=0.02)


@pytest.mark.parametrize("weights", ["uniform:6", "codebook:-4,-1,0,1,4"])
@pytest.mark.parametrize("bias", ["auto", False, "bipolar"])
@pytest.mark.parametrize("count", [2, 3])
def test_rounding_keeps_the_accuracy(weights: str, bias: str | bool, count: int) -> None:
    X = np.rint(20 * STANDARD[CLASSES < count]).astype(int)
    y = CLASSES[CLASSES < count] if count == 3 else 2 * CLASSES[CLASSES < 2] - 1
    network = Network.dense([4, 1 if count == 2 else 3], weights=weights, bias=bias).for_inputs(X)
    problem = TrainingProblem(network, X, y, "cross-entropy")
    result = RidgeLogistic(3.0).solve(problem)
    right = np.mean(network.predict(result.weights, X) == y)
    assert right > (0.96 if weights == "uniform:6" and bias == "auto" else 0.8)
    assert result.loss == pytest.approx(problem.loss(result.weights))
    assert np.abs(result.weights.matrices[0]).max() == network.layers[0].code.high


def test_a_constant_column_has_the_least_weight() -> None:
    X = np.column_stack([np.repeat([-5, 5], 10), np.full(20, 7)])
    network = Network.dense([2, 1], weights="integer:4", bias="auto").for_inputs(X)
    problem = TrainingProblem(network, X, np.repeat([-1, 1], 10), "cross-entropy")
    assert RidgeLogistic().solve(problem).weights.matrices[0].tolist() == [[7, 0]]


def test_hidden_layers_are_refused() -> None:
    problem = TrainingProblem(Network.dense([2, 2, 1], "sign"), [[1, 1], [-1, 1]], [1, -1])
    with pytest.raises(InvalidInputError, match="without hidden layer"):
        RidgeLogistic().solve(problem)
