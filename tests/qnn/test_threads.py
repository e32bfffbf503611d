"""One solver, one record, one estimator, used by several threads at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from qnn import QNNClassifier
from qnn.runs.solver_options import SolverOptions
from qnn.runs.solver_table import SOLVERS, make_solver
from solvers import QCGD, WeightAnnealing
from solvers.oracles import Annealer, Record, Samples
from solvers.oracles.base import QUBO

RNG = np.random.default_rng(0)
X = np.where(RNG.integers(0, 2, (12, 4)) > 0, 1, -1)
Y = np.where(RNG.integers(0, 2, 12) > 0, 1, -1)
PROBLEM = TrainingProblem(Network.dense([4, 2, 1]), X, Y)


def at_once(work: Callable[[], Any], threads: int = 3) -> list[Any]:
    """What several threads get that begin together."""
    begin = threading.Barrier(threads)
    found: list[Any] = [None] * threads

    def one(number: int) -> None:
        begin.wait()
        try:
            found[number] = work()
        except BaseException as error:
            found[number] = error

    workers = [threading.Thread(target=one, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(120)
    return found


@pytest.mark.parametrize("name", SOLVERS)
def test_a_solver_in_several_threads_gives_each_what_it_gives_alone(name: str) -> None:
    options = SolverOptions(iterations=2, reads=2, sweeps=10, flips=100, threads=1)
    solver = make_solver(name, options, seed=0)
    alone = solver.solve(PROBLEM)
    for result in at_once(lambda: solver.solve(PROBLEM)):
        assert result.loss == alone.loss
        np.testing.assert_array_equal(result.bits, alone.bits)


def test_an_estimator_in_several_threads() -> None:
    model = QNNClassifier(hidden=(2,), solver=WeightAnnealing(flips=300)).fit(X, Y)
    alone = model.predict(X).tolist()
    assert at_once(lambda: model.predict(X).tolist()) == [alone] * 3
    assert at_once(lambda: model.fit(X, Y).predict(X).tolist()) == [alone] * 3


def test_a_record_in_several_threads_pays_once(tmp_path: Path) -> None:
    asked: list[int] = []

    class Counted:
        def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
            asked.append(1)
            return Annealer(reads=2, sweeps=10).sample(qubo, seed)

    solver = QCGD(Record(Counted(), tmp_path), iterations=4, seed=0)
    losses = at_once(lambda: solver.solve(PROBLEM).loss)
    assert len(set(losses)) == 1
    assert len(asked) == len(list(tmp_path.glob("*.npz"))) <= 4


def test_two_threads_with_one_checkpoint_folder_are_told_apart(tmp_path: Path) -> None:
    solver = WeightAnnealing(flips=200_000, checkpoint=tmp_path, checkpoint_every=0)
    found = at_once(lambda: solver.solve(PROBLEM).loss, threads=2)
    refused = [one for one in found if isinstance(one, Exception)]
    assert all("in use by a run that has not ended" in str(one) for one in refused)
    assert len(refused) < 2
