"""Parts that constraints add to a model: signs of weights, counts, and their rows.

The positive and the negative indicator of a weight w, P = [w > 0] and N = [w < 0], are affine forms
of its bits if the code allows it (bipolar, uniform, codebooks), use a product of two bits for
ternary weights (b_0 b_1, levels b_0 + b_1 - 1), and otherwise have their own bit with two rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from formulations.arrays import Array, BoolArray, FloatArray, IntArray
from formulations.model.assembly import Assembly, Terms, ragged
from formulations.model.labels import Family
from formulations.network.network import Network
from formulations.network.splines import Spline
from formulations.network.weight_bits import FreeLayer, stored_numbers, stored_places
from formulations.neurons.base import Neurons, Values


@dataclass(frozen=True)
class Forms:
    """Affine forms of a model's variables: a constant array and terms owned by flat indices."""

    constant: FloatArray
    terms: Terms

    def __add__(self, other: Forms) -> Forms:
        return Forms(self.constant + other.constant, Terms.join([self.terms, other.terms]))

    def scaled(self, factor: float | Array) -> Forms:
        """Scale the forms by one number, or each by its own."""
        t, each = self.terms, np.broadcast_to(factor, self.constant.shape).ravel()
        return Forms(
            factor * self.constant, Terms.linear(t.owner, t.variable, each[t.owner] * t.coefficient)
        )

    def take(self, places: IntArray) -> Forms:
        """Take the forms at some flat indices, in their shape; zero for index -1."""
        size, t = self.constant.size, self.terms
        count = np.bincount(t.owner, minlength=size + 1)
        start = np.cumsum(count) - count
        owner, entry = ragged(start[places.ravel()], count[places.ravel()])
        entry = np.argsort(t.owner, kind="stable")[entry]
        return Forms(
            np.append(self.constant.ravel(), 0.0)[places],
            Terms.linear(owner, t.variable[entry], t.coefficient[entry]),
        )

    def __getitem__(self, key: Any) -> Forms:
        return self.take(np.arange(self.constant.size).reshape(self.constant.shape)[key])


class Subject(Protocol):
    """Interface of a training problem for constraints."""

    network: Network
    splines: tuple[Spline, ...]
    bias_units: list[int]
    X: IntArray
    out_step: float


@dataclass
class Parts:
    """Model under construction, as constraints see it.

    Parameters
    ----------
    assembly : Assembly
    subject : Subject
        The training problem.
    free : list of FreeLayer
    free_bits : ndarray of int
        Numbers of the free weight bits.
    held : ndarray of int, shape (n_w,)
        All weight bits, with the free ones at zero.
    weights : ndarray of int
        Variable of each free bit.
    encode : callable
        Adds state bits of hidden neurons and returns their activations.
    digits : tuple of int
        Widths of sample, layer and unit numbers in labels.
    position, number : int
        Number of the next sample of a constraint, in a completion and in labels.
    """

    assembly: Assembly
    subject: Subject
    free: list[FreeLayer]
    free_bits: IntArray
    held: IntArray
    weights: IntArray
    encode: Callable[[Neurons, Spline], Values]
    digits: tuple[int, int, int]
    position: int
    number: int
    _signs: dict[int, tuple[Forms, Forms]] = field(default_factory=dict)

    def levels(self, number: int) -> Forms:
        """Return the weights and thresholds of a layer, (n_l, n_{l-1} + 1)."""
        free = self.free[number]
        j, i, b = np.nonzero(free.slot >= 0)
        owner = j * free.fixed.shape[1] + i
        variable = self.weights[free.slot[j, i, b]]
        return Forms(
            free.fixed.astype(float), Terms.linear(owner, variable, free.coefficient[i, b])
        )

    def signs(self, number: int) -> tuple[Forms, Forms]:
        """Return the positive and negative indicators of a layer's weights, (n_l, n_{l-1}) each."""
        numbers = stored_numbers(self.subject.network.layers[number])
        fixed = np.where(numbers < 0, self.free[number].fixed[:, :-1], 0)
        none = Terms.join([])
        positive, negative = (
            side.take(numbers) + Forms((sign * fixed > 0).astype(float), none)
            for sign, side in zip((1, -1), self.stored_signs(number), strict=True)
        )
        return positive, negative

    def stored_signs(self, number: int) -> tuple[Forms, Forms]:
        """Return the indicators of its stored weights, (S,) each."""
        if number not in self._signs:
            self._signs[number] = self._made_signs(number)
        return self._signs[number]

    def _made_signs(self, number: int) -> tuple[Forms, Forms]:
        layer, free = self.subject.network.layers[number], self.free[number]
        code, places = layer.code, stored_places(layer)
        slot, fixed = free.slot[places][:, : code.bits], free.fixed[places]
        sides: list[tuple[FloatArray, list[Terms]]] = [(np.zeros(len(fixed)), []) for _ in "+-"]
        coefficients = np.array(code.coefficients)
        masks, of = np.unique(slot >= 0, axis=0, return_inverse=True)
        for number_of_mask, mask in enumerate(masks):
            for base in np.unique(fixed[of.ravel() == number_of_mask]).tolist():
                at = np.flatnonzero((of.ravel() == number_of_mask) & (fixed == base))
                bits = self.weights[slot[at][:, mask]]
                if code.one_hot and mask.any():
                    words = np.eye(code.bits, dtype=np.int64)
                else:
                    words = (np.arange(2 ** int(mask.sum()))[:, None] >> np.arange(mask.sum())) & 1
                levels = base + words @ coefficients[mask]
                for sign, (constant, terms) in zip((1, -1), sides, strict=True):
                    target = sign * levels > 0
                    if code.one_hot and mask.any():
                        chosen = bits[:, target]
                        owner = np.repeat(at, chosen.shape[1])
                        terms.append(Terms.linear(owner, chosen.ravel(), 1.0))
                        continue
                    found = _literal(target, words)
                    if found is None:
                        found = self._new_sign(number, at, bits, sides[0], target, words)
                    if found is None:
                        change = sign * coefficients[mask]
                        constant_part = np.full(len(at), float(sign * base))
                        row = np.repeat(np.arange(len(at)), bits.shape[1])
                        form = Terms.linear(row, bits.ravel(), np.tile(change, len(at)))
                        low, high = int((sign * levels).min()), int((sign * levels).max())
                        own = self._indicators(
                            "pos" if sign > 0 else "neg",
                            number,
                            at,
                            Forms(constant_part, form),
                            low,
                            high,
                        )
                        terms.append(Terms.linear(at, own, 1.0))
                        continue
                    offset, factors, products = found
                    constant[at] += offset
                    row = np.repeat(at, bits.shape[1])
                    terms.append(Terms.linear(row, bits.ravel(), np.tile(factors, len(at))))
                    if products is not None:
                        terms.append(Terms.linear(at, products, 1.0))
        positive, negative = (Forms(constant, Terms.join(terms)) for constant, terms in sides)
        return positive, negative

    def _new_sign(
        self,
        number: int,
        at: IntArray,
        bits: IntArray,
        positive: tuple[FloatArray, list[Terms]],
        target: BoolArray,
        words: IntArray,
    ) -> tuple[float, FloatArray, IntArray | None] | None:
        """Make an indicator that is a product of two bits or of their complements."""
        if words.shape[1] != 2:
            return None
        if np.array_equal(target, words.all(axis=1)):
            u = self._variables("pos", number, at)
            self.assembly.products(u, bits[:, 0], bits[:, 1])
            return 0.0, np.zeros(2), u
        if np.array_equal(target, ~words.any(axis=1)) and positive[1]:
            u = positive[1][-1].variable
            if len(u) == len(at):
                return 1.0, np.array([-1.0, -1.0]), u
        return None

    def _variables(self, name: str, number: int, at: IntArray) -> IntArray:
        """Add a bit for each of some stored weights of a layer."""
        widest = len(str(max(self.subject.network.widths) - 1))
        return self.assembly.variables(
            name, ("", "", ""), (self.digits[1], self.digits[2], widest),
            list(self._labels(number, at).T),
        )  # fmt: skip

    def _labels(self, number: int, at: IntArray) -> IntArray:
        """Return layer, neuron and input of some stored weights of a layer, (len(at), 3)."""
        neuron, source = stored_places(self.subject.network.layers[number])
        return np.stack([np.full(len(at), number + 1), neuron[at], source[at]], axis=1)

    def _indicators(
        self, name: str, number: int, at: IntArray, forms: Forms, low: int, high: int
    ) -> IntArray:
        """Add indicator bits of a layer's weights: whether the form of each is positive."""
        x, table = self._variables(name, number, at), self._labels(number, at)
        self.assembly.indicators(x, forms.constant, forms.terms, low, high, name, table)
        return x

    def add_counts(
        self, kind: str, number: int, weights: IntArray, owners: IntArray, count: int, limit: int
    ) -> None:
        """Add rows: at most ``limit`` non-zero stored weights in each of ``count`` groups."""
        matters, constants, found, first = [], [], [], 0
        for layer, free in enumerate(self.free):
            place = stored_places(self.subject.network.layers[layer])
            own = (weights >= first) & (weights < first + len(place[0]))
            inside, owner = weights[own] - first, owners[own]
            first += len(place[0])
            matters.append(np.bincount(owner, free.can_matter[place][inside], minlength=count))
            if not len(inside):
                continue
            positive, negative = self.stored_signs(layer)
            nonzero = (positive + negative).take(inside)
            constants.append(np.bincount(owner, nonzero.constant, minlength=count))
            t = nonzero.terms
            found.append(Terms.linear(owner[t.owner], t.variable, t.coefficient))
        needed = np.flatnonzero(np.sum(matters, axis=0) > limit)
        rest = limit - np.sum(constants, axis=0)
        row = np.full(count, -1, dtype=np.int64)
        row[needed] = np.arange(len(needed))
        terms = Terms.join(found)
        terms = terms.take(row[terms.owner] >= 0)
        table = np.stack([np.full(len(needed), number), needed], axis=1)
        self.assembly.rows(
            Terms.linear(row[terms.owner], terms.variable, terms.coefficient),
            rest[needed],
            kind,
            Family(kind, ("c", "g"), table, (2, len(str(count)))),
            equality=False,
        )


def _literal(
    target: BoolArray, words: IntArray
) -> tuple[float, FloatArray, IntArray | None] | None:
    """Reduce a truth table over words to a constant, a bit or its complement, if possible.

    Examples
    --------
    >>> _literal(np.array([True, False]), np.array([[0], [1]]))
    (1.0, array([-1.]), None)
    """
    none = np.zeros(words.shape[1])
    if target.all() or not target.any():
        return float(target.all()), none, None
    for place, bit in enumerate(words.T.astype(bool)):
        for constant, same in ((0.0, bit), (1.0, ~bit)):
            if np.array_equal(target, same):
                factors = none.copy()
                factors[place] = 1.0 - 2.0 * constant
                return constant, factors, None
    return None
