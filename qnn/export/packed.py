"""The packed file: a trained network in exactly as many bits as its weights have.

All numbers are little-endian; ``u8``, ``u16`` and ``u32`` are unsigned, ``i16`` and ``i32`` are
two's complement, ``f32`` and ``f64`` are IEEE 754.  Additions of versions 2 and 3 are marked; a
network is written in the lowest version that supports it.

=============== ==================================================================================
bytes           meaning
=============== ==================================================================================
4               ``QNNP``
u8              version of the format, 1 to 3
u8              flags: 1 scale, 2 regression, 4 thresholds of raw inputs, 8 class names
u8              number of layers, 1 to 16
u32             number of inputs, 1 to 2^24
lattice         of the inputs
f64, f64        with flag 1: scale and shift, score = scale * z + shift; else 1 and 0
u8              with flag 4: number of thresholds of an input; a raw input v becomes the integer
                low + 2^shift * #{thresholds < v}
raw             version 2, with flag 4: the raw inputs, see below
thresholds      with flag 4: threshold by threshold, all inputs for each, f32 each in version 1
u16, text       with flag 8: length of, and the names of the classes in UTF-8, a zero byte after
                each
layer ...       for each layer, see below
u32             CRC-32 (that of zlib) of all bytes before
=============== ==================================================================================

The section *raw* of version 2:

=============== ==================================================================================
u8              type of the thresholds: 0 f32; raw inputs are whole numbers with 1 u8, 2 i16, 3 i32;
                plus 128 if each threshold is stored once, for all inputs together
u8              inputs that each raw number feeds, one after another; 1 or more
u16, u16        0, 0; or height and width of an image of whole numbers, row by row, whose sums over
                k * k equal blocks in its middle are the inputs; a border of an even number of
                rows or columns, fewer than k, may be left out
=============== ==================================================================================

A *lattice* is the set of a layer's inputs: low + 2^shift * q with 0 <= q < 2^planes.

=============== ==================================================================================
i32             low
u8              shift; shift + planes is at most 31
u8              planes, 1 to 8; 0 for any 32-bit integers, with low and shift 0
=============== ==================================================================================

A *layer*:

=============== ==================================================================================
window          version 3: what the units see
u32             number of outputs, 1 to 2^24
code            of the weights
code            of the thresholds
activation      of the outputs
bits            of the weights: neuron by neuron, for each neuron bit plane by bit plane, the lowest
                first; a plane has one bit per input, 8 in a byte, the first input lowest, and ends
                with a whole byte, filled up with zeros
bits            of the thresholds, one plane per bit as above with one bit per output
=============== ==================================================================================

A *window* (version 3):

=============== ==================================================================================
u8              0 all inputs: nothing follows; 1 a window on images; 2 a window of weights that are
                all +1 and one threshold: no codes and no bits are stored
u16 x 4         channels, height and width of the images; number of filters
u8 x 6          size, stride and padding of the window, each down and across
u16             groups: filters g F/G to (g + 1) F/G - 1 see channels g C/G to (g + 1) C/G - 1
i32             with 2: the threshold of all units
=============== ==================================================================================

Inputs and units are numbered by channel, row and column.  A window's weights are stored filter by
filter instead of by neuron, with a bit for each tap instead of each input, by channel, row and
column.  Thresholds are one per filter.  A tap beyond the edge of an image adds nothing.

A *code* maps the B bits w_0, w_1, ... of a weight to a level; w_0 is in the lowest plane:

=============== ==================================================================================
u8 = 0          nothing: no thresholds
u8 = 1 to 8     B bits, level = sum of 2^b (2 w_b - 1); one bit is -1 or +1
u8 = 9          two bits, level = w_0 + w_1 - 1
u8 = 10         a table: u16 number of levels, 2 to 256, and an i32 each; the bits are the number
                of the level, as many as the largest number needs
u8 = 11         version 2: u8 number of bits B, 1 to 32, level = sum of 2^b w_b - 2^(B-1)
=============== ==================================================================================

An *activation*, of an integer z:

=============== ==================================================================================
u8 = 0          none: the last layer
u8 = 1          sign: +1 from zero on, else -1
u8 = 2          pieces: u16 number P of pieces; u32 unit, by which the thresholds of the next layer
                are multiplied; the lattice of the values; i32 x (P-1) first z of pieces 1, 2, ...;
                i32 x P slopes; i32 x P intercepts.  In piece p the value is
                slope_p z + intercept_p
u8 = 3          version 2, clip and shift: u16 number P of values; u32 unit; the lattice of the
                values; u8 shift, at most 31; i32 first; i32 value; i32 gain.  The value is
                value + gain * q with q = floor(z / 2^shift) - first, clipped to 0 and P - 1
=============== ==================================================================================

A layer computes z = sum of weight * input + unit * threshold; the unit is 1 except after pieces
and clips.  The class is the number of the first largest z; for a single z, it is 1 from zero on,
else 0.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np

from formulations.arrays import Array, IntArray
from formulations.errors import InvalidInputError
from formulations.network.codes import WeightCode
from formulations.network.splines import Spline
from formulations.network.ties import Window
from qnn.export.parts import clip_of, stored_part, stored_thresholds
from qnn.export.reach import Reach, reaches
from qnn.export.trained import TrainedModel

SCALE, REGRESSION, THRESHOLDS, NAMES = 1, 2, 4, 8
TERNARY, TABLE, INTEGER = 9, 10, 11
NONE, SIGN, PIECES, CLIP = 0, 1, 2, 3
TYPES, SHARED = ("f4", "u1", "i2", "i4"), 128
MOST_LAYERS, MOST_PLANES, MOST_WIDTH = 16, 8, 2**24


def pack(model: TrainedModel, *, raw: bool = False) -> bytes:
    """Return the packed file of a trained network.

    Parameters
    ----------
    model : TrainedModel
    raw : bool
        True to include the thresholds of the inputs, so that readers accept raw inputs.

    Raises
    ------
    InvalidInputError
        If part of the network is too large for the format, or there are no thresholds.

    Examples
    --------
    >>> from formulations import Network
    >>> from formulations.network.network import Weights
    >>> net = Network.dense([16, 1])
    >>> weights = Weights((np.ones((1, 16), dtype=int),), (None,), ())
    >>> len(pack(TrainedModel(net, weights, span=(-1, 1, 2)))), net.stored_bits
    (30, 16)
    """
    network, weights = model.network, model.weights
    if len(network.layers) > MOST_LAYERS:
        raise InvalidInputError(
            f"{len(network.layers)} layers: a packed file holds at most {MOST_LAYERS}"
        )
    if max(network.widths) > MOST_WIDTH:
        raise InvalidInputError(f"width {max(network.widths)}: a packed file holds 2^24 at most")
    limits = reaches(model)
    units = network.bias_units(weights.splines)
    thresholds = stored_thresholds(model) if raw else None
    version = _version(model, thresholds)
    flags, extras = _extras(model, thresholds, version)
    parts = [b"QNNP", struct.pack("<BBBI", version, flags, len(network.layers), model.num_inputs)]
    parts += [_lattice(limits[0]), extras]
    for number, layer in enumerate(network.layers):
        inner = number < len(network.layers) - 1
        matrix, bias = weights.matrices[number], weights.biases[number]
        window = layer.ties.window if layer.ties else None
        code, bias_code, matrix, bias = stored_part(layer, matrix, bias)
        if version > 2:
            parts += [_window(window)]
        parts += [struct.pack("<I", layer.outputs)]
        if window is None or window.pooled is None:
            parts += [_code(code), _code(bias_code)]
        parts += [
            _activation(weights.splines[number], units[number + 1], limits[number + 1])
            if inner
            else bytes([NONE])
        ]
        if window is None or window.pooled is None:
            parts += [_planes(code, matrix)]
            if bias_code and bias is not None:
                parts += [_planes(bias_code, bias[None])]
    content = b"".join(parts)
    return content + struct.pack("<I", zlib.crc32(content))


def _version(model: TrainedModel, thresholds: Array | None) -> int:
    """Return the lowest version that holds the network, in the fewest bytes."""
    layers = model.network.layers
    if any(layer.ties is not None and layer.ties.window is not None for layer in layers):
        return 3
    codes = [code for layer in layers for code in (layer.code, layer.bias_code)]
    return 1 + (
        any(code is not None and code.is_integer for code in codes)
        or any(clip_of(spline) is not None for spline in model.weights.splines)
        or (thresholds is not None and (thresholds.dtype.kind != "f" or model.repeat > 1))
    )


def _window(window: Window | None) -> bytes:
    """Encode the window that a layer's units see."""
    if window is None:
        return bytes([0])
    kind = 1 if window.pooled is None else 2
    sides = [*window.size, *window.stride, *window.padding]
    numbers = [*window.shape, window.filters, *sides, window.groups]
    found = _packed("B4H6BH", "a window", kind, *numbers)
    return found + (b"" if window.pooled is None else _packed("i", "a threshold", window.pooled))


def _extras(model: TrainedModel, thresholds: Array | None, version: int) -> tuple[int, bytes]:
    """Return the flags, and the sections that they announce."""
    flags, parts = 0, []
    if (model.scale, model.shift) != (1.0, 0.0):
        flags |= SCALE
        parts.append(struct.pack("<dd", model.scale, model.shift))
    if model.line is not None:
        flags |= REGRESSION
    if thresholds is not None:
        flags |= THRESHOLDS
        if version == 1:  # version 1 stores a threshold for every input
            thresholds = np.broadcast_to(thresholds, (len(thresholds), model.num_inputs))
        parts.append(_packed("B", "the number of thresholds of an input", len(thresholds)))
        if version > 1:
            shared = SHARED if thresholds.shape[1] < model.num_inputs else 0
            form = TYPES.index(thresholds.dtype.str.lstrip("|<")) | shared
            height, width = model.image or (0, 0)
            parts.append(_packed("BBHH", "a raw input", form, model.repeat, height, width))
        parts.append(thresholds.tobytes())
    if model.classes and model.classes != tuple(map(str, range(model.num_classes))):
        text = b"".join(name.encode() + b"\0" for name in model.classes)
        flags |= NAMES
        parts.append(_packed("H", "class names", len(text)) + text)
    return flags, b"".join(parts)


def _lattice(limits: Reach) -> bytes:
    """Encode the lattice of a layer's inputs; with too many planes, that of all integers."""
    if not -(2**31) <= limits.low <= limits.high < 2**31:
        raise InvalidInputError(
            f"an activation can reach {limits.low:,} to {limits.high:,}, and the readers keep 32 "
            "bits: name the range of the inputs, or take fewer levels or a coarser activation"
        )
    if limits.planes > MOST_PLANES or limits.shift + limits.planes > 31:
        return struct.pack("<iBB", 0, 0, 0)
    return _packed("iBB", "an input", limits.low, limits.shift, limits.planes)


def _code(code: WeightCode | None) -> bytes:
    """Encode a code's identifier."""
    if code is None:
        return bytes([NONE])
    kind = kind_of(code)
    if kind == INTEGER:
        return bytes([kind, code.bits])
    if kind != TABLE:
        return bytes([kind])
    levels = code.levels.tolist()
    if len(levels) > 256:
        raise InvalidInputError(
            f"weight code {code.name!r} has {len(levels)} levels: a packed file holds up to 256"
        )
    return _packed(f"BH{len(levels)}i", f"weight code {code.name!r}", TABLE, len(levels), *levels)


def kind_of(code: WeightCode) -> int:
    """Return a code's identifier: the number of bits for odd levels about zero, else its kind."""
    if code.is_integer:  # its levels may be too many to list
        return INTEGER
    levels = code.levels.tolist()
    for bits in range(1, 9):
        if levels == list(range(1 - 2**bits, 2**bits, 2)):
            return bits
    return TERNARY if levels == [-1, 0, 1] else TABLE


def bit_planes(code: WeightCode, levels: IntArray) -> IntArray:
    """Encode levels (rows, columns) as the bits of their code, shape (rows, bits, columns)."""
    kind = kind_of(code)
    if kind == INTEGER:
        number, bits = levels - code.low, code.bits
    else:
        number, bits = np.searchsorted(code.levels, levels), (len(code.levels) - 1).bit_length()
    if kind == TERNARY:
        number = np.array([0, 1, 3])[number]  # w_0 + w_1 - 1
    return np.asarray((number[:, None, :] >> np.arange(bits)[:, None]) & 1)


def _planes(code: WeightCode, levels: IntArray) -> bytes:
    """Pack the bit planes of each row of levels."""
    planes = bit_planes(code, levels).astype(np.uint8)
    return np.packbits(planes, axis=-1, bitorder="little").tobytes()


def _activation(spline: Spline, unit: int, values: Reach) -> bytes:
    """Encode an activation and the lattice of its values."""
    coefficients = (spline.slopes.tolist(), spline.intercepts.tolist())
    if (spline.breakpoints.tolist(), *coefficients, unit) == ([0], [0.0, 0.0], [-1.0, 1.0], 1):
        return bytes([SIGN])
    clip = clip_of(spline)
    start = _packed("BHI", "an activation", CLIP if clip else PIECES, spline.num_pieces, unit)
    if clip is not None:
        numbers = [clip.shift, clip.first, clip.value, clip.gain]
        return start + _lattice(values) + _packed("Biii", "an activation", *numbers)
    whole = [int(c) for part in coefficients for c in part]
    numbers = [*spline.breakpoints.tolist(), *whole]
    return start + _lattice(values) + _packed(f"{len(numbers)}i", "an activation", *numbers)


def _packed(layout: str, what: str, *numbers: int) -> bytes:
    """Call ``struct.pack`` with an error that names the field that is too large."""
    try:
        return struct.pack("<" + layout, *numbers)
    except struct.error as error:
        raise InvalidInputError(
            f"{what} is too large for a packed file: {error}; take fewer or smaller values"
        ) from error
