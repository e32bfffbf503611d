"""Arguments as what they are meant to be: integers, real numbers, arrays; all else is refused."""

from __future__ import annotations

from math import inf, isfinite
from numbers import Real
from operator import index
from reprlib import Repr

import numpy as np
import numpy.typing as npt

from formulations.arrays import Array, BitArray, FloatArray, IntArray
from formulations.errors import InvalidInputError

EXACT = 2**49
"""Integers up to here can be added in any order, a few of them at a time, and stay exact floats."""


def shown(value: object) -> str:
    """``value`` for a message, never longer than a line.

    Examples
    --------
    >>> len(shown("x" * 1000)) < 80
    True
    """
    short = Repr()
    short.maxstring = short.maxother = short.maxlong = 60
    try:
        return " ".join(short.repr(value).split())
    except Exception:  # an object whose own repr fails
        return f"<{type(value).__name__}>"


def whole_number(name: str, value: object, least: int = 1, most: int = EXACT) -> int:
    """``value`` as an integer; 1.0 and True are none.

    Raises
    ------
    InvalidInputError
        Naming the argument and what was expected.

    Examples
    --------
    >>> whole_number("pieces", np.int64(3))
    3
    >>> whole_number("pieces", True)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: pieces=True: expected an integer from 1 to ...
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or not least <= index(value) <= most:  # type: ignore[arg-type]
        limits = f"from {least:,} to {most:,}"
        raise InvalidInputError(f"{name}={shown(value)}: expected an integer {limits}")
    return index(value)  # type: ignore[arg-type]


def real_number(name: str, value: object, *, above: float = -inf) -> float:
    """``value`` as a finite float above a limit; True is no number.

    Raises
    ------
    InvalidInputError
        Naming the argument and what was expected.

    Examples
    --------
    >>> real_number("step", 1, above=0)
    1.0
    """
    good = isinstance(value, Real | np.number) and not isinstance(value, bool)
    try:
        number = float(value) if good else inf  # type: ignore[arg-type]
    except (TypeError, OverflowError):
        number = inf
    if not isfinite(number) or number <= above:
        limit = f" above {above:g}" if above > -inf else ""
        raise InvalidInputError(f"{name}={shown(value)}: expected a finite number{limit}")
    return number


def plain_array(name: str, value: npt.ArrayLike) -> Array:
    """``value`` as an array, nothing of it dropped on the way.

    Raises
    ------
    InvalidInputError
        For rows of different lengths, sparse matrices, and masked values.

    Examples
    --------
    >>> plain_array("X", [[1, 2], [3]])
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: X=[[1, 2], [3]]: expected an array, its rows of one ...
    """
    if hasattr(value, "toarray"):
        raise InvalidInputError(f"{name} is a sparse matrix: give {name}.toarray()")
    if np.ma.is_masked(value):
        raise InvalidInputError(f"{name} has masked values: fill them in or drop them first")
    try:
        return np.asarray(value)
    except Exception as error:  # a container of one's own may raise anything
        raise InvalidInputError(
            f"{name}={shown(value)}: expected an array, its rows of one length ({error})"
        ) from error


def whole_array(name: str, value: npt.ArrayLike, what: str = "integers") -> IntArray:
    """``value`` as an array of integers; floats with a fraction are refused, not cut.

    Raises
    ------
    InvalidInputError
        Naming the first that is none.

    Examples
    --------
    >>> whole_array("bits", [0.0, 1.0]).tolist()
    [0, 1]
    >>> whole_array("bits", [0, 0.5])
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: bits has the value 0.5: expected integers
    """
    array = plain_array(name, value)
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


def bit_array(name: str, value: npt.ArrayLike, length: int, axes: int | None = None) -> BitArray:
    """``value`` as bits, shape (..., length), with so many axes if that matters.

    Raises
    ------
    InvalidInputError
        For another length, and anything but 0 and 1.

    Examples
    --------
    >>> bit_array("weight bits", [0, 1, 2], 3)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: weight bits have a value that is not 0 or 1: ...
    """
    array = plain_array(name, value)
    if array.shape[-1:] != (length,) or axes not in (None, array.ndim):
        expected = {1: f"({length},)", 2: f"(R, {length})"}.get(axes or 0, f"(..., {length})")
        raise InvalidInputError(f"{name} of shape {array.shape}: expected {expected}")
    whole = array if array.dtype == np.int8 else whole_array(name, array, "0 or 1")
    if whole.size and not (whole.min() >= 0 and whole.max() <= 1):
        raise InvalidInputError(
            f"{name} have a value that is not 0 or 1: convert spins by (s + 1) / 2"
        )
    return whole.astype(np.int8, copy=False)


def refuse_if_inexact(
    number: int,
    a: FloatArray,
    weights: npt.ArrayLike,
    unit: int,
    bias: npt.ArrayLike | None,
) -> None:
    """Refuse sums that floats and 64-bit integers need not keep exactly.

    Parameters
    ----------
    number : int
        Of the layer, for the message.
    a : ndarray, shape (..., inputs)
        What comes into it, or the largest magnitudes of it.
    weights : array, shape (outputs, inputs)
        Levels, or the largest magnitudes of them.
    unit : int
        What the thresholds are multiplied by.
    bias : array, shape (outputs,), optional
        Thresholds.

    Raises
    ------
    InvalidInputError
        Naming the layer, how far its sums can reach, and what to do.
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
