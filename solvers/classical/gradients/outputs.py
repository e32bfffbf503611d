"""Outputs of a network and their losses, each with its derivative.

A batch's loss is the mean over its samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from scipy.special import softmax

from formulations.arrays import Array
from solvers.classical.gradients.units import Unit

if TYPE_CHECKING:
    from formulations import TrainingProblem


class Output(Protocol):
    """The last layer's activation and the loss."""

    def value(self, Z: Array) -> Array:
        """What is predicted."""
        ...

    def loss(self, Z: Array, Y: Array) -> float:
        """Mean loss over the samples."""
        ...

    def slope(self, Z: Array, Y: Array) -> Array:
        """Exact derivative of the mean loss at Z."""
        ...

    def residual(self, Z: Array, Y: Array) -> Array:
        """(phi(Z) - Y) / n: what a monotone operator takes instead."""
        ...


@dataclass(frozen=True)
class SoftmaxCrossEntropy:
    """softmax over the last axis; loss -log of the probability of the one-hot target.

    The slope and the residual are the same: gradients of the last layer are monotone.
    """

    def value(self, Z: Array) -> Array:
        """Probabilities."""
        return np.asarray(softmax(Z, axis=-1))

    def loss(self, Z: Array, Y: Array) -> float:
        """Mean of -sum_c Y_c log p_c."""
        shifted = Z - Z.max(axis=-1, keepdims=True)
        log_sum = np.log(np.exp(shifted).sum(axis=-1))
        return float((log_sum - (shifted * Y).sum(axis=-1)).mean())

    def slope(self, Z: Array, Y: Array) -> Array:
        """(p - Y) / n."""
        P = np.exp(Z - Z.max(axis=-1, keepdims=True))
        P /= P.sum(axis=-1, keepdims=True)
        P -= Y
        P /= len(Y)
        return np.asarray(P)

    residual = slope


@dataclass(frozen=True)
class SoftmaxMeanSquare:
    """softmax over the last axis; loss the mean of (p - Y)^2 over samples and classes."""

    def value(self, Z: Array) -> Array:
        """Probabilities."""
        return np.asarray(softmax(Z, axis=-1))

    def loss(self, Z: Array, Y: Array) -> float:
        """Mean square."""
        return float(np.square(self.value(Z) - Y).mean())

    def slope(self, Z: Array, Y: Array) -> Array:
        """p (g - p'g) with g = 2 (p - Y) over the number of all entries."""
        P = self.value(Z)
        G = P * (2.0 / Y.size * (P - Y))
        return np.asarray(G - P * G.sum(axis=-1, keepdims=True))

    def residual(self, Z: Array, Y: Array) -> Array:
        """(p - Y) / n."""
        return np.asarray((self.value(Z) - Y) / len(Y))


@dataclass(frozen=True)
class MeanSquare:
    """Any activation; loss the mean of (phi(Z) - Y)^2 over samples, nodes and channels."""

    unit: Unit

    def value(self, Z: Array) -> Array:
        """phi(Z)."""
        return self.unit.value(Z)

    def loss(self, Z: Array, Y: Array) -> float:
        """Mean square."""
        return float(np.square(self.unit.value(Z) - Y).mean())

    def slope(self, Z: Array, Y: Array) -> Array:
        """2 (phi - Y) phi' over the number of all entries."""
        return np.asarray(2.0 / Y.size * (self.unit.value(Z) - Y) * self.unit.slope(Z))

    def residual(self, Z: Array, Y: Array) -> Array:
        """(phi - Y) / n, with n the samples alone: larger by the number of nodes."""
        return np.asarray((self.unit.value(Z) - Y) / len(Y))


@dataclass(frozen=True)
class ProblemLoss:
    """The loss of a training problem at outputs in lattice steps; targets are sample numbers."""

    problem: TrainingProblem

    def value(self, Z: Array) -> Array:
        """Z itself."""
        return Z

    def loss(self, Z: Array, Y: Array) -> float:
        """Mean over all samples of the problem, in its order, of the nearest integer outputs."""
        return float(self.problem.sample_losses(np.rint(Z).astype(np.int64)).mean())

    def slope(self, Z: Array, Y: Array) -> Array:
        """Of the loss itself; of hinge in place of zero-one, which has none."""
        slope = self.problem.sample_slopes(Z, Y).astype(Z.dtype)
        slope *= Z.dtype.type(1 / len(Y))
        return np.asarray(slope)

    residual = slope
