"""Stack of layers: the forward pass, and the directions of each layer.

    Z_l = eta_l(X_l) W_l' + b_l,    X_{l+1} = phi_l(Z_l)

with eta_l the identity, a graph filter or the patches of an image.  The weights are real numbers
(:class:`RealLayer`) or latent ones that count as levels of a code
(:class:`~solvers.classical.gradients.latent_layer.LatentLayer`).  The same passes train both.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from formulations.arrays import Array
from solvers.classical.gradients.features import FeatureMap, Identity
from solvers.classical.gradients.outputs import Output
from solvers.classical.gradients.units import Unit

Rule = Literal["gradient", "full", "small", "last"]

Passed = tuple[tuple[int, ...], Array, Array | None]
"""A layer's record for the backward pass: shape of its input, features, slopes of its units."""


class Layer(ABC):
    """Weights and thresholds with the feature map of their input and their units."""

    features: FeatureMap
    unit: Unit | None

    @property
    def arrays(self) -> list[Array]:
        """Trained arrays: the weights, and the thresholds if there are any."""
        return []

    @abstractmethod
    def pre_activations(self, features: Array) -> Array:
        """Return the pre-activations Z of features."""

    def slope(self, Z: Array) -> Array:
        """Return the derivative of the units at Z, or its surrogate."""
        assert self.unit is not None
        return self.unit.slope(Z)

    def directions(self, features: Array, E: Array) -> list[Array]:
        """Return derivatives of ``arrays``; E at Z may become :meth:`centred_slope` in place."""
        return []

    def centred_slope(self, E: Array) -> Array:
        """Return E at Z as seen at eta(X) W'; it differs if thresholds follow the mean."""
        return E

    def back(self, E: Array) -> Array:
        """Return the derivative at eta(X) for E at eta(X) W'."""
        return E


@dataclass
class RealLayer(Layer):
    """Layer with real weights (outputs, inputs[, k, k]) and thresholds (outputs,) or none."""

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
        """Draw weights and thresholds uniformly in +-1/sqrt(inputs), as torch does."""
        limit = 1.0 / np.sqrt(np.prod(shape[1:]))
        W, b = rng.uniform(-limit, limit, tuple(shape)), rng.uniform(-limit, limit, shape[0])
        return cls(W, b, unit, features or Identity())

    @property
    def matrix(self) -> Array:
        """View of W as a matrix (outputs, features)."""
        return self.W.reshape(len(self.W), -1)

    @property
    def arrays(self) -> list[Array]:
        return [self.W] if self.b is None else [self.W, self.b]

    def pre_activations(self, features: Array) -> Array:
        Z = features @ self.matrix.T
        if self.b is not None:
            Z += self.b
        return np.asarray(Z)

    def directions(self, features: Array, E: Array) -> list[Array]:
        """Return features' E for the weights and the sum of E for the thresholds."""
        flat = E.reshape(-1, E.shape[-1])
        W = (flat.T @ features.reshape(len(flat), -1)).reshape(self.W.shape)
        return [W] if self.b is None else [W, flat.sum(axis=0)]

    def back(self, E: Array) -> Array:
        return np.asarray(E @ self.matrix)


class Stack:
    """Layers and an output with its loss; all but the last layer have a ``unit``.

    Examples
    --------
    >>> from solvers.classical.gradients.outputs import softmax_cross_entropy
    >>> from solvers.classical.gradients.units import relu
    >>> rng = np.random.default_rng(0)
    >>> layers = [RealLayer.drawn(rng, (4, 2), relu()), RealLayer.drawn(rng, (3, 4))]
    >>> network = Stack(layers, softmax_cross_entropy())
    >>> network.predict(np.zeros((5, 2))).shape
    (5, 3)
    """

    def __init__(self, layers: Sequence[Layer], output: Output) -> None:
        self.layers, self.output = layers, output

    @property
    def arrays(self) -> list[Array]:
        """Weights and thresholds, layer by layer, to change in place."""
        return [a for layer in self.layers for a in layer.arrays]

    def forward(
        self,
        X: Array,
        passed: list[Passed] | None = None,
        dropout: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Return the pre-activations of the last layer.

        Parameters
        ----------
        X : ndarray
        passed : list, optional
            Filled with every layer's record for the backward pass.
        dropout : float
            Share of the hidden units that are dropped, drawn by ``rng``.  [Srivastava et al.
            2014.]
        rng : Generator, optional
        """
        for layer in self.layers:
            features, shape, slope = layer.features.apply(X), X.shape, None
            Z = layer.pre_activations(features)
            if layer.unit is not None:
                slope = None if passed is None else layer.slope(Z)
                X = layer.unit.value(Z)
                if dropout and rng is not None:
                    kept = (rng.random(X.shape, dtype=np.float32) >= dropout).astype(X.dtype)
                    kept *= X.dtype.type(1 / (1 - dropout))
                    X = X * kept
                    slope = None if slope is None else slope * kept
            if passed is not None:
                passed.append((shape, features, slope))
        return Z

    def predict(self, X: Array) -> Array:
        """Return the output's predictions."""
        return self.output.value(self.forward(X))

    def loss(self, X: Array, Y: Array) -> float:
        return self.output.loss(self.forward(X), Y)

    def directions(
        self,
        X: Array,
        Y: Array,
        rule: Rule = "gradient",
        frozen: int = 0,
        dropout: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> list[Array]:
        """Return the directions to move ``arrays`` against, without the ``frozen`` first layers.

        Let R_l and E_l be the exact derivatives of the loss at a layer's output X_{l+1} and at Z_l.

        * ``gradient``: eta_l' E_l in every layer;
        * ``full``: eta_l' R_l, as if no hidden layer had a slope of its own, and
          eta_L' (phi(Z_L) - Y) / n of the last;
        * ``small``: the same with R_l / n in the hidden layers;
        * ``last``: ``full`` in the last layer, zero in the others.
        """
        passed: list[Passed] = []
        Z = self.forward(X, passed, dropout, rng)
        exact = self.output.slope(Z, Y)
        used = exact if rule == "gradient" else self.output.residual(Z, Y)
        found: list[Array] = []
        for number in range(len(self.layers) - 1, frozen - 1, -1):
            layer = self.layers[number]
            if rule == "last" and found:
                found[:0] = [np.zeros_like(a) for a in layer.arrays]
                continue
            shape, features, _ = passed[number]
            found[:0] = layer.directions(features, used)
            if number == frozen or rule == "last":
                continue
            if used is not exact:
                exact = layer.centred_slope(exact)
            after = layer.features.adjoint(layer.back(exact), shape)  # R_l
            slope = passed[number - 1][2]
            if rule == "gradient":
                after *= slope
                exact = used = after
            else:
                exact = after * slope
                used = after / len(X) if rule == "small" else after
        return found
