"""Large neighbourhood search: free a few weights around an incumbent, solve that, accept, go on.

A round draws a free set, solves the restricted problem and moves to its answer, at a temperature
that falls over the run.  The restricted problem goes to an oracle as a QUBO or, being small, is
enumerated, which is the honest rival of any Ising machine at this size.  (Large neighbourhood
search: Shaw 1998; annealed acceptance: Ropke and Pisinger 2006.)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from formulations.errors import InvalidInputError
from solvers.checkpoint import EVERY, Checkpoint, Folder
from solvers.free_sets import POLICIES, Adaptive, Policy, policy
from solvers.oracles.base import Oracle
from solvers.result import Callback, Result, Run, Status
from solvers.starts import Start, start_bits
from solvers.walks import EnumeratedWalk, OracleWalk, Walk

if TYPE_CHECKING:
    from formulations import TrainingProblem

BitArray = npt.NDArray[np.int8]

MAX_ENUMERATED = 20
"""Most weights that enumeration frees at a time."""

START, END = 0.2, 0.003
"""Default temperatures, in units of the mean |change of the loss| of a move at the start."""

STEPS = 64
"""Least number of steps of a run of given rounds, each at a temperature of its own."""


@dataclass(frozen=True)
class LargeNeighborhoodSearch:
    """Restricted problems around an incumbent.

    Parameters
    ----------
    oracle : Oracle, optional
        Solves each restricted problem as a QUBO.  None enumerates it exactly, by incremental
        forward passes.
    rounds : int, optional
        Restricted problems in all.  None goes on to the time limit, or takes 20,000 by enumeration
        and 300 by an oracle where there is none.
    start : solver, Result, Weights or None
        Where to begin.  Another solver is run first, and its time counts; None draws random
        weights.
    policies : sequence of str or Policy
        Ways to draw a free set, among which the search learns: ``random``, ``one-unit``,
        ``two-units``, ``worst-samples``, or objects of :mod:`solvers.free_sets`.
    sizes : sequence of int
        Numbers of weights to free, learnt with the policies; at most 20 for enumeration.
    batch : int, optional
        Samples that an oracle's model is built on; answers are scored on all of them.
    variables : int, optional
        Largest model for the oracle, such as 180 for a QPU; samples are left out until it fits.
    cycles : int
        How many times the temperature falls from start to end.
    start_temperature, end_temperature : float, optional
        In units of the loss.  None takes 0.2 and 0.003 times the mean |change of the loss| of a
        move at the start.
    seed : int
        Same seed, same result, unless the clock rules the temperature (``rounds=None`` with a
        time limit) or cuts in.
    time_limit : float, optional
        Seconds.
    callbacks : tuple of callable
        Called after each step with a ``Progress``; one that returns True stops the run.
    checkpoint : path-like, optional
        Folder for a checkpoint, from which the same call goes on: see :mod:`solvers.checkpoint`.
        The solver that starts is not run again once its result is in there.
    checkpoint_every : float
        Seconds between two checkpoints; 0 saves after every step.

    Raises
    ------
    InvalidInputError
        For values out of range and unknown names.

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
    batch: int | None = None
    variables: int | None = None
    cycles: int = 1
    start_temperature: float | None = None
    end_temperature: float | None = None
    seed: int = 0
    time_limit: float | None = None
    callbacks: tuple[Callback, ...] = ()
    checkpoint: Folder | None = None
    checkpoint_every: float = EVERY

    def __post_init__(self) -> None:
        if not list(self.policies) or not list(self.sizes):
            raise InvalidInputError("expected at least one policy and one size")
        for spec in self.policies:
            policy(spec)
        counts = [("sizes", s) for s in self.sizes]
        counts += [(n, getattr(self, n)) for n in ("rounds", "batch", "variables", "cycles")]
        for name, value in counts:
            if value is not None and (not isinstance(value, (int, np.integer)) or value < 1):
                raise InvalidInputError(f"{name}={value!r}: expected a positive integer")
        if self.oracle is None and max(self.sizes) > MAX_ENUMERATED:
            raise InvalidInputError(
                f"sizes={tuple(self.sizes)}: enumeration frees at most {MAX_ENUMERATED} weights at "
                "a time; give an oracle for more"
            )
        for name in ("start_temperature", "end_temperature"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < np.inf:
                raise InvalidInputError(f"{name}={value!r}: expected a number, zero or more")

    def solve(self, problem: TrainingProblem) -> Result:
        """Search the free weight bits of ``problem``.

        Returns
        -------
        Result
            OPTIMAL where the loss has met a bound that no weights can beat.  ``info`` has the share
            of each policy and size in the draws at the end, the rounds, and the choices evaluated
            or the size of the oracle's models.
        """
        run = Run(
            time_limit=self.time_limit,
            callbacks=tuple(self.callbacks),
            checkpoint=Checkpoint.of(self, problem),
        )
        rng = np.random.default_rng(np.random.SeedSequence(self.seed).spawn(1)[0])
        arms = Adaptive([(policy(p), int(s)) for p in self.policies for s in self.sizes])
        search = _Search(self._walk(problem), arms, rng)
        walk, rounds = search.walk, self._rounds()
        with run.guarded():
            if not run.resume(search):
                walk.begin(self._start_bits(problem, run, rng))
                walk.offer_best(run)
                search.hot, search.cold = self._temperatures(walk, rng)
            for t in run.steps(None):
                if walk.at_floor or (rounds is not None and walk.rounds >= rounds):
                    break
                done = walk.rounds / rounds if rounds else run.seconds / (self.time_limit or 1.0)
                temperature = search.temperature(min(done, 1.0) * self.cycles % 1.0)
                left = None if rounds is None else min(rounds - walk.rounds, -(-rounds // STEPS))
                search.step(temperature, left, run)
                walk.offer_best(run)
                run.history.record(
                    iteration=t,
                    rounds=walk.rounds,
                    temperature=temperature,
                    loss=walk.loss,
                    best_loss=run.incumbent.loss,
                )
        if walk.at_floor:
            run.status = Status.OPTIMAL
        names = [f"{p.name}:{s}" for p, s in arms.arms]
        return run.result(
            problem,
            lower_bound=walk.floor if walk.at_floor else None,
            shares=dict(zip(names, arms.chances().round(3).tolist(), strict=True)),
            **walk.info(),
        )

    def _rounds(self) -> int | None:
        if self.rounds is not None or self.time_limit is not None:
            return self.rounds
        return 20_000 if self.oracle is None else 300

    def _walk(self, problem: TrainingProblem) -> Walk:
        if self.oracle is None:
            return EnumeratedWalk(problem)
        return OracleWalk(problem, self.oracle, self.batch, self.variables)

    def _start_bits(self, problem: TrainingProblem, run: Run, rng: np.random.Generator) -> BitArray:
        """Free bits to begin with: those of the start, or random ones."""
        bits = start_bits(self.start, problem, run)
        if bits is None:
            bits = rng.integers(0, 2, problem.num_free_bits, dtype=np.int8)
        return problem.repair_bits(bits)

    def _temperatures(self, walk: Walk, rng: np.random.Generator) -> tuple[float, float]:
        """First and last temperature; what is not given follows from the scale of a move."""
        start, end = self.start_temperature, self.end_temperature
        scale = 1.0 if start is not None and end is not None else walk.mean_change(rng)
        hot = START * scale if start is None else start
        cold = min(hot, END * scale) if end is None else end
        return max(hot, 1e-12), max(cold, 1e-12)


@dataclass
class _Search:
    """What goes from round to round: where the walk is, what has been learnt, the random stream."""

    walk: Walk
    arms: Adaptive
    rng: np.random.Generator
    hot: float = np.nan
    cold: float = np.nan

    def temperature(self, done: float) -> float:
        """Temperature when a share of the cooling is done."""
        return float(self.hot * (self.cold / self.hot) ** done)

    def step(self, temperature: float, limit: int | None, run: Run) -> None:
        """Solve restricted problems of one policy and size, and learn what they brought."""
        arm = self.arms.pick(self.rng)
        chosen, size = self.arms.arms[arm]
        self.arms.learn(arm, self.walk.step(chosen, size, temperature, limit, self.rng, run))

    def snapshot(self) -> Mapping[str, Any]:
        """All that a round changes."""
        return {
            "walk": self.walk.snapshot(),
            "rewards": self.arms.rewards,
            "rng": self.rng,
            "hot": self.hot,
            "cold": self.cold,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        self.walk.restore(snapshot["walk"])
        self.arms.rewards, self.rng = snapshot["rewards"], snapshot["rng"]
        self.hot, self.cold = snapshot["hot"], snapshot["cold"]
