"""QCGD as a sampler of Ocean's: constrained models, models without constraints, composites."""

from __future__ import annotations

from itertools import combinations

import dimod
import numpy as np
import pytest
from dimod.testing import assert_sampler_api
from dwave.preprocessing import FixVariablesComposite, SpinReversalTransformComposite

from formulations.errors import InvalidInputError
from solvers import QCGDSampler

QUICK = {"iterations": 5, "num_reads": 4, "sweeps": 20, "seed": 0}


def choice(number: int) -> dimod.ConstrainedQuadraticModel:
    """Any three of so many, all worth the same: many optima."""
    cqm = dimod.ConstrainedQuadraticModel()
    x = list(dimod.Binaries(range(number)))
    cqm.set_objective(-dimod.quicksum(x))
    cqm.add_constraint(dimod.quicksum(x) <= 3, label="three")
    return cqm


def test_it_is_a_sampler_of_dimods() -> None:
    assert_sampler_api(QCGDSampler())


@pytest.mark.parametrize("vartype", ["SPIN", "BINARY"])
def test_models_without_constraints_are_minimised_in_their_own_variables(vartype: str) -> None:
    bqm = dimod.generators.ran_r(3, 8, seed=1).change_vartype(vartype, inplace=False)
    bqm.offset = 2.5
    found = QCGDSampler().sample(bqm, **QUICK)
    exact = dimod.ExactSolver().sample(bqm)
    assert found.vartype is bqm.vartype
    assert found.first.energy == pytest.approx(exact.first.energy)
    np.testing.assert_allclose(bqm.energies(found), found.record.energy)


def test_composites_of_oceans_take_it() -> None:
    bqm = dimod.generators.ran_r(2, 7, seed=2)
    least = dimod.ExactSolver().sample(bqm).first.energy
    turned = SpinReversalTransformComposite(QCGDSampler(), seed=1).sample(bqm, **QUICK)
    assert turned.first.energy == pytest.approx(least)
    fixed = FixVariablesComposite(QCGDSampler()).sample(bqm, fixed_variables={0: 1}, **QUICK)
    assert fixed.first.sample[0] == 1


def test_several_answers_are_distinct_and_diverse_ones_far_apart() -> None:
    with QCGDSampler() as sampler:
        near = sampler.sample_cqm(choice(12), num_samples=3, label="mine", **QUICK)
        far = sampler.sample_cqm(choice(12), num_samples=3, diverse=True, **QUICK)
    assert near.info["problem_label"] == "mine"
    for answers in (near, far):
        assert len(answers) == 3
        assert answers.record.is_feasible.all()
        assert (answers.record.energy == -3.0).all()

    def apart(answers: dimod.SampleSet) -> int:
        pairs = combinations(answers.record.sample, 2)
        return min(int(np.abs(a - b).sum()) for a, b in pairs)

    assert apart(far) >= max(apart(near), 4)  # no two share more than one variable


def test_an_initial_state_is_taken_by_either_name() -> None:
    state = {i: int(i < 3) for i in range(12)}
    for name in ("initial_state", "initial_states"):
        found = QCGDSampler().sample_cqm(choice(12), **{name: state}, **QUICK)
        assert found.first.energy == -3.0


def test_any_positive_time_limit_is_taken() -> None:
    sampler, cqm = QCGDSampler(), choice(5)
    assert sampler.min_time_limit(cqm) == 0.0
    with pytest.raises(InvalidInputError, match="num_samples"):
        sampler.sample_cqm(cqm, num_samples=0)


def test_a_time_limit_and_the_number_of_reads_are_kept() -> None:
    with QCGDSampler() as sampler:
        limited = sampler.sample_cqm(choice(8), time_limit=0.3, seed=0)
        counted = sampler.sample_cqm(choice(8), iterations=2, num_reads=7, sweeps=5, seed=0)
    assert limited.info["seconds"] < 5.0
    assert counted.info["oracle_reads"] in (7, 14)  # one call where the first answer is proven
