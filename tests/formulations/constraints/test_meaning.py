"""What constraints mean for predictions, by enumeration of inputs and weights."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.constraints import Constraint, FanIn, LinearRows, Monotone, NofM, Right, Robust
from formulations.errors import InfeasibleModelError, InvalidInputError
from tests.formulations.problems import all_bits

NETWORKS = [
    Network.dense([2, 1], weights="ternary", bias="integer:2"),
    Network.dense([2, 2, 1], "sign", "bipolar", True),
    Network.dense([2, 2, 1], "relu:2", "bipolar", scale=1),
    Network.dense([2, 3], weights="ternary"),
    Network.dense([2, 1, 2], "hard-tanh:2", "ternary", scale=1),
]
X = [[-2, -2], [2, 2], [1, 0]]


def problem_of(net: Network, *constraints: Constraint) -> TrainingProblem:
    y = [1, -1, 1] if net.num_outputs == 1 else [0, 1, 0]
    return TrainingProblem(net, X, y, constraints=constraints)


@pytest.mark.parametrize("net", NETWORKS, ids=lambda n: "-".join(map(str, n.widths)))
def test_right_is_what_predict_says_and_robust_is_right_all_around(net: Network) -> None:
    points, labels = np.array([[1, 0], [0, -1]]), np.array([1, 1])
    near, right = Robust(points, labels, radius=1), Right(points, labels)
    problem = problem_of(net, near, right)
    bits = all_bits(problem)[:: max(1, len(all_bits(problem)) // 300)]
    certain = near.amounts(problem, problem.full_bits(bits)) == 0
    exact = right.amounts(problem, problem.full_bits(bits)) == 0
    around = np.array(list(itertools.product((-1, 0, 1), repeat=2)))
    for row, b in enumerate(bits):
        weights = problem.weights_from_bits(b)
        assert (exact[row] == (net.predict(weights, points) == labels)).all()
        for k, point in enumerate(points):
            everywhere = bool((net.predict(weights, point + around) == labels[k]).all())
            assert everywhere or not certain[row, k]
            if len(net.layers) == 1 and net.num_outputs == 1:
                assert everywhere == certain[row, k]


@pytest.mark.parametrize("net", NETWORKS, ids=lambda n: "-".join(map(str, n.widths)))
@pytest.mark.parametrize("direction", [1, -1])
def test_no_output_moves_the_wrong_way(net: Network, direction: int) -> None:
    rule = Monotone(0, direction)
    problem = problem_of(net, rule)
    bits = all_bits(problem)[:: max(1, len(all_bits(problem)) // 300)]
    kept = rule.amounts(problem, problem.full_bits(bits))[:, 0] == 0
    assert kept.any()
    rising = np.stack([np.arange(-2, 3), np.ones(5, dtype=int)], axis=1)
    for b in bits[kept]:
        weights = problem.weights_from_bits(b)
        z = net.pre_activations(weights, rising)[-1][:, 0]
        assert (direction * np.diff(z) >= 0).all()


def test_what_does_not_fit_is_refused_by_name() -> None:
    bipolar = Network.dense([4, 1])
    for rule, words in (
        (FanIn(2), "zero"),
        (NofM(2, 4, layer=3), "layer 3"),
        (Monotone(7), "feature 7"),
        (Right([[1, 1]], [1]), "4 inputs"),
        (Right([[1, 1, 1, 1]], [2]), "label 2"),
        (LinearRows([[1, 1]], [1]), "columns"),
        ("fan-in:6", "constraints"),
    ):
        with pytest.raises(InvalidInputError, match=words):
            TrainingProblem(bipolar, [[1, 1, 1, 1]], [1], constraints=[rule])  # type: ignore[list-item]
    with pytest.raises(InfeasibleModelError, match="row 0"):
        TrainingProblem(
            bipolar, [[1, 1, 1, 1]], [1], constraints=[LinearRows([[1] * 4], [5], ">=")]
        )
    with pytest.raises(InvalidInputError, match="falls"):
        TrainingProblem(Network.dense([2, 2, 1], np.cos), X, [1, -1, 1], constraints=[Monotone(0)])
