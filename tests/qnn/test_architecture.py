"""A network for a budget of bits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulations.errors import InvalidInputError
from qnn.architecture import network_for, recipe_by_folds


def inputs(count: int, seed: int = 0) -> np.ndarray:
    return 2 * np.random.default_rng(seed).integers(0, 16, (30, count)) - 15


@given(
    st.integers(1, 40),
    st.integers(1, 12),
    st.integers(300, 20_000),
    st.sampled_from([None, "ternary"]),
)
def test_the_budget_is_kept_and_used(d: int, outputs: int, bits: int, weights: str | None) -> None:
    X = inputs(d)
    try:
        network = network_for(X, outputs, bits, weights=weights)
    except InvalidInputError:
        return
    assert network.stored_bits <= bits
    # one unit more would not fit, in the code that was taken
    hidden, code = [network.widths[1] + 1], network.layers[0].code.name
    assert network_for(X, outputs, hidden=hidden, weights=code).stored_bits > bits


def test_without_a_budget_the_width_is_fixed() -> None:
    network = network_for(inputs(10), 3)
    assert network.widths == (10, 128, 3)
    assert network.layers[0].code.name == "uniform:2"


def test_two_bits_a_weight_are_for_networks_that_are_wide_enough() -> None:
    wide, narrow = network_for(inputs(20), 3, 20_000), network_for(inputs(20), 3, 2_000)
    assert (wide.layers[0].code.name, narrow.layers[0].code.name) == ("uniform:2", "bipolar")
    assert wide.widths[1] >= 64


@pytest.mark.parametrize(("bits", "hidden"), [(20, None), (500, [64])])
def test_a_budget_that_is_too_small_is_refused_with_the_least(
    bits: int, hidden: list[int] | None
) -> None:
    with pytest.raises(InvalidInputError, match=rf"bits={bits}: .* stores \d+ bits; give more"):
        network_for(inputs(20), 10, bits, hidden=hidden)


def test_levels_keep_distances_unless_the_columns_are_skewed() -> None:
    X = np.random.default_rng(0).normal(size=(200, 3))
    classes = (X.sum(axis=1) > 0).astype(int)
    assert recipe_by_folds(X, classes, linear=False) == ("scaled:64", None)
    assert recipe_by_folds(np.exp(5 * X), classes) == (16, None)
    assert recipe_by_folds(X[:59], classes[:59]) == (16, None)  # too few to tell


def test_networks_are_linear_if_the_classes_are() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(120, 5))
    noisy = ((X.sum(axis=1) + rng.normal(size=120)) > 0).astype(int)
    levels, weak = recipe_by_folds(X, (X.sum(axis=1) > 0).astype(int))
    assert levels == "scaled:64"
    _, strong = recipe_by_folds(X, noisy)
    assert (weak or 0.0) > (strong or np.inf)
    assert recipe_by_folds(X, (X[:, 0] * X[:, 1] > 0).astype(int))[1] is None


@pytest.mark.parametrize(
    ("bits", "code"), [(None, "uniform:6"), (60, "uniform:4"), (25, "bipolar")]
)
def test_weights_without_hidden_layer_have_as_many_bits_as_fit(bits: int | None, code: str) -> None:
    network = network_for(inputs(10), 1, bits, hidden=[])
    assert network.layers[0].code.name == code
    assert bits is None or network.stored_bits <= bits
