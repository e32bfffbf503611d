"""The linear form of a model, its bound, and restricted models solved exactly."""

from __future__ import annotations

import dimod
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import QCBO
from solvers import QCGD
from solvers.oracles import Annealer
from solvers.qcgd.linear import LinearForm, Relaxation
from solvers.qcgd.scoring import ModelScoring, Pool, least_multiple
from solvers.qcgd.sources.restricted import Restricted
from tests.cqms import cqms, optimum
from tests.strategies import every_point, feasible_points, qcbos


def least(model: QCBO) -> float:
    points = feasible_points(model)
    return float(model.objective(points).min()) if len(points) else np.inf


@given(qcbos())
def test_no_feasible_point_is_below_the_bound(model: QCBO) -> None:
    found = Relaxation.of(model)
    if found is not None:
        assert found.bound <= least(model)
        assert least_multiple(model, found.bound) <= least(model) + 1e-9
        points = feasible_points(model)
        if len(points) and not model.quadratic.nnz:
            floor = model.offset + found.constant + points @ found.reduced
            assert (floor <= model.objective(points) + 1e-9).all()


@given(qcbos())
def test_bits_of_the_linear_form_are_feasible_as_in_the_model(model: QCBO) -> None:
    form = LinearForm.of(model)
    points = every_point(model.num_variables)
    i, j = model.quadratic.nonzero()
    lifted = np.concatenate([points, points[:, i] * points[:, j]], axis=1).astype(float)
    sides = (form.rows @ lifted.T).T
    holds = ((sides >= form.low - 1e-9) & (sides <= form.high + 1e-9)).all(axis=1)
    assert (holds == model.is_feasible(points)).all()
    np.testing.assert_allclose(
        lifted @ form.cost + model.offset, model.objective(points), atol=1e-9
    )


@given(qcbos(), st.integers(0, 99))
def test_restricted_models_are_solved_exactly(model: QCBO, seed: int) -> None:
    """All bits are free here, so that the answer is the optimum."""
    rng = np.random.default_rng(seed)
    target, pool = ModelScoring(model), Pool(4)
    pool.add(*target.score(rng.integers(0, 2, (4, model.num_variables)).astype(np.int8)))
    points = Restricted(model, target.relaxation).points(pool, rng)
    if np.isfinite(least(model)):
        assert model.is_feasible(points).all()
        np.testing.assert_allclose(model.objective(points), least(model), atol=1e-9)


def test_the_bound_of_a_knapsack_is_proven_and_its_kind_told() -> None:
    rng = np.random.default_rng(3)
    x = list(dimod.Binaries(range(60)))
    cqm = dimod.ConstrainedQuadraticModel()
    worth, weight = rng.integers(10, 99, 60), rng.integers(10, 99, 60)
    cqm.set_objective(-dimod.quicksum(int(a) * b for a, b in zip(worth, x, strict=True)))
    room = dimod.quicksum(int(a) * b for a, b in zip(weight, x, strict=True))
    cqm.add_constraint(room <= int(weight.sum()) // 2)
    info = QCGD(Annealer(2, 10), iterations=5, seed=0).sample_cqm(cqm).info
    assert info["bound_kind"] in ("linear relaxation", "met")
    assert info["lower_bound"] == round(info["lower_bound"])
    assert 0.0 <= info["gap"] < 0.02


@given(cqms())
@settings(max_examples=30, deadline=None)
def test_bounds_of_random_models_are_never_above_the_optimum(
    cqm: dimod.ConstrainedQuadraticModel,
) -> None:
    info = QCGD(Annealer(2, 10), iterations=3, seed=0).sample_cqm(cqm).info
    best = optimum(cqm)
    if info["lower_bound"] is not None and best is not None:
        assert info["lower_bound"] <= best + 1e-6
