"""Codes, networks and their forward pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, QnnError, TrainingProblem, Weights, bipolar, codebook, uniform
from formulations.network.codes import code
from tests.formulations.problems import problems


@pytest.mark.parametrize("spec", ["bipolar", "ternary", "uniform:3", "codebook:-1,0.25,2"])
def test_codes_round_trip(spec: str) -> None:
    c = code(spec)
    np.testing.assert_array_equal(c.decode(c.encode(c.levels)), c.levels)
    assert (c.low, c.high) == (c.levels.min(), c.levels.max())


def test_codebook_levels_times_step_are_the_values() -> None:
    c = codebook([2, -1, 0.25])
    np.testing.assert_allclose(c.levels * c.step, [-1, 0.25, 2])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bipolr", "Did you mean 'bipolar'"),
        ("uniform:x", "uniform:BITS"),
        ("uniform:0", "from 1 to 8"),
        ("codebook:1", "two or more"),
        ("codebook", "codebook:VALUE"),
        ("codebook:1,1", "distinct"),
        ("codebook:0,0.3333333", "multiples of one step"),
    ],
)
def test_bad_codes_are_refused_by_name(spec: str, message: str) -> None:
    with pytest.raises(QnnError, match=message):
        code(spec)


def test_level_outside_the_code_is_refused() -> None:
    with pytest.raises(QnnError, match="level 2 does not belong"):
        bipolar().encode([1, 2])


@pytest.mark.parametrize(
    ("widths", "options", "message"),
    [
        ([16], {}, "two or more positive integers"),
        ([16, 0, 1], {}, "two or more positive integers"),
        ([16, 2.5, 1], {}, "two or more positive integers"),
        ([4, 2, 1], {"activation": "sgn"}, "Did you mean 'sign'"),
        ([4, 2, 1], {"pieces": 0}, "pieces=0"),
        ([4, 2, 1], {"order": 3}, "order=3"),
        ([4, 2, 1], {"placement": "best"}, "unknown placement"),
        ([4, 2, 1], {"bias": "terary"}, "Did you mean 'ternary'"),
    ],
)
def test_bad_networks_are_refused(widths: list, options: dict, message: str) -> None:
    with pytest.raises(QnnError, match=message):
        Network.dense(widths, **options)


def test_forward_pass_by_hand() -> None:
    net = Network.dense([2, 2, 1], bias=uniform(2))
    problem = TrainingProblem(net, [[1, 2]], [1])
    weights = Weights(
        (np.array([[1, -1], [1, 1]]), np.array([[1, -1]])),
        (np.array([3, -3]), np.array([-1])),
        problem.splines,
    )
    X = np.array([[1, 2], [-5, 0], [0, 3]])
    # hidden z: (2, 0), (-2, -8), (0, 0); hidden a: (1, 1), (-1, -1), (1, 1)
    np.testing.assert_array_equal(net.forward(weights, X)[:, 0], [-1, -1, -1])
    np.testing.assert_array_equal(net.predict(weights, X), [-1, -1, -1])


def test_many_classes_predict_the_largest_output() -> None:
    net = Network.dense([2, 3])
    problem = TrainingProblem(net, [[1, 2]], [1])
    weights = Weights((np.array([[1, 1], [1, -1], [-1, 1]]),), (None,), problem.splines)
    np.testing.assert_array_equal(net.predict(weights, [[1, 2], [1, -2], [-3, 1]]), [0, 1, 2])


@settings(deadline=None, max_examples=80)
@given(problem=problems(max_bits=30, max_samples=3), seed=st.integers(0, 1000))
def test_bits_weights_and_losses_agree(problem: TrainingProblem, seed: int) -> None:
    bits = np.random.default_rng(seed).integers(0, 2, (4, problem.num_free_bits)).astype(np.int8)
    losses = problem.losses(bits)
    z_low, table = problem.loss_table()
    for row, expected in zip(bits, losses, strict=True):
        weights = problem.weights_from_bits(row)
        assert problem.loss(weights) == pytest.approx(expected)
        again = problem.weights_from_bits(problem.bits_from_weights(weights))
        for a, b in zip(again.matrices, weights.matrices, strict=True):
            np.testing.assert_array_equal(a, b)
        z = problem.network.pre_activations(weights, problem.X)[-1]
        assert table[problem.target_index, z - z_low].sum() == pytest.approx(expected)


def test_weights_of_another_shape_are_refused() -> None:
    net = Network.dense([3, 1])
    problem = TrainingProblem(net, [[1, 2, 3]], [1])
    with pytest.raises(QnnError, match=r"matrix of shape \(1, 3\)"):
        problem.loss(Weights((np.ones((1, 2), dtype=int),), (None,), ()))
    with pytest.raises(QnnError, match="expected \\(N, 3\\)"):
        net.predict(problem.weights_from_bits([1, 0, 1]), [[1, 2]])
