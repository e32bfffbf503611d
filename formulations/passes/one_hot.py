"""Elimination of one bit of each one-hot row, which leaves an at-most-one row."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from formulations.arrays import IntArray
from formulations.model.qcbo import QCBO
from formulations.passes.base import canonical, substituted
from formulations.passes.cliques import columns, exclusive_rows
from formulations.passes.slack import Refilled


@dataclass(frozen=True)
class OneHot:
    """Eliminate x_k = 1 - (the other bits) from one-hot rows of three bits or more.

    The row becomes an at-most-one row of the other bits, whose square needs no slack word
    (:func:`solvers.qcgd.lifting.two_sums`).  The bit with the fewest neighbours in other rows and
    in the objective is eliminated, unless this adds more entries than it removes, or each bit of
    the row is part of a product.

    Examples
    --------
    >>> model = QCBO.from_arrays([3, 5, 4], [[1, 1, 1]], [1])
    >>> smaller, inverse = OneHot().apply(model)
    >>> smaller.labels.strings(), smaller.linear.tolist(), smaller.offset
    (['x[1]', 'x[2]'], [2.0, 1.0], 3.0)
    >>> smaller.rows.toarray().tolist(), smaller.equality.tolist()
    ([[1.0, 1.0]], [False])
    >>> inverse.invert([[0, 0], [0, 1]]).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """

    def apply(self, model: QCBO) -> tuple[QCBO, Refilled]:
        """Return the smaller model, and the inverse that restores the eliminated bits."""
        rows, gone = _chosen(model)
        n = model.num_variables
        kept = np.setdiff1d(np.arange(n), gone)
        others = sp.csr_array(model.rows[rows])[:, kept]
        others.data = np.ones_like(others.data)
        each = sp.csr_array(sp.eye_array(len(gone)))
        inverse = Refilled(gone, kept, others, np.ones(len(gone)), each)
        return (_without(model, rows, inverse) if len(gone) else model), inverse


def _chosen(model: QCBO) -> tuple[IntArray, IntArray]:
    """Choose rows and one bit of each to eliminate; no eliminated bit depends on another."""
    rows = exclusive_rows(model)
    rows = rows[model.equality[rows] & (np.diff(model.rows.indptr)[rows] > 2)]
    Q = model.quadratic
    # neighbours of each bit, shape (n, n + m): bits in the objective, and rows
    met = sp.csr_array(sp.hstack([Q + Q.T, model.rows.T], format="csr"))
    count = np.diff(met.indptr)
    chosen: list[tuple[int, int]] = []
    held = np.zeros(model.num_variables, dtype=np.bool_)  # bits that must stay
    held[model.products] = True
    gone, marked = np.zeros_like(held), np.zeros(met.shape[1], dtype=np.bool_)
    for r in rows.tolist():
        bits = columns(model.rows, r)
        free = bits[~held[bits]]
        if gone[bits].any() or not len(free):
            continue
        k = int(free[np.argmin(count[free])])
        of_k = columns(met, k)
        outside = np.setdiff1d(of_k, [*bits, model.num_variables + r])
        marked[outside] = True
        others = np.concatenate([columns(met, i) for i in bits.tolist() if i != k])
        there = int(np.count_nonzero(marked[others]))
        marked[outside] = False
        if (len(bits) - 1) * len(outside) - there <= len(of_k):
            chosen.append((r, k))
            gone[k] = True
            held[bits] = held[of_k[of_k < model.num_variables]] = True
    pairs = np.array(chosen, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _without(model: QCBO, chosen: IntArray, inverse: Refilled) -> QCBO:
    """Rewrite the model in the kept bits y, x = T y + d; chosen rows become at-most-one rows."""
    n, kept = model.num_variables, inverse.kept
    number = np.full(n, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    others = sp.coo_array(inverse.rest)
    T = sp.csr_array(
        (
            np.concatenate([np.ones(len(kept)), -others.data]),
            (np.concatenate([kept, inverse.gone[others.row]]), np.append(number[kept], others.col)),
        ),
        shape=(n, len(kept)),
    )
    d = np.zeros(n)
    d[inverse.gone] = 1.0
    linear, quadratic, offset = substituted(model.linear, model.quadratic, model.offset, T, d)
    together = sp.csr_array(inverse.rest.T @ inverse.rest)  # pairs: at most one bit is 1
    together.data = np.ones_like(together.data)
    quadratic = sp.csr_array(quadratic - quadratic.multiply(together))
    keep, rhs, equality = np.ones(model.num_rows), model.rhs - model.rows @ d, model.equality.copy()
    keep[chosen], rhs[chosen], equality[chosen] = 0.0, 1.0, False
    place = sp.csr_array(
        (np.ones(len(chosen)), (chosen, np.arange(len(chosen)))), (model.num_rows, len(chosen))
    )
    return replace(
        model,
        linear=linear,
        quadratic=canonical(quadratic),
        offset=offset,
        rows=canonical(sp.diags_array(keep) @ model.rows @ T + place @ inverse.rest),
        rhs=rhs,
        equality=equality,
        products=number[model.products],
        labels=model.labels.take(kept),
    )
