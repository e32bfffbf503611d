"""Results in the form of today's files, made of a few words, for what tests have to see."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from qnn.compare.summary import summarize
from qnn.runs.output import COMPARISON_FORMAT, plain

Losses = Mapping[str, Sequence[float | None]]


def outcome(data: str, variant: str, seed: int, loss: float | None, **more: Any) -> dict[str, Any]:
    """A run that fell to its loss in some steps; one without a loss has failed."""
    solver = variant.split()[0]
    head = {"key": f"{data} {variant} seed={seed}", "data": data, "variant": variant}
    head |= {"solver": solver, "seed": seed}
    if loss is None:
        return {**head, "status": "failed", "error": "the oracle is not there", **more}
    rng = np.random.default_rng([seed, *variant.encode()])
    seconds = np.sort(rng.lognormal(0, 1, 6)).round(4).tolist()
    falling = (loss + np.array([30, 20, 9, 4, 0, 0])).tolist()
    asks = solver in ("qcgd", "penalty")
    figures = {
        "status": "finished",
        "loss": "hinge",
        "train_loss": loss,
        "lower_bound": None,
        "train_accuracy": 1 - loss / 100,
        "test_accuracy": 0.95 - loss / 100,
        "widths": [16, 4, 1],
        "weight_bits": 68,
        "num_weights": 68,
        "stored_bits": 68,
        "bits_per_weight": 1.0,
        "oracle_calls": 50 if asks else 0,
        "oracle_sweeps": 5000 if asks else 0,
        "oracle_seconds": 1.5 if asks else 0.0,
        "seconds": seconds[-1],
        "train_samples": 100,
        "test_samples": 200,
        "ledger": {"calls": 50, "reads": 500, "seconds": 1.5} if asks else {"calls": 0},
        "trace": {"seconds": seconds, "loss": falling},
        "history": history(solver, rng),
    }
    return {**head, **figures, **more}


def history(solver: str, rng: np.random.Generator) -> dict[str, list[float]]:
    """What the solver would have told of itself."""
    rounds = np.arange(1, 101)
    fall = np.exp(-rounds / 30) * rng.uniform(0.8, 1.2)
    if solver == "qcgd":
        names = ("residual_mean", "residual_square", "multiplier_mean", "multiplier_square")
        columns = [3 * fall, fall, 1 / (fall + 0.1), 2 / (fall + 0.1)]
        return {"iteration": rounds.tolist(), **_lists(dict(zip(names, columns, strict=True)))}
    if solver == "hedging":
        named = {"loss": 20 + 30 * fall, "disagreement": 0.3 * fall, "bound": 15 - 15 * fall}
        return {"iteration": rounds.tolist(), **_lists(named)}
    return {}


def _lists(columns: Mapping[str, Any]) -> dict[str, list[float]]:
    return {name: [float(value) for value in values] for name, values in columns.items()}


def comparison(losses: Mapping[str, Losses] | Losses, **more: Any) -> dict[str, Any]:
    """Results of every solver's losses by seed, None where it failed; several data sets by name."""
    first = next(iter(losses.values()))
    by_data: Any = losses if isinstance(first, Mapping) else {"digits:3,8": losses}
    cells = [
        outcome(data, variant, seed, loss)
        for data, own in by_data.items()
        for variant, values in own.items()
        for seed, loss in enumerate(values)
    ]
    return of_cells(cells, **more)


def pairs_of(first: str, measure: str = "train_loss", **p: float | None) -> list[dict[str, Any]]:
    """Pairs of ten seeds with these adjusted p values; a negative one: the first is worse."""
    return [
        {
            "first": first,
            "second": second.replace("_", "-"),
            "measure": measure,
            "seeds": 10,
            "median_difference": 1.0,
            "low": 0.5,
            "high": 2.0,
            "wins": 1 if value is not None and value < 0 else 9,
            "ties": 0,
            "losses": 9 if value is not None and value < 0 else 1,
            "p": None if value is None else abs(value) / 2,
            "p_adjusted": None if value is None else abs(value),
            "smallest_p": 2**-9,
        }
        for second, value in p.items()
    ]


def of_cells(cells: Sequence[Mapping[str, Any]], **more: Any) -> dict[str, Any]:
    """Results of outcomes."""
    head = {
        "format": COMPARISON_FORMAT,
        "kind": "comparison",
        "environment": {
            "created": "2026-01-01T00:00:00+00:00",
            "python": "3.12.1",
            "system": "Linux x86_64",
            "cores": 4,
            "packages": {"qnn-ising": "0.1.0", "numpy": "2.4.0"},
        },
        "command": "qnn compare digits:3,8 --seeds 10",
        "datasets": [
            {"spec": data, "samples": 100, "inputs": 16, "levels": 2}
            for data in dict.fromkeys(cell["data"] for cell in cells)
        ],
        "model": {"hidden": [4], "activation": "sign", "weights": "bipolar", "loss": "hinge"},
        "options": {"iterations": 50, "reads": 10, "sweeps": 10, "time_limit": None},
        "equal": "sweeps",
        "workers": 1,
        "seeds": list(dict.fromkeys(cell["seed"] for cell in cells)),
        "interrupted": False,
        "planned": len(cells),
        "cells": list(cells),
        "summary": plain(summarize([dict(cell) for cell in cells])),
    }
    return {**head, **more}


def reference(data: str, seed: int) -> dict[str, Any]:
    """Logistic regression in place of a solver."""
    real = {"train_loss": None, "reference": True, "history": {}, "trace": None, "ledger": None}
    sizes = {"widths": [16, 1], "num_weights": 16, "stored_bits": 544, "bits_per_weight": 34.0}
    found = outcome(data, "logistic-regression", seed, 5.0)
    return {**found, **real, **sizes, "test_accuracy": 0.93 + seed / 1000}


def large(data_sets: int = 5, seeds: int = 10) -> dict[str, Any]:
    """Eight solvers and a reference, as many cells as a large comparison has."""
    rng = np.random.default_rng(0)
    names = ["qcgd", "penalty 0.3", "penalty 1", "annealing", "hedging", "restricted", "random"]
    names += ["straight-through", "exact"]
    cells = []
    for number in range(data_sets):
        data = f"digits:{number // 9},{number % 9 + 1}"
        for seed in range(seeds):
            hard = rng.integers(5, 20)
            cells += [
                outcome(data, name, seed, float(hard + 2 * i + 3 * rng.random()))
                for i, name in enumerate(names)
            ]
            cells.append(reference(data, seed))
    return of_cells(cells)
