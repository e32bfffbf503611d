"""Activations of hidden layers: their values, and their slopes for gradients.

Real networks use the functions themselves.  A problem's network uses its splines in units of the
lattice: at integer pre-activations, the value is exactly that of the spline.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, ndtr

from formulations.arrays import Array, FloatArray
from formulations.network.splines import Spline


@dataclass(frozen=True)
class Unit:
    """Activation of a layer.

    Parameters
    ----------
    name : str
    value : callable
        phi(z); ``z`` may be overwritten.
    slope : callable
        Maps z, and for a step the distance from its breakpoint that passes gradients, to phi'(z) or
        its surrogate.
    """

    name: str
    value: Callable[[FloatArray], FloatArray]
    slope: Callable[..., Array]


def relu() -> Unit:
    """Return max(z, 0)."""
    return Unit("relu", lambda z: np.maximum(z, 0), lambda z, reach=1.0: np.asarray(z > 0))


def sigmoid() -> Unit:
    """Return 1 / (1 + exp(-z)) with slope phi (1 - phi)."""

    def slope(z: FloatArray, reach: FloatArray | float = 1.0) -> Array:
        a = expit(z)
        return np.asarray(a * (1 - a))

    return Unit("sigmoid", lambda z: np.asarray(expit(z)), slope)


def probit() -> Unit:
    """Return the normal distribution function, with the normal density as slope."""

    def slope(z: FloatArray, reach: FloatArray | float = 1.0) -> Array:
        return np.asarray(np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))

    return Unit("probit", lambda z: np.asarray(ndtr(z)), slope)


def step(breakpoint: int, low: float, high: float, rise: float = 0.5) -> Unit:
    """Return ``low`` below the breakpoint and ``high`` from it on, such as the sign rule.

    The slope is that of a ramp for z within ``reach`` of the breakpoint.  ``rise`` is the ramp's
    share of the step's height; except under Adam, it acts as a learning rate of the layers below.
    """

    def value(z: FloatArray) -> FloatArray:
        kind, half = z.dtype.type, (high - low) / 2
        # The sum turns -0 into 0, since copysign would treat -0 as negative.
        a = np.copysign(kind(half), z + kind(-breakpoint if breakpoint else 0))
        if low != -high:
            a += kind(low + half)
        return np.asarray(a)

    def slope(z: FloatArray, reach: FloatArray | float = 1.0) -> FloatArray:
        kind = z.dtype.type
        inside = (np.abs(z - kind(breakpoint)) if breakpoint else np.abs(z)) <= reach
        return np.asarray(inside * (kind(rise * (high - low) / 2) / reach))

    return Unit("step", value, slope)


def staircase(first: int, width: int, low: float, rise: float, steps: int) -> Unit:
    """Return constant pieces of one width and one rise: clip and shift.

    The slope is the mean slope between the first and the last piece.
    """

    def value(z: FloatArray) -> FloatArray:
        """Return the level of z's piece; exact, since integers are divided and floored."""
        kind = z.dtype.type
        a = z - kind(first - width)
        a /= kind(width)
        np.floor(a, out=a)
        np.maximum(a, kind(0), out=a)
        np.minimum(a, kind(steps), out=a)
        if rise != 1:
            a *= kind(rise)
        if low:
            a += kind(low)
        return np.asarray(a)

    def slope(z: FloatArray, reach: FloatArray | float = 1.0) -> FloatArray:
        kind, start = z.dtype.type, first - width
        inside = (z >= kind(start)) & (z < kind(start + (steps + 1) * width))
        return np.asarray(inside * kind(rise / width))

    return Unit("staircase", value, slope)


def table(spline: Spline) -> Unit:
    """Return any other spline, with slopes of lines through its pieces if these are flat."""
    edges, ramps = spline.breakpoints.astype(float), spline.slopes
    if spline.order == 0 and spline.num_pieces > 1:
        gap = float(np.diff(spline.breakpoints).mean())
        inner = (edges[1:] + edges[:-1]) / 2
        edges = np.concatenate([[edges[0] - gap], inner, [edges[-1] + gap]])
        ramps = np.concatenate([[0.0], np.diff(spline.intercepts) / np.diff(edges), [0.0]])

    def value(z: FloatArray) -> FloatArray:
        kind = z.dtype
        pieces = np.searchsorted(spline.breakpoints.astype(kind), z, side="right")
        a = spline.slopes.astype(kind)[pieces]
        a *= z
        a += spline.intercepts.astype(kind)[pieces]
        return np.asarray(a)

    def slope(z: FloatArray, reach: FloatArray | float = 1.0) -> FloatArray:
        pieces = np.searchsorted(edges.astype(z.dtype), z, side="right")
        return np.asarray(ramps.astype(z.dtype)[pieces])

    return Unit("table", value, slope)


def unit(spline: Spline, rise: float = 0.5) -> Unit:
    """Return the hidden unit of an activation; ``rise`` applies to steps.

    Examples
    --------
    >>> from formulations.network.splines import sign
    >>> z = np.array([[[-1.0, 0.0, 2.0]]])
    >>> unit(sign()).value(z).tolist(), unit(sign()).slope(z).tolist()
    ([[[-1.0, 1.0, 1.0]]], [[[0.5, 0.5, 0.0]]])
    """
    starts, values = spline.breakpoints, spline.intercepts
    if spline.order == 1 or not len(starts):
        return table(spline)
    if len(starts) == 1:
        return step(int(starts[0]), float(values[0]), float(values[1]), rise)
    widths, rises = np.diff(starts), np.diff(values)
    if (widths == widths[0]).all() and (rises == rises[0]).all():
        low, rise = float(values[0]), float(rises[0])
        return staircase(int(starts[0]), int(widths[0]), low, rise, len(starts))
    return table(spline)
