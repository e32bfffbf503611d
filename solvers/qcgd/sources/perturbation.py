"""Perturbation: flip some bits of good points, or anneal them within the rows."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from formulations.arrays import BitArray, FloatArray
from solvers.qcgd.repair import Repair
from solvers.qcgd.scoring import Pool
from solvers.qcgd.sources.base import BATCH, FORGET, HOPE, Source


class Perturbation(Source):
    """Members of the pool with some bits flipped, as in iterated local search.

    For each point, the number of flips is drawn from 2, 4, 8, ... up to a quarter of the bits,
    according to their past gains [adaptive pursuit of the strength: Thierens, GECCO 2005].

    Parameters
    ----------
    size : int
        Bits of a candidate.
    corners : bool
        Whether the first batch begins with all bits 0 and all bits 1, as MIP solvers do: no good
        point need be near these [Achterberg, Constraint Integer Programming, 2007].

    Examples
    --------
    >>> source, pool = Perturbation(16), Pool(1)
    >>> pool.add(np.zeros((1, 16), dtype=np.int8), np.zeros(1))
    >>> sorted(set(source.points(pool, np.random.default_rng(0)).sum(axis=1).tolist()))
    [2, 4]
    """

    repaired = False
    kept: tuple[str, ...] = ("gained", "tried", "_corners")

    def __init__(self, size: int, *, corners: bool = False) -> None:
        top, self._corners = max(size // 4, 1), corners
        self._learn_which(np.minimum(2 ** np.arange(1, 1 + max(top, 2).bit_length()), top))

    def _learn_which(self, strengths: npt.ArrayLike) -> None:
        """Start with these strengths, none of which has gained anything."""
        self.strengths = np.unique(strengths)
        self.gained = np.full(len(self.strengths), HOPE)
        self.tried = np.ones(len(self.strengths))
        self._drawn = np.zeros(0, dtype=np.int64)

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """Return pool members with distinct bits flipped."""
        points = pool.draw(rng, BATCH).copy()
        order = rng.random(points.shape).argsort(axis=1)
        flipped = order < self._drawn_strengths(rng, BATCH)[:, None]
        points[flipped] ^= 1
        if self._corners:
            self._corners, points[0], points[1] = False, 0, 1
        return points

    def _drawn_strengths(self, rng: np.random.Generator, count: int) -> FloatArray:
        """Draw this many strengths, favouring those with larger gains."""
        chance = self.gained / self.tried
        chance = 0.2 / len(chance) + 0.8 * chance / chance.sum()
        self._drawn = rng.choice(len(chance), count, p=chance)
        return np.asarray(self.strengths[self._drawn])

    def learn(self, gains: FloatArray) -> None:
        """Credit the strengths that were drawn."""
        self.gained *= FORGET
        self.tried *= FORGET
        np.add.at(self.gained, self._drawn, gains)
        np.add.at(self.tried, self._drawn, 1.0)


class Annealing(Perturbation):
    """Pool members annealed by moves that keep every row: simulated annealing of chains.

    Start temperatures are drawn according to their past gains.

    Parameters
    ----------
    repair : Repair
        Provides the moves, see :mod:`solvers.qcgd.repair`.

    Examples
    --------
    >>> from formulations import QCBO
    >>> model = QCBO.from_arrays([3, 1, 2], [[1, 1, 1]], [1])
    >>> pool = Pool(1)
    >>> pool.add(np.array([[1, 0, 0]], dtype=np.int8), np.array([3.0]))
    >>> Annealing(Repair(model)).points(pool, np.random.default_rng(0)).tolist()
    [[0, 1, 0], [0, 1, 0]]
    """

    repaired = True
    kept = ("gained", "tried", "_drawn", "_walkers", "_left", "_length", "_looked")

    def __init__(self, repair: Repair) -> None:
        self._repair, self._looked = repair, 0
        self._learn_which(2.0 ** np.arange(1, -6, -1))
        self._walkers, self._left, self._length = np.zeros((0, 0), dtype=np.int8), 0, 1

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """Return local minima at the best points of a segment of two walks, which continue from it.

        Together they evaluate half as many candidates as all before: longer walks reach deeper.
        """
        if not self._left:
            self._length = self._left = max(1, self._looked // (4 * STRETCH))
            self._drawn_strengths(rng, 2)
            self._walkers = pool.draw(rng, 2)
        shares = np.array([self._left, self._left - 1]) / self._length
        heats, seed = np.outer(self.strengths[self._drawn], shares), rng.integers(2**63)
        ends, before = np.empty_like(self._walkers), self._repair.looked
        points = self._repair(self._walkers, np.random.SeedSequence(seed), heats, STRETCH, ends)
        self._walkers, self._left = ends, self._left - 1
        self._looked += self._repair.looked - before
        self.effort = float(self._repair.looked - before)
        return points


STRETCH = 1_000_000
"""Candidates that a walk evaluates in a batch, in less than a tenth of a second."""
