"""Restricted problems by an oracle or enumeration, against rivals at equal processor time.

    python benchmarks/restricted_search.py --data DIR [--seeds 3] [--scale 1.0] [--json FILE]

DIR holds Fashion-MNIST (IDX files or NPZ, see ``qnn.load``).  Three rungs of the ladder: 16-4-1 (4
against 6, 1,000 samples), 49-8-1 (2 against 4, 1,000 samples) and 196-64-10 (ten classes, 10,000
samples), +-1 weights with thresholds, hinge loss.  ``states`` and ``flips`` are the two forms in
which a restricted problem goes to the annealer here (5 reads of 100 sweeps); ``own ms`` is the time
of a round without the oracle's answer.  Seconds are processor time of one core, so other work on
the machine matters little.  First calls, which compile, are not counted.

    python benchmarks/restricted_search.py --data DIR --as-sources

This adds both forms as a source of the hybrid search (QCGD over the whole model, which is small
enough with few samples).  Each batch starts a walk at a member of the pool, asks the annealer a few
questions and returns the best weights found, which are polished like any source's points.
"""

from __future__ import annotations

import time

from sharing import parser_of, write_figures

time.perf_counter = time.process_time  # before the solvers' clocks are created

import argparse  # noqa: E402
import statistics  # noqa: E402
from dataclasses import fields, replace  # noqa: E402
from functools import partial  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

import qnn  # noqa: E402
from formulations import Network, TrainingProblem  # noqa: E402
from solvers import QCGD, Candidates, LargeNeighborhoodSearch, WeightAnnealing  # noqa: E402
from solvers.neighborhood.asking import OracleWalk  # noqa: E402
from solvers.neighborhood.neighborhoods import POLICIES, policy  # noqa: E402
from solvers.neighborhood.population import Segment, Worker, advance  # noqa: E402
from solvers.oracles import Annealer  # noqa: E402
from solvers.qcgd.sources.table import SOURCES  # noqa: E402

MODELS = ["states", "flips"]
RUNGS = [  # name, data, samples, inputs, hidden, seconds
    ("16-4-1", "fashion:4,6", 1_000, 16, 4, 4.0),
    ("49-8-1", "fashion:2,4", 1_000, 49, 8, 6.0),
    ("196-64-10", "fashion", 10_000, 196, 64, 16.0),
]
HYBRID = [  # like RUNGS, with few samples
    ("16-4-1, N = 200", "fashion:4,6", 200, 16, 4, 5.0),
    ("49-8-1, N = 100", "fashion:2,4", 100, 49, 8, 5.0),
    ("16-8-10, N = 200", "fashion", 200, 16, 8, 5.0),
]
SEARCHES: dict[str, dict[str, Any]] = {
    "enumerated": {"sizes": (1, 2, 4)},
    "states, 2,000 variables": {"sizes": (4, 8), "variables": 2_000},
    "states, 180 variables": {"sizes": (4, 8), "variables": 180},
    "flips of 32": {"sizes": (32,), "model": "flips"},
    "flips of 180": {"sizes": (180,), "model": "flips"},
}


def search(name: str, **options: Any) -> LargeNeighborhoodSearch | None:
    """Return a search by its name; None if this version lacks the model."""
    options |= SEARCHES[name]
    if "model" in options and "model" not in [f.name for f in fields(LargeNeighborhoodSearch)]:
        return None
    oracle = None if name == "enumerated" else Annealer(reads=5, sweeps=100)
    return LargeNeighborhoodSearch(oracle, **options)


def annealed(problem: TrainingProblem, seed: int, seconds: float) -> Any:
    """Run direct annealing that cools down once within the time."""
    probe = WeightAnnealing(flips=10**9, time_limit=0.1 * seconds, seed=seed).solve(problem)
    flips = int(probe.info["flips_per_second"] * seconds)
    return WeightAnnealing(flips=flips, time_limit=1.2 * seconds, seed=seed).solve(problem)


def measure(problem: TrainingProblem, name: str, seed: int, seconds: float) -> dict[str, float]:
    """Return the loss, rounds, and the oracle's share of the time."""
    if name == "direct annealing":
        result = annealed(problem, seed, seconds)
        return {"loss": result.loss, "seconds": result.seconds}
    chosen = search(name, time_limit=seconds, seed=seed)
    if chosen is None:
        return {}
    result = chosen.solve(problem)
    rounds = result.info["rounds"]
    own = result.seconds - result.ledger.seconds
    return {
        "loss": result.loss,
        "seconds": result.seconds,
        "rounds_a_second": rounds / result.seconds,
        "oracle_ms": 1e3 * result.ledger.seconds / max(result.ledger.calls, 1),
        "own_ms": 1e3 * own / max(rounds, 1),
        "variables": float(result.info.get("num_variables", 0)),
    }


class WeightsByOracle:
    """Source of :mod:`solvers.qcgd.sources`: restricted problems around the pool's members."""

    repaired, questions = False, 4

    def __init__(self, problem: TrainingProblem, model: str) -> None:
        walk = partial(OracleWalk, problem, model, None, 500 if model == "states" else None)
        sizes = (32,) if model == "flips" else (4, 8)
        arms = [(policy(name), size) for name in POLICIES for size in sizes]
        self.worker, self.effort = Worker(walk, arms, Annealer(reads=5, sweeps=100)), 0.0
        self.look = 2 + problem.num_samples // 16  # for one network, counted as in Polish

    def points(self, pool: Any, rng: np.random.Generator) -> Any:
        """Return the best weights found on a short walk from a member."""
        start = self.worker.begin(pool.draw(rng, 1)[0], np.random.default_rng(rng.integers(2**31)))
        segment = Segment(start.snapshot, 1e-9, self.questions)
        (end,) = advance(self.worker, [segment])
        sizes = np.array(end.tally.sizes, dtype=float)
        passes = sizes * (sizes + 1) / 2 if sizes.max(initial=0.0) <= 32 else 40 * sizes
        swept = 0.2 * 5 * 100 * (sizes + 2 * sizes)  # the annealer, counted as in Shares
        self.effort = float((passes * self.look + swept).sum())
        return end.best_bits[None]

    def learn(self, gains: Any) -> None:
        """Do nothing."""

    def snapshot(self) -> dict[str, Any]:
        """Return no state."""
        return {}

    def restore(self, snapshot: Any) -> None:
        """Do nothing."""


def as_sources(options: argparse.Namespace) -> None:
    """Compare the hybrid search without, with either, and with both forms among its sources."""
    for model in MODELS:
        SOURCES[model] = lambda target, size, model=model: WeightsByOracle(target.problem, model)
    usual = ("oracle", "perturbation", "relinking")
    kinds = {
        "without": usual,
        **{f"with {model}": (*usual, model) for model in MODELS},
        "with both": (*usual, *MODELS),
        "without the oracle's, direct annealing": (),
    }
    rows = []
    for name, source, samples, inputs, hidden, seconds in HYBRID:
        if name not in options.rungs:
            continue
        losses: dict[str, list[float]] = {kind: [] for kind in kinds}
        shares: dict[str, list[float]] = {kind: [] for kind in kinds}
        for seed in range(options.first, options.first + options.seeds):
            data = qnn.load(
                source, data_dir=options.data, samples=samples, inputs=inputs, levels=4, seed=seed
            )
            network = Network.dense([inputs, hidden, data.num_outputs], bias=True)
            problem = TrainingProblem(network, data.X_train, data.y_train)
            for kind, sources in kinds.items():
                limit = options.scale * seconds
                if not sources:
                    losses[kind].append(annealed(problem, seed, limit).loss)
                    continue
                solver = QCGD(
                    candidates=Candidates(sources=sources),
                    iterations=None,
                    seed=seed,
                    time_limit=limit,
                )
                if seed == options.first:
                    replace(solver, time_limit=2.0).solve(problem)  # compiles
                result = solver.solve(problem)
                losses[kind].append(result.loss)
                told = result.info["sources"]
                spent = sum(one["seconds"] for one in told.values())
                shares[kind].append(sum(told[m]["seconds"] for m in MODELS if m in told) / spent)
        for kind, found in losses.items():
            share = statistics.median(shares[kind]) if shares[kind] else 0.0
            rows.append({"problem": name, "sources": kind, "losses": found, "share": share})
            print(
                f"{name + ', ' + kind:52}{statistics.median(found):>8,.0f}  {share:5.0%}  {found}",
                flush=True,
            )
    write_figures(options.json, rows)


def main() -> None:
    """Measure, print the table, write the figures."""
    parser = parser_of(__doc__)
    parser.add_argument("--data", required=True)
    parser.add_argument("--rungs", nargs="+", default=[rung[0] for rung in RUNGS + HYBRID])
    parser.add_argument("--solvers", nargs="+", default=[*SEARCHES, "direct annealing"])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, default=0, help="seed, of the sources")
    parser.add_argument("--scale", type=float, default=1.0, help="of the seconds")
    parser.add_argument("--as-sources", action="store_true", help="of the hybrid search")
    options = parser.parse_args()
    if options.as_sources:
        return as_sources(options)
    rows: list[dict[str, Any]] = []
    print(f"{'':36}{'loss':>9}{'rounds/s':>10}{'own ms':>8}{'oracle ms':>10}{'bits':>6}")
    for rung, source, samples, inputs, hidden, seconds in RUNGS:
        if rung not in options.rungs:
            continue
        problems = []
        for seed in range(options.seeds):
            data = qnn.load(
                source, data_dir=options.data, samples=samples, inputs=inputs, levels=4, seed=seed
            )
            network = Network.dense([inputs, hidden, data.num_outputs], bias=True)
            problems.append(TrainingProblem(network, data.X_train, data.y_train))
        for name in options.solvers:
            if name == "direct annealing":
                WeightAnnealing(flips=100).solve(problems[0])
            elif (first := search(name, rounds=500 if name == "enumerated" else 8)) is not None:
                first.solve(problems[0])
            runs = [
                measure(problem, name, seed, options.scale * seconds)
                for seed, problem in enumerate(problems)
            ]
            if not runs[0]:
                continue
            row = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            rows.append({"rung": rung, "solver": name, **row, "losses": [r["loss"] for r in runs]})
            print(
                f"{rung + ', ' + name:36}{row['loss']:>9,.0f}"
                f"{row.get('rounds_a_second', 0):>10,.0f}"
                f"{row.get('own_ms', 0):>8.2f}{row.get('oracle_ms', 0):>10.2f}"
                f"{row.get('variables', 0):>6.0f}",
                flush=True,
            )
            write_figures(options.json, rows)


if __name__ == "__main__":
    main()
