"""Restricted models: a few bits of a good point are freed and solved exactly.

The freed bits are those on which good points disagree [relaxation induced neighbourhoods: Danna,
Rothberg, Le Pape, Math. Prog. 102, 2005; with the atoms of a conditional gradient arXiv
2508.01299], those of a few rows, and those that the linear relaxation leaves nearly undecided, the
least reduced costs first [core problems: Balas, Zemel, Oper. Res. 28, 1980].
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.optimize import Bounds, LinearConstraint, milp

from formulations.arrays import BitArray, BoolArray, FloatArray, IntArray
from formulations.model.qcbo import QCBO, TOLERANCE
from formulations.passes.cliques import cliques
from solvers.qcgd.linear import ENTRIES, LinearForm, Relaxation
from solvers.qcgd.scoring import Pool
from solvers.qcgd.sources.base import FORGET, HOPE, Source
from solvers.qcgd.sources.branching import branch
from solvers.qcgd.sources.enumeration import WORK, Tree, least_gain, search

KINDS = DISAGREEMENT, ROWS, UNDECIDED, _ = range(4)
"""Rules for choosing the freed bits; the last one frees any."""

MODELS = 5
"""Restricted models solved per batch."""

LEAST, MOST = 10, 120
"""Fewest and most bits freed."""


class Restricted(Source):
    """Best points of restricted models; the number of freed bits adapts to their success.

    Parameters
    ----------
    model : QCBO
    relaxation : Relaxation, optional
        Linear relaxation; used if the objective is linear.

    Examples
    --------
    >>> model = QCBO.from_arrays([-3, -4, -5], [[2, 3, 4]], [5], equality=[False])
    >>> pool = Pool(1)
    >>> pool.add(np.array([[0, 0, 1]], dtype=np.int8), np.array([-5.0]))
    >>> Restricted(model).points(pool, np.random.default_rng(0))[0].tolist()
    [1, 1, 0]
    """

    kept = ("sizes", "gained", "tried")

    def __init__(self, model: QCBO, relaxation: Relaxation | None = None) -> None:
        self.effort, self._given_up = 0.0, np.zeros(MODELS, dtype=np.bool_)
        self.sizes = np.full(len(KINDS), 25.0)
        self._groups, self._exact = cliques(model)
        self.gained, self.tried = np.full(len(KINDS), HOPE), np.ones(len(KINDS))
        self._drawn = np.zeros(0, dtype=np.int64)
        self._model, self._searched = model, False
        self._couplers = sp.csr_array(model.quadratic + model.quadratic.T)
        self._linear = replace(model, quadratic=sp.csr_array(model.quadratic.shape))
        self._form = LinearForm.of(self._linear)
        self._columns = sp.csc_array(self._form.rows)
        self._gain = least_gain(self._form.cost)
        self._relaxation = None if model.quadratic.nnz else relaxation

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """Return the best points near pool members; half of the draws take the first."""
        among = len(pool.losses)
        numbers = np.where(rng.random(MODELS) < 0.5, 0, rng.integers(among, size=MODELS))
        self.effort = 0.0
        self._drawn = np.zeros(0, dtype=np.int64)
        if not self._searched and not self._model.is_feasible(pool.bits[:1])[0]:
            self._searched, self.effort = True, 2e7  # some seconds
            if len(found := core_point(self._linear, self._form)):
                return found
        chance = self.gained / self.tried
        chance = 0.2 / len(chance) + 0.8 * chance / chance.sum()
        self._drawn = rng.choice(len(chance), MODELS, p=chance)
        points = pool.bits[numbers].astype(np.int8)
        freed = [
            self._freed(kind, pool, point, rng)
            for kind, point in zip(self._drawn.tolist(), points, strict=True)
        ]
        solved = [self._solved(point, free) for point, free in zip(points, freed, strict=True)]
        self._given_up = np.array([not done for _, done in solved])
        return np.stack([point for point, _ in solved])

    def _freed(self, kind: int, pool: Pool, point: BitArray, rng: np.random.Generator) -> IntArray:
        """Choose the bits to free."""
        n, rows, settled = len(point), self._form.rows, self._settled(pool, point)
        weights = np.full(n, 1e-6)
        if kind == DISAGREEMENT:
            others = pool.bits[rng.integers(len(pool.losses), size=2)]
            weights += (others != point).sum(axis=0)
        elif kind == ROWS and rows.shape[0] and round(self.sizes[kind]) < n:
            count = round(self.sizes[kind])
            drawn = rng.permutation(rows.shape[0])[: round(count**0.5)]
            free = np.unique(rows[drawn].indices).astype(np.int64)
            free = self._able(point, free[~settled[free]])
            if len(free):
                return free if len(free) <= 2 * count else rng.permutation(free)[:count]
        elif kind == UNDECIDED and self._relaxation is not None:
            reduced = self._relaxation.reduced
            size = np.abs(reduced)
            against = 1.0 + 9.0 * (point != (reduced < 0.0))  # penalises disagreement with it
            weights = against / (size + 0.1 * size.mean() + 1e-9)
        else:
            weights[:] = 1.0
        weights[settled] = 0.0
        count = min(round(self.sizes[kind]), max(np.count_nonzero(weights), 1))
        # The largest log(u) / w give a draw without repetition [Efraimidis, Spirakis 2006].
        keys = np.log(rng.random(n) + 1e-300) / np.maximum(weights, 1e-300)
        return np.argpartition(-keys, count - 1)[:count]

    def _settled(self, pool: Pool, point: BitArray) -> BoolArray:
        """Return which bits a better point than the pool's has as this one, by reduced costs."""
        if self._relaxation is None:
            return np.zeros(len(point), dtype=np.bool_)
        reduced, gain = self._relaxation.reduced, self._gain
        dear = self._relaxation.bound + np.abs(reduced) >= pool.losses[0] - gain
        return np.asarray(dear & (point == (reduced < 0.0)))

    def _able(self, point: BitArray, free: IntArray) -> IntArray:
        """Return the free bits that can be 1 while the others stay fixed."""
        form, columns = self._form, self._columns[:, free]
        least = form.rows @ point.astype(np.float64) - columns @ point[free]
        least += columns.minimum(0.0).sum(axis=1)
        rises = columns.maximum(0.0).tocsc()
        over = rises.data > (form.high - least)[rises.indices] + TOLERANCE
        kept = np.ones(len(free), dtype=np.bool_)
        kept[np.repeat(np.arange(len(free)), np.diff(rises.indptr))[over]] = False
        return free[kept | (point[free] > 0)]

    def _solved(self, point: BitArray, free: IntArray) -> tuple[BitArray, bool]:
        """Return the point with the best free bits, and whether the search was complete."""
        if not self._couplers.nnz:
            return self._enumerated(point, free)
        form, values = self._form, point.astype(np.float64)
        values[free] = 0.0
        cost = form.cost[free] + self._couplers[free] @ values
        # The most clearly decided bits come first, so that bounds end the other branch early, and
        # one-hot bits are adjacent.
        order = np.argsort(-np.abs(cost), kind="stable")
        order = order[np.argsort(_first_of_each(self._groups[free[order]]), kind="stable")]
        free, cost = free[order], cost[order]
        columns = self._columns[:, free]
        used, rows = np.unique(columns.indices, return_inverse=True)
        taken = form.rows[used] @ values
        low, high = form.low[used] - taken, form.high[used] - taken
        couplers = self._couplers[free][:, free].toarray()
        best = point[free]
        held = (columns @ best)[used]
        holds = (held >= low - TOLERANCE).all() and (held <= high + TOLERANCE).all()
        own = float(cost @ best + best @ (couplers @ best) / 2) if holds else np.inf
        _, nodes, done = branch(
            cost, couplers, columns.indptr.astype(np.int64), rows.astype(np.int64), columns.data,
            low, high, self._one_of(point, free), best.copy(), best, own, 30_000,
        )  # fmt: skip
        self.effort += 3e3 + 0.3 * nodes * (2.0 + columns.nnz / len(free) + len(couplers))
        solved = point.copy()
        solved[free] = best
        return solved, done

    def _enumerated(self, point: BitArray, free: IntArray) -> tuple[BitArray, bool]:
        """Return the same for a linear objective, with a linear relaxation at each node."""
        part, best = self._form.restricted(point.astype(np.float64), free), point[free]
        held = part.rows @ best
        holds = (held >= part.low - TOLERANCE).all() and (held <= part.high + TOLERANCE).all()
        own = float(part.cost @ best) if holds else np.inf
        _, work, done = search(Tree.of(part), best, own, self._gain, 1e7)
        self.effort += 3e3 + work / WORK
        solved = point.copy()
        solved[free] = best
        return solved, done

    def _one_of(self, point: BitArray, free: IntArray) -> IntArray:
        """Return each free bit's group if exactly one of its free bits must be 1, else -1."""
        of, needed = self._groups, np.append(self._exact, False)
        held = point.copy()
        held[free] = 0
        needed[of[held > 0]] = False
        return np.where(needed[of[free]], of[free], -1)

    def learn(self, gains: FloatArray) -> None:
        """Credit the kinds; free more bits after complete searches, fewer after abandoned ones."""
        self.gained *= FORGET
        self.tried *= FORGET
        if not len(self._drawn):
            return
        np.add.at(self.gained, self._drawn, gains)
        np.add.at(self.tried, self._drawn, 1.0)
        for kind, gain, given_up in zip(self._drawn, gains, self._given_up, strict=True):
            if given_up:
                self.sizes[kind] = max(self.sizes[kind] / 1.05, LEAST)
            elif not gain:
                self.sizes[kind] = min(self.sizes[kind] * 1.02, MOST)


def _first_of_each(groups: IntArray) -> IntArray:
    """Return the position of the first member of each entry's group; -1 means no group.

    Examples
    --------
    >>> _first_of_each(np.array([3, -1, 7, 3, -1])).tolist()
    [0, 1, 2, 0, 4]
    """
    _, first, group = np.unique(groups, return_index=True, return_inverse=True)
    return np.where(groups < 0, np.arange(len(groups)), first[group])


def core_point(
    model: QCBO, form: LinearForm, *, nodes: int = 200, seconds: float = 5.0
) -> BitArray:
    """Find a point that satisfies all rows, by HiGHS on the variables of least reduced cost.

    A sixteenth of them are free at first, with the others 0, and the number doubles each step [core
    problems, see above].  The objective is the linear one; each step has limits on nodes and
    seconds.

    Returns
    -------
    ndarray of int8, shape (1, n)
        Or (0, n) if none is found or the model is too large.

    Examples
    --------
    >>> model = QCBO.from_arrays([3, 2, 1], [[2, 3, 4]], [5])
    >>> core_point(model, LinearForm.of(model)).tolist()
    [[1, 1, 0]]
    """
    n = model.num_variables
    cost = form.cost / max(np.abs(form.cost).max(), 1e-300)
    relaxation = (
        Relaxation.of(replace(model, linear=cost), 1e9) if form.rows.nnz <= ENTRIES else None
    )
    if relaxation is None:
        return np.zeros((0, n), dtype=np.int8)
    order = np.argsort(relaxation.reduced, kind="stable")
    count = max(n // 16, min(n, LEAST))
    while True:
        free = np.sort(order[:count])
        part = form.restricted(np.zeros(n), free)
        found = milp(
            cost[free],
            integrality=np.ones(count, dtype=np.int64),
            bounds=Bounds(0.0, 1.0),
            constraints=LinearConstraint(part.rows, part.low, part.high),
            options={"node_limit": nodes, "time_limit": seconds, "mip_rel_gap": 0.01},
        )
        if found.x is not None:
            point = np.zeros((1, n), dtype=np.int8)
            point[0, free] = np.rint(found.x)
            return point
        if count == n:
            return np.zeros((0, n), dtype=np.int8)
        count = min(2 * count, n)
