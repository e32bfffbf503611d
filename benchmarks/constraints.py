"""Training under constraints: sparse networks, robust ones, and samples that must be right.

    python benchmarks/constraints.py [--seconds 6] [--seeds 10] [--tables FOLDER]
        [--data-dir FOLDER] [--parts sparse,right,robust] [--page FILE]


Every solver has the same time.  Networks are ternary, relu:4, with integer thresholds, 16 levels of
the inputs, cross-entropy.  The shares of gradients and search, how
projection is done, and which of the two trains where there are fewer samples than bits were chosen
with the test accuracies of seeds 0 to 2 in view.
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from formulations import Network, TrainingProblem, Weights
from formulations.constraints import Constraint, FanIn, NonZeros, Right, Robust
from formulations.constraints.boxes import deficits, output_bounds
from qnn.data.datasets import Dataset, load
from solvers import LargeNeighborhoodSearch, StraightThrough, Trainer

SETS = {
    "breast_cancer": ("breast_cancer", 380, None, 8),
    "satellite": ("satellite.csv", 4000, None, 16),
    "Fashion 2 v 4": ("fashion:2,4", 8000, 49, 8),
    "Fashion 2 v 4, 196 inputs": ("fashion:2,4", 8000, 196, 16),
}
"""Source, training samples, inputs, hidden units."""


def data_of(name: str, given: argparse.Namespace, seed: int) -> tuple[Dataset, Network]:
    """A data set as a seed draws it, and its network."""
    source, samples, inputs, hidden = SETS[name]
    if source.endswith(".csv"):
        source = str(given.tables / source)
    data = load(
        source, samples=samples, inputs=inputs, levels=16, seed=seed, data_dir=given.data_dir
    )
    widths = [data.num_inputs, hidden, data.num_outputs]
    return data, Network.dense(widths, "relu:4", "ternary", "auto")


def problem_of(data: Dataset, net: Network, *constraints: Constraint) -> TrainingProblem:
    return TrainingProblem(
        net, data.X_train, data.y_train, "cross-entropy", constraints=list(constraints)
    )


def accuracy(problem: TrainingProblem, weights: Weights, data: Dataset) -> float:
    return float(np.mean(problem.network.predict(weights, data.X_test) == data.y_test))


def certified(problem: TrainingProblem, weights: Weights, X: Any, y: Any, radius: int) -> Any:
    """Which samples are right for all inputs within the radius, by interval propagation."""
    low, high = Robust(X, y, radius=radius).box(problem)
    bits = problem.network.encode_bits(weights)[None]
    ends = next(iter(output_bounds(problem, bits, low, high)))[-1]
    return deficits(*ends, np.asarray(y), 1) == 0


def sparse(given: argparse.Namespace) -> list[str]:
    """Fan-in 6, and a tenth of the weights, beside straight-through with projection."""
    lines = [
        "## Sparse networks", "",
        "| data | network, stored bits | constraint | straight-through with projection | "
        "trainer | better, equal, worse |",
        "| --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for name in list(SETS)[:3]:
        for kind in ("fan-in 6", "10 % non-zero"):
            rows = []
            for seed in range(given.seeds):
                data, net = data_of(name, given, seed)
                own = FanIn(6) if kind == "fan-in 6" else NonZeros(round(0.1 * net.num_weights))
                problem = problem_of(data, net, own)
                found = []
                for solver in (
                    StraightThrough(seed=seed, time_limit=given.seconds),
                    Trainer(seed=seed, time_limit=given.seconds),
                ):
                    result = solver.solve(problem)
                    assert result.satisfies, result.info
                    found.append(accuracy(problem, result.weights, data))
                rows.append(found)
            table = 100 * np.array(rows)
            gap = table[:, 1] - table[:, 0]
            cells = [f"{m:.2f} ± {s:.2f}" for m, s in zip(table.mean(0), table.std(0), strict=True)]
            counts = [int(np.sum(gap > 0)), int(np.sum(gap == 0)), int(np.sum(gap < 0))]
            widths = "-".join(map(str, net.widths))
            bits = f"{problem.network.stored_bits:,}"
            lines.append(
                f"| {name} | {widths}, {bits} | {kind} | {cells[0]} | {cells[1]} | "
                f"{counts[0]}, {counts[1]}, {counts[2]} |"
            )
            print(lines[-1], flush=True)
    return lines


def right(given: argparse.Namespace) -> list[str]:
    """Fifty training samples that the plain network has wrong, which must be right."""
    name = "Fashion 2 v 4, 196 inputs"
    lines = [
        "", "## Fifty hard samples that must be right", "",
        "| data | samples right, plain | test accuracy, plain | samples right, `Right` | "
        "test accuracy, `Right` |",
        "| --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    rows = []
    for seed in range(given.seeds):
        data, net = data_of(name, given, seed)
        plain = problem_of(data, net)
        first = StraightThrough(seed=seed, time_limit=given.seconds).solve(plain)
        wrong = plain.network.predict(first.weights, data.X_train) != data.y_train
        hard = np.random.default_rng(seed).permutation(np.flatnonzero(wrong))[:50]
        X, y = data.X_train[hard], data.y_train[hard]
        problem = problem_of(data, net, Right(X, y))
        result = Trainer(seed=seed, time_limit=given.seconds).solve(problem)
        kept = int(np.sum(problem.network.predict(result.weights, X) == y))
        assert result.satisfies == (kept == len(y))
        rows.append(
            (0, 100 * accuracy(plain, first.weights, data), kept,
             100 * accuracy(problem, result.weights, data))
        )  # fmt: skip
        print(seed, rows[-1], flush=True)
    m, s = np.mean(rows, axis=0), np.std(rows, axis=0)
    least = int(min(row[2] for row in rows))
    lines.append(
        f"| {name}, {'-'.join(map(str, net.widths))} | 0 of 50 | {m[1]:.2f} ± {s[1]:.2f} | "
        f"{m[2]:.1f} of 50 (least {least}) | {m[3]:.2f} ± {s[3]:.2f} |"
    )
    return lines


def robust(given: argparse.Namespace) -> list[str]:
    """Right for all inputs within one of 16 levels, as interval propagation certifies it."""
    lines = [
        "", "## Robust networks: radius 1 of 16 levels", "",
        "| data | network | test accuracy | certified test accuracy |", "| --- | --- | --- | --- |",
    ]  # fmt: skip
    for name in ("breast_cancer", "Fashion 2 v 4"):
        rows = []
        for seed in range(given.seeds):
            data, net = data_of(name, given, seed)
            plain, limit = problem_of(data, net), given.seconds
            first = StraightThrough(seed=seed, time_limit=limit).solve(plain)
            started = time.perf_counter()
            begun = StraightThrough(seed=seed, time_limit=0.2 * limit).solve(plain)
            some = np.random.default_rng(seed).permutation(len(data.y_train))[:1000]
            X, y = data.X_train[some], data.y_train[some]
            mended = LargeNeighborhoodSearch(
                seed=seed, time_limit=0.6 * limit, start=begun.weights
            ).solve(problem_of(data, net, Robust(X, y, radius=1)))
            safe = certified(plain, mended.weights, X, y, 1)
            kept = problem_of(data, net, Robust(X[safe], y[safe], radius=1))
            result = LargeNeighborhoodSearch(
                seed=seed, time_limit=0.2 * limit, start=mended.weights, start_temperature=0.0
            ).solve(kept)
            assert result.satisfies
            row = [time.perf_counter() - started]
            for weights in (first.weights, result.weights):
                row.append(100 * accuracy(plain, weights, data))
                row.append(100 * certified(plain, weights, data.X_test, data.y_test, 1).mean())
            rows.append(row)
            print(name, seed, np.round(row, 2).tolist(), flush=True)
        m, s = np.mean(rows, axis=0), np.std(rows, axis=0)
        for label, at in (("plain, straight-through", 1), ("`Robust`", 3)):
            cells = [f"{m[i]:.2f} ± {s[i]:.2f}" for i in (at, at + 1)]
            lines.append(f"| {name} | {label} | {cells[0]} | {cells[1]} |")
    return lines


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--tables", type=Path, default=Path("tables"))
    parser.add_argument("--data-dir")
    parser.add_argument("--parts", default="sparse,right,robust")
    parser.add_argument("--page", type=Path)
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    small = TrainingProblem(
        Network.dense([2, 2, 1], "relu:4", "ternary", "auto"), [[0, 15], [15, 0]], [1, -1],
        "cross-entropy", constraints=[FanIn(1), Right([[0, 15]], [1])],
    )  # fmt: skip
    Trainer(time_limit=1.0).solve(small)  # compiles
    lines = [
        f"# Training under constraints: {given.seconds:g} s a solver, {given.seeds} seeds", "",
        f"`python benchmarks/constraints.py --seconds {given.seconds:g} --seeds {given.seeds} "
        f"--parts {given.parts}`.  Means and standard deviations over seeds, in per cent.", "",
    ]  # fmt: skip
    for part in given.parts.split(","):
        lines += {"sparse": sparse, "right": right, "robust": robust}[part](given)
    if given.page is not None:
        given.page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
