"""A ladder of networks of growing size: restricted problems and their rivals at equal wall-clock.

    python benchmarks/ladder.py --data DIR [--data DIR ...] [--seconds 60] [--seeds 3] [--json FILE]

DIR holds Fashion-MNIST or MNIST (IDX files or NPZ, see ``qnn.load``).  Rungs: Fashion-MNIST
pullover against coat, 49-8-1 with thresholds, 1,000 and 12,000 samples; MNIST and Fashion-MNIST
with ten classes, 196-64-10 with thresholds, 10,000 samples (9,000 where the source has no more).
Every solver trains the identical network of +-1 weights by the hinge loss, from random weights;
a seed draws the samples and starts the solver.  Figures are medians over the seeds.  With
OMP_NUM_THREADS=1 all solvers keep to one thread.

Two columns of time: the wall-clock here, and the seconds if each call of the oracle took the given
microseconds instead of what it took here, as hardware might.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import qnn
from formulations import Network, TrainingProblem
from solvers import LargeNeighborhoodSearch, StraightThrough, WeightAnnealing
from solvers.classical.random_features import RandomFeatures
from solvers.oracles import Annealer


@dataclass(frozen=True)
class Rung:
    """One network on one data set."""

    name: str
    data: str
    samples: int
    inputs: int
    hidden: int

    def load(self, folder: str, seed: int) -> Any:
        """Pooled inputs on four levels."""
        return qnn.load(
            self.data, data_dir=folder, samples=self.samples, inputs=self.inputs, levels=4,
            seed=seed,
        )  # fmt: skip


RUNGS = [
    Rung("fashion pullover/coat 49-8-1", "fashion:2,4", 1_000, 49, 8),
    Rung("fashion pullover/coat 49-8-1", "fashion:2,4", 12_000, 49, 8),
    Rung("mnist 196-64-10", "mnist", 9_000, 196, 64),
    Rung("fashion 196-64-10", "fashion", 10_000, 196, 64),
]

SOLVERS: dict[str, Callable[[int, float], Any]] = {
    "restricted, enumerated": lambda seed, seconds: LargeNeighborhoodSearch(
        time_limit=seconds, sizes=(1, 2, 4), seed=seed
    ),
    "restricted, oracle": lambda seed, seconds: LargeNeighborhoodSearch(
        Annealer(reads=5, sweeps=100), time_limit=seconds, sizes=(4, 8), variables=2_000, seed=seed
    ),
    "direct annealing": lambda seed, seconds: WeightAnnealing(
        flips=10**9, time_limit=seconds, seed=seed
    ),
    "straight-through": lambda seed, seconds: StraightThrough(
        epochs=None, time_limit=seconds, seed=seed
    ),
    "random features, ridge": lambda seed, seconds: RandomFeatures(
        draws=None, time_limit=seconds, seed=seed
    ),
}
FIGURES = {
    "loss": "{:,.0f}",
    "train_accuracy": "{:.3f}",
    "test_accuracy": "{:.3f}",
    "bits_per_weight": "{:.2f}",
    "seconds": "{:.1f}",
    "seconds_with_hardware": "{:.1f}",
}


def flips_in(problem: TrainingProblem, seconds: float) -> int:
    """Flips that direct annealing manages in the time, so that it cools down exactly once."""
    probe = WeightAnnealing(flips=10**9, time_limit=min(5.0, 0.1 * seconds)).solve(problem)
    return int(probe.info["flips_per_second"] * seconds)


def solve(name: str, problem: TrainingProblem, seed: int, seconds: float) -> Any:
    """The result of a solver within the time."""
    solver = SOLVERS[name](seed, seconds)
    if isinstance(solver, WeightAnnealing):
        flips = flips_in(problem, seconds)
        solver = WeightAnnealing(flips=flips, time_limit=1.2 * seconds, seed=seed)
    return solver.solve(problem)


def run(rung: Rung, name: str, seed: int, options: argparse.Namespace) -> dict[str, Any] | None:
    """One run's figures; None where the data are in none of the folders."""
    data = load_from_any(rung, options.data, seed)
    if data is None:
        return None
    network = Network.dense([rung.inputs, rung.hidden, data.num_outputs], bias=True)
    problem = TrainingProblem(network, data.X_train, data.y_train)
    started = time.process_time()
    result = solve(name, problem, seed, options.seconds)
    busy = time.process_time() - started
    hardware = 1e-6 * options.microseconds * result.ledger.calls
    return {
        "rung": rung.name,
        "samples": problem.num_samples,
        "solver": name,
        "seed": seed,
        "loss": result.loss,
        "train_accuracy": accuracy(network, result, data.X_train, data.y_train),
        "test_accuracy": accuracy(network, result, data.X_test, data.y_test),
        "bits_per_weight": network.num_weight_bits / network.num_weights,
        "seconds": result.seconds,
        "seconds_with_hardware": result.seconds - result.ledger.seconds + hardware,
        "processor_seconds": busy,
        "oracle_calls": result.ledger.calls,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", action="append", required=True, metavar="DIR")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rungs", type=int, nargs="*", default=range(1, len(RUNGS) + 1))
    parser.add_argument("--solvers", nargs="*", default=list(SOLVERS), choices=list(SOLVERS))
    parser.add_argument("--microseconds", type=float, default=100.0, help="of an oracle's call")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    tiny = TrainingProblem(Network.dense([2, 2, 1], bias=True), [[1, -1], [1, 1]], [1, -1])
    for name in options.solvers:  # what has to be compiled is compiled before the clock runs
        SOLVERS[name](0, 0.4).solve(tiny)
    rows: list[dict[str, Any]] = []
    for rung in (RUNGS[number - 1] for number in options.rungs):
        print(f"\n{rung.name}, {options.seconds:g} s each, medians of {options.seeds} seeds")
        print(f"{'':<24}" + "".join(f"{name.replace('_', ' '):>24}" for name in FIGURES))
        for name in options.solvers:
            runs = [run(rung, name, seed, options) for seed in range(options.seeds)]
            found = [figures for figures in runs if figures]
            if not found:
                print("not found in the folders given")
                break
            rows += found
            medians = {f: statistics.median(figures[f] for figures in found) for f in FIGURES}
            texts = [form.format(medians[figure]) for figure, form in FIGURES.items()]
            spread = sorted(figures["loss"] for figures in found)
            print(
                f"{name:<24}" + "".join(f"{text:>24}" for text in texts),
                f"  N = {found[0]['samples']:,}, losses {spread}",
                flush=True,
            )
            if options.json:
                options.json.write_text(json.dumps(rows, indent=2))


def accuracy(network: Network, result: Any, X: np.ndarray, y: np.ndarray) -> float:
    """Share of samples that the trained network gets right."""
    return float((network.predict(result.weights, X) == y).mean())


def load_from_any(rung: Rung, folders: list[str], seed: int) -> Any:
    """The rung's data from the first folder that has them."""
    from formulations.errors import QnnError

    for folder in folders:
        try:
            return rung.load(folder, seed)
        except (QnnError, OSError):
            continue
    return None


if __name__ == "__main__":
    main()
