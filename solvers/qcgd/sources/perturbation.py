"""Perturbation: flip some bits of good points, or anneal them within the rows."""

from __future__ import annotations

import numpy as np

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
        strengths = np.minimum(2 ** np.arange(1, 1 + max(top, 2).bit_length()), top)
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


class Annealing(Source):
    """Random points annealed by moves that keep every row: simulated annealing of chains.

    Two walks at a time cool from a temperature to half of it, one of them from twice or half of the
    other's.  The walk that ends lower gives its temperature to the next two: a model freezes at its
    own temperature, and annealing finds little above or below it.  They start from random points,
    or from the pool's if these cannot be repaired: a cold walk from a good point would always win.

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

    kept = ("_looked", "_heat", "_heats", "_walkers", "_least", "_left", "_length")

    def __init__(self, repair: Repair) -> None:
        self._repair, self._looked, self._left, self._length = repair, 0, 0, 1
        self._heat, self._heats = 0.25, np.zeros(2)  # in units of a move's mean change
        self._walkers, self._least = np.zeros((0, 0), dtype=np.int8), np.zeros(2)

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """Return local minima at the best points of a segment of two walks, which continue from it.

        Together they evaluate half as many candidates as all before: longer walks reach deeper.
        """
        repair, before = self._repair, self._repair.looked
        if not self._left:
            self._start(pool, rng)
        shares = 0.5 + 0.5 * np.array([self._left, self._left - 1]) / self._length
        heats, seed = np.outer(self._heats, shares), np.random.SeedSequence(rng.integers(2**63))
        ends = np.empty_like(self._walkers)
        points = repair(self._walkers, seed, heats, STRETCH, ends)
        self._walkers, self._left = ends, self._left - 1
        values = np.where(repair.model.is_feasible(points), repair.model.objective(points), np.inf)
        self._least = np.minimum(self._least, values)
        if not self._left and self._least[1] < self._least[0]:
            self._heat = float(self._heats[1])
        self._looked += repair.looked - before
        self.effort = float(repair.looked - before)
        return points

    def _start(self, pool: Pool, rng: np.random.Generator) -> None:
        """Start two walks of one length, at the temperature that won and at one beside it.

        Below 1/32 every walk stays where it is, and above 2 none settles: contests tell nothing.
        """
        self._length = self._left = max(1, self._looked // (4 * STRETCH))
        self._heats = np.clip(self._heat * np.array([1.0, rng.choice([0.5, 2.0])]), 1 / 32, 2.0)
        self._least = np.full(2, np.inf)
        random = rng.integers(0, 2, (2, self._repair.num_variables), dtype=np.int8)
        repaired = self._repair(random, np.random.SeedSequence(rng.integers(2**63)))
        feasible = self._repair.model.is_feasible(repaired)
        self._walkers = np.where(feasible[:, None], repaired, pool.draw(rng, 2))


STRETCH = 1_000_000
"""Candidates that a walk evaluates in a batch, in less than a tenth of a second."""
