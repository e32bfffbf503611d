"""Points that minimise every term of a linear objective, by meet in the middle.

Variables with a cost take their cheapest value.  If the others can then satisfy all rows, no point
is better; if not, which is known once all of them are checked, the optimum exceeds this value by at
least the smallest cost.  Each half of the others has a list of its contributions to the equalities,
and a solution is a pair of entries with the right total: 2^(k/2) entries for k variables [Horowitz,
Sahni, J. ACM 21, 1974].  All equalities are one number in the lists, mixed by random odd factors
modulo 2^64, and matches are checked against the rows themselves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from formulations.arrays import Array, BitArray, IntArray
from solvers.kernels.loss_form import common_unit
from solvers.qcgd.scoring import ModelScoring, Pool
from solvers.qcgd.sources.base import AFFORDED, BATCH, Source

HALF = 21
"""Base-2 logarithm of the most entries in a list."""

ENTRY = 2.0
"""Effort per entry, in units of repair candidates of equal time."""


class Halves(Source):
    """Source of solutions of the equalities at the least value of the objective.

    Parameters
    ----------
    target : ModelScoring
        Its floor rises if there is no solution.

    Examples
    --------
    >>> from formulations.model.qcbo import QCBO
    >>> target = ModelScoring(QCBO.from_arrays([0, 0, 0, 1], [[3, 5, 6, 1]], [9]))
    >>> Halves.of(target).points(Pool(1), np.random.default_rng(0)).tolist()
    [[1, 0, 1, 0]]
    """

    kept = ("_next", "_asked", "_met")

    def __init__(self, target: ModelScoring, free: IntArray) -> None:
        self._target, self._free, self.effort = target, free, 0.0
        self._next, self._asked, self._met = 0, 0, False
        model = target.model
        self._base = (model.linear < 0.0).astype(np.int8)
        factors = np.random.default_rng(0).integers(0, 2**63, model.num_rows, dtype=np.uint64)
        factors = 2 * factors + np.uint64(1)
        rows, used = model.rows[model.equality], factors[model.equality]
        rest = np.rint(model.rhs[model.equality] - rows @ self._base).astype(np.int64)
        whole = np.rint(rows[:, free].toarray()).astype(np.int64)
        self._keys = (whole.astype(np.uint64) * used[:, None]).sum(axis=0, dtype=np.uint64)
        self._goal = (rest.astype(np.uint64) * used).sum(dtype=np.uint64)
        self._sizes = [(len(free) + 1) // 2, len(free) // 2]
        self._sizes = [min(size, HALF) for size in self._sizes]
        self._table: tuple[Any, Any, Any] | None = None

    @classmethod
    def of(cls, target: ModelScoring) -> Halves | None:
        """Make the source for integer equalities, a linear objective and few free bits."""
        model = target.model
        rows = model.rows[model.equality]
        free = np.flatnonzero(model.linear == 0.0)
        numbers = np.concatenate([rows.data, model.rhs[model.equality]])
        fits = 1 <= len(free) <= 50 and not model.num_products and not model.quadratic.nnz
        if not fits or not rows[:, free].nnz or np.abs(numbers).max() >= 2**31:
            return None
        unit = common_unit(numbers)
        return cls(target, free) if unit is not None and unit.denominator == 1 else None

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """Return at most a batch of solutions from one section of the second list."""
        first, second = self._sizes
        outer = len(self._free) - first - second
        self._asked += 1
        self.effort = 0.0
        costly = ENTRY * (2.0**first + 2.0**second) > self._asked * AFFORDED
        if self._next >> outer or costly:
            return np.zeros((0, len(self._base)), dtype=np.int8)
        if self._table is None:
            sums, inner = _sums(self._keys[:first]), _sums(self._keys[first : first + second])
            order = np.argsort(sums)
            self._table = sums[order], order, inner
        sums, order, inner = self._table
        high = (self._next >> np.arange(outer)) & 1
        outside = self._keys[first + second :] * high.astype(np.uint64)
        with np.errstate(over="ignore"):  # all modulo 2^64
            wanted = (self._goal - outside.sum(dtype=np.uint64)) - inner
        sought = np.argsort(wanted)  # sequential memory access
        place = np.searchsorted(sums, wanted[sought])
        met = np.flatnonzero(sums[np.minimum(place, len(sums) - 1)] == wanted[sought])
        self._next += 1
        self.effort = ENTRY * (len(sums) + len(inner))
        self._met |= len(met) > 0
        if self._next >> outer and not self._met:
            self._prove()
        met = met[:BATCH]
        found = np.repeat(self._base[None], len(met), axis=0)
        low, middle = order[place[met]], sought[met]
        bits = [(low[:, None] >> np.arange(first)) & 1, (middle[:, None] >> np.arange(second)) & 1]
        bits.append(np.repeat(high[None], len(met), axis=0))
        found[:, self._free] = np.concatenate(bits, axis=1)
        return found

    def _prove(self) -> None:
        """Raise the floor: the search is complete without a match."""
        model = self._target.model
        costs = np.abs(model.linear[model.linear != 0.0])
        least = model.offset + float(np.minimum(model.linear, 0.0).sum())
        bound = least + float(costs.min()) if len(costs) else self._target.ceiling
        self._target.prove(bound, "enumeration")


def _sums(keys: Array) -> Array:
    """Compute the sums of all subsets, that of bits x at index sum x_i 2^i.

    Examples
    --------
    >>> _sums(np.array([1, 10], dtype=np.uint64)).tolist()
    [0, 1, 10, 11]
    """
    sums = np.zeros(1, dtype=np.uint64)
    for key in keys:
        sums = np.concatenate([sums, sums + key])
    return sums
