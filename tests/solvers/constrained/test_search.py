"""No result that violates a constraint is returned as satisfying, by any solver."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.constraints import FanIn, Monotone, NofM, NonZeros, Right, Tied
from formulations.errors import InfeasibleModelError, InvalidInputError
from solvers import (
    QCGD,
    ExactSolver,
    LargeNeighborhoodSearch,
    PenaltyMethod,
    RandomSearch,
    StraightThrough,
    Trainer,
    WeightAnnealing,
)
from solvers.constrained.watch import Watch
from solvers.kernels.incremental import refresh
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.oracles import Annealer
from solvers.run.result import Status
from tests.formulations.constrained_problems import constrained
from tests.formulations.problems import all_bits

RELAXED = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]

ORACLE = Annealer(reads=4, sweeps=20)
SOLVERS: dict[str, Any] = {
    "random": RandomSearch(guesses=20),
    "annealing": WeightAnnealing(flips=60),
    "restricted": LargeNeighborhoodSearch(rounds=30, sizes=(2, 3)),
    "asked": LargeNeighborhoodSearch(rounds=3, oracle=ORACLE, sizes=(2,)),
    "qcgd": QCGD(oracle=ORACLE, iterations=3),
    "penalty": PenaltyMethod(oracle=ORACLE, iterations=3),
    "straight-through": StraightThrough(epochs=3, restarts=2),
    "trainer": Trainer(
        gradients=StraightThrough(epochs=3), search=LargeNeighborhoodSearch(rounds=30, sizes=(2,))
    ),
}


@pytest.mark.parametrize("name", SOLVERS)
@settings(deadline=None, max_examples=25, suppress_health_check=RELAXED)
@given(data=st.data())
def test_what_a_result_says_of_constraints_is_true(name: str, data: st.DataObject) -> None:
    problem: TrainingProblem = data.draw(constrained(count=2, shared=data.draw(st.booleans())))
    try:
        result = SOLVERS[name].solve(problem)
    except InvalidInputError:  # a loss without a model
        return
    broken = problem.broken(result.weights)
    assert result.info["broken"] == broken
    assert result.satisfies == (not broken)
    assert result.loss == pytest.approx(problem.loss(result.weights))
    assert not (broken and result.status is Status.OPTIMAL)


@settings(deadline=None, max_examples=60, suppress_health_check=RELAXED)
@given(problem=constrained(count=2))
def test_enumeration_finds_the_best_that_satisfy_or_proves_that_none_do(
    problem: TrainingProblem,
) -> None:
    bits = all_bits(problem)
    canonical = np.array([problem.network.encode_bits(problem.weights_from_bits(b)) for b in bits])
    satisfies = problem.violations(canonical) == 0
    if not satisfies.any():
        with pytest.raises(InfeasibleModelError, match="proven"):
            ExactSolver(method="enumeration").solve(problem)
        return
    result = ExactSolver(method="enumeration").solve(problem)
    assert result.satisfies
    assert result.status is Status.OPTIMAL
    assert result.loss == pytest.approx(problem.losses(canonical[satisfies]).min())


def walkers(kind: str) -> tuple[TrainingProblem, np.random.Generator]:
    """A problem with every constraint, and a stream."""
    rng = np.random.default_rng(3)
    outputs = 1 if kind == "one" else 3
    net = Network.dense([5, 3, 2, outputs], "relu:2", "ternary", "auto")
    X = rng.integers(-3, 4, (40, 5))
    y = rng.choice([-1, 1], 40) if outputs == 1 else rng.integers(0, 3, 40)
    given_ = [FanIn(2), NonZeros(9), Monotone(1, -1), Right(X[:4], y[:4])]
    if kind == "shared":
        given_ += [Tied([[(1, 0, 0), (1, 1, 3), (1, 2, 1)], [(2, 0, 3), (2, 1, 3)]])]
    return TrainingProblem(net, X, y, constraints=given_), rng


@pytest.mark.parametrize("kind", ["one", "three", "shared"])
def test_incremental_violations_are_those_of_the_weights(kind: str) -> None:
    problem, rng = walkers(kind)
    landscape = IncrementalLoss(problem)
    watch = Watch(problem, landscape)
    landscape.set_choice(landscape.random_choice(rng))
    before = watch.refresh()
    best, broken, value = landscape.moves.choice.copy(), 2**60, np.inf
    size = len(best)
    for _ in range(12):
        blocks = np.stack([rng.permutation(size)[:3] for _ in range(10)])
        broken, value, _ = watch.heat_bath(
            rng, blocks, np.full(10, 2.0), np.zeros(10), best, broken, value, -np.inf
        )
        full = problem.full_bits(landscape.bits(landscape.moves.choice)[None])
        assert watch.broken == problem.violations(full)[0]
        assert watch.broken == 0 or before > 0  # what holds is kept
        before = watch.broken
        loss = landscape.state.losses[0]
        assert refresh(landscape.state) == loss
        found = problem.full_bits(landscape.bits(best)[None])
        assert problem.violations(found)[0] == broken
        assert problem.losses(found[:, problem.free])[0] == pytest.approx(
            landscape.loss(value) + problem.price * broken
        )


def test_a_search_says_what_it_could_not_satisfy() -> None:
    net = Network.dense([2, 1], weights="ternary")
    must = Right([[1, 1], [1, 1]], [1, -1])  # both cannot be
    problem = TrainingProblem(net, [[1, -1]], [1], constraints=[must])
    result = WeightAnnealing(flips=50).solve(problem)
    assert not result.satisfies
    assert sum(result.info["broken"].values()) == 1
    with pytest.raises(InfeasibleModelError, match="right"):
        ExactSolver().solve(problem)


@pytest.mark.parametrize("method", ["enumeration", "cp-sat"])
def test_constraints_that_contradict_each_other_are_proven_to(method: str) -> None:
    net = Network.dense([2, 1], weights="ternary")
    X, y = [[1, 1], [-1, 2], [2, -1], [-1, -1]], [1, 1, 1, -1]  # needs both weights
    alone = TrainingProblem(net, X, y, constraints=[Right(X, y)])
    assert ExactSolver(method=method).solve(alone).satisfies
    both = TrainingProblem(net, X, y, constraints=[Right(X, y), NofM(1, 2)])
    with pytest.raises(InfeasibleModelError):
        ExactSolver(method=method).solve(both)
    assert not Trainer(seed=0).solve(both).satisfies
