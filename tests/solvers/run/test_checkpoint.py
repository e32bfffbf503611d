"""Checkpoints: a run that is stopped anywhere ends as one that never was."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.errors import FileAccessError, InvalidInputError
from solvers import (
    QCGD,
    RMDA,
    Candidates,
    DecomposedQCGD,
    ExplicitSoftmax,
    LargeNeighborhoodSearch,
    ManifoldNetwork,
    MonotoneVI,
    PenaltyMethod,
    Progress,
    ProgressiveHedging,
    RealTraining,
    Rounding,
    StraightThrough,
)
from solvers.classical.random_features import RandomFeatures
from solvers.hedging.block_solvers import PenaltyBlocks
from solvers.oracles import Annealer
from solvers.run.checkpoint import FILE, Checkpoint
from solvers.run.identity import identity
from solvers.run.result import Result, Status
from solvers.run.stopping import NoImprovement
from solvers.weight_annealing import WeightAnnealing

ROOT = Path(__file__).parents[3]
QUICK = Annealer(reads=2, sweeps=10)
CLOCKS = {"flips_per_second", "oracle_seconds", "repair_seconds", "seconds"}

MAKERS: dict[str, Callable[..., Any]] = {
    "annealing": lambda **o: WeightAnnealing(flips=120, restarts=2, **o),
    "straight-through": lambda **o: StraightThrough(epochs=3, batch=5, **o),
    "random-features": lambda **o: RandomFeatures(draws=5, **o),
    "rmda": lambda **o: RMDA(epochs=2, draws=3, **o),
    "svi": lambda **o: MonotoneVI(epochs=2, draws=3, **o),
    "manifold": lambda **o: ManifoldNetwork(epochs=1, draws=3, **o),
    "explicit": lambda **o: ExplicitSoftmax(draws=3, **o),
    "rounding": lambda **o: Rounding(
        "qubo", weights=RealTraining(epochs=1), oracle=QUICK, draws=3, **o
    ),
    "enumerated-blocks": lambda **o: LargeNeighborhoodSearch(rounds=2000, sizes=(2, 3), **o),
    "walks": lambda **o: LargeNeighborhoodSearch(rounds=2000, sizes=(2, 3), walks=3, **o),
    "restricted-by-oracle": lambda **o: LargeNeighborhoodSearch(
        rounds=8, oracle=QUICK, start=WeightAnnealing(flips=20), **o
    ),
    "qcgd": lambda **o: QCGD(QUICK, iterations=8, candidates=Candidates(fresh=3), **o),
    "qcgd-by-itself": lambda **o: QCGD(iterations=8, candidates=Candidates(fresh=3), **o),
    "qcgd-standstill": lambda **o: QCGD(QUICK, iterations=30, stop=NoImprovement(0.0, 3), **o),
    "penalty": lambda **o: PenaltyMethod(QUICK, iterations=5, **o),
    "decomposed": lambda **o: DecomposedQCGD(QUICK, 2, block_size=5, iterations=4, **o),
    "hedging": lambda **o: ProgressiveHedging(block_size=5, rounds=6, restarts=2, **o),
    "hedging-by-oracle": lambda **o: ProgressiveHedging(
        PenaltyBlocks(QUICK), block_size=5, rounds=3, start=WeightAnnealing(flips=20), **o
    ),
}


def noise(loss: str = "hinge", weights: str = "bipolar", outputs: int = 1) -> TrainingProblem:
    """Labels that no network of this size can learn."""
    rng = np.random.default_rng(0)
    X, classes = rng.integers(-3, 4, (15, 4)), np.arange(outputs) if outputs > 1 else [-1, 1]
    return TrainingProblem(
        Network.dense([4, 2, outputs], weights=weights), X, rng.choice(classes, 15), loss
    )


def content(result: Result) -> dict[str, Any]:
    """All of a result but its clocks, so that equal means equal bit for bit."""
    return {
        "bits": result.bits.tolist(),
        "weights": [matrix.tolist() for matrix in result.weights.matrices],
        "loss": result.loss,
        "status": result.status,
        "bound": result.lower_bound,
        "calls": (result.ledger.calls, result.ledger.reads),
        "info": without_clocks(result.info),
        "history": {
            name: np.array(column).tobytes()
            for name, column in result.history.columns.items()
            if name not in CLOCKS
        },
    }


def without_clocks(info: Mapping[str, Any]) -> dict[str, Any]:
    """What ``info`` says, of each source of candidates as well, but for its clocks."""
    return {
        name: without_clocks(value) if isinstance(value, Mapping) else value
        for name, value in info.items()
        if name not in CLOCKS
    }


def stop_after(step: int) -> Callable[[Progress], bool]:
    return lambda progress: progress.iteration >= step


# -- going on -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", list(MAKERS))
def test_stopped_after_any_step_it_ends_the_same(name: str, tmp_path: Path) -> None:
    make, problem = MAKERS[name], noise()
    whole = make().solve(problem)
    assert len(whole.history) >= 3
    for step in range(1, len(whole.history) + 1):
        folder = tmp_path / str(step)
        stopped = make(checkpoint=folder, callbacks=(stop_after(step),)).solve(problem)
        assert len(stopped.history) == step
        assert content(make(checkpoint=folder).solve(problem)) == content(whole)


@pytest.mark.parametrize("name", list(MAKERS))
def test_stopped_after_every_step_it_ends_the_same(name: str, tmp_path: Path) -> None:
    make, problem = MAKERS[name], noise("logistic")
    whole = make().solve(problem)
    for _ in range(len(whole.history)):
        make(checkpoint=tmp_path, callbacks=(stop_after(0),)).solve(problem)
    assert content(make(checkpoint=tmp_path).solve(problem)) == content(whole)


@pytest.mark.parametrize("name", ["annealing", "straight-through", "enumerated-blocks"])
@pytest.mark.parametrize("loss", ["hinge", "squared", "logistic"])
def test_codes_and_classes_go_on_too(name: str, loss: str, tmp_path: Path) -> None:
    make, problem = MAKERS[name], noise(loss, "ternary", outputs=3)
    whole = make().solve(problem)
    for _ in range(len(whole.history)):
        make(checkpoint=tmp_path, callbacks=(stop_after(0),)).solve(problem)
    assert content(make(checkpoint=tmp_path).solve(problem)) == content(whole)


def test_a_constrained_model_goes_on_too(tmp_path: Path) -> None:
    import dimod

    x, y, z = dimod.Binaries(["x", "y", "z"])
    i = dimod.Integer("i", upper_bound=5)
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(x * y - 2 * y * z + x - i + i * x)
    cqm.add_constraint(x + y + z == 2, label="two")
    cqm.add_constraint(i + 2 * z <= 5, label="room")
    make = MAKERS["qcgd"]
    whole = make().sample_cqm(cqm)
    for _ in range(9):
        parts = make(checkpoint=tmp_path, callbacks=(stop_after(0),)).sample_cqm(cqm)
    assert parts.info["oracle_calls"] == whole.info["oracle_calls"]
    assert (parts.record == whole.record).all()
    cqm.add_constraint(x + z <= 1, label="more")
    with pytest.raises(InvalidInputError, match="model"):
        make(checkpoint=tmp_path).sample_cqm(cqm)


@pytest.mark.parametrize("name", list(MAKERS))
def test_a_finished_run_is_not_run_again(name: str, tmp_path: Path) -> None:
    steps: list[Progress] = []
    make, problem = MAKERS[name], noise()
    first = make(checkpoint=tmp_path).solve(problem)
    again = make(checkpoint=tmp_path, callbacks=(steps.append,)).solve(problem)
    assert content(again) == content(first)
    assert again.seconds == first.seconds
    assert steps == []


def test_an_exception_leaves_the_latest_checkpoint(tmp_path: Path) -> None:
    def fail(progress: Progress) -> None:
        if progress.iteration == 7:
            raise ZeroDivisionError

    make, problem = MAKERS["annealing"], noise()
    with pytest.raises(ZeroDivisionError):
        make(checkpoint=tmp_path, checkpoint_every=0, callbacks=(fail,)).solve(problem)
    seen: list[Progress] = []
    result = make(checkpoint=tmp_path, callbacks=(seen.append,)).solve(problem)
    assert seen[0].iteration == 7
    assert content(result) == content(make().solve(problem))


def test_ctrl_c_within_a_step_goes_back_to_the_step_before(tmp_path: Path) -> None:
    class Interrupting:
        calls = 0

        def sample(self, qubo: Any, seed: np.random.SeedSequence) -> Any:
            self.calls += 1
            if self.calls == 4:
                raise KeyboardInterrupt
            return QUICK.sample(qubo, seed)

    problem, kept = noise(), {"checkpoint": tmp_path, "checkpoint_every": 0}
    solver = LargeNeighborhoodSearch(Interrupting(), rounds=8, **kept)
    assert solver.solve(problem).status is Status.INTERRUPTED
    whole = LargeNeighborhoodSearch(Interrupting(), rounds=8)
    whole.oracle.calls = 4  # never again
    assert content(solver.solve(problem)) == content(whole.solve(problem))


def test_the_solver_that_starts_is_not_run_again(tmp_path: Path) -> None:
    starts = []

    class Starter:
        def solve(self, problem: TrainingProblem) -> Result:
            starts.append(1)
            return WeightAnnealing(flips=20).solve(problem)

    options: dict[str, Any] = {"rounds": 2000, "start": Starter(), "checkpoint": tmp_path}
    LargeNeighborhoodSearch(**options, callbacks=(stop_after(2),)).solve(noise())
    LargeNeighborhoodSearch(**options).solve(noise())
    assert len(starts) == 1


def test_time_adds_up_and_a_longer_limit_goes_on(tmp_path: Path) -> None:
    problem = noise()

    def anneal(limit: float) -> Result:
        return WeightAnnealing(
            flips=1000, restarts=None, time_limit=limit, checkpoint=tmp_path
        ).solve(problem)

    first = anneal(0.1)
    started = time.perf_counter()
    again = anneal(0.1)
    assert time.perf_counter() - started < 0.09
    assert content(again) == content(first)
    assert again.status is Status.TIME_LIMIT
    longer = anneal(0.3)
    assert longer.status is Status.TIME_LIMIT
    assert 0.3 <= longer.seconds < 0.6
    assert len(longer.history) > len(first.history)


def test_seconds_between_checkpoints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = []
    monkeypatch.setattr(Checkpoint, "save", lambda self, snapshot: saved.append(snapshot))
    WeightAnnealing(checkpoint=tmp_path, flips=200, checkpoint_every=1e9).solve(noise())
    assert [snapshot["status"] for snapshot in saved] == ["finished"]
    saved.clear()
    WeightAnnealing(checkpoint=tmp_path, flips=200, checkpoint_every=0).solve(noise())
    assert [snapshot["iteration"] for snapshot in saved] == [*range(1, 21), 20]


def test_nothing_is_written_without_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    WeightAnnealing(flips=50).solve(noise())
    assert list(tmp_path.iterdir()) == []


# -- what is refused ------------------------------------------------------------------------------


def begun(folder: Path) -> WeightAnnealing:
    """A solver whose run is in the folder, stopped after three steps."""
    solver = WeightAnnealing(flips=200, checkpoint=folder, callbacks=(stop_after(3),))
    solver.solve(noise())
    return solver


@pytest.mark.parametrize(
    ("solver", "named"),
    [
        (WeightAnnealing(flips=201), "flips is 200 there and 201 here"),
        (WeightAnnealing(flips=200, seed=1), "seed"),
        (WeightAnnealing(flips=200, end_temperature=0.1), "end_temperature is None there"),
        (StraightThrough(), "solver is WeightAnnealing there and StraightThrough here"),
    ],
)
def test_a_run_of_other_options_is_refused_by_name(solver: Any, named: str, tmp_path: Path) -> None:
    from dataclasses import replace

    begun(tmp_path)
    before = (tmp_path / FILE).read_bytes()
    with pytest.raises(InvalidInputError, match=named):
        replace(solver, checkpoint=tmp_path).solve(noise())
    assert (tmp_path / FILE).read_bytes() == before


@pytest.mark.parametrize("part", ["samples", "labels", "loss", "network", "free bits"])
def test_a_run_on_another_problem_is_refused_by_name(part: str, tmp_path: Path) -> None:
    solver, same = begun(tmp_path), noise()
    X, y = same.X.copy(), same.y.copy()
    X[3, 2] += part == "samples"
    y[3] *= -1 if part == "labels" else 1
    network = Network.dense([4, 2, 1], activation="relu" if part == "network" else "sign")
    other = TrainingProblem(network, X, y, loss="squared" if part == "loss" else "hinge")
    if part == "free bits":
        other = other.restrict([0, 1, 2], np.zeros(10, dtype=np.int8))
    with pytest.raises(InvalidInputError, match=f"belongs to another run: the problem's {part}"):
        solver.solve(other)


def test_budgets_callbacks_and_workers_may_differ() -> None:
    problem = noise()
    one = identity(ProgressiveHedging(executor="threads", workers=3, time_limit=1), problem)
    assert one == identity(ProgressiveHedging(), problem)
    assert one != identity(ProgressiveHedging(PenaltyBlocks(QUICK)), problem)
    with_oracle = identity(ProgressiveHedging(PenaltyBlocks(Annealer(reads=3))), problem)
    assert with_oracle != identity(ProgressiveHedging(PenaltyBlocks(Annealer(reads=4))), problem)


def test_an_identity_is_the_same_in_another_process(tmp_path: Path) -> None:
    code = (
        "import json; from tests.solvers.run.test_checkpoint import *;"
        "print(json.dumps([identity(make(), noise()) for make in MAKERS.values()]))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert json.loads(out) == [identity(make(), noise()) for make in MAKERS.values()]


def test_a_folder_that_cannot_be_used_is_refused_before_work_begins(tmp_path: Path) -> None:
    steps: list[Progress] = []
    (tmp_path / "file").write_text("no folder")
    for place in (tmp_path / "file", tmp_path / "file" / "inside"):
        with pytest.raises(FileAccessError, match="file"):
            WeightAnnealing(checkpoint=place, callbacks=(steps.append,)).solve(noise())
    assert steps == []


@pytest.mark.parametrize("every", [-1, np.nan, "soon", True])
def test_seconds_out_of_range_are_refused_by_name(every: Any, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="checkpoint_every"):
        WeightAnnealing(checkpoint=tmp_path, checkpoint_every=every).solve(noise())


def test_two_processes_cannot_share_a_folder(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    code = (
        "import sys; from solvers.run.checkpoint import Checkpoint;"
        f"Checkpoint({str(tmp_path)!r}, {{}}).open(); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(FileAccessError, match="in use by a run"):
            WeightAnnealing(checkpoint=tmp_path).solve(noise())
        other.kill()
    WeightAnnealing(flips=50, checkpoint=tmp_path).solve(noise())


def test_what_no_file_can_hold_is_a_mistake_of_the_solver() -> None:
    with pytest.raises(TypeError, match="what: a object cannot be put into a checkpoint"):
        Checkpoint("unused", {}).save({"what": object()})


def test_the_number_of_threads_is_no_part_of_a_run() -> None:
    one, two = (QCGD(Annealer(reads=2, sweeps=10, threads=n)) for n in (1, 2))
    assert identity(one, noise()) == identity(two, noise())
    assert identity(one, noise()) != identity(QCGD(Annealer(reads=3, sweeps=10)), noise())
