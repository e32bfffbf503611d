"""Products of literals of any degree, reduced to pairs with a bit for each product."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from formulations.arrays import BoolArray, FloatArray, IntArray
from formulations.model.assembly import Terms


@dataclass(frozen=True)
class Literals:
    """Terms of at most two literals; the variables include the added ones."""

    labels: list[str]
    products: IntArray
    complements: IntArray
    """Pairs x, y of variables with x + y = 1."""
    degree: IntArray
    one: IntArray
    other: IntArray
    one_negated: BoolArray
    other_negated: BoolArray
    void: BoolArray
    """Mask of the terms that contain both x and ~x."""

    def expanded(self, coefficient: FloatArray, some: BoolArray) -> tuple[Terms, FloatArray]:
        """Expand some terms into products of variables, owned by their terms, and constants.

        (k + s v)(l + t w) for two literals, where k = 0 and s = 1, or k = 1 and s = -1.
        """
        t = np.flatnonzero(some & ~self.void)
        c, degree = coefficient[t], self.degree[t]
        one, other = self.one[t], self.other[t]
        k, m = self.one_negated[t].astype(float), self.other_negated[t].astype(float)
        s, u = 1.0 - 2.0 * k, 1.0 - 2.0 * m
        pair, single = degree == 2, degree == 1
        empty = np.full(len(t), -1, dtype=np.int64)
        parts = [
            Terms(t[single], one[single], (c * s)[single], empty[single]),
            Terms(t[pair], one[pair], (c * s * m)[pair], empty[pair]),
            Terms(t[pair], other[pair], (c * k * u)[pair], empty[pair]),
            Terms(t[pair], one[pair], (c * s * u)[pair], other[pair]),
        ]
        constant = np.where(pair, c * k * m, np.where(single, c * k, np.where(degree == 0, c, 0.0)))
        constants = np.zeros(len(coefficient))
        constants[t] = constant
        return Terms.join(parts), constants


def reduced(
    count: int, owner: IntArray, variable: IntArray, negated: BoolArray, names: Sequence[str]
) -> Literals:
    """Reduce terms to at most two literals, with a bit u = v w for each further pair of factors.

    There are ``count`` terms.  Each literal, shape (L,), has the term that owns it, its variable,
    and True in ``negated`` if it is 1 - x; ``names`` are those of the variables.

    Examples
    --------
    >>> four = reduced(1, np.zeros(4, int), np.arange(4), np.zeros(4, bool), "abcd")
    >>> four.labels[4:], four.products.tolist(), four.one.tolist(), four.other.tolist()
    (['a * b', 'c * d'], [[4, 0, 1], [5, 2, 3]], [4], [5])
    """
    labels = list(names)
    order = np.lexsort((negated, variable, owner))
    owner, variable, negated = owner[order], variable[order], negated[order]
    same = np.zeros(len(owner), dtype=bool)
    same[1:] = (np.diff(owner) == 0) & (np.diff(variable) == 0)
    void = np.zeros(count, dtype=bool)
    opposite = same.copy()
    opposite[1:] &= negated[1:] != negated[:-1]
    void[owner[opposite]] = True
    keep = ~same & ~void[owner]
    owner, variable, negated = owner[keep], variable[keep], negated[keep]
    degree = np.bincount(owner, minlength=count)

    turned = negated & (degree[owner] > 2)
    whose, place = np.unique(variable[turned], return_inverse=True)
    complements = np.stack([whose, len(labels) + np.arange(len(whose))], axis=1)
    variable[turned], negated[turned] = len(labels) + place, False
    labels += [f"~{labels[v]}" for v in whose.tolist()]

    made = [np.zeros((0, 3), dtype=np.int64)]
    while (degree > 2).any():
        first = np.cumsum(degree) - degree
        position = np.arange(len(owner)) - first[owner]
        left = (degree[owner] > 2) & (position % 2 == 0) & (position + 1 < degree[owner])
        at = np.flatnonzero(left)
        pairs = np.sort(np.stack([variable[at], variable[at + 1]], axis=1), axis=1)
        new, place = np.unique(pairs, axis=0, return_inverse=True)
        made.append(np.column_stack([len(labels) + np.arange(len(new)), new]))
        variable[at] = len(labels) + place.reshape(-1)
        labels += [f"{labels[v]} * {labels[w]}" for v, w in new.tolist()]
        if max(map(len, labels[-len(new) :])) > 2**12:  # product names double in length each round
            labels[-len(new) :] = [f"product {number}" for number in made[-1][:, 0].tolist()]
        stay = np.ones(len(owner), dtype=bool)
        stay[at + 1] = False
        owner, variable, negated = owner[stay], variable[stay], negated[stay]
        degree = np.bincount(owner, minlength=count)

    first = np.minimum(np.cumsum(degree) - degree, max(len(owner) - 1, 0))
    second = np.minimum(first + 1, max(len(owner) - 1, 0))
    if not len(owner):
        variable, negated = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=bool)
    return Literals(
        labels, np.concatenate(made), complements, degree,
        variable[first], variable[second], negated[first], negated[second], void,
    )  # fmt: skip
