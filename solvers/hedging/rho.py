"""Policies of progressive hedging: the proximal weight rho, and cycle breaking."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray, BoolArray, FloatArray, IntArray
from formulations.checks import check_number, check_whole
from formulations.errors import InvalidInputError
from solvers.hedging.blocks import FREE
from solvers.run.stopping import Over

# -- rho ------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FixedRho:
    """Constant rho for all bits and rounds.

    rho is the weight of each bit's proximal term.  It is the same for all blocks, since otherwise
    sum p_k W_k would drift.

    Parameters
    ----------
    factor : float
        In units of the mean change of the loss when a bit flips.
    value : float, optional
        Value in units of the loss, instead of ``factor``.

    Examples
    --------
    >>> FixedRho(0.5).first(np.array([1.0, 3.0])).tolist()
    [1.0, 1.0]
    """

    factor: float = 0.1
    value: float | None = None

    def __post_init__(self) -> None:
        check_number("factor", self.factor)
        if self.value is not None:
            check_number("value", self.value)

    def first(self, scale: FloatArray) -> FloatArray:
        """Return the first rho; ``scale`` (n,) is the mean |change of the loss| per flip."""
        return np.full(len(scale), self.value or self.factor * float(scale.mean()))

    def following(self, rho: FloatArray, disagreeing: BoolArray) -> FloatArray:
        """Return the next rho (B, n); ``disagreeing`` (B, n) marks bits without consensus."""
        return rho


@dataclass(frozen=True)
class GrowingRho(FixedRho):
    """rho that grows by a factor per round, which eventually forces the copies together.

    Parameters
    ----------
    growth : float

    Examples
    --------
    >>> GrowingRho(0.5, growth=2.0).following(np.array([1.0]), np.array([True])).tolist()
    [2.0]
    """

    growth: float = 1.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("growth", self.growth)
        if self.growth < 1:
            raise InvalidInputError(f"growth={self.growth!r}: expected a number of 1 or more")

    def following(self, rho: FloatArray, disagreeing: BoolArray) -> FloatArray:
        """Return rho times ``growth``."""
        return self.growth * rho


def flip_scale(problem: TrainingProblem, rng: np.random.Generator, over: Over) -> FloatArray:
    """Estimate the mean |change of the loss| per bit flip at a few random points; shape (n,).

    At most 256 bits are flipped; the others get the mean.
    """
    n = problem.num_free_bits
    probed = np.sort(rng.choice(n, min(n, 256), replace=False))
    changes = []
    size = max(1, 2**23 // (problem.num_samples * sum(problem.network.widths)))  # points per batch
    for point in problem.random_bits(rng, 4):
        near = np.tile(point, (len(probed), 1))
        near[np.arange(len(probed)), probed] ^= 1
        losses = np.full(len(near), np.nan)
        for first in range(0, len(near), size):  # chunks allow checks of the clock and Ctrl-C
            if over():
                break
            part = slice(first, first + size)
            losses[part] = problem.losses(near[part])
        changes.append(np.abs(losses - problem.losses(point)))
        if over():
            break
    change = np.mean(changes, axis=0)
    change[np.isnan(change)] = np.nanmean(change) if np.isfinite(change).any() else 1.0
    scale = np.full(n, float(change.mean()) or 1.0)
    scale[probed] = change if change.any() else 1.0
    return scale


# -- cycles ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CycleDetector:
    """Detector of bits whose multipliers repeat while the copies disagree.

    Each bit has a hash h = sum_k z_k W_k / rho with random z; equal multipliers have equal hashes
    (Watson & Woodruff 2011).  A cycle of L rounds is detected when the latest L hashes equal those
    of the L rounds before.  Units of rho reveal cycles while rho grows, too: copies can alternate
    forever between two answers while W grows as fast as rho.

    Parameters
    ----------
    window : int
        Rounds remembered; cycles of up to half as many are detected.
    tolerance : float
        Hashes this close count as equal; a copy that differs changes the hash by about one.

    Examples
    --------
    >>> hashes = np.array([[[1.0, 1.0], [2.0, 5.0], [1.0, 3.0], [2.0, 2.0]]])
    >>> CycleDetector(4).cycling(hashes, np.array([[True, True]])).tolist()
    [[True, False]]
    """

    window: int = 16
    tolerance: float = 0.02

    def __post_init__(self) -> None:
        check_whole("window", self.window, 2, 10_000)  # numbers kept per bit
        check_number("tolerance", self.tolerance)

    def hashes(self, W: FloatArray, rho: FloatArray) -> FloatArray:
        """Hash each bit's multipliers, shapes (B, K, n) and (B, n) -> (B, n)."""
        z = np.random.default_rng(0).uniform(0.5, 1.5, W.shape[1])
        return np.asarray(np.einsum("k,bkn->bn", z, W) / rho)

    def cycling(self, hashes: FloatArray, disagreeing: BoolArray) -> BoolArray:
        """Find the bits in a cycle, from the latest rounds' hashes (B, H, n), latest first."""
        found = np.zeros_like(disagreeing)
        for length in range(1, hashes.shape[1] // 2 + 1):
            latest, before = hashes[:, :length], hashes[:, length : 2 * length]
            found |= (np.abs(latest - before) <= self.tolerance).all(axis=1)
        return found & disagreeing


def slammed(
    pattern: BitArray, rounded: BitArray, xbar: FloatArray, cycling: BoolArray, weights: IntArray
) -> BitArray:
    """Fix the cycling weight furthest from 1/2 at the rounded mean.

    Shapes (n,); ``rounded`` is the mean as bits.

    Examples
    --------
    >>> none, mean = np.full(3, -1, dtype=np.int8), np.array([0.4, 0.9, 0.2])
    >>> rounded = np.rint(mean).astype(np.int8)
    >>> slammed(none, rounded, mean, np.array([True, True, False]), np.arange(3)).tolist()
    [-1, 1, -1]
    """
    sureness = np.where(cycling & (pattern == FREE), np.abs(xbar - 0.5), -1.0)
    chosen = weights == weights[np.argmax(sureness)]
    return np.where(chosen & (pattern == FREE), rounded, pattern).astype(np.int8)
