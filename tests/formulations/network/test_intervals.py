"""Interval propagation: bounds hold for every weight vector; the first layer attains them."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from formulations import TrainingProblem
from formulations.network.intervals import least_products
from tests.formulations.problems import all_bits, problems

small = hnp.arrays(np.int64, (2, 3), elements=st.integers(-4, 4))


@settings(deadline=None, max_examples=200)
@given(w=small, w_width=small, a=small, a_width=small)
def test_least_products_is_the_least_corner(
    w: np.ndarray, w_width: np.ndarray, a: np.ndarray, a_width: np.ndarray
) -> None:
    wl, wh, al, ah = w, w + abs(w_width), a, a + abs(a_width)
    found = least_products(wl, wh, al, ah)
    for k, j in itertools.product(range(2), range(2)):
        corners = [
            min(x * v for x in (wl[j, i], wh[j, i]) for v in (al[k, i], ah[k, i])) for i in range(3)
        ]
        assert found[k, j] == sum(corners)


@settings(deadline=None, max_examples=120)
@given(problem=problems(max_samples=3) | problems(max_samples=3, integers=True))
def test_bounds_hold_for_every_weight_vector(problem: TrainingProblem) -> None:
    z = problem.pre_activations(all_bits(problem))
    for bounds, values in zip(problem.bounds, z, strict=True):
        assert (values >= bounds.z_low).all()
        assert (values <= bounds.z_high).all()
    np.testing.assert_array_equal(z[0].min(axis=0), problem.bounds[0].z_low)
    np.testing.assert_array_equal(z[0].max(axis=0), problem.bounds[0].z_high)
