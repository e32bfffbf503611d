"""Checkpoints and recorded answers that were rewritten: refused by name, or a run that ends."""

from __future__ import annotations

import random
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.errors import FileFormatError, InvalidInputError, QnnError
from formulations.files.archive import read_archive, write_archive
from solvers import ProgressiveHedging, WeightAnnealing
from solvers.oracles import Annealer
from solvers.oracles.base import QUBO
from solvers.oracles.wrappers.record import Record
from solvers.run.checkpoint import CHECKPOINT
from tests.fuzzing import hostile_archive

PROBLEM = TrainingProblem(
    Network.dense([2, 2, 1]), np.array([[1, -1], [1, 1], [-1, 1]]), np.array([1, -1, -1])
)
SEEDS = st.integers(0, 2**32)
quick = settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@quick
@given(SEEDS)
def test_checkpoints_are_refused_or_go_on(tmp_path: Path, seed: int) -> None:
    def anneal() -> None:
        WeightAnnealing(flips=40, seed=0, checkpoint=tmp_path).solve(PROBLEM)

    path, first = tmp_path / "checkpoint.npz", tmp_path / "first.npz"
    if not first.exists():
        anneal()
        path.rename(first)
    content, arrays = read_archive(first, CHECKPOINT)
    content["snapshot"]["mapping"]["status"] = None
    hostile_archive(random.Random(seed), path, CHECKPOINT, content, arrays)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            anneal()
        except QnnError:
            return


def test_a_snapshot_of_another_build_is_named(tmp_path: Path) -> None:
    solver = WeightAnnealing(flips=40, seed=0, checkpoint=tmp_path, checkpoint_every=0)
    solver.solve(PROBLEM)
    path = tmp_path / "checkpoint.npz"
    content, arrays = read_archive(path, CHECKPOINT)
    content["snapshot"]["mapping"]["iteration"] = "20"
    write_archive(path, CHECKPOINT, content, arrays)
    with pytest.raises(FileFormatError, match=r"snapshot.iteration is '20': expected a number"):
        solver.solve(PROBLEM)
    content["identity"]["seed"] = "7"
    write_archive(path, CHECKPOINT, content, arrays)
    with pytest.raises(InvalidInputError, match="seed is 7 there and 0 here"):
        solver.solve(PROBLEM)


def test_a_loop_that_has_not_begun_still_resumes(tmp_path: Path) -> None:
    whole = ProgressiveHedging(rounds=3, seed=0).solve(PROBLEM)
    for rounds in (1, 3):
        part = ProgressiveHedging(rounds=3, seed=0, checkpoint=tmp_path, checkpoint_every=0,
                                  callbacks=(lambda p, n=rounds: p.iteration >= n,))  # fmt: skip
        result = part.solve(PROBLEM)
    assert result.loss == whole.loss


QUESTION = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))


@quick
@given(SEEDS)
def test_recorded_answers_are_refused_or_fit_the_question(tmp_path: Path, seed: int) -> None:
    oracle = Record(Annealer(reads=2, sweeps=5), tmp_path)
    path = oracle.path(QUESTION, None, np.random.SeedSequence(0))
    path.unlink(missing_ok=True)
    first = oracle.sample(QUESTION, np.random.SeedSequence(0))
    content, arrays = read_archive(path, "a recorded answer")
    hostile_archive(random.Random(seed), path, "a recorded answer", content, arrays)
    try:
        again = oracle.sample(QUESTION, np.random.SeedSequence(0))
    except QnnError as error:
        assert str(path) in str(error)  # noqa: PT017 (either way is right)
        return
    assert again.x.shape[1] == first.x.shape[1]
    assert np.isin(again.x, (0, 1)).all()
