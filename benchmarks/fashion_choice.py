"""What limits the accuracy of one bit a weight on Fashion-MNIST: network, loss, solver or time.

One thing at a time is changed from the network of ``fashion_pairs.py``.  Accuracy is that on 2,000
of a pair's 12,000 training images, which are kept from the training; the test part is not looked
at.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import qnn
from formulations import Network, TrainingProblem
from qnn.data.levels import level_thresholds, on_levels
from solvers import LargeNeighborhoodSearch, StraightThrough, WeightAnnealing
from solvers.run.solver import Solver

PAIRS = ("2,4", "0,6", "5,7")
KEPT = 2_000


@dataclass(frozen=True)
class Row:
    """What is trained, and how; ``seconds`` in units of those asked for."""

    what: str
    inputs: int = 196
    levels: int = 8
    hidden: int = 16
    activation: str = "hard-tanh"
    bias: bool = True
    loss: str = "hinge:2"
    solver: str = "restricted"
    seconds: float = 1.0

    def run(self, pair: str, seconds: float) -> dict[str, Any]:
        """Figures on a pair."""
        X, y, X_kept, y_kept = parts(pair, self.inputs, self.levels)
        network = Network.dense([self.inputs, self.hidden, 1], self.activation, bias=self.bias)
        problem = TrainingProblem(network, X, y, self.loss)
        result = solver(self.solver, self.seconds * seconds).solve(problem)
        right = network.predict(result.weights, X) == y
        right_kept = network.predict(result.weights, X_kept) == y_kept
        return {
            "row": self.what,
            "pair": pair,
            "bits": network.stored_bits,
            "bits_per_weight": network.bits_per_weight,
            "train_loss": result.loss,
            "train": 100 * right.mean(),
            "kept": 100 * right_kept.mean(),
            "seconds": result.seconds,
        }


CHOSEN = Row("chosen: 196 inputs on 8 levels, 16 hard-tanh units, hinge:2, restricted")
ROWS = (
    CHOSEN,
    replace(CHOSEN, what="49 inputs", inputs=49),
    replace(CHOSEN, what="784 inputs", inputs=784),
    replace(CHOSEN, what="2 levels", levels=2),
    replace(CHOSEN, what="16 levels", levels=16),
    replace(CHOSEN, what="8 units, hinge:1", hidden=8, loss="hinge:1"),
    replace(CHOSEN, what="32 units, hinge:4", hidden=32, loss="hinge:4"),
    replace(CHOSEN, what="64 units, hinge:8", hidden=64, loss="hinge:8"),
    replace(CHOSEN, what="no thresholds", bias=False),
    replace(CHOSEN, what="sign units, hinge:4", activation="sign", loss="hinge:4"),
    replace(CHOSEN, what="sign units, hinge", activation="sign", loss="hinge"),
    replace(CHOSEN, what="hinge", loss="hinge"),
    replace(CHOSEN, what="hinge:4", loss="hinge:4"),
    replace(CHOSEN, what="logistic", loss="logistic"),
    replace(CHOSEN, what="a fifth of the time", seconds=0.2),
    replace(CHOSEN, what="three times the time", seconds=3.0),
    replace(CHOSEN, what="annealing of the weights", solver="annealing"),
    replace(CHOSEN, what="straight-through", solver="straight-through"),
    replace(CHOSEN, what="straight-through, three times", solver="straight-through", seconds=3.0),
    replace(CHOSEN, what="restricted from straight-through", solver="from straight-through"),
)


def solver(name: str, seconds: float) -> Solver:
    """The solver of a row."""
    if name == "annealing":
        return WeightAnnealing(flips=int(60_000 * seconds), time_limit=2 * seconds)
    if name == "straight-through":
        return StraightThrough(epochs=None, time_limit=seconds)
    start = None
    if name == "from straight-through":
        start = StraightThrough(epochs=None, rates=(0.01,), time_limit=0.25 * seconds)
    return LargeNeighborhoodSearch(time_limit=seconds, start=start)


@cache
def images(pair: str, inputs: int) -> qnn.Dataset:
    """The pair's images in full grey; the test part is left where it is."""
    return qnn.load(f"fashion:{pair}", inputs=inputs, levels=None)


def parts(pair: str, inputs: int, levels: int) -> tuple[np.ndarray, ...]:
    """Training images on levels and their classes, and those of the part that is kept."""
    data = images(pair, inputs)
    order = np.random.default_rng(0).permutation(len(data.X_train))
    first, kept = order[KEPT:], order[:KEPT]
    lattice = on_levels(data.X_train, level_thresholds(data.X_train[first], levels))
    return lattice[first], data.y_train[first], lattice[kept], data.y_train[kept]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--page", type=Path, default=Path("benchmarks/results/fashion_choice.md"))
    options = parser.parse_args()
    tiny = TrainingProblem(Network.dense([2, 2, 1], bias=True), [[1, -1], [1, 1]], [1, -1])
    for name in {row.solver for row in ROWS}:
        solver(name, 0.4).solve(tiny)  # what has to be compiled is compiled before the clock runs
    runs: list[dict[str, Any]] = []
    for pair in PAIRS:
        for row in ROWS:
            runs.append(row.run(pair, options.seconds))
            print(json.dumps(runs[-1]), flush=True)
        options.page.write_text(page(runs, options.seconds))
        if options.json:
            options.json.write_text(json.dumps(runs, indent=1))


def page(runs: Sequence[dict[str, Any]], seconds: float) -> str:
    """The page of all runs."""
    pairs = list(dict.fromkeys(run["pair"] for run in runs))
    lines = [
        "# What limits one bit a weight on Fashion-MNIST",
        "",
        f"`python benchmarks/fashion_choice.py --seconds {seconds:g}`: 10,000 training images of a "
        f"pair, accuracy on {KEPT:,} others of its training part; {seconds:g} s a run on one "
        "thread, one seed. One thing at a time is changed. Half a point is within the noise of "
        f"{KEPT:,} images and one run.",
        "",
        "| changed | bits | bits a weight | "
        + " | ".join(f"{pair}: training, kept, %" for pair in pairs)
        + " | mean kept |",
        "| --- " * (4 + len(pairs)) + "|",
    ]
    for row in ROWS:
        own = [run for run in runs if run["row"] == row.what]
        texts = [f"{run['train']:.1f}, {run['kept']:.1f}" for run in own]
        mean = np.mean([run["kept"] for run in own])
        lines.append(
            f"| {row.what} | {own[0]['bits']:,} | {own[0]['bits_per_weight']:.2f} | "
            + " | ".join(texts)
            + f" | {mean:.1f} |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
