"""Flips per second of annealing the weights, and the losses that it reaches on digits.

    python benchmarks/weight_annealing.py [--runs 5] [--json FILE]
    python benchmarks/weight_annealing.py --before COMMIT --data DIR [--runs 5] [--json FILE]

A flip is one proposed change of one weight with its exact change of the training loss, on one
thread.  Speed is measured with every flip accepted, which costs most, with about a third, and with
hardly any; after each run the loss is recomputed from scratch and compared.  ``full`` does the same
work with a whole forward pass in NumPy for every flip.

With ``--before`` only the speed relative to another commit is measured: whole annealing runs and
blocks by enumeration, on 10,000 images of Fashion-MNIST (196-64-10, four levels, hinge loss) and on
two small networks.  Both commits take turns, each run in its own process, in processor time of one
thread; both must reach the same loss.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

import numba
import numpy as np
from sharing import parser_of, write_figures
from sklearn.datasets import load_digits

from formulations import Network, TrainingProblem
from solvers.kernels.blocks import heat_bath
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.weight_annealing import WeightAnnealing

try:
    from solvers.kernels.walks import anneal
except ImportError:  # commits before 27 November 2026
    from solvers.kernels.incremental import anneal  # type: ignore[attr-defined, no-redef]

TARGET = 1e6
SECONDS = 0.3

CASES: list[tuple[str, dict[str, Any], int, int, str]] = [
    ("16-4-1 sign, +-1 weights, hinge", {"widths": [16, 4, 1]}, 1000, 128, "hinge"),
    ("16-4-1 sign, +-1 weights, hinge", {"widths": [16, 4, 1]}, 10_000, 128, "hinge"),
    ("16-4-1 sign, +-1 weights, hinge", {"widths": [16, 4, 1]}, 1000, 10_000, "hinge"),
    ("16-4-1 sign, +-1 weights, logistic", {"widths": [16, 4, 1]}, 1000, 128, "logistic"),
    ("49-8-1 sign, +-1 weights, hinge", {"widths": [49, 8, 1]}, 1000, 15, "hinge"),
    ("784-16-10 sign, +-1 weights, hinge", {"widths": [784, 16, 10]}, 100, 3, "hinge"),
    (
        "16-8-8-1 tanh, ternary, thresholds",
        {"widths": [16, 8, 8, 1], "activation": "tanh", "weights": "ternary", "bias": True},
        1000,
        15,
        "hinge",
    ),
]


def random_problem(
    network: dict[str, Any], samples: int, largest: int, loss: str
) -> TrainingProblem:
    """Return random inputs 0 .. largest and random labels."""
    rng = np.random.default_rng(0)
    dense = Network.dense(**network)
    X = rng.integers(0, largest + 1, (samples, dense.widths[0]))
    classes = dense.num_outputs
    y = rng.integers(0, classes, samples) if classes > 1 else rng.choice([-1, 1], samples)
    return TrainingProblem(dense, X, y, loss)


def flips_per_second(landscape: IncrementalLoss, temperature: float, runs: int) -> list[float]:
    """Measure the speed at one temperature, after a walk to its equilibrium."""
    rng = np.random.default_rng(1)
    landscape.set_choice(rng.integers(landscape.moves.num_levels))
    state, moves = landscape.state, landscape.moves
    best, flips, figures = moves.choice.copy(), 20_000, []
    temperature = temperature / landscape.unit
    for run in range(runs + 1):
        start = time.perf_counter()
        anneal(state, moves, rng, flips, temperature, 1.0, best, np.inf, -np.inf)
        seconds = time.perf_counter() - start
        if run:
            figures.append(flips / seconds)
        flips = max(1000, int(flips * SECONDS / seconds))
    incremental = landscape.loss(float(state.losses[0]))
    again = landscape.set_choice(moves.choice.copy())
    if abs(incremental - again) > 1e-9 * max(1.0, abs(again)):
        raise SystemExit(f"the incremental loss is {incremental}, the loss from nothing {again}")
    return figures


def temperature_that_keeps(landscape: IncrementalLoss, share: float) -> float:
    """Return a temperature at which about ``share`` of the flips is accepted."""
    rng = np.random.default_rng(2)
    state, moves = landscape.state, landscape.moves
    best, high, low = moves.choice.copy(), 1e6, 1e-6
    for _ in range(30):
        middle = float(np.sqrt(low * high))
        kept, last = 0, moves.choice.copy()
        for _ in range(400):
            anneal(state, moves, rng, 1, middle / landscape.unit, 1.0, best, np.inf, -np.inf)
            kept += not np.array_equal(last, moves.choice)
            last[:] = moves.choice
        low, high = (middle, high) if kept < 400 * share else (low, middle)
    return middle


def full_passes_per_second(problem: TrainingProblem) -> float:
    """Measure the speed of scoring changed weights one by one with whole forward passes."""
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2, problem.num_free_bits).astype(np.int8)
    problem.losses(bits[None])
    start, count = time.perf_counter(), 0
    while time.perf_counter() - start < SECONDS:
        bits[count % len(bits)] ^= 1
        problem.losses(bits[None])
        count += 1
    return count / (time.perf_counter() - start)


def speed(runs: int) -> list[dict[str, Any]]:
    """Return the table of speeds."""
    results = []
    heads = "".join(f"{head:>12}" for head in ("all kept", "1/3 kept", "few kept", "full"))
    print(f"{'thousand flips per second':40}{'N':>8}{'integers':>10}{heads}")
    for name, network, samples, largest, loss in CASES:
        problem = random_problem(network, samples, largest, loss)
        landscape = IncrementalLoss(problem)
        landscape.set_choice(np.zeros_like(landscape.moves.choice))
        third = temperature_that_keeps(landscape, 1 / 3)
        figures = {
            kept: median(flips_per_second(landscape, temperature, runs))
            for kept, temperature in (("all", 1e9), ("third", third), ("few", third / 30))
        }
        figures["full"] = full_passes_per_second(problem)
        kind = str(landscape.state.z.dtype)
        numbers = "".join(f"{figure / 1e3:12,.2f}" for figure in figures.values())
        print(f"{name:40}{samples:8,}{kind:>10}{numbers}", flush=True)
        results.append({"case": name, "samples": samples, "integers": kind, **figures})
    lowest = min(results[0][kept] for kept in ("all", "third", "few"))
    verdict = "met" if lowest >= TARGET else "missed"
    print(f"wanted at 16-4-1, N = 1,000: {TARGET:.0e} flips per second: {verdict}\n")
    return results


BESIDE = {"196-64-10": 160_000, "49-16-10": 400_000, "16-4-1": 1_000_000}
"""Networks on which two commits are compared, and annealing flips on each."""

FIGURES = "annealing", "hottest eighth", "coldest eighth", "blocks of six"


def one_run(name: str, data: str) -> dict[str, float]:
    """Return flips per second and ends of annealing, choices per second of blocks, and the loss."""
    if name == "196-64-10":
        images = np.load(data)
        problem = TrainingProblem(Network.dense([196, 64, 10]), images["X"], images["y"])
    else:
        widths = [int(width) for width in name.split("-")]
        problem = random_problem({"widths": widths}, 1000, 15, "hinge")
    landscape, rng, flips = IncrementalLoss(problem), np.random.default_rng(1), BESIDE[name]
    state, moves = landscape.state, landscape.moves
    landscape.set_choice(rng.integers(moves.num_levels))
    best, value = moves.choice.copy(), np.inf
    blocks = [rng.choice(len(moves.layer), 6, replace=False) for _ in range(flips // 500)]

    def solve(count: int, heat: float) -> int:
        chosen, gains, heats = np.array(blocks[:count]), np.zeros(count), np.full(count, heat)
        return int(heat_bath(state, moves, rng, chosen, heats, gains, best, np.inf, -np.inf)[1])

    _, _, spread = anneal(state, moves, rng, 256, np.inf, 1.0, best, value, -np.inf)
    hot, cold = 0.5 * spread / 256, 0.005 * spread / 256
    solve(1, cold)
    cooling, seconds = (cold / hot) ** (1 / flips), []
    for eighth in range(8):
        start, heat = time.process_time(), hot * cooling ** (eighth * flips // 8)
        value, _, _ = anneal(state, moves, rng, flips // 8, heat, cooling, best, value, -np.inf)
        seconds.append(time.process_time() - start)
    start = time.process_time()
    evaluated = solve(len(blocks), cold)
    speeds = flips / sum(seconds), flips / 8 / seconds[0], flips / 8 / seconds[-1]
    figures = dict(zip(FIGURES, (*speeds, evaluated / (time.process_time() - start)), strict=True))
    return {**figures, "loss": landscape.loss(float(value))}


def beside(commit: str, folder: str, runs: int) -> list[dict[str, Any]]:
    """Return the table of two commits, in runs that take turns."""
    import qnn

    here, results = Path(__file__).resolve(), []
    git = ["git", "-C", str(here.parents[1]), "worktree"]
    with tempfile.TemporaryDirectory() as place:
        tree, data = f"{place}/before", f"{place}/images.npz"
        images = qnn.load("fashion", samples=10_010, inputs=196, levels=4, data_dir=folder)
        np.savez(data, X=images.X_train[:10_000], y=images.y_train[:10_000].astype(int))
        subprocess.run([*git, "add", "--detach", tree, commit], check=True, capture_output=True)
        try:
            print(f"{'thousand a second, one thread':32}{'before':>10}{'now':>10}{'ratio':>8}")
            for name in BESIDE:
                found: dict[str, list[dict[str, float]]] = {tree: [], str(here.parents[1]): []}
                for _ in range(runs):
                    for root, rows in found.items():
                        environment = {**os.environ, "PYTHONPATH": root}
                        command = [sys.executable, str(here), "--one", name, "--data", data]
                        told = subprocess.run(
                            command, check=True, capture_output=True, cwd=root, env=environment
                        )
                        rows.append(json.loads(told.stdout))
                if len({row["loss"] for rows in found.values() for row in rows}) > 1:
                    raise SystemExit(f"{name}: the commits end at different losses")
                for figure in FIGURES:
                    old, new = (median(row[figure] for row in rows) for rows in found.values())
                    line = f"{old / 1e3:10,.1f}{new / 1e3:10,.1f}{new / old:8.2f}"
                    print(f"{name + ', ' + figure:32}{line}", flush=True)
                    results.append({"case": name, "what": figure, "before": old, "now": new})
        finally:
            subprocess.run([*git, "remove", "--force", tree], check=True)
    return results


def digits(samples: int, seed: int) -> TrainingProblem:
    """Return digits 3 v 8 pooled to 16 inputs, 5 hidden units."""
    X, y = load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero((y == 3) | (y == 8)))[:samples]
    pooled = X[chosen].reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, 16)
    return TrainingProblem(Network.dense([16, 5, 1]), pooled, np.where(y[chosen] == 8, 1, -1))


def losses() -> list[dict[str, Any]]:
    """Return the training hinge loss after 20,000 flips, and the best of ten restarts."""
    results = []
    print("digits 3 v 8, 16-5-1, hinge loss on the training set, five seeds")
    for samples in (100, 300):
        for restarts in (1, 10):
            runs = [
                WeightAnnealing(restarts=restarts, seed=seed).solve(digits(samples, seed))
                for seed in range(5)
            ]
            row = [run.loss for run in runs]
            seconds = median(run.seconds for run in runs)
            print(
                f"N = {samples}, {restarts:2} x 20,000 flips: "
                f"{', '.join(f'{loss:g}' for loss in row):24} median {seconds:.3f} s"
            )
            results.append(
                {"samples": samples, "restarts": restarts, "losses": row, "seconds": seconds}
            )
    return results


def main() -> None:
    """Measure, print the tables, write the figures."""
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement")
    parser.add_argument("--before", metavar="COMMIT", help="compare with this commit only")
    parser.add_argument("--data", metavar="DIR", help="folder of Fashion-MNIST")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(one_run(arguments.one, arguments.data)))
        return
    versions = {"python": platform.python_version(), "numba": numba.__version__}
    figures: dict[str, Any]
    if arguments.before:
        figures = {"beside": beside(arguments.before, arguments.data, arguments.runs), **versions}
    else:
        figures = {"speed": speed(arguments.runs), "digits": losses(), **versions}
    write_figures(arguments.json, figures)


if __name__ == "__main__":
    main()
