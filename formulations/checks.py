"""Checks of single values: invalid ones are refused by name before work begins.

Every check accepts NumPy numbers as well as Python numbers, refuses bools and NaN as numbers,
raises :class:`~formulations.errors.InvalidInputError` for invalid values, and returns the valid
value.  Arrays have their own checks in :mod:`formulations.array_checks`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from operator import index
from os import PathLike
from reprlib import Repr
from typing import Any

import numpy as np

from formulations.errors import InvalidInputError

EXACT = 2**49
"""Largest integers of which a few can be added as floats, in any order, without rounding."""

WIDEST = 1_000_000
"""Largest number of units of a layer; models are counted and built unit by unit."""


def shown(value: object) -> str:
    """Format any value for a message: one line, shortened, even if ``repr`` fails.

    Examples
    --------
    >>> shown("5"), shown([1.5, None]), len(shown("x" * 1000))
    ("'5'", '[1.5, None]', 200)
    """
    short = Repr()
    short.maxstring = short.maxother = short.maxlong = 200
    try:
        text = " ".join(short.repr(value).split())
    except Exception:  # such as an integer with too many digits to print
        return f"<{type(value).__name__}>"
    return text if len(text) <= 200 else f"{text[:98]}...{text[-98:]}"


def choose(name: str, value: object, known: list[str]) -> str:
    """Return ``value`` if it is one of ``known``, else raise with the nearest valid name.

    Parameters
    ----------
    name : str
        The kind of thing being chosen, for the message.
    value : object
        The name given.
    known : list of str
        The valid names.

    Raises
    ------
    InvalidInputError
        If ``value`` is not one of ``known``.

    Examples
    --------
    >>> choose("loss", "hinge", ["hinge", "squared"])
    'hinge'
    """
    if isinstance(value, str) and value in known:
        return value
    from difflib import get_close_matches

    near = get_close_matches(value, known, n=1) if isinstance(value, str) else []
    hint = f" Did you mean {near[0]!r}?" if near else ""
    raise InvalidInputError(
        f"unknown {name} {shown(value)}: expected one of {', '.join(known)}.{hint}"
    )


def is_number(value: object) -> bool:
    """Return True if a value is a real number, not a bool; infinities and NaN count as numbers.

    Examples
    --------
    >>> is_number(np.float32(1.5)), is_number(True), is_number("1")
    (True, False, False)
    """
    real = isinstance(value, (int, float, np.integer, np.floating))
    return real and not isinstance(value, bool)


def is_finite(value: object) -> bool:
    """Return True if a number is finite as a float.

    Examples
    --------
    >>> is_finite(10**400), is_finite(10**30)
    (False, True)
    """
    try:
        return isfinite(value)  # type: ignore[arg-type]
    except OverflowError:  # an integer too large for a float
        return False


def check_whole(name: str, value: object, least: int = 1, most: int | None = None) -> int:
    """Return a Python integer from ``least`` to ``most`` (2^49 by default).

    Examples
    --------
    >>> check_whole("reads", np.int64(10))
    10
    >>> check_whole("reads", 0)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: reads=0: expected an integer of at least 1
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    number = index(value) if whole else 0  # type: ignore[arg-type]
    largest = EXACT if most is None else most
    if not whole or not least <= number <= largest:
        bounded = most is not None or number > largest
        limits = f"from {least:,} to {largest:,}" if bounded else f"of at least {least:,}"
        raise InvalidInputError(f"{name}={shown(value)}: expected an integer {limits}")
    return number


def check_number(
    name: str,
    value: object,
    *,
    zero: bool = False,
    negative: bool = False,
    most: float | None = None,
) -> float:
    """Return a finite number above 0 as a float.

    Parameters
    ----------
    zero, negative : bool
        Also accept zero, or zero and negative numbers.
    most : float, optional
        Largest number accepted.

    Examples
    --------
    >>> check_number("noise", 0, zero=True)
    0.0
    >>> check_number("step", 0.0)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: step=0.0: expected a finite number above 0
    """
    fits = is_number(value) and is_finite(value)
    if fits and not negative:
        fits = value > 0 or (zero and value == 0)  # type: ignore[operator]
    if not fits or (most is not None and value > most):  # type: ignore[operator]
        limit = "" if negative else " of at least 0" if zero else " above 0"
        limit += "" if most is None else f", at most {most:g}"
        raise InvalidInputError(f"{name}={shown(value)}: expected a finite number{limit}")
    return float(value)  # type: ignore[arg-type]


def check_seconds(name: str, value: object, *, zero: bool = False) -> float:
    """Return a positive number of seconds, at most 31 years.

    Examples
    --------
    >>> check_seconds("pause", float("inf"))
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: pause=inf: expected a finite number above 0, at most ...
    """
    # waiting for longer overflows the system's clocks
    return check_number(name, value, zero=zero, most=1e9)


def check_share(name: str, value: object) -> float:
    """Return a number from 0 to 1 as a float.

    Examples
    --------
    >>> check_share("shake", 1.5)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: shake=1.5: expected a number from 0 to 1
    """
    if not is_number(value) or not 0 <= value <= 1:  # type: ignore[operator]
        raise InvalidInputError(f"{name}={shown(value)}: expected a number from 0 to 1")
    return float(value)  # type: ignore[arg-type]


def check_flag(name: str, value: object) -> bool:
    """Return True or False.

    Examples
    --------
    >>> check_flag("repair", 1)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: repair=1: expected True or False
    """
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidInputError(f"{name}={shown(value)}: expected True or False")
    return bool(value)


def check_several(name: str, value: object, what: str, *, empty: bool = False) -> Sequence[Any]:
    """Return a sequence; texts and iterators are refused.

    Parameters
    ----------
    what : str
        The elements that the message says were expected, such as ``"positive learning rates"``.
    empty : bool
        Also accept an empty sequence.

    Examples
    --------
    >>> check_several("rates", [0.1, 0.2], "positive learning rates")
    [0.1, 0.2]
    >>> check_several("rates", "0.1", "positive learning rates")
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: rates='0.1': expected a sequence of positive learning ...
    """
    listed = value.tolist() if isinstance(value, np.ndarray) else value
    fits = isinstance(listed, Sequence) and not isinstance(listed, (str, bytes))
    if not fits or (not len(listed) and not empty):  # type: ignore[arg-type]
        raise InvalidInputError(f"{name}={shown(value)}: expected a sequence of {what}")
    return listed  # type: ignore[return-value]


def check_numbers(name: str, value: object, what: str) -> Sequence[Any]:
    """Return a sequence of finite positive numbers, at least one.

    Examples
    --------
    >>> check_numbers("rates", (0.1, float("nan")), "positive learning rates")
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: rates=(0.1, nan): expected a sequence of positive ...
    """
    numbers = check_several(name, value, what)
    if not all(is_number(n) and is_finite(n) and n > 0 for n in numbers):
        raise InvalidInputError(f"{name}={shown(value)}: expected a sequence of {what}")
    return numbers


def check_has(name: str, value: object, method: str, example: str) -> None:
    """Refuse a value without a method called ``method``; classes are refused, too.

    Examples
    --------
    >>> check_has("stop", int, "over", "solvers.run.stopping.NoImprovement()")
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: stop=<class 'int'>: expected an object with ov...
    """
    if isinstance(value, type) or not callable(getattr(value, method, None)):
        raise InvalidInputError(
            f"{name}={shown(value)}: expected an object with {method}(...), such as {example}"
        )


def check_folder(name: str, value: object) -> str:
    """Return the path of a folder as a text.

    Examples
    --------
    >>> check_folder("checkpoint", 3)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: checkpoint=3: expected the path of a folder, as a text...
    """
    path = None
    if isinstance(value, (str, PathLike)) and not isinstance(value, type):
        path = value.__fspath__() if isinstance(value, PathLike) else value
    if not isinstance(path, str) or not path or "\0" in path:
        raise InvalidInputError(
            f"{name}={shown(value)}: expected the path of a folder, as a text or pathlib.Path"
        )
    return path
