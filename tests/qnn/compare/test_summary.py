"""The arithmetic of the summary, and the tables."""

from __future__ import annotations

import json
import math
from typing import Any

from rich.console import Console

from qnn import report
from qnn.compare import plan, results, summarize
from qnn.runs.solver_options import SolverOptions
from qnn.runs.tables import comparison_tables
from qnn.runs.training import DataOptions, ModelOptions


def outcome(solver: str, seed: int, loss: float | None, **more: Any) -> dict[str, Any]:
    known = {"train_loss": loss} if loss is not None else {}
    head = {"variant": solver, "solver": solver.split()[0], "seed": seed, "status": "finished"}
    return {"data": "digits", **head, "key": f"{solver} seed={seed}", **known, **more}


def trace(*points: tuple[float, float]) -> dict[str, list[float]]:
    return {"seconds": [s for s, _ in points], "loss": [loss for _, loss in points]}


def page_of(outcomes: list[dict[str, Any]], **more: Any) -> Any:
    cells = plan(
        DataOptions("digits"),
        ModelOptions(),
        SolverOptions(),
        solvers=["qcgd"],
        seeds=[0],
        penalties=[1.0],
    )
    return results(cells, outcomes, **more)


def shown(page: Any, flat: bool = False) -> str:
    console = Console(width=200)
    with console.capture() as captured:
        for table in comparison_tables(page):
            console.print(table)
    return " ".join(captured.get().split()) if flat else captured.get()


def test_summary_takes_the_best_weight_of_each_seed_and_its_whole_cost() -> None:
    outcomes = [
        outcome("penalty 1", 0, 10.0, oracle_sweeps=100, seconds=1.0, test_accuracy=0.5),
        outcome("penalty 2", 0, 20.0, oracle_sweeps=100, seconds=2.0, test_accuracy=0.9),
        outcome("penalty 1", 1, 50.0, oracle_sweeps=100, seconds=1.0, test_accuracy=0.7),
        outcome("penalty 2", 1, 30.0, oracle_sweeps=100, seconds=2.0, test_accuracy=0.6),
    ]
    best, one, two = summarize(outcomes)[0]["rows"]
    assert best["name"] == "penalty, best of 2"
    assert best["train_loss"]["median"] == 20.0  # of 10 and 30
    assert best["test_accuracy"]["median"] == 0.55  # of the runs chosen by training loss
    assert best["oracle_sweeps"] == 200
    assert best["seconds"]["median"] == 3.0
    assert one["train_loss"]["median"] == 30.0
    assert (one["part"], two["part"], best["part"]) == (True, True, False)


def test_time_to_target_counts_the_seeds_that_never_get_there() -> None:
    outcomes = [
        outcome("a", 0, 2.0, trace=trace((0.1, 9.0), (0.5, 2.0), (1.0, 2.0)), seconds=1.0),
        outcome("a", 1, 4.0, trace=trace((0.2, 4.0), (1.0, 4.0)), seconds=1.0),
        outcome("a", 2, 3.0, trace=trace((0.3, 3.0), (1.0, 3.0)), seconds=1.0),
        outcome("b", 0, 3.0, trace=trace((0.7, 3.0), (1.0, 3.0)), seconds=1.0),
        outcome("b", 1, 9.0, trace=trace((0.1, 9.0), (1.0, 9.0)), seconds=1.0),
        outcome("b", 2, 9.0, trace=trace((0.1, 9.0), (1.0, 9.0)), seconds=1.0),
    ]
    (only,) = summarize(outcomes)
    a, b = only["rows"]
    assert only["target"] == 3.0  # a's median
    assert a["time_to_target"] == {"loss": 3.0, "reached": 2, "runs": 3, "median": 0.5}
    assert b["time_to_target"] == {"loss": 3.0, "reached": 1, "runs": 3, "median": None}


def test_a_sweep_of_weights_takes_the_time_of_all_of_them() -> None:
    outcomes = [
        outcome("penalty 1", 0, 9.0, trace=trace((0.1, 9.0), (2.0, 9.0)), seconds=2.0),
        outcome("penalty 2", 0, 1.0, trace=trace((0.3, 1.0), (2.0, 1.0)), seconds=2.0),
    ]
    best, _, two = summarize(outcomes)[0]["rows"]
    assert best["time_to_target"]["median"] == 2.3
    assert two["time_to_target"]["median"] == 0.3


def test_without_traces_no_time_is_known() -> None:
    weights = [outcome(f"penalty {weight}", 0, 9.0, seconds=2.0) for weight in (1, 2)]
    assert [row["time_to_target"] for row in summarize(weights)[0]["rows"]] == [None] * 3


def test_results_are_what_a_report_and_a_file_take() -> None:
    page = page_of([outcome("a", 0, 1.0, oracle_charged=math.inf), outcome("b", 0, 2.0)])
    assert json.loads(json.dumps(page, allow_nan=False)) == page
    assert "2 solvers on digits" in report.markdown(page) == report.markdown([page])
    assert report.record(page)["runs"][0]["results"] == page


def test_references_take_part_in_no_test() -> None:
    outcomes = [
        *(outcome("a", seed, 1.0 + seed, test_accuracy=0.8) for seed in range(5)),
        *(outcome("b", seed, 2.0 + seed, test_accuracy=0.7) for seed in range(5)),
        *(outcome("lr", seed, None, test_accuracy=0.9, reference=True) for seed in range(5)),
    ]
    (only,) = summarize(outcomes)
    assert {(p["first"], p["second"], p["measure"]) for p in only["pairs"]} == {
        ("a", "b", "train_loss"),
        ("a", "b", "test_accuracy"),
    }
    assert [row["reference"] for row in only["rows"]] == [False, False, True]


def test_bounds_are_shown_only_where_they_are_proven() -> None:
    page = page_of(
        [outcome("exact", 0, 2.0, lower_bound=0.0), outcome("qcgd", 0, 4.0, lower_bound=None)]
    )
    text = shown(page)
    assert "finished; bound 0" in text
    assert text.count("; bound") == 1


def test_many_data_sets_get_one_table_with_wins() -> None:
    outcomes = [
        {**outcome(solver, 0, loss), "data": f"set {number}"}
        for number in range(8)
        for solver, loss in (("a", float(number)), ("b", 3.0))
    ]
    text = shown(page_of(outcomes))
    assert text.count("set ") == 8
    wins = next(line for line in text.splitlines() if "least or equal" in line)
    assert [word for word in wins.split() if word.isdigit()] == ["4", "5"]
    assert shown(page_of(outcomes[:4])).count("set ") == 2


def test_of_equal_medians_only_the_least_mean_is_marked() -> None:
    losses = {"a": (1.0, 3.0, 9.0), "b": (2.0, 3.0, 7.0), "c": (7.0, 3.0, 2.0)}
    outcomes = [
        {**outcome(solver, seed, loss), "data": f"set {number}"}
        for number in range(8)
        for solver, own in losses.items()
        for seed, loss in enumerate(own)
    ]
    wins = next(line for line in shown(page_of(outcomes)).splitlines() if "least or eq" in line)
    assert [word for word in wins.split() if word.isdigit()] == ["0", "8", "8"]


def test_the_budget_is_said() -> None:
    assert "same number of reads x sweeps" in shown(page_of([outcome("a", 0, 1.0)]), flat=True)
    page = page_of([outcome("a", 0, 1.0)], equal="seconds")
    page["options"]["time_limit"] = 5.0
    assert "Each run had 5 s" in shown(page, flat=True)
