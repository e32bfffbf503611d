"""Soft rows, whose violation has a cost in the objective."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.sparse as sp

from formulations.arrays import BitArray, BoolArray, FloatArray, IntArray
from formulations.errors import InvalidInputError
from formulations.model.labels import Family, Labels
from formulations.model.qcbo import QCBO, fold, times
from formulations.passes.base import Appended, row_range, scaled_rows, take_rows
from formulations.passes.coefficient_step import LARGEST_DENOMINATOR, common_steps
from formulations.passes.slack import SlackWord


def soften(
    model: QCBO, weight: FloatArray, square: BoolArray, tolerance: FloatArray
) -> tuple[QCBO, Appended, IntArray]:
    """Convert rows that may be violated at a cost of w |violation| or w violation^2.

    An equality with squared cost becomes the objective term w (a'x - b)^2.  Any other row gets
    words of excess bits that measure its violation,

        a'x - over <= b      or      a'x - over + under = b,

    with the cost of ``over`` and ``under`` in the objective, so that minimising over the excess
    bits gives the cost.  If b lies off the lattice of a'x, the first bit of ``over`` reaches from b
    to the next lattice point, less than a step.

    Parameters
    ----------
    model : QCBO
    weight : ndarray, shape (m,)
        Weight w of each row; infinite for hard rows, which stay unchanged.
    square : ndarray of bool, shape (m,)
        True where the violation is squared.
    tolerance : ndarray, shape (m,)
        Largest violation without a cost.

    Returns
    -------
    model : QCBO
        The model with hard rows only and with the excess bits last.
    inverse : Appended
    kept : ndarray of int
        Rows of the given model that remain.

    Raises
    ------
    InvalidInputError
        If the coefficients of a row that needs excess bits have no common step, or need words of
        more than 40 bits; the message names the row.

    Examples
    --------
    >>> model = QCBO.from_arrays([-3, -3], [[2, 2]], [1], equality=[False])
    >>> hard, *_ = soften(model, np.array([1.0]), np.array([False]), np.array([1e-6]))
    >>> hard.rows.toarray().tolist(), hard.rhs.tolist(), hard.linear.tolist()
    ([[2.0, 2.0, -2.0, -2.0]], [0.0], [-3.0, -3.0, 1.0, 2.0])
    """
    worded = np.flatnonzero(np.isfinite(weight) & ~(square & model.equality))
    steps, fits = common_steps(model.rows[worded])
    if not fits.all():
        label = model.row_labels[int(worded[np.argmin(fits)])]
        raise InvalidInputError(
            f"soft constraint {label!r}: expected coefficients that are multiples of one step "
            f"1/d with d <= {LARGEST_DENOMINATOR}; round them, or give an equality a "
            "quadratic penalty"
        )
    units = scaled_rows(model.rows[worded], 1 / steps.step)
    units.data = np.rint(units.data)
    least, most = row_range(units)
    equality, within = model.equality[worded], tolerance[worded]
    edge = np.floor(steps.units(model.rhs[worded] + within))
    beyond = model.rhs[worded] - steps.value(edge)  # from the last lattice point below b
    beyond[beyond <= within] = 0.0
    names = model.row_labels.take(worded)
    excess = Excess.between(
        np.maximum(most - edge, 0.0),
        np.where(equality, np.maximum(edge - least, 0.0), 0.0),
        beyond > 0.0,
        names,
    )
    # The first step passes b and adds step - beyond to the cost.  An equality pays for being
    # below b as well, so that the step adds step - 2 beyond.
    value = steps.step[excess.row] * np.abs(excess.coefficient)
    value -= (
        np.where(excess.first, np.where(equality, 2.0, 1.0)[excess.row], 0.0) * (beyond[excess.row])
    )
    n, count = model.num_variables, len(excess.row)
    entries = sp.csr_array(
        (
            steps.value(excess.coefficient, excess.row),
            (worded[excess.row], np.arange(count)),
        ),
        shape=(model.num_rows, count),
    )
    rhs = model.rhs.copy()
    rhs[worded] = steps.value(edge)
    in_objective = np.isfinite(weight) & square & model.equality
    linear, quadratic, offset = _squared_rows(model, np.flatnonzero(in_objective), weight)
    costs, couplers = _costs(worded[excess.row], value, weight, square)
    hard = replace(
        model,
        linear=np.concatenate([model.linear + linear, costs]),
        quadratic=sp.csr_array(
            sp.block_diag([model.quadratic + quadratic, couplers], format="csr")
        ),
        offset=model.offset + offset + float((weight[worded] * beyond)[equality].sum()),
        rows=sp.csr_array(sp.hstack([model.rows, entries], format="csr")),
        rhs=rhs,
        labels=model.labels + excess.labels(model.labels),
    )
    always = np.zeros(model.num_rows, dtype=np.bool_)
    always[worded] = ~equality & (most <= edge)
    kept = np.flatnonzero(~in_objective & ~always)
    return take_rows(hard, kept), Appended(n, partial(_excess, units, edge, excess)), kept


def _squared_rows(
    model: QCBO, positions: IntArray, weight: FloatArray
) -> tuple[FloatArray, sp.csr_array, float]:
    """Expand the sum of w (a'x - b)^2 = w (x'aa'x - 2b a'x + b^2) over rows: c, Q, offset."""
    a, b, w = model.rows[positions], model.rhs[positions], weight[positions]
    diagonal, quadratic = fold(sp.csr_array(a.T @ sp.diags_array(w) @ a))
    return diagonal - 2.0 * (a.T @ (w * b)), quadratic, float(w @ b**2)


def _costs(
    row: IntArray, value: FloatArray, weight: FloatArray, square: BoolArray
) -> tuple[FloatArray, sp.csr_array]:
    """Return the cost of excess bits: w value, or w (sum of the row's values)^2."""
    w, squared, count = weight[row], square[row], len(row)
    values = sp.csr_array(
        (np.where(squared, np.sqrt(w) * value, 0.0), (row, np.arange(count))),
        shape=(len(weight), count),
    )
    diagonal, quadratic = fold(sp.csr_array(values.T @ values))
    return np.where(squared, 0.0, w * value) + diagonal, quadratic


@dataclass(frozen=True)
class Excess:
    """Excess bits of several rows: first steps, then words for over, then words for under.

    Parameters
    ----------
    short : ndarray of int
        Rows whose first step beyond b is a separate bit.
    over, under : SlackWord
        Words of all rows.
    """

    short: IntArray
    over: SlackWord
    under: SlackWord

    @classmethod
    def between(
        cls, over: FloatArray, under: FloatArray, short: BoolArray, names: Labels
    ) -> Excess:
        """Make bits that count 0 .. ``over`` steps above the edge and 0 .. ``under`` below it."""
        short = short & (over > 0)
        words = SlackWord.of_rows(over - short, names), SlackWord.of_rows(under, names)
        return cls(np.flatnonzero(short), *words)

    @property
    def row(self) -> IntArray:
        """Row of each bit, shape (count,)."""
        return np.concatenate([self.short, self.over.row, self.under.row])

    @property
    def first(self) -> BoolArray:
        """Mask of the bits that are first steps, shape (count,)."""
        return np.arange(len(self.row)) < len(self.short)

    @property
    def coefficient(self) -> IntArray:
        """Coefficient of each bit in its row, in steps."""
        ones = np.ones(len(self.short), dtype=np.int64)
        return np.concatenate([-ones, -self.over.coefficient, self.under.coefficient])

    def labels(self, taken: Labels) -> Labels:
        """Make labels of the bits whose names differ from those in ``taken``."""
        kinds = (
            ("step", self.short, np.zeros_like(self.short)),
            ("excess", self.over.row, self.over.place),
            ("shortfall", self.under.row, self.under.place),
        )
        return Labels(
            tuple(
                Family(taken.fresh(name), ("row", "bit"), np.stack([row, place], axis=1))
                for name, row, place in kinds
                if len(row)
            )
        )

    def spell(self, distance: FloatArray) -> BitArray:
        """Spell the steps (..., r) of each row above its edge by the cheapest bits."""
        over, under = np.maximum(distance, 0.0), np.maximum(-distance, 0.0)
        first = over[..., self.short] > 0
        over[..., self.short] -= first
        words = (self.over.within(over), self.under.within(under))
        return np.concatenate([first.astype(np.int8), *words], axis=-1)


def _excess(units: sp.csr_array, edge: FloatArray, excess: Excess, x: BitArray) -> BitArray:
    """Spell the cheapest excess bits of samples (..., n) of the original model."""
    return excess.spell(times(units, x.astype(np.float64)) - edge)
