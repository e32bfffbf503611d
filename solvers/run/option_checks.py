"""Checks of solvers' and oracles' options: bad ones are refused by name before work begins.

:func:`check_common` knows what all solvers share (seed, limits, callbacks, checkpoint, workers); it
is the one place where these are declared and checked.  The others are for options of one's own.
Every check takes NumPy's numbers where it takes Python's, refuses bools and NaN as numbers, and
raises :class:`~formulations.errors.InvalidInputError`, whatever it is given.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite
from os import PathLike
from types import MappingProxyType
from typing import Any

import numpy as np

from formulations import TrainingProblem
from formulations.errors import InvalidInputError, shown

LONGEST = 1e9
"""Most seconds of any limit, 31 years: waiting for longer overflows the system's clocks."""

LARGEST, LARGEST_SEED = 2**62, 2**128 - 1
"""Largest integer of any option, and largest seed, which NumPy draws itself from 128 bits."""

MOST_WORKERS = 1024

MOST_READS, MOST_SWEEPS = 10**6, 2**31 - 1
"""Of one call of an oracle: more reads do not fit in memory, and kernels count in 32 bits."""

WIDEST = 10**6
"""Most units of a layer."""


def is_number(value: object) -> bool:
    """Whether a value is a real number that is no bool; infinities and NaN are numbers, too.

    Examples
    --------
    >>> is_number(np.float32(1.5)), is_number(True), is_number("1")
    (True, False, False)
    """
    real = isinstance(value, (int, float, np.integer, np.floating))
    return real and not isinstance(value, bool)


def check_whole(name: str, value: object, least: int = 1, most: int | None = None) -> None:
    """Refuse anything but an integer from ``least`` to ``most``, of 62 bits at most.

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
    largest = LARGEST if most is None else most
    if not whole or not least <= value <= largest:  # type: ignore[operator]
        plain = most is None and not (whole and value > largest)  # type: ignore[operator]
        limits = f"of at least {least}" if plain else f"from {least} to {largest}"
        raise InvalidInputError(f"{name}={shown(value)}: expected an integer {limits}")


def check_effort(reads: object, sweeps: object = 1) -> None:
    """Refuse reads and sweeps of an oracle's calls that are none, or more than can be done.

    Examples
    --------
    >>> check_effort(10, 10**12)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: sweeps=1000000000000: expected an integer from 1 to ...
    """
    check_whole("reads", reads, most=MOST_READS)
    check_whole("sweeps", sweeps, most=MOST_SWEEPS)


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


def check_number(
    name: str, value: object, *, zero: bool = False, most: float | None = None
) -> None:
    """Refuse anything but a finite positive number, of at most ``most``, or zero as well.

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
    fits = is_number(value) and is_finite(value) and (value > 0 or (zero and value == 0))  # type: ignore[operator]
    if not fits or (most is not None and value > most):  # type: ignore[operator]
        limit = "of at least 0" if zero else "above 0"
        limit += "" if most is None else f", at most {most:g}"
        raise InvalidInputError(f"{name}={shown(value)}: expected a finite number {limit}")


def check_seconds(name: str, value: object, *, zero: bool = False) -> None:
    """Refuse anything but seconds that a clock can count: above 0, at most 31 years.

    Examples
    --------
    >>> check_seconds("pause", float("inf"))
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: pause=inf: expected a finite number above 0, at most ...
    """
    check_number(name, value, zero=zero, most=LONGEST)


def check_share(name: str, value: object) -> None:
    """Refuse anything but a number from 0 to 1.

    Examples
    --------
    >>> check_share("shake", 1.5)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: shake=1.5: expected a number from 0 to 1
    """
    if not is_number(value) or not 0 <= value <= 1:  # type: ignore[operator]
        raise InvalidInputError(f"{name}={shown(value)}: expected a number from 0 to 1")


def check_flag(name: str, value: object) -> None:
    """Refuse anything but True and False.

    Examples
    --------
    >>> check_flag("repair", 1)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: repair=1: expected True or False
    """
    if not isinstance(value, (bool, np.bool_)):
        raise InvalidInputError(f"{name}={shown(value)}: expected True or False")


def check_several(name: str, value: object, what: str, *, empty: bool = False) -> Sequence[Any]:
    """Refuse anything but a sequence; return it.  A text is none, and neither is an iterator.

    Parameters
    ----------
    what : str
        What the message says was expected, such as ``"positive learning rates"``.
    empty : bool
        Whether it may be empty.

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


def check_numbers(name: str, value: object, what: str) -> None:
    """Refuse anything but a sequence of finite positive numbers, at least one.

    Examples
    --------
    >>> check_numbers("rates", (0.1, float("nan")), "positive learning rates")
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: rates=(0.1, nan): expected a sequence of positive ...
    """
    for number in check_several(name, value, what):
        if not is_number(number) or not is_finite(number) or number <= 0:
            raise InvalidInputError(f"{name}={shown(value)}: expected a sequence of {what}")


def check_has(name: str, value: object, method: str, example: str) -> None:
    """Refuse anything but an object, not a class, with a method of that name.

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


def check_problem(problem: object) -> None:
    """Refuse anything but a training problem, before a solver begins.

    Examples
    --------
    >>> check_problem("digits.csv")
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: problem='digits.csv': expected a TrainingProblem, ...
    """
    if not isinstance(problem, TrainingProblem):
        remedy = "made by formulations.TrainingProblem(network, X, y)"
        if type(problem).__name__ == "ConstrainedQuadraticModel":
            remedy = "as solve trains networks; a CQM goes to sample_cqm of QCGD or PenaltyMethod"
        raise InvalidInputError(f"problem={shown(problem)}: expected a TrainingProblem, {remedy}")


# -- what all solvers share ------------------------------------------------------------------------


def check_common(solver: object) -> None:
    """Check those options of a solver, or of a part of one, that all of them share.

    ============================ ===============================================================
    ``seed``                     An integer, 0 or more: same seed, same result.
    ``time_limit``               Seconds, or None for no limit.
    ``call_limit``               Most calls of the oracle, or None for no limit.
    ``callbacks``                Tuple of functions, each called with a ``Progress`` after a step.
    ``checkpoint``               A folder, or None.
    ``checkpoint_every``         Seconds between two checkpoints, 0 for every step.
    ``workers``                  Threads or processes, or None for one per core.
    ============================ ===============================================================

    Raises
    ------
    InvalidInputError
        Naming the option and what was expected.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> check_common(SimpleNamespace(seed=np.int64(3), time_limit=None))
    >>> check_common(SimpleNamespace(time_limit="5"))
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: time_limit='5': expected a finite number above 0, at ...
    """
    for name, check in SHARED.items():
        if hasattr(solver, name):
            check(name, getattr(solver, name))


def _check_seed(name: str, value: object) -> None:
    check_whole(name, value, least=0, most=LARGEST_SEED)


def _check_limit(name: str, value: object) -> None:
    if value is not None:
        check_seconds(name, value)


def _check_calls(name: str, value: object) -> None:
    if value is not None:
        check_whole(name, value)


def _check_callbacks(name: str, value: object) -> None:
    what = f"functions to be called after each step, such as {name}=(function,)"
    for callback in check_several(name, value, what, empty=True):
        if isinstance(callback, type) or not callable(callback):
            raise InvalidInputError(f"{name}={shown(value)}: expected a sequence of {what}")


def check_folder(name: str, value: object) -> None:
    """Refuse anything but the path of a folder.

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


def _check_checkpoint(name: str, value: object) -> None:
    if value is not None:
        check_folder(name, value)


def _check_every(name: str, value: object) -> None:
    if not is_number(value) or not value >= 0:  # type: ignore[operator]
        raise InvalidInputError(
            f"{name}={shown(value)}: expected seconds, or 0 to save after every step"
        )


def _check_workers(name: str, value: object) -> None:
    if value is not None:
        check_whole(name, value, most=MOST_WORKERS)


SHARED: Mapping[str, Callable[[str, object], None]] = MappingProxyType(
    {
        "seed": _check_seed,
        "time_limit": _check_limit,
        "call_limit": _check_calls,
        "callbacks": _check_callbacks,
        "checkpoint": _check_checkpoint,
        "checkpoint_every": _check_every,
        "workers": _check_workers,
    }
)
"""The shared options and their checks."""


def is_finite(value: object) -> bool:
    """Whether a number is finite as a float.

    Examples
    --------
    >>> is_finite(10**400), is_finite(10**30)
    (False, True)
    """
    try:
        return isfinite(value)  # type: ignore[arg-type]
    except OverflowError:  # an integer beyond all floats
        return False
