"""Progressive hedging: bounds on small problems, consensus, time per round.

    python benchmarks/hedging.py [--only bound consensus growth] [--json FILE]

bound      Twenty small problems, ten of digits 3 v 8 (4-3-1, images pooled to 4 pixels of two
           levels, 30 samples) and ten of noisy teachers (5-2-1, inputs -2 .. 2, 30 samples, one
           label in ten turned), in blocks of ten, against the optimum that CP-SAT proves.
consensus  Digits 3 v 8, 16-5-1, N = 300: rounds, disagreement and losses with several solvers of
           blocks, without a start and from a quick annealing; beside them direct annealing.
growth     Time of a round in blocks of 50 samples for N = 500 .. 8,000 (random data, 16-4-1).
"""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import workers
from sharing import parser_of, write_figures

import qnn
from formulations import Network, TrainingProblem
from solvers.exact import ExactSolver
from solvers.hedging.hedging import AnnealedBlocks, PenaltyBlocks, ProgressiveHedging, QcgdBlocks
from solvers.oracles import Annealer
from solvers.qcgd.qcgd import QCGD
from solvers.run.result import Status
from solvers.weight_annealing import WeightAnnealing

SOLVERS = {
    "hedging": ProgressiveHedging(block_size=10),
    "hedging, symmetry kept": ProgressiveHedging(block_size=10, symmetry="none"),
}

BLOCKS: dict[str, tuple[int, Any]] = {
    "annealing of the weights": (30, AnnealedBlocks(flips=5000, restarts=1)),
    "annealing, larger blocks": (100, AnnealedBlocks(flips=5000, restarts=1)),
    "penalty QUBO": (30, PenaltyBlocks(Annealer(reads=5, sweeps=200))),
    "QCGD": (30, QcgdBlocks(QCGD(Annealer(reads=5, sweeps=50), iterations=10))),
}


def digits(seed: int, inputs: int, hidden: int, samples: int) -> TrainingProblem:
    """Return digits 3 v 8, pooled to two-level pixels."""
    data = qnn.load("digits:3,8", samples=samples, inputs=inputs, seed=seed)
    network = Network.dense([inputs, hidden, 1], activation="sign")
    return TrainingProblem(network, data.X_train, data.y_train)


def teacher(
    seed: int, widths: Sequence[int] = (5, 2, 1), samples: int = 30, loss: str = "hinge"
) -> TrainingProblem:
    """Return a random network's labels, one in ten of them flipped."""
    rng = np.random.default_rng(seed)
    network = Network.dense(widths, activation="sign")
    X = rng.integers(-2, 3, (samples, widths[0]))
    plain = TrainingProblem(network, X, np.ones(samples))
    out = plain.pre_activations(rng.integers(0, 2, (1, network.num_weight_bits)))[-1][0, :, 0]
    y = np.where(out >= 0, 1, -1) * np.where(rng.random(samples) < 0.1, -1, 1)
    return TrainingProblem(network, X, y, loss=loss)


def bound() -> dict[str, Any]:
    """Compare the bound and the best visited point with the optimum."""
    cases = [(f"digits {seed}", digits(seed, 4, 3, 30)) for seed in range(10)]
    cases += [(f"teacher {seed}", teacher(seed)) for seed in range(10)]
    print(f"{'':12}{'optimum':>8}" + "".join(f"{name:>28}" for name in SOLVERS))
    print(f"{'':20}" + f"{'loss   bound  rounded':>28}" * len(SOLVERS))
    rows = []
    for name, problem in cases:
        exact = ExactSolver(method="cp-sat").solve(problem)
        assert exact.status is Status.OPTIMAL
        row: dict[str, Any] = {"problem": name, "optimum": exact.loss}
        text = f"{name:12}{exact.loss:8g}"
        for label, solver in SOLVERS.items():
            result = solver.solve(problem)
            raw = float(result.history["bound"].max())
            row[label] = {
                "loss": result.loss,
                "bound": raw,
                "lower_bound": result.lower_bound,
                "rounds": result.info["rounds"],
                "seconds": result.seconds,
            }
            text += f"{result.loss:12g}{raw:8.2f}{result.lower_bound:8g}"
        rows.append(row)
        print(text, flush=True)
    for label in SOLVERS:
        above = sum(row[label]["lower_bound"] > row["optimum"] + 1e-9 for row in rows)
        positive = sum(row[label]["bound"] > 1e-6 for row in rows)
        optimal = sum(row[label]["loss"] == row["optimum"] for row in rows)
        proven = sum(row[label]["lower_bound"] >= row["optimum"] for row in rows)
        print(
            f"{label}: bound above the optimum {above}, above zero {positive}, best visited point "
            f"optimal {optimal}, proven so {proven}, of {len(rows)}"
        )
    return {"problems": rows}


def consensus() -> dict[str, Any]:
    """Measure the disagreement of the copies at N = 300, and the best visited point."""
    rows = []
    heads = ("loss", "mean's loss", "disagreement", "rounds", "seconds", "agreed")
    print(f"{'':34}" + "".join(f"{head:>14}" for head in heads))
    for seed in range(3):
        problem = digits(seed, 16, 5, 300)
        quick = WeightAnnealing(flips=2000, seed=seed).solve(problem)
        for flips in (2000, 20_000, 200_000):
            direct = WeightAnnealing(flips=flips, seed=seed).solve(problem)
            print(f"{f'{seed}: direct annealing, {flips:,} flips':34}{direct.loss:14g}")
        for name, (size, blocks) in BLOCKS.items():
            for start in (None, quick):
                solver = ProgressiveHedging(
                    blocks, block_size=size, rounds=60, start=start, seed=seed, time_limit=60.0
                )
                result = solver.solve(problem)
                history = result.history
                row = {
                    "seed": seed,
                    "blocks": name,
                    "block_size": size,
                    "start": None if start is None else start.loss,
                    "loss": result.loss,
                    "mean_loss": float(history["mean_loss"][-1]),
                    "disagreement": float(history["disagreement"][-1]),
                    "rounds": result.info["rounds"],
                    "seconds": result.seconds,
                    "consensus": result.info["consensus"],
                    "why": result.info["why"],
                }
                rows.append(row)
                label = f"{seed}: {name}{'' if start is None else f', from {start.loss:g}'}"
                print(
                    f"{label:34}{row['loss']:14g}{row['mean_loss']:14g}{row['disagreement']:14.3f}"
                    f"{row['rounds']:14}{row['seconds']:14.1f}{row['consensus']!s:>14}",
                    flush=True,
                )
                print(f"    {row['why']}")
    return {"runs": rows}


def times_of_rounds(
    solver: ProgressiveHedging, problem: TrainingProblem
) -> npt.NDArray[np.float64]:
    """Return the seconds of each round except the first, which prepares."""
    clock: list[float] = []

    def tick(progress: Any) -> None:
        clock.append(time.perf_counter())

    replace(solver, callbacks=(tick,)).solve(problem)
    return np.diff(clock)


def growth() -> dict[str, Any]:
    """Measure the time of a round as N grows, in blocks of 50 samples."""
    rows = []
    print(f"{'N':>8}" + "".join(f"{name:>28}" for name in ("annealed blocks", "penalty QUBO")))
    for samples in (500, 1000, 2000, 4000, 8000):
        problem = workers.teacher((16, 4, 1), samples)
        times = [
            float(
                np.median(
                    times_of_rounds(ProgressiveHedging(blocks, block_size=50, rounds=6), problem)
                )
            )
            for blocks in (AnnealedBlocks(2000, 1), PenaltyBlocks(Annealer(reads=2, sweeps=50)))
        ]
        rows.append({"samples": samples, "annealed": times[0], "penalty": times[1]})
        print(
            f"{samples:8,}" + "".join(f"{t:14.3f} s {1e3 * t / samples:8.3f} ms/N" for t in times)
        )
    powers = {}
    for name in ("annealed", "penalty"):
        logs = np.log([[row["samples"], row[name]] for row in rows]).T
        powers[name] = float(np.polyfit(*logs, 1)[0])
    print(f"time of a round grows as N^{powers['annealed']:.2f} and N^{powers['penalty']:.2f}")
    return {"rows": rows, "powers": powers}


PARTS: dict[str, Callable[[], dict[str, Any]]] = {
    "bound": bound,
    "consensus": consensus,
    "growth": growth,
}


def main(parts: Mapping[str, Callable[[], dict[str, Any]]], what: str) -> None:
    """Measure, print, write the figures."""
    parser = parser_of(what)
    parser.add_argument("--only", nargs="+", choices=list(parts), default=list(parts))
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"python": platform.python_version()}
    for name in arguments.only:
        print(f"\n{name}")
        figures[name] = parts[name]()
    write_figures(arguments.json, figures)


if __name__ == "__main__":
    main(PARTS, __doc__.splitlines()[0])
