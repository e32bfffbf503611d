"""Running cells: here and in processes, with failures, interrupts and processes that die."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import replace
from multiprocessing import active_children
from typing import Any

import pytest

from formulations.errors import InvalidInputError, MissingExtraError
from qnn.compare import Cell, cells, execute, plan, results, run
from qnn.report import markdown
from qnn.runs.output import plain
from qnn.runs.solver_options import SolverOptions
from qnn.runs.solver_table import SOLVERS
from qnn.runs.tables import comparison_tables
from qnn.runs.training import DataOptions, ModelOptions

DATA = DataOptions("digits:3,8", samples=20, inputs=4)
MODEL = ModelOptions(hidden=(2,))
OPTIONS = SolverOptions(iterations=3, reads=2, sweeps=20, flips=300)
TIMED = ("seconds", "oracle_seconds", "ledger", "trace", "history")


def cells_of(*solvers: str, seeds: int = 2, data: Any = DATA) -> list[Cell]:
    return plan(data, MODEL, OPTIONS, solvers=solvers, seeds=range(seeds), penalties=[0.5, 2.0])


def untimed(outcomes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{k: v for k, v in one.items() if k not in TIMED} for one in outcomes]


def test_outcomes_repeat_and_do_not_depend_on_the_workers() -> None:
    cells = cells_of("qcgd", "penalty", "annealing", data=[DATA, DataOptions("iris", samples=30)])
    seen: list[str] = []
    outcomes, interrupted = run(cells, on_outcome=lambda cell, outcome: seen.append(cell.key))
    assert not interrupted
    assert seen == [cell.key for cell in cells] == [outcome["key"] for outcome in outcomes]
    sweeps = {o["oracle_sweeps"] for o in outcomes if o["solver"] in ("qcgd", "penalty")}
    assert sweeps == {3 * 2 * 20}
    apart, interrupted = run(cells, workers=2)
    assert not interrupted
    assert untimed(apart) == untimed(outcomes)


def test_an_outcome_has_the_course_of_the_run() -> None:
    (outcome,), _ = run(cells_of("qcgd", seeds=1))
    trace, history = outcome["trace"], outcome["history"]
    assert trace["loss"][-1] == outcome["train_loss"] == min(trace["loss"])
    assert trace["loss"] == sorted(trace["loss"], reverse=True)
    assert trace["seconds"] == sorted(trace["seconds"])
    assert history["iteration"] == [1, 2, 3]
    assert outcome["ledger"]["calls"] == outcome["oracle_calls"] == 3
    assert outcome["stored_bits"] == 10
    assert outcome["bits_per_weight"] == 1.0


@pytest.mark.parametrize("error", [MissingExtraError("pip install it"), ValueError("a mistake")])
def test_a_run_that_fails_is_reported_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    real = cells.train

    def train(*arguments: Any, **options: Any) -> Any:
        if arguments[2] == "exact":
            raise error
        return real(*arguments, **options)

    monkeypatch.setattr(cells, "train", train)
    planned = cells_of("exact", "annealing")
    outcomes, interrupted = run(planned)
    assert not interrupted
    assert [o["status"] == "failed" for o in outcomes] == [True, False, True, False]
    page = plain(results(planned, outcomes))
    row = page["summary"][0]["rows"][0]
    assert row["train_loss"] is None
    assert row["status"] == {"failed": 2}
    assert str(error) in row["errors"][0]
    assert str(error) in markdown([page])
    assert comparison_tables(page)[0].row_count == 2


def test_interrupt_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Cell.run

    def stop_at_second(self: Cell) -> dict[str, Any]:
        if self.seed == 1:
            raise KeyboardInterrupt
        return real(self)

    monkeypatch.setattr(Cell, "run", stop_at_second)
    planned = cells_of("annealing")
    outcomes, interrupted = run(planned)
    assert interrupted
    assert len(outcomes) == 1
    page = plain(results(planned, outcomes, interrupted=True))
    assert "Interrupted: 1 of 2 runs" in markdown([page])
    with pytest.raises(KeyboardInterrupt):
        run(planned[1:])


def test_what_would_fail_everywhere_is_refused_before_the_first_run() -> None:
    begun: list[str] = []
    planned = cells_of("qcgd", data=[DATA, replace(DATA, spec="digits:1,2", samples=10_000)])
    with pytest.raises(InvalidInputError, match="to train on"):
        run(planned, on_outcome=lambda cell, outcome: begun.append(cell.key))
    assert begun == []


def long_cells(seconds: float, seeds: int) -> list[Cell]:
    """Runs that take that long, whatever they find."""
    options = replace(OPTIONS, time_limit=seconds)
    return plan(
        DATA,
        MODEL,
        options,
        solvers=["random"],
        seeds=range(seeds),
        penalties=[1.0],
        equal="seconds",
    )


def test_interrupt_ends_the_workers() -> None:
    planned = long_cells(0.05, 4) + [replace(cell, seed=9) for cell in long_cells(600, 1)]
    finished: list[str] = []

    def interrupt(cell: Cell, outcome: Any) -> None:
        finished.append(cell.key)
        if len(finished) == 4:
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()

    outcomes, interrupted = run(planned, workers=2, on_outcome=interrupt)
    assert interrupted
    assert [o["key"] for o in outcomes] == sorted(finished)
    deadline = time.perf_counter() + 60
    while active_children() and time.perf_counter() < deadline:
        time.sleep(0.05)
    assert not active_children()


def test_a_worker_that_is_killed_costs_no_cell() -> None:
    killed: list[int | None] = []

    def kill_one(cell: Cell, outcome: Any) -> None:
        if not killed:
            worker = active_children()[0]
            killed.append(worker.pid)
            worker.kill()

    planned = long_cells(0.1, 6)
    outcomes, interrupted = run(planned, workers=2, on_outcome=kill_one)
    assert not interrupted
    assert [o["key"] for o in outcomes] == [cell.key for cell in planned]
    assert {o["status"] for o in outcomes} == {"time limit"}


class Deadly(ModelOptions):
    """A model whose building ends the process, where it is not the first one."""

    def network(self, data: Any) -> Any:
        if os.environ.get("THE_PARENT") != str(os.getpid()) and len(data.X_train) == 20:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().network(data)


def test_a_cell_that_kills_its_worker_is_a_failed_cell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THE_PARENT", str(os.getpid()))
    good = cells_of("annealing", seeds=3)
    planned = [*good[:2], replace(good[0], model=Deadly(hidden=(2,)), seed=7), *good[2:]]
    outcomes, _ = run(planned, workers=2)
    assert [o["status"] == "failed" for o in outcomes] == [False, False, True, False]
    assert "died" in outcomes[2]["error"]


def test_every_solver_ends_with_its_time() -> None:
    options = replace(OPTIONS, time_limit=0.1)
    names = [name for name in SOLVERS if name != "exact"]
    planned = plan(
        DataOptions("digits:3,8", samples=40, inputs=16),
        ModelOptions(hidden=(4,)),
        options,
        solvers=names,
        seeds=[0],
        penalties=[1.0],
        equal="seconds",
    )
    outcomes, _ = run(planned)
    assert [o["solver"] for o in outcomes] == names
    for outcome in outcomes:
        assert outcome["status"] in {"time limit", "optimal", "finished"}, outcome
        assert outcome["seconds"] < 10  # of 0.1 on an idle machine


def test_tiny_runs_go_on_until_nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    compiling = [0.1] * 5 + [0.0] * 5  # seconds, of five kernels one after another

    def work(cell: Cell) -> dict[str, str]:
        time.sleep(compiling.pop(0))
        return {"status": "finished"}

    monkeypatch.setattr(execute._warm_up, "__defaults__", (10, 0.1))
    monkeypatch.setattr(execute, "_work", work)
    outcomes, _ = run(cells_of("random", seeds=1))
    assert len(outcomes) == 1
    assert compiling == [0.0] * 3  # one to see that nothing is left, one that counts
