from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

import solvers.qcgd.lifting
from formulations import Network, TrainingProblem
from formulations.errors import ModelSizeError
from formulations.model.qcbo import QCBO
from solvers.qcgd.lifting import Lifting, row_scales, two_sums
from solvers.qcgd.scoring import ModelScoring, WithSlack
from tests.strategies import every_point, qcbos

FloatArray = npt.NDArray[np.float64]
MODELS = st.one_of(qcbos(), qcbos(feasible=False))
SEEDS = st.integers(0, 2**32 - 1)


def lifted_rows(model: QCBO) -> list[tuple[FloatArray, float]]:
    """Every lifted row as a dense matrix B over z = (1, x) and a right-hand side, by definition.

    <B, z z'> - v is the residual; written from the formulas, one row at a time.
    """
    n = model.num_variables
    scales = row_scales(model)
    a = model.rows.toarray() / scales[:, None]
    b = model.rhs / scales
    rows = []
    for r in range(model.num_rows):  # (i): <B, W> = a'x, split evenly over row and column 0
        B = np.zeros((n + 1, n + 1))
        B[0, 1:] = B[1:, 0] = a[r] / 2
        rows.append((B, b[r]))
    gap = two_sums(model) / scales
    for r in np.flatnonzero(model.equality | (gap > 0)):  # (ii): z' (-b, a)(-b + g, a)' z
        c, shifted = (np.concatenate([[start], a[r]]) for start in (-b[r], -b[r] + gap[r]))
        rows.append(((np.outer(c, shifted) + np.outer(shifted, c)) / 2, 0.0))
    for u, v, w in (model.products + 1).tolist():  # (iii)
        B = np.zeros((n + 1, n + 1))
        for i, j, value in ((v, w, 1.0), (v, u, -2.0), (w, u, -2.0), (0, u, 3.0)):
            B[i, j] += value / 2
            B[j, i] += value / 2
        rows.append((B, 0.0))
    return rows


def vector_of(lifting: Lifting, W: FloatArray) -> FloatArray:
    """What the n linear and e coupling coefficients of a QUBO multiply: x_i and x_i x_j."""
    n = lifting.model.num_variables
    return np.concatenate([W[0, 1:], W[lifting.heads + 1, lifting.tails + 1]]) if n else W[0, 1:]


@given(MODELS, SEEDS)
def test_adjoint(model: QCBO, seed: int) -> None:
    """<A(W), y> = <W, A*(y)> for random multipliers and W in the hull of binary points."""
    random = np.random.default_rng(seed)
    lifting = Lifting.of(model)
    z = np.concatenate(
        [np.ones((5, 1)), random.integers(0, 2, (5, model.num_variables))], axis=1
    ).astype(float)
    W = np.einsum("t,ti,tj->ij", random.dirichlet(np.ones(5)), z, z)
    y = random.normal(size=lifting.num_multipliers)
    image = np.array([np.sum(B * W) - v for B, v in lifted_rows(model)])
    qubo = lifting.qubo(y)
    change = np.concatenate([qubo.linear, qubo.couplings]) - lifting.objective
    left = image @ y if len(image) else 0.0
    right = vector_of(lifting, W) @ change + y @ lifting.constant
    assert left == pytest.approx(right, rel=1e-9, abs=1e-9)


@given(MODELS, SEEDS)
def test_qubo_is_objective_and_weighted_residuals_at_every_point(model: QCBO, seed: int) -> None:
    lifting = Lifting.of(model)
    y = np.random.default_rng(seed).normal(size=lifting.num_multipliers)
    points = every_point(model.num_variables)
    residuals = np.array([lifting.residuals(x) for x in points])
    by_hand = (model.objective(points) - model.offset) / lifting.unit + residuals @ y
    energies = lifting.qubo(y).energies(points) + y @ lifting.constant
    np.testing.assert_allclose(energies, by_hand, rtol=1e-9, atol=1e-9)


@given(MODELS)
def test_residuals_by_definition(model: QCBO) -> None:
    lifting = Lifting.of(model)
    rows = lifted_rows(model)
    assert lifting.num_multipliers == len(rows)
    for x in every_point(model.num_variables)[::3]:
        z = np.concatenate([[1.0], x])
        by_hand = np.array([z @ B @ z - v for B, v in rows])
        np.testing.assert_allclose(lifting.residuals(x), by_hand, rtol=1e-9, atol=1e-9)


@given(MODELS)
def test_squares_and_products_are_never_negative_and_zero_where_rows_hold(model: QCBO) -> None:
    lifting = Lifting.of(model)
    _, squares, products = lifting.kinds
    for x in every_point(model.num_variables):
        residuals = lifting.residuals(x)
        assert (residuals[squares] >= 0).all()
        distinct = [len({u, v, w}) == 3 for u, v, w in model.products.tolist()]
        g = residuals[products][distinct]
        holds = model.product_violations(x)[distinct] == 0
        assert (g[holds] == 0).all()
        assert (g[~holds] >= 1).all()


@given(MODELS)
def test_rows_of_two_sums_have_just_these_where_they_hold(model: QCBO) -> None:
    gap, points = two_sums(model), every_point(model.num_variables)
    residuals = model.row_residuals(points)
    for r in np.flatnonzero(gap):
        held = np.unique(np.round(residuals[residuals[:, r] <= 1e-6, r] / gap[r], 6))
        assert held.tolist() == [-1.0, 0.0]
    assert not gap[model.equality].any()


def test_at_most_one_needs_no_slack_bit_and_a_capacity_does() -> None:
    rows = np.array([[1.0, 1, 1, 0], [1, -1, 0, 0], [2, 3, 4, 1], [1, 0, 0, 1]])
    equality = [False, False, False, True]
    model = QCBO.from_arrays(np.zeros(4), rows, [1, 0, 5, 1], equality=equality)
    target = WithSlack(ModelScoring(model))
    assert target.model.num_variables == 4 + 3
    assert target.model.equality.sum() == 2
    lifting = Lifting.of(target.model)
    assert lifting.squared.all()
    for x in every_point(4):
        residuals = lifting.residuals(target.complete(x))
        broken = residuals[lifting.kinds[1]].any() or (residuals[lifting.kinds[0]] > 1e-9).any()
        assert broken != model.is_feasible(x)


@given(MODELS)
def test_pattern(model: QCBO) -> None:
    """Couplers are sorted, merged and upper; the same arrays go into every QUBO."""
    lifting = Lifting.of(model)
    assert (lifting.heads < lifting.tails).all()
    keys = lifting.heads * (model.num_variables + 1) + lifting.tails
    assert (np.diff(keys) > 0).all()
    one, two = (lifting.qubo(np.full(lifting.num_multipliers, v)) for v in (0.0, 1.0))
    assert one.heads is two.heads
    assert one.tails is two.tails
    assert lifting.signed.sum() == np.count_nonzero(~model.equality)


def test_scales_of_a_network() -> None:
    """A row's private word does not set its scale: the sign bit does, and the products above."""
    net = Network.dense([4, 3, 1], activation="sign")
    X = np.array([[3, -1, 2, 5], [1, 4, -2, 0]])
    model = TrainingProblem(net, X, [1, -1]).qcbo()
    scales = row_scales(model)
    first = model.group_names.index("layer 1")
    sign_bits = model.labels.of_kind("beta")
    a = np.abs(model.rows[model.row_group == first].toarray())
    np.testing.assert_array_equal(scales[model.row_group == first], a[:, sign_bits].max(axis=1))


def test_scale_does_not_depend_on_units() -> None:
    """Rows in other units make the same QUBOs, and an objective in other units the same scale."""
    rows, rhs = np.array([[1.0, 2, 1], [0, 1, 3]]), np.array([1.0, 3])
    one = Lifting.of(QCBO.from_arrays([-1, 2, 3], rows, rhs))
    two = Lifting.of(QCBO.from_arrays([-10, 20, 30], rows * [[7], [0.1]], rhs * [7, 0.1]))
    y = np.array([0.3, -0.2, 1.0, 2.0])
    np.testing.assert_allclose(one.qubo(y).linear, two.qubo(y).linear)
    np.testing.assert_allclose(one.qubo(y).couplings, two.qubo(y).couplings)
    assert one.plausible_scale() == pytest.approx(two.plausible_scale())


def test_model_without_rows() -> None:
    lifting = Lifting.of(QCBO.from_arrays([1.0, -1.0]))
    assert lifting.num_multipliers == 0
    assert lifting.plausible_scale() == 1.0
    np.testing.assert_allclose(lifting.qubo([]).linear * lifting.unit, [1.0, -1.0])


def test_pairs_that_do_not_fit_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = QCBO.from_arrays([0] * 100, np.ones((1, 100)), [50])
    Lifting.of(model)
    monkeypatch.setattr(solvers.qcgd.lifting, "available_memory", lambda: 10**5)
    with pytest.raises(ModelSizeError, match="couple 4,950 pairs .* GiB are free"):
        Lifting.of(model)
