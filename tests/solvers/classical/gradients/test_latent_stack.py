"""The stack of latent networks: folded it is the integer network, and its gradients are torch's."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.arrays import FloatArray
from formulations.network.splines import Spline
from solvers.classical.gradients.latent_stack import LatentStack
from solvers.classical.gradients.quantizer import Quantizer
from solvers.classical.gradients.units import unit
from solvers.classical.straight_through import StraightThrough

CODES = ["bipolar", "ternary", "uniform:2", "codebook:-1,0.5,2"]
CLIPPED = ["sign", "relu:1", "relu:4", "hard-tanh:2", "hard-tanh:4"]
UNITS = [*CLIPPED, "hard-tanh", "relu", "tanh", "sigmoid", np.sin]
LOSSES = ["cross-entropy", "multi-hinge", "hinge:auto", "squared:auto", "logistic", "zero-one"]


def problem(
    code: str = "bipolar",
    act: Any = "sign",
    hidden: tuple[int, ...] = (6, 4),
    bias: str | bool = "auto",
    loss: Any = "cross-entropy",
    classes: int = 3,
) -> TrainingProblem:
    rng = np.random.default_rng(1)
    X = 2 * rng.integers(0, 4, (120, 7)) - 3
    y = np.argmax(X @ rng.integers(-1, 2, (7, 4)), axis=1) % max(classes, 2)
    y = y if classes > 1 else 2 * y - 1
    net = Network.dense([7, *hidden, classes], activation=act, weights=code, bias=bias)
    return TrainingProblem(net, X, y, loss)


def trained(problem: TrainingProblem, count: int = 3, steps: int = 5) -> LatentStack:
    """A stack after some steps, folded."""
    stack = LatentStack(problem, count, np.random.default_rng(1))
    every = np.arange(problem.num_samples)
    for _ in range(steps):
        stack.step(problem.X, every, 0.05)
    stack.fold(problem.X)
    return stack


def check_exact(stack: LatentStack) -> None:
    """What a step passes forward is what the integer networks compute."""
    p, seen = stack.problem, []
    weights = [stack.weights(r) for r in range(stack.count)]
    outputs = stack.outputs(p.X)
    forward = stack.forward
    stack.forward = lambda *given: (seen.append(forward(*given)), seen[-1])[1]  # type: ignore
    stack.step(p.X, np.arange(p.num_samples), 0.05)
    for r, weight in enumerate(weights):
        z = p.network.pre_activations(weight, p.X)[-1]
        assert (seen[-1][r] == z).all()
        assert (outputs[r] == z).all()


@pytest.mark.parametrize(("code", "act"), list(itertools.product(CODES, UNITS)))
def test_folded_training_is_the_integer_network(code: str, act: Any) -> None:
    for hidden, bias in itertools.product([(), (5,), (6, 4)], ["auto", True, False, "uniform:3"]):
        stack = trained(problem(code, act, hidden, bias))
        check_exact(stack)
        check_exact(stack)


def test_integers_beyond_float32_are_exact_as_well() -> None:
    p = problem("ternary", bias=False)
    p = TrainingProblem(p.network, p.X * 1_000_001, p.classes, "cross-entropy")
    stack = trained(p)
    assert stack.kind is np.float64
    check_exact(stack)
    assert LatentStack(problem(), 1, np.random.default_rng(0)).kind is np.float32


@pytest.mark.parametrize("bias", ["integer:3", "integer:2"])
def test_thresholds_stay_within_a_narrow_code(bias: str) -> None:
    p = problem(bias=bias)
    stack = trained(p, steps=30)
    for weights in (stack.weights(r) for r in range(3)):
        p.network.encode_bits(weights)  # refuses levels that are not the code's
    result = StraightThrough(epochs=40).solve(p)
    assert result.loss < 0.9 * result.history["loss"][0]


@pytest.mark.parametrize("bias", [False, "bipolar", "integer:3", "auto"])
def test_it_learns_with_thresholds_of_any_code_and_none(bias: str | bool) -> None:
    rng = np.random.default_rng(3)
    X = rng.integers(0, 8, (300, 9))  # all positive: without centring units see their mean first
    y = np.where(X[:, :4].sum(axis=1) > X[:, 4:8].sum(axis=1), 1, -1)
    p = TrainingProblem(Network.dense([9, 6, 1], bias=bias), X, y, "hinge")
    result = StraightThrough(epochs=100).solve(p)
    assert (p.network.predict(result.weights, X) == y).mean() > 0.85


@pytest.mark.parametrize("act", ["sign", "relu:3", "tanh"])
@pytest.mark.parametrize("classes", [1, 4])
@pytest.mark.parametrize("loss", [*LOSSES, lambda margin: np.maximum(0, 2 - margin) ** 2])
def test_every_loss_is_lowered(loss: Any, classes: int, act: str) -> None:
    p = problem(act=act, loss=loss, classes=classes)
    result = StraightThrough(epochs=40, seed=1).solve(p)
    assert result.loss == p.loss(result.weights)
    assert result.loss < 0.97 * result.history["loss"][0]


def test_bits_that_are_not_free_keep_their_value() -> None:
    p = problem("uniform:2", "relu:2", bias="auto")
    rng = np.random.default_rng(0)
    held = rng.integers(0, 2, p.network.num_weight_bits).astype(np.int8)
    free = np.sort(rng.choice(len(held), len(held) // 2, replace=False))  # words in part, too
    restricted = p.restrict(free, held)
    stack = trained(restricted)
    for r in range(3):
        bits = p.network.encode_bits(stack.weights(r))
        others = np.setdiff1d(np.arange(len(held)), free)
        assert (bits[others] == held[others]).all()
    check_exact(stack)
    result = StraightThrough(epochs=30).solve(restricted)
    assert result.loss == restricted.losses(result.bits[None])[0]
    assert result.loss < restricted.losses(held[free][None])[0]


@pytest.mark.torch
@pytest.mark.parametrize("rounded", [True, False])
@pytest.mark.parametrize("folded", [False, True])
@pytest.mark.parametrize("act", CLIPPED)
def test_gradients_are_those_of_autograd(act: str, folded: bool, rounded: bool) -> None:
    torch = pytest.importorskip("torch")
    p = problem(act=act, hidden=(6, 5))
    rise = 0.5 if rounded else 1.0
    stack = LatentStack(p, 1, np.random.default_rng(3), rounded, rise)
    every = np.arange(p.num_samples)
    for _ in range(3):
        stack.step(p.X, every, 0.02)
    if folded:
        stack.fold(p.X)
    stack.directions(p.X, every)
    W = [torch.tensor(part.weights[0].astype(float), requires_grad=True) for part in stack.layers]
    v = [torch.tensor(part.soft[0].astype(float), requires_grad=True) for part in stack.layers]
    a = torch.tensor(p.X.astype(float))
    for number, part in enumerate(stack.layers):
        z, spread = a @ W[number].T, torch.tensor(part.spread[0].astype(float))
        if folded:
            b = v[number] * spread
            y = z + torch.tensor(part.stored()[0].astype(float)) + (b - b.detach())
        else:
            y = z - z.mean(0) + v[number] * spread
        if part.unit is not None:
            a = _activated(torch, y, p.splines[number], part.window[0], rise)
    scale = p.loss_kind.scale
    torch.nn.functional.cross_entropy(y / scale, torch.tensor(p.classes)).backward()
    for number, part in enumerate(stack.layers):
        for mine, found in ((part.weight_slopes, W[number]), (part.soft_slopes, v[number])):
            expected = found.grad.numpy()
            tolerance = 1e-4 * np.abs(expected).max() + 1e-8
            assert np.allclose(mine[0], expected, rtol=0, atol=tolerance)


def _activated(torch: Any, y: Any, spline: Spline, window: FloatArray, share: float) -> Any:
    """The activation of a unit with the slope of its clipped line."""
    hard = torch.tensor(unit(spline).value(y.detach().numpy().copy()))
    starts, values = spline.breakpoints, spline.intercepts
    if len(starts) == 1:
        ramp = torch.clamp((y - starts[0]) / torch.tensor(window.astype(float)), -1, 1)
        soft = share * (values[1] - values[0]) / 2 * ramp
    else:
        width, rise = int(starts[1] - starts[0]), float(values[1] - values[0])
        low = starts[0] - width
        soft = rise / width * torch.clamp(y, low, low + (len(starts) + 1) * width - 1e-9)
    return soft + (hard - soft).detach()


def test_kinds_of_units() -> None:
    kinds = {act: unit(problem(act=act).splines[0]).name for act in (*CLIPPED, "relu", np.sin)}
    assert [kind for kind, made in kinds.items() if made == "step"] == ["sign", "relu:1"]
    assert [kind for kind, made in kinds.items() if made == "table"] == ["relu", np.sin]
    assert kinds["hard-tanh:4"] == "staircase"


def test_cells_are_equally_wide() -> None:
    v = np.linspace(-1, 1, 3001, dtype=np.float32)
    for levels in ([-1, 0, 1], [-3, -1, 1, 3]):
        counts = np.unique(Quantizer(levels)(v), return_counts=True)[1]
        assert np.ptp(counts) <= 2


def test_ternary_networks_do_not_die() -> None:
    p = problem("ternary", "sign")
    result = StraightThrough(epochs=50).solve(p)
    assert all(np.unique(matrix).size == 3 for matrix in result.weights.matrices)
