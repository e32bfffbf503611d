"""Straight-through training as a run: its clock, its interruptions, and what it goes on from."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers.classical.straight_through import LongRunWarning, StraightThrough, solver
from solvers.classical.straight_through.pace import FOLDED
from solvers.classical.straight_through.training import Training
from solvers.run.result import Result, Status
from solvers.run.run import Progress


def clusters(samples: int = 300, flips: float = 0.0, seed: int = 0) -> TrainingProblem:
    """Three classes about three centres, some of the labels at random."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 3, samples)
    centres = np.random.default_rng(9).integers(-4, 5, (3, 12))
    X = centres[y] + np.rint(rng.normal(0, 2, (samples, 12))).astype(int)
    y = np.where(rng.random(samples) < flips, rng.integers(0, 3, samples), y)
    net = Network.dense([12, 8, 3], activation="relu:3", bias="auto")
    return TrainingProblem(net, X, y, "cross-entropy")


def test_a_short_time_goes_through_the_whole_schedule() -> None:
    started = time.perf_counter()
    result = StraightThrough(epochs=10**6, time_limit=0.5).solve(clusters())
    assert time.perf_counter() - started < 1.5
    assert result.status is Status.TIME_LIMIT
    rates = result.history["rate"]
    assert rates.max() > 0.019
    assert rates[-1] < 0.002
    assert result.loss < 0.5 * result.history["loss"][0]


def test_a_time_that_is_over_at_once_has_an_answer() -> None:
    problem = clusters()
    result = StraightThrough(time_limit=1e-9).solve(problem)
    assert result.status is Status.TIME_LIMIT
    assert result.loss == problem.loss(result.weights)


def test_a_long_time_ends_with_the_schedule() -> None:
    result = StraightThrough(epochs=5, time_limit=100.0).solve(clusters())
    assert (result.status, len(result.history)) == (Status.FINISHED, 5)
    without = StraightThrough(epochs=5).solve(clusters())
    assert result.bits.tolist() == without.bits.tolist()


def test_a_callback_stops_and_what_there_is_is_folded_on_the_spot() -> None:
    problem = clusters()

    def stopped(at: int) -> Result:
        return StraightThrough(
            epochs=200, callbacks=(lambda progress: progress.iteration == at,)
        ).solve(problem)

    early, late = stopped(1), stopped(19)  # the next look would be after 20 epochs
    assert (late.status, len(late.history)) == (Status.INTERRUPTED, 19)
    assert late.loss < 0.7 * early.loss
    assert late.loss == problem.loss(late.weights)


@pytest.mark.parametrize("at", [1, 3, 40])
def test_ctrl_c_within_an_epoch_folds_on_the_spot(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    problem, steps = clusters(), Training.epoch

    def interrupted(self: Training, t: int, run: object) -> None:
        if t == at:
            raise KeyboardInterrupt
        steps(self, t, run)  # type: ignore[arg-type]

    monkeypatch.setattr(Training, "epoch", interrupted)
    result = StraightThrough(epochs=50).solve(problem)
    assert (result.status, result.info["reason"]) == (Status.INTERRUPTED, "Ctrl-C")
    assert result.loss == problem.loss(result.weights)


def test_it_goes_on_bit_for_bit(tmp_path: Path) -> None:
    problem = clusters(flips=0.2)
    options = {"epochs": 15, "restarts": 2, "held_out": 0.2, "seed": 5}
    whole = StraightThrough(**options).solve(problem)
    for stop in (2, 11, 14):
        folder = tmp_path / str(stop)
        callback = (lambda progress, stop=stop: progress.iteration == stop,)
        StraightThrough(**options, checkpoint=folder, callbacks=callback).solve(problem)
        result = StraightThrough(**options, checkpoint=folder).solve(problem)
        assert result.bits.tolist() == whole.bits.tolist()
        assert result.history.columns == whole.history.columns
        assert result.info == whole.info


def test_held_out_samples_choose_the_network() -> None:
    problem = clusters(120, flips=0.4)
    options = {"epochs": 100, "restarts": 8}
    by_training = StraightThrough(**options).solve(problem)
    by_held_out = StraightThrough(**options, held_out=0.3).solve(problem)
    assert by_held_out.loss == problem.loss(by_held_out.weights)
    assert by_training.loss < by_held_out.loss
    stream = np.random.default_rng(np.random.SeedSequence(0).spawn(3)[1])
    judges = stream.permutation(120)[:36]
    z = problem.network.pre_activations(by_held_out.weights, problem.X)[-1]
    found = float(problem.sample_losses(z)[judges].mean())
    assert by_held_out.info["held_out_loss"] == pytest.approx(found)


def test_augmented_inputs_are_trained_on_and_checked() -> None:
    problem = clusters()
    calls = []

    def rolled(rng: np.random.Generator) -> np.ndarray:
        calls.append(1)
        return np.roll(problem.X, int(rng.integers(0, 2)), axis=1)

    one = StraightThrough(epochs=6, augment=rolled).solve(problem)
    assert len(calls) == 6
    assert one.loss == problem.loss(one.weights)
    with pytest.raises(InvalidInputError, match=r"augment returns inputs of shape \(1, 12\)"):
        StraightThrough(augment=lambda rng: problem.X[:1]).solve(problem)


def test_the_loss_is_looked_at_ten_times_before_the_fold() -> None:
    result = StraightThrough(epochs=100).solve(clusters(flips=0.3))
    changes = np.flatnonzero(np.diff(result.history["loss"])) + 1
    soft = round(100 * (1 - FOLDED))
    assert set(changes[changes < soft].tolist()) <= set(range(9, 100, 10))
    assert (changes >= soft).sum() > 5


def test_a_long_run_without_a_limit_says_how_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solver, "FORESEEN", 0.0)

    def stop(progress: Progress) -> bool:
        return progress.iteration == 3

    with pytest.warns(LongRunWarning, match="the run will take about .* s: give a time_limit"):
        StraightThrough(epochs=10**7, callbacks=(stop,)).solve(clusters())
    StraightThrough(epochs=10**7, time_limit=100.0, callbacks=(stop,)).solve(clusters())
