"""The model's feasible set is exactly the weights that satisfy the constraints."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formulations import TrainingProblem
from tests.formulations.constrained_problems import KINDS, constrained
from tests.formulations.problems import ENCODINGS, all_bits
from tests.formulations.training.test_gold import feasible_points, states

RELAXED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.mark.parametrize("kind", KINDS)
@settings(deadline=None, max_examples=25, suppress_health_check=RELAXED)
@given(data=st.data(), encoding=st.sampled_from(ENCODINGS), shared=st.booleans())
def test_the_feasible_set_is_the_weights_that_satisfy(
    kind: str, data: st.DataObject, encoding: str | None, shared: bool
) -> None:
    problem: TrainingProblem = data.draw(constrained(kind=kind, shared=shared))
    model, bits = problem.qcbo(encoding), all_bits(problem)
    satisfies = problem.violations(bits) == 0
    points = np.stack([problem.complete_bits(b, encoding) for b in bits])
    assert (model.is_feasible(points) == satisfies).all()
    if satisfies.any():
        np.testing.assert_allclose(
            model.objective(points[satisfies]), problem.losses(bits[satisfies]), atol=1e-7
        )
    assert states(model, feasible_points(model)) == states(model, points[satisfies])


@settings(deadline=None, max_examples=60, suppress_health_check=RELAXED)
@given(problem=constrained(count=2), encoding=st.sampled_from(ENCODINGS))
def test_sizes_are_exact_before_building(problem: TrainingProblem, encoding: str | None) -> None:
    size, model = problem.size(encoding), problem.qcbo(encoding)
    assert size.num_variables == model.num_variables
    assert size.num_rows == model.num_rows
    assert size.num_products == model.num_products
    assert size.nonzeros >= model.rows.nnz
    labels = model.labels.strings()
    assert labels == sorted(labels)
    assert len(set(labels)) == len(labels)
    assert len(set(model.row_labels.strings())) == model.num_rows


@settings(deadline=None, max_examples=60, suppress_health_check=RELAXED)
@given(problem=constrained(max_bits=10), data=st.data())
def test_restricted_problems_are_slices(problem: TrainingProblem, data: st.DataObject) -> None:
    bits = all_bits(problem)
    incumbent = bits[data.draw(st.integers(0, len(bits) - 1))]
    n = problem.network.num_weight_bits
    if problem.network.layers[0].code.one_hot or any(c.one_hot for c in [
        layer.bias_code for layer in problem.network.layers if layer.bias_code]):  # fmt: skip
        return
    free = data.draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4, unique=True))
    part = problem.restrict(free, incumbent)
    own = all_bits(part)
    model = part.qcbo()
    points = np.stack([part.complete_bits(b) for b in own])
    satisfies = problem.violations(part.full_bits(own)) == 0
    assert (model.is_feasible(points) == satisfies).all()


@settings(deadline=None, max_examples=60, suppress_health_check=RELAXED)
@given(problem=constrained())
def test_what_is_broken_is_named_with_amounts(problem: TrainingProblem) -> None:
    for bits in all_bits(problem)[:20]:
        weights = problem.weights_from_bits(bits)
        broken = problem.broken(weights)
        canonical = problem.network.encode_bits(weights)[None]
        assert bool(broken) == (problem.violations(canonical)[0] > 0)
        assert all(amount > 0 for amount in broken.values())
