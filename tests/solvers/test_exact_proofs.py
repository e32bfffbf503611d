"""What is claimed of CQMs whose numbers spread over eighteen orders, against exact arithmetic."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from fractions import Fraction
from typing import Any

import dimod
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from formulations.cqm.presolved import Presolved
from formulations.errors import InvalidInputError
from formulations.model.qcbo import QCBO
from solvers import QCGD, Status
from solvers.cp_sat import solve_qcbo
from solvers.oracles import Annealer, ExactOracle

SIZES = [1.0, 1.0, 2.0, 3.0, 7.0, 1e3, 1e6, 1e9, 1e12, 1e15, 1e16, 1e18, 0.5, 0.1, 1 / 3, 1e-7]
COEFFICIENTS = st.builds(lambda size, sign: sign * size, st.sampled_from(SIZES), st.sampled_from([1.0, -1.0]))  # fmt: skip  # noqa: E501


@st.composite
def wide_cqms(draw: st.DrawFn) -> dimod.ConstrainedQuadraticModel:
    """Small CQMs; right-hand sides are near what a drawn point leaves."""
    cqm = dimod.ConstrainedQuadraticModel()
    names = [f"x{k}" for k in range(draw(st.integers(1, 3)))]
    cqm.add_variables("BINARY", names)
    if draw(st.booleans()):
        cqm.add_variable("SPIN", "s")
    if draw(st.booleans()):
        cqm.add_variable("INTEGER", "i", lower_bound=draw(st.integers(-2, 0)), upper_bound=3)
    names = list(cqm.variables)
    some = st.lists(st.sampled_from(names), min_size=1, max_size=3, unique=True)
    cqm.set_objective([(v, draw(COEFFICIENTS)) for v in draw(some)])
    point = {v: float(cqm.upper_bound(v)) for v in names}
    for number in range(draw(st.integers(1, 3))):
        terms: list[tuple[Any, ...]] = [(v, draw(COEFFICIENTS)) for v in draw(some)]
        if len(names) > 1 and draw(st.integers(0, 3)) == 0:
            terms.append((names[0], names[1], draw(COEFFICIENTS)))
        rhs = sum(term[-1] * np.prod([point[v] for v in term[:-1]]) for term in terms)
        rhs += draw(st.sampled_from([0.0, 0.0, 1.0, -1.0, 0.5, 1e-7, -1e6]))
        sense = draw(st.sampled_from(["<=", ">=", "=="]))
        cqm.add_constraint_from_iterable(terms, sense, rhs=rhs, label=f"row{number}")
    return cqm


def exactly(form: dimod.QuadraticModel, point: dict[str, int]) -> Fraction:
    """The value of a form, nothing rounded."""
    value = Fraction(float(form.offset))
    for v, a in form.iter_linear():
        value += Fraction(float(a)) * point[v]
    for u, v, a in form.iter_quadratic():
        value += Fraction(float(a)) * point[u] * point[v]
    return value


def step(row: dimod.sym.Comparison) -> Fraction:
    """The step of a row."""
    biases = [a for *_, a in (*row.lhs.iter_linear(), *row.lhs.iter_quadratic()) if a]
    near = [Fraction(float(a)).limit_denominator(10**6) for a in biases]
    if any(
        abs(f - Fraction(float(a))) > abs(f) / 10**12 for f, a in zip(near, biases, strict=True)
    ):
        return Fraction(0)  # none
    scale = math.lcm(*(f.denominator for f in near))
    return Fraction(math.gcd(*(int(f * scale) for f in near)), scale)


def holds(cqm: dimod.ConstrainedQuadraticModel, point: dict[str, int], share: float) -> bool:
    """Whether a point violates no row by more than a share of dimod's tolerance; 0: of a step."""
    for row in cqm.constraints.values():
        over = exactly(row.lhs, point) - Fraction(float(row.rhs))
        over = {"<=": over, ">=": -over, "==": abs(over)}[row.sense.value]
        tolerance = Fraction(1e-8 + 1e-6 * abs(float(row.rhs)))
        least = min(tolerance, step(row) / 2) if step(row) else tolerance
        if over > (tolerance * Fraction(share) if share else least):
            return False
    return True


def points(cqm: dimod.ConstrainedQuadraticModel) -> list[dict[str, int]]:
    """All assignments."""
    values = [
        [-1, 1] if cqm.vartype(v) is dimod.SPIN
        else range(int(cqm.lower_bound(v)), int(cqm.upper_bound(v)) + 1)
        for v in cqm.variables
    ]  # fmt: skip
    return [dict(zip(cqm.variables, p, strict=True)) for p in itertools.product(*values)]


def judged(cqm: dimod.ConstrainedQuadraticModel, solver: QCGD) -> str:
    """What an answer is worth; an AssertionError for any false claim."""
    try:
        samples = solver.sample_cqm(cqm)
    except InvalidInputError:
        return "refused"
    every = points(cqm)
    strict = [p for p in every if holds(cqm, p, 0.0)]
    firmly = [p for p in every if holds(cqm, p, 0.999)]
    status, bound = samples.info["status"], samples.info["lower_bound"]
    for datum in samples.data(["sample", "is_feasible"]):
        if datum.is_feasible:
            assert datum.sample in strict, f"{cqm}\n{datum}"
    if status == "infeasible":
        assert not firmly, str(cqm)
        return "infeasible, proven"
    objectives = [exactly(cqm.objective, p) for p in firmly]
    if bound is not None and objectives:
        least = min(objectives)
        assert Fraction(bound) <= least + Fraction(1e-12) * (abs(least) + 1), (
            f"{cqm}\n{samples}\n{samples.info}"
        )
    if status != "optimal":
        return "not proven"
    best = exactly(cqm.objective, samples.first.sample)
    assert samples.first.is_feasible
    if not objectives:
        return "optimal, at the edge of dimod's tolerance"
    assert best - min(objectives) <= Fraction(1e-15) * abs(best), (
        f"{cqm}\n{samples}\n{samples.info}"
    )
    return "optimal, proven"


@pytest.mark.parametrize("oracle", [ExactOracle(max_variables=16), Annealer(reads=4, sweeps=20)])
def test_nothing_false_is_claimed(oracle: ExactOracle | Annealer) -> None:
    counts: Counter[str] = Counter()

    @settings(
        deadline=None,
        max_examples=120,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(wide_cqms())
    def judge(cqm: dimod.ConstrainedQuadraticModel) -> None:
        counts[judged(cqm, QCGD(oracle, iterations=8))] += 1

    judge()
    assert counts["optimal, proven"] >= 20
    assert counts["infeasible, proven"] >= 5
    assert counts["refused"] <= 30, counts


def one(objective: object, *rows: object) -> dimod.ConstrainedQuadraticModel:
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(objective)
    for number, row in enumerate(rows):
        cqm.add_constraint(row, label=f"row{number}")
    return cqm


X, Y, Z = dimod.Binaries("xyz")


@pytest.mark.parametrize(
    ("cqm", "least"),
    [
        (one(X - Y, 1e16 * X + Y >= 1), -1.0),
        (one(X - Y, 1e18 * X + Y >= 1), -1.0),
        (one(X - 2 * Y, 1e17 * X * Y + Y <= 1e17), -2.0),
        (one(-X - Y, 1e18 * X + Y <= 1e18), -1.0),
        (one(-X - 2 * Y - Z, 1e6 * X + 1e6 * Y + Z <= 2e6), -3.0),
        (one(1e-9 * X - 1e-9 * Y - 1e-10 * Z, X + Y + Z <= 2), -1.1e-9),
    ],
)
def test_rows_that_mix_small_and_large(cqm: dimod.ConstrainedQuadraticModel, least: float) -> None:
    samples = QCGD(ExactOracle(), iterations=20).sample_cqm(cqm)
    assert samples.first.energy == pytest.approx(least)
    assert samples.info["lower_bound"] is None or samples.info["lower_bound"] <= least * (1 - 1e-15)


def test_rows_that_doubles_cannot_judge_are_refused_by_name() -> None:
    with pytest.raises(
        InvalidInputError, match=r"constraint 'row0' has coefficients of 1 to 1e\+18"
    ):
        Presolved.of(one(-X - Y, 1e18 * X - 1e18 * Y + Z == 0))


def test_of_objectives_that_doubles_cannot_tell_apart_none_is_called_optimal() -> None:
    samples = QCGD(ExactOracle(), iterations=5).sample_cqm(one(1e18 * X + Y - 1e18 * Z, X + Z <= 1))
    assert samples.info["status"] == "finished"
    assert samples.info["lower_bound"] is None


@pytest.mark.parametrize(
    ("linear", "row", "rhs"),
    [
        ([1e-14, -2e-14], [1.0, 1.0], 1.0),
        ([1.0, -1e-14], [1.0, 1.0], 1.0),
        ([1.0, -1.0], [-1e16, -1.0], -1.0),
        ([1e17, 1.0], [-1.0, -1.0], -1.0),
        ([1 / 3, -1e-9 * 2**0.5], [2.0, 1.0], 2.0),
    ],
)
def test_what_cp_sat_is_said_to_have_proven(
    linear: list[float], row: list[float], rhs: float
) -> None:
    pytest.importorskip("ortools")
    model = QCBO.from_arrays(linear, [row], [rhs], equality=[False])
    solution = solve_qcbo(model, workers=1)
    values = [
        sum((Fraction(c) * b for c, b in zip(linear, x, strict=True)), Fraction(0))
        for x in itertools.product((0, 1), repeat=2)
        if sum(Fraction(a) * b for a, b in zip(row, x, strict=True)) <= rhs
    ]
    assert Fraction(solution.bound) <= min(values)
    assert solution.x is not None
    found = sum(Fraction(c) * int(b) for c, b in zip(linear, solution.x, strict=True))
    assert (solution.status is Status.OPTIMAL) <= (found == min(values))
    assert found == min(values)
