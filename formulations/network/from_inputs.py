"""What follows from the inputs: widths of thresholds, shifts of activations, spreads of outputs.

All of it is known before training.  A threshold gets the bits that interval propagation allows its
pre-activation.  The shift of a clip-and-shift activation, and the scale of a loss, follow from the
spread of a pre-activation under random weights of mean zero,

    spread_l = rms level_l * sqrt(sum_i var a_i),

where integer thresholds can move the mean to anywhere; without them the second moment of a_i
stands for its variance, since the activation then sees z about zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import log2
from statistics import NormalDist

import numpy as np

from formulations.array_checks import check_exact
from formulations.arrays import FloatArray, IntArray
from formulations.network.codes import AUTO, WIDEST_INTEGER, integer
from formulations.network.intervals import LayerBox, pre_activation_bounds
from formulations.network.layer import Layer, bias_unit, lattice_units
from formulations.network.splines import Spline

TRAINED = 1.75
"""Spread of pre-activations after training over that under random weights: 1.5 to 2 measured."""


@dataclass(frozen=True)
class _Moments:
    """Sums over a layer's inputs of their mean square and of their variance over samples."""

    square: float
    variance: float

    @classmethod
    def of_inputs(cls, X: IntArray) -> _Moments:
        """Of the data."""
        return cls(float(np.square(X, dtype=float).mean(axis=0).sum()), float(X.var(axis=0).sum()))

    @classmethod
    def of_activations(cls, spline: Spline, spread: float, units: int) -> _Moments:
        """Of activations whose pre-activations are normal, in units of the spline's lattice."""
        values = spline.units(np.rint(TRAINED * spread * _normal_quantiles()).astype(np.int64))
        return cls(units * float(np.square(values).mean()), units * float(values.var()))

    def spread(self, layer: Layer) -> float:
        """Standard deviation of a pre-activation, and 1 where nothing varies."""
        centred = layer.bias_code is not None and layer.bias_code.is_integer
        rms = float(np.sqrt(np.square(layer.code.levels, dtype=float).mean()))
        total = self.variance if centred and self.variance > 0 else self.square
        return rms * total**0.5 or 1.0


@cache
def _normal_quantiles() -> FloatArray:
    """256 equally likely values of a standard normal variable."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / 256) for i in range(256)])


def completed(layers: Sequence[Layer], X: IntArray) -> tuple[Layer, ...]:
    """The layers with every width of thresholds and every shift of an activation known.

    Thresholds reach as far as their pre-activation without them, to either side; a shift spans
    ``reach`` spreads after training, 2^shift = reach * spread / levels.

    Parameters
    ----------
    layers : sequence of Layer
    X : ndarray of int, shape (N, inputs)
    """
    done: list[Layer] = []
    placed: list[Spline] = []
    a_low = a_high = X
    moments = _Moments.of_inputs(X)
    for number, layer in enumerate(layers, start=1):
        spread = moments.spread(layer)
        if layer.clip is not None and layer.scale is None:
            span = TRAINED * layer.clip.reach * spread / (layer.clip.high - layer.clip.low + 1)
            layer = replace(layer, scale=2 ** max(0, round(log2(span))))
        unit = bias_unit(layer, lattice_units(placed)[-1])
        bare = replace(layer, outputs=1, bias_code=None)
        z_low, z_high = _bounds(number, bare, unit, a_low, a_high)
        if layer.bias_code == AUTO:
            most = max(-int(z_low.min()), int(z_high.max()), 1)
            width = min(most.bit_length() + 1, WIDEST_INTEGER)
            layer = replace(layer, bias_code=integer(width))
            if layer.activation is not None and layer.scale is None:
                # the range that thresholds add says nothing about the size of z
                scale = layer.effective_scale(int(z_low.min()), int(z_high.max()))
                layer = replace(layer, scale=scale)
        done.append(layer)
        if layer.activation is None:
            break
        z_low, z_high = _bounds(number, replace(layer, outputs=1), unit, a_low, a_high)
        spline = layer.place(int(z_low.min()), int(z_high.max()))
        placed.append(spline)
        moments = _Moments.of_activations(spline, spread, layer.outputs)
        low, high = spline.bounds(z_low, z_high)
        a_low = np.repeat(low.astype(np.int64), layer.outputs, axis=1)
        a_high = np.repeat(high.astype(np.int64), layer.outputs, axis=1)
    return tuple(done)


def _bounds(
    number: int, layer: Layer, unit: int, a_low: IntArray, a_high: IntArray
) -> tuple[IntArray, IntArray]:
    """Bounds of one unit's pre-activation, all its weights free, each of shape (N, 1)."""
    box = LayerBox.free(layer)
    largest = np.maximum(np.abs(a_low), np.abs(a_high)).max(axis=0, keepdims=True)
    weights = np.maximum(np.abs(box.weight_low), np.abs(box.weight_high))
    bias = np.maximum(np.abs(box.bias_low), np.abs(box.bias_high))
    check_exact(number, largest.astype(float), weights, unit, bias)
    return pre_activation_bounds(box, unit, a_low, a_high)


def output_spread(layers: Sequence[Layer], splines: Sequence[Spline], X: IntArray) -> float:
    """Spread of an output under random weights, in steps of the output's lattice.

    Half of it where hidden units have several levels: training leaves most of them near one end.
    Fashion-MNIST, 196-64-10, 10,000 samples, cross-entropy: relu:4 answers .833 right at half its
    spread and .825 at all of it, hard-tanh:4 .830 and .823, sign .810 and .817.

    Examples
    --------
    >>> from formulations import Network
    >>> from formulations.network.splines import sign
    >>> net = Network.dense([2, 64, 10])
    >>> output_spread(net.layers, [sign()], np.array([[1, -1], [-1, -1]]))
    8.0
    """
    moments = _Moments.of_inputs(X)
    for layer, spline in zip(layers, splines, strict=False):
        moments = _Moments.of_activations(spline, moments.spread(layer), layer.outputs)
    graded = len(splines) > 0 and splines[-1].num_pieces > 2
    return moments.spread(layers[-1]) * (0.5 if graded else 1.0)
