from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from formulations.errors import InvalidInputError
from solvers.classical.gradients.features import GraphFilter, Identity
from solvers.classical.gradients.outputs import (
    mean_square,
    softmax_cross_entropy,
    softmax_mean_square,
)
from solvers.classical.gradients.stack import RealLayer, Rule, Stack
from solvers.classical.gradients.units import Unit, probit, relu, sigmoid

Case = tuple[Stack, np.ndarray, np.ndarray]


def dense() -> Case:
    rng = np.random.default_rng(0)
    layers = [
        RealLayer.drawn(rng, (4, 3), relu()),
        RealLayer.drawn(rng, (5, 4), sigmoid()),
        RealLayer.drawn(rng, (3, 5)),
    ]
    Y = np.eye(3)[rng.integers(0, 3, 8)]
    return Stack(layers, softmax_cross_entropy()), rng.normal(size=(8, 3)), Y


def squared() -> Case:
    network, X, Y = dense()
    return Stack(network.layers, softmax_mean_square()), X, Y


def graph() -> Case:
    rng = np.random.default_rng(1)
    upper = np.triu(rng.random((6, 6)) < 0.4, 1).astype(float)
    eta = GraphFilter.normalized(upper + upper.T)
    layers = [
        RealLayer.drawn(rng, (4, 2), sigmoid(), eta),
        RealLayer.drawn(rng, (3, 4), relu(), eta),
        RealLayer.drawn(rng, (2, 3), None, eta),
    ]
    X, Y = rng.normal(size=(5, 6, 2)), rng.random((5, 6, 2))
    return Stack(layers, mean_square(probit())), X, Y


CASES = [dense, squared, graph]


@pytest.mark.parametrize("case", CASES)
def test_gradients_are_differences_of_the_loss(case: Callable[[], Case]) -> None:
    network, X, Y = case()
    for W, G in zip(network.arrays, network.directions(X, Y), strict=True):
        numeric = np.empty_like(W)
        for i in np.ndindex(W.shape):
            kept = W[i]
            values = []
            for move in (1e-6, -1e-6):
                W[i] = kept + move
                values.append(network.loss(X, Y))
            W[i] = kept
            numeric[i] = (values[0] - values[1]) / 2e-6
        np.testing.assert_allclose(G, numeric, atol=1e-8)


@pytest.mark.parametrize(
    ("eta", "shape"),
    [
        (Identity(), (3, 4)),
        (GraphFilter.normalized(np.ones((5, 5)) - np.eye(5)), (3, 5, 2)),
        (GraphFilter(np.random.default_rng(0).normal(size=(4, 4))), (3, 4, 2)),
    ],
)
def test_adjoints(eta: Identity | GraphFilter, shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(3)
    X = rng.normal(size=shape)
    features = eta.apply(X)
    E = rng.normal(size=features.shape)
    assert (features * E).sum() == pytest.approx((X * eta.adjoint(E, shape)).sum())


@pytest.mark.parametrize("case", CASES)
def test_rules_drop_the_own_slope_alone(case: Callable[[], Case]) -> None:
    """Of a hidden layer with the identity as its unit, ``full`` is the gradient."""
    network, X, Y = case()
    exact = network.directions(X, Y)
    full, small = (network.directions(X, Y, rule) for rule in ("full", "small"))
    last = network.directions(X, Y, "last")
    np.testing.assert_allclose(full[2], len(X) * small[2])
    np.testing.assert_allclose(full[-2], small[-2])
    np.testing.assert_allclose(full[-2], last[-2])
    assert not any(G.any() for G in last[:-2])
    assert not np.allclose(full[0], exact[0])
    network.layers[0].unit = Unit("linear", lambda Z: Z, np.ones_like)
    later = network.directions(X, Y)
    np.testing.assert_allclose(network.directions(X, Y, "full")[0], later[0])


@pytest.mark.parametrize("rule", ["gradient", "full", "small", "last"])
def test_frozen_layers_have_no_direction(rule: Rule) -> None:
    network, X, Y = dense()
    found = network.directions(X, Y, rule, frozen=1)
    for ours, all_of_them in zip(found, network.directions(X, Y, rule)[2:], strict=True):
        np.testing.assert_array_equal(ours, all_of_them)


def test_a_graph_steps_further_by_its_nodes() -> None:
    """The residual is a mean over samples, the slope of the loss over nodes as well."""
    network, X, Y = graph()
    Z = network.forward(X)[-1][1]
    output = network.output
    expected = 2 / (6 * 2) * output.residual(Z, Y) * probit().slope(Z)
    np.testing.assert_allclose(output.slope(Z, Y), expected)


@pytest.mark.torch
def test_gradients_are_torchs() -> None:
    torch = pytest.importorskip("torch", reason="compares with torch's automatic differentiation")
    network, X, Y = dense()
    weights = [torch.tensor(W, requires_grad=True) for W in network.arrays]
    functions = {"relu": torch.relu, "sigmoid": torch.sigmoid}
    a = torch.tensor(X)
    for number, layer in enumerate(network.layers):
        W, b = weights[2 * number], weights[2 * number + 1]
        a = torch.nn.functional.linear(a, W, b)
        if layer.unit is not None:
            a = functions[layer.unit.name](a)
    loss = torch.nn.functional.cross_entropy(a, torch.tensor(Y))
    assert network.loss(X, Y) == pytest.approx(loss.item())
    for ours, theirs in zip(
        network.directions(X, Y), torch.autograd.grad(loss, weights), strict=True
    ):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-12)


def test_bad_graphs_are_refused() -> None:
    for bad in ([[0, 1], [0, 0]], [[0, -1], [-1, 0]], [1, 2]):
        with pytest.raises(InvalidInputError, match="adjacency"):
            GraphFilter.normalized(bad)
