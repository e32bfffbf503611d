from __future__ import annotations

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers import RMDA, select_inputs, with_inputs, with_zeros

METHOD = RMDA(rate=3.0, batch=20, epochs=40)


def problem(weights: str = "ternary", useful: int = 3) -> TrainingProblem:
    """A majority of the first few of twelve inputs."""
    rng = np.random.default_rng(0)
    X = rng.choice([-1, 1], (120, 12))
    y = np.where(X[:, :useful].sum(axis=1) > 0, 1, -1)
    return TrainingProblem(Network.dense([12, 3, 1], weights=weights, bias=True), X, y)


@pytest.mark.parametrize("weights", ["bipolar", "ternary"])
def test_the_useful_inputs_are_found(weights: str) -> None:
    assert select_inputs(problem(weights), 3, METHOD).tolist() == [0, 1, 2]


def test_all_inputs_need_no_training() -> None:
    assert select_inputs(problem(), 12).tolist() == list(range(12))


@pytest.mark.parametrize("most", [1, 2, 5, 8])
def test_no_more_than_asked_for_and_never_none(most: int) -> None:
    kept = select_inputs(problem(), most, METHOD)
    assert 1 <= len(kept) <= most
    assert (np.diff(kept) > 0).all()


def test_strengths_beyond_all_inputs_leave_the_largest() -> None:
    heavy = RMDA(rate=3.0, batch=20, epochs=10, strength=100.0)
    assert len(select_inputs(problem(), 2, heavy)) == 2


def test_the_smaller_problem_is_the_larger_one_with_zeros() -> None:
    whole, kept = problem(), np.array([0, 2, 7])
    small = with_inputs(whole, kept)
    assert small.network.widths == (3, 3, 1)
    assert small.num_free_bits == whole.num_free_bits - 9 * 3 * 2
    assert small.size().num_variables < whole.size().num_variables
    bits = np.random.default_rng(0).integers(0, 2, (20, small.num_free_bits))
    for candidate, loss in zip(bits, small.losses(bits), strict=True):
        weights = with_zeros(whole, kept, small.weights_from_bits(candidate))
        assert whole.loss(weights) == loss
        assert not weights.matrices[0][:, [1, 3, 4, 5, 6, 8, 9, 10, 11]].any()


def test_what_cannot_be_left_out_is_refused() -> None:
    whole = problem("bipolar")
    small = with_inputs(whole, [0])
    with pytest.raises(InvalidInputError, match="no level 0"):
        with_zeros(whole, [0], small.weights_from_bits(np.zeros(small.num_free_bits)))
    for bad in ([], [12], [-1], [1, 1], [0.5], [[0]]):
        with pytest.raises(InvalidInputError, match="kept"):
            with_inputs(whole, bad)
    held = whole.restrict([0], np.zeros(whole.num_free_bits, dtype=np.int8))
    with pytest.raises(InvalidInputError, match="held"):
        with_inputs(held, [0])
    for most in (0, 13, 1.5):
        with pytest.raises(InvalidInputError, match="most"):
            select_inputs(whole, most)
