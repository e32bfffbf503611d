"""Population of walks, run side by side on the available workers.

Between two segments the temperature falls, and the walks are resampled with weights exp(-(1/T' -
1/T) loss), which replaces poor walks by copies of better ones (population annealing: Hukushima and
Iba 2003).  A walk travels as a snapshot, so any worker can run its next segment.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple

import numpy as np

from formulations.arrays import BitArray, FloatArray
from solvers.neighborhood.neighborhoods import Adaptive, Policy
from solvers.neighborhood.steps import Tally, Walk
from solvers.oracles.base import BatchOracle, Oracle
from solvers.oracles.deadline import answer_by
from solvers.oracles.together import Asking, together
from solvers.run.checkpoint import Carried
from solvers.run.executors import Team
from solvers.run.run import Run


@dataclass
class Search:
    """A walk with its position, the rewards of its policies, and its random stream."""

    walk: Walk
    arms: Adaptive
    rng: np.random.Generator = field(default_factory=np.random.default_rng)
    at: Mapping[str, Any] | None = None

    def go(self, segment: Segment) -> Asking[Tally]:
        """Solve restricted problems of drawn policies and sizes, and learn from the gains.

        Questions to an oracle are yielded.
        """
        _, temperature, steps, rounds, seconds = segment
        until = inf if seconds is None else time.perf_counter() + seconds
        tally = Tally()
        for _ in range(steps):
            left = None if rounds is None else rounds - tally.rounds
            late = tally.rounds > 0 and time.perf_counter() >= until
            if self.walk.at_floor or left == 0 or late:
                break
            arm = self.arms.pick(self.rng)
            policy, size = self.arms.arms[arm]
            gain = self.walk.step(policy, size, temperature, left, self.rng, tally)
            self.arms.learn(arm, gain if isinstance(gain, float) else (yield from gain))
        return tally

    def snapshot(self) -> Mapping[str, Any]:
        parts = {"walk": self.walk.snapshot(), "rewards": self.arms.rewards}
        self.at = {**copy.deepcopy(parts), "rng": _twin(self.rng)}
        return self.at

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot, unless it is the latest one."""
        if snapshot is not self.at:
            self.walk.restore(snapshot["walk"])
            self.arms.rewards, self.rng = snapshot["rewards"].copy(), _twin(snapshot["rng"])


def _twin(rng: np.random.Generator) -> np.random.Generator:
    """Copy a generator; ``deepcopy`` takes longer, since it also copies how it was seeded."""
    bits = type(rng.bit_generator)(0)
    bits.state = rng.bit_generator.state
    return np.random.Generator(bits)


class Segment(NamedTuple):
    """Segment of one walk: its start, its temperature, and its limits.

    The limits are steps of the walk, restricted problems, and seconds.
    """

    snapshot: Mapping[str, Any]
    temperature: float
    steps: int
    rounds: int | None = None
    seconds: float | None = None


class SegmentResult(NamedTuple):
    """Result of a segment: snapshot and its loss, best weights met and their loss, effort."""

    snapshot: Mapping[str, Any]
    loss: float
    best_bits: BitArray
    best_loss: float
    tally: Tally


class Worker:
    """Kind of walk on a problem, with policies and sizes, as sent to workers.

    Each process keeps the walks of finished segments for later ones.

    Parameters
    ----------
    make_walk : callable
        Makes a new walk; picklable if workers are other processes.
    arms : sequence of (Policy, int)
    oracle : Oracle, optional
        Answers the walks' questions.
    """

    def __init__(
        self,
        make_walk: Callable[[], Walk],
        arms: Sequence[tuple[Policy, int]],
        oracle: Oracle | None = None,
    ) -> None:
        self._make_walk, self._arms, self.oracle = make_walk, list(arms), oracle
        self._idle: list[Search] = []

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_idle": []}

    @contextmanager
    def search(self) -> Iterator[Search]:
        """Lend a search that no other thread uses meanwhile."""
        try:
            search = self._idle.pop()  # atomic, since several threads may share this object
        except IndexError:
            search = Search(self._make_walk(), Adaptive(self._arms))
        yield search
        self._idle.append(search)

    @property
    def floor(self) -> float:
        """Lower bound on the loss of all weights."""
        with self.search() as search:
            return search.walk.floor

    def begin(self, bits: BitArray, rng: np.random.Generator) -> SegmentResult:
        """Return a walk at free weight bits, shape (num_free_bits,), before its first step."""
        with self.search() as search:
            search.walk.begin(bits)
            search.arms, search.rng = Adaptive(self._arms), rng
            return arrival(search, Tally())

    def mean_change(self, start: SegmentResult, rng: np.random.Generator) -> float:
        """Return the mean |change of the loss| per move from a walk's position."""
        with self.search() as search:
            search.restore(start.snapshot)
            return search.walk.mean_change(rng)


def arrival(search: Search, tally: Tally) -> SegmentResult:
    """Return the current position of a search as a result."""
    walk = search.walk
    bits, loss = walk.best()
    return SegmentResult(search.snapshot(), walk.loss, bits, loss, tally)


def advance(ground: Worker, segments: Sequence[Segment]) -> list[SegmentResult]:
    """Run segments of several walks on a worker, answering their questions together."""
    left = segments[0].seconds
    until = None if left is None else time.perf_counter() + left
    with ExitStack() as held:
        searches = [held.enter_context(ground.search()) for _ in segments]
        for search, segment in zip(searches, segments, strict=True):
            search.restore(segment.snapshot)
        held.enter_context(answer_by(until))
        going = [search.go(segment) for search, segment in zip(searches, segments, strict=True)]
        tallies = together(going, ground.oracle)
        return [arrival(*pair) for pair in zip(searches, tallies, strict=True)]


@dataclass
class Population(Carried):
    """All walks between two segments, as snapshots.

    Parameters
    ----------
    team : Team of Worker
        Workers of the team; its only model is a :class:`Worker`.
    rng : numpy.random.Generator
        Random stream for resampling the walks.
    """

    CARRIED = ("rng", "losses", "temperature", "hot", "cold", "walks", "tally")

    team: Team[Worker]
    rng: np.random.Generator
    walks: list[Mapping[str, Any]] = field(default_factory=list)
    losses: FloatArray = field(default_factory=lambda: np.zeros(0))
    temperature: float = inf
    hot: float = np.nan
    cold: float = np.nan
    tally: Tally = field(default_factory=Tally)

    def arrive(self, arrivals: Sequence[SegmentResult], run: Run) -> None:
        """Store the walks' new positions, and offer the best weights that they met."""
        self.walks = [arrival.snapshot for arrival in arrivals]
        self.losses = np.array([arrival.loss for arrival in arrivals])
        for arrival in arrivals:
            self.tally.add(arrival.tally)
            run.ledger.add(arrival.tally.ledger)
            if arrival.best_loss < run.incumbent.loss - 1e-9:
                run.incumbent.offer(arrival.best_bits[None], [arrival.best_loss])

    def go(
        self,
        done: float,
        run: Run,
        steps: int,
        rounds: int | None = None,
        seconds: float | None = None,
    ) -> None:
        """Run one segment of every walk at a share ``done`` of the cooling.

        The limits are those of a :class:`Segment`; rounds are divided among the walks.
        """
        temperature = float(self.hot * (self.cold / self.hot) ** done)
        self._resample(temperature)
        count = len(self.walks)
        segments = []
        for k, snapshot in enumerate(self.walks):
            share = None if rounds is None else (rounds + k) // count
            segments.append(Segment(snapshot, temperature, steps, share, seconds))
        whole = isinstance(self.team.models[0].oracle, BatchOracle)
        parts = [segments] if whole else [[segment] for segment in segments]
        results = self.team.ask(advance, [(0, part) for part in parts])
        self.arrive([result for part in results for result in part], run)

    def _resample(self, temperature: float) -> None:
        """Resample the walks for a lower temperature, systematically by their weights."""
        fall = 1.0 / temperature - 1.0 / self.temperature
        self.temperature = temperature
        if fall <= 0 or len(self.walks) == 1 or not np.isfinite(fall):
            return
        weights = np.exp(-fall * (self.losses - self.losses.min()))
        edges = np.cumsum(weights / weights.mean())
        drawn = np.searchsorted(edges, np.arange(len(edges)) + self.rng.random())
        chosen = np.minimum(drawn, len(edges) - 1)
        # Shallow copies do, for a search copies what it changes.
        copies: list[Mapping[str, Any]] = [{**self.walks[k]} for k in chosen]
        for number, place in enumerate(chosen.tolist()):
            if place in chosen[:number]:  # a copy gets its own random stream
                own = np.random.default_rng(int(self.rng.integers(2**63)))
                copies[number] = {**copies[number], "rng": own}
        self.walks, self.losses = copies, self.losses[chosen]

    def shares(self, arms: Sequence[tuple[Policy, int]]) -> dict[str, float]:
        """Return the share of each policy and size in the draws, averaged over the walks."""
        if not self.walks:  # interrupted before the first walk began
            return {}
        names = [f"{policy.name}:{size}" for policy, size in arms]
        chances = []
        for snapshot in self.walks:
            learnt = Adaptive(list(arms))
            learnt.rewards = snapshot["rewards"]
            chances.append(learnt.chances())
        return dict(zip(names, np.mean(chances, axis=0).round(3).tolist(), strict=True))
