"""Latent weights in [-1, 1] and their levels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from formulations.arrays import BoolArray, FloatArray, IntArray
from formulations.network.codes import WeightCode


class Quantizer:
    """Levels of a weight code for latent values in [-1, 1].

    The range [-1, 1] stands for the range of the levels, widened at both ends by half a gap, so
    that equally spaced levels have cells of equal width.

    Parameters
    ----------
    levels : sequence of int
        At least two, ascending.

    Examples
    --------
    >>> ternary = Quantizer([-1, 0, 1])
    >>> ternary(np.array([-1, -0.4, -0.3, 0.3, 0.4, 1], dtype=np.float32)).tolist()
    [-1.0, -1.0, 0.0, 0.0, 1.0, 1.0]
    >>> Quantizer([-4, -1, 1, 4])(np.array([-0.5, -0.4, 0.4, 0.5], dtype=np.float32)).tolist()
    [-4.0, -1.0, 1.0, 4.0]
    """

    def __init__(self, levels: Sequence[int] | IntArray) -> None:
        self.levels = np.asarray(levels, dtype=np.float64)
        gaps = np.diff(self.levels)
        self.gap = float(gaps[0])
        self.even = bool((gaps == gaps[0]).all())
        self.low = float(self.levels[0] - gaps[0] / 2)
        self.high = float(self.levels[-1] + gaps[-1] / 2)
        self.middle, self.half = (self.high + self.low) / 2, (self.high - self.low) / 2
        self.edges = self.latent((self.levels[1:] + self.levels[:-1]) / 2)

    def latent(self, levels: FloatArray) -> FloatArray:
        """Return the latent values of levels and of values between them."""
        return np.asarray((levels - self.low) / (self.high - self.low) * 2 - 1)

    def __call__(self, v: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """Return the nearest level of each value, written into ``out`` if given."""
        if out is None:
            out = np.empty_like(v)
        n, kind = len(self.levels), v.dtype.type
        if n == 2 and self.levels[0] == -self.levels[1]:
            np.copysign(kind(self.levels[1]), v, out=out)
        elif self.even:
            np.multiply(v, kind(n / 2), out=out)
            out += kind(n / 2)
            np.floor(out, out=out)
            np.minimum(out, kind(n - 1), out=out)
            np.maximum(out, kind(0), out=out)
            out *= kind(self.gap)
            out += kind(self.levels[0])
        else:
            cells = np.searchsorted(self.edges.astype(v.dtype), v, side="right")
            out[...] = self.levels[cells]
        return out


@dataclass(frozen=True)
class Choice:
    """Weights that may take the same subset of the code's levels.

    Parameters
    ----------
    positions : ndarray of int64, shape (n,)
        Positions of the weights.
    levels : ndarray of int64, shape (L,)
        Levels, ascending; a single one for fixed weights.
    """

    positions: IntArray
    levels: IntArray

    @property
    def middles(self) -> FloatArray:
        """Midpoints between consecutive levels."""
        return np.asarray((self.levels[1:] + self.levels[:-1]) / 2)


def choices(code: WeightCode, fixed: IntArray, free: BoolArray) -> list[Choice]:
    """Group weights by the levels that their free bits allow.

    Parameters
    ----------
    code : WeightCode
    fixed : ndarray of int64, shape (n,)
        Level of each weight with its free bits at zero.
    free : ndarray of bool, shape (n, bits)
        Bits of each weight that may change; all or none for a one-hot code.

    Examples
    --------
    >>> from formulations.network.codes import uniform
    >>> free = np.array([[True, True], [False, False], [False, True]])
    >>> for choice in choices(uniform(2), np.array([-3, 1, -1]), free):
    ...     print(choice.positions.tolist(), choice.levels.tolist())
    [1] [1]
    [2] [-1, 3]
    [0] [-3, -1, 1, 3]
    """
    pattern = free.any(axis=1).astype(np.int64)
    if not code.one_hot:
        pattern = free @ (1 << np.arange(code.bits))
    least = fixed.min(initial=0)
    spread = int(fixed.max(initial=0)) - int(least) + 1
    keys, group = np.unique(pattern * spread + (fixed - least), return_inverse=True)
    order = np.argsort(group, kind="stable")
    result = []
    for positions in np.split(order, np.cumsum(np.bincount(group))[:-1]) if len(keys) else []:
        bits = free[positions[0]]
        if code.one_hot:
            levels = code.levels if bits.any() else fixed[positions[:1]]
        else:
            levels = fixed[positions[:1]]
            for coefficient in np.array(code.coefficients)[bits].tolist():
                levels = np.unique(np.concatenate([levels, levels + coefficient]))
        result.append(Choice(positions, levels))
    return result
