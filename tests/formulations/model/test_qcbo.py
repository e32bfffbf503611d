"""The model's arrays, its evaluation and its labels, against plain loops over the formula."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from formulations.errors import InvalidInputError
from formulations.model.labels import Family, Labels, Names, distinct, kind, row_group
from formulations.model.qcbo import QCBO, fold, times
from tests.strategies import every_point, qcbos

quick = settings(deadline=None, max_examples=60)


@quick
@given(qcbos(feasible=False))
def test_evaluation_is_the_formula(model: QCBO) -> None:
    n = model.num_variables
    q, a = model.quadratic.toarray(), model.rows.toarray()
    points = every_point(n)
    objective, feasible = model.objective(points), model.is_feasible(points)
    for x, value, ok in zip(points.tolist(), objective, feasible, strict=True):
        expected = model.offset + sum(model.linear[i] * x[i] for i in range(n))
        expected += sum(q[i, j] * x[i] * x[j] for i in range(n) for j in range(n))
        assert value == pytest.approx(expected, abs=1e-9)
        broken = {}
        for r in range(model.num_rows):
            residual = sum(a[r, i] * x[i] for i in range(n)) - model.rhs[r]
            amount = abs(residual) if model.equality[r] else max(residual, 0.0)
            if amount > 1e-6:
                broken[model.row_labels[r]] = pytest.approx(amount)
        for (u, v, w), label in zip(model.products.tolist(), model.product_labels(), strict=True):
            if x[u] != x[v] * x[w]:
                broken[label] = 1.0
        assert model.violations(x) == broken
        assert ok == (not broken)
        sample = dict(zip(model.labels, x, strict=True))
        assert model.objective(sample) == pytest.approx(value)


@quick
@given(qcbos())
def test_many_samples_at_once_in_any_shape(model: QCBO) -> None:
    points = every_point(model.num_variables)[:2]
    block = np.stack([points, points[::-1], points])
    assert model.objective(block).shape == block.shape[:-1]
    assert model.row_residuals(block).shape == (*block.shape[:-1], model.num_rows)
    assert np.array_equal(model.objective(block)[1], model.objective(points[::-1]))
    assert np.array_equal(model.is_feasible(block)[0], model.is_feasible(points))
    assert model.objective(points[:0]).shape == (0,)


@pytest.mark.parametrize(
    ("sample", "message"),
    [
        ([0, 1], r"shape \(2,\): expected \(\.\.\., 3\)"),
        ([0, 1, 2], "0 or 1"),
        ([0, 1, -1], "convert spins"),
        ([0, 1, 0.5], "0 or 1"),
        ([0, 1, np.nan], "0 or 1"),
        ({"x[0]": 0, "x[2]": 1}, r"no value for 1 variables, first 'x\[1\]'"),
    ],
)
def test_bad_samples_are_refused(sample: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        QCBO.from_arrays([1, 2, 3]).objective(sample)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"linear": [1, np.inf]}, "finite"),
        ({"offset": np.nan}, "finite"),
        ({"rows": [[1, 2]], "rhs": [np.nan]}, "finite"),
        ({"rows": [[1, np.nan]], "rhs": [1]}, "rows must hold finite"),
        ({"rows": [[1, 2, 3]], "rhs": [1]}, r"rows of shape \(1, 3\): expected \(1, 2\)"),
        ({"rows": [[1, 2]], "rhs": [1, 2]}, r"rows of shape"),
        ({"quadratic": [[1, 2]]}, r"quadratic of shape"),
        ({"products": [[0, 1, 2]]}, r"variables 0 \.\. 1"),
        ({"products": [[0, 1, -1]]}, r"variables 0 \.\. 1"),
        ({"labels": ["a"]}, r"labels has shape \(1,\), expected \(2,\)"),
        ({"labels": ["a", "a"]}, "distinct"),
        ({"rows": [[1, 2]], "rhs": [1], "equality": [True, False]}, "equality has shape"),
        ({"rows": [[1, 2], [1, 2]], "rhs": [1, 1], "row_labels": ["r", "r"]}, "rows must be dist"),
    ],
)
def test_bad_arrays_are_refused(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        QCBO.from_arrays(**{"linear": [1, 2], **arguments})  # type: ignore[arg-type]


def test_sparse_rows_are_taken_as_they_come() -> None:
    rows = sp.coo_array(([1.0, 2.0, 0.0], ([0, 0, 0], [1, 1, 0])), shape=(1, 2))
    model = QCBO.from_arrays([0, 0], rows, [3])
    assert model.rows.nnz == 1
    assert model.rows.toarray().tolist() == [[0.0, 3.0]]


def test_groups_are_read_off_the_row_labels() -> None:
    model = QCBO.from_arrays(
        [0], [[1]] * 4, [1] * 4, row_labels=["z[k=1,l=2,j=0]", "cap", "b[0]", "z[k=2,l=2,j=0]"]
    )
    assert model.group_names == ("layer 2", "rows", "b")
    assert model.row_group.tolist() == [0, 1, 2, 0]
    assert model.groups == ("layer 2", "rows", "b")


@quick
@given(qcbos())
def test_equality_sees_every_part(model: QCBO) -> None:
    from dataclasses import replace

    assert model.equals(replace(model))
    n = model.num_variables
    changed = [
        replace(model, offset=model.offset + 1e-12 + 1e-15 * abs(model.offset)),
        replace(model, linear=model.linear + np.eye(n)[0]),
        replace(model, labels=Labels.of(range(100, 100 + n))),
    ]
    if n > 1:
        pair = sp.csr_array(([1.0], ([0], [1])), shape=(n, n))
        changed.append(replace(model, quadratic=sp.csr_array(model.quadratic + pair)))
    if m := model.num_rows:
        corner = sp.csr_array(([9.0], ([0], [0])), shape=(m, n))
        changed += [
            replace(model, rows=sp.csr_array(model.rows + corner)),
            replace(model, rhs=model.rhs + 1),
            replace(model, equality=~model.equality),
            replace(model, row_labels=Labels.of(range(m))),
            replace(model, group_names=tuple(f"{name}'" for name in model.group_names)),
        ]
    if model.num_products:
        changed.append(replace(model, products=model.products[:, [1, 0, 2]]))
        assert model.equals(replace(model, products=model.products[:, [0, 2, 1]]))
    assert not any(model.equals(other) for other in changed)
    assert not model.equals(QCBO.from_arrays(np.zeros(n + 1)))


@quick
@given(arrays(np.float64, (4, 4), elements=st.integers(-5, 5)))
def test_fold_keeps_the_form(matrix: np.ndarray) -> None:
    linear, quadratic = fold(sp.csr_array(matrix))
    dense = quadratic.toarray()
    assert np.array_equal(dense, np.triu(dense, 1))
    assert (quadratic.data != 0).all()
    for x in every_point(4).astype(float):
        assert x @ matrix @ x == x @ linear + x @ dense @ x


def test_times_takes_any_leading_axes() -> None:
    matrix = sp.csr_array(np.arange(6.0).reshape(2, 3))
    x = np.arange(24.0).reshape(2, 4, 3)
    assert np.array_equal(times(matrix, x), x @ matrix.toarray().T)
    assert times(sp.csr_array((2, 0)), np.zeros((5, 0))).shape == (5, 2)


# -- labels ---------------------------------------------------------------------------------------


def some_labels() -> Labels:
    """Two families with a user's own names between them."""
    return Labels(
        (
            Family("beta", ("k", "l"), np.array([[1, 0], [12, 1]])),
            Names(("free", "w[own]")),
            Family("w", ("", "", ""), np.array([[1, 0, 0], [1, 0, 10], [2, 3, 4]])),
        )
    )


def test_labels_explain_themselves() -> None:
    labels = some_labels()
    assert list(labels) == labels.strings()
    assert labels.strings() == [
        *("beta[k=01,l=0]", "beta[k=12,l=1]", "free", "w[own]"),
        *("w[1,0,00]", "w[1,0,10]", "w[2,3,04]"),
    ]
    assert len(labels) == 7
    assert labels[2] == "free"
    assert labels[-2:] == ["w[1,0,10]", "w[2,3,04]"]
    assert labels.index("w[2,3,04]") == 6
    assert "free" in labels
    assert "slave" not in labels
    with pytest.raises(ValueError, match="no label 'nothing'"):
        labels.index("nothing")
    assert labels.of_kind("w").tolist() == [3, 4, 5, 6]
    assert Labels().of_kind("w").tolist() == []


def test_sorted_labels_of_a_family_are_its_order() -> None:
    indices = np.stack(np.unravel_index(np.arange(1200), (2, 5, 120)), axis=1)
    strings = Family("w", ("", "", ""), indices).strings()
    assert strings == sorted(strings)


@quick
@given(st.sets(st.integers(0, 6)))
def test_taking_labels_keeps_their_spelling(positions: set[int]) -> None:
    chosen = sorted(positions)
    labels = some_labels()
    assert list(labels.take(np.array(chosen, dtype=int))) == [labels[i] for i in chosen]
    assert labels.take(range(7)) == labels
    assert labels + Labels.of(["more"]) == Labels.of([*labels, "more"])
    assert labels != labels.strings()


def test_fresh_names_clash_with_nothing() -> None:
    labels = Labels.of(["slack[0]", 5, "slack2[x]", "slackless"])
    assert labels.fresh("slack") == "slack3"
    assert some_labels().fresh("w") == "w2"
    assert some_labels().fresh("v") == "v"
    assert distinct(["a", "a", "b"], ["b"]) == ["a", "a'", "b'"]


def test_kinds_and_groups() -> None:
    assert kind("w[1,2]") == "w"
    assert kind("w") is None
    assert kind(("w[", 1)) is None
    assert row_group("z[k=1,l=12,j=0]") == "layer 12"
    assert row_group("z[1,2]") == "z"
    assert row_group(("z[l=1]",)) == "rows"
