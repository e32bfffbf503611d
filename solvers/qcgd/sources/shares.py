"""Time sharing among the sources of candidates, including the oracle.

A source makes new points from the pool of the best candidates; they are repaired and scored like an
oracle's samples.  Each source gets time in proportion to its recent gain per effort, and at least a
small share.  Effort is counted, not timed, so that the same seed gives the same result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from formulations.arrays import BitArray, BoolArray, FloatArray
from solvers.oracles import Annealer, Samples
from solvers.oracles.wrappers.base import layers
from solvers.qcgd.scoring import Pool
from solvers.qcgd.sources.base import FORGET, HOPE

LEAST, PATIENT, MOST = 0.05, {"annealing": 0.4, "enumeration": 0.3}, {"spectral": 0.1}
"""Shares of the effort: the minimum for every source, a minimum for sources that gain rarely but
find what others miss, and a maximum for one whose bounds cost more than its points gain."""

BATCH_EFFORT = 5e4
"""Effort of a batch besides repair, in units of repair candidates of equal time."""


@dataclass
class Contribution:
    """Cost and gains of a source.

    Parameters
    ----------
    calls : int
        Calls of the oracle, or batches of points.
    seconds : float
        Repair included.
    improvements : int
        Calls that improved the best candidate.
    best : float
        Value of its best candidate.
    gained, effort : float
        Recent values, see :class:`Shares`.
    spent : float
        All effort so far.
    """

    calls: int = 0
    seconds: float = 0.0
    improvements: int = 0
    best: float = np.inf
    gained: float = 0.0
    effort: float = 0.0
    spent: float = 0.0


@dataclass
class Shares:
    """Choice of the next source: the one furthest behind its share of the effort.

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
        """Return the next source's name; ``timed`` says whether a time limit ends the run.

        Without one, the oracle's calls limit the run, so it gets at least half of the effort, and
        the calls take at most twice as long.  Seconds count for the maximal shares of a timed run.
        """
        each = [self.of[name] for name in self.names]
        for name, one in zip(self.names, each, strict=True):
            if not one.calls:
                return name
        effort = np.array([one.effort for one in each])
        calls = sum(one.calls for one in each)
        unit = float(effort.sum()) / max(min(calls, 1 / (1 - FORGET)), 1.0)
        rate = (np.array([one.gained for one in each]) + HOPE) / (effort + unit)
        least = np.array([PATIENT.get(name, LEAST) for name in self.names])
        share = rate / rate.sum()
        share[0] = max(share[0], LEAST if timed else 0.5)
        above = np.maximum(share - least, HOPE)[1:]
        others = least[1:] + (1.0 - least[1:].sum()) * above / above.sum()
        share[1:] = (1.0 - share[0]) * others
        spent = np.array([one.seconds if timed else one.spent for one in each])
        most = np.array([MOST.get(name, 1.0) for name in self.names])
        over = spent * (1.0 + 1.0 / np.array([one.calls for one in each])) > most * spent.sum()
        return self.names[int(np.argmin(np.where(over & (most < 1.0), np.inf, effort / share)))]

    def told(self, ceiling: float) -> dict[str, dict[str, float | None]]:
        """Report each source's calls, seconds, improvements and best feasible value or None."""
        return {
            name: {
                "calls": one.calls,
                "seconds": one.seconds,
                "improvements": one.improvements,
                "best": one.best if one.best <= ceiling and one.best < np.inf else None,
            }
            for name, one in self.of.items()
        }

    def pace(self) -> float:
        """Return the effort per second of the sources besides the oracle, as measured so far."""
        others = [self.of[name] for name in self.names[1:]]
        seconds = sum(one.seconds for one in others)
        return sum(one.spent for one in others) / seconds if seconds else 7e7  # 10 to 290 million

    def book(self, name: str, *, effort: float, gained: float) -> None:
        """Book a call's effort and gain."""
        for one in self.of.values():
            one.gained *= FORGET
            one.effort *= FORGET
        self.of[name].calls += 1
        self.of[name].gained += gained
        self.of[name].effort += effort
        self.of[name].spent += effort


def effort_of_call(
    oracle: object, samples: Samples, couplers: int, pace: float | None = None
) -> float:
    """Return the cost of a call, in units of repair candidates of equal time.

    An annealer's cost is counted by its work, so that the same seed gives the same result.  Another
    oracle's reported seconds count only if a time limit ends the run anyway; ``pace`` is then the
    effort that other sources make in a second.

    Examples
    --------
    >>> answer = Samples(np.zeros((2, 5), dtype=np.int8), np.zeros(2), seconds=3.0)
    >>> effort_of_call(Annealer(reads=2, sweeps=10), answer, 4)
    24.0
    >>> effort_of_call(None, answer, 4, pace=1e6)
    3000000.0
    """
    for layer in layers(oracle):
        if isinstance(layer, Annealer):
            swept: float = samples.x.shape[1] + couplers / 4
            return 0.2 * layer.reads * layer.sweeps * swept
    return 2e6 if pace is None else pace * samples.seconds


def gains(pool: Pool, before: Pool, points: BitArray, worth: FloatArray) -> FloatArray:
    """Return each point's gain: 1 for the new best, 0.1 / (1 + rank) if new in the pool, else 0.

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
    better = (rank == 0) & (worth < before.losses.min(initial=np.inf))
    gained = np.where(better, 1.0, 0.1 / (1.0 + rank))
    return np.where(~known & _among(points, pool.bits), gained, 0.0)


def _among(points: BitArray, others: BitArray) -> BoolArray:
    """Return which points are among others."""
    if not len(others):
        return np.zeros(len(points), dtype=np.bool_)
    return np.asarray((points[:, None] == others[None]).all(axis=2).any(axis=1))
