"""Training under constraints: sparse networks, robust ones, and samples that must be right.

    python benchmarks/constraints.py [--seconds 6] [--seeds 10] [--tables FOLDER]
        [--data-dir FOLDER] [--parts sparse,right,robust] [--page FILE]


Every solver has the same time.  Networks are ternary, relu:4 (sign units on 784 pixels), with
integer thresholds, 16 levels of the inputs, cross-entropy.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from constraints_random import kept
from scipy.optimize import minimize
from scipy.special import expit

from formulations import Network, TrainingProblem, Weights
from formulations.constraints import Constraint, FanIn, NonZeros, Right, Robust
from formulations.constraints.boxes import deficits, output_bounds
from qnn.data.datasets import Dataset, load
from solvers import StraightThrough, Trainer

SETS = {
    "breast_cancer": ("breast_cancer", 380, None, 8),
    "satellite": ("satellite.csv", 4000, None, 16),
    "Fashion 2 v 4": ("fashion:2,4", 8000, 49, 8),
    "Fashion 2 v 4, 196 pixels": ("fashion:2,4", 8000, 196, 64),
    "MNIST, 196 pixels": ("mnist", 8000, 196, 64),
    "Fashion 2 v 4, 784 pixels": ("fashion:2,4", 8000, None, 16),
}
"""Source, training samples, inputs, hidden units."""

SPARSE, RIGHT = list(SETS)[:3], list(SETS)[3:5]
ROBUST = ["breast_cancer", "satellite", "Fashion 2 v 4, 784 pixels"]


def chosen(given: argparse.Namespace, names: list[str]) -> list[str]:
    """Return those of some data sets that were requested."""
    return [name for name in names if not given.sets or name.startswith(given.sets)]


def data_of(name: str, given: argparse.Namespace, seed: int) -> tuple[Dataset, Network]:
    """Return a data set as a seed draws it, and its network."""
    source, samples, inputs, hidden = SETS[name]
    if source.endswith(".csv"):
        source = str(given.tables / source)
    data = load(
        source, samples=samples, inputs=inputs, levels=16, seed=seed, data_dir=given.data_dir
    )
    widths = [data.num_inputs, hidden, data.num_outputs]
    return data, Network.dense(
        widths, "sign" if name.endswith("784 pixels") else "relu:4", "ternary", "auto"
    )


def problem_of(data: Dataset, net: Network, *constraints: Constraint) -> TrainingProblem:
    return TrainingProblem(
        net, data.X_train, data.y_train, "cross-entropy", constraints=list(constraints)
    )


def accuracy(problem: TrainingProblem, weights: Weights, data: Dataset) -> float:
    return float(np.mean(problem.network.predict(weights, data.X_test) == data.y_test))


def certified(problem: TrainingProblem, weights: Weights, X: Any, y: Any, radius: int) -> Any:
    """Return which samples interval propagation proves right for all inputs within the radius."""
    low, high = Robust(X, y, radius=radius).box(problem)
    bits = problem.network.encode_bits(weights)[None]
    ends = next(iter(output_bounds(problem, bits, low, high)))[-1]
    return deficits(*ends, np.asarray(y), 1) == 0


def sparse(given: argparse.Namespace) -> list[str]:
    """Measure fan-in 6 and a tenth of the weights, against straight-through with projection."""
    lines = [
        "## Sparse networks", "",
        "| data | network, stored bits | constraint | straight-through with projection | "
        "trainer | better, equal, worse |",
        "| --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for name in chosen(given, SPARSE):
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
    """Require fifty training samples to be right that the plain network has wrong."""
    lines = [
        "", "## Fifty hard samples that must be right", "",
        "| data | network | seeds | test accuracy, plain | right of 50, `Right` | test accuracy, "
        "`Right` | difference |", "| --- | --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for name in chosen(given, RIGHT):
        rows = []
        for seed in range(given.seeds):
            data, net = data_of(name, given, seed)
            plain = problem_of(data, net)
            first = Trainer(seed=seed, time_limit=given.seconds).solve(plain)
            wrong = plain.network.predict(first.weights, data.X_train) != data.y_train
            hard = np.random.default_rng(seed).permutation(np.flatnonzero(wrong))[:50]
            X, y = data.X_train[hard], data.y_train[hard]
            problem = problem_of(data, net, Right(X, y))
            result = Trainer(seed=seed, time_limit=given.seconds).solve(problem)
            found = problem.network.predict(result.weights, X) == y
            assert result.satisfies == found.all()
            rows.append(
                (100 * accuracy(plain, first.weights, data), found.sum() + 50 - len(y),
                 100 * accuracy(problem, result.weights, data), len(y))
            )  # fmt: skip
            print(name, seed, np.round(rows[-1], 2).tolist(), flush=True)
        m, s = np.mean(rows, axis=0), np.std(rows, axis=0)
        least = int(min(row[1] for row in rows))
        gap = np.array(rows)[:, 2] - np.array(rows)[:, 0]
        lines.append(
            f"| {name} | {'-'.join(map(str, net.widths))} | {given.seeds} | {m[0]:.2f} ± {s[0]:.2f}"
            f" | {m[1]:.1f}, least {least} | {m[2]:.2f} ± {s[2]:.2f} | {gap.mean():+.2f} |"
        )
        print(lines[-1], flush=True)
    return lines


def certified_line(problem: TrainingProblem, data: Dataset) -> tuple[float, float]:
    """Return test and certified test accuracy of a line with real weights, the plain rival.

    Logistic regression on the worst inputs of each box, w = u - v with u, v >= 0, by L-BFGS-B.
    """
    ends = [Robust(X, y, radius=1).box(problem) for X, y in
            ((data.X_train, data.y_train), (data.X_test, data.y_test))]  # fmt: skip
    flat = [np.where((y > 0)[:, None], np.hstack([low, -high]), np.hstack([-high, low]))
            for (low, high), y in zip(ends, (data.y_train, data.y_test), strict=True)]  # fmt: skip
    rows, y = flat[0] / 15.0, data.y_train

    def loss(p: Any) -> Any:
        margin = rows @ p[:-1] + y * p[-1]
        slope = -expit(-margin) / len(y)
        return np.logaddexp(0, -margin).mean(), np.append(slope @ rows, slope @ y)

    bounds = [(0, None)] * rows.shape[1] + [(None, None)]
    p = minimize(loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B", bounds=bounds).x
    d, y = data.num_inputs, data.y_test
    clean = (y * (data.X_test @ (p[:d] - p[d:-1]) / 15.0 + p[-1]) > 0).mean()
    return 100 * clean, 100 * (flat[1] @ p[:-1] / 15.0 + y * p[-1] > 0).mean()


def robust(given: argparse.Namespace) -> list[str]:
    """Require right answers for all inputs within one of 16 levels, certified by intervals."""
    lines = [
        "", "## Robust networks: radius 1 of 16 levels", "",
        "| data | network | seeds | trained by | test accuracy | certified test accuracy |",
        "| --- | --- | --- | --- | --- | --- |",
    ]  # fmt: skip
    for name in chosen(given, ROBUST):
        rows = []
        for seed in range(given.seeds):
            data, net = data_of(name, given, seed)
            fan = [FanIn(24)] if data.num_inputs > 100 else []  # sums over far fewer inputs
            plain = problem_of(data, net)
            some = np.random.default_rng(seed).permutation(len(data.y_train))[:3000]
            near = Robust(data.X_train[some], data.y_train[some], radius=1)
            row = []
            for problem, solver in (
                (plain, Trainer),
                (problem_of(data, net, near, *fan), StraightThrough),
                (problem_of(data, net, near, *fan), Trainer),
            ):
                result = solver(seed=seed, time_limit=given.seconds).solve(problem)
                row.append(100 * accuracy(plain, result.weights, data))
                sure = certified(plain, result.weights, data.X_test, data.y_test, 1)
                row.append(100 * sure.mean())
            if data.num_outputs == 1:
                row += certified_line(plain, data)
            rows.append(row)
            print(name, seed, np.round(row, 2).tolist(), flush=True)
        m, s = np.mean(rows, axis=0), np.std(rows, axis=0)
        labels = [
            "plain",
            "`StraightThrough`, `Robust`",
            "`Trainer`, `Robust`",
            "line, real weights",
        ]
        for at, label in enumerate(labels[: len(m) // 2]):
            cells = [f"{m[i]:.2f} ± {s[i]:.2f}" for i in (2 * at, 2 * at + 1)]
            lines.append(
                f"| {name} | {'-'.join(map(str, net.widths))} | {given.seeds} | {label} | "
                f"{cells[0]} | {cells[1]} |"
            )
            print(lines[-1], flush=True)
    return lines


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=6.0)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--tables", type=Path, default=Path("tables"))
    parser.add_argument("--data-dir")
    parser.add_argument("--problems", type=int, default=1000)
    parser.add_argument("--parts", default="sparse,right,robust,kept")
    parser.add_argument("--sets", default="", help="those whose names begin so; all by default")
    parser.add_argument("--solver", default="", help="of the random problems: names that begin so")
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
        lines += {"sparse": sparse, "right": right, "robust": robust, "kept": kept}[part](given)
    if given.page is not None:
        given.page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
