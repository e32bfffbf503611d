"""Files of networks with shared weights: what is stored is kept once, and comes back the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from formulations.files.archive import read_archive
from formulations.files.saved import NETWORK, load_weights, save_weights
from formulations.network.network import Weights
from tests.formulations.problems import problems


@settings(deadline=None, max_examples=30)
@given(problem=problems(max_bits=8, tied=True))
def test_a_network_comes_back(
    tmp_path_factory: pytest.TempPathFactory, problem: TrainingProblem
) -> None:
    path = tmp_path_factory.mktemp("saved") / "network.npz"
    weights = problem.weights_from_bits(np.ones(problem.num_free_bits, dtype=np.int8))
    try:
        save_weights(problem.network, weights, path)
    except InvalidInputError as error:
        if "custom activation" not in str(error):
            raise
        return
    network, again = load_weights(path)
    assert network == problem.network
    np.testing.assert_array_equal(network.encode_bits(again), problem.network.encode_bits(weights))
    np.testing.assert_array_equal(
        network.forward(again, problem.X), problem.network.forward(weights, problem.X)
    )


def test_filters_are_stored_once(tmp_path: Path) -> None:
    network = Network.conv((1, 8, 8), ["conv:2:3", "pool:max:2", 4], 3, bias="integer:4")
    bits = np.arange(network.num_weight_bits) % 2
    problem = TrainingProblem(network, np.zeros((1, 64), dtype=int), [0])
    weights = network.decode_bits(bits, problem.splines)
    save_weights(network, weights, tmp_path / "network.npz")
    _, arrays = read_archive(tmp_path / "network.npz", NETWORK)
    shapes = [arrays[f"matrix.{i}"].shape for i in range(4)]
    assert shapes == [(18,), (0,), (4, 18), (3, 4)]
    assert [arrays[f"bias.{i}"].shape for i in range(4)] == [(2,), (0,), (4,), (3,)]


def test_weights_that_differ_where_they_are_one_are_refused() -> None:
    network = Network.conv((1, 1, 3), ["conv:1:2"], 1)
    good = np.array([[1, -1, 0], [0, 1, -1]])
    problem = TrainingProblem(network, [[1, 1, 1]], [1])
    last = np.array([[1, 1]])
    network.encode_bits(Weights((good, last), (None, None), problem.splines))
    for bad in (np.array([[1, -1, 0], [0, -1, -1]]), np.array([[1, -1, 1], [0, 1, -1]])):
        with pytest.raises(InvalidInputError, match="to be equal"):
            network.encode_bits(Weights((bad, last), (None, None), problem.splines))
