"""A ladder of networks of growing size: restricted problems and their rivals at equal wall-clock.

    python benchmarks/ladder.py --data DIR [--data DIR ...] [--seconds 60] [--json FILE]

DIR holds Fashion-MNIST or MNIST (IDX files or NPZ, see ``qnn.load``).  Rungs: Fashion-MNIST
pullover against coat, 49-8-1 with thresholds, 1,000 and 12,000 samples; MNIST and Fashion-MNIST
with ten classes, 196-64-10 with thresholds, 10,000 samples (9,000 where the source has no more).
Every solver trains the identical network of +-1 weights by the hinge loss, from random weights.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import qnn
from formulations import Network, TrainingProblem
from solvers import LargeNeighborhoodSearch, StraightThrough, WeightAnnealing
from solvers.classical.random_features import RandomFeatures


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
    "restricted problems": lambda seed, seconds: LargeNeighborhoodSearch(
        time_limit=seconds, sizes=(1, 2, 4), seed=seed
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


def flips_in(problem: TrainingProblem, seconds: float) -> int:
    """Flips that direct annealing manages in the time, so that it cools down exactly once."""
    probe = WeightAnnealing(flips=10**9, time_limit=min(5.0, 0.1 * seconds)).solve(problem)
    return int(probe.info["flips_per_second"] * seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", action="append", required=True, metavar="DIR")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    tiny = TrainingProblem(Network.dense([2, 2, 1], bias=True), [[1, -1], [1, 1]], [1, -1])
    for make in SOLVERS.values():  # what has to be compiled is compiled before the clock runs
        make(0, 0.4).solve(tiny)
    for rung in RUNGS:
        data = load_from_any(rung, options.data, options.seed)
        if data is None:
            print(f"{rung.name}: not found in the folders given")
            continue
        outputs = data.num_outputs
        network = Network.dense([rung.inputs, rung.hidden, outputs], bias=True)
        problem = TrainingProblem(network, data.X_train, data.y_train)
        print(f"\n{rung.name}, N = {problem.num_samples:,}, {options.seconds:g} s each", flush=True)
        for name, make in SOLVERS.items():
            solver = make(options.seed, options.seconds)
            if isinstance(solver, WeightAnnealing):
                solver = WeightAnnealing(
                    flips=flips_in(problem, options.seconds),
                    time_limit=1.2 * options.seconds,
                    seed=options.seed,
                )
            result = solver.solve(problem)
            row = {
                "rung": rung.name,
                "samples": problem.num_samples,
                "solver": name,
                "loss": result.loss,
                "train_accuracy": accuracy(network, result, data.X_train, data.y_train),
                "test_accuracy": accuracy(network, result, data.X_test, data.y_test),
                "bits_per_weight": network.num_weight_bits / network.num_weights,
                "seconds": result.seconds,
            }
            rows.append(row)
            print(
                f"  {name:<24} loss {row['loss']:>9,g}   train {row['train_accuracy']:.3f}   "
                f"test {row['test_accuracy']:.3f}   {row['bits_per_weight']:.2f} bits a weight   "
                f"{row['seconds']:.0f} s",
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
