"""Sources of candidates besides the oracle, and how the time is shared among all of them.

A source makes new points from the pool of the best candidates; they are repaired and scored as an
oracle's samples are.  Each gets time in proportion to what it has lately gained for its effort, and
no source less than a small share.  Effort is counted, not timed, so that the same seed gives the
same result.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from formulations.arrays import BitArray, BoolArray, FloatArray
from solvers.oracles import Annealer, Samples
from solvers.oracles.wrappers.base import layers
from solvers.qcgd.scoring import Pool

ORACLE = "oracle"

BATCH = 20
"""Points that a source makes at a time."""

FORGET = 0.98
"""Gains and efforts count by this factor less after each batch or call."""

LEAST = 0.05
"""Share of the effort that every source gets."""

HALF = 0.5
"""The oracle's least share where no time limit ends the run: so that its calls, which are what is
counted then, take no more than twice as long."""

ANNEALED, LOOKS, CALL, BATCH_EFFORT = 0.2, 1.6e7, 2e6, 5e4
"""Effort, in candidates that repair looks at in the same time: of a variable, or of four couplers,
in a sweep of the annealer; of a second of another oracle; of its call where no time counts; and of
what a batch takes besides repair."""

HOPE = 0.1
"""Gain that each source is credited with for one batch or call before it has made any."""


class Source(Protocol):
    """Makes points from the pool, and learns from what became of them."""

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """New points, shape (BATCH, k), to be repaired."""
        ...

    def learn(self, gains: FloatArray) -> None:
        """Take in what each of the latest points has gained, shape (BATCH,)."""
        ...

    def snapshot(self) -> Mapping[str, Any]:
        """For a checkpoint."""
        ...

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        ...


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


class Relinking:
    """Points between two members of the pool: of the bits that differ, a share from each.

    [Path relinking: Glover, Laguna, Marti, Control and Cybernetics 29, 2000.]

    Examples
    --------
    >>> pool = Pool(2)
    >>> pool.add(np.array([[0, 0, 1], [1, 1, 1]], dtype=np.int8), np.zeros(2))
    >>> Relinking().points(pool, np.random.default_rng(0))[:, 2].all()
    np.True_
    """

    def points(self, pool: Pool, rng: np.random.Generator) -> BitArray:
        """Mixtures of two members drawn for each point."""
        one, other = pool.draw(rng, BATCH), pool.draw(rng, BATCH)
        share = rng.uniform(0.1, 0.5, (BATCH, 1))
        return np.where(rng.random(one.shape) < share, other, one)

    def learn(self, gains: FloatArray) -> None:
        """Nothing is learnt."""

    def snapshot(self) -> Mapping[str, Any]:
        """Nothing changes."""
        return {}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Nothing has changed."""


SOURCES: dict[str, Callable[[int], Source]] = {
    "perturbation": Perturbation,
    "relinking": lambda size: Relinking(),
}
"""By name, made for candidates of so many bits; the oracle is one more."""


@dataclass
class Contribution:
    """What a source has cost and brought.

    Parameters
    ----------
    calls : int
        Calls of the oracle, or batches of points.
    seconds : float
        Repair included.
    improvements : int
        Calls that made the best candidate better.
    best : float
        Worth of the best candidate that came from it.
    gained, effort : float
        Lately, see :class:`Shares`.
    """

    calls: int = 0
    seconds: float = 0.0
    improvements: int = 0
    best: float = np.inf
    gained: float = 0.0
    effort: float = 0.0


@dataclass
class Shares:
    """Which source is next: the one that is furthest behind its share of the effort.

    Parameters
    ----------
    names : sequence of str
        The oracle first.

    Examples
    --------
    >>> shares = Shares(["oracle", "perturbation"])
    >>> for _ in range(100):
    ...     name = shares.next()
    ...     shares.book(name, effort=1.0, gained=float(name == "perturbation"))
    >>> [shares.of[name].calls for name in shares.names]
    [6, 94]
    """

    names: Sequence[str]
    of: dict[str, Contribution] = field(init=False)

    def __post_init__(self) -> None:
        self.of = {name: Contribution() for name in self.names}

    def next(self, *, timed: bool = True) -> str:
        """The name of the source whose turn it is; ``timed``: whether a time limit ends the run."""
        each = [self.of[name] for name in self.names]
        for name, one in zip(self.names, each, strict=True):
            if not one.calls:
                return name
        effort = np.array([one.effort for one in each])
        calls = sum(one.calls for one in each)
        unit = float(effort.sum()) / max(min(calls, 1 / (1 - FORGET)), 1.0)
        rate = (np.array([one.gained for one in each]) + HOPE) / (effort + unit)
        share = np.maximum(rate / rate.sum(), LEAST)
        share[0] = max(share[0], LEAST if timed else HALF)
        share[1:] *= (1.0 - share[0]) / share[1:].sum()
        return self.names[int(np.argmin(effort / share))]

    def told(self, ceiling: float) -> dict[str, dict[str, float | None]]:
        """Calls, seconds, improvements and best value of each, which is None if it breaks rows."""
        return {
            name: {
                "calls": one.calls,
                "seconds": one.seconds,
                "improvements": one.improvements,
                "best": one.best if one.best <= ceiling and one.best < np.inf else None,
            }
            for name, one in self.of.items()
        }

    def book(self, name: str, *, effort: float, gained: float) -> None:
        """Take in a call's effort and gain."""
        for one in self.of.values():
            one.gained *= FORGET
            one.effort *= FORGET
        self.of[name].calls += 1
        self.of[name].gained += gained
        self.of[name].effort += effort


def effort_of_call(oracle: object, samples: Samples, couplers: int, timed: bool) -> float:
    """What a call has cost, in candidates that repair looks at in the same time.

    By the work of the annealer, so that the same seed gives the same result; by the seconds that
    another oracle says it took only where a time limit ends the run anyway.

    Examples
    --------
    >>> answer = Samples(np.zeros((2, 5), dtype=np.int8), np.zeros(2), seconds=3.0)
    >>> effort_of_call(Annealer(reads=2, sweeps=10), answer, 4, True)
    24.0
    """
    for layer in layers(oracle):
        if isinstance(layer, Annealer):
            swept: float = samples.x.shape[1] + couplers / 4
            return ANNEALED * layer.reads * layer.sweeps * swept
    return LOOKS * samples.seconds if timed else CALL


def gains(pool: Pool, before: Pool, points: BitArray, worth: FloatArray) -> FloatArray:
    """What each point has gained: 1 / (1 + its rank) if it is new in the pool, else 0.

    Examples
    --------
    >>> before, pool = Pool(2), Pool(2)
    >>> before.add(np.array([[0, 1]]), np.array([3.0]))
    >>> points, worth = np.array([[1, 1], [0, 1]], dtype=np.int8), np.array([2.0, 3.0])
    >>> pool.add(points, worth)
    >>> gains(pool, before, points, worth).tolist()
    [1.0, 0.0]
    """
    known = _among(points, before.bits)
    rank = np.searchsorted(pool.losses, worth)
    return np.where(~known & _among(points, pool.bits), 1.0 / (1.0 + rank), 0.0)


def _among(points: BitArray, others: BitArray) -> BoolArray:
    """Which points are among others."""
    if not len(others):
        return np.zeros(len(points), dtype=np.bool_)
    return np.asarray((points[:, None] == others[None]).all(axis=2).any(axis=1))
