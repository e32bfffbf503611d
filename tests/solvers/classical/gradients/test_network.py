from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from formulations.errors import InvalidInputError
from solvers.classical.gradients.features import Convolution, GraphFilter, Identity
from solvers.classical.gradients.outputs import MeanSquare, SoftmaxCrossEntropy, SoftmaxMeanSquare
from solvers.classical.gradients.stack import RealLayer, Rule, Stack
from solvers.classical.gradients.units import Probit, Relu, Sigmoid

Case = tuple[Stack, np.ndarray, np.ndarray]


def dense() -> Case:
    rng = np.random.default_rng(0)
    layers = [
        RealLayer.drawn(rng, (4, 3), Relu()),
        RealLayer.drawn(rng, (5, 4), Sigmoid()),
        RealLayer.drawn(rng, (3, 5)),
    ]
    Y = np.eye(3)[rng.integers(0, 3, 8)]
    return Stack(layers, SoftmaxCrossEntropy()), rng.normal(size=(8, 3)), Y


def mean_square() -> Case:
    network, X, Y = dense()
    return Stack(network.layers, SoftmaxMeanSquare()), X, Y


def graph() -> Case:
    rng = np.random.default_rng(1)
    upper = np.triu(rng.random((6, 6)) < 0.4, 1).astype(float)
    eta = GraphFilter.normalized(upper + upper.T)
    layers = [
        RealLayer.drawn(rng, (4, 2), Sigmoid(), eta),
        RealLayer.drawn(rng, (3, 4), Relu(), eta),
        RealLayer.drawn(rng, (2, 3), None, eta),
    ]
    X, Y = rng.normal(size=(5, 6, 2)), rng.random((5, 6, 2))
    return Stack(layers, MeanSquare(Probit())), X, Y


def convolution() -> Case:
    rng = np.random.default_rng(2)
    layers = [
        RealLayer.drawn(rng, (3, 2, 3, 3), Relu(), Convolution(3)),
        RealLayer.drawn(rng, (4, 3, 2, 2), Sigmoid(), Convolution(2)),
        RealLayer.drawn(rng, (1, 4, 2, 2), None, Convolution(2)),
    ]
    X = rng.normal(size=(4, 5, 6, 2))
    return Stack(layers, MeanSquare(Sigmoid())), X, rng.random((4, 1, 2, 1))


CASES = [dense, mean_square, graph, convolution]


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
        (Convolution(3), (2, 5, 4, 3)),
    ],
)
def test_adjoints(eta: Identity | GraphFilter | Convolution, shape: tuple[int, ...]) -> None:
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
    network.layers[0].unit = Linear()
    later = network.directions(X, Y)
    np.testing.assert_allclose(network.directions(X, Y, "full")[0], later[0])


class Linear:
    def value(self, Z: np.ndarray) -> np.ndarray:
        return Z

    def slope(self, Z: np.ndarray) -> np.ndarray:
        return np.ones_like(Z)


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
    assert isinstance(output, MeanSquare)
    expected = 2 / (6 * 2) * output.residual(Z, Y) * output.unit.slope(Z)
    np.testing.assert_allclose(output.slope(Z, Y), expected)


@pytest.mark.torch
@pytest.mark.parametrize("case", [dense, convolution])
def test_gradients_are_torchs(case: Callable[[], Case]) -> None:
    torch = pytest.importorskip("torch", reason="compares with torch's automatic differentiation")
    network, X, Y = case()
    weights = [torch.tensor(W, requires_grad=True) for W in network.arrays]
    functions = {"Relu": torch.relu, "Sigmoid": torch.sigmoid}
    a = torch.tensor(X if X.ndim == 2 else X.transpose(0, 3, 1, 2))
    for number, layer in enumerate(network.layers):
        W, b = weights[2 * number], weights[2 * number + 1]
        linear = torch.nn.functional.linear if W.ndim == 2 else torch.nn.functional.conv2d
        a = linear(a, W, b)
        if layer.unit is not None:
            a = functions[type(layer.unit).__name__](a)
    if X.ndim == 2:
        loss = torch.nn.functional.cross_entropy(a, torch.tensor(Y))
    else:
        target = torch.tensor(Y.transpose(0, 3, 1, 2))
        loss = torch.nn.functional.mse_loss(torch.sigmoid(a), target)
    assert network.loss(X, Y) == pytest.approx(loss.item())
    for ours, theirs in zip(
        network.directions(X, Y), torch.autograd.grad(loss, weights), strict=True
    ):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-12)


def test_bad_graphs_are_refused() -> None:
    for bad in ([[0, 1], [0, 0]], [[0, -1], [-1, 0]], [1, 2]):
        with pytest.raises(InvalidInputError, match="adjacency"):
            GraphFilter.normalized(bad)
