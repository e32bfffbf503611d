"""The gold test of networks whose weights are shared or fixed: convolutions, poolings, any ties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import TrainingProblem
from tests.formulations.problems import ENCODINGS, all_bits, problems
from tests.formulations.training.test_gold import (
    TOLERANCE,
    completions,
    feasible_points,
    least_objectives,
    states,
)

TIED = problems(max_bits=7, tied=True)


@settings(deadline=None, max_examples=120)
@given(problem=TIED, encoding=st.sampled_from(ENCODINGS))
def test_feasible_set_is_weights_times_completions(
    problem: TrainingProblem, encoding: str | None
) -> None:
    model = problem.qcbo(encoding)
    points, losses = completions(problem, encoding)
    assert model.is_feasible(points).all()
    np.testing.assert_allclose(model.objective(points), losses, atol=TOLERANCE)
    feasible = feasible_points(model)
    assert states(model, feasible) == states(model, points)
    least = least_objectives(model, feasible)
    assert least == pytest.approx(least_objectives(model, points), abs=TOLERANCE)
    size = problem.size(encoding)
    assert (size.num_variables, size.num_rows, size.num_products) == (
        model.num_variables,
        model.num_rows,
        len(model.products),
    )
    assert size.nonzeros >= model.rows.nnz


@settings(deadline=None, max_examples=80)
@given(problem=TIED, data=st.data())
def test_restricted_problems_agree_with_the_whole_one(
    problem: TrainingProblem, data: st.DataObject
) -> None:
    bits = all_bits(problem)
    incumbent = bits[data.draw(st.integers(0, len(bits) - 1))]
    if any(words.size for words in problem.free_words()):
        return  # words are freed as a whole
    free = data.draw(st.lists(st.sampled_from(range(bits.shape[1])), min_size=1, unique=True))
    small = problem.restrict(free, incumbent)
    model = small.qcbo()
    points, losses = completions(small, None)
    assert model.is_feasible(points).all()
    np.testing.assert_allclose(model.objective(points), losses, atol=TOLERANCE)
    np.testing.assert_allclose(losses, problem.losses(small.full_bits(all_bits(small))))


@settings(deadline=None, max_examples=80)
@given(problem=TIED)
def test_bits_and_weights_go_back_and_forth(problem: TrainingProblem) -> None:
    network, bits = problem.network, all_bits(problem)
    losses = problem.losses(bits)
    for word, loss in zip(bits[:16], losses, strict=False):
        weights = network.decode_bits(problem.full_bits(word), problem.splines)
        again = network.encode_bits(weights)
        decoded = network.decode_bits(again, problem.splines)
        for one, other in zip(weights.matrices, decoded.matrices, strict=True):
            np.testing.assert_array_equal(one, other)
        assert problem.loss(weights) == pytest.approx(loss)
    assert len(set(problem.bit_labels)) == network.num_weight_bits
