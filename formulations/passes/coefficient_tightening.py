"""Equivalent inequalities over few bits with the smallest integer coefficients."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from formulations.arrays import BoolArray, FloatArray
from formulations.errors import InfeasibleModelError
from formulations.model.qcbo import QCBO, TOLERANCE
from formulations.passes.base import Composed

FEW = 10
"""Most bits of a row whose settings are enumerated."""


@dataclass(frozen=True)
class CoefficientTightening:
    """Replace the coefficients of inequalities over at most ten bits by small integers.

    Coefficients a become round(s a / max|a|) for a scale s = 1, 2, .. 64: of the scales that
    separate the settings that satisfy the row from those that do not, the one with the shortest
    range of a slack word.  The feasible points stay the same; rows without a common step get one,
    and slack words become shorter.

    Examples
    --------
    >>> model = QCBO.from_arrays([0, 0, 0], [[31, 57.5, 2**6.5]], [100], equality=[False])
    >>> smaller, _ = CoefficientTightening().apply(model)
    >>> smaller.rows.toarray().tolist(), smaller.rhs.tolist()
    ([[1.0, 1.0, 2.0]], [2.0])
    """

    def apply(self, model: QCBO) -> tuple[QCBO, Composed]:
        """Return the model with smaller coefficients.

        Raises
        ------
        InfeasibleModelError
            If no setting of a row's few bits satisfies it.
        """
        rows, rhs = model.rows.copy(), model.rhs.copy()
        length = np.diff(rows.indptr)
        done: dict[tuple[bytes, float, bool], tuple[FloatArray, float] | None] = {}
        for r in np.flatnonzero((length > 0) & (length <= FEW)).tolist():
            entries = slice(rows.indptr[r], rows.indptr[r + 1])
            a, b, equality = rows.data[entries], float(rhs[r]), bool(model.equality[r])
            key = a.tobytes(), b, equality
            if key not in done:
                done[key] = _smallest(a, b, equality)
            found = done[key]
            if found is None:
                raise InfeasibleModelError(
                    f"row {model.row_labels[r]!r} has no setting of its {len(a)} bits that "
                    "satisfies it; look for a wrong coefficient or right-hand side"
                )
            rows.data[entries], rhs[r] = found
        rows = sp.csr_array(rows)
        rows.eliminate_zeros()
        return replace(model, rows=rows, rhs=rhs), Composed()


def _smallest(a: FloatArray, b: float, equality: bool) -> tuple[FloatArray, float] | None:
    """Return the smallest coefficients and right-hand side; None if the row never holds."""
    if (np.abs(a) == 1.0).all():
        return a, b
    settings = ((np.arange(2 ** len(a))[:, None] >> np.arange(len(a))) & 1).astype(np.float64)
    values = settings @ a
    holds = (values <= b + TOLERANCE) & (~np.bool_(equality) | (values >= b - TOLERANCE))
    if not holds.any():
        return None
    if equality or holds.all():
        return a, b
    found = smallest_integers(a / np.abs(a).max(), settings, holds)
    if found is None:
        return a, b
    rounded, edge = found
    own = b - np.minimum(a, 0.0).sum() if (a == np.rint(a)).all() else np.inf
    return (rounded, edge) if edge - np.minimum(rounded, 0.0).sum() < own else (a, b)


def smallest_integers(
    ratio: FloatArray, settings: FloatArray, holds: BoolArray, largest: int = 64
) -> tuple[FloatArray, float] | None:
    """Find small integer coefficients and the right-hand side of an equivalent inequality.

    Parameters
    ----------
    ratio : ndarray, shape (k,)
        Coefficients divided by the largest magnitude.
    settings : ndarray, shape (2^k, k)
        All settings of the bits.
    holds : ndarray of bool, shape (2^k,)
        Settings that satisfy the inequality: some, but not all.
    largest : int
        Largest coefficient to try.

    Examples
    --------
    >>> settings = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    >>> smallest_integers(np.array([0.9, 1.0]), settings, np.array([True, True, True, False]))
    (array([1., 1.]), 1.0)
    """
    scales = np.arange(1, largest + 1)
    rounded = np.rint(scales[:, None] * ratio)
    values = rounded @ settings.T
    edge = values[:, holds].max(axis=1)
    same = edge < values[:, ~holds].min(axis=1)
    if not same.any():
        return None
    best = int(np.argmin(np.where(same, edge - values.min(axis=1), np.inf)))
    return rounded[best], float(edge[best])
