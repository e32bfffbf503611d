"""Exact optimum or certified bound of a binary model by CP-SAT (extra ``exact``)."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.errors import InfeasibleModelError, InvalidInputError
from formulations.extras import load_extra
from formulations.model.qcbo import QCBO
from solvers.kernels.loss_form import common_unit
from solvers.run.result import Status

if TYPE_CHECKING:
    from ortools.sat.python import cp_model


LARGEST_SUM = 2**60
"""Limit on the sum of |coefficients| of a row or the objective: CP-SAT adds in 64 bits."""

OnSolution = Callable[[BitArray, float, float], bool | None]
"""Called with each better x, its objective and the bound so far; returning True stops the run."""


@dataclass(frozen=True)
class ModelSolution:
    """Result of :func:`solve_qcbo`.

    Parameters
    ----------
    x : ndarray of int8, shape (n,), or None
        Best feasible point found, if any.
    objective : float
        Objective of ``x``; infinite if there is no point.
    bound : float
        Certified lower bound on the objective of any feasible point.
    status : Status
        OPTIMAL if ``objective`` is proven minimal; TIME_LIMIT or INTERRUPTED.
    """

    x: BitArray | None
    objective: float
    bound: float
    status: Status


def solve_qcbo(
    model: QCBO,
    *,
    time_limit: float | None = None,
    seed: int = 0,
    workers: int = 2,
    hint: npt.ArrayLike | None = None,
    on_solution: OnSolution | None = None,
) -> ModelSolution:
    """Minimise a model by CP-SAT.

    Products and quadratic terms become clauses on binary variables.  Real coefficients of the
    objective are scaled to integers, exactly if they have a simple common unit.  Otherwise they are
    rounded, and the bound is lowered by the largest possible rounding error.

    Parameters
    ----------
    model : QCBO
    time_limit : float, optional
        Seconds.
    seed, workers : int
        Random seed and number of threads.  The same pair reproduces the result unless the time
        limit cuts the run short.
    hint : array of 0/1, shape (n,), optional
        Starting point of the search, preferably feasible.
    on_solution : callable, optional
        Called with each better point, its objective and the bound so far; returning True stops the
        run.

    Raises
    ------
    MissingExtraError
        Without ortools.
    InfeasibleModelError
        If it is proven that no point satisfies every row.
    InvalidInputError
        For rows without an integer form, or coefficients beyond 64 bits.

    Examples
    --------
    >>> model = QCBO.from_arrays([-1.0, -1.0, 0.5], [[1.0, 1.0, -1.0]], [1.0])
    >>> solution = solve_qcbo(model)
    >>> solution.x.tolist(), solution.objective, solution.bound, solution.status
    ([1, 1, 1], -1.5, -1.5, <Status.OPTIMAL: 'optimal'>)
    """
    started = time.perf_counter()
    cp_model = import_cp_model()
    program = _Program.of(model, cp_model)
    if hint is not None:
        for variable, value in zip(program.x, model.array(hint).tolist(), strict=True):
            program.cp.add_hint(variable, value)
    solver = cp_model.CpSolver()
    solver.parameters.random_seed = seed % 2**31
    solver.parameters.num_workers = workers
    solver.parameters.interleave_search = workers > 1  # deterministic: the threads take turns
    if time_limit is not None:
        left = max(0.0, time_limit - (time.perf_counter() - started))
        solver.parameters.max_time_in_seconds = left
    watch = _watcher(cp_model, program, model, on_solution)
    code = _run(solver, program, watch)
    if watch.error is not None:
        raise watch.error
    if code == cp_model.INFEASIBLE:
        raise InfeasibleModelError(
            f"the model of {model.num_variables} variables and {model.num_rows} rows is "
            "infeasible, which is proven: no assignment satisfies every row"
        )
    if code == cp_model.MODEL_INVALID:
        raise InvalidInputError(f"CP-SAT cannot take the model: {program.cp.validate()}")
    stopped = Status.INTERRUPTED if watch.stopped else Status.TIME_LIMIT
    bound = program.safe_bound(solver.best_objective_bound)
    if code == cp_model.UNKNOWN:
        if solver.best_objective_bound == 0.0:  # CP-SAT also reports this before it has any bound.
            bound = program.safe_bound(program.least)
        return ModelSolution(None, float("inf"), bound, stopped)
    x = np.array([solver.value(variable) for variable in program.x], dtype=np.int8)
    objective = float(model.objective(x))
    # A gap below the objective's rounding error still counts as a proof of optimality.
    slack = 2 * program.error <= min(1e-9 * max(1.0, abs(objective)), program.smallest / 1000)
    if code == cp_model.OPTIMAL and slack:
        return ModelSolution(x, objective, min(bound, objective), Status.OPTIMAL)
    status = Status.FINISHED if code == cp_model.OPTIMAL else stopped
    return ModelSolution(x, objective, min(bound, objective), status)


def import_cp_model() -> Any:
    """Import CP-SAT's Python module."""
    return load_extra("ortools.sat.python.cp_model", "exact", "CP-SAT")


def _run(solver: Any, program: _Program, watch: Any) -> Any:
    """Run CP-SAT and return its status; Ctrl-C stops it and is remembered as a stop.

    The search runs on its own thread, because Python handles Ctrl-C only in the main thread and
    only between two Python instructions.
    """
    solver.parameters.catch_sigint_signal = False
    with ThreadPoolExecutor(max_workers=1) as pool:
        search = pool.submit(solver.solve, program.cp, watch)
        try:
            while not search.done():
                wait([search], timeout=0.1)
        except KeyboardInterrupt:
            watch.stopped = True
            solver.stop_search()
        return search.result()


def _watcher(cp_model: Any, program: _Program, model: QCBO, on_solution: OnSolution | None) -> Any:
    """Make CP-SAT's callback; it stores exceptions, which must not cross the solver."""

    class Watcher(cp_model.CpSolverSolutionCallback):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.stopped = False
            self.error: BaseException | None = None

        def on_solution_callback(self) -> None:
            if on_solution is None or self.stopped:
                return
            try:
                x = np.array([self.value(variable) for variable in program.x], dtype=np.int8)
                bound = program.safe_bound(self.best_objective_bound)
                self.stopped = bool(on_solution(x, float(model.objective(x)), bound))
            except BaseException as error:
                self.error, self.stopped = error, True
            if self.stopped:
                self.stop_search()

    return Watcher()


@dataclass(frozen=True)
class _Program:
    """A CP-SAT model with the variables of a QCBO.

    Objective of the QCBO = offset + unit * (objective of the CP-SAT model), up to ``error``;
    ``least`` bounds the latter from below whatever the rows; ``smallest`` is the least
    |coefficient|.
    """

    cp: cp_model.CpModel
    x: list[cp_model.IntVar]
    unit: float
    offset: float
    error: float
    least: float
    smallest: float

    @classmethod
    def of(cls, model: QCBO, cp_model: Any) -> _Program:
        cp = cp_model.CpModel()
        x = [cp.new_bool_var("") for _ in range(model.num_variables)]
        _add_rows(cp, cp_model, x, model)
        for u, v, w in model.products.tolist():
            cp.add_implication(x[u], x[v])
            cp.add_implication(x[u], x[w])
            cp.add_bool_or(~x[v], ~x[w], x[u])
        pairs = model.quadratic.tocoo()
        known = {(min(v, w), max(v, w)): u for u, v, w in model.products.tolist()}
        terms = list(x)
        for i, j, value in zip(pairs.row.tolist(), pairs.col.tolist(), pairs.data, strict=True):
            terms.append(x[known[i, j]] if (i, j) in known else _product(cp, x[i], x[j], value))
        coefficients = np.concatenate([model.linear, pairs.data])
        unit, whole = _integers(coefficients)
        cp.minimize(cp_model.LinearExpr.weighted_sum(terms, whole.tolist()))
        error = float(np.abs(coefficients - unit * whole).sum())
        least = float(np.minimum(whole, 0).sum())
        sizes = np.abs(coefficients[coefficients != 0.0])
        smallest = float(sizes.min(initial=np.inf))
        return cls(cp, x, unit, float(model.offset), error, least, smallest)

    def safe_bound(self, bound: float) -> float:
        """Convert a bound of the CP-SAT model into a bound of the QCBO."""
        value = self.unit * bound
        halves = (2.0**20 * value).is_integer() and (2.0**20 * self.offset).is_integer()
        exact = halves and abs(value) + abs(self.offset) < 2.0**32
        # relative rounding error of a sum of doubles
        rounding = 0.0 if exact else 2.0**-52 * (abs(value) + abs(self.offset))
        return self.offset + value - self.error - rounding


def _product(cp: cp_model.CpModel, v: Any, w: Any, coefficient: float) -> Any:
    """Return a variable that equals v w wherever a term coefficient * v * w is minimised."""
    u = cp.new_bool_var("")
    if coefficient < 0:
        cp.add_implication(u, v)
        cp.add_implication(u, w)
    else:
        cp.add_bool_or(~v, ~w, u)
    return u


def _integers(values: FloatArray) -> tuple[float, IntArray]:
    """Return (unit, k) with values = unit * k, rounded if there is no simple unit."""
    unit = common_unit(values)
    if unit is not None and np.abs(values).sum() / float(unit) < LARGEST_SUM:
        whole = np.rint(values * unit.denominator / unit.numerator).astype(np.int64)
        if (whole[values != 0.0] != 0).all():  # Nothing was rounded.
            return float(unit), whole
    # Scaling by a power of two is exact.
    step = 2.0 ** np.ceil(np.log2(max(np.abs(values).sum(), 1e-300) / 2**50))
    return float(step), np.rint(values / step).astype(np.int64)


def _add_rows(cp: cp_model.CpModel, cp_model: Any, x: list[Any], model: QCBO) -> None:
    """Add linear rows with integer coefficients."""
    rows = sp.csr_array(model.rows)
    for r in range(model.num_rows):
        inside = slice(rows.indptr[r], rows.indptr[r + 1])
        values = np.append(rows.data[inside], model.rhs[r])
        whole = np.rint(values)
        if not np.array_equal(whole, values):
            unit = common_unit(values, largest_denominator=10**6)
            if unit is None:
                raise InvalidInputError(
                    f"row {model.row_labels[r]!r}: its coefficients have no common unit of a "
                    "millionth or more, and CP-SAT takes integers only: round or scale the row"
                )
            whole = np.rint(values * unit.denominator / unit.numerator)
        if np.abs(whole).sum() >= LARGEST_SUM:
            raise InvalidInputError(
                f"row {model.row_labels[r]!r}: coefficients beyond 2^60 are too large for CP-SAT"
            )
        *coefficients, rhs = whole.astype(np.int64).tolist()
        variables = [x[i] for i in rows.indices[inside].tolist()]
        left = cp_model.LinearExpr.weighted_sum(variables, coefficients)
        cp.add(left == rhs) if model.equality[r] else cp.add(left <= rhs)
