"""Checks of arrays: each refuses an invalid array by name and returns a valid one converted.

All checks raise :class:`~formulations.errors.InvalidInputError`.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import Array, BitArray, FloatArray, IntArray
from formulations.checks import EXACT, shown
from formulations.errors import InvalidInputError


def check_array(name: str, value: object) -> Array:
    """Convert to an array; ragged rows, sparse matrices and masked values are refused.

    Examples
    --------
    >>> check_array("X", [[1, 2], [3]])
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: X=[[1, 2], [3]]: expected an array with rows of equal ...
    """
    if hasattr(value, "toarray"):
        raise InvalidInputError(f"{name} is a sparse matrix: give {name}.toarray()")
    if np.ma.is_masked(value):
        raise InvalidInputError(f"{name} has masked values: fill them in or drop them first")
    try:
        return np.asarray(value)
    except Exception as error:  # a user's container may raise any exception
        raise InvalidInputError(
            f"{name}={shown(value)}: expected an array with rows of equal length ({error})"
        ) from error


def check_integers(name: str, value: npt.ArrayLike, what: str = "integers") -> IntArray:
    """Convert to an array of integers; a float with a fraction is refused, not truncated.

    Examples
    --------
    >>> check_integers("bits", [0.0, 1.0]).tolist()
    [0, 1]
    >>> check_integers("bits", [0, 0.5])
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: bits has the value 0.5: expected integers
    """
    array = check_array(name, value)
    if array.size == 0 and array.dtype.kind in "biuf":
        return array.astype(np.int64)
    if array.dtype.kind not in "biuf":
        raise InvalidInputError(f"{name} has type {array.dtype}: expected {what}")
    if array.dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            bad = ~(np.isfinite(array) & (array == np.rint(array)))
        if bad.any():
            raise InvalidInputError(f"{name} has the value {array[bad].flat[0]:g}: expected {what}")
    largest = max(abs(int(array.min())), abs(int(array.max())))
    if largest > 2**53:
        raise InvalidInputError(
            f"{name} has values up to {largest:.3g}: expected {what} up to 2^53, which are exact"
        )
    return array.astype(np.int64)


def check_bits(name: str, value: npt.ArrayLike, length: int, axes: int | None = None) -> BitArray:
    """Convert to bits of shape (..., length), with ``axes`` axes if given.

    Examples
    --------
    >>> check_bits("weight bits", [0, 1, 2], 3)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: weight bits have a value that is not 0 or 1: ...
    """
    array = check_array(name, value)
    if array.shape[-1:] != (length,) or axes not in (None, array.ndim):
        expected = {1: f"({length},)", 2: f"(R, {length})"}.get(axes or 0, f"(..., {length})")
        raise InvalidInputError(f"{name} of shape {array.shape}: expected {expected}")
    whole = array if array.dtype == np.int8 else check_integers(name, array, "0 or 1")
    if whole.size and not (whole.min() >= 0 and whole.max() <= 1):
        raise InvalidInputError(
            f"{name} have a value that is not 0 or 1: convert spins by (s + 1) / 2"
        )
    return whole.astype(np.int8, copy=False)


def check_exact(
    number: int,
    a: FloatArray,
    weights: npt.ArrayLike,
    unit: int,
    bias: npt.ArrayLike | None,
) -> None:
    """Refuse pre-activations too large for exact sums in floats and 64-bit integers.

    Parameters
    ----------
    number : int
        The layer's number, for the message.
    a : ndarray, shape (..., inputs)
        The layer's inputs, or their largest magnitudes.
    weights : array, shape (outputs, inputs)
        Weight levels, or their largest magnitudes.
    unit : int
        Factor of the thresholds.
    bias : array, shape (outputs,), optional
        Thresholds.
    """
    if not a.size:
        return
    rows = a.reshape(-1, a.shape[-1])
    inputs = np.maximum(np.abs(rows.max(axis=0)), np.abs(rows.min(axis=0)))
    sums = np.abs(weights).astype(float) @ inputs
    if bias is not None:
        sums = sums + float(unit) * np.abs(bias).astype(float)
    reach = float(sums.max())
    if not reach <= EXACT:
        raise InvalidInputError(
            f"layer {number}: its sums can reach {reach:.3g}, and integers are exact up to "
            f"{EXACT:.3g} only: take smaller inputs, a smaller resolution or scale, or an "
            "activation of smaller values"
        )


def check_finite(name: str, values: object, dimensions: int) -> FloatArray:
    """Convert to an array of finite numbers; 0 dimensions means a single number.

    Examples
    --------
    >>> check_finite("rhs", [1, 2], 1)
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
            else f"{name}={shown(values)}: expected a finite number"
        )
    return array


def check_products(products: npt.ArrayLike, num_variables: int) -> IntArray:
    """Convert products x_u = x_v x_w to rows (u, v, w), shape (p, 3)."""
    try:
        given = check_finite("products", products, 2)
    except InvalidInputError:
        given = check_finite("products", products, 1)  # one product, or none
    whole = given.astype(np.int64)
    if given.size and given.shape[-1] != 3:
        raise InvalidInputError(
            f"products of shape {given.shape}: expected (p, 3), columns u, v, w"
        )
    if (whole != given).any() or not ((whole >= 0) & (whole < num_variables)).all():
        raise InvalidInputError(f"products must name variables 0 .. {num_variables - 1}")
    return whole.reshape(-1, 3)


def inexact_rows(rows: sp.csr_array, rhs: FloatArray, share: float) -> IntArray:
    """Find rows whose residual a'x - b may be off by more than ``share`` in double precision.

    Examples
    --------
    >>> inexact_rows(sp.csr_array([[1.0, 2.0], [1e18, 1.0]]), np.array([1.0, 1.0]), 1e-7).tolist()
    [1]
    """
    length = np.diff(rows.indptr)
    row = np.repeat(np.arange(len(rhs)), length)
    total = np.bincount(row, np.abs(rows.data), len(rhs)) + np.abs(rhs)
    odd = np.bincount(row, rows.data != np.rint(rows.data), len(rhs)) > 0
    exact = ~odd & (rhs == np.rint(rhs)) & (total < 2.0**52)  # integers
    return np.flatnonzero(~exact & (np.spacing(total) * (length + 4) > share))
