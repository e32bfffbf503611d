"""Hypothesis strategies shared by the tests, and enumeration to check results."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from formulations.model.qcbo import QCBO

LABELS = st.sampled_from(["short", "families", "any hashable"])


@st.composite
def qcbos(
    draw: st.DrawFn,
    *,
    max_variables: int = 6,
    max_rows: int = 4,
    max_products: int = 3,
    fractional: bool = True,
    inequalities: bool = True,
    feasible: bool = True,
) -> QCBO:
    """Draw random small models.

    With ``feasible``, some point satisfies every row; otherwise right-hand sides and products are
    drawn freely, and a product may name one variable more than once.
    """
    n = draw(st.integers(1, max_variables))
    m = draw(st.integers(0, max_rows))
    step = draw(st.sampled_from([1.0, 0.5, 0.1, 0.05])) if fractional else 1.0
    small = st.integers(-4, 4)
    linear = draw(arrays(np.int64, n, elements=small)) * step
    quadratic = np.triu(draw(arrays(np.int64, (n, n), elements=small, fill=st.just(0))), 1) * step
    rows = draw(arrays(np.int64, (m, n), elements=small, fill=st.just(0)))
    equality = draw(arrays(np.bool_, m)) if inequalities else np.ones(m, dtype=np.bool_)
    point = draw(arrays(np.int8, n, elements=st.integers(0, 1)))
    products: list[tuple[int, int, int]] = []
    for _ in range(draw(st.integers(0, max_products)) if n >= 3 else 0):
        if feasible:  # u after v and w, and one product per u, so that a point can be set
            u = draw(st.integers(2, n - 1))
            v = draw(st.integers(0, u - 2))
            if u not in [product[0] for product in products]:
                products.append((u, v, draw(st.integers(v + 1, u - 1))))
        else:
            products.append(draw(st.tuples(*[st.integers(0, n - 1)] * 3)))
    for u, v, w in sorted(products):
        point[u] = point[v] * point[w]
    slack = np.where(equality, 0, draw(arrays(np.int64, m, elements=st.integers(0, 3))))
    rhs = rows @ point + slack if feasible else draw(arrays(np.int64, m, elements=small))
    return QCBO.from_arrays(
        linear,
        rows * step,
        rhs * step,
        equality=equality,
        quadratic=quadratic,
        offset=draw(small) * step,
        products=products,
        labels=draw(_labels(n)),
        row_labels=[f"{'ab'[r % 2]}[{r}]" for r in range(m)],
    )


@st.composite
def _labels(draw: st.DrawFn, n: int) -> list[object] | None:
    style = draw(LABELS)
    if style == "families":
        return None
    if style == "short":
        return [f"w[{i}]" if i < 2 else f"v{i}" for i in range(n)]
    return [(i, "a") if i % 2 else i for i in range(n)]


def every_point(n: int) -> npt.NDArray[np.int8]:
    """Return all 2^n assignments, shape (2^n, n)."""
    return ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.int8)


def feasible_points(model: QCBO) -> npt.NDArray[np.int8]:
    """Return all assignments that satisfy every row, shape (count, n)."""
    points = every_point(model.num_variables)
    return points[model.is_feasible(points)]
