"""Widths of thresholds, shifts of activations and spreads of outputs, derived from the inputs.

All are known before training.  Thresholds get enough bits for the bounds of their pre-activation by
interval propagation.  The shift of a clip-and-shift activation and the scale of a loss follow from
the spread of a pre-activation under random weights of mean zero,

    spread_l = rms level_l * sqrt(sum_i var a_i),

if integer thresholds can compensate the mean; without them the second moment of a_i replaces its
variance, because z is then measured from zero.
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
from formulations.network.activations import is_sign
from formulations.network.codes import AUTO, WIDEST_INTEGER, integer
from formulations.network.layer import Layer, bias_unit, lattice_units
from formulations.network.splines import Spline

BLOCK = 4096
"""Number of samples processed together."""

TRAINED = 1.75
"""Spread of pre-activations after training relative to random weights; measured: 1.5 to 2."""


@dataclass(frozen=True)
class _Moments:
    """Mean square and variance over the samples of each input of a layer."""

    square: FloatArray
    variance: FloatArray

    @classmethod
    def of_inputs(cls, X: IntArray) -> _Moments:
        """Compute the moments of the data, block by block to avoid a copy."""
        square, total = np.zeros(X.shape[1]), np.zeros((2, X.shape[1]))
        for start in range(0, len(X), BLOCK):
            block = X[start : start + BLOCK].astype(float)
            square += np.square(block).sum(axis=0)
            block -= X[0]  # centred first, so that squares of large numbers lose no digits
            total += block.sum(axis=0), np.square(block).sum(axis=0)
        mean, mean_square = total / len(X)
        return cls(square / len(X), np.maximum(mean_square - mean**2, 0.0))

    @classmethod
    def of_activations(cls, spline: Spline, spread: float, units: int) -> _Moments:
        """Compute the moments of activations of normal pre-activations, in lattice units."""
        values = spline.units(np.rint(TRAINED * spread * _normal_quantiles()).astype(np.int64))
        return cls(np.full(units, np.square(values).mean()), np.full(units, values.var()))

    def spread(self, layer: Layer) -> float:
        """Return the standard deviation of a pre-activation; 1 if nothing varies."""
        centred = layer.bias_code is not None and layer.bias_code.is_integer
        weight = np.full(layer.inputs, np.square(layer.code.levels, dtype=float).mean())
        if layer.ties is not None:  # mean over the units
            ties = layer.ties
            fixed = np.square(ties.levels[:, :-1], dtype=float).mean(axis=0)
            weight = weight * (ties.numbers[:, :-1] >= 0).mean(axis=0) + fixed
        square, variance = float(weight @ self.square), float(weight @ self.variance)
        return (variance if centred and variance > 0 else square) ** 0.5 or 1.0


@cache
def _normal_quantiles() -> FloatArray:
    """Return 256 equally likely values of a standard normal variable."""
    normal = NormalDist()
    return np.array([normal.inv_cdf((i + 0.5) / 256) for i in range(256)])


def placed(
    layers: Sequence[Layer], X: IntArray
) -> tuple[tuple[Layer, ...], tuple[Spline, ...], int, int]:
    """Derive widths of thresholds, shifts and splines of activations from the inputs.

    Thresholds cover the range of their pre-activation without thresholds; a shift spans ``reach``
    spreads after training, 2^shift = reach * spread / levels.  All weights are free, so that one
    unit represents all units with the same inputs.

    Parameters
    ----------
    layers : sequence of Layer
    X : ndarray of int, shape (N, inputs)

    Returns
    -------
    layers : tuple of Layer
        The layers with all derived options.
    splines : tuple of Spline
        Activation of each hidden layer.
    low, high : int
        Bounds of all outputs for free weights.
    """
    done: list[Layer] = []
    splines: list[Spline] = []
    a_low, a_high = X, X
    moments = _Moments.of_inputs(X) if any(layer.is_open for layer in layers) else None
    z_low = z_high = np.zeros(0, dtype=np.int64)
    for number, layer in enumerate(layers, start=1):
        unit = bias_unit(layer, lattice_units(splines)[-1])
        low, high = _weighted_bounds(layer, unit, a_low, a_high)
        if moments is not None:
            spread = moments.spread(layer)
            layer = _completed(layer, spread, max(-int(low.min()), int(high.max()), 1))
        bias = (layer.bias_code.low, layer.bias_code.high) if layer.bias_code else (0, 0)
        if layer.ties is not None and not layer.num_stored[1]:
            bias = (0, 0)  # fixed thresholds are in the bounds already
        largest = np.maximum(np.abs(a_low).max(axis=0), np.abs(a_high).max(axis=0))
        weight = layer.inputs // len(largest) * max(abs(layer.code.low), abs(layer.code.high))
        most = np.array([max(map(abs, bias))])
        check_exact(
            number, largest[None].astype(float), np.full((1, len(largest)), weight), unit, most
        )
        z_low, z_high = low + unit * bias[0], high + unit * bias[1]
        done.append(layer)
        if layer.activation is None:
            break
        spline = layer.place(int(z_low.min()), int(z_high.max()))
        splines.append(spline)
        if moments is not None:
            moments = _Moments.of_activations(spline, spread, layer.outputs)
        least, greatest = spline.bounds(z_low[:, None], z_high[:, None])
        a_low, a_high = least.astype(np.int64), greatest.astype(np.int64)
    return tuple(done), tuple(splines), int(z_low.min()), int(z_high.max())


def _completed(layer: Layer, spread: float, most: int) -> Layer:
    """Add the width of thresholds and the shift to a layer, where ``most`` bounds its sums."""
    if layer.clip is not None and layer.scale is None:
        span = TRAINED * layer.clip.reach * spread / (layer.clip.high - layer.clip.low + 1)
        layer = replace(layer, scale=2 ** max(0, round(log2(span))))
    if layer.bias_code == AUTO:
        width = min(most.bit_length() + 1, WIDEST_INTEGER)
        layer = replace(layer, bias_code=integer(width))
        act = layer.activation
        if act is not None and not is_sign(act) and layer.scale is None:
            # the range of the thresholds must not enlarge the scale of z
            layer = replace(layer, scale=layer.effective_scale(-most, most))
    return layer


def _weighted_bounds(
    layer: Layer, unit: int, a_low: IntArray, a_high: IntArray
) -> tuple[IntArray, IntArray]:
    """Bound the weighted sum and fixed threshold of any unit, each of shape (N,).

    The bounds of the inputs have a column for each input, or one column for all.
    """
    low, high = np.empty(len(a_low), dtype=np.int64), np.empty(len(a_low), dtype=np.int64)
    free, fixed, thresholds = _kinds(layer)
    if a_low.shape[1] < layer.inputs:
        up, down = np.maximum(fixed, 0).sum(axis=1), np.minimum(fixed, 0).sum(axis=1)
        kinds = np.stack([free.sum(axis=1), up, down, thresholds], axis=1)
        free, up, down, thresholds = np.unique(kinds, axis=0).T[:, :, None]
        thresholds = thresholds[:, 0]
    else:
        up, down = np.maximum(fixed, 0), np.minimum(fixed, 0)
    for start in range(0, len(a_low), BLOCK):
        rows = slice(start, start + BLOCK)
        least, greatest = a_low[rows], a_high[rows]
        ends = {id(a): a[rows] for a in (a_low, a_high)}.values()
        corners = [w * a for w in (layer.code.low, layer.code.high) for a in ends]
        # integers far below 2^53, as check_exact ensures
        below = np.minimum.reduce(corners) @ free.T + unit * thresholds
        above = np.maximum.reduce(corners) @ free.T + unit * thresholds
        if fixed.any():
            below += least @ up.T + greatest @ down.T
            above += greatest @ up.T + least @ down.T
        low[rows], high[rows] = below.min(axis=1), above.max(axis=1)
    return low, high


def _kinds(layer: Layer) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return masks of free weights, fixed weights, and fixed thresholds of the kinds of units.

    The shapes are (K, inputs), (K, inputs) and (K,), with one row for units that see the same.
    """
    if layer.ties is None:
        return np.ones((1, layer.inputs)), np.zeros((1, layer.inputs)), np.zeros(1)
    ties, units = layer.ties, np.arange(layer.outputs)
    if ties.window is not None:  # one filter represents each group
        window = ties.window
        units = units.reshape(window.groups, -1)[:, : window.taps.shape[1]].ravel()
    numbers, levels = ties.numbers[units], ties.levels[units].astype(float)
    return (numbers[:, :-1] >= 0).astype(float), levels[:, :-1], levels[:, -1]


def output_spread(layers: Sequence[Layer], splines: Sequence[Spline], X: IntArray) -> float:
    """Return the spread of an output under random weights, in steps of the output's lattice.

    It is halved if hidden units have several levels, since training leaves most units near one end.
    On Fashion-MNIST (196-64-10, 10,000 samples, cross-entropy) relu:4 reaches an accuracy of .833
    with half the spread and .825 with all of it, hard-tanh:4 .830 and .823, sign .810 and .817.

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
