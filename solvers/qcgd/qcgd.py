"""QCGD: conditional gradient over the lifted problem, the oracle solving one QUBO an iteration.

    y = 0;  r = 0
    for t = 1 .. T:
        beta = beta0 sqrt(t + 1);  eta = 2 / (t + 1)
        x = oracle(C + A*(y + beta r))          an atom
        r = r + eta (A(x x') - v - r)           W = sum_t 2t / (T (T + 1)) x_t x_t' is never stored
        y = y + gamma r

Q-FW [Yurtsever, Birdal, Golyanik, ECCV 2022, arXiv 2203.12633], which is CGAL [Yurtsever, Fercoq,
Cevher 2019] with a QUBO as linear minimisation oracle; for networks arXiv 2506.18240.  Ours: rows
whose residual cannot be negative start with the multiplier beta0, so that the first atom already
feels them; every sample of every read is scored, and repaired; and most calls start the oracle,
where it can be started, from completed points of the best candidates so far, which begin as the
best of random networks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from formulations.checks import check_flag, check_has, check_number, check_whole, choose
from formulations.cqm.presolved import ONE_HOT
from formulations.model.qcbo import QCBO
from formulations.neurons import ENCODINGS
from solvers.oracles import Annealer, Oracle
from solvers.oracles.base import check_oracle
from solvers.qcgd.effort import SPLITS, Effort
from solvers.qcgd.loop import Loop, Scorer
from solvers.qcgd.multipliers import ROWS, Multipliers
from solvers.qcgd.scoring import Scoring, TrainingScoring
from solvers.run.checkpoint import EVERY, Checkpoint, Folder
from solvers.run.first_call import without_a_call
from solvers.run.option_checks import check_common, check_count, check_problem
from solvers.run.result import Result, Status
from solvers.run.run import Callback, Run
from solvers.run.stopping import NoImprovement, StopRule

if TYPE_CHECKING:
    import dimod

    from formulations import TrainingProblem

PATIENCE, RAISE = 10, 1.05
"""Iterations without a new candidate in the pool after which a network's beta0 is raised, and the
factor.  The multipliers grow by themselves; a larger factor overshoots."""

FEW, MORE, LESS, SOON, LONG = 0.05, 1.1, 1 / 1.05, 2, 12
"""beta0 is multiplied by MORE where less than FEW of a call's reads satisfy a model's rows, and by
LESS where more than half do: the best points lie where rows are at the point of being violated
[strategic oscillation: Glover, Decision Sciences 8, 1977].  After SOON calls in a row of the latter
kind by a power of LESS that grows with each, up to LONG calls: one row over many bits may pull a
hundred times harder than the objective of its good points, which random points do not show."""

READS, PROPOSALS, SWEEPS = 20, 2_000_000, (25, 200)
"""Reads and proposed flips of a call to the oracle of a run that is given none; limits of its
sweeps."""


def fitted_annealer(num_variables: int) -> Annealer:
    """The oracle of a run that is given none: many short calls, the longer the smaller the model.

    Examples
    --------
    >>> fitted_annealer(144), fitted_annealer(32_073)
    (Annealer(reads=20, sweeps=200), Annealer(reads=20, sweeps=25))
    """
    least, most = SWEEPS
    sweeps = PROPOSALS // (READS * max(num_variables, 1))
    return Annealer(reads=READS, sweeps=min(max(sweeps, least), most))


@dataclass(frozen=True)
class QCGD:
    """Quantum conditional gradient descent, with no penalty weight to choose.

    Parameters
    ----------
    oracle : Oracle, optional
        Solves the QUBOs; None takes :func:`fitted_annealer`.
    iterations : int or None
        Most oracle calls; None goes on until the time limit or the call limit, or without these
        for as long as ``stop`` says.
    beta0 : float, optional
        Scale of the multipliers, in units of the normalised objective; None finds it from the
        model (:meth:`~solvers.qcgd.lifting.Lifting.plausible_scale`) and adapts it: so that a share
        of the reads satisfies a model's rows, and upwards while nothing new is met.
    dual_step : float
        gamma in units of beta0.
    capped : bool
        Whether the dual step is capped as in CGAL, see
        :class:`~solvers.qcgd.multipliers.Multipliers`.
    rows : {"both", "mean", "square"}
        Lifted rows that get multipliers: (i) and (ii) of :mod:`solvers.qcgd.lifting`, (i) alone, or
        (ii) alone wherever a row has one.
    pool : int
        Best candidates kept as starting points.
    fresh : int
        Every so many calls start from random states, the others from the pool, in which a network's
        first are the best of a thousand random ones; 1: all of them, and there is no pool.
    slack : bool
        Whether inequalities get slack words, whose squared rows (ii) make the relaxation exact;
        without, their averaged residual is projected.
    one_hot : {"eliminate", "keep"}
        Whether presolve of a CQM eliminates one bit of one-hot rows of three bits or more, where
        that adds no entries to the model.
    split : {"constant", "adapted"}
        Whether the reads and sweeps of a run that is given no oracle stay what they are, or follow
        what its calls find, see :mod:`solvers.qcgd.effort`.
    repair : bool
        Whether samples of a constrained model are repaired, see :mod:`solvers.qcgd.repair`; weights
        need none.  ``info["oracle_best"]`` is what the oracle found by itself.
    stop : StopRule, optional
        Ends a run that nothing better is to be expected of, see :mod:`solvers.run.stopping`; None:
        only a proof and the budgets do.  Not asked where ``iterations=None`` leaves the end to a
        limit, nor of an exact oracle, whose every answer may improve the bound.
    encoding : str, optional
        Of a training problem's model.
    seed : int
        Same seed, same result, unless a time limit cuts in.
    time_limit, call_limit : optional
        Seconds, and oracle calls, after which the incumbent is returned.
    callbacks : tuple of callable
        Called after each iteration with a ``Progress``; one that returns True stops the run.
    checkpoint, checkpoint_every
        Folder for a checkpoint, from which the same call goes on, and seconds between two.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    >>> result = QCGD(iterations=20, seed=0).solve(problem)
    >>> result.loss, result.lower_bound is None
    (0.0, False)
    """

    oracle: Oracle | None = None
    iterations: int | None = 100
    beta0: float | None = None
    dual_step: float = 0.1
    capped: bool = False
    rows: str = "both"
    pool: int = 10
    fresh: int = 10
    slack: bool = True
    one_hot: str = ONE_HOT[0]
    split: str = SPLITS[0]
    repair: bool = True
    stop: StopRule | None = field(default_factory=NoImprovement)
    encoding: str | None = None
    seed: int = 0
    time_limit: float | None = None
    call_limit: int | None = None
    callbacks: tuple[Callback, ...] = ()
    checkpoint: Folder | None = None
    checkpoint_every: float = EVERY

    def __post_init__(self) -> None:
        check_common(self)
        for name in ("pool", "fresh"):
            check_whole(name, getattr(self, name))
        for name in ("capped", "slack", "repair"):
            check_flag(name, getattr(self, name))
        if self.stop is not None:
            check_has("stop", self.stop, "over", "solvers.run.stopping.NoImprovement(), or None")
        if self.stop is None:
            check_count("iterations", self.iterations, self.time_limit, self.call_limit)
        elif self.iterations is not None:
            check_whole("iterations", self.iterations)
        choose("rows", self.rows, ROWS)
        choose("one_hot", self.one_hot, ONE_HOT)
        choose("split", self.split, SPLITS)
        if self.beta0 is not None:
            check_number("beta0", self.beta0, zero=True)
        check_number("dual_step", self.dual_step, zero=True)
        if self.encoding is not None:
            choose("encoding", self.encoding, list(ENCODINGS))
        if self.oracle is not None:
            check_oracle(self.oracle)

    def solve(self, problem: TrainingProblem) -> Result:
        """Train the free weight bits of ``problem``.

        Returns
        -------
        Result
            ``lower_bound`` only from an oracle whose answers are exact, or where the loss has met
            what no weights fall below.  ``history`` has the loss, norms of the residuals and
            multipliers of rows (i), (ii) and (iii), beta and the objective of each atom; ``info``
            has ``num_variables``, ``couplers`` and ``beta0``.  Where the time limit is far too
            short for the model, the best of random networks, and ``info["reason"]``.
        """
        check_problem(problem)
        early = without_a_call(self, problem, READS * SWEEPS[0])
        if early is not None:
            return early
        run, descent = self._descend(TrainingScoring(problem, self.encoding), problem)
        return run.result(problem, lower_bound=descent.bound, **descent.info())

    def sample_cqm(self, cqm: dimod.ConstrainedQuadraticModel) -> dimod.SampleSet:
        """Solve a dimod CQM, with no penalty weight to choose.

        Variables are binary, spin or integer; rows linear or quadratic, hard or soft; coefficients
        whole or fractional.  It is presolved first: see
        :class:`formulations.cqm.presolved.Presolved`.

        Returns
        -------
        dimod.SampleSet
            The best feasible points met, as ``SampleSet.from_samples_cqm`` judges them, best first;
            infeasible ones if there are no others; no points if presolve proves that none is
            feasible.  ``info`` has

            - ``status``, ``lower_bound`` (None if none is proven), ``infeasibility``: None if the
              first sample is feasible, ``"model"`` if it is proven that none can be, else
              ``"search"``; ``reason`` of a proof or of an early end;
            - ``residuals``: by how much the first sample violates each constraint that it violates,
              by its label as text;
            - ``oracle_calls``, ``oracle_reads``, ``oracle_seconds``, all that the oracle cost in
              ``ledger`` (:class:`~solvers.oracles.Ledger`), and ``seconds``, presolve included;
            - ``multipliers`` in the units of the rows, ``coefficient_range`` of the last QUBO and
              ``beta0``;
            - ``bits``, ``bits_after_presolve``, ``rows_after_presolve`` and
              ``products_after_presolve``; ``num_variables`` and ``couplers`` of the QUBO, slack
              bits included;
            - ``oracle_best``: the best objective that the oracle found without repair, None if it
              found nothing feasible; ``oracle_feasible``: the share of its reads that satisfied all
              rows; ``repair_seconds``;
            - ``history`` of each iteration.

        Raises
        ------
        InvalidInputError
            Before any work, for what cannot be done exactly, by name: real variables, integers of
            too wide a range, soft constraints whose coefficients have no common step, constraints
            that double precision cannot judge (:mod:`formulations.cqm.exactness`).

        Examples
        --------
        >>> import dimod
        >>> i, x, y = dimod.Integer("i", upper_bound=5), dimod.Binary("x"), dimod.Binary("y")
        >>> cqm = dimod.ConstrainedQuadraticModel()
        >>> cqm.set_objective(x - i)
        >>> _ = cqm.add_constraint(i * x + 2 * y == 4, label="product")
        >>> samples = QCGD(iterations=20, seed=1).sample_cqm(cqm)
        >>> print(samples.first.energy, samples.info["infeasibility"])
        -3.0 None
        """
        from solvers.qcgd.cqm import solve_cqm

        return solve_cqm(cqm, self._descend, self.one_hot)

    @property
    def _rule(self) -> StopRule | None:
        """The stop rule, unless a limit is to be used up."""
        limited = self.time_limit is not None or self.call_limit is not None
        return None if limited and self.iterations is None else self.stop

    def _descend(
        self, target: Scoring, subject: TrainingProblem | QCBO, started: float | None = None
    ) -> tuple[Run, Loop]:
        """The loop, whatever the samples are worth; the clock began now, or at ``started``."""
        started = time.perf_counter() if started is None else started  # building the model counts
        search = Scorer.of(target, self.pool, self.fresh, repair=self.repair, slack=self.slack)
        model = search.target.model
        descent = Multipliers(model, self.beta0, self.dual_step, self.capped, self.rows)
        run = Run(
            time_limit=self.time_limit,
            call_limit=self.call_limit,
            callbacks=tuple(self.callbacks),
            checkpoint=Checkpoint.of(self, subject),
            started=started,
            oracle=self.oracle,
        )
        if self.oracle is None:
            run.oracle = annealer = fitted_annealer(model.num_variables)
            search.effort = Effort(annealer) if self.split == "adapted" else None
        loop = Loop(descent, search)
        rule = self._rule
        with run.guarded():
            run.resume(loop)
            for t in run.steps(self.iterations):
                p = descent.multipliers(t)
                seed = np.random.SeedSequence(self.seed, spawn_key=(t,))
                samples = search.ask(run, descent.lifting.qubo(p), t, seed)
                search.score(samples, run, seed)
                descent.certify(samples, p)
                descent.step(samples.x[0], t)
                run.history.record(
                    iteration=t,
                    loss=run.incumbent.loss,
                    oracle_loss=search.oracle_best.loss,
                    beta=descent.beta(t),
                    atom_objective=float(model.objective(samples.x[0])),
                    oracle_seconds=samples.seconds,
                    **descent.residual_norms(),
                    **descent.multiplier_norms(),
                )
                if loop.proven:
                    run.status = Status.OPTIMAL
                    break
                if rule is not None and descent.bound is None and search.over(rule, t):
                    run.reason = f"nothing better in {search.stale} of {t} calls"
                    break
                if self.beta0 is None:
                    descent.rescale(rescaling_factor(search))
        return run, loop


def rescaling_factor(search: Scorer) -> float:
    """Factor on the scale of the multipliers after a call."""
    if search.share is None:
        return RAISE if search.idle >= PATIENCE else 1.0
    if search.share < FEW:
        return MORE
    return float(LESS ** max(1, min(search.holding, LONG) - SOON)) if search.holding else 1.0
