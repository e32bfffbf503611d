"""Perturbation: good points with some bits flipped."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from formulations.arrays import BitArray, FloatArray
from solvers.qcgd.scoring import Pool
from solvers.qcgd.sources.base import BATCH, FORGET, HOPE


class Perturbation:
    """Members of the pool with some bits flipped, as in iterated local search.

    How many is drawn for each point from 2, 4, 8, ... up to a quarter of them, by what these
    numbers have gained [adaptive pursuit of the strength: Thierens, GECCO 2005].

    Parameters
    ----------
    size : int
        Bits of a candidate.

    Examples
    --------
    >>> source, pool = Perturbation(16), Pool(1)
    >>> pool.add(np.zeros((1, 16), dtype=np.int8), np.zeros(1))
    >>> sorted(set(source.points(pool, np.random.default_rng(0)).sum(axis=1).tolist()))
    [2, 4]
    """

    effort, repaired = 0.0, False

    def __init__(self, size: int) -> None:
        top = max(size // 4, 1)
        self.strengths = np.unique(np.minimum(2 ** np.arange(1, 1 + max(top, 2).bit_length()), top))
        self.gained = np.full(len(self.strengths), HOPE)
        self.tried = np.ones(len(self.strengths))
        self._drawn = np.zeros(0, dtype=np.int64)

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """Pool members with distinct bits flipped."""
        points = pool.draw(rng, BATCH).copy()
        chance = self.gained / self.tried
        chance = 0.2 / len(chance) + 0.8 * chance / chance.sum()
        self._drawn = rng.choice(len(chance), BATCH, p=chance)
        order = rng.random(points.shape).argsort(axis=1)
        flipped = order < self.strengths[self._drawn][:, None]
        points[flipped] ^= 1
        return points

    def learn(self, gains: FloatArray) -> None:
        """Credit the numbers of flips that were drawn."""
        self.gained *= FORGET
        self.tried *= FORGET
        np.add.at(self.gained, self._drawn, gains)
        np.add.at(self.tried, self._drawn, 1.0)

    def snapshot(self) -> Mapping[str, Any]:
        """For a checkpoint."""
        return {"gained": self.gained, "tried": self.tried}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self.gained, self.tried = snapshot["gained"], snapshot["tried"]
