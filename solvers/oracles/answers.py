"""What every oracle has to do before and after it searches: check what came, put reads in order."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from formulations.errors import InvalidInputError
from solvers.oracles.base import QUBO, BitArray, Samples


def check_finite(qubo: QUBO) -> None:
    """Refuse a QUBO with coefficients that are not finite.

    Raises
    ------
    InvalidInputError

    Examples
    --------
    >>> none = np.zeros(0, dtype=np.int64)
    >>> check_finite(QUBO(np.array([1.0, np.nan]), none, none, np.zeros(0)))
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: the QUBO has coefficients that are not finite: check...
    """
    if not (np.isfinite(qubo.linear).all() and np.isfinite(qubo.couplings).all()):
        raise InvalidInputError(
            "the QUBO has coefficients that are not finite: check the model's numbers and the "
            "penalty weights"
        )


def checked_states(states: npt.ArrayLike, n: int) -> BitArray:
    """Given states as an array of bits, shape (s, n).

    Raises
    ------
    InvalidInputError
        If there is none, or they have another number of variables.

    Examples
    --------
    >>> checked_states([[True, False]], 2).tolist()
    [[1, 0]]
    """
    given = np.array(states, dtype=np.int8)
    if given.ndim != 2 or given.shape[1] != n or not len(given):
        raise InvalidInputError(
            f"initial states of shape {given.shape}: expected one or more states of {n} bits"
        )
    return given


def best_first(
    qubo: QUBO,
    x: npt.ArrayLike,
    started: float,
    *,
    exact: bool = False,
    info: dict[str, Any] | None = None,
) -> Samples:
    """Samples with the energies of ``qubo``, best first, timed from ``started`` to now.

    Parameters
    ----------
    qubo : QUBO
    x : array_like, shape (reads, n)
        Bits.
    started : float
        When the oracle began, by :func:`time.perf_counter`.
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
