"""Hidden units of stacked networks: their levels, and the slopes that gradients go through.

A unit reads y = z + threshold, shape (R, B, units), and gives its activation in units of the
lattice.  Where y is an integer the activation is exactly that of the problem's spline.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from formulations.arrays import FloatArray
from formulations.network.splines import Spline


class Unit(Protocol):
    """Activations of one layer."""

    def levels(self, y: FloatArray) -> FloatArray:
        """Activations; ``y`` may be overwritten."""
        ...

    def slopes(self, y: FloatArray, reach: FloatArray) -> FloatArray:
        """What stands for their derivative; a step's within ``reach``, shape (R, units or 1)."""
        ...


class Step:
    """Two constant pieces, such as the sign rule: a ramp where y is near the breakpoint."""

    def __init__(self, breakpoint: int, low: float, high: float) -> None:
        self.breakpoint, self.low, self.high = breakpoint, low, high

    def levels(self, y: FloatArray) -> FloatArray:
        """``low`` below the breakpoint, ``high`` from it on."""
        kind, half = y.dtype.type, (self.high - self.low) / 2
        # The sum turns -0, whose sign would be taken for that of a negative number, into 0.
        a = np.copysign(kind(half), y + kind(-self.breakpoint if self.breakpoint else 0))
        if self.low != -self.high:
            a += kind(self.low + half)
        return np.asarray(a)

    def slopes(self, y: FloatArray, reach: FloatArray) -> FloatArray:
        """Those of a ramp as high as the step."""
        kind, reach = y.dtype.type, reach[:, None, :]
        distance = np.abs(y - kind(self.breakpoint)) if self.breakpoint else np.abs(y)
        inside = distance <= reach
        return np.asarray(inside * (kind((self.high - self.low) / 4) / reach))


class Staircase:
    """Constant pieces of one width and one rise: clip and shift."""

    def __init__(self, first: int, width: int, low: float, rise: float, steps: int) -> None:
        self.first, self.width, self.low, self.rise, self.steps = first, width, low, rise, steps

    def _cells(self, y: FloatArray) -> FloatArray:
        kind = y.dtype.type
        cells = y - kind(self.first - self.width)
        cells /= kind(self.width)
        return np.asarray(cells)

    def levels(self, y: FloatArray) -> FloatArray:
        """The level of the piece that y is in; exact, since integers are divided and floored."""
        kind, a = y.dtype.type, self._cells(y)
        np.floor(a, out=a)
        np.maximum(a, kind(0), out=a)
        np.minimum(a, kind(self.steps), out=a)
        if self.rise != 1:
            a *= kind(self.rise)
        if self.low:
            a += kind(self.low)
        return a

    def slopes(self, y: FloatArray, reach: FloatArray) -> FloatArray:
        """The mean slope between the first and the last piece."""
        kind = y.dtype.type
        low = self.first - self.width
        inside = (y >= kind(low)) & (y < kind(low + (self.steps + 1) * self.width))
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

    def levels(self, y: FloatArray) -> FloatArray:
        """Values of the spline."""
        kind = y.dtype
        pieces = np.searchsorted(self.spline.breakpoints.astype(kind), y, side="right")
        a = self.spline.slopes.astype(kind)[pieces]
        a *= y
        a += self.spline.intercepts.astype(kind)[pieces]
        return np.asarray(a)

    def slopes(self, y: FloatArray, reach: FloatArray) -> FloatArray:
        """Slopes of the line."""
        pieces = np.searchsorted(self.edges.astype(y.dtype), y, side="right")
        return np.asarray(self.ramps.astype(y.dtype)[pieces])


def unit(spline: Spline) -> Unit:
    """The hidden unit of an activation.

    Examples
    --------
    >>> from formulations.network.splines import sign
    >>> y = np.array([[[-1.0, 0.0, 2.0]]])
    >>> unit(sign()).levels(y).tolist(), unit(sign()).slopes(y, np.array([[1.0]])).tolist()
    ([[[-1.0, 1.0, 1.0]]], [[[0.5, 0.5, 0.0]]])
    """
    starts, values = spline.breakpoints, spline.intercepts
    if spline.order == 1 or not len(starts):
        return Table(spline)
    if len(starts) == 1:
        return Step(int(starts[0]), float(values[0]), float(values[1]))
    widths, rises = np.diff(starts), np.diff(values)
    if (widths == widths[0]).all() and (rises == rises[0]).all():
        return Staircase(
            int(starts[0]), int(widths[0]), float(values[0]), float(rises[0]), len(starts)
        )
    return Table(spline)
