"""Rows and objective to unit norm."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import FloatArray
from formulations.model.qcbo import QCBO
from formulations.passes.base import Identity, scaled_rows


@dataclass(frozen=True)
class Scaling:
    """Every row divided by |a_r|, the objective by the norm of its lifted matrix.

    Lifted to z = (1, x), the objective is z'Cz up to its offset with the diagonal c and Q/2 off
    it, so that |C|^2 = sum c^2 + sum Q^2 / 2.  Empty rows and an empty objective stay as they are.

    Examples
    --------
    >>> scaled, inverse = Scaling().apply(QCBO.from_arrays([0, 2], [[3, 4]], [4]))
    >>> scaled.rows.toarray().round(3).tolist(), scaled.linear.tolist()
    ([[0.6, 0.8]], [0.0, 1.0])
    >>> inverse.objective(scaled.objective([0, 1])).item()
    2.0
    """

    def accepts(self, model: QCBO) -> bool:
        """Any model is accepted."""
        return True

    def apply(self, model: QCBO) -> tuple[QCBO, Unscaled]:
        """The model with rows and objective of unit norm, and the numbers they were divided by."""
        norms = np.sqrt(model.rows.multiply(model.rows).sum(axis=1))
        norms[norms == 0] = 1.0
        size = np.sqrt(np.sum(model.linear**2) + np.sum(model.quadratic.data**2) / 2) or 1.0
        scaled = replace(
            model,
            linear=model.linear * (1 / size),
            quadratic=sp.csr_array(model.quadratic * (1 / size)),
            offset=model.offset * (1 / size),
            rows=scaled_rows(model.rows, 1 / norms),
            rhs=model.rhs / norms,
        )
        return scaled, Unscaled(float(size), norms)


@dataclass(frozen=True)
class Unscaled(Identity):
    """Keeps every variable; gives back objectives and multipliers of the original.

    Parameters
    ----------
    size : float
        What the objective was divided by.
    norms : ndarray, shape (m,)
        What each row was divided by.
    """

    size: float
    norms: FloatArray

    def objective(self, values: npt.ArrayLike) -> FloatArray:
        """Objectives of the scaled model as those of the original."""
        return np.asarray(values, dtype=np.float64) * self.size

    def multipliers(self, values: npt.ArrayLike) -> FloatArray:
        """Multipliers of the scaled rows as those of the original's, shape (..., m)."""
        return np.asarray(values, dtype=np.float64) * self.size / self.norms
