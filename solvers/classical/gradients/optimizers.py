"""Optimizers of first-order training: they change weights in place, given their directions.

Arrays of one axis (thresholds) are never regularised.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from formulations.arrays import Array
from solvers.classical.gradients.proximal import Regularizer
from solvers.run.checkpoint import Carried


class Optimizer(Carried, ABC):
    """Weights that are changed in place, a learning rate, and scratch space for a step.

    The owner of the weights saves and restores them.
    """

    CARRIED: ClassVar[tuple[str, ...]] = ("rate",)

    rate: Any

    def __init__(self, weights: Sequence[Array], rate: float) -> None:
        self.weights, self.rate = list(weights), rate
        self._scratch = [np.empty_like(W) for W in self.weights]

    def _zeros(self) -> list[Array]:
        return [np.zeros_like(W) for W in self.weights]

    @abstractmethod
    def step(self, directions: Sequence[Array]) -> None:
        """Take one step against the directions."""

    def restart(self, rate: float) -> None:
        """Begin a stage with another learning rate."""
        self.rate = rate

    def answer(self) -> list[Array]:
        """Return the resulting weights: by default those that are stepped."""
        return self.weights


class Momentum(Optimizer):
    """Momentum: v = momentum v + G; W -= rate v [Polyak 1964].

    Examples
    --------
    >>> W = np.array([1.0])
    >>> stepper = Momentum([W], rate=0.5, momentum=0.9)
    >>> for _ in range(2):
    ...     stepper.step([np.array([1.0])])
    >>> W.round(3).tolist()
    [-0.45]
    """

    CARRIED = ("rate", "velocity")

    def __init__(self, weights: Sequence[Array], rate: float, momentum: float = 0.9) -> None:
        super().__init__(weights, rate)
        self.momentum, self.velocity = momentum, self._zeros()

    def step(self, directions: Sequence[Array]) -> None:
        for W, v, G, scratch in zip(
            self.weights, self.velocity, directions, self._scratch, strict=True
        ):
            v *= self.momentum
            v += G
            W -= np.multiply(v, self.rate, out=scratch)


class Harmonic(Optimizer):
    """Harmonic steps W -= scale / (t + 1) G, t = 1, 2, ...; 1 / kappa for strong monotonicity."""

    CARRIED = ("rate", "steps")

    def __init__(self, weights: Sequence[Array], scale: float) -> None:
        super().__init__(weights, scale)
        self.steps = 0

    def step(self, directions: Sequence[Array]) -> None:
        self.steps += 1
        for W, G in zip(self.weights, directions, strict=True):
            W -= self.rate / (self.steps + 1) * G


class Adam(Optimizer):
    """Adam with its authors' constants [Kingma and Ba 2015]; it overwrites directions.

    ``rate`` may be an array that broadcasts with the weights.
    """

    FIRST, SECOND, TINY = 0.9, 0.999, 1e-8
    CARRIED = ("rate", "first", "second", "steps")

    def __init__(self, weights: Sequence[Array], rate: float) -> None:
        super().__init__(weights, rate)
        self.first, self.second, self.steps = self._zeros(), self._zeros(), 0

    def step(self, directions: Sequence[Array]) -> None:
        self.steps += 1
        correction = (1 - self.SECOND**self.steps) ** 0.5
        scale = self.rate * correction / (1 - self.FIRST**self.steps)
        for W, m, s, G, scratch in zip(
            self.weights, self.first, self.second, directions, self._scratch, strict=True
        ):
            kind = W.dtype.type
            np.subtract(G, m, out=scratch)
            scratch *= kind(1 - self.FIRST)
            m += scratch
            np.square(G, out=G)
            G -= s
            G *= kind(1 - self.SECOND)
            s += G
            np.sqrt(s, out=scratch)
            scratch += kind(self.TINY * correction)
            np.divide(m, scratch, out=scratch)
            scratch *= np.asarray(scale, dtype=kind)
            W -= scratch


class DualAveraging(Optimizer):
    """Regularised dual averaging with momentum, RMDA [arXiv 2112.02612].

    A stage starts at weights W0 with V = alpha = t = 0.  Each step is

        t += 1;  beta = sqrt(t);  s = rate beta;  alpha += s;  V += s G
        W^ = prox_{(alpha / beta) strength psi}(W0 - V / beta)
        W  = (1 - c) W + c W^

    Exact zeros are in W^, which is the answer; W^ = W for c = 1.

    Parameters
    ----------
    weights : sequence of ndarray
    rate : float
        Learning rate of the first stage.
    regularizer : Regularizer
        psi, for every weight array with two or more axes.
    strength : float
        lambda.
    inertia : float
        c; it may be changed between steps.
    """

    CARRIED = ("rate", "inertia", "alpha", "steps", "start", "sums", "averaged")

    def __init__(
        self,
        weights: Sequence[Array],
        rate: float,
        regularizer: Regularizer,
        strength: float,
        inertia: float = 0.1,
    ) -> None:
        super().__init__(weights, rate)
        self.regularizer, self.strength, self.inertia = regularizer, strength, inertia
        self.averaged = [W.copy() for W in self.weights]
        self.restart(rate)

    def restart(self, rate: float) -> None:
        """Begin a stage with another learning rate, from the current weights."""
        self.rate, self.alpha, self.steps = rate, 0.0, 0
        self.start, self.sums = [W.copy() for W in self.weights], self._zeros()

    def step(self, directions: Sequence[Array]) -> None:
        self.steps += 1
        beta = float(np.sqrt(self.steps))
        s = self.rate * beta
        self.alpha += s
        tau = self.strength * self.alpha / beta
        for i, (W, G, scratch) in enumerate(
            zip(self.weights, directions, self._scratch, strict=True)
        ):
            self.sums[i] += np.multiply(G, s, out=scratch)
            np.multiply(self.sums[i], 1 / beta, out=scratch)
            averaged = np.subtract(self.start[i], scratch, out=self.averaged[i])
            if W.ndim > 1:
                averaged = self.averaged[i] = self.regularizer.prox(averaged, tau)
            W += np.multiply(np.subtract(averaged, W, out=scratch), self.inertia, out=scratch)

    def answer(self) -> list[Array]:
        return self.averaged


class ProximalGradient(Momentum):
    """ProxSGD, the baseline: v = momentum v + G;  W = prox_{rate strength psi}(W - rate v)."""

    def __init__(
        self,
        weights: Sequence[Array],
        rate: float,
        regularizer: Regularizer,
        strength: float,
        momentum: float = 0.0,
    ) -> None:
        super().__init__(weights, rate, momentum)
        self.regularizer, self.strength = regularizer, strength

    def step(self, directions: Sequence[Array]) -> None:
        super().step(directions)
        for W in self.weights:
            if W.ndim > 1:
                W[...] = self.regularizer.prox(W, self.rate * self.strength)
