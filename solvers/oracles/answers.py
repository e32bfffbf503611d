"""Steps common to every oracle: check the question and sort the reads."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from formulations.arrays import BitArray
from formulations.errors import InvalidInputError, UnusableAnswerError
from solvers.oracles.base import QUBO, Samples


def checked_states(states: npt.ArrayLike, n: int) -> BitArray:
    """Return the given states as an array of bits, shape (s, n).

    Raises
    ------
    InvalidInputError
        If there are none, or their number of variables differs.

    Examples
    --------
    >>> checked_states([[True, False]], 2).tolist()
    [[1, 0]]
    """
    try:
        given = np.array(states)
    except ValueError:  # rows of different lengths
        given = np.zeros(0)
    if given.ndim != 2 or given.shape[1] != n or not len(given):
        raise InvalidInputError(
            f"initial states of shape {given.shape}: expected one or more states of {n} bits"
        )
    if given.dtype.kind not in "biuf" or not ((given == 0) | (given == 1)).all():
        raise InvalidInputError("initial states with values other than 0 and 1: expected bits")
    return given.astype(np.int8)


def check_form(qubo: QUBO, samples: object) -> None:
    """Refuse an answer whose form does not fit ``qubo``; energies are not checked.

    Raises
    ------
    UnusableAnswerError
        For anything but samples, for no reads, shapes that do not fit, or values other than 0 and
        1.

    Examples
    --------
    >>> none = np.zeros(0, dtype=np.int64)
    >>> check_form(QUBO(np.array([1.0]), none, none, np.zeros(0)), None)
    Traceback (most recent call last):
    formulations.errors.UnusableAnswerError: the oracle's answer cannot be used: it is no Samples...
    """
    if not isinstance(samples, Samples):
        raise unusable(samples, f"it is no Samples but {type(samples).__name__}")
    x, told, n = np.asarray(samples.x), np.asarray(samples.energies), qubo.num_variables
    if x.ndim != 2 or not len(x) or x.shape[1] != n:
        raise unusable(samples, f"samples of shape {x.shape}: expected reads of {n} bits")
    if x.dtype.kind not in "biuf" or not ((x == 0) | (x == 1)).all():
        raise unusable(samples, "samples with values other than 0 and 1")
    if told.shape != (len(x),) or told.dtype.kind not in "biuf":
        raise unusable(samples, f"energies of shape {told.shape}: expected one for each read")


def unusable(answer: object, why: str) -> UnusableAnswerError:
    """Make the error for an answer that does not fit its question."""
    return UnusableAnswerError(
        f"the oracle's answer cannot be used: {why}; run solvers.oracles.testing.check_oracle on "
        "the oracle",
        answer,
    )


def best_first(
    qubo: QUBO,
    x: npt.ArrayLike,
    started: float,
    *,
    exact: bool = False,
    info: dict[str, Any] | None = None,
) -> Samples:
    """Make samples with the energies of ``qubo``, best first, timed from ``started`` to now.

    Parameters
    ----------
    qubo : QUBO
    x : array_like, shape (reads, n)
        Bits.
    started : float
        Time at which the oracle began, by :func:`time.perf_counter`.
    exact : bool
    info : dict, optional

    Examples
    --------
    >>> none = np.zeros(0, dtype=np.int64)
    >>> qubo = QUBO(np.array([1.0]), none, none, np.zeros(0))
    >>> best_first(qubo, [[1], [0]], time.perf_counter()).x.tolist()
    [[0], [1]]
    """
    x = np.asarray(x, dtype=np.int8)
    energies = qubo.energies(x)
    order = np.argsort(energies, kind="stable")
    return Samples(x[order], energies[order], time.perf_counter() - started, exact, info or {})
