"""What a run would ask, known before it asks: the formulas against models that are built."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from formulations.passes import Slack
from solvers import QCGD, ExactSolver, LargeNeighborhoodSearch, PenaltyMethod
from solvers.footprint import (
    Calls,
    Footprint,
    coefficient_bits,
    couplers_by_formula,
    first_qubo,
    num_pairs,
)
from solvers.oracles import QUBO, Budget, ExactOracle
from solvers.oracles.cloud.estimates import cqm_biases
from solvers.oracles.testing import random_qubo


def problem(widths: list[int], samples: int, seed: int = 0, **network: str) -> TrainingProblem:
    random = np.random.default_rng(seed)
    X = random.choice([-1, 1], (samples, widths[0]))
    outputs = widths[-1]
    y = random.choice([-1, 1], samples) if outputs == 1 else random.integers(0, outputs, samples)
    return TrainingProblem(Network.dense(widths, **network), X, y)


CASES = [
    ([4, 3, 1], {}),
    ([6, 3, 2, 1], {}),
    ([5, 3, 1], {"weights": "ternary"}),
    ([4, 3, 1], {"bias": "ternary"}),
    ([5, 3, 1], {"activation": "hard-tanh"}),
    ([5, 2, 3], {}),
]


@pytest.mark.parametrize(("widths", "network"), CASES, ids=str)
@pytest.mark.parametrize("samples", [1, 2, 9])
def test_couplers_and_bits_by_formula_are_those_of_the_model(
    widths: list[int], network: dict[str, str], samples: int
) -> None:
    """For inputs -1 and +1, whichever they are: every sample's model has the same pattern."""
    net = Network.dense(widths, **network)
    one = TrainingProblem(net, np.ones((1, widths[0]), int), [1 if widths[-1] == 1 else 0])
    task = problem(widths, samples, **network)
    qubo = first_qubo(lambda oracle: QCGD(oracle=oracle).solve(task))
    assert qubo is not None
    model, _ = Slack().apply(one.qcbo())
    assert couplers_by_formula(model, samples) == len(qubo.couplings)
    assert one.size().times(samples).num_variables == task.size().num_variables
    assert qubo.num_variables == task.size().num_variables


@given(st.integers(0, 1000))
@settings(max_examples=10)
def test_biases_of_the_cqm_are_counted_without_making_it(seed: int) -> None:
    model = problem([4, 2, 1], 3, seed).qcbo()
    assert cqm_biases(model) == model.to_cqm().num_biases()


def test_the_first_question_is_the_run_s_own() -> None:
    """Recorded from a real run, and found without one."""
    asked: list[QUBO] = []

    class Listening(ExactOracle):
        def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> object:  # type: ignore[override]
            asked.append(qubo)
            return super().sample(qubo, seed)

    task = problem([2, 1], 3)
    for solver in (QCGD(iterations=2), PenaltyMethod(iterations=1)):
        replace(solver, oracle=Listening()).solve(task)
        found = first_qubo(lambda oracle, s=solver: replace(s, oracle=oracle).solve(task))
        first = asked[0]
        asked.clear()
        assert found is not None
        for name in ("linear", "heads", "tails", "couplings"):
            np.testing.assert_array_equal(getattr(found, name), getattr(first, name))


def test_a_wrapper_around_the_oracle_does_not_swallow_the_end() -> None:
    task = problem([2, 1], 3)
    found = first_qubo(lambda oracle: QCGD(oracle=Budget(oracle, calls=3)).solve(task))
    assert found is not None


def test_restricted_problems_are_asked_about_at_their_own_size() -> None:
    task = problem([4, 3, 1], 10)
    found = first_qubo(lambda o: LargeNeighborhoodSearch(oracle=o, rounds=5).solve(task))
    assert found is not None
    assert found.num_variables < task.size().num_variables


def test_a_solver_without_an_oracle_asks_nothing() -> None:
    assert first_qubo(lambda oracle: ExactSolver().solve(problem([2, 1], 3))) is None


def test_coefficient_bits_leave_out_what_decides_nothing() -> None:
    pair = np.array([0]), np.array([1])
    assert coefficient_bits(QUBO(np.array([4.0, 0.0]), *pair, np.array([-1.0]))) == 2.0
    assert coefficient_bits(QUBO(np.zeros(2), *pair, np.zeros(1))) == 0.0
    assert coefficient_bits(QUBO(np.zeros(0), *(np.zeros(0, int),) * 2, np.zeros(0))) == 0.0


def test_a_footprint_takes_the_smaller_embedding() -> None:
    qubo = random_qubo(10, 1, share=0.3)
    calls = Calls(calls=7, reads=50)
    cliques = Footprint.of(qubo, calls, graphs=["P4"])
    searched = Footprint.of(qubo, calls, graphs=["P4"], search=5.0)
    assert [fit.fits for fit in cliques.fits] == [True, None, True]
    assert [fit.fits for fit in searched.fits] == [True, True, True]
    before, after = cliques.qpu_seconds["P4"], searched.qpu_seconds["P4"]
    assert before is not None
    assert after is not None
    assert after <= before
    assert searched.hybrid_bqm_seconds == 21.0
    assert cliques.density == len(qubo.couplings) / 45


def test_too_many_pairs_are_not_counted() -> None:
    one = problem([3000, 1], 1).qcbo()
    assert num_pairs(one) < 10_000_000
    wide = problem([5000, 1], 1).qcbo()
    assert couplers_by_formula(wide, 10) is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Calls(0, 1), "calls=0"),
        (lambda: Calls(1, 0), "reads=0"),
        (lambda: Footprint.of(random_qubo(3), Calls(1, 1), search=-1.0), "search=-1.0"),
        (lambda: Footprint.of(random_qubo(3), Calls(1, 1), graphs=["Q3"]), "unknown graph 'Q3'"),
    ],
)
def test_bad_numbers_are_refused(make: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        make()  # type: ignore[operator]
