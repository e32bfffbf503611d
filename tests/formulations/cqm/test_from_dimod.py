"""CQMs of all kinds as models over bits: dimod's judgement, point by point, by enumeration."""

from __future__ import annotations

import contextlib

import dimod
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from formulations import QCBO
from formulations.cqm.bound_tightening import domains
from formulations.cqm.from_dimod import BinaryForm, read, read_cqm
from formulations.errors import InfeasibleModelError, InvalidInputError
from formulations.passes import Integral
from tests.cqms import cqms, optimum
from tests.strategies import every_point

quick = settings(deadline=None, max_examples=150)
MOST_BITS = 14


def least_costs(model: QCBO, count: int) -> dict[tuple[int, ...], float]:
    """Least objective over the feasible completions of each setting of the first ``count`` bits."""
    points = every_point(model.num_variables)
    points = points[model.is_feasible(points)]
    costs: dict[tuple[int, ...], float] = {}
    for x, cost in zip(points[:, :count].tolist(), model.objective(points).tolist(), strict=True):
        costs[tuple(x)] = min(cost, costs.get(tuple(x), np.inf))
    return costs


def read_if_possible(cqm: dimod.ConstrainedQuadraticModel) -> BinaryForm:
    """What ``read`` says; soft rows whose coefficients have no step make no example."""
    with contextlib.suppress(InvalidInputError):
        return read(cqm)
    assume(False)
    raise AssertionError


@quick
@given(cqms(), st.booleans())
def test_the_model_judges_as_dimod_does(cqm: dimod.ConstrainedQuadraticModel, whole: bool) -> None:
    reading = read_if_possible(cqm)
    assume(reading.model.num_variables <= MOST_BITS)
    model, count = reading.model, reading.readout.num_bits
    if whole:
        try:
            model, _ = Integral(reading.tolerance).apply(model)
        except InfeasibleModelError:
            assert optimum(cqm) is None
            return
    costs = least_costs(model, count)
    every = every_point(count)
    samples = dimod.SampleSet.from_samples_cqm(
        (reading.readout.values(every), list(cqm.variables)), cqm
    )
    for x, datum in zip(every.tolist(), samples.record, strict=True):
        if tuple(x) in costs and (whole or datum.is_feasible):
            assert datum.is_feasible
            assert costs[tuple(x)] == pytest.approx(datum.energy, abs=1e-5)
        else:
            assert not datum.is_feasible or not whole


@quick
@given(cqms())
def test_settled_samples_cost_what_dimod_says(cqm: dimod.ConstrainedQuadraticModel) -> None:
    reading = read_if_possible(cqm)
    count = reading.readout.num_bits
    assume(count <= MOST_BITS)
    x = reading.settled(every_point(count))
    samples = dimod.SampleSet.from_samples_cqm(
        (reading.readout.values(x), list(cqm.variables)), cqm
    )
    feasible = samples.record.is_feasible
    assert reading.model.is_feasible(x)[feasible].all()
    energies = samples.record.energy[feasible]
    np.testing.assert_allclose(reading.model.objective(x)[feasible], energies, atol=1e-5)


@quick
@given(cqms())
def test_domains_hold_every_feasible_point(cqm: dimod.ConstrainedQuadraticModel) -> None:
    samples = dimod.ExactCQMSolver().sample_cqm(cqm)
    feasible = samples.filter(lambda datum: datum.is_feasible)
    try:
        bounds = domains(cqm)
    except InfeasibleModelError:
        assert not len(feasible)
        return
    for datum in feasible.data(["sample"]):
        for v, (low, high) in bounds.items():
            assert low <= datum.sample[v] <= high


def test_rows_share_the_products_of_the_same_pair() -> None:
    x, y, z, u = (dimod.Binary(name) for name in "xyzu")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_constraint(u - x * y == 0, label="u is the product")
    cqm.add_constraint(x * y + 2 * y * z <= 2, label="first")
    cqm.add_constraint(z * y - x * z + x >= 0, label="second")
    model, _ = read_cqm(cqm)
    names = model.labels.strings()
    number = {name: i for i, name in enumerate(names)}
    assert len(names) == 6  # u is x y; y z and x z are made
    assert {(u, *sorted(f)) for u, *f in model.products.tolist()} == {
        (number["u"], *sorted((number["x"], number["y"]))),
        (4, *sorted((number["y"], number["z"]))),
        (5, *sorted((number["x"], number["z"]))),
    }


def test_squares_need_no_products_of_a_bit_with_itself() -> None:
    i, s = dimod.Integer("i", upper_bound=1), dimod.Spin("s")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_constraint(4 * i * i + s <= 3, label="row")
    model, _ = read_cqm(cqm)
    assert model.num_products == 0
    assert model.rows.toarray().tolist() == [[4.0, 2.0]]
    assert model.rhs.tolist() == [4.0]


def test_what_cancels_needs_no_product() -> None:
    s, x = dimod.Spin("s"), dimod.Binary("x")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_constraint(s * x - s * x + x <= 1, label="row")
    assert read_cqm(cqm)[0].num_products == 0


def test_soft_rows_cost_what_dimod_says() -> None:
    x = [dimod.Binary(f"x{k}") for k in range(3)]
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(-5 * sum(x))
    cqm.add_constraint(sum(x) <= 1.25, "capacity", weight=2.0)
    cqm.add_constraint(sum(x) == 1.5, "half", weight=1.0)
    cqm.add_constraint(sum(x) == 1, "one", weight=3.0, penalty="quadratic")
    model, readout = read_cqm(cqm)
    costs = least_costs(model, readout.num_bits)
    assert [costs[1, 1, 1], costs[1, 0, 0], costs[0, 0, 0]] == pytest.approx(
        [-15 + 2 * 1.75 + 1.5 + 3 * 4, -5 + 0.5, 1.5 + 3]
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (lambda x, y: 2 * x + 4 * y == 3, "multiples of 2"),
        (lambda x, y: 0.5 * x - 0.25 * y == 0.1, "multiples of 0.25"),
    ],
)
def test_an_equality_off_its_lattice_is_infeasible(row, message: str) -> None:  # type: ignore[no-untyped-def]
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_constraint(row(dimod.Binary("x"), dimod.Binary("y")), label="odd")
    reading = read(cqm)
    with pytest.raises(InfeasibleModelError, match=message):
        Integral(reading.tolerance).apply(reading.model)


def test_a_tolerance_wider_than_a_step_leaves_several_values() -> None:
    i = dimod.Integer("i", lower_bound=2_000_000, upper_bound=2_000_007)
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_constraint(i == 2_000_003, label="row")
    reading = read(cqm)
    model, _ = Integral(reading.tolerance).apply(reading.model)
    points = every_point(3)
    values = reading.readout.values(points)[:, 0]
    assert sorted(values[model.is_feasible(points)] - 2_000_003) == [-2, -1, 0, 1, 2]
    assert model.row_labels.strings() == ["row", "row from below"]


def test_an_integer_without_a_value_is_infeasible() -> None:
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variable("INTEGER", "i", lower_bound=0.25, upper_bound=0.75)
    with pytest.raises(InfeasibleModelError, match="'i' has no value between"):
        read(cqm)
