"""A problem's loss in the form that the compiled walks evaluate fastest.

Three forms: few pieces with whole coefficients of the margin (hinge, zero-one), the square of a
difference, and a table for everything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import gcd, lcm
from typing import TYPE_CHECKING

import numpy as np

from formulations.arrays import FloatArray, IntArray
from formulations.network.splines import Spline

if TYPE_CHECKING:
    from formulations import TrainingProblem


MAX_PIECES = 6
"""A loss of more pieces is looked up in a table instead."""


@dataclass(frozen=True)
class LossForm:
    """loss = unit * sum over samples and outputs of one of the forms + offset.

    Parameters
    ----------
    unit, offset : float
    floor : float
        Sum over samples and outputs of the least loss of any output in range: no weights do better.
    pieces : ndarray of int64, shape (3, P)
        As in ``State``, zero at margin zero; P = 0 in the other two forms.
    sign, shift : ndarray of int64, shape (C, N)
        The margin is shift + sign * z.
    bound : int
        Largest |margin| and |piece value|; every intermediate number fits in what holds it.
    target, table, start : ndarray
        As in ``State``.
    """

    unit: float
    offset: float
    floor: float
    pieces: IntArray
    sign: IntArray
    shift: IntArray
    bound: int
    target: FloatArray
    table: FloatArray
    start: IntArray

    @classmethod
    def of(cls, problem: TrainingProblem) -> LossForm:
        """The fastest form that is exact for the problem's loss."""
        if problem.loss_kind.is_quadratic:
            return _squared(problem)
        return _margin(problem) or _table(problem)


def _squared(problem: TrainingProblem) -> LossForm:
    """(step z - y)^2 = step^2 (z - y / step)^2."""
    target = (problem.targets / problem.out_step)[problem.target_index.T]
    nearest = np.clip(np.rint(target), problem.output_low, problem.output_high)
    unit = problem.out_step**2
    floor = unit * float(((nearest - target) ** 2).sum())
    return _without_margin(problem, unit, floor, target=target)


def _table(problem: TrainingProblem) -> LossForm:
    low, table = problem.loss_table()
    floor = float(table.min(axis=1)[problem.target_index].sum())
    start = problem.target_index.T * table.shape[1] - low
    return _without_margin(problem, 1.0, floor, table=table.ravel(), start=start)


def _without_margin(
    problem: TrainingProblem,
    unit: float,
    floor: float,
    *,
    target: FloatArray | None = None,
    table: FloatArray | None = None,
    start: IntArray | None = None,
) -> LossForm:
    outputs = problem.target_index.shape[1]
    zeros = np.zeros((outputs, problem.num_samples), dtype=np.int64)
    return LossForm(
        unit=unit,
        offset=0.0,
        floor=floor,
        pieces=np.zeros((3, 0), dtype=np.int64),
        sign=zeros,
        shift=zeros,
        bound=0,
        target=np.zeros((outputs, 0)) if target is None else target,
        table=np.zeros(0) if table is None else table,
        start=np.zeros((outputs, 0), dtype=np.int64) if start is None else start,
    )


def _margin(problem: TrainingProblem) -> LossForm | None:
    """Pieces of the margin with whole coefficients, if the loss has such a form."""
    low, high = problem.output_low, problem.output_high
    against, along = problem.loss_splines  # targets -1 and +1, in this order
    shift = _mirror(against, along, low, high)
    values = along.step * np.concatenate([along.slopes, along.intercepts])
    if shift is None or along.num_pieces > MAX_PIECES or (unit := common_unit(values)) is None:
        return None
    slopes, intercepts = np.rint(values / float(unit)).astype(np.int64).reshape(2, -1)
    zero = int(intercepts[along.piece(0)])
    intercepts = intercepts - zero
    starts = np.concatenate([[np.iinfo(np.int64).min], along.breakpoints])
    differences = [np.diff(column, prepend=0) for column in (slopes, intercepts)]
    positive = problem.target_index.T == 1
    margins = np.array([min(low, shift - high), max(high, shift - low)])
    whole = Spline(along.breakpoints, slopes.astype(float), intercepts.astype(float))
    least, greatest = whole.bounds(*margins)
    return LossForm(
        unit=float(unit),
        offset=float(unit) * zero * problem.target_index.size,
        floor=float(_least(problem)[problem.target_index].sum()),
        pieces=np.stack([starts, *differences]),
        sign=np.where(positive, 1, -1),
        shift=np.where(positive, 0, shift),
        bound=int(max(-margins[0], margins[1], -least, greatest)),
        target=np.zeros((len(positive), 0)),
        table=np.zeros(0),
        start=np.zeros((len(positive), 0), dtype=np.int64),
    )


def _least(problem: TrainingProblem) -> FloatArray:
    """Least loss of each target over the outputs in range, shape (K,)."""
    low, high = problem.output_low, problem.output_high
    return np.array([float(s.step * s.bounds(low, high)[0]) for s in problem.loss_splines])


def _mirror(against: Spline, along: Spline, low: int, high: int) -> int | None:
    """The shift, 0 or -1, with against(z) = along(shift - z) for every z in [low, high]."""
    for shift in (0, -1):
        ends = np.array([low, high])
        breaks = [against.breakpoints, shift - along.breakpoints + 1]
        corners = np.clip(np.concatenate([ends, *breaks]), low, high)
        z = np.unique(np.clip(corners[:, None] + np.array([-1, 0, 1]), low, high))
        if np.allclose(against(z), along(shift - z), rtol=1e-12, atol=1e-12):
            return shift
    return None


def common_unit(values: FloatArray, largest_denominator: int = 10_000) -> Fraction | None:
    """The largest number that all values are whole multiples of, None without a simple one.

    Examples
    --------
    >>> common_unit(np.array([0.5, -0.75, 2.0]))
    Fraction(1, 4)
    """
    values = np.unique(values)
    fractions = [Fraction(float(v)).limit_denominator(largest_denominator) for v in values]
    near = np.allclose([float(f) for f in fractions], values, rtol=1e-13, atol=1e-13)
    denominator = lcm(*(f.denominator for f in fractions))
    if not near or denominator > largest_denominator:
        return None
    return Fraction(gcd(*(int(f * denominator) for f in fractions)) or 1, denominator)
