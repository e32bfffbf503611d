"""Splines: reported error, optimal placement, alignment, bounds."""

from __future__ import annotations

import itertools
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import QnnError
from formulations.network.losses import loss
from formulations.network.splines import Placement, fit, sign

FUNCTIONS = [np.tanh, np.sin, lambda z: np.maximum(z, 0), lambda z: z**2 / 10, np.abs]


@settings(deadline=None, max_examples=150)
@given(
    function=st.sampled_from(FUNCTIONS),
    lo=st.integers(-12, 3),
    width=st.integers(0, 20),
    pieces=st.integers(1, 6),
    order=st.sampled_from([0, 1]),
    placement=st.sampled_from(get_args(Placement)),
    step=st.sampled_from([None, 0.5, 0.125]),
)
def test_error_is_what_it_says(function, lo, width, pieces, order, placement, step) -> None:
    hi = lo + width
    spline = fit(function, lo, hi, pieces=pieces, order=order, placement=placement, step=step)
    z = np.arange(lo, hi + 1)
    assert spline.error == pytest.approx(np.abs(spline(z) - function(z.astype(float))).max())
    assert spline.num_pieces <= pieces
    assert (np.diff(spline.breakpoints) > 0).all()
    if step is not None:
        units = spline.units(z)
        np.testing.assert_array_equal(units, np.rint(units))
        np.testing.assert_array_equal(spline.slopes, np.rint(spline.slopes))


@settings(deadline=None, max_examples=60)
@given(values=st.lists(st.integers(-5, 5), min_size=1, max_size=8), pieces=st.integers(1, 4))
def test_minimax_placement_is_optimal_for_constant_pieces(values: list[int], pieces: int) -> None:
    f = np.array(values, dtype=float)
    spline = fit(lambda z: f[z.astype(int)], 0, len(f) - 1, pieces=pieces)
    best = min(
        max(np.ptp(part) / 2 for part in np.split(f, cuts))
        for count in range(min(pieces, len(f)))
        for cuts in itertools.combinations(range(1, len(f)), count)
    )
    assert spline.error == pytest.approx(best, abs=1e-6)


@settings(deadline=None, max_examples=100)
@given(
    pieces=st.integers(1, 5),
    order=st.sampled_from([0, 1]),
    a=st.integers(-15, 15),
    width=st.integers(0, 20),
)
def test_bounds_are_attained(pieces: int, order: int, a: int, width: int) -> None:
    spline = fit(np.sin, -10, 10, pieces=pieces, order=order, step=0.125)
    least, greatest = spline.bounds(np.array([a]), np.array([a + width]))
    values = spline.units(np.arange(a, a + width + 1))
    assert (least[0], greatest[0]) == (values.min(), values.max())


def test_power_of_two_breakpoints_are_aligned() -> None:
    spline = fit(np.tanh, -20, 20, pieces=8, placement="power-of-two")
    width = np.diff(spline.breakpoints)[0]
    assert width & (width - 1) == 0
    assert (spline.breakpoints % width == 0).all()


def test_relu_and_hard_tanh_are_exact_at_order_one() -> None:
    assert fit(lambda z: np.maximum(z, 0), -9, 9, pieces=2, order=1, step=1.0).error == 0
    assert fit(lambda z: np.clip(z / 4, -1, 1), -9, 9, pieces=3, order=1, step=0.25).error == 0


@pytest.mark.parametrize("reach", [4_000, 8_200, 60_001])
def test_exact_activations_stay_exact_on_long_ranges(reach: int) -> None:
    for function, pieces in ((lambda z: np.maximum(z, 0), 2), (lambda z: np.clip(z, -1, 1), 3)):
        spline = fit(
            lambda z, f=function: f(z / 211), -reach, reach, pieces=pieces, order=1, step=1 / 211
        )
        assert spline.error < 1e-12


def test_sign_rule() -> None:
    assert sign()(np.array([-1, 0, 1])).tolist() == [-1, 1, 1]


@pytest.mark.parametrize("name", ["hinge", "hinge:4", "hinge:0.5", "zero-one"])
@pytest.mark.parametrize("step", [1.0, 0.5, 0.3])
@pytest.mark.parametrize("target", [-1.0, 1.0])
def test_two_piece_losses_are_exact(name: str, step: float, target: float) -> None:
    spline = loss(name).spline(target, step, -20, 20)
    z = np.arange(-20, 21)
    corner = loss(name).corner
    if corner is not None:
        expected = np.maximum(0, corner - target * step * z)
    else:
        expected = (np.where(z >= 0, 1, -1) != target).astype(float)
    np.testing.assert_allclose(spline(z), expected, atol=1e-12)
    assert spline.num_pieces == 2


@pytest.mark.parametrize("spec", ["hinge:", "hinge:four", "hinge:0", "hinge:-1", "hinge:inf"])
def test_margins_that_are_none_are_refused(spec: str) -> None:
    with pytest.raises(QnnError, match="expected a"):
        loss(spec)


@pytest.mark.parametrize(
    "options",
    [{"pieces": 0}, {"pieces": 2, "order": 2}, {"pieces": 2, "placement": "random"}],
)
def test_bad_options_are_refused(options: dict) -> None:
    with pytest.raises(QnnError, match="expected"):
        fit(np.tanh, -3, 3, **options)


def test_functions_that_are_not_finite_are_refused() -> None:
    with pytest.raises(QnnError, match="finite"), np.errstate(all="ignore"):
        fit(np.log, -3, 3, pieces=2)
