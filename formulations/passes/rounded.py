"""Rounded companions of inequalities that a slack word cannot represent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from formulations.model.qcbo import QCBO, TOLERANCE
from formulations.passes.base import Composed, row_range, scaled_rows, with_inequalities
from formulations.passes.coefficient_step import common_steps


@dataclass(frozen=True)
class Rounded:
    """Add to every inequality with no step or too many steps an integer row that it implies.

    a'x <= b implies sum_i floor(a_i / g) x_i <= floor(b / g) for any step g, which is chosen so
    that a slack word of ``bits`` bits suffices.  The feasible points stay the same.

    Parameters
    ----------
    bits : int
        Bits of the slack word of an added row.
    longest : int
        Rows whose slack word has at most this many bits are left alone.

    Examples
    --------
    >>> model = QCBO.from_arrays([0, 0, 0], [[3**0.5, 2**0.5, 1]], [2], equality=[False])
    >>> both, _ = Rounded(bits=4).apply(model)
    >>> both.rows.toarray()[1].tolist(), both.rhs[1].item(), both.row_labels[1]
    ([13.0, 11.0, 8.0], 16.0, 'rows[0] rounded')
    """

    bits: int = 10
    longest: int = 20

    def apply(self, model: QCBO) -> tuple[QCBO, Composed]:
        """Return the model with the rounded rows added."""
        steps, fits = common_steps(model.rows)
        least, most = row_range(model.rows)
        span = model.rhs - least
        needed = ~fits | (steps.units(span) >= 2.0**self.longest)
        beside = np.flatnonzero(
            ~model.equality & needed & (span > TOLERANCE) & (most > model.rhs + TOLERANCE)
        )
        step = span[beside] / 2.0**self.bits
        rows = scaled_rows(model.rows[beside], 1 / step)
        rows.data = np.floor(rows.data)
        rows.eliminate_zeros()
        rhs = np.floor((model.rhs[beside] + TOLERANCE) / step)
        labels = [f"{model.row_labels[r]} rounded" for r in beside.tolist()]
        group = model.row_group[beside]
        return with_inequalities(model, sp.csr_array(rows), rhs, group, labels), Composed()
