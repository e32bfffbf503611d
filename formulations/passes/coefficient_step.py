"""The lattice of a row: the largest step of which all its coefficients are multiples."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import scipy.sparse as sp

from formulations.arrays import Array, BoolArray, FloatArray, IntArray
from formulations.errors import InvalidInputError
from formulations.model.qcbo import QCBO, TOLERANCE

LARGEST_DENOMINATOR = 1_000_000


@dataclass(frozen=True)
class Lattice:
    """Steps of rows as exact fractions.

    Parameters
    ----------
    numerator, denominator : ndarray of int, shape (r,)
        The step of row r is numerator[r] / denominator[r].
    """

    numerator: IntArray
    denominator: IntArray

    @property
    def step(self) -> FloatArray:
        """Steps as floats, shape (r,)."""
        return np.asarray(self.numerator / self.denominator)

    def units(self, values: FloatArray) -> FloatArray:
        """Convert one value per row to steps, shape (r,)."""
        return np.asarray(values * self.denominator / self.numerator)

    def floor(self, values: FloatArray) -> FloatArray:
        """Round values down to whole steps, after adding the feasibility tolerance."""
        return np.floor(self.units(values + TOLERANCE))

    def interval(self, low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the least and the greatest whole steps between two values of each row, (r,)."""
        return np.ceil(self.units(low)), np.floor(self.units(high))

    def value(self, units: IntArray | FloatArray, row: IntArray | None = None) -> FloatArray:
        """Convert whole steps to values, one per row or one for each entry of ``row``."""
        numerator, denominator = self.numerator, self.denominator
        if row is not None:
            numerator, denominator = numerator[row], denominator[row]
        return np.asarray(units * numerator / denominator)


def lattice(model: QCBO, positions: IntArray) -> Lattice:
    """Return the largest common step of the coefficients of each of the rows ``positions``.

    Raises
    ------
    InvalidInputError
        If the coefficients of a row are not multiples of any 1/d with d up to 1,000,000.
    """
    rows = model.rows[positions]
    steps, fits = common_steps(rows)
    if not fits.all():
        bad = int(np.argmin(fits))
        raise InvalidInputError(
            f"row {model.row_labels[int(positions[bad])]!r} with coefficients "
            f"{rows[[bad]].data.tolist()}: expected multiples of one step 1/d with d <= "
            f"{LARGEST_DENOMINATOR}; round them, or rescale the row to integers"
        )
    return steps


def common_steps(rows: sp.csr_array) -> tuple[Lattice, BoolArray]:
    """Return the largest step of each row, and a mask of the rows that have one.

    Steps are multiples of 1/d with d <= 1,000,000.  Coefficients computed as sums may be off by the
    rounding of the row's largest coefficient.

    Examples
    --------
    >>> steps, fits = common_steps(sp.csr_array([[0.5, 0.75], [2.0, 6.0], [1.0, 2**0.5]]))
    >>> steps.step[:2].tolist(), fits.tolist()
    ([0.25, 2.0], [True, True, False])
    """
    length = np.diff(rows.indptr)
    numbers, place = np.unique(rows.data, return_inverse=True)
    fractions = [Fraction(v).limit_denominator(LARGEST_DENOMINATOR) for v in numbers.tolist()]
    denominators = np.array([f.denominator for f in fractions], dtype=np.int64)[place]
    denominator = _reduce(np.lcm, denominators, rows.indptr, 1)
    spread = np.repeat(denominator, length)
    units = np.rint(rows.data * spread)
    rounding = 8 * np.spacing(
        np.repeat(_reduce(np.maximum, np.abs(rows.data), rows.indptr, 0), length)
    )
    # lcm may have overflowed, and fractions are approximate: only the result is checked
    near = (
        (spread >= 1)
        & (spread <= LARGEST_DENOMINATOR)
        & (np.abs(units) < 2**53)
        & (np.abs(units / np.maximum(spread, 1) - rows.data) <= rounding)
    )
    fits = _reduce(np.logical_and, near, rows.indptr, True)
    numerator = _reduce(np.gcd, np.where(near, np.abs(units), 0).astype(np.int64), rows.indptr, 1)
    return Lattice(np.maximum(numerator, 1), np.maximum(denominator, 1)), fits


def _reduce(ufunc: np.ufunc, values: Array, indptr: Array, empty: int) -> Array:
    """Reduce each segment of ``values`` by ``ufunc``; an empty segment gives ``empty``."""
    result = np.full(len(indptr) - 1, empty, dtype=values.dtype)
    filled = np.diff(indptr) > 0
    if filled.any():
        result[filled] = ufunc.reduceat(values, indptr[:-1][filled])
    return result
