"""Removal of redundant and proportional rows, and detection of contradicting ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from formulations.errors import InfeasibleModelError
from formulations.model.qcbo import QCBO, TOLERANCE
from formulations.passes.base import row_range, take_rows


def without_repeats(model: QCBO) -> QCBO:
    """Remove rows that always hold, and duplicate rows and products.

    Of proportional rows a'x = b, a'x <= b and -a'x <= b only the tightest stay; two inequalities
    that allow a single value become an equality.

    Raises
    ------
    InfeasibleModelError
        If proportional rows contradict each other.

    Examples
    --------
    >>> model = QCBO.from_arrays(
    ...     [0, 0], [[1, 2], [2, 4], [-1, -2]], [2, 4, -2], equality=[False] * 3
    ... )
    >>> smaller = without_repeats(model)
    >>> smaller.row_labels.strings(), smaller.equality.tolist()
    (['rows[0]'], [True])
    """
    products = np.sort(model.products[:, 1:], axis=1)
    products = np.unique(np.column_stack([model.products[:, 0], products]), axis=0)
    if len(products) < model.num_products:
        model = replace(model, products=products)
    least, most = row_range(model.rows)
    holds = (most <= model.rhs + TOLERANCE) & (~model.equality | (least >= model.rhs - TOLERANCE))
    return _tightest(take_rows(model, np.flatnonzero(~holds)))


def _tightest(model: QCBO) -> QCBO:
    """Keep only the tightest of the rows with the same coefficients up to a factor."""
    indptr, indices, data = model.rows.indptr, model.rows.indices, model.rows.data
    scale = data[indptr[:-1]]
    level, margin = model.rhs / scale, TOLERANCE / np.abs(scale)
    groups: dict[tuple[bytes, bytes], list[int]] = {}
    for r in range(model.num_rows):
        entries = slice(indptr[r], indptr[r + 1])
        key = indices[entries].tobytes(), (data[entries] / scale[r]).tobytes()
        groups.setdefault(key, []).append(r)
    kept, equality = np.ones(model.num_rows, dtype=np.bool_), model.equality.copy()
    for rows in groups.values():
        if len(rows) == 1:
            continue
        # every row of a group reads lower <= d'x <= upper, and d begins with 1
        lower = [r for r in rows if model.equality[r] or scale[r] < 0]
        upper = [r for r in rows if model.equality[r] or scale[r] > 0]
        low = max(lower, key=lambda r: level[r], default=None)
        high = min(upper, key=lambda r: level[r], default=None)
        kept[rows] = False
        if low is None or high is None:
            kept[[r for r in (low, high) if r is not None]] = True
            continue
        slack = margin[low] + margin[high]
        first, second = sorted((low, high))
        if level[low] > level[high] + slack:
            raise InfeasibleModelError(
                f"rows {model.row_labels[first]!r} and {model.row_labels[second]!r} have the same "
                "coefficients up to a factor and contradict each other: no assignment satisfies "
                "both; remove one"
            )
        equal = [r for r in rows if model.equality[r]]
        if equal:
            kept[equal[0]] = True
        elif level[low] >= level[high] - slack:
            kept[first] = equality[first] = True
        else:
            kept[[low, high]] = True
    return take_rows(replace(model, equality=equality), np.flatnonzero(kept))
