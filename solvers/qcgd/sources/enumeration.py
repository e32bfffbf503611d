"""Branch and bound under linear rows, with the linear relaxation of every node.

A node is a dual simplex from the basis of the one before, with a full tableau: bits have two ends,
so any basis is dual feasible with each nonbasic bit at the end that its reduced cost asks for, and
a change of ends needs no first phase [bound flipping: Maros, EJOR 149, 2003].  A bit whose reduced
cost exceeds what is left to the best value is fixed below the node [Dantzig, Fulkerson, Johnson,
Oper. Res. 2, 1954]; a node branches on the fraction with the largest product of least rises
[Driebeek, Management Science 12, 1966; Tomlin, Oper. Res. 19, 1971].  Few rows make a node cheap:
ten rows over a hundred bits take ten microseconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from formulations.arrays import Array, BitArray, FloatArray
from formulations.passes.coefficient_step import common_steps
from solvers.kernels.compiled import assign, compiled
from solvers.qcgd.linear import ROUNDING, LinearForm
from solvers.qcgd.scoring import ModelScoring, Pool
from solvers.qcgd.sources.base import Source

WORK = 60.0
"""Steps of an inner loop in the time of one repair candidate."""

ENTRIES = 60_000
"""Most entries of a tableau."""

TINY, FRACTION = 1e-9, 1e-6
"""Entries of a tableau, and distances from a row's or a bit's end, that count as rounding."""

FRESH = 500
"""Pivots after which a tableau is computed anew."""


class Tree(NamedTuple):
    """A search over k bits and m rows, which can be continued.

    Variables are the bits and then the row sums A x, each between ``low`` and ``high``; ``tableau``
    has the basic ones, ``base``, as sums of the nonbasic ones, ``outside``, and ``reduced`` the
    objective.  ``trail`` has the bits fixed so far, ``branched`` those of them that were chosen,
    with the length of the trail before, the end taken first (1: 0), and whether the other one has
    been tried.  ``state`` has the numbers of levels, of fixed bits and of pivots since the tableau
    was computed, and whether all cuts so far are certain.
    """

    rows: Array
    cost: Array
    low: Array
    high: Array
    sizes: Array
    tableau: Array
    reduced: Array
    base: Array
    outside: Array
    x: Array
    trail: Array
    branched: Array
    state: Array

    @classmethod
    def of(cls, form: LinearForm) -> Tree:
        """Begin a search for the least cost; rows are scaled to a largest coefficient of 1."""
        m, k = form.rows.shape
        rows = form.rows.toarray()
        scale = 1.0 / np.maximum(np.abs(rows).max(axis=1, initial=0.0), 1e-300)
        rows, low, high = rows * scale[:, None], form.low * scale, form.high * scale
        ends = np.where(np.isfinite(high), np.abs(high), 0.0)
        ends = np.maximum(ends, np.where(np.isfinite(low), np.abs(low), 0.0))
        return cls(
            rows, form.cost, np.append(np.zeros(k), low), np.append(np.ones(k), high),
            np.append(np.abs(rows).sum(axis=1) + ends, np.abs(form.cost).sum()),
            rows.copy(), form.cost.copy(), np.arange(k, k + m), np.arange(k), np.zeros(k + m),
            np.zeros(k, dtype=np.int64), np.zeros((k + 1, 4), dtype=np.int64),
            np.array([0, 0, 0, 1]),
        )  # fmt: skip


@compiled(inner=True)
def _pivot(t: Tree, i: int, j: int) -> None:
    """Exchange the basic variable of row i and the nonbasic one of column j."""
    pivot, p = t.tableau[i], 1.0 / t.tableau[i, j]
    for r in range(len(t.base)):
        row = t.tableau[r]
        if r != i and row[j] != 0.0:
            f = row[j] * p
            for c in range(len(pivot)):
                row[c] -= f * pivot[c]
            row[j] = f
    f = t.reduced[j] * p
    for c in range(len(pivot)):
        t.reduced[c] -= f * pivot[c]
        pivot[c] *= -p
    t.reduced[j], pivot[j] = f, p
    t.base[i], t.outside[j] = t.outside[j], t.base[i]


@compiled(inner=True)
def _renew(t: Tree) -> None:
    """Compute the tableau of the basis from the rows, without its pivots' rounding."""
    m, k = t.rows.shape
    before, kept = t.base.copy(), np.zeros(k + m, np.bool_)
    assign(t.reduced, t.cost)
    for j in range(k):
        t.outside[j] = j
    for i in range(m):
        kept[before[i]], t.base[i] = True, k + i
        assign(t.tableau[i], t.rows[i])
    for v in before:
        row = -1
        for i in range(m if v < k else 0):
            larger = row < 0 or abs(t.tableau[i, v]) > abs(t.tableau[row, v])
            if larger and not kept[t.base[i]]:
                row = i
        if row >= 0 and abs(t.tableau[row, v]) > TINY:
            _pivot(t, row, v)


@compiled(inner=True, fastmath={"reassoc", "contract"})
def _sum(row: Array, values: Array) -> float:
    """Compute row'values."""
    total = 0.0
    for j in range(len(row)):
        total += row[j] * values[j]
    return total


@compiled(inner=True)
def _solve(t: Tree, cutoff: float) -> tuple[float, int, bool, int]:
    """Solve a node's relaxation by the dual simplex until its value exceeds the cutoff.

    Returns the value, the row that cannot hold or -1, whether the point is optimal, and the number
    of pivots.
    """
    m, k = t.tableau.shape
    ratio, ends, value = np.empty(k), np.empty(k), 0.0
    most = 20 + 10 * m
    for pivots in range(most):
        for j in range(k):
            v = t.outside[j]
            high = (t.reduced[j] < 0.0 and t.high[v] < np.inf) or t.low[v] == -np.inf
            t.x[v] = ends[j] = t.high[v] if high else t.low[v]
        value = _sum(t.reduced, ends)
        row, need, sign = -1, FRACTION, 1.0
        for i in range(m):
            v = t.base[i]
            t.x[v] = _sum(t.tableau[i], ends)
            if t.x[v] - t.high[v] > need:
                row, need, sign = i, t.x[v] - t.high[v], 1.0
            if t.low[v] - t.x[v] > need:
                row, need, sign = i, t.low[v] - t.x[v], -1.0
        if value > cutoff or row < 0:
            return value, -1, row < 0, pivots
        pivot = t.tableau[row]
        for j in range(k):
            v, a = t.outside[j], sign * pivot[j]
            able = t.low[v] < t.high[v] and abs(a) > TINY and (a < 0.0) == (ends[j] == t.low[v])
            ratio[j] = abs(t.reduced[j] / a) if able else np.inf
        entering = -1
        while entering < 0:
            best = np.argmin(ratio)
            if ratio[best] == np.inf:
                return value, row, False, pivots
            v = t.outside[best]
            need -= abs(pivot[best]) * (t.high[v] - t.low[v])
            if need < FRACTION:  # Exactly enough is enough.
                entering = int(best)
            ratio[best] = np.inf
        _pivot(t, row, entering)
    return value, -1, False, most


@compiled(inner=True)
def _bound(t: Tree, y: Array, costs: float, reduced: Array) -> float:
    """Compute the dual value of y, less its possible rounding, and the reduced costs.

    It holds for any y, however the tableau was rounded [see ``Relaxation``]; with ``costs`` 0, a
    value above 0 shows that no point satisfies the rows.
    """
    m, k = t.rows.shape
    value, size = 0.0, costs * t.sizes[m]
    for j in range(k):
        reduced[j] = costs * t.cost[j]
    for r in range(m):
        side = t.low[k + r] if y[r] > 0.0 else t.high[k + r]
        if y[r] != 0.0 and abs(side) < np.inf:
            value += y[r] * side
            size += abs(y[r]) * t.sizes[r]
            row, factor = t.rows[r], y[r]
            for j in range(k):
                reduced[j] -= factor * row[j]
    for j in range(k):
        value += reduced[j] * (t.low[j] if reduced[j] > 0.0 else t.high[j])
    return float(value - ROUNDING * size)


@compiled(inner=True)
def _multipliers(t: Tree, row: int, y: Array) -> None:
    """Read the rows' multipliers from the basis, or those that show that ``row`` cannot hold."""
    k = t.rows.shape[1]
    for r in range(len(y)):
        y[r] = 0.0
    source, sign = t.reduced, 1.0
    if row >= 0:
        source = t.tableau[row]
        sign = 1.0 if t.x[t.base[row]] > t.high[t.base[row]] else -1.0
        if t.base[row] >= k:
            y[t.base[row] - k] = -sign
    for j in range(k):
        if t.outside[j] >= k:
            y[t.outside[j] - k] = sign * source[j]


@compiled(inner=True)
def _fraction(t: Tree, value: float) -> tuple[int, bool]:
    """Choose a fractional bit and the end to take first, the one of the lesser least rise."""
    best, chosen, down = -1.0, -1, True
    floor = 1e-6 * abs(value) + TINY
    for i in range(len(t.base)):
        v, f = t.base[i], t.x[t.base[i]]
        if v >= len(t.cost) or t.low[v] == t.high[v] or min(f, 1.0 - f) < FRACTION:
            continue
        less, more = 1e30, 1e30
        for j in range(len(t.cost)):
            w, a = t.outside[j], t.tableau[i, j]
            if t.low[w] == t.high[w] or abs(a) < TINY:
                continue
            rise = abs(t.reduced[j] / a)
            if (a < 0.0) == (t.x[w] == t.low[w]):
                less = min(less, rise)
            else:
                more = min(more, rise)
        less, more = f * less, (1.0 - f) * more
        score = max(less, floor) * max(more, floor)
        if score > best:
            best, chosen, down = score, v, less <= more
    return chosen, down


@compiled()
def search(
    t: Tree, best: Array, least: float, gain: float, most: float
) -> tuple[float, float, bool]:
    """Continue a search, depth first, for points whose cost is at least ``gain`` below ``least``.

    Returns the best cost, whose bits are put in ``best``, the work done, which ends soon after it
    exceeds ``most``, and whether the search is complete; ``t.state[3]`` says whether it then is a
    proof.
    """
    m, k = t.rows.shape
    y, reduced, work = np.empty(m), np.empty(k), 0.0
    while work < most:
        if t.state[2] > FRESH:
            _renew(t)
            t.state[2] = 0
        value, row, optimal, pivots = _solve(t, least - gain)
        t.state[2] += pivots
        work += (6.0 + 2.0 * pivots) * (m + 1) * k
        _multipliers(t, row, y)
        bound = _bound(t, y, 0.0 if row >= 0 else 1.0, reduced)
        certain = bound > 0.0 if row >= 0 else bound >= least - gain
        cut = row >= 0 or value > least - gain or certain
        if cut and not certain:
            t.state[3] = 0
        chosen, down = -1, True
        if not cut:
            for j in range(k):
                if t.low[j] < t.high[j] and bound + abs(reduced[j]) >= least - gain:
                    t.low[j] = t.high[j] = 0.0 if reduced[j] > 0.0 else 1.0
                    t.trail[t.state[1]] = j
                    t.state[1] += 1
            chosen, down = _fraction(t, value)
            if chosen < 0:
                x = np.rint(t.x[:k])
                holds = optimal
                for r in range(m):
                    total, slack = _sum(t.rows[r], x), TINY * t.sizes[r]
                    holds &= t.low[k + r] - slack <= total <= t.high[k + r] + slack
                total = _sum(t.cost, x)
                if holds and total < least:
                    least = total
                    for j in range(k):
                        best[j] = np.int8(x[j])
                cut = holds and bound >= least - gain
                for j in range(k if not cut else 0):
                    if t.low[j] < t.high[j]:
                        chosen, down = j, x[j] == 0.0
                        break
                cut |= chosen < 0  # All bits are decided.
        level = t.state[0]
        if cut:
            while level > 0 and t.branched[level - 1, 3]:
                level -= 1
            t.state[0] = level
            if level == 0:
                return least, work, True
            while t.state[1] > t.branched[level - 1, 1]:
                t.state[1] -= 1
                j = t.trail[t.state[1]]
                t.low[j], t.high[j] = 0.0, 1.0
            chosen, down = t.branched[level - 1, 0], t.branched[level - 1, 2] == 0
            t.branched[level - 1, 3] = 1
        else:
            t.branched[level, 0], t.branched[level, 1] = chosen, t.state[1]
            t.branched[level, 2], t.branched[level, 3] = down, 0
            t.state[0] += 1
        t.low[chosen] = t.high[chosen] = 0.0 if down else 1.0
        t.trail[t.state[1]] = chosen
        t.state[1] += 1
    return least, work, False


def least_gain(cost: FloatArray) -> float:
    """Return the least difference of two costs, less rounding.

    Examples
    --------
    >>> least_gain(np.array([4.0, -6.0, 0.0]))
    1.998
    """
    steps, fits = common_steps(sp.csr_array(cost[None]))
    rounding = max(TINY, 100.0 * ROUNDING * float(np.abs(cost).sum()))
    return max(0.999 * float(steps.step[0]), rounding) if fits[0] and cost.any() else rounding


class Enumeration(Source):
    """The whole model by branch and bound, a part of it per batch; the end proves the optimum.

    Parameters
    ----------
    target : ModelScoring
        Its floor rises when the search is complete.

    Examples
    --------
    >>> from formulations.model.qcbo import QCBO
    >>> model = QCBO.from_arrays([-3, -4, -5], [[2, 3, 4]], [5], equality=[False])
    >>> target, pool = ModelScoring(model), Pool(1)
    >>> pool.add(np.array([[0, 0, 1]], dtype=np.int8), np.array([-5.0]))
    >>> Enumeration.of(target).points(pool, np.random.default_rng(0)).tolist(), target.floor
    ([[1, 1, 0]], -7.0)
    """

    kept = ("_over",)

    def __init__(self, target: ModelScoring, form: LinearForm) -> None:
        self._target, self._tree, self._over, self.effort = target, Tree.of(form), False, 0.0
        self._gain = least_gain(form.cost)

    @classmethod
    def of(cls, target: ModelScoring) -> Enumeration | None:
        """Make the source for a linear objective and few rows."""
        model = target.model
        if model.quadratic.nnz or model.num_rows * model.num_variables > ENTRIES:
            return None
        form = LinearForm.of(model)
        return cls(target, form) if 0 < form.rows.shape[0] * len(form.cost) <= ENTRIES else None

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """Return the best point of the next part of the search if it is better than the pool's."""
        target, n, self.effort = self._target, self._target.model.num_variables, 0.0
        found = np.zeros((1, n), dtype=np.int8)
        if self._over:
            return found[:0]
        offset, known = target.model.offset, float(pool.losses[0])
        known = known - offset if known <= target.ceiling else np.inf
        least, work, self._over = search(self._tree, found[0], known, self._gain, 2e7)
        self.effort = work / WORK
        if self._over and self._tree.state[3]:
            target.prove(min(offset + least - self._gain, target.ceiling), "enumeration")
        return found if least < known else found[:0]

    def snapshot(self) -> Mapping[str, Any]:
        """Return the state for a checkpoint, with the arrays of the search."""
        return {**super().snapshot(), "tree": self._tree._asdict()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        super().restore(snapshot)
        self._tree = Tree(**{name: np.array(part) for name, part in snapshot["tree"].items()})
