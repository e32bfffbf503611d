"""Parts of a trained network in the form that exports write: activations, input thresholds."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from formulations.arrays import Array, IntArray
from formulations.errors import InvalidInputError
from formulations.network.codes import WeightCode, codebook
from formulations.network.layer import Layer
from formulations.network.splines import Spline
from qnn.export.trained import TrainedModel


def stored_part(
    layer: Layer, matrix: IntArray, bias: IntArray | None
) -> tuple[WeightCode, WeightCode | None, IntArray, IntArray | None]:
    """Return codes, weights and thresholds of a layer as exports store them.

    For a convolution, its filters (F, K) and one threshold each.  Other ties are expanded, with
    tables of levels if a fixed weight is not a level of its code.
    """
    ties = layer.ties
    if ties is None:
        return layer.code, layer.bias_code, matrix, bias
    if ties.window is not None:
        places = layer.outputs // ties.window.filters
        each = None if bias is None else bias[::places]
        return layer.code, layer.bias_code, ties.kernel(matrix), each

    def holding(code: WeightCode, levels: IntArray) -> WeightCode:
        found = np.unique(levels)
        if code.is_integer or np.isin(found, code.levels).all():
            return code
        return codebook(np.union1d(found, code.levels).tolist())

    code = holding(layer.code, matrix)
    if bias is None or layer.bias_code is None:
        return code, None, matrix, None
    return code, holding(layer.bias_code, bias), matrix, bias


class ClipShift(NamedTuple):
    """Activation value + gain * clip(floor(z / 2^shift) - first, 0, pieces - 1)."""

    shift: int
    first: int
    value: int
    gain: int
    pieces: int


def clip_of(spline: Spline) -> ClipShift | None:
    """Return an activation as a clip and a shift; None if it is neither, such as the sign.

    Examples
    --------
    >>> from formulations.network.splines import Clip, clip_shift
    >>> clip_of(clip_shift(Clip(-2, 1, gain=2, offset=1, reach=1.0), shift=3))
    ClipShift(shift=3, first=-2, value=-3, gain=2, pieces=4)
    """
    starts, values = spline.breakpoints, spline.intercepts
    if spline.order or len(starts) < 2 or not np.array_equal(values, np.rint(values)):
        return None
    width = int(starts[1] - starts[0])
    even = np.all(np.diff(starts) == width) and np.all(np.diff(values) == values[1] - values[0])
    if not even or width & (width - 1) or starts[0] % width:
        return None
    gain = int(values[1] - values[0])
    first = int(starts[0]) // width - 1
    return ClipShift(width.bit_length() - 1, first, int(values[0]), gain, len(values))


def stored_thresholds(model: TrainedModel) -> Array:
    """Return the input thresholds in the smallest exact form, shape (levels - 1, inputs or 1).

    Integers v pass a threshold t if they pass floor(t), so their thresholds fit in uint8, int16 or
    int32.  Other thresholds are rounded down to single precision: v > t is unchanged for every v of
    that precision.  Identical columns are stored once.

    Raises
    ------
    InvalidInputError
        If the model has none, too many, or pools images of non-integers.
    """
    if model.thresholds is None:
        raise InvalidInputError(
            "the network has no thresholds of its inputs, which are whole numbers already: leave "
            "raw inputs out"
        )
    most = 255  # thresholds of an input, which take eight bit planes in every form
    if len(model.thresholds) > most:
        raise InvalidInputError(
            f"{len(model.thresholds) + 1} levels of an input: raw inputs are exported with at most "
            f"{most + 1}; train with fewer levels, or export without raw inputs"
        )
    if model.raw_span is not None:
        largest = np.iinfo(np.int32).max
        whole = np.clip(np.floor(model.thresholds), -largest - 1, largest).astype(np.int64)
        kinds = (np.uint8, np.int16, np.int32)
        kind = next(k for k in kinds if np.array_equal(whole.astype(k), whole))
        found: Array = whole.astype(kind)
    elif model.image is not None:
        raise InvalidInputError(
            "pooled images whose pixels are not known to be whole numbers: name the range of the "
            "pixels, as 0,255, or export without raw inputs"
        )
    else:
        found = _single(model.thresholds)
    return found[:, :1] if (found == found[:, :1]).all() else found


def _single(thresholds: Array) -> Array:
    """Round down to the nearest single-precision numbers."""
    with np.errstate(over="ignore"):  # to infinity, then down to the largest finite number
        single = thresholds.astype(np.float32)
    return np.where(single > thresholds, np.nextafter(single, np.float32(-np.inf)), single)
