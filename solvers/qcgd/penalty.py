"""The penalty method: rows as squared terms of fixed weight, one QUBO sampled repeatedly.

    minimise   objective + sum_g penalty_g sum_{r in g} (a_r'x - b_r)^2 / s_r^2 + products,

every product row x_u = x_v x_w as penalty (x_v x_w - 2 (x_v + x_w) x_u + 3 x_u) [Rosenberg 1975].
It is the baseline that QCGD has to beat: the same model, oracle and scoring of every read.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from formulations.arrays import FloatArray
from formulations.checks import check_number, choose, shown
from formulations.deprecation import renamed
from formulations.errors import InvalidInputError
from formulations.model.qcbo import QCBO
from formulations.neurons import ENCODINGS
from solvers.oracles import Annealer, Oracle
from solvers.oracles.base import check_oracle
from solvers.qcgd.candidates import Candidates, Scorer
from solvers.qcgd.lifting import Lifting
from solvers.qcgd.loop import Loop, run_loop
from solvers.qcgd.multipliers import FixedWeights
from solvers.qcgd.scoring import Scoring, TrainingScoring
from solvers.run.checkpoint import EVERY, Folder
from solvers.run.first_call import without_a_call
from solvers.run.option_checks import check_common, check_count, check_problem
from solvers.run.result import Result
from solvers.run.run import Callback, Run

if TYPE_CHECKING:
    import dimod

    from formulations import TrainingProblem


@renamed(pool="candidates.pool", fresh="candidates.fresh", repair="candidates.repair")
@dataclass(frozen=True)
class PenaltyMethod:
    """Penalty method with one fixed weight, or one for each group of rows.

    Parameters
    ----------
    oracle : Oracle, optional
        Samples the QUBO; None takes ``Annealer(reads=10, sweeps=500)``.
    penalty : float or mapping of str to float
        Weight of every row group, or of each by name.  The unit is QCGD's scale: the weight at
        which rows and objective pull on a bit equally strongly
        (:meth:`~solvers.qcgd.lifting.Lifting.plausible_scale`).
    iterations : int or None
        Oracle calls; None continues until the time limit or the call limit.
    candidates : Candidates
        Warm starts and repair as in :class:`~solvers.qcgd.qcgd.QCGD`; by default every call starts
        from random states, without repair.
    encoding : str, optional
        Encoding of the training problem's model.
    seed, time_limit, call_limit, callbacks, checkpoint, checkpoint_every
        See :class:`~solvers.run.solver.Iterative` and :class:`~solvers.qcgd.qcgd.QCGD`.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    >>> PenaltyMethod(iterations=5).solve(problem).loss
    0.0
    """

    oracle: Oracle | None = None
    penalty: float | Mapping[str, float] = 1.0
    iterations: int | None = 100
    candidates: Candidates = field(default_factory=lambda: Candidates(fresh=1, repair=False))
    encoding: str | None = None
    seed: int = 0
    time_limit: float | None = None
    call_limit: int | None = None
    callbacks: tuple[Callback, ...] = ()
    checkpoint: Folder | None = None
    checkpoint_every: float = EVERY

    def __post_init__(self) -> None:
        check_common(self)
        if not isinstance(self.candidates, Candidates):
            raise InvalidInputError(
                f"candidates={shown(self.candidates)}: expected Candidates(...)"
            )
        check_count("iterations", self.iterations, self.time_limit, self.call_limit)
        if self.encoding is not None:
            choose("encoding", self.encoding, list(ENCODINGS))
        if self.oracle is not None:
            check_oracle(self.oracle)
        weights = self.penalty.values() if isinstance(self.penalty, Mapping) else [self.penalty]
        for weight in weights:
            check_number("penalty", weight, zero=True)

    def solve(self, problem: TrainingProblem) -> Result:
        """Train the free weight bits of ``problem``.

        Returns
        -------
        Result
            ``info``: ``num_variables`` (slack bits included), ``couplers``, ``penalty``, and
            ``beta0``, its unit.  If the time limit is far too short for the model, the result is
            the best of random networks, with ``info["reason"]``.
        """
        check_problem(problem)
        annealer = Annealer()
        early = without_a_call(self, problem, annealer.reads * annealer.sweeps)
        if early is not None:
            return early
        run, loop = self.descend(TrainingScoring(problem, self.encoding), problem)
        return run.result(problem, lower_bound=loop.bound, **loop.info(), penalty=self.penalty)

    def sample_cqm(self, cqm: dimod.ConstrainedQuadraticModel) -> dimod.SampleSet:
        """Solve a dimod CQM by fixed weights: see :meth:`solvers.qcgd.qcgd.QCGD.sample_cqm`."""
        from solvers.qcgd.cqm import solve_cqm

        return solve_cqm(cqm, self.descend)

    def descend(
        self, target: Scoring, subject: TrainingProblem | QCBO, started: float | None = None
    ) -> tuple[Run, Loop]:
        """Run the loop for any scoring; the clock starts now, or at ``started``."""
        started = time.perf_counter() if started is None else started  # includes building the model
        search = Scorer.of(target, self.candidates)
        lifting = Lifting.of(search.target.model)
        scale = lifting.plausible_scale()
        fixed = FixedWeights(lifting, scale * self._weights(lifting), scale)
        return run_loop(self, Loop(fixed, search), self.oracle or Annealer(), subject, started)

    def _weights(self, lifting: Lifting) -> FloatArray:
        """Return the weights of rows (ii) and (iii), in units of the scale, shape (K,)."""
        model = lifting.model
        groups = list(model.groups)
        weights = dict.fromkeys(groups, 1.0)
        if isinstance(self.penalty, Mapping):
            for name, weight in self.penalty.items():
                weights[choose("row group", name, groups)] = float(weight)
        else:
            weights = dict.fromkeys(groups, float(self.penalty))
        _, squares, products = lifting.kinds
        y = np.zeros(lifting.num_multipliers)
        of_group = np.array([weights[name] for name in model.group_names])
        y[squares] = of_group[model.row_group[lifting.squared]]
        y[products] = weights.get("products", 1.0)
        return y
