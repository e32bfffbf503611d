"""Products of weight bits: the nonlinear terms of a block's question."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
import scipy.sparse as sp

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.errors import ModelSizeError


def members_of(n: int, level: int, most: int = 2**20) -> IntArray:
    """List all products of 2 to ``level`` of n bits, as rows padded with their last bit.

    Raises
    ------
    ModelSizeError
        For more than ``most`` products.

    Examples
    --------
    >>> members_of(3, 3).tolist()
    [[0, 1, 1], [0, 2, 2], [1, 2, 2], [0, 1, 2]]
    """
    level = min(level, n)
    count = sum(comb(n, size) for size in range(2, level + 1))
    if count > most:
        raise ModelSizeError(
            f"level={level} of {n} weight bits has {count:,} products of bits to agree on, and at "
            f"most {most:,} are handled: take a lower level, or free fewer bits (problem.restrict)"
        )
    rows = [
        (*chosen, *chosen[-1:] * (level - size))
        for size in range(2, level + 1)
        for chosen in combinations(range(n), size)
    ]
    return np.array(rows, dtype=np.int64).reshape(count, max(level, 1))


def products_at(points: FloatArray | BitArray, members: IntArray) -> FloatArray:
    """Return the value of each product at each point, shape (R, n) -> (R, P).

    Examples
    --------
    >>> products_at(np.array([[1, 0, 1]]), members_of(3, 2)).tolist()
    [[0.0, 1.0, 0.0]]
    """
    value = np.ones((len(points), len(members)))
    for column in members.T:
        value *= points[:, column]
    return value


@dataclass(frozen=True)
class Products:
    """Polynomial sum_q c_q prod_(i in q) x_i over bits.

    Parameters
    ----------
    members : ndarray of int64, shape (P, d)
        Bits of each product, with repetitions allowed since x x = x.
    coefficients : ndarray of float64, shape (P,)
    """

    members: IntArray
    coefficients: FloatArray

    def at(self, points: FloatArray | BitArray) -> FloatArray:
        """Return the value at each point, shape (R, n) -> (R,)."""
        return np.asarray(products_at(points, self.members) @ self.coefficients)

    def under(self, pattern: BitArray) -> tuple[Products, float]:
        """Return the polynomial in the bits that are -1 in a pattern, and its constant part.

        Examples
        --------
        >>> both = Products(np.array([[0, 1], [1, 2]]), np.array([3.0, 5.0]))
        >>> rest, constant = both.under(np.array([1, -1, 0], dtype=np.int8))
        >>> rest.members.tolist(), rest.coefficients.tolist(), constant
        ([[0, 0]], [3.0], 0.0)
        """
        free = pattern < 0
        inside = free[self.members]
        value = self.coefficients * np.where(inside, 1, pattern[self.members]).prod(axis=1)
        some = inside.any(axis=1)
        # a free bit of the same product replaces each fixed one
        first = np.take_along_axis(self.members, np.argmax(inside, axis=1)[:, None], axis=1)
        members = (np.cumsum(free) - 1)[np.where(inside, self.members, first)]
        used = some & (value != 0.0)
        return Products(members[used], value[used]), float(value[~some].sum())

    def pairs(self, n: int) -> tuple[FloatArray, sp.csr_array]:
        """Split products of two into linear and quadratic coefficients of n bits."""
        low, high = self.members.min(axis=1), self.members.max(axis=1)
        same = low == high
        linear = np.bincount(low[same], self.coefficients[same], n).astype(np.float64)
        numbers = (self.coefficients[~same], (low[~same], high[~same]))
        return linear, sp.csr_array(numbers, shape=(n, n))
