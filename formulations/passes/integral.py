"""Conversion of rows to integers, with right-hand sides widened by a tolerance."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from formulations.arrays import FloatArray
from formulations.errors import InfeasibleModelError
from formulations.model.qcbo import QCBO, TOLERANCE
from formulations.passes.base import Composed, scaled_rows, with_inequalities
from formulations.passes.coefficient_step import common_steps


@dataclass(frozen=True)
class Integral:
    """Convert every row with a step g to an equivalent row of integers.

    A row with violations up to ``tolerance`` allows the multiples K g of its step with
    ceil((b - tolerance) / g) <= K <= floor((b + tolerance) / g); an inequality has only the upper
    bound.  A row without a step is scaled so that its tolerance becomes that of the model.

    Parameters
    ----------
    tolerance : ndarray, shape (m,)
        Accepted violation of each row, positive.

    Examples
    --------
    >>> model = QCBO.from_arrays([0, 0], [[0.5, 0.75], [1, 2**0.5]], [0.9, 2], equality=[False] * 2)
    >>> whole, _ = Integral(np.array([1e-6, 1e-7])).apply(model)
    >>> whole.rows.toarray().round(2).tolist(), whole.rhs.tolist()
    ([[2.0, 3.0], [10.0, 14.14]], [3.0, 20.0])
    """

    tolerance: FloatArray

    def apply(self, model: QCBO) -> tuple[QCBO, Composed]:
        """Return the model with integer rows.

        Raises
        ------
        InfeasibleModelError
            If no multiple of an equality's step is within the tolerance of its right-hand side.
        """
        steps, whole = common_steps(model.rows)
        low, high = steps.interval(model.rhs - self.tolerance, model.rhs + self.tolerance)
        missed = whole & model.equality & (low > high)
        if missed.any():
            r = int(np.argmax(missed))
            raise InfeasibleModelError(
                f"row {model.row_labels[r]!r} has only multiples of {steps.step[r]:g} on its left "
                f"side, and {model.rhs[r]:g} on its right: no assignment satisfies it; look for a "
                "wrong right-hand side"
            )
        rows = scaled_rows(model.rows, np.where(whole, 1 / steps.step, TOLERANCE / self.tolerance))
        rows.data = np.where(np.repeat(whole, np.diff(rows.indptr)), np.rint(rows.data), rows.data)
        rows.eliminate_zeros()  # coefficients that were rounding errors of the row's largest one
        equality = model.equality.copy()
        wide = np.flatnonzero(
            whole & model.equality & (low < high)
        )  # the tolerance spans several steps
        equality[wide] = False
        result = replace(
            model,
            rows=rows,
            rhs=np.where(whole, high, model.rhs * TOLERANCE / self.tolerance),
            equality=equality,
        )
        labels = [f"{model.row_labels[r]} from below" for r in wide.tolist()]
        group = model.row_group[wide]
        return with_inequalities(result, -rows[wide], -low[wide], group, labels), Composed()
