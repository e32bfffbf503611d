"""Candidates from an oracle's samples, and starting points of its next reads.

QCGD and its baselines share this: every read is a candidate and is scored.  With repair, the
repaired read is another candidate, and the oracle's own result stays on record.  The best
candidates form the pool from which later calls and the other sources start.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from formulations.arrays import BitArray, FloatArray
from formulations.checks import check_flag, check_several, check_whole, choose
from formulations.errors import InvalidInputError
from solvers.oracles import QUBO, Samples, WarmOracle
from solvers.qcgd.repair import Polish, Repair
from solvers.qcgd.scoring import ModelScoring, Pool, Scoring, WithSlack
from solvers.qcgd.sources.base import ORACLE, Source
from solvers.qcgd.sources.shares import BATCH_EFFORT, Contribution, Shares, effort_of_call, gains
from solvers.qcgd.sources.table import SOURCES, sources_of
from solvers.run.executors import ExecutorChoice, Team, check_executor
from solvers.run.option_checks import MOST_WORKERS
from solvers.run.result import Incumbent
from solvers.run.run import Run
from solvers.run.stopping import Course, StopRule

GUESSES = 1000
"""Random networks from which the pool is seeded.  Scoring them takes between a tenth of a call of
ten reads of twenty sweeps (64-16-10) and two calls (16-4-1)."""


def met(bound: float, loss: float, tolerance: float | None) -> bool:
    """Return whether a loss meets the bound; never without a tolerance."""
    return tolerance is not None and loss <= bound + tolerance


@dataclass(frozen=True)
class Candidates:
    """Options for turning samples into candidates, and these into starting points of later calls.

    Parameters
    ----------
    pool : int
        Best candidates kept as starting points.
    fresh : int
        One call in this many starts from random states, the others from the pool, which for
        networks is seeded with the best of a thousand random ones. 1: all start from random states,
        without a pool.
    repair : bool
        Whether samples of a constrained model are repaired and networks from several sources
        polished, see :mod:`solvers.qcgd.repair`.  ``info["oracle_best"]`` is the oracle's own best
        result.
    sources : tuple of str
        Sources of candidates if there are a pool and repair: ``"oracle"``, ``"perturbation"``,
        ``"relinking"`` and, for a constrained model, ``"annealing"``, ``"restricted"``,
        ``"enumeration"``, ``"halves"`` and ``"spectral"``, see :mod:`solvers.qcgd.sources`.
        ``("oracle",)`` is the pure method: it repairs a constrained model's samples but does not
        polish networks.
    wanted : int
        Distinct feasible candidates required before a proof ends the run.
    parts : int
        Number of parts in which a source's points are repaired or polished, each with its own
        random stream; the parts of one batch run in parallel.
    executor, workers
        Where the parts run, see :class:`~solvers.run.executors.Team`; they change no result.
    """

    pool: int = 10
    fresh: int = 10
    repair: bool = True
    sources: tuple[str, ...] = (ORACLE, *SOURCES)
    wanted: int = 1
    parts: int = 1
    executor: ExecutorChoice = None
    workers: int | None = None

    def __post_init__(self) -> None:
        for name in ("pool", "fresh", "wanted", "parts"):
            check_whole(name, getattr(self, name))
        check_executor(self.executor)
        if self.workers is not None:
            check_whole("workers", self.workers, most=MOST_WORKERS)
        check_flag("repair", self.repair)
        for name in check_several("sources", self.sources, "names"):
            choose("source of candidates", name, [ORACLE, *SOURCES])
        if ORACLE not in self.sources:
            raise InvalidInputError(f"sources={self.sources!r}: expected 'oracle' among them")


def _child(seed: np.random.SeedSequence, number: int, kind: int = 2) -> np.random.SeedSequence:
    """Return the random stream of a batch by its number in the run, unchanged by a resume.

    Streams 0 and 1 of an iteration are those of its call, 2 those of batches, 3 of their parts.
    """
    return np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, kind, number))


def _repaired(
    repair: Repair | Polish, part: tuple[BitArray, np.random.SeedSequence]
) -> tuple[BitArray, int]:
    """Return points near others, and how many candidates were evaluated for them."""
    looked = repair.looked
    return repair(*part), repair.looked - looked


class Scorer:
    """Scorer of one run: scores, pool and starting points.

    Parameters
    ----------
    target : Scoring
        Scoring of samples.
    pool : int
        Best candidates kept as starting points.
    fresh : int
        One call in this many starts from random states, the others from the pool; 1: all.
    repair : Repair or Polish, optional
        Improves candidates.
    ceiling : float
        Upper bound on the value of a candidate that satisfies all rows.
    sources : mapping of str to Source, optional
        Other sources of candidates.
    wanted : int
        Distinct feasible candidates required before a proof ends the run.

    Attributes
    ----------
    oracle_best : Incumbent
        The best candidate that the oracle found without repair.
    feasible_reads : int
        Reads that satisfied all rows without repair.
    share : float or None
        Share of these in the latest call; None for networks, which have no rows.
    holding : int
        Consecutive calls in which more than half of the reads satisfied all rows.
    idle, stale : int
        Calls since the pool, and since the best candidate, last improved.
    repair_seconds : float
    """

    def __init__(
        self,
        target: Scoring,
        pool: int = 10,
        fresh: int = 10,
        repair: Repair | Polish | None = None,
        ceiling: float = np.inf,
        sources: Mapping[str, Source] | None = None,
        wanted: int = 1,
    ) -> None:
        self.wanted = wanted
        self.target, self.repair, self.fresh, self.ceiling = target, repair, fresh, ceiling
        self.pool, self.oracle_best = Pool(pool), Incumbent()
        self.feasible_reads = self.reads = self.idle = self.stale = self.holding = 0
        self.repair_seconds = 0.0
        self.share: float | None = None
        self.sources = dict(sources or {})
        self.shares = Shares([ORACLE, *self.sources])
        self.improved_by: str | None = None  # source of the best candidate
        self.team: Team[Repair | Polish] = Team([])

    @classmethod
    def of(cls, target: Scoring, options: Candidates, *, slack: bool = True) -> Scorer:
        """Make the scorer for ``target``, on request with slack words for inequalities.

        Local search uses the model without them.
        """
        model = target.model
        sampled = WithSlack(target) if slack and not model.equality.all() else target
        sources = options.sources if options.repair and options.fresh > 1 else (ORACLE,)
        constrained = isinstance(target, ModelScoring)
        repair = options.repair and (constrained or sources != (ORACLE,))
        search = target.local_search() if repair else None
        ceiling = target.ceiling if isinstance(target, ModelScoring) else np.inf
        others = {} if search is None else sources_of(target, search.num_variables, sources)
        made = cls(sampled, options.pool, options.fresh, search, ceiling, others, options.wanted)
        if search is not None and options.parts > 1:
            each = [copy.deepcopy(search) for _ in range(options.parts)]  # Threads share no state.
            made.team = Team(each, options.executor, options.workers, "part {}".format)
        return made

    def _mended(self, points: BitArray, seed: np.random.SeedSequence) -> BitArray:
        """Repair or polish points, in parts if there are workers."""
        assert self.repair is not None
        if not self.team.models:
            return self.repair(points, seed)
        parts = np.array_split(points, len(self.team.models))
        tasks = [(k, (part, _child(seed, k, 3))) for k, part in enumerate(parts) if len(part)]
        mended = self.team.ask(_repaired, tasks)
        self.repair.looked += sum(looked for _, looked in mended)
        return np.concatenate([part for part, _ in mended])

    def ask(self, run: Run, qubo: QUBO, t: int, seed: np.random.SeedSequence) -> Samples:
        """Ask the oracle in call number t, from random states or from the pool."""
        call, draw = seed.spawn(2)
        warm = isinstance(run.oracle, WarmOracle) and len(self.pool.losses)
        warm = bool(warm) and (t - 1) % self.fresh > 0
        if not warm:
            return run.ask(qubo, call)
        reads = int(getattr(run.oracle, "reads", 1))
        starts = self.pool.draw(np.random.default_rng(draw), reads)
        return run.ask(qubo, call, np.stack([self.target.complete(start) for start in starts]))

    def score(
        self, samples: Samples, run: Run, seed: np.random.SeedSequence, couplers: int = 0
    ) -> None:
        """Offer every read, and its repaired form, to the incumbent and to the pool."""
        started = time.perf_counter()
        candidates, worth = self.target.candidates(samples.x)
        pool, before, best = replace(self.pool), self.pool.losses, run.incumbent.loss
        pooled = self.fresh > 1 and (isinstance(run.oracle, WarmOracle) or self.sources)
        if pooled and not self.reads:
            self._guess(run, seed)
        self.oracle_best.offer(candidates, worth)
        self.pool.add(candidates, worth)  # keeps the incumbent in the pool on Ctrl-C
        run.incumbent.offer(candidates, worth)
        held = int(np.count_nonzero(worth <= self.ceiling))
        self.feasible_reads += held
        self.reads += len(samples.x)
        self.share = held / len(worth) if np.isfinite(self.ceiling) else None
        self.holding = self.holding + 1 if self.share is not None and self.share > 0.5 else 0
        pace = None if run.time_limit is None else self.shares.pace()
        effort = effort_of_call(run.oracle, samples, couplers, pace)
        if self.repair is not None:
            effort -= self.repair.looked
            begun = time.perf_counter()
            mended, better = self.target.score(self._mended(candidates, seed))
            self.pool.add(mended, better)
            run.incumbent.offer(mended, better)
            self.repair_seconds += time.perf_counter() - begun
            effort += self.repair.looked
            candidates, worth = np.concatenate([candidates, mended]), np.append(worth, better)
        self.idle = self.idle + 1 if np.array_equal(before, self.pool.losses) else 0
        self.stale = self.stale + 1 if run.incumbent.loss == best else 0
        gained = 0.0
        if self.sources and len(before):
            gained = float(gains(self.pool, pool, candidates, worth).sum())
        self.shares.book(ORACLE, effort=effort, gained=gained)
        seconds = samples.seconds + time.perf_counter() - started
        self._tell(ORACLE, worth, run.incumbent.loss < best, seconds)

    def explore(self, run: Run, seed: np.random.SeedSequence) -> bool:
        """Take candidates from the other sources until the oracle's turn.

        Returns
        -------
        bool
            True at the oracle's turn, False if the time is over.
        """
        while self.sources and len(self.pool.losses) and not (self.proven and self.enough):
            name = self.shares.next(timed=run.time_limit is not None)
            if name == ORACLE:
                break
            if run.late():
                return False
            best = run.incumbent.loss
            number = sum(self.shares.of[other].calls for other in self.sources)
            self._from(name, run, _child(seed, number))
            if run.incumbent.loss < best:
                run.told_to_stop(run.iteration)
        return True

    def _from(self, name: str, run: Run, seed: np.random.SeedSequence) -> None:
        """Offer a repaired batch of a source's points."""
        assert self.repair is not None
        started, looked, best = time.perf_counter(), self.repair.looked, run.incumbent.loss
        before = replace(self.pool)
        source = self.sources[name]
        points = source.points(self.pool, np.random.default_rng(seed))
        points, worth = self.target.score(points)
        if len(points):
            if not source.repaired:
                points, worth = self.target.score(self._mended(points, seed))
            self.pool.add(points, worth)
            run.incumbent.offer(points, worth)
        gained = gains(self.pool, before, points, worth)
        source.learn(gained)
        effort = BATCH_EFFORT + source.effort + self.repair.looked - looked
        self.shares.book(name, effort=effort, gained=float(gained.sum()))
        self._tell(name, worth, run.incumbent.loss < best, time.perf_counter() - started)
        self.idle = 0 if gained.any() else self.idle
        self.stale = 0 if run.incumbent.loss < best else self.stale

    def _tell(self, name: str, worth: FloatArray, better: bool, seconds: float) -> None:
        """Record the results of a source."""
        one = self.shares.of[name]
        one.seconds += seconds
        one.improvements += better
        self.improved_by = name if better else self.improved_by
        one.best = min(one.best, float(worth.min(initial=np.inf)))

    def _guess(self, run: Run, seed: np.random.SeedSequence) -> None:
        """Offer random candidates, so that the pool does not start with the oracle's alone.

        For a model of many classes, a short anneal from random states gives networks that are worse
        than random ones and do not improve later.
        """
        guesses, worth = self.target.guesses(np.random.default_rng(seed), GUESSES)
        if len(guesses):
            run.incumbent.offer(guesses, worth)
            self.pool.add(guesses, worth)

    @property
    def proven(self) -> bool:
        """True if the best candidate meets the floor, or no candidate can satisfy all rows."""
        target, losses = self.target, self.pool.losses
        return self.hopeless or (len(losses) > 0 and met(target.floor, losses[0], target.tolerance))

    @property
    def hopeless(self) -> bool:
        """True if no candidate can satisfy all rows."""
        return self.target.floor >= self.ceiling

    @property
    def enough(self) -> bool:
        """True if there are enough distinct feasible candidates, or there can be none."""
        held = int(np.count_nonzero(self.pool.losses <= self.ceiling))
        return held >= self.wanted or self.hopeless

    def over(self, rule: StopRule, calls: int) -> bool:
        """Return whether the rule ends the run; never without a feasible candidate."""
        course = Course(calls, self.stale, self.idle)
        return bool(self.pool.losses[0] <= self.ceiling) and rule.over(course)

    def snapshot(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {
            "pool": self.pool.snapshot(),
            "oracle_best": vars(self.oracle_best),
            "feasible_reads": self.feasible_reads,
            "reads": self.reads,
            "idle": self.idle,
            "stale": self.stale,
            "holding": self.holding,
            "repair_seconds": self.repair_seconds,
            "shares": {name: vars(one) for name, one in self.shares.of.items()},
            "sources": {name: source.snapshot() for name, source in self.sources.items()},
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.pool.restore(snapshot["pool"])
        self.oracle_best = Incumbent(**snapshot["oracle_best"])
        for name in ("feasible_reads", "reads", "idle", "stale", "repair_seconds"):
            setattr(self, name, snapshot[name])
        self.holding = snapshot.get("holding", 0)  # missing in older checkpoints
        for name, numbers in snapshot.get("shares", {}).items():
            self.shares.of[name] = Contribution(**numbers)
        for name, parts in snapshot.get("sources", {}).items():
            self.sources[name].restore(parts)
