"""Spin form of a QUBO, the scale of its fields, and the neighbours of each variable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from formulations.arrays import FloatArray, Int32Array, IntArray
from formulations.errors import InvalidInputError
from solvers.oracles.base import QUBO

NEGLIGIBLE = 1e-9
"""Coefficients below this share of the largest become zero: they cancelled up to rounding."""


@dataclass(frozen=True)
class Ising:
    """A QUBO in spins s = 2x - 1: minimise h's + sum_e J[e] s[heads[e]] s[tails[e]].

    Parameters
    ----------
    h, J : ndarray, shapes (n,) and (e,)
    heads, tails : ndarray of int, shape (e,)
    dropped : int
        Number of negligible coefficients that were set to zero.

    Examples
    --------
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> ising = Ising.of(qubo)
    >>> ising.h.tolist(), ising.J.tolist()
    ([1.0, -1.0], [0.5])
    """

    h: FloatArray
    heads: IntArray
    tails: IntArray
    J: FloatArray
    dropped: int

    @classmethod
    def of(cls, qubo: QUBO) -> Ising:
        """Convert ``qubo`` to spins by x_i = (1 + s_i) / 2.

        Raises
        ------
        InvalidInputError
            If a coefficient is not finite.
        """
        heads, tails, J = qubo.heads, qubo.tails, qubo.couplings / 4.0
        h = qubo.linear / 2.0 + at_both_ends(qubo.num_variables, heads, tails, J)
        largest = max(np.abs(h).max(initial=0.0), np.abs(J).max(initial=0.0))
        if not np.isfinite(largest):
            raise InvalidInputError(
                "the QUBO has coefficients that are not finite: check the model's numbers and the "
                "penalty weights"
            )
        dropped = 0
        for values in (h, J):
            small = np.abs(values) <= NEGLIGIBLE * largest
            dropped += int(np.count_nonzero(values[small]))
            values[small] = 0.0
        return cls(h, heads, tails, J, dropped)

    def beta_range(self) -> tuple[float, float]:
        """Return the hot and cold inverse temperatures from the scale of the fields on the spins.

        Among random neighbours spin i feels a field of root mean square f_i with
        f_i^2 = h_i^2 + sum_j J_ij^2, and its flip costs about 2 f_i.  The hot temperature is the
        95th percentile of the f_i, the cold one a thousandth of it.  Percentiles of sums replace
        the least and largest coefficients, so a single outlier changes nothing.
        """
        square = self.h**2 + at_both_ends(len(self.h), self.heads, self.tails, self.J**2)
        fields = np.sqrt(square[square > 0.0])
        if not len(fields):
            return 1.0, 1.0
        hot = 1.0 / float(np.quantile(fields, 0.95))  # stiffer spins follow their couplings
        return hot, hot * 10.0**3.0


@dataclass(frozen=True)
class Neighbours:
    """Couplers of each variable, stored contiguously for the sweeps.

    Parameters
    ----------
    starts : ndarray of int64, shape (n + 1,)
        Start of each variable's neighbours.
    others : ndarray of int32, shape (2e,)
        Neighbours, ascending.
    coupler : ndarray of int32, shape (2e,)
        Coupler to each neighbour.

    Examples
    --------
    >>> around = Neighbours.of(3, np.array([0, 0]), np.array([1, 2]))
    >>> around.starts.tolist(), around.others.tolist(), around.coupler.tolist()
    ([0, 2, 3, 4], [1, 2, 0, 0], [0, 1, 0, 1])
    """

    starts: IntArray
    others: Int32Array
    coupler: Int32Array

    @classmethod
    def of(cls, n: int, heads: IntArray, tails: IntArray) -> Neighbours:
        """Build the neighbours from couplers (heads, tails) of n variables."""
        coupler = np.arange(1, len(heads) + 1, dtype=np.int32)  # 1-based: a 0 would be no entry
        upper = sp.coo_array((coupler, (heads, tails)), shape=(n, n))
        both = sp.csr_array(upper.tocsr() + upper.T.tocsr())
        both.sort_indices()
        return cls(both.indptr.astype(np.int64), both.indices.astype(np.int32), both.data - 1)


def at_both_ends(n: int, heads: IntArray, tails: IntArray, values: FloatArray) -> FloatArray:
    """Sum the values of all couplers at each variable, shape (n,)."""
    return np.asarray(np.bincount(heads, values, n) + np.bincount(tails, values, n))
