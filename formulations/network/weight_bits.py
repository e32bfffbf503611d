"""The weight bits of a network: where each one stands, which belong together, which may change.

Canonical order: layer, neuron, input (the threshold last), bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from formulations.arrays import BitArray, BoolArray, IntArray
from formulations.network.intervals import LayerBox
from formulations.network.network import Layer, Network


def distinct_rows(bits: BitArray) -> tuple[BitArray, IntArray]:
    """The rows of bits (R, n) that differ, in lexicographic order, and which one each row is.

    As ``np.unique(axis=0)``, which compares rows as structures: Ctrl-C within such a comparison is
    lost, and a TypeError comes out of it.

    Examples
    --------
    >>> rows, inverse = distinct_rows(np.array([[1, 0], [0, 1], [1, 0]], dtype=np.int8))
    >>> rows.tolist(), inverse.tolist()
    ([[0, 1], [1, 0]], [1, 0, 1])
    """
    if len(bits) < 2 or not bits.shape[1]:
        return bits[:1], np.zeros(len(bits), dtype=np.int64)
    whole = np.ascontiguousarray(bits, dtype=np.int8).view(np.dtype((np.void, bits.shape[1])))
    _, first, inverse = np.unique(whole.ravel(), return_index=True, return_inverse=True)
    return bits[first], inverse.astype(np.int64)


def bit_table(network: Network) -> IntArray:
    """Layer (from 1), neuron, input and bit number of every weight bit, shape (n_w, 4).

    Examples
    --------
    >>> bit_table(Network.dense([2, 1], weights="ternary")).tolist()
    [[1, 0, 0, 0], [1, 0, 0, 1], [1, 0, 1, 0], [1, 0, 1, 1]]
    """
    parts = []
    for number, layer in enumerate(network.layers, start=1):
        bias_bits = layer.bias_code.bits if layer.bias_code else 0
        widths = np.array([layer.code.bits] * layer.inputs + [bias_bits])
        i = np.repeat(np.arange(layer.inputs + 1), widths)
        b = np.arange(len(i)) - np.repeat(np.cumsum(widths) - widths, widths)
        j = np.repeat(np.arange(layer.outputs), len(i))
        columns = [np.full(len(j), number), j]
        columns += [np.tile(column, layer.outputs) for column in (i, b)]
        parts.append(np.stack(columns, axis=1))
    return np.concatenate(parts)


def one_hot_words(network: Network) -> list[IntArray]:
    """Bit numbers of all one-hot words, an array (words, bits) for each codebook in use.

    Examples
    --------
    >>> one_hot_words(Network.dense([2, 1], weights="codebook:-1,2"))[0].tolist()
    [[0, 1], [2, 3]]
    """
    words = []
    for layer, start in zip(network.layers, network.bit_offsets()[:-1], strict=True):
        rows = start + np.arange(layer.num_bits).reshape(layer.outputs, -1)
        split = layer.inputs * layer.code.bits
        if layer.code.one_hot:
            words.append(rows[:, :split].reshape(-1, layer.code.bits))
        if layer.bias_code and layer.bias_code.one_hot:
            words.append(rows[:, split:])
    return words


@dataclass(frozen=True)
class FreeLayer:
    """The free weights of one layer; thresholds are the last of the n_in + 1 columns.

    Parameters
    ----------
    fixed : ndarray of int, shape (n_out, n_in + 1)
        Level of each weight with its free bits at zero.
    slot : ndarray of int, shape (n_out, n_in + 1, B)
        Position of each free bit among the problem's free bits, -1 where fixed.
    coefficient : ndarray of int, shape (n_in + 1, B)
        Change of the level per bit.
    """

    fixed: IntArray
    slot: IntArray
    coefficient: IntArray

    @cached_property
    def free_bits(self) -> IntArray:
        """Number of free bits of each weight, shape (n_out, n_in + 1)."""
        return np.asarray((self.slot >= 0).sum(axis=2))

    @cached_property
    def can_matter(self) -> BoolArray:
        """Weights that are not fixed at zero, shape (n_out, n_in + 1)."""
        return np.asarray((self.fixed != 0) | (self.free_bits > 0))

    def box(self, layer: Layer) -> LayerBox:
        """Bounds of the weights: anything that the free bits can make."""
        change = self.coefficient * (self.slot >= 0)
        low = self.fixed + np.minimum(change, 0).sum(axis=2)
        high = self.fixed + np.maximum(change, 0).sum(axis=2)
        for code, columns in ((layer.code, np.s_[:, :-1]), (layer.bias_code, np.s_[:, -1:])):
            if code is not None and code.one_hot:
                free = self.free_bits[columns] > 0
                low[columns] = np.where(free, code.low, self.fixed[columns])
                high[columns] = np.where(free, code.high, self.fixed[columns])
        return LayerBox(low[:, :-1], high[:, :-1], low[:, -1], high[:, -1])


def free_layers(network: Network, free: IntArray, incumbent: BitArray) -> list[FreeLayer]:
    """The layers with the bits numbered ``free`` free, the others as in ``incumbent`` (n_w,)."""
    slots = np.full(network.num_weight_bits, -1, dtype=np.int64)
    slots[free] = np.arange(len(free))
    bits = incumbent.astype(np.int64)
    bits[free] = 0
    layers = []
    for layer, start in zip(network.layers, network.bit_offsets()[:-1], strict=True):
        n, d, B = layer.outputs, layer.inputs, layer.code.bits
        bias_bits = layer.bias_code.bits if layer.bias_code else 0
        words = bits[start : start + layer.num_bits].reshape(n, -1)
        numbers = slots[start : start + layer.num_bits].reshape(n, -1)
        slot = np.full((n, d + 1, max(B, bias_bits)), -1, dtype=np.int64)
        coefficient = np.zeros((d + 1, max(B, bias_bits)), dtype=np.int64)
        fixed = np.zeros((n, d + 1), dtype=np.int64)
        slot[:, :d, :B] = numbers[:, : d * B].reshape(n, d, B)
        coefficient[:d, :B] = layer.code.coefficients
        fixed[:, :d] = layer.code.decode(words[:, : d * B].reshape(n, d, B))
        if layer.bias_code:
            slot[:, d, :bias_bits] = numbers[:, d * B :]
            coefficient[d, :bias_bits] = layer.bias_code.coefficients
            fixed[:, d] = layer.bias_code.decode(words[:, d * B :])
        layers.append(FreeLayer(fixed, slot, coefficient))
    return layers
