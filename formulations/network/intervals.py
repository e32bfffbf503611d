"""Forward interval propagation: bounds on every pre-activation, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from formulations.arrays import FloatArray, IntArray
from formulations.network.layer import Layer, bias_unit, lattice_units
from formulations.network.splines import Spline


@dataclass(frozen=True)
class LayerBox:
    """Bounds of one layer's weight levels and thresholds, shapes (n_out, n_in) and (n_out,)."""

    weight_low: IntArray
    weight_high: IntArray
    bias_low: IntArray
    bias_high: IntArray


@dataclass(frozen=True)
class LayerBounds:
    """Bounds of one layer over all samples, integer arrays of shape (N, n).

    ``z_low <= z <= z_high`` are the pre-activations; ``a_low <= a <= a_high`` the *inputs* of the
    layer, in units of the lattice.
    """

    a_low: IntArray
    a_high: IntArray
    z_low: IntArray
    z_high: IntArray


def least_products(
    w_low: npt.ArrayLike, w_high: npt.ArrayLike, a_low: npt.ArrayLike, a_high: npt.ArrayLike
) -> FloatArray:
    """Compute sum_i min { w a : w in [w_low, w_high]_ji, a in [a_low, a_high]_ki }, (N, n_out).

    The least corner products are grouped by the sign of w, so that matrix products suffice: w >= 0
    takes a_low and w <= 0 takes a_high; only boxes of w across zero need both ends.

    Parameters
    ----------
    w_low, w_high : array, shape (n_out, n_in)
    a_low, a_high : array, shape (N, n_in)

    Examples
    --------
    >>> least_products([[-1, 2]], [[1, 2]], [[-3, 1]], [[2, 4]]).tolist()
    [[-1.0]]
    """
    wl, wh = np.asarray(w_low, dtype=float), np.asarray(w_high, dtype=float)
    al, ah = np.asarray(a_low, dtype=float), np.asarray(a_high, dtype=float)
    positive, negative = wl >= 0, (wh <= 0) & (wl < 0)
    mixed = ~(positive | negative)
    total = np.zeros((al.shape[0], wl.shape[0]))
    for mask, a in ((positive, al), (negative, ah)):
        if mask.any():
            total += np.maximum(a, 0) @ (wl * mask).T + np.minimum(a, 0) @ (wh * mask).T
    if mixed.any():
        low, high = wl * mixed, wh * mixed
        if np.array_equal(low, -high):  # symmetric boxes, as of all codes but codebooks: -w max|a|
            total -= np.maximum(np.maximum(ah, 0), -np.minimum(al, 0)) @ high.T
        else:
            top, bottom = np.maximum(ah, 0), np.minimum(al, 0)
            for j in np.flatnonzero(mixed.any(axis=1)):
                total[:, j] += np.minimum(top * low[j], bottom * high[j]).sum(axis=1)
    return total


def pre_activation_bounds(
    box: LayerBox, unit: int, a_low: IntArray, a_high: IntArray
) -> tuple[IntArray, IntArray]:
    """Bound z = W a + unit b for weights in ``box``; both results have shape (N, n_out)."""
    low = least_products(box.weight_low, box.weight_high, a_low, a_high) + unit * box.bias_low
    high = unit * box.bias_high - least_products(-box.weight_high, -box.weight_low, a_low, a_high)
    return low.astype(np.int64), high.astype(np.int64)


def propagate_around(
    layers: Sequence[Layer],
    X: IntArray,
    splines: tuple[Spline, ...],
    boxes: Sequence[LayerBox],
    levels: Sequence[IntArray],
    z: Sequence[IntArray],
) -> list[LayerBounds]:
    """Compute the bounds of :func:`propagate` from an incumbent, at the cost of what may change.

    For the columns C of undecided inputs or weights, its share is replaced by the bounds:

        low = z + least(W_C, a_C) - W_C a_C.

    Parameters
    ----------
    layers, X, splines, boxes
        As for :func:`propagate`.
    levels : list of ndarray of int, shape (n_out, n_in + 1)
        The incumbent's weights of each layer, with the thresholds in the last column.
    z : list of ndarray of int, shape (N, n_out)
        Pre-activations of each layer under these weights.
    """
    units = [bias_unit(*pair) for pair in zip(layers, lattice_units(splines), strict=True)]
    bounds: list[LayerBounds] = []
    a = a_low = a_high = X
    for number, box in enumerate(boxes):
        loose = box.weight_low < box.weight_high
        moving = (a_low < a_high).any(axis=0) if number else np.zeros(X.shape[1], dtype=bool)
        columns = np.flatnonzero(moving | loose.any(axis=0))
        rows = np.flatnonzero(loose.any(axis=1) | (box.bias_low < box.bias_high) | moving.any())
        part = np.ix_(rows, columns)
        level = levels[number]
        inner = LayerBox(
            box.weight_low[part], box.weight_high[part], box.bias_low[rows], box.bias_high[rows]
        )
        rest = z[number][:, rows] - units[number] * level[rows, -1]
        if len(columns):
            rest = rest - (a[:, columns].astype(float) @ level[part].T).astype(np.int64)
        low, high = pre_activation_bounds(
            inner, units[number], a_low[:, columns], a_high[:, columns]
        )
        z_low, z_high = z[number].copy(), z[number].copy()
        z_low[:, rows], z_high[:, rows] = rest + low, rest + high
        bounds.append(LayerBounds(a_low, a_high, z_low, z_high))
        if number < len(splines):
            a = splines[number].units(z[number]).astype(np.int64)
            a_low, a_high = a.copy(), a.copy()
            least, greatest = splines[number].bounds(z_low[:, rows], z_high[:, rows])
            a_low[:, rows], a_high[:, rows] = least, greatest
    return bounds


def propagate(
    layers: Sequence[Layer],
    X: IntArray,
    splines: tuple[Spline, ...],
    boxes: Sequence[LayerBox],
) -> list[LayerBounds]:
    """Compute the bounds of every layer for weights anywhere in their boxes.

    Parameters
    ----------
    layers : sequence of Layer
    X : array of int, shape (N, inputs)
    splines : tuple of Spline
        Activation of each hidden layer.
    boxes : sequence of LayerBox
        Bounds of the weights.
    """
    units = [bias_unit(*pair) for pair in zip(layers, lattice_units(splines), strict=True)]
    bounds: list[LayerBounds] = []
    a_low, a_high = X, X
    for number, box in enumerate(boxes):
        z_low, z_high = pre_activation_bounds(box, units[number], a_low, a_high)
        bounds.append(LayerBounds(a_low, a_high, z_low, z_high))
        if number < len(splines):
            low, high = splines[number].bounds(z_low, z_high)
            a_low, a_high = low.astype(np.int64), high.astype(np.int64)
    return bounds
