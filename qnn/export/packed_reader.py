"""A reader of packed files that needs nothing but numpy: this file may be copied on its own.

The format is described in :mod:`qnn.export.packed`.
"""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Lattice = tuple[int, int, int]


@dataclass(frozen=True)
class Layer:
    """One dense layer: its weights as integers, and as 64-bit words of each bit plane.

    Parameters
    ----------
    lattice : (int, int, int)
        Low, shift and planes of the inputs.
    weights : ndarray of int64, shape (outputs, inputs)
    words : ndarray of uint64, shape (bits, words, outputs)
    signs : ndarray of int64, shape (bits,)
        What the sign of each bit adds to twice a weight; empty for a table.
    bias : ndarray of int64, shape (outputs,)
    total : ndarray of int64, shape (outputs,)
        Twice the sum of each row of weights.
    activation : int
        0 none, 1 sign, 2 pieces.
    pieces : list of ndarray of int64
        Breakpoints, slopes and intercepts.
    """

    lattice: Lattice
    weights: Array
    words: Array
    signs: Array
    bias: Array
    total: Array
    activation: int
    pieces: list[Array]

    def __call__(self, a: Array) -> Array:
        """Integers (N, inputs) to integers (N, outputs)."""
        if self.lattice[2] and len(self.signs):
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
        return np.asarray(z)

    def above(self, a: Array) -> Array:
        """What integers on the lattice are above its low; others are refused."""
        low, shift, planes = self.lattice
        high = low + (((1 << planes) - 1) << shift)
        small, wrapped = (np.uint8, low % 256) if shift + planes <= 8 else (np.int64, low)
        above = np.subtract(a, wrapped, dtype=small, casting="unsafe")
        if a.size and (a.min() < low or a.max() > high or np.any(above & ((1 << shift) - 1))):
            raise ValueError(f"an input is not {low} + {1 << shift} q with 0 <= q < {1 << planes}")
        return np.asarray(above)

    def by_count(self, a: Array) -> Array:
        """Sums of products, for two planes of signs: their number - 2 ones of the XOR."""
        above, (low, shift, planes) = self.above(a), self.lattice
        high, n = low + (((1 << planes) - 1) << shift), a.shape[1]
        z = np.empty((len(a), len(self.bias)), np.int64)  # four times what it is to be
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
        A score is scale * z + shift.
    regression : bool
        Whether the score is the answer, rather than a class.
    thresholds : ndarray of float32, shape (levels - 1, inputs)
        Of raw inputs; none if the file has none.
    names : list of str
        Of the classes; empty if the file has none.
    """

    layers: list[Layer]
    scale: float
    shift: float
    regression: bool
    thresholds: Array
    names: list[str]

    def outputs(self, X: Array) -> Array:
        """Integer outputs z of integer inputs, shape (N, d) to (N, outputs)."""
        a = np.asarray(X)
        inputs = self.layers[0].weights.shape[1]
        if a.ndim != 2 or a.shape[1] != inputs or a.dtype.kind not in "iu":
            raise ValueError(f"expected integers of shape (N, {inputs})")
        for layer in self.layers:
            a = layer(a)
        return a

    def scores(self, X: Array) -> Array:
        """Real outputs of integer inputs, shape (N, outputs)."""
        return np.asarray(self.outputs(X) * self.scale + self.shift)

    def labels(self, X: Array) -> Array:
        """Number of the class of integer inputs, shape (N,)."""
        z = self.outputs(X)
        return np.argmax(z, axis=1) if z.shape[1] > 1 else np.where(z[:, 0] >= 0, 1, 0)

    def on_lattice(self, X: Array) -> Array:
        """Raw inputs as integers, shape (N, d)."""
        low, shift, _ = self.layers[0].lattice
        above = np.asarray(X, np.float32)[:, None, :] > self.thresholds
        return np.asarray(low + (above.sum(axis=1) << shift))


def unpack(data: bytes) -> Packed:
    """The network in a packed file.

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
    if data[:5] != b"QNNP\1" or data[-4:] != zlib.crc32(data[:-4]).to_bytes(4, "little"):
        raise ValueError("this is no packed file of version 1, or it is damaged")
    file = _File(data[5:-4])
    try:
        network = file.network()
    except (ValueError, IndexError, OverflowError, MemoryError) as error:
        raise ValueError(f"the packed file is damaged: {error}") from error
    if file.position != len(file.data):
        raise ValueError("the packed file is damaged: there is more in it than the network")
    return network


class _File:
    """What a file consists of, one part after another."""

    def __init__(self, data: bytes) -> None:
        self.data, self.position = data, 0

    def take(self, layout: str, count: int = 1) -> Any:
        """The next numbers."""
        found = np.frombuffer(self.data, "<" + layout, count, self.position)
        self.position += found.nbytes
        return found

    def one(self, layout: str) -> int:
        """The next number."""
        return int(self.take(layout)[0])

    def network(self) -> Packed:
        flags, depth, width = self.one("u1"), self.one("u1"), self.one("u4")
        lattice, unit, layers = self.lattice(), 1, []
        _require(1 <= depth <= 16 and 1 <= width <= 2**24, f"{depth} layers, {width} inputs")
        scale, shift = self.take("f8", 2).tolist() if flags & 1 else (1.0, 0.0)
        rows = self.one("u1") if flags & 4 else 0
        thresholds = self.take("f4", rows * width).reshape(rows, width)
        text = self.take("u1", self.one("u2")).tobytes().decode() if flags & 8 else ""
        for number in range(1, depth + 1):
            layer, lattice, unit = self.layer(width, lattice, unit)
            layers.append(layer)
            width = len(layer.bias)
            good = layer.activation <= 2 and (layer.activation == 0) == (number == depth)
            _require(good, f"activation {layer.activation} of layer {number} of {depth}")
        _require(not flags & 8 or text.endswith("\0"), "names without an end")
        names = text.split("\0")[:-1]
        return Packed(layers, scale, shift, bool(flags & 2), thresholds, names)

    def layer(self, width: int, lattice: Lattice, unit: int) -> tuple[Layer, Lattice, int]:
        """A layer, and the lattice and the unit of the next."""
        outputs = self.one("u4")
        (levels, signs), (thresholds, _) = self.code(), self.code()
        _require(1 <= outputs <= 2**24 and len(levels) > 1, f"{outputs} outputs")
        activation, values, pieces, scale = self.one("u1"), (-1, 1, 1), [], 1
        if activation == 2:
            count, scale, values = self.one("u2"), self.one("u4"), self.lattice()
            _require(count > 0, "an activation without pieces")
            pieces = [self.take("i4", n).astype(np.int64) for n in (count - 1, count, count)]
            _require(bool(np.all(np.diff(pieces[0]) > 0)), "pieces out of order")
        planes = self.planes(levels, outputs, width)
        bias = self.planes(thresholds, 1, outputs)
        words = np.stack([_words(plane) for plane in np.moveaxis(planes, 1, 0)])
        weights, bias = _decoded(levels, planes, width), _decoded(thresholds, bias, outputs)[0]
        total = 2 * weights.sum(axis=1)
        layer = Layer(lattice, weights, words, signs, unit * bias, total, activation, pieces)
        return layer, values, scale

    def lattice(self) -> Lattice:
        low, shift, planes = self.one("i4"), self.one("u1"), self.one("u1")
        _require(
            planes <= 8 and shift + planes <= 31, f"a lattice of shift {shift} and {planes} planes"
        )
        return low, shift, planes

    def code(self) -> tuple[Array, Array]:
        """All levels, and what the sign of each bit adds to twice the level."""
        kind = self.one("u1")
        _require(kind <= 10, f"a code {kind}")
        if kind == 10:
            levels = self.take("i4", self.one("u2")).astype(np.int64)
            _require(2 <= len(levels) <= 256, f"{len(levels)} levels")
            return levels, np.zeros(0, np.int64)
        if kind == 9:
            return np.array([-1, 0, 0, 1]), np.array([1, 1])
        return 2 * np.arange(2**kind) - 2**kind + 1, 2 << np.arange(kind)

    def planes(self, levels: Array, rows: int, columns: int) -> Array:
        """Bit planes of a matrix, shape (rows, bits, bytes)."""
        shape = (rows, (len(levels) - 1).bit_length(), -(-columns // 8))
        planes = self.take("u1", shape[0] * shape[1] * shape[2]).reshape(shape)
        padding = columns % 8 > 0 and np.any(planes[..., -1] >> (columns % 8))
        _require(not padding, "ones after the end of a plane")
        return np.asarray(planes)


def _require(good: bool, what: str) -> None:
    if not good:
        raise ValueError(what)


def _decoded(levels: Array, planes: Array, columns: int) -> Array:
    """The levels that bit planes stand for, shape (rows, columns)."""
    bits = np.unpackbits(planes, axis=2, count=columns, bitorder="little").astype(np.int64)
    return np.asarray(levels[np.tensordot(bits, 1 << np.arange(bits.shape[1]), (1, 0))])


def _words(rows: Array) -> Array:
    """Rows of bytes as 64-bit words, shape (words, rows)."""
    padded = np.zeros((len(rows), -(-rows.shape[1] // 8) * 8), np.uint8)
    padded[:, : rows.shape[1]] = rows
    return np.ascontiguousarray(padded.view(np.uint64).T)
