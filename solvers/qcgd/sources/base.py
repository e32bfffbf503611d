"""What a source of candidates is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

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


class Source(Protocol):
    """Makes points from the pool, and learns from what became of them."""

    @property
    def effort(self) -> float:
        """What the latest points have cost, in candidates that repair looks at in the time."""
        ...

    @property
    def repaired(self) -> bool:
        """Whether its points are local minima, so that repair would find nothing."""
        ...

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """New points, shape (m, k), to be repaired unless they are."""
        ...

    def learn(self, gains: FloatArray) -> None:
        """Take in what each of the latest points has gained, shape (m,)."""
        ...

    def snapshot(self) -> Mapping[str, Any]:
        """For a checkpoint."""
        ...

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        ...
