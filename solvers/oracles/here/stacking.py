"""QUBOs of one pattern stacked, so that a device updates all of them at once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import scipy.sparse as sp

from formulations.arrays import Array, FloatArray
from formulations.errors import InvalidInputError
from solvers.oracles.answers import best_first
from solvers.oracles.base import QUBO, Samples, check_question, same_pattern
from solvers.oracles.ising import Neighbours

DENSE_SHARE = 0.1
"""From this share of nonzero entries on, a dense matrix multiplies faster."""


def check_questions(qubos: Sequence[QUBO], seed: object) -> None:
    """Refuse anything but one or more QUBOs of one pattern and a seed.

    Raises
    ------
    InvalidInputError

    Examples
    --------
    >>> check_questions([], np.random.SeedSequence(0))
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: qubos=[]: expected one or more QUBOs
    """
    if not len(qubos):
        raise InvalidInputError("qubos=[]: expected one or more QUBOs")
    first = qubos[0]
    for number, qubo in enumerate(qubos):
        check_question(qubo, seed)
        if not same_pattern(qubo, first):
            raise InvalidInputError(
                f"QUBO {number} has other variables or couplers than QUBO 0: expected one pattern; "
                "give couplers that are missing the coupling 0"
            )


def stacked_matrix(around: Neighbours, J: FloatArray) -> Array | sp.csr_array:
    """Turn couplings J (B, 2e), in the neighbours' order, into matrices to multiply states by.

    The result is dense, shape (B, n, n), if that is faster; else one matrix of B blocks in
    compressed rows, shape (B n, B n).

    Examples
    --------
    >>> around = Neighbours.of(2, np.array([0]), np.array([1]))
    >>> stacked_matrix(around, np.array([[3.0, 3.0]])).tolist()
    [[[0.0, 3.0], [3.0, 0.0]]]
    """
    count, n = len(J), len(around.starts) - 1
    # dense matrices up to 256 MB
    if count * n * n <= 8192**2 and J.shape[1] >= DENSE_SHARE * n * n:
        dense = np.zeros((count, n, n))
        dense[:, np.repeat(np.arange(n), np.diff(around.starts)), around.others] = J
        return dense
    block = np.arange(count)[:, None]
    columns = (around.others + n * block).ravel()
    starts = np.append((around.starts[:-1] + J.shape[1] * block).ravel(), J.size)
    return sp.csr_array((J.ravel(), columns, starts), shape=(count * n, count * n))


def exact_sums(around: Neighbours, J: FloatArray) -> FloatArray:
    """Round couplings J (B, 2e) so that spins' fields are exact in single precision.

    All couplings of a spin become multiples of one power of two, 2^-23 of the sum of their sizes,
    so no partial sum of them is rounded.  A sparse product on a GPU adds in an order that varies
    between runs; with the rounding every order gives the same field, and a seed the same samples.

    Examples
    --------
    >>> around = Neighbours.of(2, np.array([0]), np.array([1]))
    >>> exact_sums(around, np.array([[1.0, 1.0 + 2.0**-30]])).tolist()
    [[1.0, 1.0]]
    """
    (count, _), n = J.shape, len(around.starts) - 1
    rows = np.repeat(np.arange(n), np.diff(around.starts)) + n * np.arange(count)[:, None]
    sums = np.bincount(rows.ravel(), np.abs(J).ravel(), count * n)
    unit = np.exp2(np.ceil(np.log2(np.where(sums > 0.0, sums, 1.0))) - 23.0)[rows]
    return np.asarray(np.rint(J / unit) * unit)


def unstacked(
    qubos: Sequence[QUBO], spins: Array, started: float, info: dict[str, Any] | None = None
) -> list[Samples]:
    """Return each QUBO's samples from spins (B, n, reads), each with its share of the time.

    Examples
    --------
    >>> none = np.zeros(0, dtype=np.int64)
    >>> qubo = QUBO(np.array([1.0]), none, none, np.zeros(0))
    >>> [samples.x.tolist() for samples in unstacked([qubo], np.array([[[1, -1]]]), 0.0)]
    [[[0], [1]]]
    """
    found = [
        best_first(qubo, own.T > 0.0, started, info=dict(info or {}))
        for qubo, own in zip(qubos, spins, strict=True)
    ]
    seconds = (time.perf_counter() - started) / len(found)
    return [replace(samples, seconds=seconds) for samples in found]
