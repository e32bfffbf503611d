"""Checks of solvers' and oracles' options: bad ones are refused by name before work begins."""

from __future__ import annotations

import numpy as np

from formulations.errors import InvalidInputError


def check_whole(name: str, value: object, least: int = 1, most: int | None = None) -> None:
    """Refuse anything but an integer from ``least`` to ``most``.

    Raises
    ------
    InvalidInputError
        Naming the option and what was expected.

    Examples
    --------
    >>> check_whole("reads", 10)
    >>> check_whole("reads", 0)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: reads=0: expected an integer of at least 1
    """
    whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
    if not whole or value < least or (most is not None and value > most):  # type: ignore[operator]
        limits = f"of at least {least}" if most is None else f"from {least} to {most}"
        raise InvalidInputError(f"{name}={value!r}: expected an integer {limits}")


def check_count(name: str, value: object, *limits: float | None) -> None:
    """Refuse anything but a positive integer, or None where one of the limits ends the run.

    Raises
    ------
    InvalidInputError
        Naming the option and what was expected.

    Examples
    --------
    >>> check_count("iterations", None, 2.0)
    >>> check_count("iterations", None, None)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: iterations=None never ends: give a time_limit or a number
    """
    if value is not None:
        check_whole(name, value)
    elif all(limit is None for limit in limits):
        raise InvalidInputError(f"{name}=None never ends: give a time_limit or a number")


def check_number(name: str, value: object, *, zero: bool = False) -> None:
    """Refuse anything but a finite positive number, or zero as well.

    Raises
    ------
    InvalidInputError
        Naming the option and what was expected.

    Examples
    --------
    >>> check_number("noise", 0.0, zero=True)
    >>> check_number("step", 0.0)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: step=0.0: expected a finite number above 0
    """
    number = isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
    if not number or not (0 < value < np.inf or (zero and value == 0)):  # type: ignore[operator]
        limit = "of at least 0" if zero else "above 0"
        raise InvalidInputError(f"{name}={value!r}: expected a finite number {limit}")
