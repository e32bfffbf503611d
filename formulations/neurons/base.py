"""Encodings of a neuron: its state bits, the rows that tie them to z, and its value as a form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.model.assembly import Assembly, StateStep, Terms
from formulations.model.labels import Family
from formulations.network.splines import Spline


def word_length(largest: npt.ArrayLike) -> IntArray:
    """Return the bits of a plain binary word for 0 .. largest.

    Examples
    --------
    >>> word_length([0, 1, 2, 7, 8]).tolist()
    [0, 1, 2, 3, 4]
    """
    return np.ceil(np.log2(np.asarray(largest, dtype=float) + 1.0)).astype(np.int64)


@dataclass(frozen=True)
class Neurons:
    """Neurons of one layer that need state bits, one entry per (sample, unit).

    Parameters
    ----------
    layer : int
        Number of the layer, from 1.
    sample, unit : ndarray of int, shape (E,)
    number : ndarray of int, shape (E,)
        Number of the sample in labels.
    low, high : ndarray of int, shape (E,)
        Bounds of z.
    constant : ndarray, shape (E,)
        Constant part of z.
    terms : Terms
        Linear part of z, with owners 0 .. E-1.
    digits : tuple of int
        Widths of sample, layer and unit numbers in labels.
    """

    layer: int
    sample: IntArray
    unit: IntArray
    number: IntArray
    low: IntArray
    high: IntArray
    constant: FloatArray
    terms: Terms
    digits: tuple[int, int, int]

    def __len__(self) -> int:
        return len(self.sample)

    def take(self, chosen: IntArray) -> Neurons:
        """Return the chosen neurons (ascending positions)."""
        new = np.full(len(self), -1, dtype=np.int64)
        new[chosen] = np.arange(len(chosen))
        terms = self.terms.take(new[self.terms.owner] >= 0)
        return Neurons(
            self.layer,
            self.sample[chosen],
            self.unit[chosen],
            self.number[chosen],
            self.low[chosen],
            self.high[chosen],
            self.constant[chosen],
            Terms(new[terms.owner], terms.variable, terms.coefficient, terms.second),
            self.digits,
        )

    def state_bits(
        self,
        assembly: Assembly,
        name: str,
        numbers: npt.ArrayLike,
        field: str = "",
        digits: int = 0,
    ) -> IntArray:
        """Add state bits ``name[k=,l=,j=,field=]``, shape (E, len(numbers))."""
        extra = (np.asarray(numbers)[None, :],) if field else ()
        return assembly.variables(
            name,
            ("k", "l", "j") + ((field,) if field else ()),
            self.digits + ((digits,) if field else ()),
            (self.number[:, None], np.full((len(self), 1), self.layer), self.unit[:, None], *extra),
        )

    def products(self, assembly: Assembly, owner: IntArray, piece: int, rank: IntArray) -> IntArray:
        """Add product bits ``v[k=,l=,j=,p=,t=]`` of term number ``rank`` of neuron ``owner``."""
        return assembly.variables(
            "v",
            ("k", "l", "j", "p", "t"),
            (*self.digits, 2, 5),
            (self.number[owner], self.layer, self.unit[owner], piece, rank),
        )

    def row_labels(self, name: str, piece: int | None = None) -> Family:
        """Return labels ``name[k=,l=,j=]``, or with ``,p=`` last, of one row per neuron."""
        columns = [self.number, np.full(len(self), self.layer), self.unit]
        if piece is None:
            return Family(name, ("k", "l", "j"), np.stack(columns, axis=1), self.digits)
        table = np.stack([*columns, np.full(len(self), piece)], axis=1)
        return Family(name, ("k", "l", "j", "p"), table, (*self.digits, 2))


Values = tuple[FloatArray, Terms]
"""Activations as affine forms of state bits: constants, terms.  Losses may be quadratic forms."""


@dataclass(frozen=True)
class Sketch:
    """Neurons before they are built: bounds, constant part and number of terms of z, each (E,)."""

    low: IntArray
    high: IntArray
    constant: FloatArray
    entries: IntArray

    def take(self, chosen: IntArray) -> Sketch:
        return Sketch(
            self.low[chosen], self.high[chosen], self.constant[chosen], self.entries[chosen]
        )


@dataclass(frozen=True)
class Counts:
    """Exact sizes of neurons before they are built, each of shape (E,).

    State bits (including products among them), rows, entries of these rows, product rows, and
    terms and constant of the value's form.
    """

    bits: IntArray
    rows: IntArray
    nonzeros: IntArray
    products: IntArray
    terms: IntArray
    constant: FloatArray

    @classmethod
    def of(cls, columns: IntArray, constant: FloatArray) -> Counts:
        """Make counts from five rows of numbers, in the order of the fields."""
        bits, rows, nonzeros, products, terms = columns
        return cls(bits, rows, nonzeros, products, terms, constant)


@dataclass(frozen=True)
class NeuronEncoding:
    """State bits and rows of the neurons that cross a breakpoint.

    Parameters
    ----------
    name : str
        Name that users write.
    has_words : bool
        True if z is written as a word; otherwise a neuron inside one piece needs no bits.
    count : callable
        Return the :class:`Counts` of (sketch, spline, reduce).
    encode : callable
        Add the state bits and rows of (assembly, neurons, spline, reduce, indexed), and return the
        ``Values``.  ``reduce`` makes the values linear, by product variables, as the next
        layer needs them; the objective takes quadratic terms as they are.  ``indexed`` gives sign
        bits the index p of their piece, where a model mixes encodings.
    """

    name: str
    has_words: bool
    count: Callable[[Sketch, Spline, bool], Counts]
    encode: Callable[[Assembly, Neurons, Spline, bool, bool], Values]


def binary(values: IntArray, length: int) -> BitArray:
    """Return the bits of ``values`` as plain binary words, shape (..., E) -> (..., E, length).

    Examples
    --------
    >>> binary(np.array([0, 5]), 3).tolist()
    [[0, 0, 0], [1, 0, 1]]
    """
    return ((values[..., None] >> np.arange(length)) & 1).astype(np.int8)


def binary_from(z: IntArray, low: IntArray, length: int) -> BitArray:
    """Return the bits of z - low as plain binary words, shape (..., E) -> (..., E, length)."""
    return binary(z - low, length)


def linear_word(assembly: Assembly, neurons: Neurons, spline: Spline) -> Values:
    """Encode neurons inside one sloped piece: z = low + sum_r 2^r s_r, a = slope z + intercept.

    No indicator is needed; the length of the word follows from the range of z.
    """
    lengths = word_length(neurons.high - neurons.low)
    piece = spline.piece(neurons.low)
    slope = spline.slopes[piece]
    parts = []
    for length in np.unique(lengths):
        chosen = np.flatnonzero(lengths == length)
        group = neurons.take(chosen)
        powers = 2.0 ** np.arange(length)
        s = group.state_bits(assembly, "s", np.arange(length), "r", 2)
        owner = np.repeat(np.arange(len(group))[:, None], length, axis=1)
        assembly.rows(
            Terms.join([group.terms, Terms.linear(owner, s, -powers)]),
            group.low - group.constant,
            f"layer {group.layer}",
            group.row_labels("z"),
        )
        word = partial(binary_from, low=group.low, length=int(length))
        assembly.steps.append(StateStep(group.layer, group.sample, group.unit, s, word))
        weight = slope[chosen][:, None] * powers
        parts.append(Terms.linear(chosen[owner], s, weight))
    return slope * neurons.low + spline.intercepts[piece], Terms.join(parts)


def linear_word_counts(sketch: Sketch, spline: Spline) -> Counts:
    length = word_length(sketch.high - sketch.low)
    piece = spline.piece(sketch.low)
    value = spline.slopes[piece] * sketch.low + spline.intercepts[piece]
    one, none = np.ones_like(length), np.zeros_like(length)
    return Counts(length, one, length + sketch.entries, none, length, value)
