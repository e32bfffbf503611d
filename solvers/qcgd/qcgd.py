"""QCGD: conditional gradient over the lifted problem; an oracle solves one QUBO per iteration.

    y = 0;  r = 0
    for t = 1 .. T:
        beta = beta0 sqrt(t + 1);  eta = 2 / (t + 1)
        x = oracle(C + A*(y + beta r))          an atom
        r = r + eta (A(x x') - v - r)           W = sum_t 2t / (T (T + 1)) x_t x_t' is never stored
        y = y + gamma r

Q-FW [Yurtsever, Birdal, Golyanik, ECCV 2022, arXiv 2203.12633], which is CGAL [Yurtsever, Fercoq,
Cevher 2019] with a QUBO as linear minimisation oracle; for networks arXiv 2506.18240.  Our
additions: rows whose residual cannot be negative start with the multiplier beta0, so that they
already affect the first atom; every sample of every read is scored and repaired; and most calls
start the oracle, if it supports that, from completed points of the best candidates so far,
initially the best of random networks.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from formulations.checks import check_has, check_whole, choose, shown
from formulations.deprecation import renamed
from formulations.errors import InvalidInputError
from formulations.model.qcbo import QCBO
from formulations.neurons import ENCODINGS
from solvers.oracles import Annealer, Oracle
from solvers.oracles.base import check_oracle
from solvers.qcgd.candidates import Candidates, Scorer
from solvers.qcgd.loop import Loop, run_loop
from solvers.qcgd.multipliers import LiftedRows, Multipliers
from solvers.qcgd.scoring import Scoring, TrainingScoring
from solvers.run.checkpoint import EVERY, Folder
from solvers.run.first_call import without_a_call
from solvers.run.option_checks import check_common, check_count, check_problem
from solvers.run.result import Result
from solvers.run.run import Callback, Run
from solvers.run.stopping import NoImprovement, StopRule

if TYPE_CHECKING:
    import dimod

    from formulations import TrainingProblem

READS, SWEEPS = 20, (25, 200)
"""Reads per call of the default oracle, and limits of its sweeps."""


def fitted_annealer(num_variables: int) -> Annealer:
    """Make the default oracle: many short calls, longer for smaller models.

    Examples
    --------
    >>> fitted_annealer(144), fitted_annealer(32_073)
    (Annealer(reads=20, sweeps=200), Annealer(reads=20, sweeps=25))
    """
    least, most = SWEEPS
    sweeps = 2_000_000 // (READS * max(num_variables, 1))  # proposed flips per call
    return Annealer(reads=READS, sweeps=min(max(sweeps, least), most))


@renamed(
    beta0="lifted.beta0",
    dual_step="lifted.dual_step",
    capped="lifted.capped",
    rows="lifted.rows",
    slack="lifted.slack",
    one_hot="lifted.one_hot",
    pool="candidates.pool",
    fresh="candidates.fresh",
    repair="candidates.repair",
    split=None,
)
@dataclass(frozen=True)
class QCGD:
    """Quantum conditional gradient descent, without penalty weights to choose.

    Parameters
    ----------
    oracle : Oracle, optional
        Solves the QUBOs; None takes :func:`fitted_annealer`.
    iterations : int or None
        Most oracle calls; None continues until the time limit or the call limit, or without these
        until ``stop`` ends the run.
    lifted : LiftedRows
        Lifting of the model's rows and growth of their multipliers.
    candidates : Candidates
        Use of samples as candidates, and of these as starting points of later calls.
    stop : StopRule, optional
        Stops the run once further improvement is unlikely, see :mod:`solvers.run.stopping`; with
        None, only a proof or a budget does.  It is not used if ``iterations=None`` leaves the end
        to a limit, nor with an exact oracle, whose every answer may improve the bound.
    encoding : str, optional
        Encoding of a training problem's model.
    seed : int
        The same seed reproduces the result unless a time limit cuts the run short.
    time_limit, call_limit : optional
        Seconds, and oracle calls, after which the incumbent is returned.
    callbacks : tuple of callable
        Called with a ``Progress`` after each iteration, and within one when a source other than the
        oracle finds a better candidate; returning True stops the run after the iteration.
    checkpoint, checkpoint_every
        Folder for a checkpoint, from which the same call resumes, and seconds between two.

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
    lifted: LiftedRows = field(default_factory=LiftedRows)
    candidates: Candidates = field(default_factory=Candidates)
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
        for name, kind in (("lifted", LiftedRows), ("candidates", Candidates)):
            if not isinstance(value := getattr(self, name), kind):
                raise InvalidInputError(f"{name}={shown(value)}: expected {kind.__name__}(...)")
        if self.stop is not None:
            check_has("stop", self.stop, "over", "solvers.run.stopping.NoImprovement(), or None")
        if self.stop is None:
            check_count("iterations", self.iterations, self.time_limit, self.call_limit)
        elif self.iterations is not None:
            check_whole("iterations", self.iterations)
        if self.encoding is not None:
            choose("encoding", self.encoding, list(ENCODINGS))
        if self.oracle is not None:
            check_oracle(self.oracle)

    def solve(self, problem: TrainingProblem) -> Result:
        """Train the free weight bits of ``problem``.

        Returns
        -------
        Result
            ``lower_bound`` needs an exact oracle, or a loss that meets the floor of all weights.
            ``history`` has the loss, norms of the residuals and multipliers of rows (i), (ii) and
            (iii), beta and the objective of each atom; ``info`` has ``num_variables``, ``couplers``
            and ``beta0``.  If the time limit is far too short for the model, the result is the best
            of random networks, with ``info["reason"]``.
        """
        check_problem(problem)
        early = without_a_call(self, problem, READS * SWEEPS[0])
        if early is not None:
            return early
        run, descent = self.descend(TrainingScoring(problem, self.encoding), problem)
        return run.result(problem, lower_bound=descent.bound, **descent.info())

    def sample_cqm(
        self, cqm: dimod.ConstrainedQuadraticModel, *, initial_states: Any = None
    ) -> dimod.SampleSet:
        """Solve a dimod CQM, without penalty weights to choose.

        Variables are binary, spin or integer; rows linear or quadratic, hard or soft; coefficients
        integer or fractional.  It is presolved first: see
        :class:`formulations.cqm.presolved.Presolved`.

        Parameters
        ----------
        cqm : dimod.ConstrainedQuadraticModel
        initial_states : samples-like, optional
            Starting points, feasible or not: a mapping, a list of mappings, or a SampleSet.  They
            are repaired and put into the pool, and the answer is no worse than them.

        Returns
        -------
        dimod.SampleSet
            The best feasible points found, as ``SampleSet.from_samples_cqm`` judges them, best
            first; infeasible ones if there are no others; none if presolve proves infeasibility.
            ``info`` has

            - ``status``, ``lower_bound`` (None if none is proven), ``infeasibility``: None if the
              first sample is feasible, ``"model"`` if the model is proven infeasible, else
              ``"search"``; ``reason`` of a proof or of an early end;
            - ``bound_kind``: the proof of the bound, ``"exact oracle"``, ``"linear relaxation"``,
              ``"semidefinite relaxation"``, ``"enumeration"`` or ``"met"`` by the answer itself;
              ``gap``: the most by which the answer may exceed the optimum, relative to the
              objective's size;
            - ``residuals``: the amount of each violation of the first sample, by the constraint's
              label as text;
            - ``oracle_calls``, ``oracle_reads``, ``oracle_seconds``, the oracle's full cost in
              ``ledger`` (:class:`~solvers.oracles.Ledger`), and ``seconds``, presolve included;
            - ``multipliers`` in the units of the rows, ``coefficient_range`` of the last QUBO and
              ``beta0``;
            - ``bits``, ``bits_after_presolve``, ``rows_after_presolve`` and
              ``products_after_presolve``; ``num_variables`` and ``couplers`` of the QUBO, slack
              bits included;
            - ``oracle_best``: the best objective that the oracle found without repair, None if it
              found nothing feasible; ``oracle_feasible``: the share of its reads that satisfied all
              rows; ``repair_seconds``;
            - ``sources``: for each source of candidates its ``calls``, ``seconds``,
              ``improvements`` of the best candidate, and ``best`` value (None if it found nothing
              feasible);
            - ``history`` of each iteration.

        Raises
        ------
        InvalidInputError
            Before any work, for a named feature that cannot be handled exactly: real variables,
            integers of too wide a range, soft constraints whose coefficients have no common step,
            constraints that double precision cannot judge (:mod:`formulations.cqm.exactness`).

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

        return solve_cqm(cqm, self.descend, self.lifted.one_hot, initial_states)

    @property
    def _rule(self) -> StopRule | None:
        """Return the stop rule, unless a limit is to be used up."""
        limited = self.time_limit is not None or self.call_limit is not None
        return None if limited and self.iterations is None else self.stop

    def descend(
        self, target: Scoring, subject: TrainingProblem | QCBO, started: float | None = None
    ) -> tuple[Run, Loop]:
        """Run the loop for any scoring; the clock starts now, or at ``started``."""
        started = time.perf_counter() if started is None else started  # includes building the model
        search = Scorer.of(target, self.candidates, slack=self.lifted.slack)
        model = search.target.model
        return run_loop(
            self,
            Loop(Multipliers(model, self.lifted), search),
            self.oracle or fitted_annealer(model.num_variables),
            subject,
            started,
            self._rule,
        )
