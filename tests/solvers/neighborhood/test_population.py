"""Several walks of the neighbourhood search: any executor, drawn again, faults, resumption."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest

from formulations import Network, QnnError, TrainingProblem
from solvers.neighborhood.neighborhoods import policy
from solvers.neighborhood.population import Population, Worker
from solvers.neighborhood.search import LargeNeighborhoodSearch
from solvers.neighborhood.steps import EnumeratedWalk
from solvers.oracles import QUBO, Annealer, Samples
from solvers.run.executors import Team
from solvers.run.result import Status
from solvers.run.run import Run


@pytest.fixture
def problem() -> TrainingProblem:
    """Labels that no network of this size can learn."""
    rng = np.random.default_rng(0)
    X = rng.integers(-3, 4, (60, 6))
    return TrainingProblem(Network.dense([6, 4, 1]), X, rng.choice([-1, 1], 60))


def population(problem: TrainingProblem, walks: int) -> tuple[Population, Run]:
    """Walks at random starts, at temperature 1."""
    ground, run = Worker(partial(EnumeratedWalk, problem), [(policy("random"), 3)]), Run()
    them = Population(Team([ground]), np.random.default_rng(0), hot=1.0, cold=0.01)
    rngs = [np.random.default_rng(k) for k in range(walks)]
    begun = [ground.begin(g.integers(0, 2, problem.num_free_bits, dtype=np.int8), g) for g in rngs]
    them.arrive(begun, run)
    return them, run


@pytest.mark.parametrize(
    "executor",
    ["serial", "threads", "processes", ThreadPoolExecutor, lambda: ThreadPoolExecutor(3)],
)
@pytest.mark.parametrize("oracle", [None, Annealer(reads=2, sweeps=10)])
def test_the_same_result_on_any_executor(
    problem: TrainingProblem,
    oracle: Annealer | None,
    executor: str | Executor | Callable[[], Executor],
) -> None:
    search = partial(LargeNeighborhoodSearch, oracle, rounds=90 if oracle is None else 9, walks=3)
    here = search().solve(problem)
    there = search(executor=executor, workers=2).solve(problem)
    np.testing.assert_array_equal(here.bits, there.bits)
    assert (here.loss, here.info) == (there.loss, there.info)
    assert (here.ledger.calls, here.ledger.reads) == (there.ledger.calls, there.ledger.reads)
    for name in here.history.columns:
        np.testing.assert_array_equal(here.history[name], there.history[name])


def test_rounds_are_shared_out_among_the_walks(problem: TrainingProblem) -> None:
    result = LargeNeighborhoodSearch(rounds=1000, walks=3).solve(problem)
    assert result.info["rounds"] == 1000
    assert LargeNeighborhoodSearch(rounds=2, walks=5).solve(problem).info["rounds"] == 2


def test_walks_are_drawn_again_by_their_weights(problem: TrainingProblem) -> None:
    them, _ = population(problem, 4)
    losses = them.losses.copy()
    them.temperature = 1e9
    them._resample(1e8)  # hardly any difference: everyone stays
    np.testing.assert_array_equal(np.sort(them.losses), np.sort(losses))
    them._resample(1e-3)  # only the best is left, and its copies go ways of their own
    assert (them.losses == losses.min()).all()
    draws = {snapshot["rng"].random() for snapshot in them.walks}
    assert len(draws) == 4
    them._resample(1.0)  # it is warmer again: nobody is drawn
    assert (them.losses == losses.min()).all()


def test_the_mean_number_of_copies_is_the_weight(problem: TrainingProblem) -> None:
    them, _ = population(problem, 3)
    start, losses = list(them.walks), np.array([0.0, 1.0, 2.0])
    expected = 3 * np.exp(-losses) / np.exp(-losses).sum()
    counts = np.zeros(3)
    for _ in range(400):
        them.walks, them.losses, them.temperature = start, losses, np.inf
        them._resample(1.0)
        counts += np.bincount(them.losses.astype(int), minlength=3)
    np.testing.assert_allclose(counts / 400, expected, atol=0.06)


def test_a_walk_that_was_somewhere_else_begins_anew(problem: TrainingProblem) -> None:
    """Walks at the end of their stretch are used again: nothing of the old way may be left."""
    them, run = population(problem, 1)
    ground = them.team.models[0]
    bits = np.zeros(problem.num_free_bits, dtype=np.int8)
    first = ground.begin(bits, np.random.default_rng(5))
    them.go(0.5, run, steps=3)
    again = ground.begin(bits, np.random.default_rng(5))
    assert (first.loss, first.best_loss) == (again.loss, again.best_loss)
    np.testing.assert_array_equal(again.best_bits, bits)


class Flaky:
    """An annealer that fails at every third call, or at all of them."""

    def __init__(self, always: bool = False) -> None:
        self.calls, self.always = 0, always

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Fail, or anneal."""
        self.calls += 1
        if self.always or self.calls % 3 == 0:
            raise ConnectionError("the line was cut")
        return Annealer(reads=2, sweeps=10).sample(qubo, seed)


@pytest.mark.parametrize("executor", [None, "threads"])
def test_a_stretch_that_fails_is_gone_again(problem: TrainingProblem, executor: str | None) -> None:
    whole = LargeNeighborhoodSearch(Annealer(reads=2, sweeps=10), rounds=8, walks=2).solve(problem)
    flaky = LargeNeighborhoodSearch(Flaky(), rounds=8, walks=2, executor=executor).solve(problem)
    np.testing.assert_array_equal(whole.bits, flaky.bits)
    assert whole.loss == flaky.loss


def test_three_failures_end_the_run_with_its_incumbent(problem: TrainingProblem) -> None:
    search = LargeNeighborhoodSearch(Flaky(always=True), rounds=8, executor="threads")
    result = search.solve(problem)
    assert result.status is Status.ORACLE_FAILED
    assert "neighbourhood search has failed 3 times" in result.info["reason"]
    assert result.loss == problem.loss(result.weights)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"walks": 0}, "walks=0"), ({"workers": 0}, "workers=0"), ({"executor": "thread"}, "threads")],
)
def test_bad_options_are_refused(problem: TrainingProblem, options: dict, message: str) -> None:
    with pytest.raises(QnnError, match=message):
        LargeNeighborhoodSearch(**options).solve(problem)


def test_an_oracles_models_fill_the_variables_that_it_has() -> None:
    rng = np.random.default_rng(1)
    X = rng.integers(-3, 4, (2000, 6))
    problem = TrainingProblem(Network.dense([6, 4, 1]), X, rng.choice([-1, 1], 2000))
    search = LargeNeighborhoodSearch(
        Annealer(reads=2, sweeps=5), rounds=12, sizes=(6,), variables=400, policies=("random",)
    )
    info = search.solve(problem).info
    assert 0.8 * 400 <= info["num_variables"] <= info["largest_model"] <= 400
