"""A ladder of networks from 68 to 100,000 stored bits: the default trainer and its two parts alone.

    python benchmarks/ladder.py --data DIR --json FILE [--seeds 5] [--seconds SHARE] [--page FILE]

DIR holds Fashion-MNIST (IDX files, see ``qnn.load``).  Every trainer trains the identical network
of sign units with integer thresholds (none on the smallest rung) on the same training images or
digits, 16 levels, for the same seconds of one core; a seed draws the samples and starts the
trainer.  Each contender runs as its users would run it:

- ``Trainer`` with its defaults;
- ``StraightThrough`` with its defaults, which train many small networks side by side, restarted
  with other seeds while time is left, keeping the one of lowest training loss;
- ``LargeNeighborhoodSearch`` from random networks, on the loss that suits it best: the number of
  errors, with four walks, for one output, and cross-entropy for ten.

No choice was made on test samples.  With OMP_NUM_THREADS=1 all use one thread.  Times are processor
seconds, so other work on the machine does not matter.  Every run is written to FILE at once; called
again, the script resumes.  ``--seconds 0.2`` gives a quick overview.
"""

# ruff: noqa: E402

from __future__ import annotations

import time

time.perf_counter = time.process_time  # also replaces the solvers' clock, before they are imported

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import qnn
from formulations import Network, TrainingProblem, Weights
from solvers import LargeNeighborhoodSearch, Result, StraightThrough, Trainer


@dataclass(frozen=True)
class Rung:
    """One network on one data set, and the seconds of each trainer."""

    name: str
    data: str
    samples: int | str
    widths: tuple[int, ...]
    seconds: float
    weights: str = "bipolar"
    bias: bool | str = "auto"

    def problem(self, folder: str, seed: int) -> tuple[TrainingProblem, qnn.Dataset]:
        """Return the network on a draw of the data."""
        data = qnn.load(
            self.data, data_dir=folder, samples=self.samples, inputs=self.widths[0], levels=16,
            seed=seed,
        )  # fmt: skip
        network = Network.dense(self.widths, "sign", self.weights, self.bias)
        return TrainingProblem(network, data.X_train, data.y_train, "cross-entropy"), data


RUNGS = (
    Rung("Fashion 4 v 6, 16-4-1", "fashion:4,6", 4_000, (16, 4, 1), 10, bias=False),
    Rung("Fashion 2 v 4, 49-8-1", "fashion:2,4", "all", (49, 8, 1), 10),
    Rung("Fashion, 49-16-10", "fashion", 10_000, (49, 16, 10), 10),
    Rung("digits, 64-16-10", "digits", 1_000, (64, 16, 10), 10),
    Rung("Fashion, 196-64-10", "fashion", 10_000, (196, 64, 10), 15),
    Rung("Fashion, 784-64-10, two bits", "fashion", 10_000, (784, 64, 10), 20, "uniform:2"),
)


def trainer(problem: TrainingProblem, seed: int, seconds: float) -> tuple[Weights, str]:
    """Run the default trainer; return the recipe that it chose."""
    result = Trainer(seed=seed, time_limit=seconds).solve(problem)
    return result.weights, result.info["recipe"]


def straight_through(problem: TrainingProblem, seed: int, seconds: float) -> tuple[Weights, str]:
    """Run gradients alone; return the number of runs within the time."""
    began, left = time.perf_counter(), seconds
    runs: list[Result] = []
    while not runs or left > (seconds - left) / len(runs):
        solver = StraightThrough(seed=seed + 1_000 * len(runs), time_limit=left)
        runs.append(solver.solve(problem))
        left = seconds - (time.perf_counter() - began)
    return min(runs, key=lambda run: run.loss).weights, f"{len(runs)} runs"


def search(problem: TrainingProblem, seed: int, seconds: float) -> tuple[Weights, str]:
    """Run restricted problems alone; return the loss that they minimise."""
    one = problem.network.num_outputs == 1
    loss = "zero-one" if one else "cross-entropy"
    own = TrainingProblem(problem.network, problem.X, problem.y, loss)
    # Eight weights of four levels at once would take longer than the whole limit.
    sizes = (2, 4, 6, 8) if problem.network.layers[0].code.bits == 1 else (1, 2, 3, 4)
    solver = LargeNeighborhoodSearch(
        sizes=sizes, walks=4 if one else 1, seed=seed, time_limit=seconds
    )
    return solver.solve(own).weights, loss


TRAINERS: dict[str, Callable[[TrainingProblem, int, float], tuple[Weights, str]]] = {
    "default trainer": trainer,
    "straight-through": straight_through,
    "restricted problems": search,
}


def measured(rung: Rung, name: str, seed: int, folder: str, share: float) -> dict[str, Any]:
    """Return one run's figures."""
    problem, data = rung.problem(folder, seed)
    began = time.perf_counter()
    weights, how = TRAINERS[name](problem, seed, share * rung.seconds)
    seconds = time.perf_counter() - began
    network = problem.network
    return {
        "rung": rung.name,
        "bits": network.stored_bits,
        "samples": problem.num_samples,
        "trainer": name,
        "seed": seed,
        "how": how,
        "train": float((network.predict(weights, data.X_train) == data.y_train).mean()),
        "test": float((network.predict(weights, data.X_test) == data.y_test).mean()),
        "seconds": seconds,
    }


def page(rows: list[dict[str, Any]], seeds: int) -> str:
    """Return the table in Markdown."""
    header = ["network", "stored bits", "samples", "samples a bit", "seconds"]
    header += [*TRAINERS, "lead over the better, points", "recipe taken"]
    lines = [" | ".join(["", *header, ""]).strip(), "| --- " * len(header) + "|"]
    for rung in RUNGS:
        found = [row for row in rows if row["rung"] == rung.name]
        by = {n: [row for row in found if row["trainer"] == n] for n in TRAINERS}
        if not all(by.values()):
            continue
        tests = {n: [row["test"] for row in own] for n, own in by.items()}
        middle = {n: statistics.median(own) for n, own in tests.items()}
        ours, *others = middle.values()
        cells = [
            f"{'**' if m == max(middle.values()) else ''}{m:.4f}"
            f"{'**' if m == max(middle.values()) else ''} ({min(tests[n]):.3f} - "
            f"{max(tests[n]):.3f})"
            for n, m in middle.items()
        ]
        taken = [row["how"] for row in by["default trainer"]]
        recipes = ", ".join(f"{taken.count(how)} {how}" for how in sorted(set(taken)))
        bits, samples = found[0]["bits"], found[0]["samples"]
        about = [rung.name, f"{bits:,}", f"{samples:,}", f"{samples / bits:.1f}"]
        lead = f"{100 * (ours - max(others)):+.2f}"
        cells = [*about, f"{rung.seconds:g}", *cells, lead, recipes]
        lines.append("| " + " | ".join(cells) + " |")
    return (
        "# The ladder\n\n"
        "`python benchmarks/ladder.py --data DIR --json FILE --page FILE`: medians of the test "
        f"accuracy of {seeds} seeds (least and greatest in brackets), equal seconds of one core."
        "\n\n" + "\n".join(lines) + "\n"
    )


def main() -> None:
    """Run what is missing, and print the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True, metavar="DIR")
    parser.add_argument("--json", type=Path, required=True)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="share of each rung's time")
    parser.add_argument("--rungs", type=int, nargs="*", default=range(1, len(RUNGS) + 1))
    given = parser.parse_args()
    rows = json.loads(given.json.read_text()) if given.json.exists() else []
    done = {(row["rung"], row["trainer"], row["seed"]) for row in rows}
    tiny = TrainingProblem(Network.dense([2, 2, 1], bias=True), [[1, -1], [1, 1]], [1, -1])
    wide = TrainingProblem(Network.dense([2, 2, 3]), np.ones((3, 2)), [0, 1, 2], "cross-entropy")
    for problem in (tiny, wide):  # compile before the clock runs
        LargeNeighborhoodSearch(rounds=50).solve(problem)
        StraightThrough(epochs=1).solve(problem)
    for seed in range(given.seeds):
        for rung in (RUNGS[number - 1] for number in given.rungs):
            for name in TRAINERS:
                if (rung.name, name, seed) in done:
                    continue
                rows.append(measured(rung, name, seed, given.data, given.seconds))
                given.json.write_text(json.dumps(rows, indent=1) + "\n")
                print(rows[-1], flush=True)
    text = page(rows, given.seeds)
    print(text)
    if given.page:
        given.page.write_text(text)


if __name__ == "__main__":
    main()
