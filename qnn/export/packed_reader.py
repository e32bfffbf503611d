"""Reader of packed files that needs only numpy; this file may be copied and used alone.

The format is described in :mod:`qnn.export.packed`.
"""

import math
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Lattice = tuple[int, int, int]
Code = tuple[int, Callable[[Array], Array], Array]


@dataclass(frozen=True)
class Layer:
    """A layer with its weights as integers, and as 64-bit words of each bit plane.

    Parameters
    ----------
    lattice : (int, int, int)
        Low, shift and planes of the inputs.
    inputs : int
    weights : ndarray of int64, shape (outputs, inputs), or (filters, taps) of a window
    words : ndarray of uint64, shape (bits, words, outputs)
    signs : ndarray of int64, shape (bits,)
        Contribution of each bit's sign to twice a weight; empty for a table.
    bias : ndarray of int64, shape (outputs,)
    total : ndarray of int64, shape (outputs,)
        Twice the sum of each row of weights.
    activation : int
        0 none, 1 sign, 2 pieces, 3 clip and shift.
    pieces : list of ndarray of int64
        Breakpoints, slopes and intercepts; or shift, first, value, gain and number of values.
    taps : ndarray of int64, shape (groups, places, taps), or None
        Input at each place and tap of a window, -1 for none; None without a window.
    """

    lattice: Lattice
    inputs: int
    weights: Array
    words: Array
    signs: Array
    bias: Array
    total: Array
    activation: int
    pieces: list[Array]
    taps: Array | None = None

    def __call__(self, a: Array) -> Array:
        """Map integers (N, inputs) to integers (N, outputs)."""
        if self.taps is not None:
            z = self.by_window(a)
        elif self.lattice[2] and len(self.signs):
            z = self.by_count(a)
        else:
            if self.lattice[2]:
                self.above(a)
            z = a @ self.weights.T + self.bias
        if self.activation == 1:
            return np.asarray(np.int8(2) * (z >= 0) - np.int8(1))
        if self.activation == 2:
            piece = np.searchsorted(self.pieces[0], z, side="right")
            return np.asarray(self.pieces[1][piece] * z + self.pieces[2][piece])
        if self.activation == 3:
            shift, first, value, gain, count = self.pieces
            return np.asarray(value + gain * np.clip((z >> shift) - first, 0, count - 1))
        return np.asarray(z)

    def above(self, a: Array) -> Array:
        """Return the distance of lattice integers from its low; refuse other integers."""
        low, shift, planes = self.lattice
        high = low + (((1 << planes) - 1) << shift)
        small, wrapped = (np.uint8, low % 256) if shift + planes <= 8 else (np.int64, low)
        above = np.subtract(a, wrapped, dtype=small, casting="unsafe")
        if a.size and (a.min() < low or a.max() > high or np.any(above & ((1 << shift) - 1))):
            raise ValueError(f"an input is not {low} + {1 << shift} q with 0 <= q < {1 << planes}")
        return np.asarray(above)

    def by_window(self, a: Array) -> Array:
        """Sum the inputs of every window, some samples at a time."""
        assert self.taps is not None
        if self.lattice[2]:
            self.above(a)
        filters = self.weights.reshape(len(self.taps), -1, self.weights.shape[1]).swapaxes(1, 2)
        z = np.empty((len(a), len(self.weights) * self.taps.shape[1]), np.int64)
        for start in range(0, len(a), 64):
            block = np.pad(a[start : start + 64].astype(np.int64), ((0, 0), (0, 1)))
            sums = np.matmul(block[:, self.taps], filters).swapaxes(2, 3)
            z[start : start + 64] = sums.reshape(len(sums), -1)
        return np.asarray(z + np.repeat(self.bias, self.taps.shape[1]))

    def by_count(self, a: Array) -> Array:
        """Sum products by counting: two planes of signs give their number - 2 ones of the XOR."""
        above, (low, shift, planes) = self.above(a), self.lattice
        high, n = low + (((1 << planes) - 1) << shift), a.shape[1]
        z = np.empty((len(a), len(self.bias)), np.int64)  # four times the result
        z[:] = 4 * self.bias + self.total * (low + high) + n * self.signs.sum() * (high - low)
        for k in range(planes):
            inputs = _words(np.packbits(above & (1 << k + shift), axis=1, bitorder="little"))
            for words, sign in zip(self.words, self.signs, strict=True):
                ones = np.zeros(z.shape, np.min_scalar_type(n))
                for word, mine in zip(inputs, words, strict=True):
                    ones += np.bitwise_count(word[:, None] ^ mine)
                z -= (sign << k + shift + 1) * ones
        return z >> 2


@dataclass(frozen=True)
class Packed:
    """The network of a packed file.

    Parameters
    ----------
    layers : list of Layer
    scale, shift : float
        Coefficients of a score, scale * z + shift.
    regression : bool
        True if the score is the answer, rather than a class.
    thresholds : ndarray, shape (levels - 1, inputs or 1)
        Thresholds of raw inputs; empty if the file has none.  Integers if raw inputs are integers.
    repeat : int
        Number of inputs that each raw number feeds.
    image : (int, int)
        Height and width of raw images, pooled by sums in their middle; 0, 0 without images.
    names : list of str
        Class names; empty if the file has none.
    """

    layers: list[Layer]
    scale: float
    shift: float
    regression: bool
    thresholds: Array
    repeat: int
    image: tuple[int, int]
    names: list[str]

    def outputs(self, X: Array) -> Array:
        """Map integer inputs to integer outputs z, shape (N, d) to (N, outputs)."""
        a = np.asarray(X)
        inputs = self.layers[0].inputs
        if a.ndim != 2 or a.shape[1] != inputs or a.dtype.kind not in "iu":
            raise ValueError(f"expected integers of shape (N, {inputs})")
        for layer in self.layers:
            a = layer(a)
        return a

    def scores(self, X: Array) -> Array:
        """Return the real outputs of integer inputs, shape (N, outputs)."""
        return np.asarray(self.outputs(X) * self.scale + self.shift)

    def labels(self, X: Array) -> Array:
        """Return the class numbers of integer inputs, shape (N,)."""
        z = self.outputs(X)
        return np.argmax(z, axis=1) if z.shape[1] > 1 else np.where(z[:, 0] >= 0, 1, 0)

    def on_lattice(self, X: Array) -> Array:
        """Convert raw inputs to integers, shape (N, raw numbers) to (N, inputs)."""
        X, inputs = np.asarray(X), self.layers[0].inputs
        (height, width), (low, shift, _) = self.image, self.layers[0].lattice
        columns = height * width or inputs // self.repeat
        if X.ndim != 2 or X.shape[1] != columns:
            raise ValueError(f"expected raw numbers of shape (N, {columns})")
        if self.thresholds.dtype.kind == "f":
            X = X.astype(np.float32)
        elif np.array_equal(whole := X.astype(np.int64), X):
            X = whole
        else:
            raise ValueError("expected whole numbers")
        if height:
            k = math.isqrt(inputs)
            top, left = height % k // 2, width % k // 2
            X = X.reshape(len(X), height, width)[:, top : height - top, left : width - left]
            X = (
                X.reshape(len(X), k, height // k, k, width // k)
                .sum(axis=(2, 4))
                .reshape(-1, inputs)
            )
        X = np.repeat(X, self.repeat, axis=1)
        above = X[:, None, :] > self.thresholds
        return np.asarray(low + (above.sum(axis=1) << shift))


def unpack(data: bytes) -> Packed:
    """Read the network in a packed file.

    Raises
    ------
    ValueError
        If the file is damaged.

    Examples
    --------
    >>> from formulations import Network
    >>> from formulations.network.network import Weights
    >>> from qnn.export import TrainedModel, pack
    >>> weights = Weights((np.array([[1, -1, 1]]),), (None,), ())
    >>> network = unpack(pack(TrainedModel(Network.dense([3, 1]), weights, span=(-1, 1, 2))))
    >>> network.outputs(np.array([[1, -1, 1], [-1, -1, -1]])).tolist()
    [[3], [-1]]
    """
    good = data[:4] == b"QNNP" and data[4:5] in (b"\1", b"\2", b"\3")
    if not good or data[-4:] != zlib.crc32(data[:-4]).to_bytes(4, "little"):
        raise ValueError("this is no packed file of version 1 to 3, or it is damaged")
    file = _File(data[5:-4], data[4])
    try:
        network = file.network()
    except (ValueError, IndexError, OverflowError, MemoryError) as error:
        raise ValueError(f"the packed file is damaged: {error}") from error
    if file.position != len(file.data):
        raise ValueError("the packed file is damaged: there is more in it than the network")
    return network


class _File:
    """Sections of a file, read one after another."""

    def __init__(self, data: bytes, version: int) -> None:
        self.data, self.position, self.version = data, 0, version

    def take(self, layout: str, count: int = 1) -> Any:
        """Read the next numbers."""
        found = np.frombuffer(self.data, "<" + layout, count, self.position)
        self.position += found.nbytes
        return found

    def one(self, layout: str) -> int:
        """Read the next number."""
        return int(self.take(layout)[0])

    def network(self) -> Packed:
        flags, depth, width = self.one("u1"), self.one("u1"), self.one("u4")
        lattice, unit, layers = self.lattice(), 1, []
        _require(1 <= depth <= 16 and 1 <= width <= 2**24, f"{depth} layers, {width} inputs")
        scale, shift = self.take("f8", 2).tolist() if flags & 1 else (1.0, 0.0)
        thresholds, repeat, image = np.zeros((0, width), np.float32), 1, (0, 0)
        if flags & 4:
            thresholds, repeat, image = self.raw(width)
        text = self.take("u1", self.one("u2")).tobytes().decode() if flags & 8 else ""
        for number in range(1, depth + 1):
            layer, lattice, unit = self.layer(width, lattice, unit)
            layers.append(layer)
            width = len(layer.bias) * (1 if layer.taps is None else layer.taps.shape[1])
            good = layer.activation <= min(1 + self.version, 3) and (layer.activation == 0) == (
                number == depth
            )
            _require(good, f"activation {layer.activation} of layer {number} of {depth}")
        _require(not flags & 8 or text.endswith("\0"), "names without an end")
        names = text.split("\0")[:-1]
        return Packed(layers, scale, shift, bool(flags & 2), thresholds, repeat, image, names)

    def raw(self, width: int) -> tuple[Array, int, tuple[int, int]]:
        """Read input thresholds, inputs per raw number, and height and width of raw images."""
        rows, form, repeat, image = self.one("u1"), 0, 1, (0, 0)
        if self.version > 1:
            form, repeat, image = self.one("u1"), self.one("u1"), (self.one("u2"), self.one("u2"))
            _require(form & 127 <= 3 and repeat > 0 and width % repeat == 0, f"raw inputs {form}")
            if any(image):
                k = math.isqrt(width)
                fit = all(side >= k and side % k % 2 == 0 for side in image)
                blocks = all(image) and k * k == width and fit
                _require(blocks and repeat == 1 and form & 127 > 0, f"images of {image}")
        columns = 1 if form & 128 else width
        kind = ("f4", "u1", "i2", "i4")[form & 127]
        return self.take(kind, rows * columns).reshape(rows, columns), repeat, image

    def layer(self, width: int, lattice: Lattice, unit: int) -> tuple[Layer, Lattice, int]:
        """Read a layer, and return the lattice and the unit of the next."""
        taps, rows, fixed = self.window(width)
        outputs = self.one("u4")
        good = outputs <= 2**24 and outputs == (outputs if taps is None else rows * taps.shape[1])
        _require(good and outputs > 0, f"{outputs} outputs")
        rows, columns = (outputs, width) if taps is None else (rows, taps.shape[2])
        none: Code = (0, np.asarray, np.zeros(0, np.int64))
        codes = [self.code(), self.code()] if fixed is None else [none, none]
        (bits, level, signs), (bias_bits, bias_level, _) = codes
        _require(bits > 0 or fixed is not None, "weights without a code")
        pieces: list[Array] = []
        activation, values, scale = self.one("u1"), (-1, 1, 1), 1
        if activation >= 2:
            count, scale, values = self.one("u2"), self.one("u4"), self.lattice()
            _require(count > 0, "an activation without pieces")
        if activation == 3:
            numbers = [self.one("u1"), self.one("i4"), self.one("i4"), self.one("i4"), count]
            _require(numbers[0] <= 31, f"a shift by {numbers[0]}")
            pieces = list(np.array(numbers, dtype=np.int64))
        if activation == 2:
            pieces = [self.take("i4", n).astype(np.int64) for n in (count - 1, count, count)]
            _require(bool(np.all(np.diff(pieces[0]) > 0)), "pieces out of order")
        if fixed is not None:
            weights, bias = np.ones((rows, columns), np.int64), np.full(rows, fixed)
            words = np.zeros((0, 0, rows), np.uint64)
        else:
            planes = self.planes(bits, rows, columns)
            bias = unit * bias_level(_numbers(self.planes(bias_bits, 1, rows), rows))[0]
            words = np.stack([_words(plane) for plane in np.moveaxis(planes, 1, 0)])
            weights = level(_numbers(planes, columns))
        total = 2 * weights.sum(axis=1)
        layer = Layer(lattice, width, weights, words, signs, bias, total, activation, pieces, taps)
        return layer, values, scale

    def window(self, width: int) -> tuple[Array | None, int, int | None]:
        """Read a window's taps and number of filters, and the threshold if all weights are +1."""
        kind = self.one("u1") if self.version > 2 else 0
        _require(kind <= 2, f"a window {kind}")
        if kind == 0:
            return None, 0, None
        channels, height, wide, filters = self.take("u2", 4).tolist()
        numbers = self.take("u1", 6).reshape(3, 2).tolist()
        groups = self.one("u2")
        good = channels * height * wide == width and groups > 0 and filters > 0
        good = good and channels % groups == filters % groups == 0
        places = []
        for side, size, stride, padding in zip((height, wide), *numbers, strict=True):
            good = good and 0 < size <= side + 2 * padding and stride > 0 and padding < size
            _require(good, f"a window on {width} inputs")
            count = (side + 2 * padding - size) // stride + 1
            places.append(np.arange(count)[:, None] * stride - padding + np.arange(size))
        _require(filters * len(places[0]) * len(places[1]) <= 2**24, "a window of too many places")
        rows, columns = places[0][:, None, None, :, None], places[1][None, :, None, None, :]
        channel = np.arange(channels).reshape(groups, 1, 1, -1, 1, 1)
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < wide)
        taps = np.where(inside, (channel * height + rows) * wide + columns, -1)
        taps = taps.reshape(groups, len(places[0]) * len(places[1]), -1)
        return taps, filters, self.one("i4") if kind == 2 else None

    def lattice(self) -> Lattice:
        low, shift, planes = self.one("i4"), self.one("u1"), self.one("u1")
        _require(
            planes <= 8 and shift + planes <= 31, f"a lattice of shift {shift} and {planes} planes"
        )
        return low, shift, planes

    def code(self) -> Code:
        """Read bits, levels by number, and each bit's contribution to twice the level."""
        kind, none = self.one("u1"), np.zeros(0, np.int64)
        _require(kind <= min(9 + self.version, 11), f"a code {kind}")
        if kind == 11:
            bits = self.one("u1")
            _require(1 <= bits <= 32, f"a code of {bits} bits")
            return bits, lambda number: number - (1 << bits - 1), none
        if kind == 10:
            levels = self.take("i4", self.one("u2")).astype(np.int64)
            _require(2 <= len(levels) <= 256, f"{len(levels)} levels")
            return (len(levels) - 1).bit_length(), lambda number: levels[number], none
        if kind == 9:
            return 2, lambda number: np.array([-1, 0, 0, 1])[number], np.array([1, 1])
        return kind, lambda number: 2 * number - (1 << kind) + 1, 2 << np.arange(kind)

    def planes(self, bits: int, rows: int, columns: int) -> Array:
        """Read the bit planes of a matrix, shape (rows, bits, bytes)."""
        shape = (rows, bits, -(-columns // 8))
        planes = self.take("u1", shape[0] * shape[1] * shape[2]).reshape(shape)
        padding = columns % 8 > 0 and np.any(planes[..., -1] >> (columns % 8))
        _require(not padding, "ones after the end of a plane")
        return np.asarray(planes)


def _require(good: bool, what: str) -> None:
    if not good:
        raise ValueError(what)


def _numbers(planes: Array, columns: int) -> Array:
    """Decode the numbers in bit planes, shape (rows, columns)."""
    bits = np.unpackbits(planes, axis=2, count=columns, bitorder="little").astype(np.int64)
    return np.tensordot(bits, 1 << np.arange(bits.shape[1]), (1, 0))


def _words(rows: Array) -> Array:
    """Convert rows of bytes to 64-bit words, shape (words, rows)."""
    padded = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return np.ascontiguousarray(padded.view(np.uint64).T)
