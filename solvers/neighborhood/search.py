"""Large neighbourhood search: repeatedly free a few weights of an incumbent and solve for them.

A round draws a set of weights to free, solves the restricted problem and moves to its solution, at
a temperature that falls over the run.  Several walks may run side by side: see
:mod:`solvers.neighborhood.population`.  The restricted problem is sent to an oracle as a QUBO or
enumerated, which is the baseline for any Ising machine at this size.  (Large neighbourhood search:
Shaw 1998; annealed acceptance: Ropke and Pisinger 2006.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from formulations import TrainingProblem
from formulations.checks import check_number, check_several, check_whole, choose
from formulations.errors import InvalidInputError
from solvers.constrained.walk import GuardedWalk
from solvers.neighborhood.asking import OracleWalk
from solvers.neighborhood.neighborhoods import POLICIES, Policy, policy
from solvers.neighborhood.population import Population, SegmentResult, Worker
from solvers.neighborhood.steps import EnumeratedWalk
from solvers.oracles.base import Oracle, check_oracle
from solvers.run.executors import Team
from solvers.run.result import Result, Status, reach
from solvers.run.solver import Parallel, Start, check_start, start_bits

ROUNDS, ASKED_ROUNDS = 20_000, 300
"""Default numbers of rounds by enumeration and by an oracle."""

STRETCHES = 64
"""Minimum number of segments per run, each at its own temperature; maximum steps of one."""


@dataclass(frozen=True)
class LargeNeighborhoodSearch(Parallel):
    """Restricted problems around an incumbent.

    Parameters
    ----------
    oracle : Oracle, optional
        Solves each restricted problem as a QUBO.  None enumerates it exactly by incremental forward
        passes.
    rounds : int, optional
        Total number of restricted problems.  None runs until the time limit; without a limit it is
        20,000 by enumeration and 300 by an oracle.
    start : solver, Result, Weights or None
        Starting point.  A solver is run first, and its time counts; None draws random weights.
    policies : sequence of str or Policy
        Ways to draw the weights to free: ``random``, ``one-unit``, ``two-units``,
        ``worst-samples``, or objects of :mod:`solvers.neighborhood.neighborhoods`.  The search
        learns which of them pay.
    sizes : sequence of int
        Numbers of weights to free, learned like the policies; at most 20 for enumeration.
    model : {"states", "flips"}
        Model for the oracle: the exact one of free weights and network states, or the quadratic one
        of all single and double moves on all samples, for dozens of weights at a time.  See
        :mod:`solvers.neighborhood.asking`.
    batch : int, optional
        Number of samples in a model with states; answers are scored on all samples.
    variables : int, optional
        Maximum model size for the oracle, such as 180 for a QPU; samples (or weights, for flips)
        are dropped until it fits.
    walks : int
        Number of parallel walks, each from its own random start if no start is given.  As the
        temperature falls, copies of better walks replace poor ones.  An oracle with ``sample_many``
        answers the questions of all walks in one call, on one worker.
    cycles : int
        Number of times the temperature falls from start to end.
    start_temperature, end_temperature : float, optional
        In units of the loss.  None is 0.2 and 0.0003 times the mean |change of the loss| of a move
        at the start.
    executor, workers, seed, time_limit, callbacks, checkpoint, checkpoint_every
        See :class:`~solvers.run.solver.Parallel` and :class:`~solvers.run.solver.Iterative`.  With
        ``rounds=None`` and a time limit the clock sets the temperature, so runs with equal seeds
        differ.  A starting solver is not run again once its result is in the checkpoint.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    >>> LargeNeighborhoodSearch(rounds=100, seed=0).solve(problem).loss
    0.0
    """

    oracle: Oracle | None = None
    rounds: int | None = None
    start: Start | None = None
    policies: Sequence[str | Policy] = tuple(POLICIES)
    sizes: Sequence[int] = (2, 4, 6, 8)
    model: str = "states"
    batch: int | None = None
    variables: int | None = None
    walks: int = 1
    cycles: int = 1
    start_temperature: float | None = None
    end_temperature: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_start(self.start)
        if self.oracle is not None:
            check_oracle(self.oracle)
        for spec in check_several("policies", self.policies, f"policies, of {list(POLICIES)}"):
            policy(spec)
        for size in check_several("sizes", self.sizes, "numbers of weights to free"):
            check_whole("sizes", size)
        for name in ("rounds", "variables"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name))
        choose("model", self.model, ["states", "flips"])
        check_whole("walks", self.walks, most=4096)  # each walk stores all activations
        check_whole("cycles", self.cycles)
        if self.oracle is None and max(self.sizes) > 20:
            raise InvalidInputError(
                f"sizes={tuple(self.sizes)}: enumeration frees at most 20 weights at a time; give "
                "an oracle for more"
            )
        for name in ("start_temperature", "end_temperature"):
            value = getattr(self, name)
            if value is not None:
                check_number(name, value, zero=True)

    def solve(self, problem: TrainingProblem) -> Result:
        """Search the free weight bits of ``problem``.

        Returns
        -------
        Result
            OPTIMAL if the loss reaches its lower bound.  ``info`` has the final share of each
            policy and size in the draws, the rounds, and the choices evaluated or the sizes of the
            oracle's models.
        """
        run = self.begun(problem, self.oracle)
        arms = [(policy(p), int(s)) for p in self.policies for s in self.sizes]
        make: Callable[..., Any]
        if self.oracle is not None:
            make = partial(OracleWalk, problem, self.model, self.batch, self.variables)
        else:
            make = partial(GuardedWalk if problem.constraints else EnumeratedWalk, problem)
        ground = Worker(make, arms, self.oracle)
        floor, rounds = ground.floor, self._rounds()
        name = "a walk of the neighbourhood search".format  # whatever its number
        with run.guarded(), Team([ground], self.executor, self.workers, name) as team:
            main, *own = map(
                np.random.default_rng, np.random.SeedSequence(self.seed).spawn(1 + self.walks)
            )
            population = Population(team, main)
            if not run.resume(population):
                begun = start_bits(self.start, problem, run)
                start = None if begun is None else problem.repair_bits(begun)
                walks = [
                    ground.begin(problem.random_bits(rng, 1)[0] if start is None else start, rng)
                    for rng in own
                ]
                population.arrive(walks, run)
                population.hot, population.cold = self._temperatures(ground, walks[0], main)
            for t in run.steps(None):
                gone = population.tally.rounds
                if run.incumbent.loss <= reach(floor) or (rounds is not None and gone >= rounds):
                    break
                done = gone / rounds if rounds else run.seconds / (self.time_limit or 1.0)
                limits = self._limits(gone, run.seconds)
                population.go(min(done, 1.0) * self.cycles % 1.0, run, *limits)
                run.history.record(
                    iteration=t,
                    rounds=population.tally.rounds,
                    temperature=population.temperature,
                    loss=float(population.losses.min()),
                    best_loss=run.incumbent.loss,
                )
        proven = run.incumbent.loss <= reach(floor)
        if proven:
            run.status = Status.OPTIMAL
        return run.result(
            problem,
            lower_bound=floor if proven else None,
            shares=population.shares(arms),
            **population.tally.info(),
        )

    def _rounds(self) -> int | None:
        if self.rounds is not None or self.time_limit is not None:
            return self.rounds
        return ROUNDS if self.oracle is None else ASKED_ROUNDS

    def _limits(self, gone: int, seconds: float) -> tuple[int, int | None, float | None]:
        """Return the maximum steps, rounds and seconds of a segment.

        With an oracle a segment is one step, so that a paid answer is saved at once.
        """
        rounds, limit = self._rounds(), self.time_limit
        left = None if limit is None else max(0.0, limit - seconds)
        if limit is not None and left is not None and not self.oracle:
            left = min(left, limit / STRETCHES)
        least = self.walks if self.oracle else 1  # a question per walk, in one call if possible
        if rounds is not None:
            rounds = min(rounds - gone, max(least, -(-rounds // STRETCHES)))
        return 1 if self.oracle else STRETCHES, rounds, left

    def _temperatures(
        self, ground: Worker, start: SegmentResult, rng: np.random.Generator
    ) -> tuple[float, float]:
        """Return first and last temperature; defaults are scaled by the effect of a move.

        Its mean |change of the loss| at the start grows with the number of samples, while near the
        end a move affects only a few: on 10,000 nearly separable samples, an end temperature of
        0.003 leaves ten times the loss of 0.0003.
        """
        first, last = self.start_temperature, self.end_temperature
        given = first is not None and last is not None
        scale = 1.0 if given else ground.mean_change(start, rng)
        hot = 0.2 * scale if first is None else first
        cold = min(hot, 0.0003 * scale) if last is None else last
        return max(hot, 1e-12), max(cold, 1e-12)
