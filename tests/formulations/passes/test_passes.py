"""Passes keep the feasible points and their objectives: checked by enumeration."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import sparse

from formulations.errors import InfeasibleModelError, InvalidInputError
from formulations.model.labels import Labels
from formulations.model.qcbo import QCBO
from formulations.passes import (
    Chain,
    CoefficientTightening,
    Integral,
    OneHot,
    OwnSlack,
    Pass,
    Penalty,
    Presolve,
    ProductReduction,
    Rounded,
    Slack,
    sufficient_penalty,
)
from formulations.passes.slack import SlackWord
from tests.strategies import every_point, feasible_points, qcbos

quick = settings(deadline=None, max_examples=60)
EXACT: list[Pass] = [
    Slack(),
    Slack(most_bits=2),
    Presolve(),
    CoefficientTightening(),
    OneHot(),
    OwnSlack(),
    Chain((Slack(), OwnSlack())),
    Rounded(bits=3, longest=2),
    Chain((CoefficientTightening(), Presolve(), OneHot(), Presolve(), Slack())),
]


def solutions(points: np.ndarray, objectives: np.ndarray) -> dict[bytes, float]:
    """Point -> objective."""
    return dict(zip([x.tobytes() for x in points], objectives.round(9).tolist(), strict=True))


def assert_exact(step: Pass, model: QCBO) -> None:
    """The feasible points of ``model`` are the inverses of those of the rewritten model."""
    before = feasible_points(model)
    try:
        rewritten, inverse = step.apply(model)
    except InfeasibleModelError:
        assert not len(before)
        return
    assume(rewritten.num_variables <= 16)
    after = feasible_points(rewritten)
    objectives = model.objective(inverse.invert(after))
    assert np.allclose(objectives, rewritten.objective(after))
    back = solutions(inverse.invert(after), objectives)
    assert back == solutions(before, model.objective(before))
    lifted = inverse.lift(before)
    assert rewritten.is_feasible(lifted).all()
    assert np.array_equal(inverse.invert(lifted), before)


@pytest.mark.parametrize("step", EXACT, ids=lambda step: type(step).__name__)
@quick
@given(qcbos())
def test_feasible_set_and_objective_survive(step: Pass, model: QCBO) -> None:
    assert_exact(step, model)


@pytest.mark.parametrize("step", EXACT, ids=lambda step: type(step).__name__)
@quick
@given(qcbos(feasible=False))
def test_also_where_little_or_nothing_is_feasible(step: Pass, model: QCBO) -> None:
    assert_exact(step, model)


@quick
@given(qcbos(max_variables=5, max_rows=3))
def test_a_sufficient_penalty_makes_the_ground_states_the_constrained_optima(model: QCBO) -> None:
    penalty = sufficient_penalty(model)
    chain = Chain((Slack(), ProductReduction(penalty), Penalty(penalty)))
    rewritten, inverse = chain.apply(model)
    assume(rewritten.num_variables <= 16)
    assert rewritten.num_rows == rewritten.num_products == 0
    points = every_point(rewritten.num_variables)
    energies = rewritten.objective(points)
    ground = np.unique(inverse.invert(points[energies <= energies.min() + 1e-6]), axis=0)
    feasible = feasible_points(model)
    objectives = model.objective(feasible)
    assert np.isclose(energies.min(), objectives.min(), atol=1e-6)
    optima = feasible[objectives <= objectives.min() + 1e-6]
    assert np.array_equal(ground, np.unique(optima, axis=0))


def test_ground_state_of_fractional_rows_is_feasible() -> None:
    # dimod's own conversion rounds such slack coefficients
    model = QCBO.from_arrays([-1, -2, -1.5], [[0.3, 0.45, 0.7]], [0.8], equality=[False])
    penalty = sufficient_penalty(model)
    rewritten, inverse = Chain((Slack(), Penalty(penalty))).apply(model)
    points = every_point(rewritten.num_variables)
    best = inverse.invert(points[np.argmin(rewritten.objective(points))])
    assert best.tolist() == [1, 1, 0]


@quick
@given(st.lists(st.integers(0, 300), min_size=1, max_size=4))
def test_slack_words_cover_their_range_exactly(spans: list[int]) -> None:
    word = SlackWord.covering(np.array(spans))
    for row, span in enumerate(spans):
        coefficients = word.coefficient[word.row == row]
        values = every_point(len(coefficients)).astype(np.int64) @ coefficients
        assert np.array_equal(np.unique(values), np.arange(span + 1))
        spelt = word.spell(np.where(np.arange(len(spans)) == row, np.arange(span + 1)[:, None], 0))[
            :, word.row == row
        ]
        assert np.array_equal(spelt @ coefficients, np.arange(span + 1))


def test_rows_that_always_hold_get_no_slack() -> None:
    model = QCBO.from_arrays([1, 1], [[1, 1], [1, -1]], [2, 0], equality=[False, False])
    rewritten, _ = Slack().apply(model)
    assert rewritten.row_labels.strings() == ["rows[1]"]
    assert rewritten.labels.strings() == ["x[0]", "x[1]", "slack[row=0,bit=0]"]


def test_slack_refuses_coefficients_without_a_step_by_name() -> None:
    model = QCBO.from_arrays([0, 0], [[1, np.pi]], [3], equality=[False], row_labels=["weight"])
    with pytest.raises(InvalidInputError, match=r"'weight'.*3\.14159.*round"):
        Slack().apply(model)
    wide = QCBO.from_arrays([0, 0], [[1, 2.0**45]], [2.0**44], equality=[False])
    with pytest.raises(InvalidInputError, match=r"slack word of 45 bits"):
        Slack().apply(wide)


def test_applying_slack_to_a_model_with_slack_labels_keeps_labels_distinct() -> None:
    model = QCBO.from_arrays(
        [0, 0], [[1, 1]], [1], equality=[False], labels=["slack[row=0,bit=0]", "b"]
    )
    rewritten, _ = Slack().apply(model)
    assert len(set(rewritten.labels)) == rewritten.num_variables == 3


@quick
@given(qcbos(inequalities=False), st.floats(0.1, 50), st.floats(0.1, 50))
def test_penalty_adds_each_groups_weight_times_its_squared_residuals(
    model: QCBO, a: float, b: float
) -> None:
    weights = dict(zip(model.group_names, (a, b), strict=False))
    rewritten, _ = Penalty(weights | ({"products": 1.0} if model.num_products else {})).apply(model)
    points = every_point(model.num_variables)
    per_row = np.array([weights[model.group_names[g]] for g in model.row_group])
    expected = model.objective(points) + model.row_residuals(points) ** 2 @ per_row
    assert np.allclose(rewritten.objective(points), expected)
    assert rewritten.num_products == model.num_products


def test_penalty_drops_couplers_that_are_rounding_errors() -> None:
    rows = [[0.1, 0.3], [0.3, -0.1]]  # orthogonal up to rounding
    model = QCBO.from_arrays([0, 0], rows, [0, 0])
    rewritten, _ = Penalty(7.0).apply(model)
    assert rewritten.quadratic.nnz == 0


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (0.0, "above 0"),
        (-1.0, "above 0"),
        (np.nan, "above 0"),
        (np.inf, "above 0"),
        ("big", "above 0"),
        ({"rows": 1.0, "row": 2.0}, "Did you mean 'rows'"),
        ({}, "no penalty for the row groups"),
        ({"rows": -1.0}, "above 0"),
    ],
)
def test_bad_penalties_are_refused(weight: object, message: str) -> None:
    model = QCBO.from_arrays([0, 0], [[1, 1]], [1])
    with pytest.raises(InvalidInputError, match=message):
        Penalty(weight).apply(model)  # type: ignore[arg-type]


def test_penalty_wants_equalities() -> None:
    model = QCBO.from_arrays([0], [[1]], [1], equality=[False], row_labels=["cap"])
    with pytest.raises(InvalidInputError, match="'cap'.*Slack"):
        Penalty(1.0).apply(model)


@quick
@given(qcbos(feasible=False, max_rows=0))
def test_product_reduction_is_zero_on_products_and_at_least_the_penalty_elsewhere(
    model: QCBO,
) -> None:
    reduced, _ = ProductReduction(3.0).apply(model)
    points = every_point(model.num_variables)
    extra = reduced.objective(points) - model.objective(points)
    holds = model.is_feasible(points)
    assert np.allclose(extra[holds], 0)
    assert (extra[~holds] >= 3.0 - 1e-9).all()


def test_presolve_propagates_through_a_chain_of_rows_and_products() -> None:
    # x0 = 1, then x1 = 1 - x0 = 0, then the product x2 = x1 x3 = 0; x4 = x0 x5 merges x4 and x5
    model = QCBO.from_arrays(
        [1, 1, 1, 1, 1, 1],
        [[1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]],
        [1, 1],
        products=[[2, 1, 3], [4, 0, 5]],
        labels=["w[0]", "w[1]", "u", "free", "left", "right"],
    )
    smaller, inverse = Presolve().apply(model)
    assert smaller.labels.strings() == ["free", "left"]
    assert smaller.num_rows == smaller.num_products == 0
    assert smaller.linear.tolist() == [1, 2]
    assert smaller.offset == 1
    assert inverse.invert([[0, 1]]).tolist() == [[1, 0, 0, 0, 1, 1]]


def test_presolve_eliminates_one_of_two_bits_that_an_equality_ties() -> None:
    # x1 = 1 - x0; x3 = x2; x5 has to stay for its product, and x6 = 1 - x5
    model = QCBO.from_arrays(
        [1, 10, 100, 1000, 0, 5, 7],
        [[1, 1, 0, 0, 0, 0, 0], [0, 0, 2, -2, 0, 0, 0], [0, 0, 0, 0, 0, 3, 3]],
        [1, 0, 3],
        quadratic=np.diag([4.0] * 6, 1),
        products=[[4, 2, 5]],
    )
    smaller, inverse = Presolve().apply(model)
    assert smaller.labels.strings() == ["x[0]", "x[2]", "x[4]", "x[5]"]
    assert smaller.num_rows == 0
    points = every_point(4)
    assert np.allclose(smaller.objective(points), model.objective(inverse.invert(points)))
    assert model.is_feasible(inverse.invert(points))[smaller.is_feasible(points)].all()
    assert np.array_equal(inverse.lift(inverse.invert(points)), points)


def test_two_products_keep_the_bits_that_an_equality_makes_complements() -> None:
    model = QCBO.from_arrays(
        np.zeros(6), [[1, 1, 0, 0, 0, 0]], [1], products=[[2, 0, 3], [4, 1, 5]]
    )
    smaller, _ = Presolve().apply(model)
    assert smaller.num_variables == 6


def test_smallest_integers_prove_that_few_bits_cannot_satisfy_a_row() -> None:
    model = QCBO.from_arrays([0, 0, 0], [[3, 5, 7]], [6], row_labels=["sum"])
    with pytest.raises(InfeasibleModelError, match=r"'sum' has no setting of its 3 bits"):
        CoefficientTightening().apply(model)


@st.composite
def with_one_hots(draw: st.DrawFn) -> QCBO:
    """A random model, and one or two one-hot rows over three of its bits or more, maybe scaled."""
    model = draw(qcbos(max_variables=7, max_rows=2))
    assume(model.num_variables >= 3)
    every = list(range(model.num_variables))
    rows = np.zeros((draw(st.integers(1, 2)), model.num_variables))
    for row in rows:
        row[draw(st.lists(st.sampled_from(every), min_size=3, unique=True))] = draw(
            st.sampled_from([1.0, -2.0, 0.5])
        )
    return replace(
        model,
        rows=sparse.csr_array(sparse.vstack([rows, model.rows], format="csr")),
        rhs=np.append(rows.min(axis=1) + rows.max(axis=1), model.rhs),
        equality=np.append(np.ones(len(rows), dtype=np.bool_), model.equality),
        row_group=np.append(np.zeros(len(rows), dtype=np.int64), model.row_group),
        group_names=model.group_names or ("one-hot",),
        row_labels=Labels.of([f"one[{r}]" for r in range(len(rows))]) + model.row_labels,
    )


@quick
@given(with_one_hots(), st.sampled_from([OneHot(), Chain((Presolve(), OneHot(), Presolve()))]))
def test_one_bit_of_a_one_hot_is_what_the_others_leave(model: QCBO, step: Pass) -> None:
    assert_exact(step, model)
    rewritten, inverse = OneHot().apply(model)
    assert rewritten.rows.nnz + rewritten.quadratic.nnz <= model.rows.nnz + model.quadratic.nnz
    points = every_point(rewritten.num_variables)
    assert np.isin(inverse.invert(points), [0, 1]).all()


def test_the_eliminated_bit_has_the_fewest_neighbours() -> None:
    rows = [[1, 1, 1, 0, 0, 0], [0, 0, 0, 2, 2, 2], [1, 0, 1, 3, 4, 5]]
    model = QCBO.from_arrays(np.zeros(6), rows, [1, 2, 9], equality=[True, True, False])
    smaller, _ = OneHot().apply(model)
    assert smaller.labels.strings() == ["x[0]", "x[2]", "x[4]", "x[5]"]
    assert smaller.rows.toarray().tolist() == [[1, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 2]]
    assert smaller.rhs.tolist() == [1, 1, 6]


def test_presolve_keeps_the_spelling_of_labels() -> None:
    model = QCBO.from_arrays(np.zeros(12), [np.eye(12)[11]], [1])
    smaller, _ = Presolve().apply(model)
    assert smaller.labels.strings()[:2] == ["x[00]", "x[01]"]


def test_presolve_knows_which_bits_exclude_each_other() -> None:
    # one of x0, x1, x2 takes 3, 4 or 5 of 5: no room for the 3 of x3, nor at most one of x4 .. x6
    rows = [[1, 1, 1, 0, 0, 0, 0], [3, 4, 5, 3, 0, 0, 0], [0, 0, 0, 0, 1, 1, 1],
            [-3, -2, -2, 0, -3, -1, 0]]  # fmt: skip
    model = QCBO.from_arrays(
        np.arange(7.0), rows, [1, 5, 1, -5], equality=[True, False, False, False]
    )
    smaller, inverse = Presolve().apply(model)
    assert smaller.labels.strings() == ["x[0]", "x[1]", "x[2]"]  # x4 is needed, x5, x6 are not
    assert inverse.invert([0, 1, 0]).tolist() == [0, 1, 0, 0, 1, 0, 0]


def test_presolve_proves_that_groups_of_bits_cannot_satisfy_a_row() -> None:
    rows = [[1, 1, 1, 0, 0, 0], [0, 0, 0, 1, 1, 1], [2, 3, 3, 2, 3, 3]]
    with pytest.raises(InfeasibleModelError, match=r"'rows\[2\]' contradicts the rows"):
        Presolve().apply(
            QCBO.from_arrays(np.zeros(6), rows, [1, 1, 3], equality=[True, True, False])
        )


def test_presolve_drops_rows_that_repeat() -> None:
    model = QCBO.from_arrays(
        np.zeros(4),
        [[1, 1, 1, 1], [2, 2, 2, 2], [1, 1, 0, 0], [2, 2, 0, 0], [0, 0, 0, 0]],
        [2, 4, 1, 3, 0],
        equality=[True, True, False, False, True],
    )
    smaller, _ = Presolve().apply(model)
    assert smaller.row_labels.strings() == ["rows[0]", "rows[2]"]


@pytest.mark.parametrize(
    ("rows", "rhs", "message"),
    [
        ([[1, 1]], [3], r"'rows\[0\]' lies between 0 and 2"),
        ([[1, 1], [1, 0], [0, 1]], [1, 1, 1], r"'rows\[0\]'|'x\[.\]'"),
        ([[1, 1, 1], [2, 2, 2]], [1, 4], r"'rows\[0\]' and 'rows\[1\]' have the same coefficients"),
        ([[0, 0]], [1], r"'rows\[0\]'"),
    ],
)
def test_presolve_proves_infeasibility_by_name(
    rows: list[list[int]], rhs: list[int], message: str
) -> None:
    with pytest.raises(InfeasibleModelError, match=message):
        Presolve().apply(QCBO.from_arrays(np.zeros(len(rows[0])), rows, rhs))


def test_presolve_drops_inequalities_that_an_equality_implies() -> None:
    model = QCBO.from_arrays(
        np.zeros(4),
        [[1, 2, 3, 1], [2, 4, 6, 2], [-1, -2, -3, -1], [1, 0, 2, 1], [-1, 0, -2, -1]],
        [3, 7, -2, 2, -2],
        equality=[True, False, False, False, False],
    )
    smaller, _ = Presolve().apply(model)
    assert smaller.row_labels.strings()[0] == "rows[0]"
    assert smaller.equality.all()
    with pytest.raises(InfeasibleModelError, match=r"'rows\[0\]' and 'rows\[1\]' .* contradict"):
        Presolve().apply(
            QCBO.from_arrays(np.zeros(3), [[1] * 3, [-2] * 3], [1, -4], equality=[True, False])
        )


def test_a_large_model_is_rewritten_quickly() -> None:
    rng = np.random.default_rng(0)
    n, m = 30_000, 5_000
    rows = sparse.random_array((m, n), density=20 / n, rng=rng, format="csr")
    rows.data = rng.integers(-5, 6, len(rows.data)).astype(float)
    triples = rng.choice(n, (3, 10_000), replace=False).T
    model = QCBO.from_arrays(
        rng.normal(size=n), rows, np.zeros(m), equality=rng.random(m) < 0.5, products=triples
    )
    start = time.perf_counter()
    penalty = Chain((Presolve(), Slack(), ProductReduction(2.0), Penalty(2.0)))
    penalty.apply(model)
    assert time.perf_counter() - start < 10  # a loop over entries takes minutes


def test_a_sufficient_penalty_beyond_double_precision_is_refused_without_a_warning() -> None:
    model = QCBO.from_arrays([1.7e308, 1.7e308], [[1, 1]], [1])
    with pytest.raises(InvalidInputError, match="overflows double precision"):
        sufficient_penalty(model)


def test_integral_leaves_its_model_as_it_was() -> None:
    model = QCBO.from_arrays([0, 0], [[1.0, 1e-17], [1.0, 1.0]], [1, 1])
    Integral(np.full(2, 1e-6)).apply(model)
    assert model.rows.nnz == len(model.rows.data) == 4
