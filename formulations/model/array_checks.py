"""What becomes an array of a model; anything else is refused by name."""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import FloatArray, IntArray
from formulations.errors import InvalidInputError


def numbers(name: str, values: object, dimensions: int) -> FloatArray:
    """An array of finite numbers.

    Raises
    ------
    InvalidInputError
        For anything else, by name.

    Examples
    --------
    >>> numbers("rhs", [1, 2], 1)
    array([1., 2.])
    """
    try:
        given = np.asarray(values)
        array = np.array(given, dtype=np.float64) if given.dtype.kind in "biufO" else None
    except (TypeError, ValueError, OverflowError):
        array = None
    if array is not None and not array.size and dimensions == 2 and array.ndim == 1:
        array = array.reshape(0, 0)
    if array is None or array.ndim != dimensions or not np.isfinite(array).all():
        raise InvalidInputError(
            f"{name} must hold finite numbers: expected an array of {dimensions} dimension"
            f"{'s' * (dimensions > 1)}, each a finite number"
            if dimensions
            else f"{name}={values!r}: expected a finite number"
        )
    return array


def triples(products: npt.ArrayLike, num_variables: int) -> IntArray:
    """Products as columns u, v, w."""
    try:
        given = numbers("products", products, 2)
    except InvalidInputError:
        given = numbers("products", products, 1)  # one product, or none
    whole = given.astype(np.int64)
    if given.size and given.shape[-1] != 3:
        raise InvalidInputError(
            f"products of shape {given.shape}: expected (p, 3), columns u, v, w"
        )
    if (whole != given).any() or not ((whole >= 0) & (whole < num_variables)).all():
        raise InvalidInputError(f"products must name variables 0 .. {num_variables - 1}")
    return whole.reshape(-1, 3)


def checked_tolerance(value: object) -> float:
    """A tolerance, zero or more."""
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not 0 <= value <= sys.float_info.max:  # type: ignore[operator]
        raise InvalidInputError(f"tolerance={value!r}: expected a finite number of at least 0")
    return float(value)  # type: ignore[arg-type]


def rounded_rows(rows: sp.csr_array, rhs: FloatArray, share: float) -> IntArray:
    """Rows whose residual a'x - b may be off by more than ``share`` in double precision.

    Examples
    --------
    >>> rounded_rows(sp.csr_array([[1.0, 2.0], [1e18, 1.0]]), np.array([1.0, 1.0]), 1e-7).tolist()
    [1]
    """
    length = np.diff(rows.indptr)
    row = np.repeat(np.arange(len(rhs)), length)
    total = np.bincount(row, np.abs(rows.data), len(rhs)) + np.abs(rhs)
    odd = np.bincount(row, rows.data != np.rint(rows.data), len(rhs)) > 0
    exact = ~odd & (rhs == np.rint(rhs)) & (total < 2.0**52)  # integers
    return np.flatnonzero(~exact & (np.spacing(total) * (length + 4) > share))
