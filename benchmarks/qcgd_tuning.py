"""Contributions of QCGD's parts: hinge loss at an equal budget, against penalty weights.

    python benchmarks/qcgd_tuning.py [--seeds 5] [--json FILE]
    python benchmarks/qcgd_tuning.py --seconds 2 --seeds 10 [--json FILE]

Digits 3 v 8 pooled to 16 inputs, 5 hidden sign units, 100 samples, on two levels or with the sums
0 .. 64 unchanged; and the three classes of wine, 90 samples on two levels.  Every line has the same
reads x sweeps of the same annealer, and every read is scored.  ``penalty, warm`` lies between the
two: the fixed QUBO of the penalty method, started from the best candidates like QCGD, but without
multipliers.

With ``--seconds``, QCGD with defaults, its oracle alone and direct annealing get equal time on
pairs of digits, wine and iris, and a table shows the oracle's contribution to QCGD's result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any
from unittest.mock import patch

import numpy as np
from sharing import parser_of, write_figures
from sklearn.datasets import load_digits

from formulations import Network, TrainingProblem
from qnn.data.datasets import load
from qnn.runs.tables import markdown_table
from solvers import QCGD, Candidates, LiftedRows, PenaltyMethod, WeightAnnealing
from solvers.oracles import Annealer
from solvers.qcgd import candidates as search

ITERATIONS, READS, SWEEPS = 100, 10, 20
"""As in ``make demo-solvers``."""

PENALTIES = [0.3, 1.0, 3.0, 10.0]
Method = Callable[[TrainingProblem, int], float]


def two_levels(seed: int) -> TrainingProblem:
    """Threshold pooled pixels at their median."""
    data = load("digits:3,8", samples=100, inputs=16, levels=2, seed=seed)
    return TrainingProblem(Network.dense([16, 5, 1]), data.X_train, data.y_train)


def sums(seed: int) -> TrainingProblem:
    """Return pooled pixels unchanged, 0 .. 64: words of ten bits."""
    X, y = load_digits(return_X_y=True)
    chosen = np.random.default_rng(seed).permutation(np.flatnonzero((y == 3) | (y == 8)))[:100]
    pooled = X[chosen].reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, 16)
    return TrainingProblem(Network.dense([16, 5, 1]), pooled, np.where(y[chosen] == 8, 1, -1))


def wine(seed: int) -> TrainingProblem:
    """Return three classes, with columns thresholded at their median."""
    data = load("wine", samples=90, levels=2, seed=seed)
    return TrainingProblem(Network.dense([13, 5, 3]), data.X_train, data.y_train)


def qcgd(guesses: int = search.GUESSES, **options: Any) -> Method:
    """Run QCGD with some options changed, and a number of random networks in its initial pool."""

    def method(problem: TrainingProblem, seed: int) -> float:
        oracle = Annealer(READS, SWEEPS)
        solver = QCGD(oracle=oracle, iterations=ITERATIONS, stop=None, seed=seed, **options)
        with patch.object(search, "GUESSES", guesses):
            return solver.solve(problem).loss

    return method


def penalty(weight: float, fresh: int = 1) -> Method:
    """Run the penalty method at one weight, with ``fresh`` calls from random states."""

    def method(problem: TrainingProblem, seed: int) -> float:
        oracle = Annealer(READS, SWEEPS)
        solver = PenaltyMethod(
            oracle,
            penalty=weight,
            iterations=ITERATIONS,
            candidates=Candidates(fresh=fresh, repair=False),
            seed=seed,
        )
        return solver.solve(problem).loss

    return method


METHODS: dict[str, Method] = {
    "QCGD": qcgd(),
    "QCGD, every call from random states": qcgd(candidates=Candidates(fresh=1)),
    "QCGD, no random networks in the pool": qcgd(guesses=0),
    "QCGD, multipliers y fixed": qcgd(lifted=LiftedRows(dual_step=0.0)),
    **{f"penalty {weight:g}": penalty(weight) for weight in PENALTIES},
    **{f"penalty {weight:g}, warm": penalty(weight, fresh=10) for weight in PENALTIES},
}


def table(
    name: str, make: Callable[[int], TrainingProblem], seeds: Sequence[int]
) -> list[dict[str, Any]]:
    """Return the losses of every method on one data set."""
    problems = [make(seed) for seed in seeds]
    print(f"{name}: {ITERATIONS} calls x {READS} reads x {SWEEPS} sweeps")
    results = []
    for method_name, method in METHODS.items():
        started = time.perf_counter()
        losses = [method(problem, seed) for seed, problem in zip(seeds, problems, strict=True)]
        seconds = (time.perf_counter() - started) / len(losses)
        listed = ", ".join(f"{loss:g}" for loss in losses)
        print(
            f"  {method_name:38} {listed:24} median {np.median(losses):4g}  {seconds:.1f} s",
            flush=True,
        )
        results.append({"data": name, "method": method_name, "losses": losses, "seconds": seconds})
    return results


PAIRS = [f"digits:{pair}" for pair in ("0,1", "3,8", "4,9")]
"""Chosen before any run."""


def timed(seconds: float, seeds: Sequence[int]) -> list[dict[str, Any]]:
    """Measure losses at equal time: 90 samples, 16-5-1 or 5 hidden units with more classes."""
    results, rows, none = [], [], Candidates(sources=("oracle",))
    for name in [*PAIRS, "wine", "iris"]:
        losses: dict[str, list[float]] = {"qcgd": [], "its oracle alone": [], "annealing": []}
        sources: list[dict[str, dict[str, Any]]] = []
        for seed in seeds:
            pooled = {"inputs": 16} if name in PAIRS else {}
            data = load(name, samples=90, levels=2, seed=seed, **pooled)
            outputs = 1 if name in PAIRS else 3
            net = Network.dense([data.X_train.shape[1], 5, outputs])
            problem = TrainingProblem(net, data.X_train, data.y_train)
            common: dict[str, Any] = {"seed": seed, "time_limit": seconds}
            whole = QCGD(iterations=None, **common).solve(problem)
            alone = QCGD(iterations=None, candidates=none, **common).solve(problem)
            direct = WeightAnnealing(**common).solve(problem)
            for own, result in zip(losses.values(), (whole, alone, direct), strict=True):
                own.append(result.loss)
            sources.append(whole.info["sources"])
        met = sum(
            one["oracle"]["best"] <= loss for one, loss in zip(sources, losses["qcgd"], strict=True)
        )
        share = np.median(
            [
                one["oracle"]["seconds"] / sum(part["seconds"] for part in one.values())
                for one in sources
            ]
        )
        medians = [f"{np.median(own):g}" for own in losses.values()]
        not_above = int(np.sum(np.array(losses["qcgd"]) <= losses["annealing"]))
        rows.append(
            [
                name,
                *medians,
                f"{not_above} of {len(sources)}",
                f"{share:.0%}",
                f"{met} of {len(sources)}",
            ]
        )
        print(rows[-1], flush=True)
        results.append({"data": name, "losses": losses, "sources": sources})
    columns = [
        "data",
        *losses,
        "qcgd at most annealing",
        "time of the oracle",
        "oracle met the best",
    ]
    print(markdown_table(columns, rows))
    return results


def main() -> None:
    """Measure, print the tables, write the figures."""
    parser = parser_of(__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="number of draws of the data")
    parser.add_argument("--seconds", type=float, help="of every run: the table at equal time")
    arguments = parser.parse_args()
    seeds = range(arguments.seeds)
    figures = (
        timed(arguments.seconds, seeds)
        if arguments.seconds
        else [
            row
            for name, make in (("two levels", two_levels), ("wine", wine), ("sums", sums))
            for row in table(name, make, seeds)
        ]
    )
    write_figures(arguments.json, figures)


if __name__ == "__main__":
    main()
