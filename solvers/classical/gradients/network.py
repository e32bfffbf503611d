"""Networks of real weights, layer by layer: the forward pass and what each layer is told to change.

    Z_l = eta_l(X_l) W_l' + b_l,    X_{l+1} = phi_l(Z_l)

with eta_l the identity, a graph filter or the patches of an image: linear, so that every direction
below is in closed form.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from scipy.special import expit, ndtr, softmax

from formulations.arrays import Array
from formulations.errors import InvalidInputError

Rule = Literal["gradient", "full", "small", "last"]
RULES = ["gradient", "full", "small", "last"]

# -- linear maps of a layer's input ------------------------------------------------------------


class FeatureMap(Protocol):
    """A linear map eta of a layer's input, and its adjoint."""

    def apply(self, X: Array) -> Array:
        """eta(X), features last, shape (n, ..., features)."""
        ...

    def adjoint(self, E: Array, shape: tuple[int, ...]) -> Array:
        """The adjoint of eta at E, in the shape of the input."""
        ...


@dataclass(frozen=True)
class Identity:
    """A dense layer: the input itself."""

    def apply(self, X: Array) -> Array:
        """X."""
        return X

    def adjoint(self, E: Array, shape: tuple[int, ...]) -> Array:
        """E."""
        return E


@dataclass(frozen=True)
class GraphFilter:
    """The filtered input A X of every sample, shape (n, nodes, channels) -> the same.

    Parameters
    ----------
    matrix : ndarray of float64, shape (nodes, nodes)
        Such as :meth:`normalized`.
    """

    matrix: Array

    @classmethod
    def normalized(cls, adjacency: npt.ArrayLike) -> GraphFilter:
        """D^-1/2 (A + I) D^-1/2 with D the degrees of A + I [Kipf and Welling 2017].

        Examples
        --------
        >>> GraphFilter.normalized([[0, 1], [1, 0]]).matrix.round(12).tolist()
        [[0.5, 0.5], [0.5, 0.5]]
        """
        looped = np.asarray(adjacency, dtype=float)
        if looped.ndim != 2 or (looped != looped.T).any() or (looped < 0).any():
            raise InvalidInputError("adjacency: expected a symmetric matrix without negatives")
        looped = looped + np.eye(len(looped))
        scale = 1.0 / np.sqrt(looped.sum(axis=1))
        return cls(scale[:, None] * looped * scale)

    def apply(self, X: Array) -> Array:
        """A X."""
        return np.asarray(self.matrix @ X)

    def adjoint(self, E: Array, shape: tuple[int, ...]) -> Array:
        """A' E."""
        return np.asarray(self.matrix.T @ E)


@dataclass(frozen=True)
class Convolution:
    """The patches of images, shape (n, height, width, channels) -> (n, h', w', channels k k).

    Features are ordered as the flat weight (outputs, channels, k, k) has them.

    Parameters
    ----------
    size : int
        Side k of a patch; no padding, one step at a time.
    """

    size: int

    def apply(self, X: Array) -> Array:
        """All patches."""
        windows = np.lib.stride_tricks.sliding_window_view(X, (self.size,) * 2, axis=(1, 2))
        return np.asarray(windows.reshape(*windows.shape[:3], -1))

    def adjoint(self, E: Array, shape: tuple[int, ...]) -> Array:
        """Every feature added to the pixel that it was."""
        k, (h, w) = self.size, E.shape[1:3]
        E = E.reshape(*E.shape[:3], shape[-1], k, k)
        result = np.zeros(shape, dtype=E.dtype)
        for i in range(k):
            for j in range(k):
                result[:, i : i + h, j : j + w] += E[..., i, j]
        return result


# -- activations -------------------------------------------------------------------------------


class Unit(Protocol):
    """An activation of a hidden layer."""

    def value(self, Z: Array) -> Array:
        """phi(Z)."""
        ...

    def slope(self, Z: Array) -> Array:
        """phi'(Z)."""
        ...


@dataclass(frozen=True)
class Relu:
    """max(Z, 0)."""

    def value(self, Z: Array) -> Array:
        """phi(Z)."""
        return np.maximum(Z, 0)

    def slope(self, Z: Array) -> Array:
        """1 where Z > 0."""
        return np.asarray(Z > 0)


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-Z))."""

    def value(self, Z: Array) -> Array:
        """phi(Z)."""
        return np.asarray(expit(Z))

    def slope(self, Z: Array) -> Array:
        """phi (1 - phi)."""
        A = expit(Z)
        return np.asarray(A * (1 - A))


@dataclass(frozen=True)
class Probit:
    """The normal distribution function."""

    def value(self, Z: Array) -> Array:
        """phi(Z)."""
        return np.asarray(ndtr(Z))

    def slope(self, Z: Array) -> Array:
        """The normal density."""
        return np.asarray(np.exp(-0.5 * Z**2) / np.sqrt(2 * np.pi))


# -- the output and its loss -------------------------------------------------------------------


class Output(Protocol):
    """The last layer's activation and the loss; a batch's loss is the mean over its samples."""

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


# -- the network -------------------------------------------------------------------------------


@dataclass
class RealLayer:
    """Weights of shape (outputs, inputs[, k, k]), thresholds (outputs,) or none, and the rest."""

    W: Array
    b: Array | None
    unit: Unit | None
    features: FeatureMap = field(default_factory=Identity)

    @classmethod
    def drawn(
        cls,
        rng: np.random.Generator,
        shape: Sequence[int],
        unit: Unit | None = None,
        features: FeatureMap | None = None,
    ) -> RealLayer:
        """Weights and thresholds uniform in +-1/sqrt(inputs), as torch draws them."""
        limit = 1.0 / np.sqrt(np.prod(shape[1:]))
        W, b = rng.uniform(-limit, limit, tuple(shape)), rng.uniform(-limit, limit, shape[0])
        return cls(W, b, unit, features or Identity())

    @property
    def matrix(self) -> Array:
        """W as a matrix (outputs, features), a view."""
        return self.W.reshape(len(self.W), -1)

    @property
    def arrays(self) -> list[Array]:
        """The weights, and the thresholds if there are any."""
        return [self.W] if self.b is None else [self.W, self.b]

    def directions(self, features: Array, E: Array) -> list[Array]:
        """features' E for the weights, and the sum of E for the thresholds."""
        flat = E.reshape(-1, E.shape[-1])
        W = (flat.T @ features.reshape(len(flat), -1)).reshape(self.W.shape)
        return [W] if self.b is None else [W, flat.sum(axis=0)]


@dataclass
class RealNetwork:
    """Layers, and an output with its loss; all but the last layer have a ``unit``.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> layers = [RealLayer.drawn(rng, (4, 2), Relu()), RealLayer.drawn(rng, (3, 4))]
    >>> network = RealNetwork(layers, SoftmaxCrossEntropy())
    >>> network.predict(np.zeros((5, 2))).shape
    (5, 3)
    """

    layers: Sequence[RealLayer]
    output: Output

    @property
    def weights(self) -> list[Array]:
        """Weights and thresholds, layer by layer, to be changed in place."""
        return [a for layer in self.layers for a in layer.arrays]

    def forward(self, X: Array) -> list[tuple[Array, Array]]:
        """Features and pre-activations (eta_l(X_l), Z_l) of every layer."""
        passed = []
        for layer in self.layers:
            features = layer.features.apply(X)
            Z = features @ layer.matrix.T
            if layer.b is not None:
                Z += layer.b
            passed.append((features, Z))
            if layer.unit is not None:
                X = layer.unit.value(Z)
        return passed

    def predict(self, X: Array) -> Array:
        """What the output predicts."""
        return self.output.value(self.forward(X)[-1][1])

    def loss(self, X: Array, Y: Array) -> float:
        """Mean loss."""
        return self.output.loss(self.forward(X)[-1][1], Y)

    def directions(
        self, X: Array, Y: Array, rule: Rule = "gradient", frozen: int = 0
    ) -> list[Array]:
        """What each of ``weights`` is to be moved against, but for the first ``frozen`` layers.

        With R_l the exact derivative of the loss at a layer's output X_{l+1}, and E_l at Z_l,

        * ``gradient``: eta_l' E_l, of every layer;
        * ``full``: eta_l' R_l, as if no hidden layer had a slope of its own, and
          eta_L' (phi(Z_L) - Y) / n of the last;
        * ``small``: the same with R_l / n in the hidden layers;
        * ``last``: ``full`` of the last layer, zero of the others.
        """
        passed = self.forward(X)
        features, Z = passed[-1]
        exact = self.output.slope(Z, Y)
        used = exact if rule == "gradient" else self.output.residual(Z, Y)
        found = self.layers[-1].directions(features, used)
        for number in range(len(self.layers) - 2, frozen - 1, -1):
            layer, above = self.layers[number], self.layers[number + 1]
            if rule == "last":
                found[:0] = [np.zeros_like(a) for a in layer.arrays]
                continue
            features, Z = passed[number]
            assert layer.unit is not None
            after = above.features.adjoint(exact @ above.matrix, Z.shape)  # R_l, then E_l
            exact = after * layer.unit.slope(Z)
            used = exact if rule == "gradient" else after
            found[:0] = layer.directions(features, used / len(X) if rule == "small" else used)
        return found
