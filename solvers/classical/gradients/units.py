"""Activations of hidden layers: their values, and the slopes that gradients go through.

Of real networks the functions themselves; of a problem's network its splines, in units of the
lattice: where a pre-activation is an integer, the value is exactly that of the spline.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import expit, ndtr

from formulations.arrays import Array, FloatArray
from formulations.network.splines import Spline


class Unit(Protocol):
    """An activation of a layer."""

    def value(self, z: FloatArray) -> FloatArray:
        """phi(z); ``z`` may be overwritten."""
        ...

    def slope(self, z: FloatArray, reach: FloatArray | float = 1.0) -> Array:
        """phi'(z), or what stands for it; a step's within ``reach`` of its breakpoint."""
        ...


@dataclass(frozen=True)
class Relu:
    """max(z, 0)."""

    def value(self, z: FloatArray) -> FloatArray:
        """phi(z)."""
        return np.maximum(z, 0)

    def slope(self, z: FloatArray, reach: FloatArray | float = 1.0) -> Array:
        """1 where z > 0."""
        return np.asarray(z > 0)


@dataclass(frozen=True)
class Sigmoid:
    """1 / (1 + exp(-z))."""

    def value(self, z: FloatArray) -> FloatArray:
        """phi(z)."""
        return np.asarray(expit(z))

    def slope(self, z: FloatArray, reach: FloatArray | float = 1.0) -> Array:
        """phi (1 - phi)."""
        a = expit(z)
        return np.asarray(a * (1 - a))


@dataclass(frozen=True)
class Probit:
    """The normal distribution function."""

    def value(self, z: FloatArray) -> FloatArray:
        """phi(z)."""
        return np.asarray(ndtr(z))

    def slope(self, z: FloatArray, reach: FloatArray | float = 1.0) -> Array:
        """The normal density."""
        return np.asarray(np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi))


class Step:
    """Two constant pieces, such as the sign rule: a ramp where z is near the breakpoint.

    ``rise`` is the share of the step's height that the ramp rises: optimizers other than Adam see
    it as the learning rate of the layers below.
    """

    def __init__(self, breakpoint: int, low: float, high: float, rise: float = 0.5) -> None:
        self.breakpoint, self.low, self.high, self.rise = breakpoint, low, high, rise

    def value(self, z: FloatArray) -> FloatArray:
        """``low`` below the breakpoint, ``high`` from it on."""
        kind, half = z.dtype.type, (self.high - self.low) / 2
        # The sum turns -0, whose sign would be taken for that of a negative number, into 0.
        a = np.copysign(kind(half), z + kind(-self.breakpoint if self.breakpoint else 0))
        if self.low != -self.high:
            a += kind(self.low + half)
        return np.asarray(a)

    def slope(self, z: FloatArray, reach: FloatArray | float = 1.0) -> FloatArray:
        """That of the ramp."""
        kind = z.dtype.type
        distance = np.abs(z - kind(self.breakpoint)) if self.breakpoint else np.abs(z)
        inside = distance <= reach
        return np.asarray(inside * (kind(self.rise * (self.high - self.low) / 2) / reach))


class Staircase:
    """Constant pieces of one width and one rise: clip and shift."""

    def __init__(self, first: int, width: int, low: float, rise: float, steps: int) -> None:
        self.first, self.width, self.low, self.rise, self.steps = first, width, low, rise, steps

    def _cells(self, z: FloatArray) -> FloatArray:
        kind = z.dtype.type
        cells = z - kind(self.first - self.width)
        cells /= kind(self.width)
        return np.asarray(cells)

    def value(self, z: FloatArray) -> FloatArray:
        """The level of the piece that z is in; exact, since integers are divided and floored."""
        kind, a = z.dtype.type, self._cells(z)
        np.floor(a, out=a)
        np.maximum(a, kind(0), out=a)
        np.minimum(a, kind(self.steps), out=a)
        if self.rise != 1:
            a *= kind(self.rise)
        if self.low:
            a += kind(self.low)
        return a

    def slope(self, z: FloatArray, reach: FloatArray | float = 1.0) -> FloatArray:
        """The mean slope between the first and the last piece."""
        kind = z.dtype.type
        low = self.first - self.width
        inside = (z >= kind(low)) & (z < kind(low + (self.steps + 1) * self.width))
        return np.asarray(inside * kind(self.rise / self.width))


class Table:
    """Any other spline: its own slopes, or those of a line through its pieces if these are flat."""

    def __init__(self, spline: Spline) -> None:
        self.spline = spline
        self.edges, self.ramps = spline.breakpoints.astype(float), spline.slopes
        if spline.order == 0 and spline.num_pieces > 1:
            gap = float(np.diff(spline.breakpoints).mean())
            inner = (self.edges[1:] + self.edges[:-1]) / 2
            self.edges = np.concatenate([[self.edges[0] - gap], inner, [self.edges[-1] + gap]])
            rises = np.diff(spline.intercepts) / np.diff(self.edges)
            self.ramps = np.concatenate([[0.0], rises, [0.0]])

    def value(self, z: FloatArray) -> FloatArray:
        """Values of the spline."""
        kind = z.dtype
        pieces = np.searchsorted(self.spline.breakpoints.astype(kind), z, side="right")
        a = self.spline.slopes.astype(kind)[pieces]
        a *= z
        a += self.spline.intercepts.astype(kind)[pieces]
        return np.asarray(a)

    def slope(self, z: FloatArray, reach: FloatArray | float = 1.0) -> FloatArray:
        """Slopes of the line."""
        pieces = np.searchsorted(self.edges.astype(z.dtype), z, side="right")
        return np.asarray(self.ramps.astype(z.dtype)[pieces])


def unit(spline: Spline, rise: float = 0.5) -> Unit:
    """The hidden unit of an activation; of a step with this ``rise``.

    Examples
    --------
    >>> from formulations.network.splines import sign
    >>> z = np.array([[[-1.0, 0.0, 2.0]]])
    >>> unit(sign()).value(z).tolist(), unit(sign()).slope(z).tolist()
    ([[[-1.0, 1.0, 1.0]]], [[[0.5, 0.5, 0.0]]])
    """
    starts, values = spline.breakpoints, spline.intercepts
    if spline.order == 1 or not len(starts):
        return Table(spline)
    if len(starts) == 1:
        return Step(int(starts[0]), float(values[0]), float(values[1]), rise)
    widths, rises = np.diff(starts), np.diff(values)
    if (widths == widths[0]).all() and (rises == rises[0]).all():
        return Staircase(
            int(starts[0]), int(widths[0]), float(values[0]), float(rises[0]), len(starts)
        )
    return Table(spline)
