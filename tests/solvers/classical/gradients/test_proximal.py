from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from formulations.errors import InvalidInputError
from solvers.classical.gradients.proximal import (
    Regularizer,
    distance_to,
    group_lasso,
    l1,
    nuclear,
    settled_share,
)

EPS = 1e-4
CONVEX: list[tuple[Regularizer, Callable[[np.ndarray], float]]] = [
    (l1(), lambda W: float(np.sqrt(W**2 + EPS**2).sum())),
    (
        group_lasso(),
        lambda W: float(
            sum(
                np.sqrt(W[:, i].size) * np.sqrt((W[:, i] ** 2).sum() + EPS**2)
                for i in range(W.shape[1])
            )
        ),
    ),
    (
        nuclear(),
        lambda W: float(
            np.sqrt(np.linalg.eigvalsh(W.reshape(len(W), -1) @ W.reshape(len(W), -1).T) + EPS**2)
            .clip(0)
            .sum()
        ),
    ),
]
"""Each regulariser, and the same function with its corners rounded, which scipy can minimise."""

IDS = ["l1", "group lasso", "nuclear"]


def drawn(seed: int, shape: tuple[int, ...] = (3, 4)) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=shape) * rng.choice([0.2, 1.0], (1, *shape[1:]))


def moreau(regularizer: Regularizer, U: np.ndarray, W: np.ndarray, tau: float) -> float:
    return tau * regularizer.value(U) + 0.5 * float(np.square(U - W).sum())


@pytest.mark.parametrize("shape", [(3, 4), (2, 3, 2, 2)])
@pytest.mark.parametrize(("regularizer", "smooth"), CONVEX, ids=IDS)
@pytest.mark.parametrize("tau", [0.1, 0.5])
def test_prox_is_the_minimum_that_scipy_finds(
    regularizer: Regularizer, smooth: Callable[[np.ndarray], float], tau: float, shape: tuple
) -> None:
    W = drawn(1, shape)

    def rounded(u: np.ndarray) -> float:
        U = u.reshape(shape)
        return tau * smooth(U) + 0.5 * float(np.square(U - W).sum())

    found = minimize(rounded, W.ravel(), method="L-BFGS-B", options={"maxiter": 2000}).x
    ours = regularizer.prox(W, tau)
    gap = moreau(regularizer, found.reshape(shape), W, tau) - moreau(regularizer, ours, W, tau)
    assert -1e-12 <= gap < 2e-3
    np.testing.assert_allclose(ours, found.reshape(shape), atol=0.05)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.floats(0, 3), st.sampled_from([r for r, _ in CONVEX]))
def test_nothing_near_or_far_is_better(seed: int, tau: float, regularizer: Regularizer) -> None:
    W, other, rng = drawn(seed), drawn(seed + 1), np.random.default_rng(seed)
    best = regularizer.prox(W, tau)
    least = moreau(regularizer, best, W, tau)
    for U in (other, 0 * W, W, best + 1e-3 * rng.normal(size=W.shape), 0.99 * best):
        assert moreau(regularizer, U, W, tau) >= least - 1e-9
    apart = np.linalg.norm(best - regularizer.prox(other, tau))
    assert apart <= np.linalg.norm(W - other) + 1e-9  # proximal operators are nonexpansive


@settings(max_examples=40, deadline=None)
@given(st.floats(-4, 4), st.floats(0, 2))
def test_levels_against_a_grid(w: float, tau: float) -> None:
    levels = (-3.0, -1.0, 1.0, 3.0)
    code = distance_to(levels)
    grid = np.linspace(-5, 5, 20_001)
    distance = np.abs(grid[:, None] - np.array(levels)).min(axis=1)
    least = (tau * distance + 0.5 * (grid - w) ** 2).min()
    ours = code.prox(np.array([[w]]), tau)
    value = moreau(code, ours, np.array([[w]]), tau)
    if tau <= 1:  # half the gap
        assert value == pytest.approx(least, abs=1e-5)
    assert least - 1e-5 <= value
    assert code.prox(ours, 10.0).item() in levels


def test_groups_are_columns_and_channels() -> None:
    W = np.ones((5, 3, 2, 2))
    W[:, 1] *= 0.01
    ours = group_lasso().prox(W, 0.1)
    assert group_lasso().settled(ours).tolist() == [False, True, False]
    flat = group_lasso().prox(W.transpose(0, 2, 3, 1).reshape(20, 3), 0.1)
    np.testing.assert_allclose(ours.transpose(0, 2, 3, 1).reshape(20, 3), flat)


def test_patterns_and_their_share() -> None:
    W = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 2.0]])
    assert l1().settled(W).sum() == 4
    assert group_lasso().settled(W).tolist() == [True, False, False]
    assert nuclear().settled(np.outer([1.0, 2.0], [1.0, 0.5, 3.0])).tolist() == [False, True]
    assert settled_share(group_lasso(), [W, np.zeros((2, 3)), np.zeros(7)]) == pytest.approx(4 / 6)
    assert settled_share(l1(), [np.zeros(3)]) == 0.0


@pytest.mark.parametrize("regularizer", [*(r for r, _ in CONVEX), distance_to((-1.0, 1.0))])
def test_single_precision_and_zeros_stay(regularizer: Regularizer) -> None:
    assert regularizer.prox(drawn(0).astype(np.float32), 0.1).dtype == np.float32
    if not regularizer.name.startswith("levels"):
        assert not regularizer.prox(np.zeros((2, 3)), 0.5).any()
        assert regularizer.value(np.zeros((2, 3))) == 0.0


def test_levels_ascend() -> None:
    for bad in ((), (1.0, -1.0), (0.0, 0.0)):
        with pytest.raises(InvalidInputError, match="levels"):
            distance_to(bad)
