from __future__ import annotations

import os
import signal
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import QCBO, Network, TrainingProblem
from formulations.errors import InfeasibleModelError, InvalidInputError, MissingExtraError
from solvers.cp_sat import solve_qcbo
from solvers.exact import ExactSolver
from solvers.run.result import Result, Status
from solvers.run.run import Progress
from tests.formulations.problems import ENCODINGS, problems
from tests.strategies import every_point, feasible_points, qcbos

cp_sat = pytest.importorskip("ortools.sat.python.cp_model", reason="needs the extra exact")


def noise(samples: int = 40, hidden: int = 3, inputs: int = 5) -> TrainingProblem:
    """Labels that no network of this size can learn."""
    rng = np.random.default_rng(0)
    X, y = rng.integers(-3, 4, (samples, inputs)), rng.choice([-1, 1], samples)
    return TrainingProblem(Network.dense([inputs, hidden, 1]), X, y)


def check_optimal(problem: TrainingProblem, result: Result) -> None:
    least = problem.losses(every_point(problem.num_free_bits)).min()
    assert result.status is Status.OPTIMAL
    assert result.loss == pytest.approx(least, rel=1e-9, abs=1e-9)
    assert result.loss == pytest.approx(problem.loss(result.weights), rel=1e-9, abs=1e-9)
    assert result.lower_bound is not None
    assert result.lower_bound <= result.loss
    assert result.lower_bound == pytest.approx(least, rel=1e-8, abs=1e-8)


# -- enumeration ----------------------------------------------------------------------------------


@given(problems(max_bits=10, max_samples=4))
def test_enumeration_finds_the_least_loss(problem: TrainingProblem) -> None:
    result = ExactSolver(method="enumeration").solve(problem)
    assert result.info["method"] == "enumeration"
    check_optimal(problem, result)


def test_enumeration_of_a_restricted_problem_changes_only_free_bits() -> None:
    problem, rng = noise(), np.random.default_rng(1)
    incumbent = rng.integers(0, 2, problem.num_free_bits).astype(np.int8)
    free = np.arange(3, 15, 2)
    small = problem.restrict(free, incumbent)
    result = ExactSolver().solve(small)
    check_optimal(small, result)
    bits = problem.bits_from_weights(result.weights)
    fixed = np.delete(np.arange(problem.num_free_bits), free)
    np.testing.assert_array_equal(bits[fixed], incumbent[fixed])


def test_twenty_bits_take_seconds() -> None:
    problem = noise(100, hidden=4, inputs=4)
    ExactSolver().solve(noise(3, 1, 1))  # compiled outside the measured time
    started = time.perf_counter()
    result = ExactSolver().solve(problem)
    assert time.perf_counter() - started < 3.0
    assert result.info["weight_vectors"] == 2**20
    assert result.status is Status.OPTIMAL


def test_enumeration_stops_at_the_time_limit_with_its_incumbent() -> None:
    problem = noise(500, hidden=4, inputs=5)
    result = ExactSolver(time_limit=0.2).solve(problem)
    assert result.status is Status.TIME_LIMIT
    assert result.seconds < 1.0
    assert result.loss == problem.loss(result.weights)
    assert result.lower_bound == 0.0


def test_ctrl_c_keeps_the_incumbent_of_enumeration() -> None:
    problem = noise(100, hidden=4, inputs=4)

    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    result = ExactSolver(callbacks=(interrupt,)).solve(problem)
    assert result.status is Status.INTERRUPTED
    assert result.loss == problem.loss(result.weights)


def test_too_many_weight_vectors_are_refused_with_the_number() -> None:
    with pytest.raises(InvalidInputError, match=r"2\^18\.0 weight vectors.*restrict"):
        ExactSolver(method="enumeration", max_enumeration_bits=10).solve(noise())


# -- CP-SAT on the training problem ---------------------------------------------------------------


@settings(max_examples=25)
@given(problems(max_bits=7, max_samples=2), st.sampled_from(ENCODINGS))
def test_cp_sat_finds_the_least_loss(problem: TrainingProblem, encoding: str | None) -> None:
    solver = ExactSolver(method="cp-sat", encoding=encoding, time_limit=60, workers=1)
    result = solver.solve(problem)
    assert result.info["method"] == "cp-sat"
    check_optimal(problem, result)


def test_cp_sat_and_enumeration_agree() -> None:
    problem = noise(12)
    proven = ExactSolver(method="cp-sat", time_limit=60).solve(problem)
    listed = ExactSolver(method="enumeration").solve(problem)
    assert proven.status is listed.status is Status.OPTIMAL
    assert proven.loss == listed.loss == proven.lower_bound == listed.lower_bound


def test_auto_takes_cp_sat_beyond_the_enumeration_limit() -> None:
    solver = ExactSolver(max_enumeration_bits=10, time_limit=60)
    assert solver.solve(noise(8)).info["method"] == "cp-sat"


def test_cp_sat_gives_the_same_result_for_the_same_seed() -> None:
    problem = noise(12)
    first, again = (
        ExactSolver(method="cp-sat", seed=5, time_limit=60).solve(problem) for _ in range(2)
    )
    assert first.bits.tolist() == again.bits.tolist()
    assert first.history.columns == again.history.columns


def test_cp_sat_certifies_a_bound_in_limited_time() -> None:
    problem = noise(60, hidden=3, inputs=8)
    started = time.perf_counter()
    result = ExactSolver(method="cp-sat", time_limit=2).solve(problem)
    assert time.perf_counter() - started < 6.0
    assert result.status is Status.TIME_LIMIT
    assert result.lower_bound is not None
    assert 0.0 <= result.lower_bound <= result.loss == problem.loss(result.weights)


def test_ctrl_c_keeps_the_incumbent_of_cp_sat() -> None:
    problem = noise(12)

    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    result = ExactSolver(method="cp-sat", callbacks=(interrupt,), time_limit=60).solve(problem)
    assert result.status in (Status.INTERRUPTED, Status.OPTIMAL)
    assert result.loss == problem.loss(result.weights)
    assert len(result.history) <= 1


@pytest.mark.skipif(os.name == "nt", reason="sends itself a POSIX signal")
def test_a_real_ctrl_c_stops_cp_sat_within_a_second() -> None:
    problem = noise(60, hidden=3, inputs=8)
    solver = ExactSolver(method="cp-sat", time_limit=30)
    solver.solve(noise(2))  # compiled and imported outside the measured time
    timer = threading.Timer(1.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    result = solver.solve(problem)
    timer.join()
    assert result.status is Status.INTERRUPTED
    assert result.seconds < 5.0
    assert result.loss == problem.loss(result.weights)


def test_without_ortools_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("ortools.sat.python", "ortools.sat.python.cp_model"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError, match=r"2\^18\.0 weight vectors.*exact"):
        ExactSolver(max_enumeration_bits=10).solve(noise())
    assert ExactSolver().solve(noise()).status is Status.OPTIMAL
    with pytest.raises(MissingExtraError, match="exact"):
        solve_qcbo(QCBO.from_arrays([1.0]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "cpsat"}, "Did you mean 'cp-sat'"),
        ({"max_enumeration_bits": 0}, "max_enumeration_bits=0"),
        ({"workers": 0}, "workers=0"),
        ({"seed": 0.5}, "seed=0.5"),
        ({"encoding": "onehot"}, "Did you mean 'one-hot'"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ExactSolver(**options)


# -- CP-SAT on any model --------------------------------------------------------------------------


@settings(max_examples=40)
@given(qcbos(max_variables=7))
def test_any_model_is_solved_to_its_optimum(model: QCBO) -> None:
    solution = solve_qcbo(model, time_limit=60)
    least = model.objective(feasible_points(model)).min()
    assert solution.status is Status.OPTIMAL
    assert solution.x is not None
    assert model.is_feasible(solution.x)
    assert solution.objective == model.objective(solution.x)
    assert solution.objective == pytest.approx(least, rel=1e-9, abs=1e-9)
    assert solution.bound <= least + 1e-12
    assert solution.bound == pytest.approx(least, rel=1e-8, abs=1e-8)


@settings(max_examples=20)
@given(qcbos(max_variables=5, feasible=False))
def test_infeasible_models_are_proven_so(model: QCBO) -> None:
    points = feasible_points(model)
    if len(points):
        assert solve_qcbo(model).objective == pytest.approx(model.objective(points).min())
    else:
        with pytest.raises(InfeasibleModelError, match="infeasible"):
            solve_qcbo(model)


def test_irrational_coefficients_keep_the_bound_safe() -> None:
    rng = np.random.default_rng(0)
    linear, quadratic = rng.normal(size=10), np.triu(rng.normal(size=(10, 10)), 1)
    model = QCBO.from_arrays(linear, np.ones((1, 10)), [4.0], quadratic=quadratic)
    points = feasible_points(model)
    least = model.objective(points).min()
    solution = solve_qcbo(model)
    assert solution.status is Status.OPTIMAL
    assert solution.objective == pytest.approx(least, rel=1e-12)
    assert least - 1e-9 <= solution.bound <= least


def test_a_hint_and_a_callback_that_stops() -> None:
    rng = np.random.default_rng(1)
    model = QCBO.from_arrays(
        rng.integers(-9, 9, 60), quadratic=np.triu(rng.integers(-9, 9, (60, 60)), 1)
    )
    seen: list[float] = []

    def stop(x: np.ndarray, objective: float, bound: float) -> bool:
        assert bound <= objective == model.objective(x)
        seen.append(objective)
        return True

    solution = solve_qcbo(model, time_limit=60, hint=np.zeros(60, dtype=np.int8), on_solution=stop)
    assert len(seen) == 1
    assert solution.status is Status.INTERRUPTED
    assert solution.bound <= solution.objective


def test_no_bound_is_claimed_before_there_is_one() -> None:
    rng = np.random.default_rng(0)
    point, rows = rng.integers(0, 2, 200), rng.integers(-20, 20, (30, 200))
    model = QCBO.from_arrays(-np.arange(1.0, 201.0), rows, rows @ point)
    for time_limit in (1e-9, 1e-3, 0.1):
        solution = solve_qcbo(model, time_limit=time_limit)
        assert solution.status is Status.TIME_LIMIT
        assert -20_100.0 <= solution.bound <= model.objective(point)


def test_rows_without_an_integer_form_are_refused_by_name() -> None:
    model = QCBO.from_arrays([1.0, 1.0], [[np.pi, 1.0]], [1.0], row_labels=["odd[3]"])
    with pytest.raises(InvalidInputError, match=r"odd\[3\]"):
        solve_qcbo(model)
    model = QCBO.from_arrays([1.0, 1.0], [[2.0**61, 1.0]], [1.0])
    with pytest.raises(InvalidInputError, match="too large"):
        solve_qcbo(model)
