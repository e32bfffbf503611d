"""Oracles on this machine keep the deadline of the solver that asks them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from solvers import QCGD, LargeNeighborhoodSearch, PenaltyMethod, ProgressiveHedging
from solvers.hedging.block_solvers import PenaltyBlocks, QcgdBlocks
from solvers.oracles import QUBO, Annealer, from_dimod
from solvers.oracles.deadline import answer_by, time_left
from solvers.oracles.wrappers.caching import Caching

SLOW = Annealer(reads=100, sweeps=100_000)
"""Hours on the models below."""


def seed() -> np.random.SeedSequence:
    return np.random.SeedSequence(0)


def ring(n: int = 2000) -> QUBO:
    heads = np.arange(n - 1)
    return QUBO(np.linspace(-1, 1, n), heads, heads + 1, np.ones(n - 1))


def problem() -> TrainingProblem:
    rng = np.random.default_rng(0)
    X, y = rng.integers(-3, 4, (40, 6)), rng.choice([-1, 1], 40)
    return TrainingProblem(Network.dense([6, 4, 1]), X, y)


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@pytest.mark.parametrize("oracle", [SLOW, SLOW.changed(threads=2)])
def test_the_annealer_returns_what_it_has_at_the_deadline(oracle: Annealer) -> None:
    qubo = ring()
    with answer_by(time.perf_counter() + 0.3):
        started = time.perf_counter()
        samples = oracle.sample(qubo, seed())
        assert time.perf_counter() - started < 1.5
    assert samples.info["cut"]
    assert samples.x.shape == (100, 2000)
    assert np.allclose(qubo.energies(samples.x), samples.energies)


def test_a_deadline_that_is_not_reached_changes_nothing() -> None:
    oracle, qubo = Annealer(reads=4, sweeps=2000), ring()
    free = oracle.sample(qubo, seed())
    with answer_by(time.perf_counter() + 1000):
        assert (oracle.sample(qubo, seed()).x == free.x).all()
    assert "cut" not in free.info


def test_of_nested_deadlines_the_earliest_holds() -> None:
    now = time.perf_counter()
    with answer_by(now + 1), answer_by(now + 100):
        assert time_left() <= 1
    with answer_by(now - 1):
        assert time_left() == 0
    assert time_left() == np.inf


def test_an_answer_that_was_cut_off_is_not_kept() -> None:
    oracle, qubo = Caching(Annealer(reads=4, sweeps=3000)), ring()
    with answer_by(time.perf_counter()):
        assert oracle.sample(qubo, seed()).info["cut"]
    assert "cut" not in oracle.sample(qubo, seed()).info


def test_samplers_of_ocean_that_can_be_interrupted_keep_it_too() -> None:
    from dwave.samplers import SimulatedAnnealingSampler

    oracle = from_dimod(SimulatedAnnealingSampler(), num_reads=1000, num_sweeps=5000)
    with answer_by(time.perf_counter() + 0.3):
        started = time.perf_counter()
        samples = oracle.sample(ring(), seed())
        assert time.perf_counter() - started < 3
    assert 1 <= len(samples.x) < 1000


@pytest.mark.parametrize(
    "solver",
    [
        QCGD(SLOW, iterations=None, time_limit=0.5),
        PenaltyMethod(SLOW, time_limit=0.5),
        LargeNeighborhoodSearch(SLOW, time_limit=0.5),
        ProgressiveHedging(PenaltyBlocks(SLOW), block_size=10, time_limit=0.5),
        ProgressiveHedging(QcgdBlocks(QCGD(SLOW)), block_size=10, time_limit=0.5),
        ProgressiveHedging(
            PenaltyBlocks(SLOW), block_size=10, time_limit=0.5, executor="threads", workers=2
        ),
    ],
    ids=lambda solver: type(solver).__name__,
)
def test_a_solver_with_a_time_limit_keeps_it_with_a_slow_oracle(solver: Any) -> None:
    results = [solver.solve(problem())]  # what is compiled on the first use does not count
    assert seconds(lambda: results.append(solver.solve(problem()))) < 2
    assert np.isfinite(results[1].loss)


def test_so_does_a_constrained_model() -> None:
    import dimod

    x = list(dimod.Binaries([f"x{i}" for i in range(100)]))
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(sum((i % 7 - 3) * x[i] * x[(3 * i + 1) % 100] for i in range(100)))
    cqm.add_constraint(sum(x) == 31)
    solver = QCGD(SLOW, iterations=None, time_limit=0.5)
    answers = [solver.sample_cqm(cqm)]
    assert seconds(lambda: answers.append(solver.sample_cqm(cqm))) < 2
    assert answers[0].first.is_feasible
