"""What a source of candidates is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from formulations.arrays import BitArray, FloatArray
from solvers.qcgd.scoring import Pool

ORACLE = "oracle"

BATCH = 20
"""Points that a source makes at a time."""

FORGET = 0.98
"""Gains and efforts count by this factor less after each batch or call."""

AFFORDED = 1e6
"""Effort of a first batch for each time that it is a source's turn: a costly one waits."""

HOPE = 0.1
"""Gain that each source is credited with for one batch or call before it has made any."""


class Source:
    """Makes points from the pool, and learns from what became of them.

    Attributes
    ----------
    effort : float
        What the latest points have cost, in candidates that repair looks at in the time.
    repaired : bool
        Whether its points are local minima, so that repair would find nothing.
    kept : tuple of str
        Attributes that a checkpoint has.
    """

    effort: float = 0.0
    repaired: bool = True
    kept: tuple[str, ...] = ()

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """New points, shape (m, k), to be repaired unless they are."""
        raise NotImplementedError

    def learn(self, gains: FloatArray) -> None:
        """Take in what each of the latest points has gained, shape (m,)."""

    def snapshot(self) -> Mapping[str, Any]:
        """For a checkpoint."""
        return {name: getattr(self, name) for name in self.kept}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """From a checkpoint; what an older version had not kept stays as it is."""
        for name in self.kept:
            setattr(self, name, snapshot.get(name, getattr(self, name)))
