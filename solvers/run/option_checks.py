"""Checks of the options all solvers share: problem, seed, limits, callbacks, checkpoint, workers.

:func:`check_common` is the one place where the shared options are declared and checked.  Functions
of :mod:`formulations.checks` check a solver's own options.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

from formulations import TrainingProblem
from formulations.checks import (
    check_folder,
    check_seconds,
    check_several,
    check_whole,
    choose,
    is_number,
    shown,
)
from formulations.errors import InvalidInputError
from formulations.neurons import ENCODINGS

MOST_WORKERS = 1024

MOST_READS, MOST_SWEEPS = 10**6, 2**31 - 1
"""Limits of one oracle call: more reads do not fit in memory, and kernels count in 32 bits."""


def check_effort(reads: object, sweeps: object = 1) -> None:
    """Refuse an oracle's reads and sweeps unless they are positive integers within the limits.

    Examples
    --------
    >>> check_effort(10, 10**12)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: sweeps=1000000000000: expected an integer from 1 to ...
    """
    check_whole("reads", reads, most=MOST_READS)
    check_whole("sweeps", sweeps, most=MOST_SWEEPS)


def check_count(name: str, value: object, *limits: float | None) -> None:
    """Refuse anything but a positive integer, or None if one of the limits ends the run.

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


def check_problem(problem: object) -> None:
    """Refuse anything but a training problem before a solver starts.

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
    """Check the options that all solvers and their parts share.

    ============================ ===============================================================
    ``seed``                     An integer, 0 or more: same seed, same result.
    ``time_limit``               Seconds, or None for no limit.
    ``call_limit``               Most calls of the oracle, or None for no limit.
    ``callbacks``                Tuple of functions, each called with a ``Progress`` after a step.
    ``checkpoint``               A folder, or None.
    ``checkpoint_every``         Seconds between two checkpoints, 0 for every step.
    ``workers``                  Threads or processes, or None for one per core.
    ``threads``                  Threads, or None for as many as pay.
    ``encoding``                 Of sums in a model, or None for the one with fewer variables.
    ``batch``, ``block_size``    Samples of a step or of a block, or None.
    ============================ ===============================================================

    Raises
    ------
    InvalidInputError
        Naming the option and what was expected.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> check_common(SimpleNamespace(seed=3, time_limit=None))
    >>> check_common(SimpleNamespace(time_limit="5"))
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: time_limit='5': expected a finite number above 0, at ...
    """
    for name, check in SHARED.items():
        if hasattr(solver, name):
            check(name, getattr(solver, name))


def _check_callbacks(name: str, value: object) -> None:
    what = f"functions to be called after each step, such as {name}=(function,)"
    for callback in check_several(name, value, what, empty=True):
        if isinstance(callback, type) or not callable(callback):
            raise InvalidInputError(f"{name}={shown(value)}: expected a sequence of {what}")


def _check_every(name: str, value: object) -> None:
    if not is_number(value) or not value >= 0:  # type: ignore[operator]
        raise InvalidInputError(
            f"{name}={shown(value)}: expected seconds, or 0 to save after every step"
        )


def _or_none(check: Callable[..., object], **limits: Any) -> Callable[[str, object], None]:
    """Make a check that also accepts None."""

    def checked(name: str, value: object) -> None:
        if value is not None:
            check(name, value, **limits)

    return checked


SHARED: Mapping[str, Callable[[str, object], object]] = MappingProxyType(
    {
        "seed": partial(check_whole, least=0, most=2**128 - 1),  # as long as NumPy's own
        "time_limit": _or_none(check_seconds),
        "call_limit": _or_none(check_whole),
        "callbacks": _check_callbacks,
        "checkpoint": _or_none(check_folder),
        "checkpoint_every": _check_every,
        "workers": _or_none(check_whole, most=MOST_WORKERS),
        "threads": _or_none(check_whole, most=MOST_WORKERS),
        "encoding": _or_none(choose, known=list(ENCODINGS)),
        "batch": _or_none(check_whole),
        "block_size": _or_none(check_whole),
    }
)
"""The shared options and their checks."""
