"""Rewritings of a model, each with its inverse, modelled on CVXPY's reductions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.model.labels import Labels, distinct
from formulations.model.qcbo import QCBO, fold


class Inverse(Protocol):
    """Conversion of samples between a rewritten model of n' bits and its original of n bits."""

    def invert(self, x: npt.ArrayLike) -> BitArray:
        """Convert samples of the rewritten model to the original, shape (..., n') -> (..., n)."""
        ...

    def lift(self, x: npt.ArrayLike) -> BitArray:
        """Convert feasible samples of the original to the new model, (..., n) -> (..., n')."""
        ...


class Pass(Protocol):
    """An exact rewriting: ``invert`` preserves feasible points and their objectives."""

    def apply(self, model: QCBO) -> tuple[QCBO, Inverse]:
        """Return the rewritten model and the inverse.

        Raises
        ------
        InvalidInputError
            If the pass cannot rewrite the model; the message names the obstacle.
        """
        ...


@dataclass(frozen=True)
class Composed:
    """The inverses of a chain, in the order of its passes; of no passes the identity."""

    inverses: tuple[Inverse, ...] = ()

    def invert(self, x: npt.ArrayLike) -> BitArray:
        """Convert samples of the last model to the first."""
        for inverse in reversed(self.inverses):
            x = inverse.invert(x)
        return np.asarray(x, dtype=np.int8)

    def lift(self, x: npt.ArrayLike) -> BitArray:
        """Convert feasible samples of the first model to the last."""
        for inverse in self.inverses:
            x = inverse.lift(x)
        return np.asarray(x, dtype=np.int8)


@dataclass(frozen=True)
class Appended:
    """The inverse of a pass that appends bits.

    Parameters
    ----------
    num_variables : int
        Number of variables of the original model, which ``invert`` keeps.
    spell : callable
        Computes the appended bits of samples of the original model, for ``lift``.
    """

    num_variables: int
    spell: Callable[[BitArray], BitArray]

    def invert(self, x: npt.ArrayLike) -> BitArray:
        """Drop the appended bits, shape (..., n') -> (..., n)."""
        return np.asarray(x, dtype=np.int8)[..., : self.num_variables]

    def lift(self, x: npt.ArrayLike) -> BitArray:
        """Append the bits of feasible samples, shape (..., n) -> (..., n')."""
        x = np.asarray(x, dtype=np.int8)
        return np.concatenate([x, self.spell(x)], axis=-1)


@dataclass(frozen=True)
class Chain:
    """A pass that applies several passes in turn.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> from formulations.passes import Presolve, Slack
    >>> net = Network.dense([2, 1], activation="sign")
    >>> model = TrainingProblem(net, [[1, -1], [1, 1]], [1, -1], loss="hinge").qcbo()
    >>> smaller, inverse = Chain((Presolve(), Slack())).apply(model)
    >>> bool(smaller.equality.all())
    True
    """

    passes: tuple[Pass, ...]

    def apply(self, model: QCBO) -> tuple[QCBO, Composed]:
        """Return the model after all passes, and the inverse that goes through them in reverse."""
        inverses: list[Inverse] = []
        for step in self.passes:
            model, inverse = step.apply(model)
            inverses.append(inverse)
        return model, Composed(tuple(inverses))


def entry_rows(rows: sp.csr_array) -> IntArray:
    """Return the row of each stored entry, in storage order."""
    return np.repeat(np.arange(rows.shape[0]), np.diff(rows.indptr))


def row_range(rows: sp.csr_array) -> tuple[FloatArray, FloatArray]:
    """Return the least and the greatest value of each row over all bits, shape (m,) each."""
    row, a = entry_rows(rows), rows.data
    least = np.bincount(row, np.minimum(a, 0.0), rows.shape[0])
    most = np.bincount(row, np.maximum(a, 0.0), rows.shape[0])
    return least.astype(np.float64), most.astype(np.float64)


def scaled_rows(rows: sp.csr_array, factors: FloatArray) -> sp.csr_array:
    """Multiply each row by its factor, shape (m,); the result shares no array with ``rows``."""
    data = rows.data * factors[entry_rows(rows)]
    return sp.csr_array((data, rows.indices, rows.indptr), shape=rows.shape, copy=True)


def canonical(rows: sp.csr_array) -> sp.csr_array:
    """Sort the entries of rows, and remove entries that are zero up to rounding (in place)."""
    rows = sp.csr_array(rows)
    rows.data[np.abs(rows.data) <= 1e-12] = 0.0
    rows.eliminate_zeros()
    rows.sort_indices()
    return rows


def take_rows(model: QCBO, positions: IntArray) -> QCBO:
    """Return the model with some of its linear rows, ``positions`` ascending."""
    if len(positions) == model.num_rows:
        return model
    return replace(
        model,
        rows=model.rows[positions],
        rhs=model.rhs[positions],
        equality=model.equality[positions],
        row_group=model.row_group[positions],
        row_labels=model.row_labels.take(positions),
    )


def with_inequalities(
    model: QCBO, rows: sp.csr_array, rhs: FloatArray, group: IntArray, labels: list[str]
) -> QCBO:
    """Add rows a'x <= b in row groups ``group``; labels get primes where they are taken."""
    if not len(labels):
        return model
    return replace(
        model,
        rows=sp.csr_array(sp.vstack([model.rows, rows], format="csr")),
        rhs=np.append(model.rhs, rhs),
        equality=np.append(model.equality, np.zeros(len(labels), dtype=np.bool_)),
        row_group=np.append(model.row_group, group),
        row_labels=model.row_labels + Labels.of(distinct(labels, map(str, model.row_labels))),
    )


def widened(matrix: sp.csr_array, size: int) -> sp.csr_array:
    """Extend a square matrix to ``size`` with zeros."""
    indptr = np.pad(matrix.indptr, (0, size - matrix.shape[0]), mode="edge")
    return sp.csr_array((matrix.data, matrix.indices, indptr), shape=(size, size))


def substituted(
    linear: FloatArray, matrix: sp.csr_array, offset: float, T: sp.csr_array, d: FloatArray
) -> tuple[FloatArray, sp.csr_array, float]:
    """Rewrite the objective offset + c'x + x'Mx in the bits y of x = T y + d: c, Q and offset.

    It is (offset + c'd + d'Md) + (c + (M + M')d)'Ty + y'(T'MT)y.
    """
    coupled = matrix @ d
    diagonal, quadratic = fold(sp.csr_array(T.T @ matrix @ T))
    return (
        T.T @ (linear + coupled + matrix.T @ d) + diagonal,
        quadratic,
        float(offset + linear @ d + d @ coupled),
    )
