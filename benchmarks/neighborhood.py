"""Restricted problems against their rivals at equal wall-clock time, on digits 3 against 8.

    python benchmarks/neighborhood.py [--seeds 10] [--seconds 1 2] [--json FILE]

All get the same network (16-5-1, signs, +-1 weights, hinge loss) and time: restricted problems by
enumeration and by an annealer as oracle, direct annealing of the weights (restarts until the time
is over), and straight-through training (16 networks side by side, in at most this time).
For the oracle, a second column counts a given number of microseconds per call, as on
hardware.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import qnn
from formulations import Network, TrainingProblem
from solvers import LargeNeighborhoodSearch, Result, StraightThrough, WeightAnnealing
from solvers.oracles import Annealer

Make = Callable[[int, float], Any]

SOLVERS: dict[str, Make] = {
    "restricted, enumerated": lambda seed, seconds: LargeNeighborhoodSearch(
        time_limit=seconds, cycles=3, seed=seed
    ),
    "restricted, oracle": lambda seed, seconds: LargeNeighborhoodSearch(
        oracle=Annealer(reads=5, sweeps=100), time_limit=seconds, sizes=(6, 10), seed=seed
    ),
    "direct annealing": lambda seed, seconds: WeightAnnealing(
        restarts=None, time_limit=seconds, seed=seed
    ),
    "straight-through": lambda seed, seconds: StraightThrough(
        epochs=None, time_limit=seconds, seed=seed
    ),
}


def problem(samples: int, seed: int) -> TrainingProblem:
    """Return digits 3 and 8, pooled to 16 two-level inputs."""
    data = qnn.load("digits:3,8", samples=samples, inputs=16, levels=2, seed=seed)
    return TrainingProblem(Network.dense([16, 5, 1]), data.X_train, data.y_train)


def as_hardware(result: Result, microseconds: float) -> float:
    """Return the seconds of the run with each oracle call counted at some microseconds."""
    ledger = result.ledger
    return result.seconds - ledger.seconds + 1e-6 * microseconds * ledger.calls


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--samples", type=int, nargs="+", default=[100, 300])
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.0, 2.0])
    parser.add_argument("--microseconds", type=float, default=100.0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    for make in SOLVERS.values():  # compile before the clock runs
        make(0, 0.5).solve(problem(50, 0))
    rows = []
    for samples, seconds in zip(options.samples, options.seconds, strict=True):
        print(f"\nN = {samples}, {seconds:g} s each, {options.seeds} seeds: training loss")
        problems = [problem(samples, seed) for seed in range(options.seeds)]
        for name, make in SOLVERS.items():
            results = [make(s, seconds).solve(p) for s, p in enumerate(problems)]
            losses = [r.loss for r in results]
            low, middle, high = np.percentile(losses, [25, 50, 75])
            counted = float(np.median([as_hardware(r, options.microseconds) for r in results]))
            taken = float(np.median([r.seconds for r in results]))
            print(
                f"{name:<24} median {middle:>5g} ({low:g} - {high:g})   {taken:.2f} s, "
                f"{counted:.2f} s at {options.microseconds:g} us a call   {losses}"
            )
            rows.append(
                {
                    "samples": samples,
                    "limit": seconds,
                    "solver": name,
                    "losses": losses,
                    "seconds": taken,
                    "counted_seconds": counted,
                }
            )
    if options.json:
        options.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    main()
