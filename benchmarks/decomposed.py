"""The decomposed lifted problem: bounds by level, the multipliers' method, training.

    python benchmarks/decomposed.py [--only bound training] [--json FILE]

bound     Twenty small problems (noisy teachers, 4-2-1 and 3-3-1, 20 samples, cross-entropy, whose
          values lie on no grid), in blocks of four, symmetry kept: levels 1 and 2, the optimum by
          enumeration, and the rounds until a bound is within a thousandth of its final value.
training  Digits 3 v 8, 16-5-1, N = 100, blocks by an annealer: levels 1 and 2 against hedging with
          the same calls and direct annealing of the weights.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hedging import digits, main, teacher

from solvers import DecomposedQCGD, ExactSolver, ProgressiveHedging, Result, WeightAnnealing
from solvers.hedging.hedging import PenaltyBlocks
from solvers.oracles import Annealer


def rounds_until_near(result: Result, share: float = 1e-3) -> int:
    """Return the rounds until the bound is within a share of its last value."""
    bounds = result.history["bound"]
    return 1 + int(np.argmax(bounds >= bounds[-1] - share * abs(bounds[-1])))


def bound() -> dict[str, Any]:
    """Measure the bounds of twenty small problems."""
    rows = []
    for number in range(20):
        widths = (4, 2, 1) if number % 2 else (3, 3, 1)
        problem = teacher(number, widths, 20, "cross-entropy:2")
        shared: dict[str, Any] = {"block_size": 4, "symmetry": "none"}
        one = DecomposedQCGD(level=1, **shared).solve(problem)
        two = DecomposedQCGD(level=2, **shared).solve(problem)
        row = {
            "widths": "-".join(map(str, widths)),
            "optimum": ExactSolver().solve(problem).loss,
            "level 1": one.lower_bound,
            "level 2": two.lower_bound,
            "rounds 1": rounds_until_near(one),
            "rounds 2": rounds_until_near(two),
        }
        rows.append(row)
        print("  ".join(f"{v:8.4f}" if isinstance(v, float) else f"{v:>6}" for v in row.values()))
    numbers = {name: np.array([row[name] for row in rows]) for name in rows[0] if name != "widths"}
    optimum, one, two = (numbers[name] for name in ("optimum", "level 1", "level 2"))
    summary = {
        "level 2 above level 1": int((two > one + 1e-5).sum()),
        "level 2 below level 1": int((two < one - 1e-5).sum()),
        "level 1 is the optimum": int((one > optimum - 1e-5).sum()),
        "level 2 is the optimum": int((two > optimum - 1e-5).sum()),
        "bounds above the optimum": int(
            (one > optimum + 1e-9).sum() + (two > optimum + 1e-9).sum()
        ),
        "gap closed, median": [float(np.median(level / optimum)) for level in (one, two)],
        "rounds, median": {
            name: float(np.median(numbers[name])) for name in ("rounds 1", "rounds 2")
        },
    }
    for name, value in summary.items():
        print(f"{name}: {value}")
    return {"rows": rows, **summary}


def training() -> dict[str, Any]:
    """Measure losses with blocks answered by an annealer, against the rivals."""
    problem, oracle = digits(0, 16, 5, 100), Annealer(reads=5, sweeps=100)
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


if __name__ == "__main__":
    main({"bound": bound, "training": training}, __doc__.splitlines()[0])
