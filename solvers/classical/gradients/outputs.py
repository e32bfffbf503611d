"""Outputs of a network and their losses, each with its derivative.

A batch's loss is the mean over its samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

from formulations import TrainingProblem
from formulations.arrays import Array
from solvers.classical.gradients.units import Unit


@dataclass(frozen=True)
class Output:
    """Activation of the last layer and loss.

    Parameters
    ----------
    value : callable
        Prediction phi(Z).
    loss : callable
        Mean loss over the samples, from Z and the targets Y.
    slope : callable
        Exact derivative of the mean loss at Z.
    residual : callable
        (phi(Z) - Y) / n, which a monotone operator uses instead of the slope.
    """

    value: Callable[[Array], Array]
    loss: Callable[[Array, Array], float]
    slope: Callable[[Array, Array], Array]
    residual: Callable[[Array, Array], Array]


def _probabilities(Z: Array) -> Array:
    return np.asarray(softmax(Z, axis=-1))


def softmax_cross_entropy() -> Output:
    """Return softmax over the last axis, with loss -log p of the one-hot target.

    Slope and residual are both (p - Y) / n, so gradients of the last layer are monotone.
    """

    def loss(Z: Array, Y: Array) -> float:
        shifted = Z - Z.max(axis=-1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=-1))
        return float((log_sum - (shifted * Y).sum(axis=-1)).mean())

    def slope(Z: Array, Y: Array) -> Array:
        P = np.exp(Z - Z.max(axis=-1, keepdims=True))
        P /= P.sum(axis=-1, keepdims=True)
        P -= Y
        P /= len(Y)
        return np.asarray(P)

    return Output(_probabilities, loss, slope, slope)


def softmax_mean_square() -> Output:
    """Return softmax over the last axis, with loss mean (p - Y)^2 over samples and classes."""

    def loss(Z: Array, Y: Array) -> float:
        return float(np.square(_probabilities(Z) - Y).mean())

    def slope(Z: Array, Y: Array) -> Array:
        """Return p (g - p'g) with g = 2 (p - Y) / number of entries."""
        P = _probabilities(Z)
        G = P * (2.0 / Y.size * (P - Y))
        return np.asarray(G - P * G.sum(axis=-1, keepdims=True))

    def residual(Z: Array, Y: Array) -> Array:
        return np.asarray((_probabilities(Z) - Y) / len(Y))

    return Output(_probabilities, loss, slope, residual)


def mean_square(unit: Unit) -> Output:
    """Return any activation, with loss mean (phi(Z) - Y)^2 over samples, nodes and channels.

    The residual divides by the number of samples only, so it is larger by the number of nodes.
    """

    def loss(Z: Array, Y: Array) -> float:
        return float(np.square(unit.value(Z) - Y).mean())

    def slope(Z: Array, Y: Array) -> Array:
        return np.asarray(2.0 / Y.size * (unit.value(Z) - Y) * unit.slope(Z))

    def residual(Z: Array, Y: Array) -> Array:
        return np.asarray((unit.value(Z) - Y) / len(Y))

    return Output(unit.value, loss, slope, residual)


def problem_loss(problem: TrainingProblem) -> Output:
    """Return a training problem's loss at outputs in lattice steps; targets are sample indices.

    The loss is that of all samples, in order, at the nearest integer outputs.  The slope is that of
    the loss; hinge replaces zero-one, which has none.
    """

    def loss(Z: Array, Y: Array) -> float:
        return float(problem.sample_losses(np.rint(Z).astype(np.int64)).mean())

    def slope(Z: Array, Y: Array) -> Array:
        found = problem.sample_slopes(Z, Y).astype(Z.dtype)
        found *= Z.dtype.type(1 / len(Y))
        return np.asarray(found)

    return Output(lambda Z: Z, loss, slope, slope)
