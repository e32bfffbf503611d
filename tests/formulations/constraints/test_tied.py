"""``Tied``: the weights of a group are one in the network, in its model, and in every result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.constraints import FanIn, NofM, NonZeros, Right, Tied
from formulations.errors import InvalidInputError
from formulations.network.network import Weights
from solvers import (
    LargeNeighborhoodSearch,
    RandomSearch,
    StraightThrough,
    Trainer,
    WeightAnnealing,
)
from tests.formulations.problems import all_bits

GROUPS = [["w[1,0,0]", (1, 1, 2)], [(1, 0, 1), (1, 1, 1)], [(1, 0, 3), (1, 1, 3)]]


def tied_problem() -> TrainingProblem:
    """Two units of three inputs, two pairs of weights and their thresholds tied."""
    network = Network.dense([3, 2, 1], bias=True)
    X = [[1, -1, 3], [-3, 1, 1], [1, 3, -1], [-1, -1, 1]]
    return TrainingProblem(network, X, [1, -1, 1, -1], constraints=[Tied(GROUPS)])


def test_the_weights_are_one_in_every_network_and_model() -> None:
    problem = tied_problem()
    dense = TrainingProblem(Network.dense([3, 2, 1], bias=True), problem.X, problem.y)
    bits = all_bits(problem)
    assert bits.shape[1] == dense.num_free_bits - 3
    losses, least = problem.losses(bits), {}
    for word, loss in zip(bits, losses, strict=True):
        weights = problem.weights_from_bits(word)
        both = np.concatenate([weights.matrices[0], weights.biases[0][:, None]], axis=1)
        assert both[0, 0] == both[1, 2]
        assert both[0, 1] == both[1, 1]
        assert both[0, 3] == both[1, 3]
        assert dense.loss(weights) == loss
        least[tuple(dense.bits_from_weights(weights).tolist())] = loss
    same = 0
    for word in all_bits(dense):
        matrix = dense.weights_from_bits(word)
        same += not problem.broken(matrix)
    assert same == len(least) == len(bits)
    assert problem.qcbo().num_variables < dense.qcbo().num_variables


def test_what_is_not_tied_is_named_with_its_amount() -> None:
    problem = tied_problem()
    good = problem.weights_from_bits(np.zeros(problem.num_free_bits, dtype=np.int8))
    matrix = good.matrices[0].copy()
    matrix[1, 1] = -matrix[1, 1]
    bad = Weights((matrix, good.matrices[1]), good.biases, good.splines)
    assert problem.broken(good) == {}
    assert problem.broken(bad) == {"shared weights of layer 1": 1}


@settings(deadline=None, max_examples=5)
@given(seed=st.integers(0, 100))
def test_searches_keep_them(seed: int) -> None:
    problem = tied_problem()
    least = problem.losses(all_bits(problem)).min()
    for solver in (
        WeightAnnealing(flips=400, seed=seed),
        LargeNeighborhoodSearch(rounds=50, sizes=(2,), seed=seed),
        RandomSearch(guesses=50, seed=seed),
    ):
        result = solver.solve(problem)
        assert problem.broken(result.weights) == {}
        assert result.loss == problem.loss(result.weights) >= least


@pytest.mark.parametrize(
    ("groups", "words"),
    [
        ([["w[3,0,0]", "w[3,0,1]"]], "one layer"),
        ([["w[1,0,0]", "w[2,0,0]"]], "one layer"),
        ([["w[1,0,9]", "w[1,0,0]"]], "inputs below 4"),
        ([["w[1,0,0]", "w[1,0,3]"]], "threshold is tied"),
        ([["weight", "w[1,0,3]"]], "expected w"),
    ],
)
def test_other_groups_are_refused(groups: list[list[str]], words: str) -> None:
    network = Network.dense([3, 2, 1], bias=True)
    with pytest.raises(InvalidInputError, match=words):
        TrainingProblem(network, [[1, 1, 1]], [1], constraints=[Tied(groups)])


def test_a_filter_has_inputs_and_a_shared_weight_counts_once() -> None:
    network = Network.conv((1, 4), ["conv:2:1x3:1:0x1", "pool:max:1x2"], 1, weights="ternary")
    rules = [FanIn(2, 1), NonZeros(4, 1), NofM(1, 2, 1)]
    problem = TrainingProblem(network, [[1, 0, 2, 3]], [1], constraints=rules)
    bits = np.ones(problem.num_free_bits, dtype=np.int8)  # every weight is 1
    assert problem.broken(problem.weights_from_bits(bits)) == {
        "fan-in:2,1 of filter 0 of layer 1": 1,
        "fan-in:2,1 of filter 1 of layer 1": 1,
        "non-zeros:4,1 of layer 1": 2,
        "n-of-m:1,2,1 of inputs 0 to 1 of filter 0 of layer 1": 1,
        "n-of-m:1,2,1 of inputs 0 to 1 of filter 1 of layer 1": 1,
    }
    kept = problem.sparse(bits[None])
    assert problem.violations(kept)[0] == 0
    with pytest.raises(InvalidInputError, match=r"fan-in:1: layer 2 pools 2 inputs"):
        TrainingProblem(network, [[1, 0, 2, 3]], [1], constraints=[FanIn(1)])


@pytest.mark.parametrize("solver", [
    StraightThrough(epochs=10, restarts=2), WeightAnnealing(flips=300),
    LargeNeighborhoodSearch(rounds=40, sizes=(2, 3)), Trainer(time_limit=1.0),
])  # fmt: skip
def test_convolutions_are_trained_under_constraints(solver: Any) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 4, (60, 16))
    y = np.where(X[:, 5] + X[:, 6] > X[:, 9] + X[:, 10], 1, -1)
    network = Network.conv((1, 4, 4), ["conv:3:3x3:1:1", "pool:max:2x2"], 1, weights="ternary")
    rules = [FanIn(4), NonZeros(9, 1), Right(X[:2], y[:2])]
    problem = TrainingProblem(network, X, y, constraints=rules)
    result = solver.solve(problem)
    assert result.info["broken"] == problem.broken(result.weights)
    assert result.satisfies
    kernels = problem.network.layers[0].ties.kernel(result.weights.matrices[0])
    assert (kernels != 0).sum(axis=1).max() <= 4
    assert (kernels != 0).sum() <= 9
