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
feels them; every sample of every read is scored; and most calls start the oracle, where it can be
started, from completed points of the best candidates so far.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from formulations.errors import InvalidInputError
from formulations.qcbo import QCBO
from solvers.checkpoint import EVERY, Checkpoint, Folder
from solvers.lifting import Lifting
from solvers.options import check_whole
from solvers.oracles import QUBO, Annealer, Oracle, Samples, WarmOracle
from solvers.result import Callback, Result, Run, Status
from solvers.targets import ModelTarget, Pool, Target, TrainingTarget, WithSlack

if TYPE_CHECKING:
    import dimod

    from formulations import TrainingProblem

BitArray = npt.NDArray[np.int8]
FloatArray = npt.NDArray[np.float64]

RAISE, MOST = 1.05, 1e4
"""Factor on beta0 of an iteration that calls for it, and the cap of beta0.  The multipliers grow by
themselves; a larger factor overshoots."""

PATIENCE = 10
"""Iterations without a new candidate in the pool after which beta0 is raised."""


@dataclass(frozen=True)
class QCGD:
    """Quantum conditional gradient descent, with no penalty weight to choose.

    Parameters
    ----------
    oracle : Oracle, optional
        Solves the QUBOs; None takes ``Annealer(reads=20, sweeps=25)``.
    iterations : int
        Oracle calls.
    beta0 : float, optional
        Scale of the multipliers, in units of the normalised objective; None finds it from the
        model (:meth:`~solvers.lifting.Lifting.plausible_scale`) and raises it while no feasible
        point, or nothing new, is met.
    dual_step : float
        gamma in units of beta0.
    pool : int
        Best candidates kept as starting points.
    fresh : int
        Every so many calls start from random states, the others from the pool; 1: all of them.
    slack : bool
        Whether inequalities get slack words, whose squared rows (ii) make the relaxation exact;
        without, their averaged residual is projected.
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
    (0.0, True)
    """

    oracle: Oracle | None = None
    iterations: int = 100
    beta0: float | None = None
    dual_step: float = 0.1
    pool: int = 10
    fresh: int = 10
    slack: bool = True
    encoding: str | None = None
    seed: int = 0
    time_limit: float | None = None
    call_limit: int | None = None
    callbacks: tuple[Callback, ...] = ()
    checkpoint: Folder | None = None
    checkpoint_every: float = EVERY

    def __post_init__(self) -> None:
        for name in ("iterations", "pool", "fresh"):
            check_whole(name, getattr(self, name))
        for name in ("beta0", "dual_step"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < np.inf:
                raise InvalidInputError(f"{name}={value!r}: expected a number, zero or more")
        if self.oracle is not None and not isinstance(self.oracle, Oracle):
            raise InvalidInputError(
                f"oracle={self.oracle!r}: expected an object with sample(qubo, seed), such as "
                "solvers.oracles.Annealer()"
            )

    def solve(self, problem: TrainingProblem) -> Result:
        """Train the free weight bits of ``problem``.

        Returns
        -------
        Result
            ``lower_bound`` only from an oracle whose answers are exact.  ``history`` has the loss,
            residual norms of rows (i), (ii) and (iii), beta and the objective of each atom;
            ``info`` has ``num_variables``, ``couplers`` and ``beta0``.
        """
        run, descent = self._descend(TrainingTarget(problem, self.encoding), problem)
        return run.result(problem, lower_bound=descent.bound, **descent.info())

    def sample_cqm(self, cqm: dimod.ConstrainedQuadraticModel) -> dimod.SampleSet:
        """Solve a dimod CQM of binary, spin or integer variables, rows linear or products.

        Returns
        -------
        dimod.SampleSet
            The best points met, feasible ones first, as ``SampleSet.from_samples_cqm`` judges them;
            ``info`` has the status, the bound or None, calls, reads, seconds, beta0.

        Raises
        ------
        InvalidInputError
            For what the model cannot hold, by name.
        """
        import dimod

        from formulations.exchange import read_cqm

        model, readout = read_cqm(cqm)
        run, descent = self._descend(ModelTarget(model), model)
        about_checkpoint = run.end()
        samples = dimod.SampleSet.from_samples_cqm(
            [readout.sample(x) for x in descent.pool.bits], cqm
        )
        order = np.lexsort((samples.record.energy, ~samples.record.is_feasible))
        info = {
            "status": run.status.value,
            "lower_bound": descent.bound,
            "oracle_calls": run.ledger.calls,
            "oracle_reads": run.ledger.reads,
            "oracle_seconds": run.ledger.seconds,
            "seconds": run.seconds,
            **descent.info(),
            **about_checkpoint,
        }
        return dimod.SampleSet(samples.record[order], samples.variables, info, samples.vartype)

    def _descend(self, target: Target, subject: TrainingProblem | QCBO) -> tuple[Run, _Descent]:
        """The loop, whatever the samples are worth."""
        run = Run(
            time_limit=self.time_limit,
            call_limit=self.call_limit,
            callbacks=tuple(self.callbacks),
            checkpoint=Checkpoint.of(self, subject),
            oracle=self.oracle or Annealer(reads=20, sweeps=25),
        )
        if self.slack and not target.model.equality.all():
            target = WithSlack(target)
        descent = _Descent(target, self.beta0, self.pool)
        with run.guarded():
            run.resume(descent)
            for t in run.steps(self.iterations):
                beta = descent.beta0 * np.sqrt(t + 1.0)
                p = descent.projected(descent.y + beta * descent.r)
                seed = np.random.SeedSequence(self.seed, spawn_key=(t,))
                samples = self._ask(run, descent.lifting.qubo(p), descent, t, seed)
                descent.score(samples, run)
                descent.certify(samples, p)
                x = samples.x[0]
                descent.r += 2.0 / (t + 1.0) * (descent.lifting.residuals(x) - descent.r)
                gamma = self.dual_step * descent.beta0
                descent.y = descent.projected(descent.y + gamma * descent.r)
                run.history.record(
                    iteration=t,
                    loss=run.incumbent.loss,
                    beta=beta,
                    atom_objective=float(descent.model.objective(x)),
                    oracle_seconds=samples.seconds,
                    **descent.residual_norms(),
                )
                if descent.bound is not None and run.incumbent.loss <= descent.bound + 1e-6:
                    run.status = Status.OPTIMAL
                    break
                if self.beta0 is None and (not descent.feasible or descent.idle >= PATIENCE):
                    descent.press()
        return run, descent

    def _ask(
        self, run: Run, qubo: QUBO, descent: _Descent, t: int, seed: np.random.SeedSequence
    ) -> Samples:
        """One call, from random states or from the pool."""
        call, draw = seed.spawn(2)
        if not isinstance(run.oracle, WarmOracle) or (t - 1) % self.fresh == 0:
            return run.ask(qubo, call)
        reads = int(getattr(run.oracle, "reads", 1))
        starts = descent.pool.draw(np.random.default_rng(draw), reads)
        states = np.stack([descent.target.complete(start) for start in starts])
        return run.ask(qubo, call, states)


class _Descent:
    """What the loop carries: multipliers y, averaged residual r, the pool, the best bound."""

    def __init__(self, target: Target, beta0: float | None, pool: int) -> None:
        self.target, self.model = target, target.model
        self.lifting = Lifting.of(self.model)
        self.beta0 = self.lifting.plausible_scale() if beta0 is None else beta0
        self.pool, self.feasible, self.idle = Pool(pool), False, 0
        self.bound: float | None = None
        self.r = np.zeros(
            self.lifting.num_multipliers
        )  # it matters to the first call only: eta_1 = 1
        self.y = np.zeros_like(self.r)
        _, squares, products = self.lifting.kinds
        self.y[squares] = self.y[products] = self.beta0

    def projected(self, p: FloatArray) -> FloatArray:
        """Multipliers of inequalities cut off at zero."""
        return np.where(self.lifting.signed, np.maximum(p, 0.0), p)

    def score(self, samples: Samples, run: Run) -> None:
        """Offer every read to the incumbent and to the pool."""
        candidates, worth = self.target.candidates(samples.x)
        run.incumbent.offer(candidates, worth)
        before = self.pool.losses
        self.pool.add(candidates, worth)
        self.idle = self.idle + 1 if np.array_equal(before, self.pool.losses) else 0
        if not self.feasible:
            best = self.target.complete(self.pool.bits[0])
            self.feasible = bool(self.model.is_feasible(best))

    def certify(self, samples: Samples, p: FloatArray) -> None:
        """min_x objective(x) + p'(A(x x') - v), from an exact answer, is a bound for any such p."""
        if samples.exact:
            least = samples.energies[0] + float(p @ self.lifting.constant)
            bound = self.lifting.unit * least + self.model.offset
            self.bound = bound if self.bound is None else max(self.bound, bound)

    def press(self) -> None:
        """Raise the scale of all multipliers: nothing feasible has been met, or nothing new."""
        factor = min(RAISE, MOST / max(self.beta0, 1e-300))
        self.beta0 *= factor
        _, squares, products = self.lifting.kinds
        self.y[squares] *= factor
        self.y[products] *= factor

    def residual_norms(self) -> dict[str, float]:
        """Norm of the averaged residual of each kind of row."""
        mean, squares, products = self.lifting.kinds
        r = np.where(self.lifting.signed, np.maximum(self.r, 0.0), self.r)
        return {
            "residual_mean": float(np.linalg.norm(r[mean])),
            "residual_square": float(np.linalg.norm(r[squares])),
            "residual_product": float(np.linalg.norm(r[products])),
        }

    def info(self) -> dict[str, Any]:
        """Numbers for the result."""
        return {
            "num_variables": self.model.num_variables,
            "couplers": len(self.lifting.heads),
            "beta0": self.beta0,
        }

    def snapshot(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {
            "y": self.y,
            "r": self.r,
            "beta0": self.beta0,
            "bound": self.bound,
            "feasible": self.feasible,
            "idle": self.idle,
            "pool": self.pool.snapshot(),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self.y, self.r = snapshot["y"], snapshot["r"]
        self.beta0, self.bound = snapshot["beta0"], snapshot["bound"]
        self.feasible, self.idle = snapshot["feasible"], snapshot["idle"]
        self.pool.restore(snapshot["pool"])
