"""Convolutions in a stack: gradients of filters are those of a dense layer, summed over ties."""

from __future__ import annotations

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.network.ties import Ties, Window
from solvers import StraightThrough
from solvers.classical.gradients.latent_stack import LatentStack
from solvers.classical.gradients.windows import Patches, Sums

WINDOWS = [
    Window((2, 5, 6), 3, (2, 3)),
    Window((1, 7, 5), 2, (3, 3), (2, 2), (1, 1)),
    Window((3, 1, 9), 2, (1, 4), (1, 2), (0, 1)),
]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("first", [True, False])
def test_patches_are_what_the_taps_see_and_the_adjoint_is_exact(
    window: Window, first: bool
) -> None:
    rng = np.random.default_rng(0)
    channels, height, width = window.shape
    X = rng.normal(size=(1, 4, channels * height * width))
    patches = Patches(window, first)
    by_channel = X.reshape(4, channels, -1)
    given = X if first else by_channel.swapaxes(1, 2).reshape(1, -1, channels)
    found = patches.apply(given)
    padded = np.append(X[0], np.zeros((4, 1)), axis=1)
    seen = padded[:, window.taps[0]][..., patches.columns]
    np.testing.assert_allclose(found[0], seen.reshape(-1, window.num_taps))
    if not first:
        E = rng.normal(size=found.shape)
        assert np.vdot(found, E) == pytest.approx(np.vdot(given, patches.adjoint(E, given.shape)))
        if not any(window.padding):
            sums = Sums(window, first)
            total = sums.apply(given)
            E = rng.normal(size=total.shape)
            back = sums.adjoint(E, given.shape)
            assert np.vdot(total, E) == pytest.approx(np.vdot(given, back))


@pytest.mark.parametrize("activation", ["sign", "relu:2"])
def test_gradients_of_filters_are_sums_over_their_ties(activation: str) -> None:
    rng = np.random.default_rng(1)
    hidden = ["conv:3:2x2", "conv:2:2x2:1:1"]
    shared = Network.conv((1, 4, 4), hidden, 3, activation, scale=2 if ":" in activation else None)
    dense = Network.dense(shared.widths, activation, scale=2 if ":" in activation else None)
    X, y = 2 * rng.integers(0, 4, (12, 16)) - 3, rng.integers(0, 3, 12)
    problems = [TrainingProblem(net, X, y, loss="cross-entropy:4") for net in (shared, dense)]
    stacks = [LatentStack(p, 1, np.random.default_rng(0), rounded=False) for p in problems]
    X8 = X.astype(np.int8)
    stacks[0].fold(X8)
    for part, real in zip(stacks[1].layers, stacks[0].real_weights(0), strict=True):
        part.latent[0] = real[:, :-1]
    for stack in stacks:
        stack.unfold()
        stack.directions(X8, np.arange(12))
    for number, layer in enumerate(shared.layers):
        part, whole = stacks[0].layers[number], stacks[1].layers[number].weight_slopes[0]
        expected = whole[:, part.order]
        if layer.ties is not None:
            numbers = layer.ties.numbers[:, :-1]
            total = np.bincount(numbers[numbers >= 0], whole[numbers >= 0])
            at = layer.ties.numbers[layer.ties.window.first].reshape(part.layer.outputs, -1)
            expected = total[at][:, part.order]
        np.testing.assert_allclose(part.weight_slopes[0], expected, rtol=2e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("hidden", "activation", "bias"),
    [
        (["conv:3:3:2", 5], "relu:4", "auto"),
        (["conv:2:2:1:1", "pool:max:2", "conv:2:2"], "sign", "auto"),
        (["conv:2:3", "pool:mean:2", 3], "hard-tanh:2", "integer:6"),
        (["conv:2:3x2", "pool:majority:2"], "sign", True),
    ],
)
def test_straight_through_scores_the_network_that_it_stores(
    hidden: list[str | int], activation: str, bias: bool | str
) -> None:
    rng = np.random.default_rng(0)
    X = 2 * rng.integers(0, 4, (80, 36)) - 3
    y = (X[:, :18].sum(axis=1) > X[:, 18:].sum(axis=1)) + 0
    network = Network.conv((1, 6, 6), hidden, 2, activation, bias=bias)
    problem = TrainingProblem(network, X, y, loss="cross-entropy")
    result = StraightThrough(epochs=6, seed=0).solve(problem)
    assert problem.loss(result.weights) == pytest.approx(result.loss)
    assert problem.broken(result.weights) == {}
    again = StraightThrough(epochs=6, seed=0).solve(problem)
    np.testing.assert_array_equal(result.bits, again.bits)
    held = problem.restrict(np.arange(0, problem.num_free_bits, 2), result.weights)
    partial = StraightThrough(epochs=2, seed=0).solve(held)
    assert partial.loss == pytest.approx(float(held.losses(partial.bits[None])[0]))


def test_other_ties_are_refused_by_name() -> None:
    dense = Network.dense([3, 2, 1])
    layer = dense.layers[0]
    ties = Ties.of_groups(layer.free_ties, [np.array([[0, 0], [1, 1]])])
    network = Network((type(layer)(**{**vars(layer), "ties": ties}), dense.layers[1]))
    problem = TrainingProblem(network, [[1, 1, 1]], [1])
    with pytest.raises(Exception, match="shared weights of convolutions"):
        StraightThrough(epochs=1).solve(problem)
