"""Bounds on the integers inside a trained network, which an export format must hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formulations.errors import InvalidInputError
from formulations.network.splines import Spline
from qnn.export.trained import TrainedModel

ANYTHING = (-(2**31), 2**31 - 1, 1)
"""Span of inputs whose range is unknown."""


@dataclass(frozen=True)
class Reach:
    """Bounds of the integers in one layer.

    Parameters
    ----------
    low, high : int
        Smallest and largest input.
    shift : int
        Inputs are ``low`` plus multiples of 2^shift.
    largest : int
        Bound on |z| and on all its partial sums, in any order.
    z_low, z_high : int
        Smallest and largest pre-activation.
    """

    low: int
    high: int
    shift: int
    largest: int
    z_low: int
    z_high: int

    @property
    def planes(self) -> int:
        """Number of bits of an input, counted from ``low`` in steps of 2^shift."""
        return max(1, int((self.high - self.low) >> self.shift).bit_length())


def reaches(model: TrainedModel) -> list[Reach]:
    """Bound every layer, starting from the inputs; unknown inputs are any 32-bit integers.

    Examples
    --------
    >>> from formulations import Network
    >>> from formulations.network.network import Weights
    >>> weights = Weights((np.array([[1, -1]]),), (np.array([1]),), ())
    >>> reaches(TrainedModel(Network.dense([2, 1], bias=True), weights, span=(-3, 3, 2)))
    [Reach(low=-3, high=3, shift=1, largest=7, z_low=-5, z_high=7)]
    """
    weights = model.weights
    units = model.network.bias_units(weights.splines)
    low, high, step = model.span or ANYTHING
    shift = step - 1
    found = []
    for number, (matrix, bias) in enumerate(zip(weights.matrices, weights.biases, strict=True)):
        threshold = units[number] * (np.zeros(len(matrix)) if bias is None else bias)
        added = threshold.astype(object)  # Python integers, since any size is possible
        up = np.maximum(matrix, 0).sum(axis=1).astype(object)
        down = np.minimum(matrix, 0).sum(axis=1).astype(object)
        largest = (up - down) * max(abs(low), abs(high)) + abs(added)
        z_low, z_high = up * low + down * high + added, up * high + down * low + added
        found.append(Reach(low, high, shift, int(max(largest)), int(min(z_low)), int(max(z_high))))
        if found[-1].largest >= 2**62:
            raise InvalidInputError(
                f"layer {number + 1} can reach {found[-1].largest:g}, and the exported networks "
                "compute with 64 bits: name the range of the inputs, or take fewer levels"
            )
        if number < len(weights.splines):
            _check_lattice(weights.splines[number], number + 1)
            low, high, shift = _values(weights.splines[number], found[-1].z_low, found[-1].z_high)
    return found


def _check_lattice(spline: Spline, number: int) -> None:
    """Refuse an activation whose values are not integers in its own units."""
    for part in (spline.slopes, spline.intercepts):
        if not np.array_equal(part, np.rint(part)):
            raise InvalidInputError(
                f"the activation of layer {number} is on no lattice: expected whole slopes and "
                "intercepts, as every trained network has"
            )


def _values(spline: Spline, lo: int, hi: int) -> tuple[int, int, int]:
    """Return the smallest and largest value over [lo, hi], and the values' common power of two."""
    least, greatest = (int(bound) for bound in spline.bounds(lo, hi))
    if spline.order == 1:
        return least, greatest, 0
    first, last = spline.piece([lo, hi])
    steps = spline.intercepts[first : last + 1].astype(np.int64) - least
    common = int(np.gcd.reduce(steps))
    return least, greatest, (common & -common).bit_length() - 1 if common else 0
