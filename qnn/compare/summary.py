"""Summary of outcomes: quartiles over the seeds, times to a target, the results file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qnn.compare.cells import Cell, Outcome
from qnn.compare.paired import MEASURES, paired
from qnn.runs.output import COMPARISON_FORMAT, environment, plain
from qnn.runs.training import thinned

Row = dict[str, Any]


def summarize(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return rows, target loss and paired tests for every data set.

    There is a row per variant and, first, one for the best penalty weight of every seed.  The
    weight is chosen afterwards, per seed by the training loss, which is better than any choice in
    advance.  That row's cost is that of the whole sweep.

    The target is the lowest median training loss of all rows: half of the best solver's seeds reach
    it.  ``time_to_target`` is the median over all seeds of the seconds to reach it, None if fewer
    than half do.

    Examples
    --------
    >>> only, = summarize([{"data": "digits", "variant": "qcgd", "solver": "qcgd", "seed": s,
    ...                     "status": "finished", "train_loss": loss}
    ...                    for s, loss in enumerate([4.0, 8.0, 6.0])])
    >>> only["rows"][0]["train_loss"]
    {'median': 6.0, 'low': 5.0, 'high': 7.0, 'mean': 6.0}
    >>> only["target"]
    6.0
    """
    return [
        _summary_of(spec, [outcome for outcome in outcomes if outcome["data"] == spec])
        for spec in dict.fromkeys(outcome["data"] for outcome in outcomes)
    ]


def by_accuracy(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Paired tests of test accuracy on one data set, against the most accurate method.

    References with real weights are included, unlike in tests of training losses.
    """
    series, rows = _rows(outcomes)
    own = {row["name"]: _by_seed(series[row["name"]]) for row in rows if not row["part"]}
    pairs = paired(own, by="test_accuracy")
    return [pair for pair in pairs if pair["measure"] == "test_accuracy"]


def _summary_of(spec: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the summary of one data set."""
    series, rows = _rows(outcomes)
    target = min((row["train_loss"]["median"] for row in rows if row["train_loss"]), default=None)
    for row in rows:
        row["time_to_target"] = _time_to(target, series[row["name"]])
    taking_part = [row["name"] for row in rows if not row["part"]]
    pairs = paired({name: _by_seed(series[name]) for name in taking_part})
    return {"data": spec, "rows": rows, "target": target, "pairs": pairs}


def _rows(outcomes: Sequence[Outcome]) -> tuple[dict[str, list[Outcome]], list[Row]]:
    """Return the outcomes of each row by name, and the rows."""
    series: dict[str, list[Outcome]] = {}
    rows = []
    for solver in dict.fromkeys(outcome["solver"] for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome["solver"] == solver]
        variants = list(dict.fromkeys(outcome["variant"] for outcome in own))
        groups = {name: [o for o in own if o["variant"] == name] for name in variants}
        if len(variants) > 1:
            best = f"{solver}, best of {len(variants)}"
            series[best] = _best_per_seed(own)
            rows.append(_row(best, solver, series[best]))
        else:
            series |= groups
        rows += [_row(name, solver, groups[name], len(variants) > 1) for name in variants]
        series |= {name: groups[name] for name in variants}
    return series, rows


def _by_seed(outcomes: Sequence[Outcome]) -> dict[str, dict[int, float]]:
    """Return the tested measures by seed, where available."""
    return {
        measure: {o["seed"]: o[measure] for o in outcomes if o.get(measure) is not None}
        for measure in MEASURES
    }


def _best_per_seed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Return the outcome with the lowest training loss per seed, with the cost of all."""
    best = []
    for seed in dict.fromkeys(outcome["seed"] for outcome in outcomes):
        sweep = [o for o in outcomes if o["seed"] == seed]
        worked = [o for o in sweep if "train_loss" in o]
        if not worked:
            best.append(sweep[0])
            continue
        paid = ("oracle_calls", "oracle_sweeps", "oracle_seconds", "seconds")
        costs = {name: sum(o.get(name) or 0 for o in worked) for name in paid}
        least = min(worked, key=lambda o: float(o["train_loss"]))
        best.append({**least, **costs, "trace": _one_after_another(worked)})
    return best


def _one_after_another(outcomes: Sequence[Outcome]) -> dict[str, list[float]] | None:
    """Concatenate traces of successive runs, keeping the lowest loss so far; None if unknown."""
    seconds: list[float] = []
    loss: list[float] = []
    begun = 0.0
    for outcome in outcomes:
        trace = outcome.get("trace") or {"seconds": [], "loss": []}
        seconds += [begun + second for second in trace["seconds"]]
        loss += trace["loss"]
        begun += outcome.get("seconds") or 0.0
    if not seconds:
        return None
    return thinned({"seconds": seconds, "loss": np.minimum.accumulate(loss).tolist()})


def _time_to(target: float | None, outcomes: Sequence[Outcome]) -> dict[str, Any] | None:
    """Median seconds until the incumbent reaches the target, and the number of seeds that do."""
    traces = [outcome["trace"] for outcome in outcomes if outcome.get("trace")]
    if target is None or not traces:
        return None
    times = [
        next((s for s, x in zip(t["seconds"], t["loss"], strict=True) if x <= target), float("inf"))
        for t in traces
    ]
    times += [float("inf")] * (len(outcomes) - len(traces))
    median = float(np.median(times))
    return {
        "loss": target,
        "reached": int(np.isfinite(times).sum()),
        "runs": len(outcomes),
        "median": median if np.isfinite(median) else None,
    }


def _row(name: str, solver: str, outcomes: Sequence[Outcome], part: bool = False) -> Row:
    """Quartiles and means over the seeds; ``part`` marks a single penalty weight of a sweep."""
    statuses = [str(outcome["status"]) for outcome in outcomes]
    bounds = [o["lower_bound"] for o in outcomes if o.get("lower_bound") is not None]
    row: Row = {
        "name": name,
        "solver": solver,
        "part": part,
        "reference": any(outcome.get("reference") for outcome in outcomes),
        "runs": len(outcomes),
        "status": {status: statuses.count(status) for status in dict.fromkeys(statuses)},
        "lower_bounds": bounds,
        "oracle_sweeps": max((o.get("oracle_sweeps") or 0 for o in outcomes), default=0),
        "errors": list(dict.fromkeys(o["error"] for o in outcomes if "error" in o)),
    }
    for size in ("num_weights", "stored_bits", "bits_per_weight"):
        row[size] = next((o[size] for o in outcomes if o.get(size) is not None), None)
    measures = ("train_loss", "train_accuracy", "test_accuracy", "oracle_seconds", "seconds")
    for measure in measures:
        row[measure] = _quartiles([o[measure] for o in outcomes if o.get(measure) is not None])
    return row


def _quartiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return {"median": median, "low": low, "high": high, "mean": float(np.mean(values))}


# -- the results file ------------------------------------------------------------------------------


def results(
    cells: Sequence[Cell],
    outcomes: Sequence[Outcome],
    *,
    interrupted: bool = False,
    equal: str = "sweeps",
    workers: int = 1,
    command: str | None = None,
) -> dict[str, Any]:
    """Return the results as JSON values: what was run on what, every cell, and the summary.

    :mod:`qnn.report` displays them, and :func:`json.dump` writes them.
    """
    head = about(cells, equal=equal, workers=workers, command=command)
    return completed(head, outcomes, interrupted=interrupted)


def about(
    cells: Sequence[Cell], *, equal: str = "sweeps", workers: int = 1, command: str | None = None
) -> dict[str, Any]:
    """Describe a comparison without its outcomes."""
    first = cells[0]
    return {
        "format": COMPARISON_FORMAT,
        "kind": "comparison",
        "environment": environment(),
        "command": command,
        "datasets": list(dict.fromkeys(cell.data for cell in cells)),
        "model": first.model,
        "options": first.options,
        "equal": equal,
        "workers": workers,
        "seeds": list(dict.fromkeys(cell.seed for cell in cells)),
        "planned": len(cells),
    }


def completed(
    head: Mapping[str, Any], outcomes: Sequence[Outcome], *, interrupted: bool
) -> dict[str, Any]:
    """Return a comparison with its outcomes and the summary, as JSON values."""
    whole = {
        **head,
        "kind": "comparison",
        "interrupted": interrupted,
        "cells": list(outcomes),
        "summary": summarize(outcomes),
    }
    return dict(plain(whole))
