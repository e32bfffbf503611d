"""Hedging on any executor, with failing workers, limits, Ctrl-C and checkpoints."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from formulations import TrainingProblem
from solvers.hedging.annealed_blocks import AnnealedBlocks
from solvers.hedging.blocks import Minimise
from solvers.hedging.exact_blocks import Enumeration
from solvers.hedging.hedging import FixedRho, ProgressiveHedging
from solvers.hedging.state import HedgingState
from solvers.run.checkpoint import Checkpoint
from solvers.run.identity import identity
from solvers.run.result import Status
from solvers.run.run import Progress
from solvers.weight_annealing import WeightAnnealing
from tests.solvers.hedging.teachers import noisy

EXECUTORS: dict[str, Callable[[], object]] = {
    "serial": lambda: None,
    "threads": lambda: "threads",
    "processes": lambda: "processes",
    "factory": lambda: _two_processes,
}


def _two_processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2)


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
def test_the_same_seed_gives_the_same_result_on_any_executor(
    executor: Callable[[], object],
) -> None:
    problem = noisy(8, samples=21)
    options = {"blocks": AnnealedBlocks(300), "block_size": 5, "rounds": 6}
    reference = ProgressiveHedging(**options, seed=3).solve(problem)
    result = ProgressiveHedging(**options, seed=3, executor=executor(), workers=2).solve(problem)  # type: ignore[arg-type]
    assert np.array_equal(result.bits, reference.bits)
    for name in reference.history.columns:
        assert np.array_equal(result.history[name], reference.history[name]), name


def test_a_dask_cluster_gives_the_identical_result() -> None:
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    problem = noisy(8, samples=21)
    solver = ProgressiveHedging(AnnealedBlocks(300), block_size=5, rounds=6, seed=3)
    here = solver.solve(problem)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as own,
        distributed.Client(own) as client,
    ):
        there = replace(solver, executor=client.get_executor()).solve(problem)
    assert np.array_equal(here.bits, there.bits)
    assert here.history.columns == there.history.columns


@dataclass(frozen=True)
class Failing:
    """Enumeration on workers that die or raise the first times."""

    folder: Path
    how: str
    times: int = 1
    certifies: bool = True

    def prepare(self, problem: TrainingProblem) -> Minimise:
        if problem.sample_numbers[0] == 5 and len(list(self.folder.iterdir())) < self.times:
            (self.folder / str(len(list(self.folder.iterdir())))).touch()
            if self.how == "dies":
                os._exit(1)
            raise ConnectionError("the line was cut")
        return Enumeration().prepare(problem)


@pytest.mark.parametrize("how", ["raises", "dies"])
def test_a_failing_worker_does_not_change_the_result(how: str, tmp_path: Path) -> None:
    problem = noisy(9)
    options = {"block_size": 5, "rounds": 5, "symmetry": "none"}
    reference = ProgressiveHedging(**options).solve(problem)
    result = ProgressiveHedging(
        Failing(tmp_path, how), **options, executor="processes", workers=2
    ).solve(problem)
    assert result.info["run_again"] >= 1
    assert np.array_equal(result.bits, reference.bits)
    assert np.array_equal(result.history["disagreement"], reference.history["disagreement"])


def test_three_failures_of_a_block_end_the_run(tmp_path: Path) -> None:
    solver = ProgressiveHedging(Failing(tmp_path, "raises", 99), block_size=5)
    result = solver.solve(noisy(9))
    assert result.status is Status.ORACLE_FAILED
    assert "block 1 (samples 5 to 9) has failed 3 times" in result.info["reason"]
    assert result.loss == noisy(9).losses(result.bits)[0]


@pytest.mark.parametrize("options", [{}, {"symmetry": "fix"}])
def test_a_run_goes_on_from_a_checkpoint_as_if_it_had_never_stopped(
    options: dict[str, object], tmp_path: Path
) -> None:
    problem = noisy(10, samples=24)
    solver = ProgressiveHedging(
        block_size=6,
        rho=FixedRho(0.3),
        restarts=1,
        rounds=12,
        start=WeightAnnealing(flips=5),
        **options,  # type: ignore[arg-type]
    )
    whole = solver.solve(problem)
    for stop in (1, 4, 9):
        stopped = replace(
            solver,
            checkpoint=tmp_path / str(stop),
            callbacks=(lambda progress, stop=stop: progress.iteration == stop,),
        )
        assert stopped.solve(problem).info["rounds"] == min(stop, whole.info["rounds"])
        again = replace(stopped, callbacks=(), executor="processes", workers=2).solve(problem)
        assert again.status is whole.status
        assert np.array_equal(again.bits, whole.bits)
        assert again.lower_bound == whole.lower_bound
        assert again.history.columns == whole.history.columns
        assert again.info["why"] == whole.info["why"]


def test_a_run_that_a_block_has_ended_leaves_a_checkpoint(tmp_path: Path) -> None:
    problem = noisy(9)
    sick, well = tmp_path / "sick", tmp_path / "well"
    sick.mkdir()
    options = {"block_size": 5, "rounds": 5, "symmetry": "none"}
    solver = ProgressiveHedging(Failing(sick, "raises", 99), checkpoint=well, **options)  # type: ignore[arg-type]
    assert solver.solve(problem).status is Status.ORACLE_FAILED
    assert (well / "checkpoint.npz").exists()
    for number in range(99):  # the block has recovered
        (sick / str(number)).touch()
    result = solver.solve(problem)
    reference = ProgressiveHedging(**options).solve(problem)  # type: ignore[arg-type]
    assert np.array_equal(result.bits, reference.bits)
    assert result.history.columns == reference.history.columns


def test_a_checkpoint_with_options_that_are_gone_is_read(tmp_path: Path) -> None:
    here = identity(ProgressiveHedging(), noisy(9))
    with Checkpoint(tmp_path, {**here, "fix_after": "None", "shake": "0.2"}) as old:
        old.save({"iteration": 1})
    with Checkpoint(tmp_path, here) as new:
        assert new.load() == {"iteration": 1}
    one = np.zeros((1, 2))
    state = HedgingState.first(one.astype(np.int8), one, one[0], blocks=3, window=4).snapshot()
    assert HedgingState.of({**state, "agreed": one}).snapshot().keys() == state.keys()


def test_limits_and_callbacks() -> None:
    problem = noisy(11, (5, 3, 1), samples=40)
    limited = ProgressiveHedging(
        AnnealedBlocks(10_000), rounds=10_000, restarts=10_000, time_limit=0.3
    ).solve(problem)  # the copies may agree before the limit, and begin again
    assert limited.status is Status.TIME_LIMIT
    assert limited.seconds < 2.0
    stopped = ProgressiveHedging(
        AnnealedBlocks(100), rounds=50, callbacks=(lambda progress: progress.iteration == 2,)
    ).solve(problem)
    assert stopped.status is Status.INTERRUPTED
    assert stopped.info["rounds"] == 2


def test_ctrl_c_keeps_the_incumbent() -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    result = ProgressiveHedging(
        AnnealedBlocks(100), rounds=50, callbacks=(interrupt,), executor="threads"
    ).solve(noisy(11))
    assert result.status is Status.INTERRUPTED
    assert result.loss < np.inf
