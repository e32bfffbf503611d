"""Models to and from dimod, judged by dimod's own evaluation and by enumeration."""

from __future__ import annotations

import time

import dimod
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from formulations import TrainingProblem
from formulations.cqm.to_dimod import from_cqm, read_cqm, to_bqm, to_cqm
from formulations.errors import InvalidInputError
from formulations.model.qcbo import QCBO
from formulations.passes import sufficient_penalty
from tests.formulations.problems import ENCODINGS, problems
from tests.strategies import every_point, feasible_points, qcbos

quick = settings(deadline=None, max_examples=80)


@quick
@given(qcbos())
def test_dimod_evaluates_the_cqm_as_we_do(model: QCBO) -> None:
    cqm = to_cqm(model)
    labels = model.labels.strings()
    assert list(cqm.variables) == labels
    points = every_point(model.num_variables)
    energies = cqm.objective.energies((points, labels))
    assert np.allclose(energies, model.objective(points))
    feasible = model.is_feasible(points)
    for x, ok in zip(points, feasible, strict=True):
        sample = dict(zip(labels, x.tolist(), strict=True))
        assert cqm.check_feasible(sample, rtol=0, atol=1e-6) == ok
        amounts = {k: v for k, v in cqm.violations(sample, clip=True).items() if v > 1e-6}
        assert amounts == pytest.approx(model.violations(x))


@quick
@given(qcbos())
def test_a_model_survives_the_cqm(model: QCBO) -> None:
    assert from_cqm(to_cqm(model)).equals(model)
    assert QCBO.from_cqm(model.to_cqm()).equals(model)


@settings(deadline=None, max_examples=40)
@given(problems(), st.sampled_from(ENCODINGS))
def test_training_problems_survive_the_cqm(problem: TrainingProblem, encoding: str | None) -> None:
    model = problem.qcbo(encoding)
    assert from_cqm(to_cqm(model)).equals(model)


@quick
@given(qcbos(feasible=False))
def test_products_of_any_shape_keep_their_meaning(model: QCBO) -> None:
    back = from_cqm(to_cqm(model))
    points = every_point(model.num_variables)
    assert np.array_equal(back.is_feasible(points), model.is_feasible(points))


@quick
@given(qcbos())
def test_the_cqm_survives_dimods_own_file(model: QCBO) -> None:
    with to_cqm(model).to_file() as file:
        back = from_cqm(dimod.ConstrainedQuadraticModel.from_file(file))
    points = every_point(model.num_variables)
    assert back.labels == model.labels
    assert np.allclose(back.objective(points), model.objective(points))
    assert np.array_equal(back.is_feasible(points), model.is_feasible(points))
    assert sorted(back.row_labels) == sorted(model.row_labels)  # dimod's file reorders them


@quick
@given(qcbos(max_variables=5, max_rows=3))
def test_ground_states_of_the_bqm_are_the_constrained_optima(model: QCBO) -> None:
    bqm = to_bqm(model, sufficient_penalty(model))
    assume(bqm.num_variables <= 14)
    labels = model.labels.strings()
    assert list(bqm.variables)[: len(labels)] == labels
    points = every_point(bqm.num_variables)
    energies = bqm.energies((points, list(bqm.variables)))
    ground = points[energies <= energies.min() + 1e-6, : len(labels)]
    feasible = feasible_points(model)
    objectives = model.objective(feasible)
    optima = feasible[objectives <= objectives.min() + 1e-6]
    assert np.isclose(energies.min(), objectives.min(), atol=1e-6)
    assert np.array_equal(np.unique(ground, axis=0), np.unique(optima, axis=0))


def mixed_cqm() -> dimod.ConstrainedQuadraticModel:
    """Bits, spins and integers, keys of several kinds, all three senses, offsets."""
    cqm = dimod.ConstrainedQuadraticModel()
    x = dimod.Binary(("x", 1))
    s, t = dimod.Spin("s"), dimod.Spin(7)
    i = dimod.Integer("i", lower_bound=-2, upper_bound=3)
    j = dimod.Integer("j", lower_bound=1, upper_bound=1)
    cqm.set_objective(2 * i * i - i * x + 3 * s * t - x * s + 0.5 * i * s + 4 * j * i - 1.5 * t + 7)
    cqm.add_constraint(i + 2 * x - s + 1 >= 1, label=("at", "least"))
    cqm.add_constraint(i - t + 0.5 * j <= 2.5, label="most[0]")
    cqm.add_constraint(2 * s + 2 * t + 4 * x == 4, label="exactly")
    return cqm


def test_spins_and_integers_become_bits_with_an_exact_way_back() -> None:
    cqm = mixed_cqm()
    model, readout = read_cqm(cqm)
    assert model.group_names == ("rows", "most")
    points = every_point(model.num_variables)
    values = readout.values(points)
    seen = set()
    for x, value, objective, ok in zip(
        points, values, model.objective(points), model.is_feasible(points), strict=True
    ):
        sample = readout.sample(x)
        assert list(sample.values()) == value.tolist()
        assert cqm.objective.energy(sample) == pytest.approx(objective)
        assert cqm.check_feasible(sample) == ok
        assert np.array_equal(readout.values(readout.bits(value)), value)
        seen.add(tuple(value))
    assert len(seen) == 2 * 2 * 2 * 6  # x, s, t, i; j has one value


def test_labels_of_any_kind_survive() -> None:
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variables("BINARY", [0, ("a", 1), "s", frozenset({2})])
    cqm.add_constraint_from_iterable([(0, 1), (("a", 1), 2)], "<=", rhs=2, label=("c", 0))
    model = from_cqm(cqm)
    assert list(model.labels) == [0, ("a", 1), "s", frozenset({2})]
    assert model.violations([1, 1, 0, 0]) == {("c", 0): 1.0}
    assert list(to_cqm(model).variables) == list(cqm.variables)
    assert list(to_bqm(model, 2.0).variables)[:4] == list(cqm.variables)


def test_discrete_constraints_and_scaled_products_are_understood() -> None:
    cqm = dimod.ConstrainedQuadraticModel()
    u, v, w = (dimod.Binary(name) for name in "uvw")
    cqm.add_constraint(3 * u - 3 * v * w + 0 * u * v == 0, label="product")
    cqm.add_constraint(2 - 2 * v * u + 2 * w == 2, label="another")
    cqm.add_discrete(["p", "q", "r"], label="one of them")
    model = from_cqm(cqm)
    number = model.labels.positions()
    rows = {(u, frozenset(factors)) for u, *factors in model.products.tolist()}
    assert rows == {
        (number["u"], frozenset({number["v"], number["w"]})),
        (number["w"], frozenset({number["u"], number["v"]})),
    }
    assert model.row_labels.strings() == ["one of them"]
    assert model.equality.tolist() == [True]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda c, x: c.add_variable("REAL", "r"), r"variable 'r' is real: .* steps"),
        (lambda c, x: c.add_variable("INTEGER", "i"), r"integer variable 'i' ranges .*bounds"),
        (
            lambda c, x: c.add_constraint(x[0] + 2**0.5 * x[1] <= 0, "s", weight=2),
            r"soft constraint 's': .* multiples of one step",
        ),
        (lambda c, x: c.add_constraint(np.nan * x[0] <= 1, "n"), r"finite"),
    ],
)
def test_what_cannot_be_represented_is_refused_by_name(break_it, message) -> None:  # type: ignore[no-untyped-def]
    cqm = dimod.ConstrainedQuadraticModel()
    x = [dimod.Binary(f"x{i}") for i in range(3)]
    cqm.set_objective(sum(x))
    break_it(cqm, x)
    with pytest.raises(InvalidInputError, match=message):
        from_cqm(cqm)


def test_an_integers_bit_may_not_take_another_variables_label() -> None:
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variable("BINARY", "i[bit=0]")
    cqm.add_variable("INTEGER", "i", upper_bound=1)
    with pytest.raises(InvalidInputError, match="distinct"):
        from_cqm(cqm)


def test_empty_models() -> None:
    assert from_cqm(dimod.ConstrainedQuadraticModel()).num_variables == 0
    model = QCBO.from_arrays([], offset=3.0)
    assert from_cqm(to_cqm(model)).equals(model)
    assert to_bqm(model, 1.0).offset == 3.0


def test_penalties_per_group() -> None:
    model = QCBO.from_arrays(
        [0, 0, 0],
        [[1, 0, 0], [0, 1, 0]],
        [1, 1],
        products=[[2, 0, 1]],
        row_labels=["a[0]", "b[0]"],
    )
    bqm = to_bqm(model, {"a": 1.0, "b": 10.0, "products": 100.0})
    labels = model.labels.strings()
    energy = {x: bqm.energy(dict(zip(labels, x, strict=True))) for x in [(0, 1, 0), (1, 0, 0)]}
    assert energy == {(0, 1, 0): 1.0, (1, 0, 0): 10.0}
    assert bqm.energy(dict(zip(labels, (1, 1, 0), strict=True))) == 100.0
    with pytest.raises(InvalidInputError, match=r"no penalty for the row groups \['products'\]"):
        to_bqm(model, {"a": 1.0, "b": 10.0})


def test_30_000_variables_go_both_ways_in_seconds() -> None:
    rng = np.random.default_rng(0)
    n, m = 30_000, 5_000
    columns = rng.integers(0, n, (m, 30))
    from scipy import sparse

    rows = sparse.csr_array(
        (np.ones(columns.size), (np.repeat(np.arange(m), 30), columns.ravel())), shape=(m, n)
    )
    model = QCBO.from_arrays(
        np.ones(n), rows, np.full(m, 3.0), products=rng.permutation(n).reshape(-1, 3)
    )
    start = time.process_time()  # of this process: others may be busy
    cqm = to_cqm(model)
    back = from_cqm(cqm)
    to_bqm(model, 2.0)
    assert time.process_time() - start < 15  # term by term through symbols takes minutes
    assert back.equals(model)
