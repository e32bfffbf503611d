"""Linear form of a model, with linearised products, and the bound of its linear relaxation.

min c'x + sum_p q_p z_p,   z_p <= x_i, z_p <= x_j where q_p < 0;  z_p >= x_i + x_j - 1 where
q_p > 0;   low <= A x <= high,   0 <= x, z <= 1        [Fortet 1960; McCormick 1976].
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.optimize import linprog

from formulations.arrays import FloatArray, IntArray
from formulations.model.qcbo import QCBO

ENTRIES = 200_000
"""Most entries in the rows of a linear form whose relaxation is solved."""

ROUNDING = 1e-13
"""Relative rounding error of a sum of products, as a share of the sum of their absolute values."""


class LinearForm(NamedTuple):
    """min cost'x over bits x with low <= rows x <= high; the model's variables come first.

    Parameters
    ----------
    cost : ndarray, shape (n,)
    rows : sparse array, shape (m, n)
    low, high : ndarray, shape (m,)
    """

    cost: FloatArray
    rows: sp.csr_array
    low: FloatArray
    high: FloatArray

    @classmethod
    def of(cls, model: QCBO) -> LinearForm:
        """Build the linear form of ``model``, without its offset.

        Examples
        --------
        >>> form = LinearForm.of(QCBO.from_arrays([1, 1], [[1, 1]], [1], quadratic=[[0, -3]] * 2))
        >>> form.cost.tolist(), form.rows.toarray().tolist()
        ([1.0, -2.0, -3.0], [[1.0, 1.0, 0.0], [-1.0, 0.0, 1.0], [0.0, -1.0, 1.0]])
        """
        u, v, w = model.products.T
        own = cls(model.linear, model.rows, np.where(model.equality, model.rhs, -np.inf), model.rhs)
        triples = [([u, v], [1.0, -1.0], 0.0), ([u, w], [1.0, -1.0], 0.0)]
        return own.with_rows([*triples, ([v, w, u], [1.0, 1.0, -1.0], 1.0)]).with_products(
            model.quadratic
        )

    def with_products(self, quadratic: sp.csr_array) -> LinearForm:
        """Add x'Qx to the objective, Q strictly upper triangular, with a variable per entry."""
        couplers = sp.coo_array(quadratic)
        i, j = (np.asarray(part, dtype=np.int64) for part in couplers.coords)
        q, n = couplers.data, len(self.cost)
        k, dear, pays = n + np.arange(len(q)), q > 0, q < 0
        indptr = self.rows.indptr
        wider = sp.csr_array(
            (self.rows.data, self.rows.indices, indptr), shape=(len(indptr) - 1, n + len(q))
        )
        return LinearForm(np.append(self.cost, q), wider, self.low, self.high).with_rows(
            [
                ([i[dear], j[dear], k[dear]], [1.0, 1.0, -1.0], 1.0),
                ([i[pays], k[pays]], [-1.0, 1.0], 0.0),
                ([j[pays], k[pays]], [-1.0, 1.0], 0.0),
            ]
        )

    def with_rows(
        self, blocks: Sequence[tuple[Sequence[IntArray], Sequence[float], float]]
    ) -> LinearForm:
        """Add rows sum_c sign_c x[columns_c] <= most; of each block, columns, signs and most."""
        parts, low, high, width = [self.rows], [self.low], [self.high], len(self.cost)
        for columns, signs, most in blocks:
            count = len(columns[0])
            rows, data = np.tile(np.arange(count), len(columns)), np.repeat(signs, count)
            places = (rows, np.concatenate(columns))
            parts.append(sp.csr_array((data, places), shape=(count, width)))
            low.append(np.full(count, -np.inf))
            high.append(np.full(count, most))
        stacked = sp.csr_array(sp.vstack(parts, format="csr"))
        return LinearForm(self.cost, stacked, np.concatenate(low), np.concatenate(high))

    def restricted(self, point: FloatArray, free: IntArray) -> LinearForm:
        """Restrict to the free variables, with the others as in ``point``; drop empty rows."""
        held = point.copy()
        held[free] = 0.0
        columns = sp.csr_array(self.rows[:, free])
        used = np.diff(columns.indptr) > 0
        taken = (self.rows @ held)[used]
        return LinearForm(
            self.cost[free], columns[used], self.low[used] - taken, self.high[used] - taken
        )


class Relaxation(NamedTuple):
    """The linear relaxation of a model.

    Parameters
    ----------
    bound : float
        Lower bound on the objective of any feasible point.
    constant : float
        The objective of a feasible point is at least this, without the model's offset, plus the sum
        of the reduced costs of the variables that are 1.
    x : ndarray, shape (n,)
        Point of the relaxation with that value.
    reduced : ndarray, shape (n,)
        Reduced costs of the model's variables: the least rise of the bound if a variable leaves its
        current end.
    """

    bound: float
    constant: float
    x: FloatArray
    reduced: FloatArray

    @classmethod
    def of(cls, model: QCBO, work: float = 7e7) -> Relaxation | None:
        """Solve the relaxation by HiGHS; None if it is too large or HiGHS ends without an answer.

        ``work`` bounds its iterations times the entries of the rows; the default takes half a
        second.

        The bound is recomputed from the dual point, so it holds whatever HiGHS's tolerances: for
        any y with y >= 0 on sides >=, y <= 0 on sides <=,

            min {c'x : low <= A x <= high, 0 <= x <= 1}  >=  sum_r y_r side_r
                                                             + sum_j min(0, (c - A'y)_j)

        [Neumaier, Shcherbina, Math. Prog. 99, 2004].

        Examples
        --------
        >>> knapsack = QCBO.from_arrays([-6, -5, -4], [[3, 3, 3]], [5], equality=[False])
        >>> found = Relaxation.of(knapsack)
        >>> round(found.bound, 4), found.x.round(4).tolist()
        (-9.3333, [1.0, 0.6667, 0.0])
        """
        form = LinearForm.of(model)
        most = 5_000 if model.quadratic.nnz else ENTRIES  # Products take longer.
        if not form.rows.shape[0] or form.rows.nnz > most:
            return None
        equal = form.low == form.high
        found = linprog(
            form.cost,
            A_ub=form.rows[~equal],
            b_ub=form.high[~equal],
            A_eq=form.rows[equal],
            b_eq=form.high[equal],
            bounds=(0.0, 1.0),
            method="highs",
            options={"maxiter": int(work / max(form.rows.nnz, 1))},
        )
        if found.x is None or found.status != 0:
            return None
        y = np.zeros(len(form.high))
        y[~equal] = np.minimum(found.ineqlin.marginals, 0.0)
        y[equal] = found.eqlin.marginals
        reduced = form.cost - form.rows.T @ y
        sizes = np.abs(y) @ (np.abs(form.high) + abs(form.rows).sum(axis=1))
        sizes += np.abs(form.cost).sum()
        constant = float(y @ form.high) - ROUNDING * float(sizes)
        bound = model.offset + constant + float(np.minimum(reduced, 0.0).sum())
        n = model.num_variables
        return cls(bound, constant, found.x[:n], reduced[:n])
