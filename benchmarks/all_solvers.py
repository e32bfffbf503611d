"""All solvers on one page: digits (all 45 pairs), breast cancer and wine, same bits, same budget.

    python benchmarks/all_solvers.py [--seconds 1] [--seeds 10] [--quick] --json FILE [--report MD]

Every solver trains the identical network (one-bit weights, sign units, 5 hidden, hinge loss, 100
training samples; digits pooled to 16 inputs) from the same draw of data for as many seconds.
Solvers that work in rounds or draws run until their time is over.  A step between two looks at the
clock (a gradient training, building a whole model) may exceed the budget, so the page reports the
actual seconds.  It has median and quartiles over the seeds.

The JSON file is written after every task; called again with it, the script resumes.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

from formulations.errors import QnnError
from qnn.runs.output import environment, to_json, write_text
from qnn.runs.tables import markdown_table
from qnn.runs.training import DataOptions, ModelOptions, accuracy, problem_of
from solvers import (
    QCGD,
    RMDA,
    ExactSolver,
    ExplicitSoftmax,
    LargeNeighborhoodSearch,
    ManifoldNetwork,
    MonotoneVI,
    PenaltyMethod,
    RandomFeatures,
    RandomSearch,
    RealTraining,
    Rounding,
    StraightThrough,
    Trainer,
    WeightAnnealing,
)
from solvers.oracles import Annealer
from solvers.run.solver import Solver

FOREVER = 10**9
REAL = RealTraining(epochs=25, rates=(0.03,))

SOLVERS: dict[str, Callable[[dict[str, Any]], Solver]] = {
    "annealing the weights": lambda b: WeightAnnealing(restarts=None, **b),
    "restricted problems": lambda b: LargeNeighborhoodSearch(**b),
    "QCGD": lambda b: QCGD(oracle=Annealer(reads=5, sweeps=20), iterations=FOREVER, stop=None, **b),
    "penalty method": lambda b: PenaltyMethod(
        oracle=Annealer(reads=5, sweeps=20), iterations=FOREVER, **b
    ),
    "exact (CP-SAT)": lambda b: ExactSolver(**b),
    "straight-through": lambda b: StraightThrough(**b),
    "default trainer": lambda b: Trainer(**b),
    "RMDA, rounded": lambda b: RMDA(epochs=20, draws=None, **b),
    "SVI, rounded": lambda b: MonotoneVI(epochs=20, draws=None, **b),
    "gradients, nearest levels": lambda b: Rounding("nearest", weights=REAL, draws=None, **b),
    "gradients, rounded by QUBO": lambda b: Rounding("qubo", weights=REAL, draws=None, **b),
    "explicit": lambda b: ExplicitSoftmax(draws=None, **b),
    "manifold": lambda b: ManifoldNetwork(draws=None, **b),
    "random features": lambda b: RandomFeatures(draws=None, **b),
    "random guesses": lambda b: RandomSearch(FOREVER, **b),
}
"""Functions from the budget and the seed to a solver that uses it up."""


def specs(quick: bool) -> list[str]:
    """Return every data set of the page."""
    pairs = [f"digits:{a},{b}" for a, b in combinations(range(10), 2)]
    return [*(["digits:3,8", "digits:0,1"] if quick else pairs), "breast_cancer", "wine"]


def measure(spec: str, seeds: int, seconds: float) -> dict[str, Any]:
    """Run every solver on every draw of a data set."""
    data = DataOptions(spec, samples=100, inputs=16 if spec.startswith("digits") else None)
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in SOLVERS}
    for seed in range(seeds):
        drawn, problem = problem_of(data, ModelOptions(hidden=(5,)), seed)
        for name, make in SOLVERS.items():
            solver = make({"seed": seed, "time_limit": seconds})
            try:
                result = solver.solve(problem)
            except QnnError as error:
                runs[name].append({"error": str(error)})
                continue
            runs[name].append(
                {
                    "loss": result.loss,
                    "test": accuracy(problem.network, result.weights, drawn.X_test, drawn.y_test),
                    "seconds": result.seconds,
                    "status": result.status.value,
                }
            )
    return {"spec": spec, "weight_bits": problem.network.num_weight_bits, "runs": runs}


# -- the page --------------------------------------------------------------------------------------


def figures(tasks: Sequence[dict[str, Any]], solver: str, what: str) -> list[float]:
    """Return one figure of all runs of a solver on some tasks."""
    return [run[what] for task in tasks for run in task["runs"][solver] if "error" not in run]


def quartiles(values: Sequence[float], form: str = "{:g}") -> str:
    """Format the median, with quartiles in brackets."""
    if not values:
        return "-"
    low, middle, high = (form.format(v) for v in np.quantile(values, [0.25, 0.5, 0.75]))
    return f"{middle} ({low} - {high})"


def summary(tasks: Sequence[dict[str, Any]]) -> str:
    """Return a row for each solver over some tasks, lowest median loss first."""
    medians = {
        name: [float(np.median(figures([task], name, "loss") or [np.inf])) for task in tasks]
        for name in SOLVERS
    }
    least = np.min(list(medians.values()), axis=0)
    rows = []
    for name in sorted(SOLVERS, key=lambda name: (np.mean(medians[name]), name)):
        row = [
            name,
            quartiles(figures(tasks, name, "loss")),
            quartiles([100 * t for t in figures(tasks, name, "test")], "{:.1f}"),
            f"{np.median(figures(tasks, name, 'seconds') or [np.nan]):.2f}",
        ]
        if len(tasks) > 1:
            row.append(f"{int(np.sum(np.array(medians[name]) <= least))} of {len(tasks)}")
        rows.append(row)
    header = ["solver", "training loss", "test accuracy, %", "seconds"]
    return markdown_table([*header, "least median"] if len(tasks) > 1 else header, rows)


def page(results: dict[str, Any]) -> str:
    """Return the whole page in Markdown."""
    tasks, made = results["tasks"], results["environment"]
    digits = [task for task in tasks if task["spec"].startswith("digits")]
    parts = [
        "# All solvers on one page",
        f"{results['seconds']:g} s a solver, {results['seeds']} seeds, 5 hidden sign units, one "
        "bit a weight, hinge loss, 100 training samples. Median over the seeds (quartiles in "
        "brackets). A tie counts for each of those that share the least median.",
    ]
    if digits:
        bits = digits[0]["weight_bits"]
        parts += [f"## Digits, {len(digits)} pairs, {bits} bits", summary(digits)]
    for task in tasks:
        if task not in digits:
            parts += [f"## {task['spec']}, {task['weight_bits']} bits", summary([task])]
    packages = ", ".join(f"{k} {v}" for k, v in made["packages"].items() if v)
    parts.append(
        f"Python {made['python']}, {made['system']}, {made['cores']} cores, {made['created']}; "
        f"{packages}."
    )
    return "\n\n".join(parts) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1.0, help="budget of each solver")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--quick", action="store_true", help="two pairs, two seeds, 0.2 s")
    parser.add_argument("--json", required=True)
    parser.add_argument("--report")
    given = parser.parse_args()
    seconds, seeds = (0.2, 2) if given.quick else (given.seconds, given.seeds)
    results = {"seconds": seconds, "seeds": seeds, "environment": environment(), "tasks": []}
    if Path(given.json).exists():
        kept = json.loads(Path(given.json).read_text())
        same = (kept["seconds"], kept["seeds"]) == (seconds, seeds)
        if not same or any(list(task["runs"]) != list(SOLVERS) for task in kept["tasks"]):
            raise SystemExit(f"{given.json} has another budget or other solvers: name a new file")
        results["tasks"] = kept["tasks"]
    done = {task["spec"] for task in results["tasks"]}
    measure("digits:3,8", 1, 0.05)  # compile everything before measuring
    todo = [spec for spec in specs(given.quick) if spec not in done]
    for number, spec in enumerate(todo, start=1):
        results["tasks"].append(measure(spec, seeds, seconds))
        write_text(given.json, to_json(results))
        print(f"{number} of {len(todo)}: {spec}", flush=True)
    text = page(results)
    print(text)
    if given.report:
        write_text(given.report, text)


if __name__ == "__main__":
    main()
