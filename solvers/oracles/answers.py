"""What every oracle has to do before and after it searches: check what came, put reads in order."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import numpy.typing as npt

from formulations.errors import InvalidInputError
from solvers.oracles.base import QUBO, BitArray, Samples


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
    try:
        given = np.array(states)
    except ValueError:  # rows of several lengths
        given = np.zeros(0)
    if given.ndim != 2 or given.shape[1] != n or not len(given):
        raise InvalidInputError(
            f"initial states of shape {given.shape}: expected one or more states of {n} bits"
        )
    if given.dtype.kind not in "biuf" or not ((given == 0) | (given == 1)).all():
        raise InvalidInputError("initial states with values other than 0 and 1: expected bits")
    return given.astype(np.int8)


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
