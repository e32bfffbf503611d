"""Base of the sources of candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from formulations.arrays import BitArray, FloatArray
from solvers.qcgd.scoring import Pool

ORACLE = "oracle"

BATCH = 20
"""Points per batch of a source."""

FORGET = 0.98
"""Factor by which gains and efforts decay after each batch or call."""

AFFORDED = 1e6
"""Effort allowed per turn before a source's first batch: a costly source waits some turns."""

HOPE = 0.1
"""Gain credited to each source for one batch or call before it has made any."""


class Source:
    """Source of points from the pool, which learns from their gains.

    Attributes
    ----------
    effort : float
        Cost of the latest points, in units of repair candidates of equal time.
    repaired : bool
        Whether its points are local minima, so that repair would find nothing.
    kept : tuple of str
        Attributes stored in a checkpoint.
    """

    effort: float = 0.0
    repaired: bool = True
    kept: tuple[str, ...] = ()

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """Make new points, shape (m, k), which are repaired unless ``repaired``."""
        raise NotImplementedError

    def learn(self, gains: FloatArray) -> None:
        """Learn from the gain of each of the latest points, shape (m,)."""

    def snapshot(self) -> Mapping[str, Any]:
        """Return the state for a checkpoint."""
        return {name: getattr(self, name) for name in self.kept}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Restore the state from a checkpoint; attributes missing in older ones stay unchanged."""
        for name in self.kept:
            setattr(self, name, snapshot.get(name, getattr(self, name)))
