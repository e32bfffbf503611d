"""Proven least training loss, by enumeration of all weight vectors or by CP-SAT."""

from __future__ import annotations

from dataclasses import dataclass
from math import log2

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray
from formulations.checks import check_whole, choose
from formulations.errors import InvalidInputError, MissingExtraError
from solvers.constrained.every import every_choice
from solvers.cp_sat import import_cp_model, solve_qcbo
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.kernels.walks import enumerate_choices
from solvers.run.option_checks import check_common, check_problem
from solvers.run.result import Result, Status, reach
from solvers.run.run import Callback, Run
from solvers.weight_annealing import WeightAnnealing


@dataclass(frozen=True)
class ExactSolver:
    """Exact solver: weights of proven least loss, or the best found in time with a certified bound.

    Enumeration visits every weight vector in Gray-code order by incremental forward passes;
    successive vectors differ in one weight.  CP-SAT (extra ``exact``) solves the model
    ``problem.qcbo()``, starting from a quick annealing of the weights, and proves a bound even if
    it does not finish.

    Parameters
    ----------
    time_limit : float, optional
        Seconds.
    seed : int
        The same seed reproduces the result unless the time limit cuts the run short.
    max_enumeration_bits : int
        ``"auto"`` enumerates up to 2^max_enumeration_bits weight vectors.
    method : {"auto", "enumeration", "cp-sat"}
    encoding : str or None
        Encoding of CP-SAT's model, as in ``problem.qcbo``.
    workers : int
        Threads of CP-SAT.
    callbacks : tuple of callable
        Called after each step (enumeration) or better solution (CP-SAT) with a ``Progress``; one
        that returns True stops the run.

    Raises
    ------
    InvalidInputError
        For options out of range or unknown names; from ``solve``, if enumeration is requested for
        more weight vectors than ``max_enumeration_bits`` allows.
    InfeasibleModelError
        From ``solve``, if it is proven that no weights satisfy the problem's constraints.
    MissingExtraError
        From ``solve``, if CP-SAT is needed and not installed.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [1, -1]], [1, -1, -1])
    >>> result = ExactSolver().solve(problem)
    >>> result.loss, result.lower_bound, result.status
    (2.0, 2.0, <Status.OPTIMAL: 'optimal'>)
    """

    time_limit: float | None = None
    seed: int = 0
    max_enumeration_bits: int = 24
    method: str = "auto"
    encoding: str | None = None
    workers: int = 2
    callbacks: tuple[Callback, ...] = ()

    def __post_init__(self) -> None:
        check_common(self)
        choose("method", self.method, ["auto", "enumeration", "cp-sat"])
        check_whole("max_enumeration_bits", self.max_enumeration_bits, most=48)
        check_whole("workers", self.workers)

    def solve(self, problem: TrainingProblem) -> Result:
        """Find weights of least loss for ``problem``.

        Returns
        -------
        Result
            ``info["method"]`` names the method used; ``lower_bound`` is certified.
        """
        check_problem(problem)
        run = Run(time_limit=self.time_limit, callbacks=tuple(self.callbacks))
        landscape = IncrementalLoss(problem)
        if self._enumerates(landscape):
            return self._enumerate(problem, landscape, run)
        return self._cp_sat(problem, landscape, run)

    def _enumerates(self, landscape: IncrementalLoss) -> bool:
        """Decide whether to enumerate; refuse an impossible request."""
        bits = log2(landscape.num_choices)
        fits = bits <= self.max_enumeration_bits
        if self.method == "enumeration" and not fits:
            raise InvalidInputError(
                f"2^{bits:.1f} weight vectors to enumerate, and max_enumeration_bits is "
                f"{self.max_enumeration_bits}: take method='cp-sat', or free fewer weights "
                "with problem.restrict"
            )
        if self.method == "cp-sat" or not fits:
            try:
                import_cp_model()
            except MissingExtraError as error:
                raise MissingExtraError(
                    f"2^{bits:.1f} weight vectors, and max_enumeration_bits is "
                    f"{self.max_enumeration_bits}, so that CP-SAT is needed: {error}"
                ) from error
            return False
        return True

    def _enumerate(self, problem: TrainingProblem, landscape: IncrementalLoss, run: Run) -> Result:
        """Enumerate every weight vector; stop early if no outputs in range could do better."""
        if problem.constraints:
            visited = False
            with run.guarded():
                visited = every_choice(problem, landscape, run)
            bound = run.incumbent.loss if visited else min(landscape.floor, run.incumbent.loss)
            return run.result(
                problem,
                lower_bound=bound,
                method="enumeration",
                weight_vectors=landscape.num_choices,
            )
        moves, floor = landscape.moves, landscape.floor
        goal = landscape.value(reach(floor))
        best = np.zeros_like(moves.choice)
        value = landscape.value(landscape.set_choice(best))
        _offer(run, problem, landscape.bits(best))
        focus, direction = np.arange(len(best) + 1), np.ones_like(best)
        step = 2**16  # weight vectors between two checks of the clock
        visited = False
        with run.guarded():
            for t in run.steps(-(-landscape.num_choices // step)):
                before = value
                value, visited = enumerate_choices(
                    landscape.state, moves, focus, direction, step, best, value, goal
                )
                if value < before:
                    _offer(run, problem, landscape.bits(best))
                run.history.record(iteration=t, loss=run.incumbent.loss)
                if visited or value <= goal:
                    break
        if visited or value <= goal:
            run.status = Status.OPTIMAL
        return run.result(
            problem,
            lower_bound=run.incumbent.loss if visited else min(floor, run.incumbent.loss),
            method="enumeration",
            weight_vectors=landscape.num_choices,
        )

    def _cp_sat(self, problem: TrainingProblem, landscape: IncrementalLoss, run: Run) -> Result:
        """Run CP-SAT on the model, starting from the best result of a quick annealing.

        The annealing has at most a tenth of the time.
        """
        hint = WeightAnnealing(
            restarts=20,
            seed=self.seed,
            time_limit=self.time_limit and 0.1 * self.time_limit,
        ).solve(problem)
        run.incumbent.offer(hint.bits[None], problem.losses(hint.bits))
        bound = landscape.floor
        with run.guarded():
            if hint.status is Status.INTERRUPTED:
                raise KeyboardInterrupt
            if self._far_too_large(problem, run):
                run.status = Status.TIME_LIMIT
            elif hint.status is not Status.OPTIMAL and not run.exhausted():
                bound = max(bound, self._prove(problem, run))
        if run.incumbent.loss <= reach(bound):
            run.status = Status.OPTIMAL
        return run.result(problem, lower_bound=min(bound, run.incumbent.loss), method="cp-sat")

    def _far_too_large(self, problem: TrainingProblem, run: Run) -> bool:
        """Return whether building the model alone would far exceed the time limit."""
        if self.time_limit is None:
            return False
        needed = 4e-6 * problem.size(self.encoding).nonzeros  # seconds to take in an entry
        if needed <= 3.0 * self.time_limit:
            return False
        run.reason = (
            f"a model that CP-SAT would take about {needed:,.0f} s to read: the best weights of a "
            "quick annealing are returned; give more time, or train on fewer samples"
        )
        return True

    def _prove(self, problem: TrainingProblem, run: Run) -> float:
        """Improve the incumbent by CP-SAT and return the bound it proves."""
        model = problem.qcbo(self.encoding)
        assert run.incumbent.bits is not None

        def on_solution(x: BitArray, objective: float, bound: float) -> bool:
            _offer(run, problem, x[model.weight_variables])
            t = len(run.history) + 1
            run.history.record(iteration=t, loss=run.incumbent.loss, bound=bound)
            return run.told_to_stop(t)

        solution = solve_qcbo(
            model,
            time_limit=self.time_limit and max(1e-3, self.time_limit - run.seconds),
            seed=self.seed,
            workers=self.workers,
            hint=problem.complete_bits(run.incumbent.bits, self.encoding),
            on_solution=on_solution,
        )
        if solution.x is not None:
            _offer(run, problem, solution.x[model.weight_variables])
        run.status = solution.status
        return solution.bound


def _offer(run: Run, problem: TrainingProblem, bits: BitArray) -> None:
    """Score weight bits by the problem's own forward pass and offer them to the incumbent."""
    run.incumbent.offer(bits[None], problem.losses(bits[None]))
