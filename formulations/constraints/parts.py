"""What constraints add to a model under construction: signs of weights, counts, and their rows.

The positive and the negative indicator of a weight w, P = [w > 0] and N = [w < 0], are affine forms
of its bits where the code allows it (bipolar, uniform, codebooks), have a product of two bits for
ternary weights (b_0 b_1, levels b_0 + b_1 - 1), and else a bit of their own with two rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from formulations.arrays import BoolArray, FloatArray, IntArray
from formulations.model.assembly import Assembly, Terms
from formulations.model.labels import Family
from formulations.network.network import Network
from formulations.network.splines import Spline
from formulations.network.weight_bits import FreeLayer
from formulations.neurons.base import Neurons, Values


@dataclass(frozen=True)
class Forms:
    """Affine forms of a model's variables: a constant array, and terms owned by its flat places."""

    constant: FloatArray
    terms: Terms

    def __add__(self, other: Forms) -> Forms:
        return Forms(self.constant + other.constant, Terms.join([self.terms, other.terms]))

    def scaled(self, factor: float) -> Forms:
        """The forms times a number."""
        t = self.terms
        return Forms(
            factor * self.constant, Terms(t.owner, t.variable, factor * t.coefficient, t.second)
        )


class Subject(Protocol):
    """What a constraint asks of a training problem."""

    network: Network
    splines: tuple[Spline, ...]
    bias_units: list[int]
    X: IntArray
    out_step: float


@dataclass
class Parts:
    """A model under construction, as constraints see it.

    Parameters
    ----------
    assembly : Assembly
    subject : Subject
        The training problem.
    free : list of FreeLayer
    free_bits : ndarray of int
        Numbers of the free weight bits.
    held : ndarray of int, shape (n_w,)
        All weight bits, the free ones at zero.
    weights : ndarray of int
        Variable of each free bit.
    encode : callable
        Adds state bits of hidden neurons, and returns their activations.
    digits : tuple of int
        Widths of sample, layer and unit numbers in labels.
    position, number : int
        Of the next sample of a constraint, among those of a completion and in labels.
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
        """Weights and thresholds of a layer, (n_l, n_{l-1} + 1)."""
        free = self.free[number]
        j, i, b = np.nonzero(free.slot >= 0)
        owner = j * free.fixed.shape[1] + i
        variable = self.weights[free.slot[j, i, b]]
        return Forms(
            free.fixed.astype(float), Terms.linear(owner, variable, free.coefficient[i, b])
        )

    def signs(self, number: int) -> tuple[Forms, Forms]:
        """Indicators of positive and of negative weights of a layer, (n_l, n_{l-1}) each."""
        if number not in self._signs:
            self._signs[number] = self._made_signs(number)
        return self._signs[number]

    def _made_signs(self, number: int) -> tuple[Forms, Forms]:
        code, free = self.subject.network.layers[number].code, self.free[number]
        slot = free.slot[:, :-1, : code.bits].reshape(-1, code.bits)
        fixed = free.fixed[:, :-1].ravel()
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
        shape = free.fixed[:, :-1].shape
        positive, negative = (Forms(c.reshape(shape), Terms.join(t)) for c, t in sides)
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
        """An indicator that is a product of two bits, or of their complements."""
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
        """A new bit for each of some weights of a layer."""
        width = self.subject.network.layers[number].inputs
        widest = len(str(max(self.subject.network.widths) - 1))
        layer = np.full(len(at), number + 1)
        return self.assembly.variables(
            name, ("", "", ""), (self.digits[1], self.digits[2], widest),
            [layer, at // width, at % width],
        )  # fmt: skip

    def _indicators(
        self, name: str, number: int, at: IntArray, forms: Forms, low: int, high: int
    ) -> IntArray:
        """New bits of weights of a layer: whether a form of each is positive."""
        x, width = self._variables(name, number, at), self.subject.network.layers[number].inputs
        table = np.stack([np.full(len(at), number + 1), at // width, at % width], axis=1)
        self.assembly.indicators(x, forms.constant, forms.terms, low, high, name, table)
        return x

    def add_counts(
        self, name: str, number: int, groups: list[IntArray], count: int, limit: int
    ) -> None:
        """Rows: at most ``limit`` non-zero weights in each of ``count`` groups."""
        most, rest = np.zeros(count), np.full(count, float(limit))
        parts: list[Terms] = []
        for layer, own in enumerate(groups):
            of = own.ravel()
            inside = of >= 0
            if not inside.any():
                continue
            matters = self.free[layer].can_matter[:, :-1].ravel()
            most += np.bincount(of[inside], matters[inside], minlength=count)
            nonzero = self.signs(layer)[0] + self.signs(layer)[1]
            constant = nonzero.constant.ravel()
            rest -= np.bincount(of[inside], constant[inside], minlength=count)
            terms = nonzero.terms.take(inside[nonzero.terms.owner])
            parts.append(Terms.linear(of[terms.owner], terms.variable, terms.coefficient))
        needed = np.flatnonzero(most > limit)
        place = np.full(count, -1, dtype=np.int64)
        place[needed] = np.arange(len(needed))
        terms = Terms.join(parts)
        terms = terms.take(place[terms.owner] >= 0)
        table = np.stack([np.full(len(needed), number), needed], axis=1)
        kind = name.partition(":")[0]
        self.assembly.rows(
            Terms.linear(place[terms.owner], terms.variable, terms.coefficient),
            rest[needed],
            kind,
            Family(kind, ("c", "g"), table, (2, len(str(count)))),
            equality=False,
        )


def _literal(
    target: BoolArray, words: IntArray
) -> tuple[float, FloatArray, IntArray | None] | None:
    """A truth table over words as a constant, a bit or its complement, if it is one.

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
