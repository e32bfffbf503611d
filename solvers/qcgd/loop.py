"""Loop of QCGD and fixed penalties: build a QUBO from multipliers, ask the oracle, score.

A run alternates between the oracle and the other sources of candidates;
:mod:`solvers.qcgd.candidates` processes the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from formulations.arrays import FloatArray
from formulations.model.qcbo import QCBO
from solvers.oracles import Oracle
from solvers.qcgd.candidates import Scorer, met
from solvers.qcgd.lifting import Lifting
from solvers.qcgd.multipliers import FixedWeights, Multipliers
from solvers.qcgd.scoring import Pool
from solvers.run.checkpoint import Checkpoint
from solvers.run.result import Status
from solvers.run.run import CTRL_C, Run
from solvers.run.stopping import StopRule

if TYPE_CHECKING:
    from formulations import TrainingProblem

FEW, MORE, LESS, SOON, LONG = 0.05, 1.1, 1 / 1.05, 2, 12
"""beta0 is multiplied by MORE if less than FEW of a call's reads satisfy a model's rows, and by
LESS if more than half do: the best points lie where rows are about to be violated [strategic
oscillation: Glover, Decision Sciences 8, 1977].  After SOON consecutive calls of the latter kind,
the power of LESS grows with each call, up to LONG calls: near good points, a row over many bits may
pull a hundred times harder than the objective, which random points do not show."""


@dataclass
class Loop:
    """State carried between iterations, and the results read from it at the end."""

    descent: Multipliers | FixedWeights
    search: Scorer

    @property
    def pool(self) -> Pool:
        """The best candidates, best first; infeasible ones only if there are no feasible ones."""
        pool = self.search.pool
        holds = pool.losses <= self.search.ceiling
        return Pool(pool.size, pool.bits[holds], pool.losses[holds]) if holds.any() else pool

    @property
    def bound(self) -> float | None:
        """The best proven bound; ``bound_kind`` names its proof."""
        return self._bound[0]

    @property
    def bound_kind(self) -> str | None:
        """Proof of the bound: exact oracle, linear relaxation, or a candidate that meets it."""
        return self._bound[1]

    @property
    def _bound(self) -> tuple[float | None, str | None]:
        target, exact = self.search.target, self.descent.bound
        if target.tolerance is None:
            return None, None
        if self.search.proven:
            return target.floor, target.floor_kind if self.search.hopeless else "met"
        if target.floor_kind is not None and (exact is None or exact < target.floor):
            return target.floor, target.floor_kind
        return exact, None if exact is None else "exact oracle"

    @property
    def proven(self) -> bool:
        """True if nothing can be better than the best candidate."""
        search = self.search
        return search.hopeless or (
            self.bound is not None
            and met(self.bound, search.pool.losses[0], search.target.tolerance)
        )

    @property
    def y(self) -> FloatArray:
        """Multipliers in units of the lifting, shape (K,)."""
        return self.descent.y

    @property
    def applied(self) -> FloatArray:
        """Multipliers of the last QUBO, shape (K,)."""
        return self.descent.applied

    @property
    def lifting(self) -> Lifting:
        """Lifted rows."""
        return self.descent.lifting

    def info(self) -> dict[str, Any]:
        """Return numbers for the result."""
        search = self.search
        found, constrained = search.oracle_best.loss, np.isfinite(search.ceiling)
        told = constrained or search.sources
        sources = {"sources": search.shares.told(search.ceiling)} if told else {}
        return {
            "num_variables": self.lifting.model.num_variables,
            "couplers": len(self.lifting.heads),
            "beta0": self.descent.beta0,
            "oracle_best": found if found <= search.ceiling else None,
            "oracle_feasible": search.feasible_reads / max(search.reads, 1),
            "repair_seconds": search.repair_seconds,
            "bound_kind": self.bound_kind,
            **sources,
        }

    def snapshot(self) -> dict[str, Any]:
        """Return the state for a checkpoint."""
        return {"descent": self.descent.snapshot(), "search": self.search.snapshot()}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Restore the state from a checkpoint."""
        self.descent.restore(snapshot["descent"])
        self.search.restore(snapshot["search"])


def run_loop(
    options: Any,
    loop: Loop,
    oracle: Oracle,
    subject: TrainingProblem | QCBO,
    started: float,
    rule: StopRule | None = None,
) -> tuple[Run, Loop]:
    """Ask the oracle one QUBO per iteration, and score its samples and other sources' points.

    Parameters
    ----------
    options : QCGD or PenaltyMethod
        Gives the seed, limits, callbacks and checkpoint.
    loop : Loop
        Fresh multipliers and an empty pool.
    oracle : Oracle
    subject : TrainingProblem or QCBO
        Problem that identifies a checkpoint.
    started : float
        Start of the time limit's clock.
    rule : StopRule, optional
        Stops the run once further improvement is unlikely.

    Returns
    -------
    Run, Loop
    """
    search, descent = loop.search, loop.descent
    run = Run(
        time_limit=options.time_limit,
        call_limit=options.call_limit,
        callbacks=tuple(options.callbacks),
        checkpoint=Checkpoint.of(options, subject),
        started=started,
        oracle=oracle,
    )
    run.tells = lambda: {
        "feasible": bool(run.incumbent.loss <= search.ceiling),
        "bound": loop.bound,
        "source": search.improved_by,
    }
    with run.guarded(), search.team:
        run.resume(loop)
        for t in run.steps(options.iterations):
            seed = np.random.SeedSequence(options.seed, spawn_key=(t,))
            if not search.explore(run, seed):
                run.exhausted()  # sets the status
                run.save()
                break
            samples = search.ask(run, descent.qubo(t), t, seed)
            search.score(samples, run, seed, len(descent.lifting.heads))
            run.history.record(
                iteration=t,
                loss=run.incumbent.loss,
                oracle_loss=search.oracle_best.loss,
                oracle_seconds=samples.seconds,
                **descent.take(samples, t),
            )
            if loop.proven and search.enough:
                run.told_to_stop(t)  # Callbacks learn of the proof too.
                break
            if rule is not None and descent.bound is None and search.over(rule, t):
                run.reason = f"nothing better in {search.stale} of {t} calls"
                break
            if descent.adapts:
                descent.rescale(rescaling_factor(search))
    ended = search.enough or run.status is not Status.INTERRUPTED
    if loop.proven and ended and run.reason != CTRL_C:
        run.status = Status.OPTIMAL
    return run, loop


def rescaling_factor(search: Scorer) -> float:
    """Return the factor on the multipliers' scale after a call."""
    if search.share is None:
        return 1.05 if search.idle >= 10 else 1.0  # They grow anyway; more overshoots.
    if search.share < FEW:
        return MORE
    return float(LESS ** max(1, min(search.holding, LONG) - SOON)) if search.holding else 1.0
