"""Convolutions and poolings in a stack: each window is a sample of a dense layer.

Within a stack the units of a convolution are ordered by sample, then place, shape (R, B places,
filters).  The filters are thus one dense layer for all places: one matrix product, and thresholds
that follow the mean over samples and places.  A network numbers inputs and units by channel, then
place; ``columns`` maps each one in the stack to its column in the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from formulations.arrays import Array, FloatArray, IntArray
from formulations.errors import InvalidInputError
from formulations.network.layer import Layer
from formulations.network.ties import Window
from formulations.network.weight_bits import FreeLayer
from solvers.classical.gradients.features import FeatureMap, Identity
from solvers.classical.gradients.latent_layer import LatentLayer
from solvers.classical.gradients.stack import Layer as StackedLayer
from solvers.classical.gradients.units import Unit
from solvers.run.checkpoint import Carried


@dataclass(frozen=True)
class Patches:
    """Patches of all places, (R, B pixels, channels) -> (R, B places, down across channels).

    Parameters
    ----------
    window : Window
    first : bool
        True if images have the network's order, (R, B, channels pixels).
    """

    window: Window
    first: bool

    def images(self, X: Array) -> Array:
        """Return padded images, shape (R, B, height, width, channels)."""
        channels, height, width = self.window.shape
        if self.first:
            X = np.moveaxis(X.reshape(len(X), -1, channels, height, width), 2, 4)
        X = X.reshape(len(X), -1, height, width, channels)
        down, across = self.window.padding
        if down or across:
            X = np.pad(X, ((0, 0), (0, 0), (down, down), (across, across), (0, 0)))
        return X

    def apply(self, X: Array) -> Array:
        """Return a copy of all patches."""
        (down, across), images = self.window.stride, self.images(X)
        views = np.lib.stride_tricks.sliding_window_view(images, self.window.size, axis=(2, 3))
        views = views[:, :, ::down, ::across].transpose(0, 1, 2, 3, 5, 6, 4)
        return np.asarray(views.reshape(len(X), -1, self.window.num_taps))

    def adjoint(self, E: Array, shape: tuple[int, ...]) -> Array:
        """Add every feature to its pixel."""
        channels, height, width = self.window.shape
        (top, left), size = self.window.padding, self.window.size
        parts = E.reshape(len(E), -1, *self.window.units[1:], *size, channels)
        total = np.zeros(
            (*parts.shape[:2], height + 2 * top, width + 2 * left, channels), dtype=E.dtype
        )
        for place, rows, columns in self._places():
            total[:, :, rows, columns] += parts[:, :, :, :, *place]
        return total[:, :, top : top + height, left : left + width].reshape(shape)

    def _places(self) -> list[tuple[tuple[int, int], slice, slice]]:
        """Return for each tap the rows and columns that all places see through it."""
        (down, across), (_, rows, columns) = self.window.stride, self.window.units
        return [
            (
                (i, j),
                slice(i, i + down * (rows - 1) + 1, down),
                slice(j, j + across * (columns - 1) + 1, across),
            )
            for i in range(self.window.size[0])
            for j in range(self.window.size[1])
        ]

    @property
    def columns(self) -> IntArray:
        """Tap of each feature; taps are ordered by channel first."""
        taps = np.arange(self.window.num_taps).reshape(-1, *self.window.size)
        return np.moveaxis(taps, 0, 2).ravel()


class Sums(Patches):
    """Sum of each place's patch, channel by channel."""

    def apply(self, X: Array) -> Array:
        """Return all sums, shape (R, B places, channels)."""
        images = self.images(X)
        total = sum(images[:, :, rows, columns] for _, rows, columns in self._places())
        return np.asarray(total).reshape(len(X), -1, self.window.shape[0])

    def adjoint(self, E: Array, shape: tuple[int, ...]) -> Array:
        """Add every sum to the pixels of its patch."""
        channels, height, width = self.window.shape
        E = E.reshape(len(E), -1, *self.window.units[1:], channels)
        total = np.zeros((*E.shape[:2], height, width, channels), dtype=E.dtype)
        for _, rows, columns in self._places():
            total[:, :, rows, columns] += E
        return total.reshape(shape)


@dataclass(frozen=True)
class Flat:
    """Map of all places' units to the inputs of a dense layer, place by place."""

    window: Window

    def apply(self, X: Array) -> Array:
        """Reshape (R, B places, filters) -> (R, B, places filters)."""
        return X.reshape(len(X), -1, int(np.prod(self.window.units)))

    def adjoint(self, E: Array, shape: tuple[int, ...]) -> Array:
        """Reshape E to the shape of the input."""
        return E.reshape(shape)

    @property
    def columns(self) -> IntArray:
        """Network input of each feature."""
        filters, *places = self.window.units
        return np.arange(filters * int(np.prod(places))).reshape(filters, -1).T.ravel()


class Pooling(Carried, StackedLayer):
    """Untrained layer: units with fixed weights, all +1, and a fixed threshold."""

    folded = False

    def __init__(self, layer: Layer, window: Window, unit: Unit | None, first: bool) -> None:
        self.layer, self.window, self.unit = layer, window, unit
        self.threshold = window.pooled or 0
        self.features: FeatureMap = Sums(window, first)

    def largest(self, a: float) -> float:
        return self.window.num_taps * a + abs(self.threshold)

    def stored(self) -> FloatArray:
        """Return the threshold of all units."""
        return np.full((1, 1), self.threshold, dtype=np.float32)

    def products(self, features: FloatArray) -> FloatArray:
        return features

    def pre_activations(self, features: Array) -> Array:
        return np.asarray(features + features.dtype.type(self.threshold))

    def slope(self, Z: Array) -> Array:
        """Return the slope of the units; of a step, over all sums."""
        assert self.unit is not None
        return self.unit.slope(Z, Z.dtype.type(self.window.num_taps))

    def matrix(self, network: int) -> FloatArray:
        assert self.layer.ties is not None
        return self.layer.ties.levels.astype(float)


class Filters(LatentLayer):
    """Filters of a convolution, as a dense layer on the patches of its window."""

    def __init__(
        self,
        layer: Layer,
        free: FreeLayer | None,
        factor: int,
        unit: Unit | None,
        *,
        rounded: bool,
        order: IntArray | None = None,
    ) -> None:
        assert layer.ties is not None
        self.ties, window = layer.ties, layer.ties.window
        assert window is not None
        if window.groups > 1:
            raise InvalidInputError(
                f"{window} in {window.groups} groups: gradients train convolutions of all channels"
            )
        shape = window.filters, window.num_taps
        filters = replace(layer, inputs=shape[1], outputs=shape[0], ties=None)
        if free is not None:
            thresholds = np.arange(shape[0]) * (layer.outputs // shape[0])

            def part(values: IntArray) -> IntArray:
                taps = values[window.first].reshape(*shape, *values.shape[2:])
                return np.concatenate([taps, values[thresholds, -1:]], axis=1)

            _, source = window.first
            rows = np.append(source[: shape[1]], -1)
            free = FreeLayer(part(free.fixed), part(free.slot), free.coefficient[rows])
        super().__init__(filters, free, factor, unit, rounded=rounded, order=order)

    def matrix(self, network: int) -> FloatArray:
        filters, window = super().matrix(network), self.ties.window
        assert window is not None
        stored = np.zeros(len(self.ties.first))
        stored[self.ties.numbers[window.first]] = filters[:, :-1].ravel()
        if self.layer.bias_code is not None:
            last = self.ties.numbers[:: len(self.ties.numbers) // len(filters), -1]
            stored[last] = filters[:, -1]
        return self.ties.expand(stored)


def latent_layers(
    layers: Sequence[Layer],
    free: Sequence[FreeLayer | None],
    factors: Sequence[int],
    units: Sequence[Unit | None],
    *,
    rounded: bool,
) -> list[LatentLayer | Pooling]:
    """Return a network's layers for a stack; each image layer reads the image of the one below.

    Parameters
    ----------
    layers, free, factors, units
        One entry per layer, see :class:`LatentLayer`.
    rounded : bool
    """
    parts: list[LatentLayer | Pooling] = []
    below: Window | None = None
    for number, (layer, held, factor, unit) in enumerate(
        zip(layers, free, factors, units, strict=True)
    ):
        ties = layer.ties
        window = None if ties is None else ties.window
        if ties is not None and window is None:
            raise InvalidInputError(
                f"{ties!r} in layer {number + 1}: gradients train shared weights of convolutions; "
                "take a search, such as LargeNeighborhoodSearch"
            )
        reads: FeatureMap = Identity()
        if window is not None and window.pooled is not None:
            parts.append(Pooling(layer, window, unit, number == 0))
        elif window is not None:
            reads = Patches(window, number == 0)
            parts.append(Filters(layer, held, factor, unit, rounded=rounded, order=reads.columns))
        elif below is not None:
            reads = Flat(below)
            parts.append(
                LatentLayer(layer, held, factor, unit, rounded=rounded, order=reads.columns)
            )
        else:
            parts.append(LatentLayer(layer, held, factor, unit, rounded=rounded))
        if not isinstance(parts[-1], Pooling):
            parts[-1].features = reads
        below = window
    return parts
