"""The decomposed lifted problem: its bounds by level, its multipliers' method, training, workers.

    python benchmarks/decomposed.py [--only bound training workers] [--json FILE]

bound     Twenty small problems (noisy teachers, 4-2-1 and 3-3-1, 20 samples, cross-entropy, whose
          values lie on no grid), in blocks of four, symmetry kept: levels 1 and 2, the Frank-Wolfe
          bound of hedging after 250 rounds, and the optimum by enumeration; and the rounds until a
          bound is within a thousandth of its last value, by box steps and by Frank-Wolfe.
training  Digits 3 v 8, 16-5-1, N = 100, blocks by an annealer: levels 1 and 2 beside hedging with
          the same calls and direct annealing of the weights.
workers   Time of a round on one and two worker processes, and by the model
          T(w) = c + ceil(K / w) (b + m): c outside the blocks, b a block, m sending it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from dataclasses import replace
from math import ceil
from typing import Any

import numpy as np

import qnn
from formulations import Network, TrainingProblem
from solvers import DecomposedQCGD, ExactSolver, ProgressiveHedging, Result, WeightAnnealing
from solvers.hedging.hedging import PenaltyBlocks
from solvers.oracles import Annealer


def teacher(seed: int, widths: tuple[int, ...]) -> TrainingProblem:
    """Labels of a random network, one in ten turned; losses on no grid."""
    rng = np.random.default_rng(seed)
    network = Network.dense(widths, activation="sign")
    X = rng.integers(-2, 3, (20, widths[0]))
    plain = TrainingProblem(network, X, np.ones(20))
    out = plain.pre_activations(rng.integers(0, 2, (1, network.num_weight_bits)))[-1][0, :, 0]
    y = np.where(out >= 0, 1, -1) * np.where(rng.random(20) < 0.1, -1, 1)
    return TrainingProblem(network, X, y, loss="cross-entropy:2")


def rounds_until_near(result: Result, share: float = 1e-3) -> int:
    """Rounds until the bound is within a share of its last value."""
    bounds = result.history["bound"]
    return 1 + int(np.argmax(bounds >= bounds[-1] - share * abs(bounds[-1])))


def bound() -> dict[str, Any]:
    """Bounds of twenty small problems."""
    rows = []
    for number in range(20):
        widths = (4, 2, 1) if number % 2 else (3, 3, 1)
        problem = teacher(number, widths)
        shared: dict[str, Any] = {"block_size": 4, "symmetry": "none"}
        one = DecomposedQCGD(level=1, **shared).solve(problem)
        two = DecomposedQCGD(level=2, **shared).solve(problem)
        hedged = ProgressiveHedging(variant="frank-wolfe", rounds=250, **shared).solve(problem)
        row = {
            "widths": "-".join(map(str, widths)),
            "optimum": ExactSolver().solve(problem).loss,
            "level 1": one.lower_bound,
            "frank-wolfe": hedged.lower_bound,
            "level 2": two.lower_bound,
            "rounds 1": rounds_until_near(one),
            "rounds fw": rounds_until_near(hedged),
            "rounds 2": rounds_until_near(two),
        }
        rows.append(row)
        print("  ".join(f"{v:8.4f}" if isinstance(v, float) else f"{v:>6}" for v in row.values()))
    numbers = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "widths"}
    optimum, one, two = (numbers[name] for name in ("optimum", "level 1", "level 2"))
    summary = {
        "largest |level 1 - frank-wolfe|": float(np.abs(one - numbers["frank-wolfe"]).max()),
        "level 2 above level 1": int((two > one + 1e-5).sum()),
        "level 2 below level 1": int((two < one - 1e-5).sum()),
        "level 1 is the optimum": int((one > optimum - 1e-5).sum()),
        "level 2 is the optimum": int((two > optimum - 1e-5).sum()),
        "bounds above the optimum": int(
            (one > optimum + 1e-9).sum() + (two > optimum + 1e-9).sum()
        ),
        "gap closed, median": [float(np.median(level / optimum)) for level in (one, two)],
        "rounds, median": {
            name: float(np.median(numbers[name])) for name in ("rounds 1", "rounds fw", "rounds 2")
        },
    }
    for name, value in summary.items():
        print(f"{name}: {value}")
    return {"rows": rows, **summary}


def digits(samples: int) -> TrainingProblem:
    """Digits 3 v 8, 16 inputs, 5 hidden units."""
    data = qnn.load("digits:3,8", samples=samples, inputs=16, seed=0)
    network = Network.dense([16, 5, 1], activation="sign")
    return TrainingProblem(network, data.X_train, data.y_train)


def training() -> dict[str, Any]:
    """Losses by blocks that an annealer answers, beside the rivals."""
    problem, oracle = digits(100), Annealer(reads=5, sweeps=100)
    solvers = {
        "level 1": DecomposedQCGD(oracle, 1, iterations=20),
        "level 2": DecomposedQCGD(oracle, 2, iterations=20),
        "hedging": ProgressiveHedging(PenaltyBlocks(oracle), rounds=20),
        "direct annealing": WeightAnnealing(),
    }
    figures = {}
    for name, solver in solvers.items():
        results = [replace(solver, seed=seed).solve(problem) for seed in range(3)]
        losses, seconds = [r.loss for r in results], [r.seconds for r in results]
        figures[name] = {"losses": losses, "seconds": float(np.median(seconds))}
        calls = results[0].ledger.calls
        print(f"{name:18} losses {losses}, {calls} calls, {np.median(seconds):.2f} s")
    return figures


def workers() -> dict[str, Any]:
    """One and two worker processes in turns, and the model of more."""
    problem = digits(80)
    solver = DecomposedQCGD(Annealer(reads=20, sweeps=200, threads=1), block_size=10, iterations=4)
    best = dict.fromkeys((0, 1, 2), np.inf)
    for _ in range(2):
        for count in best:
            clock: list[float] = []
            one = replace(solver, callbacks=(lambda p, c=clock: c.append(p.seconds),))
            if count:
                one = replace(one, executor="processes", workers=count)
            blocks = int(one.solve(problem).info["blocks"])
            best[count] = min(best[count], float(np.diff(clock)[1:].min()))
    clock = []
    least = replace(solver, oracle=Annealer(reads=1, sweeps=1, threads=1))
    replace(least, callbacks=(lambda p, c=clock: c.append(p.seconds),)).solve(problem)
    idle = float(np.diff(clock)[1:].min())
    block = max(best[0] - idle, 0.0) / blocks
    sending = max(best[1] - best[0], 0.0) / blocks

    def model(count: int) -> float:
        return idle + ceil(blocks / count) * (block + sending)

    print(f"serial {best[0]:.3f} s, one worker {best[1]:.3f} s, two {best[2]:.3f} s a round")
    print(f"{blocks} blocks; c = {idle:.4f}, b = {block:.4f}, m = {sending:.5f} s")
    told = {count: model(count) for count in (1, 2, 4, 8, 16)}
    print("by the model: " + ", ".join(f"{count}: {t:.3f} s" for count, t in told.items()))
    about = {"load": os.getloadavg()[0], "cores": os.cpu_count(), "blocks": blocks}
    return {"seconds": best, "model": told, "c": idle, "b": block, "m": sending, **about}


PARTS = {"bound": bound, "training": training, "workers": workers}


def main() -> None:
    """Measure, print, write the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--json", metavar="FILE", help="write all figures to FILE")
    arguments = parser.parse_args()
    figures: dict[str, Any] = {"python": platform.python_version()}
    for name in arguments.only:
        print(f"\n{name}")
        figures[name] = PARTS[name]()
    if arguments.json:
        from formulations.files.saved import atomic_write

        with atomic_write(arguments.json) as file:
            file.write(json.dumps(figures, indent=1).encode())


if __name__ == "__main__":
    main()
