"""Training problems: bad input is refused before any work, by name and with a remedy."""

from __future__ import annotations

import numpy as np
import pytest

from formulations import Network, QnnError, TrainingProblem, network_size
from formulations.errors import ModelSizeError

NET = Network.dense([2, 2, 1])
X, Y = np.array([[1, 2], [3, -4]]), np.array([1, -1])


@pytest.mark.parametrize(
    ("network", "X", "y", "options", "message"),
    [
        (NET, [[1, 2, 3]], [1], {}, r"X of shape \(1, 3\): expected \(N, 2\)"),
        (NET, [1, 2], [1], {}, "expected \\(N, 2\\)"),
        (NET, np.zeros((0, 2)), [], {}, "N > 0"),
        (NET, [[1, np.nan]], [1], {}, r"X\[0, 1\] is nan: fill in or drop"),
        (NET, [[1, np.inf]], [1], {}, r"X\[0, 1\] is inf"),
        (NET, [[1, 0.5]], [1], {}, r"X\[0, 1\] is 0.5, not an integer"),
        (NET, [["a", "b"]], [1], {}, "expected integers"),
        (NET, [[1, 2**40]], [1], {}, "fewer levels"),
        (NET, X, [1], {}, r"y of shape \(1,\): expected \(2,\)"),
        (NET, X, [1, 0], {}, "label 0: a network of one output expects -1 or \\+1"),
        (NET, X, [1, np.nan], {}, "not finite"),
        (NET, X, ["a", "b"], {}, "not finite numbers"),
        (Network.dense([2, 3]), X, [0, 3], {}, "class indices 0 .. 2"),
        (Network.dense([2, 3]), X, [0, 0.5], {}, "label 0.5"),
        (NET, X, Y, {"loss": "hing"}, "Did you mean 'hinge'"),
        (NET, X, Y, {"loss": "logistic", "loss_pieces": 0}, "pieces=0"),
    ],
)
def test_bad_data_is_refused(network, X, y, options, message) -> None:
    with pytest.raises(QnnError, match=message):
        TrainingProblem(network, X, y, **options)


@pytest.mark.parametrize(
    ("free", "message"),
    [
        ([], "free set is empty"),
        ([99], "expected bit numbers 0 .. 5"),
        ([-1], "expected bit numbers"),
        ([0.5], "expected bit numbers"),
        (["w[9,9,9]"], "unknown weight bit 'w\\[9,9,9\\]'"),
    ],
)
def test_bad_free_sets_are_refused(free, message) -> None:
    problem = TrainingProblem(NET, X, Y)
    with pytest.raises(QnnError, match=message):
        problem.restrict(free, np.zeros(6, dtype=np.int8))


def test_part_of_a_codebook_weight_cannot_be_freed() -> None:
    problem = TrainingProblem(Network.dense([2, 1], weights="codebook:-1,0,2"), X, Y)
    incumbent = problem.bits_from_weights(problem.weights_from_bits([1, 0, 0, 0, 1, 0]))
    with pytest.raises(QnnError, match="part of the one-hot word 'w\\[1,0,0,0\\]'"):
        problem.restrict([0, 1], incumbent)
    assert problem.restrict([0, 1, 2], incumbent).num_free_bits == 3


def test_free_set_by_label_or_number() -> None:
    problem = TrainingProblem(NET, X, Y)
    incumbent = problem.weights_from_bits([1, 0, 1, 0, 1, 1])
    by_label = problem.restrict(["w[1,0,1]", "w[2,0,0]"], incumbent)
    assert by_label.free.tolist() == problem.restrict([1, 4], incumbent).free.tolist() == [1, 4]


def test_restriction_really_presolves() -> None:
    rng = np.random.default_rng(0)
    net = Network.dense([16, 5, 1])
    data = rng.integers(-4, 5, size=(100, 16))
    problem = TrainingProblem(net, data, np.where(data.sum(axis=1) > 0, 1, -1))
    incumbent = rng.integers(0, 2, problem.num_free_bits).astype(np.int8)
    full, small = problem.size(), problem.restrict(range(4), incumbent).size()
    assert small.num_variables < full.num_variables / 8
    everything_known = problem.restrict([0], incumbent).qcbo()
    assert everything_known.num_variables < 300


def test_model_that_does_not_fit_is_refused_with_the_numbers() -> None:
    problem = TrainingProblem(NET, X, Y)
    with pytest.raises(ModelSizeError, match=r"variables, .* rows .* GiB are free"):
        problem.qcbo(memory_limit=100)
    problem.qcbo(memory_limit=1e9)


def test_unknown_encoding_is_refused() -> None:
    with pytest.raises(QnnError, match="Did you mean 'one-hot'"):
        TrainingProblem(NET, X, Y).qcbo("onehot")


def test_closed_formula_of_the_documented_sizes() -> None:
    # n_w = sum n_l (n_{l-1} + 1), n_s = sum n_l (S_l + 1) + sum_{l>=2} n_l n_{l-1}
    size = network_size(Network.dense([16, 4, 1], bias=True), 1000)
    assert size.weight_bits == 4 * 17 + 5
    assert size.state_bits == 1000 * (4 * (5 + 1) + (3 + 1) + 4)


def test_decode_needs_every_weight_bit() -> None:
    problem = TrainingProblem(NET, X, Y)
    with pytest.raises(QnnError, match="no value for the weight bit 'w\\[1,0,0\\]'"):
        problem.decode({"w[1,0,1]": 1})


def test_blocks_want_a_positive_size() -> None:
    with pytest.raises(QnnError, match="block size=0"):
        TrainingProblem(NET, X, Y).blocks(0)


def test_no_candidates_have_no_losses() -> None:
    assert TrainingProblem(NET, X, Y).losses(np.zeros((0, 6), dtype=np.int8)).shape == (0,)


def test_random_bits_have_every_level_as_often() -> None:
    problem = TrainingProblem(Network.dense([2, 2, 1], weights="codebook:-1,0.5,2"), X, Y)
    bits = problem.random_bits(np.random.default_rng(0), 3000)
    assert np.array_equal(problem.repair_bits(bits), bits)
    assert np.abs(bits.mean(axis=0) - 1 / 3).max() < 0.05


@pytest.mark.parametrize("code", ["ternary", "codebook:-1,0,2"])
def test_random_networks_have_integer_thresholds_of_zero_in_every_layer(code: str) -> None:
    net = Network.dense([3, 4, 2, 1], "relu:2", code, "integer:4")
    problem = TrainingProblem(net, [[1, -1, 2], [0, 1, 1]], [1, -1])
    for bits in problem.random_bits(np.random.default_rng(0), 5):
        weights = problem.weights_from_bits(bits)
        assert all(b is not None and not b.any() for b in weights.biases)
        assert all(matrix.any() for matrix in weights.matrices[:2])
