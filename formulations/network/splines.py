"""Activations and losses as piecewise constant or linear functions of an integer.

Every pre-activation z in a model is an integer.  A :class:`Spline` is the piecewise function of z
that the model uses; its error against the original function is exact, because the integers of
[lo, hi] can be enumerated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import numpy.typing as npt

from formulations.array_checks import check_array, check_integers
from formulations.arrays import FloatArray, IntArray
from formulations.checks import EXACT, check_number, check_whole, choose, shown
from formulations.errors import InvalidInputError, ModelSizeError
from formulations.files.bounded import available_memory

Function = Callable[[FloatArray], FloatArray]
Placement = Literal["uniform", "power-of-two", "minimax"]


@dataclass(frozen=True)
class Spline:
    """A piecewise constant or linear function of an integer.

    Piece p covers breakpoints[p-1] <= z < breakpoints[p]; the first and the last piece are
    unbounded.  The value is ``step * (slopes[p] * z + intercepts[p])``.

    Parameters
    ----------
    breakpoints : ndarray of int64, shape (P - 1,)
        First integer of pieces 1 .. P-1, strictly ascending.
    slopes, intercepts : ndarray of float64, shape (P,)
        Coefficients of each piece in units of ``step``; integers for an activation.
    step : float
        One unit of the value lattice.
    error : float
        Largest |spline - function| over the integers of the range of the fit.
    scale : float
        The original function is evaluated at z / scale.

    Examples
    --------
    >>> sign()(np.array([-2, 0, 3])).tolist()
    [-1.0, 1.0, 1.0]
    """

    breakpoints: IntArray
    slopes: FloatArray
    intercepts: FloatArray
    step: float = 1.0
    error: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        starts = check_integers("breakpoints of a spline", self.breakpoints)
        shapes = [np.shape(part) for part in (starts, self.slopes, self.intercepts)]
        if starts.ndim != 1 or shapes[1:] != [(len(starts) + 1,)] * 2:
            raise InvalidInputError(
                f"a spline of breakpoints, slopes and intercepts of shapes {shapes}: expected "
                "(P - 1,), (P,) and (P,)"
            )
        if not (np.diff(starts) > 0).all():
            raise InvalidInputError(
                f"breakpoints {shown(starts.tolist())} of a spline: expected them in strictly "
                "ascending order"
            )
        for name in ("slopes", "intercepts"):
            part = check_array(name, getattr(self, name))
            if part.dtype.kind not in "iuf" or not np.isfinite(part).all():
                raise InvalidInputError(f"{name} of a spline: expected finite numbers")
        check_number("step of a spline", self.step)
        check_number("scale of a spline", self.scale)

    @property
    def num_pieces(self) -> int:
        """Number of pieces P."""
        return len(self.intercepts)

    @property
    def order(self) -> int:
        """0 if every piece is constant, else 1."""
        return int(self.slopes.any())

    def piece(self, z: npt.ArrayLike) -> IntArray:
        """Return the index of the piece that contains each z."""
        return np.asarray(np.searchsorted(self.breakpoints, z, side="right"), dtype=np.int64)

    def units(self, z: npt.ArrayLike) -> FloatArray:
        """Evaluate at integer z in units of ``step`` (integers for an activation)."""
        z = np.asarray(z)
        p = self.piece(z)
        return np.asarray(self.slopes[p] * z + self.intercepts[p])

    def __call__(self, z: npt.ArrayLike) -> FloatArray:
        """Evaluate at integer z."""
        return self.step * self.units(z)

    @cached_property
    def rises(self) -> bool:
        """True if the values at the integers never decrease."""
        ends = np.sort(np.concatenate([self.breakpoints - 1, self.breakpoints]))
        return bool((self.slopes >= 0).all() and (np.diff(self.units(ends)) >= 0).all())

    def bounds(self, lo: npt.ArrayLike, hi: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
        """Return least and greatest value over each [lo, hi], in units of ``step``."""
        lo, hi = np.broadcast_arrays(np.asarray(lo), np.asarray(hi))
        if self.rises:
            return self.units(lo), self.units(hi)
        least, greatest = np.full(lo.shape, np.inf), np.full(lo.shape, -np.inf)
        starts = np.concatenate([[-np.inf], self.breakpoints])
        ends = np.concatenate([self.breakpoints - 1, [np.inf]])
        for p in range(self.num_pieces):
            a, b = np.maximum(lo, starts[p]), np.minimum(hi, ends[p])
            inside = a <= b
            va = self.slopes[p] * np.where(inside, a, 0) + self.intercepts[p]
            vb = self.slopes[p] * np.where(inside, b, 0) + self.intercepts[p]
            least = np.where(inside, np.minimum(least, np.minimum(va, vb)), least)
            greatest = np.where(inside, np.maximum(greatest, np.maximum(va, vb)), greatest)
        return least, greatest


def sign() -> Spline:
    """Return the sign rule, -1 below zero and +1 from zero on: two pieces, no error."""
    return Spline(np.array([0]), np.zeros(2), np.array([-1.0, 1.0]))


@dataclass(frozen=True)
class Clip:
    """An activation with integer values: offset + gain * clip(floor(z), low, high).

    Parameters
    ----------
    low, high : int
        Range of the clipped integer.
    gain, offset : int
        The value is ``offset + gain *`` the clipped integer.
    reach : float
        Default range in standard deviations of the pre-activation.

    Examples
    --------
    >>> Clip(0, 3, gain=1, offset=0, reach=2.5)(np.array([-1.5, 2.5, 9.0])).tolist()
    [0.0, 2.0, 3.0]
    """

    low: int
    high: int
    gain: int
    offset: int
    reach: float

    def __call__(self, z: FloatArray) -> FloatArray:
        """Evaluate at real z."""
        return np.asarray(self.offset + self.gain * np.clip(np.floor(z), self.low, self.high))


def clip_shift(clip: Clip, shift: int) -> Spline:
    """Return the spline of offset + gain * clip(z >> shift, low, high): order 0, no error.

    Examples
    --------
    >>> clip_shift(Clip(-2, 1, gain=2, offset=1, reach=1.0), 2)(np.array([-5, -1, 0, 4])).tolist()
    [-3.0, -1.0, 1.0, 3.0]
    """
    levels = np.arange(clip.low, clip.high + 1)
    values = (clip.offset + clip.gain * levels).astype(float)
    return Spline(levels[1:] << shift, np.zeros(len(levels)), values, scale=float(2**shift))


def fit(
    function: Function,
    lo: int,
    hi: int,
    *,
    pieces: int,
    order: Literal[0, 1] = 0,
    placement: Placement = "minimax",
    step: float | None = None,
) -> Spline:
    """Fit at most ``pieces`` pieces to ``function`` on the integers of [lo, hi].

    With order 0 the value of a piece is the best constant, the middle of the function's range.
    With order 1 it is the best of the candidate slopes (multiples of ``step`` if given) with the
    middle of the residual's range.  ``"minimax"`` minimises the largest error: pieces grow greedily
    within a tolerance that bisection reduces as far as the number of pieces allows.
    ``"power-of-two"`` aligns the pieces to multiples of 2^m, so that the top bits of z's
    two's-complement word give the piece; ``"uniform"`` divides [lo, hi] evenly.

    Parameters
    ----------
    function : callable
        Vectorised function of z (float array in, float array out).
    lo, hi : int
        Range of z, both inclusive.
    pieces : int
        Largest number of pieces.
    order : {0, 1}
        0 for constant pieces, 1 for linear ones.
    placement : {"minimax", "uniform", "power-of-two"}
        Placement of the breakpoints.
    step : float, optional
        Lattice of the values; slopes and intercepts become integers.  None does not round them.

    Raises
    ------
    InvalidInputError
        If the function is not finite on the range, or an option is invalid.

    Examples
    --------
    >>> spline = fit(np.tanh, -4, 4, pieces=3, step=0.5)
    >>> spline(np.array([-4, 0, 4])).tolist()
    [-1.0, 0.0, 1.0]
    """
    check_whole("pieces", pieces)
    check_whole("order", order, 0, 1)
    choose("placement", placement, list(get_args(Placement)))
    unit = 1.0 if step is None else check_number("step", step)
    refuse_if_too_long(lo, hi)
    z = np.arange(lo, hi + 1)
    target = _values(function, z)
    with np.errstate(over="ignore"):
        scaled = target / unit
    largest = float(np.abs(scaled).max())
    if not largest <= EXACT:
        raise InvalidInputError(
            f"the function to fit has values up to {largest:.3g} steps of {unit:.3g}: "
            f"expected up to {EXACT:.3g}, which are exact; take a smaller resolution or function"
        )
    slopes = _candidate_slopes(scaled, order, integer=step is not None)
    refuse_if_too_long(lo, hi, len(slopes))
    if placement == "minimax":
        thin = max(1, len(z) // 4096)  # the ends of pieces are first sought among fewer integers
        starts = thin * _minimax_starts(z[::thin], scaled[::thin], slopes, pieces)
        if thin > 1:
            starts = _refined(z, scaled, slopes, starts, thin)
    elif placement == "uniform":
        starts = np.unique(np.arange(pieces) * len(z) // pieces)
    else:
        width = 1
        while hi // width - lo // width + 1 > max(pieces, 2):
            width *= 2
        starts = np.flatnonzero((z % width == 0) | (z == lo))[: 1 if pieces == 1 else None]
    s, t = _fit_pieces(z, scaled, slopes, starts, integer=step is not None)
    spline = Spline(z[starts[1:]], s, t, unit)
    return Spline(spline.breakpoints, s, t, unit, float(np.abs(spline(z) - target).max()))


def refuse_if_too_long(lo: int, hi: int, columns: int = 1) -> None:
    """Refuse to list the integers of [lo, hi] if that would take most of the memory.

    Raises
    ------
    ModelSizeError
        With the numbers.

    Examples
    --------
    >>> refuse_if_too_long(-(10**18), 10**18)
    Traceback (most recent call last):
    formulations.errors.ModelSizeError: a pre-activation can be any of 2.0e+18 integers, ...
    """
    needed, free = 64 * columns * (hi - lo + 1), available_memory()
    if free is not None and needed > free / 2:
        raise ModelSizeError(
            f"a pre-activation can be any of {hi - lo + 1:.1e} integers, and the spline of an "
            f"activation or a loss looks at each: about {needed / 2**30:,.0f} GiB, and "
            f"{free / 2**30:,.0f} GiB are free; take fewer levels of inputs or weights, or the "
            "sign activation and the hinge loss, which need no such list"
        )


def _values(function: Function, z: IntArray) -> FloatArray:
    """Evaluate the function at every integer, and refuse values that a spline cannot fit."""
    name = getattr(function, "__name__", type(function).__name__)
    try:
        values = np.asarray(function(z.astype(float)))
    except Exception as error:  # a user's own function may raise anything
        raise InvalidInputError(
            f"the function to fit, {name!r}, fails on an array of shape {z.shape} "
            f"({type(error).__name__}: {error}): expected one that takes and returns an array"
        ) from error
    real = values.dtype.kind in "biuf"
    if not real or values.shape != z.shape or not np.isfinite(values).all():
        raise InvalidInputError(
            f"the function to fit must map an array of shape {z.shape} to finite values "
            f"of the same shape on [{z[0]}, {z[-1]}]"
        )
    return values.astype(float)


def _candidate_slopes(scaled: FloatArray, order: int, integer: bool, most: int = 129) -> FloatArray:
    """Return candidate slopes: 0 and differences of the function, integers on a lattice."""
    if order == 0 or len(scaled) < 2:
        return np.zeros(1)
    differences = np.diff(scaled)
    if integer:
        low, high = np.floor(differences.min()), np.ceil(differences.max())
        if high - low < most:
            return np.arange(low, high + 1)
        shares = np.quantile(differences, np.linspace(0, 1, most - 3))
        return np.unique(np.concatenate([[low, 0.0, high], np.rint(shares)]))
    return np.unique(np.concatenate([[0.0], np.quantile(differences, np.linspace(0, 1, 65))]))


def _fit_pieces(
    z: IntArray, scaled: FloatArray, slopes: FloatArray, starts: IntArray, integer: bool
) -> tuple[FloatArray, FloatArray]:
    """Return slope and intercept of every piece with the least largest residual."""
    residuals = scaled - slopes[:, None] * z
    least = np.minimum.reduceat(residuals, starts, axis=1)
    greatest = np.maximum.reduceat(residuals, starts, axis=1)
    middle = np.rint((least + greatest) / 2) if integer else (least + greatest) / 2
    worst = np.maximum(greatest - middle, middle - least)
    best = np.argmin(np.round(worst, 12), axis=0)
    columns = np.arange(len(starts))
    return slopes[best], middle[best, columns]


def _refined(
    z: IntArray, scaled: FloatArray, slopes: FloatArray, starts: IntArray, thin: int
) -> IntArray:
    """Move each start by less than ``thin`` to minimise the error of the two pieces it divides."""
    edges = np.append(starts, len(z))
    for i in 2 * [*range(1, len(starts))]:  # twice, since the next start has moved
        first, last = edges[i - 1], edges[i + 1]
        low, high = max(first + 1, edges[i] - thin + 1), min(last, edges[i] + thin)
        residuals = scaled[first:last] - slopes[:, None] * z[first:last]
        errors = []
        for view, begin in ((residuals, low - first), (residuals[:, ::-1], last - high + 1)):
            # All candidates share the columns before ``begin``: only the others are accumulated.
            ends = [f.reduce(view[:, :begin], axis=1) for f in (np.minimum, np.maximum)]
            rest = view[:, begin : begin + high - low - 1]
            least = np.minimum.accumulate(np.column_stack([ends[0], rest]), axis=1)
            greatest = np.maximum.accumulate(np.column_stack([ends[1], rest]), axis=1)
            errors.append((greatest - least).min(axis=0))
        candidates = np.arange(low, high)[::-1]  # the last of equals, as without thinning
        worst = np.maximum(errors[0][::-1], errors[1])
        edges[i] = candidates[np.argmax(worst <= worst.min() + 1e-12 * np.abs(scaled).max())]
    return edges[:-1]


def _reach(residuals: FloatArray, start: int, spread: float) -> int:
    """Return the end of the longest piece from ``start`` with residuals within ``spread``.

    Successive stretches double in length while a slope fits, and halve afterwards; only slopes that
    fit so far are kept.
    """
    slopes, end, width, grows = np.arange(len(residuals)), start, 64, True
    least = greatest = residuals[:, start]
    while width and end < residuals.shape[1]:
        here = residuals[slopes, end : end + width]
        low = np.minimum(np.minimum.reduce(here, axis=1), least)
        high = np.maximum(np.maximum.reduce(here, axis=1), greatest)
        fits = high - low <= spread
        if fits.any():
            slopes, least, greatest = slopes[fits], low[fits], high[fits]
            end = min(end + width, residuals.shape[1])
        else:
            grows = False
        width = 2 * width if grows else width // 2
    return end


def _minimax_starts(z: IntArray, scaled: FloatArray, slopes: FloatArray, pieces: int) -> IntArray:
    """Return the first index of each piece of the partition with the least largest error."""
    residuals = scaled - slopes[:, None] * z
    rounding = 1e-12 * max(1.0, float(np.abs(residuals).max()))

    def greedy(tolerance: float) -> list[int] | None:
        starts: list[int] = []
        start = 0
        while start < len(z):
            if len(starts) == pieces:
                return None
            starts.append(start)
            start = _reach(residuals, start, 2 * tolerance + rounding)
        return starts

    low, high = 0.0, float(np.ptp(residuals, axis=1).min()) / 2
    best = greedy(high) if (exact := greedy(0.0)) is None else exact
    while exact is None and high - low > 1e-9 * max(1.0, high):
        middle = (low + high) / 2
        if (candidate := greedy(middle)) is None:
            low = middle
        else:
            best, high = candidate, middle
    return np.array(best)
