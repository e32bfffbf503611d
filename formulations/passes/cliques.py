"""Cliques, groups of bits of which exactly or at most one is 1, and bound tightening by them."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from formulations.arrays import BitArray, BoolArray, IntArray
from formulations.errors import InfeasibleModelError
from formulations.model.qcbo import QCBO, TOLERANCE
from formulations.passes.base import entry_rows


def cliques(model: QCBO) -> tuple[IntArray, BoolArray]:
    """Find disjoint groups of bits of which rows allow exactly one, or at most one, to be 1.

    Equalities come first; of overlapping rows only the first forms a group.

    Returns
    -------
    of : ndarray of int, shape (n,)
        Group of each bit, -1 for none.
    exact : ndarray of bool, shape (g,)
        True where exactly one bit of the group is 1.

    Examples
    --------
    >>> model = QCBO.from_arrays([0] * 5, [[2, 2, 2, 0, 0], [0, 0, 0, 1, 1]], [2, 1],
    ...     equality=[True, False])
    >>> of, exact = cliques(model)
    >>> of.tolist(), exact.tolist()
    ([0, 0, 0, 1, 1], [True, False])
    """
    of = np.full(model.num_variables, -1, dtype=np.int64)
    exact: list[bool] = []
    for r in sorted(exclusive_rows(model).tolist(), key=lambda r: (not model.equality[r], r)):
        bits = columns(model.rows, r)
        if (of[bits] < 0).all():
            of[bits] = len(exact)
            exact.append(bool(model.equality[r]))
    return of, np.array(exact, dtype=np.bool_)


def exclusive_rows(model: QCBO) -> IntArray:
    """Find rows of two bits or more by which exactly one, or at most one, of the bits is 1.

    Examples
    --------
    >>> model = QCBO.from_arrays([0] * 3, [[1, 1, 1], [1, 1, 2], [-1, -1, 0]], [1, 1, -1])
    >>> exclusive_rows(model).tolist()
    [0, 2]
    """
    row, a = entry_rows(model.rows), model.rows.data
    length = np.diff(model.rows.indptr)
    odd = np.abs(a - model.rhs[row]) > np.minimum(1e-9 * np.abs(model.rhs[row]), TOLERANCE)
    uneven = np.bincount(row, odd, model.num_rows) > 0
    positive = model.equality | (model.rhs > 0)
    return np.flatnonzero((length > 1) & ~uneven & positive & (np.abs(model.rhs) > 2 * TOLERANCE))


def columns(matrix: sp.csr_array, r: int) -> IntArray:
    """Return the columns of the entries of row r."""
    return np.asarray(matrix.indices[matrix.indptr[r] : matrix.indptr[r + 1]], dtype=np.int64)


def tighten_by_groups(model: QCBO, low: BitArray, high: BitArray) -> None:
    """Fix every bit whose other value violates a row, using that cliques have at most one bit set.

    The least value of a row counts one bit of each clique, where bounds alone count all bits.

    Raises
    ------
    InfeasibleModelError
        If the least value of a row exceeds its right-hand side.

    Examples
    --------
    >>> rows = [[1, 1, 1, 0], [2, 3, 5, 4]]
    >>> model = QCBO.from_arrays([0] * 4, rows, [1, 5], equality=[True, False])
    >>> low, high = np.zeros(4, dtype=np.int8), np.ones(4, dtype=np.int8)
    >>> tighten_by_groups(model, low, high)
    >>> low.tolist(), high.tolist()
    ([0, 0, 0, 0], [1, 1, 1, 0])
    """
    of, exact = cliques(model)
    if not len(exact):
        return
    equal = np.flatnonzero(model.equality)
    rows = sp.csr_array(sp.vstack([model.rows, -model.rows[equal]], format="csr"))
    rhs = np.concatenate([model.rhs, -model.rhs[equal]])
    row, bit, a = entry_rows(rows), rows.indices.astype(np.int64), rows.data
    group = of[bit]
    inside, alone = np.flatnonzero(group >= 0), group < 0
    # a part holds the bits that a row and a group share
    keys, part = np.unique(row[inside] * len(exact) + group[inside], return_inverse=True)
    of_row, of_group = np.divmod(keys, len(exact))
    least_of = np.full(len(keys), np.inf)
    np.minimum.at(least_of, part, a[inside])
    sizes = np.bincount(of[of >= 0], minlength=len(exact))
    whole = np.bincount(part, minlength=len(keys)) == sizes[of_group]
    least_of = np.where(whole & exact[of_group], least_of, np.minimum(least_of, 0.0))
    least = np.bincount(row, np.where(alone, np.minimum(a, 0.0), 0.0), len(rhs))
    least += np.bincount(of_row, least_of, len(rhs))
    if (least > rhs + TOLERANCE).any():
        r = int(np.argmax(least > rhs + TOLERANCE))
        label = model.row_labels[r if r < model.num_rows else int(equal[r - model.num_rows])]
        raise InfeasibleModelError(
            f"row {label!r} contradicts the rows by which exactly or at most one bit of a "
            "group is 1: no assignment satisfies the rows; look for a wrong right-hand side"
        )
    other = least[row] + np.abs(a)  # least value of the row with the bit flipped
    other[inside] = (least[row] + a)[inside] - least_of[part]
    fixed = other > rhs[row] + TOLERANCE
    high[bit[fixed & ((a > 0) | ~alone)]] = 0
    low[bit[fixed & (a < 0) & alone]] = 1
    needed = ~whole & (least[of_row] - least_of > rhs[of_row] + TOLERANCE)
    for r, g in zip(of_row[needed].tolist(), of_group[needed].tolist(), strict=True):
        rest = of == g  # one of the group's bits in the row is 1
        rest[columns(rows, r)] = False
        high[rest] = 0
