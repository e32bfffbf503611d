"""Where a search's reads begin, and what is kept of them."""

from __future__ import annotations

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from solvers import QCGD
from solvers.oracles import Annealer, Samples
from solvers.result import Run
from solvers.search import Search
from solvers.targets import TrainingTarget


@pytest.fixture
def problem() -> TrainingProblem:
    """Three classes of twenty samples each, which a cold anneal makes all the same."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 20)
    X = np.where(rng.random((60, 6)) < 0.1, -1, 1) * np.where(
        y[:, None] == [0, 0, 1, 1, 2, 2], 1, -1
    )
    return TrainingProblem(Network.dense([6, 4, 3]), X, y)


@pytest.mark.parametrize(("fresh", "oracle", "held"), [(1, True, 1), (10, True, 6), (10, False, 1)])
def test_random_networks_join_the_first_pool_of_warm_starts(
    problem: TrainingProblem, fresh: int, oracle: bool, held: int
) -> None:
    search = Search.of(TrainingTarget(problem), 6, fresh, repair=True)
    run = Run(oracle=Annealer(reads=1) if oracle else None)
    seed = np.random.SeedSequence(0)
    x = np.zeros((1, search.target.model.num_variables), dtype=np.int8)
    samples = Samples(x, np.zeros(1), 0.0)
    search.score(samples, run, seed)
    assert len(search.pool.losses) == held
    assert run.incumbent.loss == search.pool.losses[0] <= search.oracle_best.loss
    search.score(samples, run, seed)
    assert len(search.pool.losses) == held


def test_many_classes_are_learnt(problem: TrainingProblem) -> None:
    annealer = Annealer(reads=5, sweeps=50, threads=1)
    warm, cold = (QCGD(annealer, iterations=30, fresh=n, seed=1).solve(problem) for n in (10, 1))
    assert warm.loss < 0.6 * cold.loss
