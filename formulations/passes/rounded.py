"""Rows that no slack word can follow, and rounded ones beside them that a word can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from formulations.model.qcbo import QCBO, TOLERANCE
from formulations.passes.base import Identity, row_range, scaled_rows, with_inequalities
from formulations.passes.coefficient_step import common_steps


@dataclass(frozen=True)
class Rounded:
    """Beside every inequality of no step, or of very many steps, one of integers that it implies.

    From a'x <= b follows sum_i floor(a_i / g) x_i <= floor(b / g) for any step g, which is chosen
    so that a slack word of ``bits`` bits covers it.  The feasible points stay the same.

    Parameters
    ----------
    bits : int
        Of the slack word of an added row.
    longest : int
        A row whose own word has no more bits is left alone.

    Examples
    --------
    >>> model = QCBO.from_arrays([0, 0, 0], [[3**0.5, 2**0.5, 1]], [2], equality=[False])
    >>> both, _ = Rounded(bits=4).apply(model)
    >>> both.rows.toarray()[1].tolist(), both.rhs[1].item(), both.row_labels[1]
    ([13.0, 11.0, 8.0], 16.0, 'rows[0] rounded')
    """

    bits: int = 10
    longest: int = 20

    def apply(self, model: QCBO) -> tuple[QCBO, Identity]:
        """The model with rounded rows beside its own."""
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
        return with_inequalities(model, sp.csr_array(rows), rhs, beside, "rounded"), Identity()
