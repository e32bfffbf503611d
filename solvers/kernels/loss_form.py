"""Loss of a problem in the form that the compiled walks evaluate fastest.

Separable losses: few pieces with whole coefficients of the margin (hinge, zero-one), the square of
a difference, and a table for everything else.  Joint losses: a softmax, and hinges of pairs.
Losses are whole numbers times a unit: that of the pieces if they have one, else the smallest power
of two for which the sum over all samples fits in 60 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, gcd, lcm, log2
from typing import TYPE_CHECKING

import numpy as np

from formulations.arrays import FloatArray, IntArray
from formulations.network.losses import MultiHinge
from formulations.network.splines import Spline
from solvers.kernels.output_losses import (
    EXPONENT,
    KIND,
    MARGIN,
    PAIRS,
    PIECES,
    SAMPLES,
    SHIFT,
    SLOPE,
    SOFTMAX,
    SQUARED,
    TABLE,
)

if TYPE_CHECKING:
    from formulations import TrainingProblem


@dataclass(frozen=True)
class LossForm:
    """Form of a loss: unit * sum over samples and outputs of one of the forms + offset.

    Parameters
    ----------
    unit, offset : float
    floor : float
        Sum over samples and outputs of the least loss of any output in range, a lower bound.
    form : ndarray of int64
        As in ``State``, without the position of the pieces.
    labels : ndarray of int64, shape (N,)
        Class of each sample; with one output, index of its target.
    pieces : ndarray of int64, shape (3, P)
        As in ``State``, zero at margin zero; P = 0 in the other forms.
    bound : int
        Largest change of a margin and of a piece's contribution.
    table : ndarray of int64, shape (2, R)
        Loss of both targets at every output; R = 0 in the other forms.
    reals : ndarray of float64, shape (1 or 2, M)
        Targets of the squared loss; exp(-d / T) of the gaps d to the largest output, and 1 / T.
    """

    unit: float
    offset: float
    floor: float
    form: IntArray
    labels: IntArray
    pieces: IntArray
    bound: int
    table: IntArray
    reals: FloatArray

    @property
    def is_joint(self) -> bool:
        """True if all outputs of a sample are taken together."""
        return bool(self.form[KIND] >= SOFTMAX)

    @classmethod
    def of(cls, problem: TrainingProblem) -> LossForm:
        """Find the fastest form that is exact for the problem's loss."""
        if problem.loss_kind.is_quadratic:
            return _squared(problem)
        if isinstance(problem.loss_kind, MultiHinge):
            return _pairs(problem)
        if problem.loss_kind.is_joint:
            return _softmax(problem)
        form = _margin(problem)
        few = problem.output_high - problem.output_low < 4096  # entries of a table
        if form is None or (few and form.pieces.shape[1] != 2):
            return _table(problem, form)
        return form


def _form(
    problem: TrainingProblem,
    kind: int,
    unit: float,
    floor: float,
    *,
    offset: float = 0.0,
    numbers: dict[int, int] | None = None,
    pieces: IntArray | None = None,
    bound: int = 0,
    table: IntArray | None = None,
    reals: FloatArray | None = None,
) -> LossForm:
    form = np.zeros(SLOPE + 1, dtype=np.int64)
    form[KIND], form[SAMPLES] = kind, problem.num_samples
    for entry, number in (numbers or {}).items():
        form[entry] = number
    index = problem.target_index
    return LossForm(
        unit=unit,
        offset=offset,
        floor=floor,
        form=form,
        labels=index.argmax(axis=1) if index.shape[1] > 1 else index[:, 0],
        pieces=np.zeros((3, 0), dtype=np.int64) if pieces is None else pieces,
        bound=bound,
        table=np.zeros((2, 0), dtype=np.int64) if table is None else table,
        reals=np.zeros((1, 0)) if reals is None else reals,
    )


def _exponent(largest: float, count: int) -> int:
    """Return the most binary digits for which the sum of ``count`` losses fits in 60 bits."""
    return 60 - ceil(log2(max(largest, 1e-300))) - ceil(log2(count)) - 1


def _squared(problem: TrainingProblem) -> LossForm:
    """Build the squared loss: (step z - y)^2 = step^2 (z - y / step)^2."""
    targets = problem.targets / problem.out_step
    ends = np.array([problem.output_low, problem.output_high], dtype=float)
    nearest = np.clip(np.rint(targets), *ends)
    exponent = _exponent(float(((ends[:, None] - targets) ** 2).max()), problem.target_index.size)
    least = ((nearest - targets) ** 2)[problem.target_index].sum()
    return _form(
        problem,
        SQUARED,
        problem.out_step**2 * 2.0**-exponent,
        problem.out_step**2 * float(least),
        numbers={EXPONENT: exponent},
        reals=targets[None].astype(float),
    )


def _table(problem: TrainingProblem, margin: LossForm | None) -> LossForm:
    """Build a table of the loss, in the unit of the margin's pieces if there are any."""
    low, table = problem.loss_table()
    unit = 2.0 ** -_exponent(float(np.abs(table).max()), problem.target_index.size)
    return _form(
        problem,
        TABLE,
        margin.unit if margin else unit,
        float(table.min(axis=1)[problem.target_index].sum()),
        numbers={SHIFT: low},
        table=np.rint(table / (margin.unit if margin else unit)).astype(np.int64),
    )


def _pairs(problem: TrainingProblem) -> LossForm:
    """Build the loss sum of max(0, margin - step (z_y - z_c)) over the wrong classes c."""
    margin, step = problem.loss_kind.function(np.zeros(1)).item(), problem.out_step
    unit = common_unit(np.array([margin, step]))
    wide = problem.output_high - problem.output_low
    classes, count = problem.network.num_outputs, problem.num_samples
    exponent = _exponent((margin + step * wide) * classes, count)
    size = 2.0**-exponent if unit is None else float(unit)
    numbers = {MARGIN: round(margin / size), SLOPE: round(step / size)}
    return _form(problem, PAIRS, size, _joint_floor(problem), numbers=numbers)


def _softmax(problem: TrainingProblem) -> LossForm:
    """Build the loss log sum_c exp((z_c - z_y) / T), T = scale / step."""
    per = problem.out_step / problem.loss_kind.scale
    wide, classes = problem.output_high - problem.output_low, problem.network.num_outputs
    size = min(wide, ceil(45 / per)) + 1  # exp(-45) is below the rounding of 1
    shares = np.exp(-per * np.arange(size))
    if size <= wide:
        shares[-1] = 0.0  # all larger gaps
    exponent = _exponent(per * wide + np.log(classes), problem.num_samples)
    return _form(
        problem,
        SOFTMAX,
        2.0**-exponent,
        _joint_floor(problem),
        numbers={EXPONENT: exponent},
        reals=np.stack([shares, np.full(size, per)]),
    )


def _joint_floor(problem: TrainingProblem) -> float:
    """Sum the least losses that any outputs in range could have."""
    low = np.full((problem.num_samples, problem.network.num_outputs), problem.output_low)
    high = np.full_like(low, problem.output_high)
    return float(problem.loss_bounds(low, high)[0].sum())


def _margin(problem: TrainingProblem) -> LossForm | None:
    """Build pieces of the margin with whole coefficients, if the loss has such a form."""
    low, high = problem.output_low, problem.output_high
    against, along = problem.loss_splines  # targets -1 and +1, in this order
    shift = _mirror(against, along, low, high)
    values = along.step * np.concatenate([along.slopes, along.intercepts])
    if shift is None or along.num_pieces > 6 or (unit := common_unit(values)) is None:
        return None
    slopes, intercepts = np.rint(values / float(unit)).astype(np.int64).reshape(2, -1)
    zero = int(intercepts[along.piece(0)])
    intercepts = intercepts - zero
    starts = np.concatenate([[np.iinfo(np.int64).min], along.breakpoints])
    differences = [np.diff(column, prepend=0) for column in (slopes, intercepts)]
    margins = np.array([min(low, shift - high), max(high, shift - low)])
    largest = np.abs(margins).max()
    added = np.abs(differences[0]) * largest + np.abs(differences[1])
    return _form(
        problem,
        PIECES,
        float(unit),
        float(_least(problem)[problem.target_index].sum()),
        offset=float(unit) * zero * problem.target_index.size,
        numbers={SHIFT: shift},
        pieces=np.stack([starts, *differences]),
        bound=2 * int(max(largest, *added)),
    )


def _least(problem: TrainingProblem) -> FloatArray:
    """Compute the least loss of each target over the outputs in range, shape (K,)."""
    low, high = problem.output_low, problem.output_high
    return np.array([float(s.step * s.bounds(low, high)[0]) for s in problem.loss_splines])


def _mirror(against: Spline, along: Spline, low: int, high: int) -> int | None:
    """Find the shift, 0 or -1, with against(z) = along(shift - z) for every z in [low, high]."""
    for shift in (0, -1):
        ends = np.array([low, high])
        breaks = [against.breakpoints, shift - along.breakpoints + 1]
        corners = np.clip(np.concatenate([ends, *breaks]), low, high)
        z = np.unique(np.clip(corners[:, None] + np.array([-1, 0, 1]), low, high))
        if np.allclose(against(z), along(shift - z), rtol=1e-12, atol=1e-12):
            return shift
    return None


def common_unit(values: FloatArray, largest_denominator: int = 10_000) -> Fraction | None:
    """Find the largest number of which all values are whole multiples; None without a simple one.

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
