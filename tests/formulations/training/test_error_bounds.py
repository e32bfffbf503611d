"""Bounds are bounds: no random network violates them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.training.error_bounds import (
    real_outputs,
    spline_errors,
)
from tests.formulations.problems import problems


@settings(deadline=None, max_examples=300)
@given(
    problem=problems(max_bits=40, max_samples=4)
    | problems(max_bits=40, max_samples=4, integers=True),
    seed=st.integers(0, 2**31),
)
def test_output_error_is_never_exceeded(problem: TrainingProblem, seed: int) -> None:
    bound = spline_errors(problem)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        bits = rng.integers(0, 2, problem.num_free_bits)
        weights = problem.weights_from_bits(bits)
        lattice = problem.network.forward(weights, problem.X)
        real = real_outputs(problem, weights, problem.X)
        assert np.abs(lattice - real).max() <= bound.output + 1e-9


@settings(deadline=None, max_examples=150)
@given(problem=problems(max_bits=30, max_samples=4), seed=st.integers(0, 2**31))
def test_loss_error_is_never_exceeded(problem: TrainingProblem, seed: int) -> None:
    if problem.loss_kind.is_quadratic or problem.loss_kind.name == "zero-one":
        return  # both exact; the sign rule's tie makes zero-one differ from its margin form
    bits = np.random.default_rng(seed).integers(0, 2, problem.num_free_bits)
    z = problem.pre_activations(problem.repair_bits(bits[None]))[-1][0]
    margin = problem.targets[problem.target_index] * z * problem.out_step
    gap = np.abs(problem.output_losses(z) - problem.loss_kind.function(margin))
    assert gap.max() <= spline_errors(problem).loss + 1e-9


def test_exact_networks_have_no_error() -> None:
    problem = TrainingProblem(Network.dense([3, 4, 2, 1]), [[1, 2, 3]], [1])
    errors = spline_errors(problem)
    assert (errors.output, errors.loss, errors.layers) == (0.0, 0.0, (0.0, 0.0))


def test_error_shrinks_with_pieces() -> None:
    X = np.arange(-8, 8).reshape(-1, 2)
    y = np.where(X[:, 0] > 0, 1, -1)
    outputs = []
    for pieces in (2, 4, 8, 16):
        net = Network.dense([2, 2, 1], "tanh", pieces=pieces, resolution=64)
        outputs.append(spline_errors(TrainingProblem(net, X, y)).output)
    assert outputs == sorted(outputs, reverse=True)
    assert outputs[-1] < outputs[0] / 4
