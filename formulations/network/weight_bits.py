"""The weight bits of a network: positions, one-hot words, and free bits.

The canonical order is layer, neuron, input (the threshold last), bit; a shared weight has the
position of its first appearance.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from formulations.arrays import BitArray, BoolArray, IntArray
from formulations.network.codes import WeightCode
from formulations.network.intervals import LayerBox
from formulations.network.network import Layer, Network


def distinct_rows(bits: BitArray) -> tuple[BitArray, IntArray]:
    """Return the distinct rows of bits (R, n) in lexicographic order, and the index of each row.

    ``np.unique(axis=0)`` compares rows as structures; Ctrl-C during such a comparison is lost and
    ends in a TypeError.

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
    """Return layer (from 1), neuron, input and bit number of every weight bit, (n_w, 4).

    Examples
    --------
    >>> bit_table(Network.dense([2, 1], weights="ternary")).tolist()
    [[1, 0, 0, 0], [1, 0, 0, 1], [1, 0, 1, 0], [1, 0, 1, 1]]
    """
    parts = []
    for number, layer in enumerate(network.layers, start=1):
        table = np.zeros((layer.num_bits, 4), dtype=np.int64)
        table[:, 0] = number
        for code, first, place in _stored(layer):
            rows = first[:, None] + np.arange(code.bits)
            table[rows, 1], table[rows, 2] = (part[:, None] for part in place)
            table[rows, 3] = np.arange(code.bits)
        parts.append(table)
    return np.concatenate(parts)


def _stored(layer: Layer) -> Iterator[tuple[WeightCode, IntArray, tuple[IntArray, IntArray]]]:
    """Yield code, first bits, and (neurons, inputs) of stored weights, then of thresholds."""
    width = layer.inputs + 1
    if layer.ties is not None:
        last = layer.ties.is_threshold
        places = [layer.ties.first[~last], layer.ties.first[last]]
    else:
        flat = np.arange(layer.outputs * width).reshape(layer.outputs, width)
        places = [flat[:, :-1].ravel(), flat[:, -1]]
    codes = (layer.code, layer.bias_code)
    for code, first, place in zip(codes, layer.first_bits(), places, strict=True):
        if code is not None and len(first):
            yield code, first, (place // width, place % width)


def stored_places(layer: Layer) -> tuple[IntArray, IntArray]:
    """Neuron and input at which each stored weight of a layer first stands, thresholds left out."""
    if layer.ties is None:
        return np.divmod(np.arange(layer.outputs * layer.inputs), layer.inputs)
    return np.divmod(layer.ties.first[~layer.ties.is_threshold], layer.inputs + 1)


def stored_numbers(layer: Layer) -> IntArray:
    """Stored weight of each weight of a layer, (n_l, n_{l-1}), without thresholds; -1 if fixed."""
    if layer.ties is None:
        return np.arange(layer.outputs * layer.inputs).reshape(layer.outputs, layer.inputs)
    rank = np.cumsum(np.append(~layer.ties.is_threshold, False)) - 1
    numbers = layer.ties.numbers[:, :-1]
    return np.where(numbers >= 0, rank[numbers], -1)


def stored_kernels(layer: Layer) -> IntArray:
    """Those of each filter of a convolution, (filters, K); of other layers, of each unit.

    Examples
    --------
    >>> stored_kernels(Network.conv((1, 1, 3), ["conv:1:1x2"], 1, bias=True).layers[0]).tolist()
    [[0, 1]]
    """
    numbers, window = stored_numbers(layer), layer.ties.window if layer.ties else None
    if window is None:
        return numbers
    return numbers[window.first].reshape(window.filters, window.num_taps)


def stored_levels(network: Network, bits: BitArray) -> IntArray:
    """Levels of the stored weights of all layers, thresholds left out, bits (R, n_w) -> (R, S)."""
    found = []
    for layer, start in zip(network.layers, network.bit_offsets(), strict=False):
        place = start + layer.first_bits()[0][:, None] + np.arange(layer.code.bits)
        found.append(layer.code.decode(bits[:, place]))
    return np.concatenate(found, axis=1)


def batch_levels(network: Network, bits: BitArray) -> list[tuple[IntArray, IntArray | None]]:
    """Weights (R, n_l, n_{l-1}) and thresholds (R, n_l) of each layer, of bits (R, n_w)."""
    offsets = network.bit_offsets()
    return [
        layer.decode(bits[:, offsets[number] : offsets[number + 1]])
        for number, layer in enumerate(network.layers)
    ]


def one_hot_words(network: Network) -> list[IntArray]:
    """Return the bit numbers of all one-hot words, an array (words, bits) per codebook.

    Examples
    --------
    >>> one_hot_words(Network.dense([2, 1], weights="codebook:-1,2"))[0].tolist()
    [[0, 1], [2, 3]]
    """
    words = []
    for layer, start in zip(network.layers, network.bit_offsets()[:-1], strict=True):
        words += [
            start + first[:, None] + np.arange(code.bits)
            for code, first, _ in _stored(layer)
            if code.one_hot
        ]
    return words


@dataclass(frozen=True)
class FreeLayer:
    """The free weights of one layer, with thresholds in the last of n_in + 1 columns.

    Parameters
    ----------
    fixed : ndarray of int, shape (n_out, n_in + 1)
        Level of each weight with free bits at zero.
    slot : ndarray of int, shape (n_out, n_in + 1, B)
        Position of each free bit among the problem's free bits, -1 where fixed.
    coefficient : ndarray of int, shape (n_in + 1, B)
        Change of the level by each bit.
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
        """Mask of weights that are not fixed at zero, shape (n_out, n_in + 1)."""
        return np.asarray((self.fixed != 0) | (self.free_bits > 0))

    def box(self, layer: Layer) -> LayerBox:
        """Return the bounds of the weights over all values of the free bits."""
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
    """Return the layers with the bits ``free`` free and the others from ``incumbent`` (n_w,)."""
    slots = np.full(network.num_weight_bits, -1, dtype=np.int64)
    slots[free] = np.arange(len(free))
    bits = incumbent.astype(np.int64)
    bits[free] = 0
    layers = []
    for layer, start in zip(network.layers, network.bit_offsets()[:-1], strict=True):
        n, d = layer.outputs, layer.inputs
        codes = [(layer.code, np.s_[:d]), (layer.bias_code, np.s_[d:])]
        widest = max(code.bits for code, _ in codes if code is not None)
        slot = np.full((n * (d + 1), widest), -1, dtype=np.int64)
        coefficient = np.zeros((d + 1, widest), dtype=np.int64)
        for code, columns in codes:
            if code is not None:
                coefficient[columns, : code.bits] = code.coefficients
        for code, first, (neuron, source) in _stored(layer):
            numbers = slots[start + first[:, None] + np.arange(code.bits)]
            slot[neuron * (d + 1) + source, : code.bits] = numbers
        if layer.ties is not None:
            owner = layer.ties.expand(layer.ties.first).ravel()
            fixed_weights = layer.ties.numbers.ravel() < 0
            slot = slot[np.where(fixed_weights, 0, owner)]
            slot[fixed_weights] = -1
        fixed = layer.with_thresholds(*layer.decode(bits[start : start + layer.num_bits]))
        layers.append(FreeLayer(fixed, slot.reshape(n, d + 1, widest), coefficient))
    return layers
