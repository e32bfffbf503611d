"""Gradients of boxes of inputs against differences of an interval pass of its own."""

from __future__ import annotations

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.arrays import FloatArray
from formulations.constraints import FanIn, NonZeros, Right, Robust
from solvers import StraightThrough
from solvers.classical.gradients.latent_stack import LatentStack
from solvers.constrained.boxes import directions_with_boxes

BATCH = np.arange(20)


def worst_case_loss(stack: LatentStack) -> float:
    """Mean loss of a batch, and that of the worst outputs of all boxes with their weights."""
    boxes, problem = stack.boxes, stack.problem
    assert boxes is not None
    a, low, high = (part.astype(float) for part in (problem.X[BATCH], boxes.low, boxes.high))
    for part in stack.trained:
        W = part.latent[0]
        z, up, down = a @ W.T, np.maximum(W, 0).T, np.minimum(W, 0).T
        assert part.spread is not None
        b = np.clip(part.soft[0] * part.spread[0] - z.mean(axis=0), part.low, part.high)
        a, low, high = z + b, low @ up + high @ down + b, high @ up + low @ down + b
        if part.unit is not None:
            a, low, high = (part.unit.value(end.copy()) for end in (a, low, high))
    if a.shape[1] == 1:
        worst = np.where(boxes.y[:, None] > 0, low, high + 1)
    else:
        worst = np.where(boxes.y[:, None] == np.arange(a.shape[1]), low - 1, high)
    return float(
        _losses(problem, a, BATCH).mean()
        + boxes.least * _losses(boxes.problem, worst, np.arange(len(worst))).sum() / len(BATCH)
    )


def _losses(problem: TrainingProblem, z: FloatArray, samples: np.ndarray) -> FloatArray:
    if problem.loss_kind.is_quadratic:
        target = problem.targets[problem.target_index[samples]]
        return np.asarray(((problem.out_step * z - target) ** 2)[:, 0])
    values: FloatArray = problem.loss_kind.values(  # type: ignore[attr-defined]
        problem.out_step * z, problem.classes[samples]
    )
    return values


@pytest.mark.parametrize("outputs", [1, 3])
def test_gradients_are_those_of_the_worst_case_loss(outputs: int) -> None:
    rng = np.random.default_rng(0)
    X = rng.integers(0, 8, (40, 6))
    y = rng.choice([-1, 1], 40) if outputs == 1 else rng.integers(0, outputs, 40)
    net = Network.dense([6, 5, 4, outputs], "relu", "integer:3", "auto")
    loss = "squared" if outputs == 1 else "cross-entropy"
    problem = TrainingProblem(net, X, y, loss, constraints=[Robust(X[:12], y[:12], radius=1)])
    stack = LatentStack(problem, 1, rng, rounded=False)
    stack.kind = np.float64
    stack._allocate()
    stack.values[...] = rng.uniform(-1, 1, stack.values.shape)
    assert stack.boxes is not None
    stack.quantise()
    directions_with_boxes(stack.trained, stack.output, X[BATCH], BATCH, stack.boxes, 1.0, rng)
    found, step = stack.gradient[0].copy(), 1e-6
    expected = np.zeros_like(found)
    for place in range(len(found)):
        value = stack.values[0, place]
        stack.values[0, place] = value + step
        above = worst_case_loss(stack)
        stack.values[0, place] = value - step
        expected[place] = (above - worst_case_loss(stack)) / (2 * step)
        stack.values[0, place] = value
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


def test_gradients_project_on_few_inputs_a_unit_from_the_middle_of_a_run_on() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.integers(0, 8, (20, 9)), rng.choice([-1, 1], 20)
    net = Network.dense([9, 3, 1], "sign", "ternary", True)
    for rule, early in ((FanIn(2), False), (NonZeros(6), True)):
        problem = TrainingProblem(net, X, y, "squared", constraints=[rule])
        stack = LatentStack(problem, 2, rng)
        for share, projected in ((0.3, early), (0.6, True)):
            stack.step(X, BATCH, 0.01, share=share)
            inputs = (stack.trained[0].weights != 0).sum(axis=2)
            few = inputs.max() <= 2 if isinstance(rule, FanIn) else inputs.sum(axis=1).max() <= 6
            assert few == projected
        stack.fold(X)
        assert not problem.broken(stack.weights(0))


def test_samples_that_must_be_right_are_learned_against_the_others() -> None:
    rng = np.random.default_rng(1)
    X = rng.integers(0, 8, (400, 10))
    y = np.where(X[:, :5].sum(axis=1) > X[:, 5:].sum(axis=1), 1, -1)
    net = Network.dense([10, 16, 1], "relu:4", "ternary", "auto")
    must = Right(X[:8], -y[:8])  # against what the same samples say otherwise
    problem = TrainingProblem(net, X[8:], y[8:], "cross-entropy", constraints=[must])
    result = StraightThrough(epochs=60, restarts=2, seed=0).solve(problem)
    assert result.satisfies
    assert (problem.network.predict(result.weights, X[8:]) == y[8:]).mean() > 0.9
