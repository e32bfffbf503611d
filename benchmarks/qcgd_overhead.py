"""Share of a QCGD iteration that is spent outside the oracle, and the memory it takes.

A network 16-4-1 with thresholds on 1,000 samples: a model of 32,073 bits.  Outside the oracle are
the sparse product that makes the QUBO, the forward pass that scores every read, the residual and
the multipliers.  Run: python benchmarks/qcgd_overhead.py [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np

from formulations import Network, TrainingProblem
from solvers import QCGD
from solvers.oracles import Annealer

BUDGETS = [(10, 500), (10, 100), (20, 25)]


def problem(samples: int = 1000) -> TrainingProblem:
    """Random two-level inputs with labels that a noisy majority of five gives."""
    rng = np.random.default_rng(0)
    X = rng.choice([-1, 1], size=(samples, 16))
    y = np.where(X[:, :5].sum(axis=1) + rng.normal(size=samples) > 0, 1, -1)
    return TrainingProblem(Network.dense([16, 4, 1], bias=True), X, y, loss="zero-one")


def measure(reads: int, sweeps: int, iterations: int) -> dict[str, float]:
    """Medians over the iterations after the first, which also pays for the set-up."""
    marks: list[float] = []
    task = problem()
    started = time.perf_counter()
    variables = task.qcbo().num_variables
    built = time.perf_counter() - started
    solver = QCGD(
        oracle=Annealer(reads=reads, sweeps=sweeps),
        iterations=iterations,
        callbacks=(lambda progress: bool(marks.append(progress.seconds)),),
    )
    result = solver.solve(task)
    whole = np.diff(marks)
    oracle = result.history["oracle_seconds"][1:]
    return {
        "reads": reads,
        "sweeps": sweeps,
        "variables": variables,
        "couplers": result.info["couplers"],
        "build_seconds": built,
        "setup_seconds": marks[0] - result.history["oracle_seconds"][0],
        "iteration_seconds": float(np.median(whole)),
        "outside_share": float(np.median(1.0 - oracle / whole)),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=6)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = [measure(reads, sweeps, options.iterations) for reads, sweeps in BUDGETS]
    print(f"{rows[0]['variables']:,} variables, {rows[0]['couplers']:,} couplers")
    print(
        f"{'reads x sweeps':>15} {'set-up s':>9} {'iteration s':>12} {'outside':>8} {'peak MB':>8}"
    )
    for row in rows:
        print(
            f"{row['reads']:>8} x {row['sweeps']:<4} {row['setup_seconds']:>9.2f} "
            f"{row['iteration_seconds']:>12.2f} {row['outside_share']:>8.1%} "
            f"{row['peak_megabytes']:>8.0f}"
        )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
