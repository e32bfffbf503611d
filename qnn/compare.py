"""Solvers beside each other: the same draws of data, the same oracle budget, every figure kept.

A comparison is a list of independent cells, one per solver, penalty weight and seed.  A cell is a
plain value with a key, and its outcome a plain dictionary, so that cells can be left out because
they are done, or be run elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from formulations.errors import InvalidInputError, QnnError, choose
from qnn.output import FORMAT, environment
from qnn.training import (
    SOLVERS,
    DataOptions,
    ModelOptions,
    SolverOptions,
    Task,
    asks_oracle,
    make_solver,
    train,
)
from solvers.result import Status

Outcome = dict[str, Any]

MEASURES = ["train_loss", "train_accuracy", "test_accuracy", "oracle_seconds", "seconds"]


@dataclass(frozen=True)
class Cell:
    """One run of a comparison.

    Examples
    --------
    >>> Cell(DataOptions("digits"), ModelOptions(), "qcgd", SolverOptions(), seed=3).key
    'qcgd seed=3'
    """

    data: DataOptions
    model: ModelOptions
    solver: str
    options: SolverOptions
    seed: int

    @property
    def variant(self) -> str:
        """The solver, and the penalty weight where there is one."""
        return f"penalty {self.options.penalty:g}" if self.solver == "penalty" else self.solver

    @property
    def key(self) -> str:
        """What tells the cell from the others of its comparison."""
        return f"{self.variant} seed={self.seed}"

    def run(self) -> Outcome:
        """Train and report; a failure of this cell alone is reported in its place."""
        head = {"key": self.key, "variant": self.variant, "solver": self.solver, "seed": self.seed}
        try:
            training = train(self.data, self.model, self.solver, self.options, seed=self.seed)
        except QnnError as error:
            return {**head, "status": "failed", "error": str(error)}
        return {**head, **training.figures}


def plan(
    data: DataOptions,
    model: ModelOptions,
    options: SolverOptions,
    *,
    solvers: Sequence[str],
    seeds: Sequence[int],
    penalties: Sequence[float],
    exact_time_limit: float = 10.0,
) -> list[Cell]:
    """The cells of a comparison, seed by seed.

    Every solver with an oracle gets the whole budget of ``options``; ``penalty`` gets it once for
    each of its weights.

    Raises
    ------
    InvalidInputError
        If a solver is unknown or named twice, or there is no seed or no penalty weight.

    Examples
    --------
    >>> cells = plan(DataOptions("digits"), ModelOptions(), SolverOptions(),
    ...              solvers=["qcgd", "penalty"], seeds=[0], penalties=[0.1, 1.0])
    >>> [cell.key for cell in cells]
    ['qcgd seed=0', 'penalty 0.1 seed=0', 'penalty 1 seed=0']
    """
    for name in solvers:
        choose("solver", name, list(SOLVERS))
    if not solvers or len(set(solvers)) != len(solvers):
        raise InvalidInputError(
            f"solvers {', '.join(solvers)!r}: expected each name once, such as "
            "qcgd,penalty,annealing"
        )
    if not seeds:
        raise InvalidInputError("no seeds: expected at least one")
    if not penalties or len(set(penalties)) != len(penalties) or min(penalties) <= 0:
        raise InvalidInputError(f"penalties {list(penalties)}: expected different positive numbers")
    cells = []
    for seed in seeds:
        for name in solvers:
            own = options if asks_oracle(name) else replace(options, oracle=None, oracle_option=())
            variants = [own]
            if name == "penalty":
                variants = [replace(own, penalty=weight) for weight in penalties]
            if name == "exact":
                variants = [replace(own, time_limit=exact_time_limit)]
            cells += [Cell(data, model, name, variant, seed) for variant in variants]
    return cells


def run(
    cells: Sequence[Cell],
    *,
    done: Mapping[str, Outcome] | None = None,
    on_outcome: Callable[[Cell, Outcome], None] | None = None,
) -> tuple[list[Outcome], bool]:
    """Outcomes of the cells, in their order, and whether Ctrl-C cut the comparison short.

    Parameters
    ----------
    cells : sequence of Cell
    done : mapping, optional
        Outcomes by key that need not be computed again.
    on_outcome : callable, optional
        Told each cell with its outcome as soon as it is known.

    Raises
    ------
    KeyboardInterrupt
        If it comes before the first outcome.
    """
    _check(cells)
    outcomes: list[Outcome] = []
    for cell in cells:
        try:
            outcome = (done or {}).get(cell.key) or cell.run()
        except KeyboardInterrupt:
            if not outcomes:
                raise
            return outcomes, True
        outcomes.append(outcome)
        if on_outcome is not None:
            on_outcome(cell, outcome)
        if outcome["status"] == Status.INTERRUPTED.value:
            return outcomes, True
    return outcomes, False


def _check(cells: Sequence[Cell]) -> None:
    """Refuse before any work what would fail in every cell."""
    for cell in {cell.variant: cell for cell in cells}.values():
        make_solver(cell.solver, cell.options, encoding=cell.model.encoding, seed=cell.seed)
    for cell in {cell.seed: cell for cell in cells}.values():
        Task.of(cell.data, cell.model, cell.seed)


def summarize(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """One row per variant and, first, one for the best penalty weight of every seed.

    The weight is chosen afterwards, for each seed by the training loss: better than anybody could
    do in advance.  That row's cost is the whole sweep's.

    Examples
    --------
    >>> rows = summarize([{"variant": "qcgd", "solver": "qcgd", "seed": s, "status": "finished",
    ...                    "train_loss": loss} for s, loss in enumerate([4.0, 8.0, 6.0])])
    >>> rows[0]["train_loss"]
    {'median': 6.0, 'low': 5.0, 'high': 7.0}
    """
    rows = []
    for solver in dict.fromkeys(outcome["solver"] for outcome in outcomes):
        own = [outcome for outcome in outcomes if outcome["solver"] == solver]
        variants = list(dict.fromkeys(outcome["variant"] for outcome in own))
        if len(variants) > 1:
            rows.append(_row(f"{solver}, best of {len(variants)}", solver, _best_per_seed(own)))
        rows += [
            _row(variant, solver, [o for o in own if o["variant"] == variant], len(variants) > 1)
            for variant in variants
        ]
    return rows


def _best_per_seed(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """For every seed the outcome of least training loss, with the cost of all."""
    best = []
    for seed in dict.fromkeys(outcome["seed"] for outcome in outcomes):
        sweep = [o for o in outcomes if o["seed"] == seed]
        worked = [o for o in sweep if "train_loss" in o]
        if not worked:
            best.append(sweep[0])
            continue
        costs = {
            name: sum(o.get(name) or 0 for o in worked)
            for name in ("oracle_calls", "oracle_sweeps", "oracle_seconds", "seconds")
        }
        best.append({**min(worked, key=lambda o: float(o["train_loss"])), **costs})
    return best


def _row(name: str, solver: str, outcomes: Sequence[Outcome], part: bool = False) -> dict[str, Any]:
    """Quartiles over the seeds; ``part`` marks a single penalty weight of a sweep."""
    statuses = [str(outcome["status"]) for outcome in outcomes]
    bounds = [o["lower_bound"] for o in outcomes if o.get("lower_bound") is not None]
    row: dict[str, Any] = {
        "name": name,
        "solver": solver,
        "part": part,
        "runs": len(outcomes),
        "status": {status: statuses.count(status) for status in dict.fromkeys(statuses)},
        "lower_bounds": bounds,
        "oracle_sweeps": max((o.get("oracle_sweeps") or 0 for o in outcomes), default=0),
        "errors": list(dict.fromkeys(o["error"] for o in outcomes if "error" in o)),
    }
    for measure in MEASURES:
        row[measure] = _quartiles([o[measure] for o in outcomes if o.get(measure) is not None])
    return row


def _quartiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75]).tolist()
    return {"median": median, "low": low, "high": high}


def results(
    cells: Sequence[Cell], outcomes: Sequence[Outcome], *, interrupted: bool = False
) -> dict[str, Any]:
    """The results file: what was run on what, every cell, and the summary."""
    first = cells[0]
    return {
        "format": FORMAT,
        "kind": "comparison",
        "environment": environment(),
        "data": first.data,
        "model": first.model,
        "options": first.options,
        "seeds": list(dict.fromkeys(cell.seed for cell in cells)),
        "interrupted": interrupted,
        "planned": len(cells),
        "cells": list(outcomes),
        "summary": summarize(outcomes),
    }
