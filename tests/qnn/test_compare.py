"""Comparisons: the plan, what is kept, the summary's arithmetic, the tables."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from formulations.errors import InvalidInputError, MissingExtraError
from qnn import compare
from qnn.compare import Cell, plan, results, run, summarize
from qnn.output import plain
from qnn.tables import comparison_table, report
from qnn.training import DataOptions, ModelOptions, SolverOptions

DATA = DataOptions("digits:3,8", samples=20, inputs=4)
MODEL = ModelOptions(hidden=(2,))
OPTIONS = SolverOptions(iterations=3, reads=2, sweeps=20, flips=300)


def cells_of(*solvers: str, seeds: int = 2) -> list[Cell]:
    return plan(DATA, MODEL, OPTIONS, solvers=solvers, seeds=range(seeds), penalties=[0.5, 2.0])


def test_plan_gives_every_solver_the_same_seeds_and_budget() -> None:
    cells = cells_of("qcgd", "penalty", "annealing", "exact")
    assert len({cell.key for cell in cells}) == len(cells) == 2 * 5
    with_oracle = [cell for cell in cells if cell.solver in ("qcgd", "penalty")]
    assert {replace(cell.options, penalty=1.0) for cell in with_oracle} == {OPTIONS}
    assert {cell.options.time_limit for cell in cells if cell.solver == "exact"} == {10.0}


def test_outcomes_are_those_of_single_runs_and_repeat() -> None:
    cells = cells_of("qcgd", "penalty", "annealing")
    seen: list[str] = []
    outcomes, interrupted = run(cells, on_outcome=lambda cell, outcome: seen.append(cell.key))
    assert not interrupted
    assert seen == [cell.key for cell in cells] == [outcome["key"] for outcome in outcomes]
    again, _ = run(cells)
    timed = ("seconds", "oracle_seconds")
    for first, second in zip(outcomes, again, strict=True):
        assert {k: v for k, v in first.items() if k not in timed} == {
            k: v for k, v in second.items() if k not in timed
        }
    sweeps = {o["oracle_sweeps"] for o in outcomes if o["solver"] in ("qcgd", "penalty")}
    assert sweeps == {3 * 2 * 20}


def test_what_is_done_is_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = cells_of("annealing")
    outcomes, _ = run(cells)
    monkeypatch.setattr(Cell, "run", lambda self: pytest.fail(f"{self.key} was run again"))
    assert run(cells, done={o["key"]: o for o in outcomes})[0] == outcomes


def outcome(solver: str, seed: int, loss: float | None, **more: Any) -> dict[str, Any]:
    known = {"train_loss": loss} if loss is not None else {}
    head = {"variant": solver, "solver": solver.split()[0], "seed": seed, "status": "finished"}
    return {**head, "key": f"{solver} seed={seed}", **known, **more}


def test_summary_takes_the_best_weight_of_each_seed_and_its_whole_cost() -> None:
    outcomes = [
        outcome("penalty 1", 0, 10.0, oracle_sweeps=100, seconds=1.0, test_accuracy=0.5),
        outcome("penalty 2", 0, 20.0, oracle_sweeps=100, seconds=2.0, test_accuracy=0.9),
        outcome("penalty 1", 1, 50.0, oracle_sweeps=100, seconds=1.0, test_accuracy=0.7),
        outcome("penalty 2", 1, 30.0, oracle_sweeps=100, seconds=2.0, test_accuracy=0.6),
    ]
    best, one, two = summarize(outcomes)
    assert best["name"] == "penalty, best of 2"
    assert best["train_loss"]["median"] == 20.0  # of 10 and 30
    assert best["test_accuracy"]["median"] == 0.55  # of the runs chosen by training loss
    assert best["oracle_sweeps"] == 200
    assert best["seconds"]["median"] == 3.0
    assert one["train_loss"]["median"] == 30.0
    assert (one["part"], two["part"], best["part"]) == (True, True, False)


def test_a_run_that_fails_is_reported_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = compare.train

    def train(*arguments: Any, **options: Any) -> Any:
        if arguments[2] == "exact":
            raise MissingExtraError(
                "the exact solver needs ortools: pip install 'qnn-ising[exact]'"
            )
        return real(*arguments, **options)

    monkeypatch.setattr(compare, "train", train)
    cells = cells_of("exact", "annealing")
    outcomes, interrupted = run(cells)
    assert not interrupted
    assert [o["status"] == "failed" for o in outcomes] == [True, False, True, False]
    page = plain(results(cells, outcomes))
    row = page["summary"][0]
    assert row["train_loss"] is None
    assert row["status"] == {"failed": 2}
    assert row["errors"] == ["the exact solver needs ortools: pip install 'qnn-ising[exact]'"]
    assert "pip install" in report(page)
    assert comparison_table(page).row_count == 2


def test_interrupt_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    real = Cell.run

    def stop_at_second(self: Cell) -> dict[str, Any]:
        if self.seed == 1:
            raise KeyboardInterrupt
        return real(self)

    monkeypatch.setattr(Cell, "run", stop_at_second)
    cells = cells_of("annealing")
    outcomes, interrupted = run(cells)
    assert interrupted
    assert len(outcomes) == 1
    page = plain(results(cells, outcomes, interrupted=True))
    assert "Interrupted: 1 of 2 runs" in report(page)
    with pytest.raises(KeyboardInterrupt):
        run(cells[1:])


def test_bounds_are_shown_only_where_they_are_proven() -> None:
    rows = summarize(
        [outcome("exact", 0, 2.0, lower_bound=0.0), outcome("qcgd", 0, 4.0, lower_bound=None)]
    )
    page = plain(results(cells_of("qcgd"), []) | {"summary": rows})
    text = report(page)
    assert "1 finished; bound 0" in text
    assert text.count("; bound") == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"solvers": ["tabu"]}, "unknown solver"),
        ({"solvers": []}, "each name once"),
        ({"seeds": []}, "at least one"),
        ({"penalties": [1.0, 1.0]}, "different positive"),
        ({"penalties": []}, "different positive"),
    ],
)
def test_bad_plans(change: dict[str, Any], words: str) -> None:
    options: dict[str, Any] = {"solvers": ["qcgd"], "seeds": [0], "penalties": [1.0]}
    with pytest.raises(InvalidInputError, match=words):
        plan(DATA, MODEL, OPTIONS, **(options | change))


def test_what_would_fail_everywhere_is_refused_before_the_first_run() -> None:
    begun: list[str] = []
    cells = plan(
        replace(DATA, samples=10_000), MODEL, OPTIONS, solvers=["qcgd"], seeds=[0], penalties=[1.0]
    )
    with pytest.raises(InvalidInputError, match="has 357 to train on"):
        run(cells, on_outcome=lambda cell, outcome: begun.append(cell.key))
    assert begun == []
