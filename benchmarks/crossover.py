"""From which k and N does an Ising oracle beat enumeration, and direct annealing?

    python benchmarks/crossover.py [--microseconds 100] [--json FILE]

First table, against enumeration of one restricted problem.

For k free weights of one hidden unit on N samples: seconds to enumerate the 2^k settings by
incremental forward passes; seconds to build the restricted model and its QUBO; seconds of one call
of the annealer here, and how often its best read is the block's optimum.  An oracle that takes a
given number of microseconds a call beats enumeration where building plus the call is less.

Second table, against direct annealing of the weights: its median loss and time; how many restricted
problems of k weights, each answered exactly, reach that loss; and so the most microseconds that a
call of a perfect oracle may take, building included, to be as fast.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np

from formulations import Network, TrainingProblem
from solvers import LargeNeighborhoodSearch, PenaltyMethod, WeightAnnealing
from solvers.kernels.blocks import heat_bath
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.oracles import Annealer

MOST_UPDATES = 2e10
"""Updates of a sample that a search may cost before it is given up."""


def problem(samples: int) -> TrainingProblem:
    """A noisy majority over 49 two-level inputs, 49-8-1 with thresholds."""
    rng = np.random.default_rng(0)
    X = rng.choice([-1, 1], size=(samples, 49))
    y = np.where(X[:, :9].sum(axis=1) + rng.normal(size=samples) > 0, 1, -1)
    return TrainingProblem(Network.dense([49, 8, 1], bias=True), X, y)


def measure(task: TrainingProblem, bits: np.ndarray, k: int, blocks: int) -> dict[str, float]:
    """Medians over some blocks of k weights of a hidden unit."""
    rng = np.random.default_rng(k)
    landscape = IncrementalLoss(task)
    enumerate_s, build_s, call_s, hits = [], [], [], 0
    oracle = Annealer(reads=5, sweeps=100)
    for _ in range(blocks):
        unit = rng.integers(0, 8)
        free = np.sort(unit * 50 + rng.choice(50, k, replace=False))
        restricted = task.restrict(free, bits)
        small = IncrementalLoss(restricted)
        small.set_bits(bits[free])
        order, best = np.arange(k)[None], small.moves.choice.copy()
        start = time.perf_counter()
        least, _ = heat_bath(
            small.state, small.moves, rng, order, np.zeros(1), np.zeros(1), best, np.inf, -np.inf
        )
        enumerate_s.append(time.perf_counter() - start)
        start = time.perf_counter()
        result = PenaltyMethod(oracle=oracle, iterations=1).solve(task.restrict(free, bits))
        build_s.append(time.perf_counter() - start - result.ledger.seconds)
        call_s.append(result.ledger.seconds)
        hits += result.loss <= small.loss(least) + 1e-6
    del landscape
    return {
        "k": k,
        "samples": task.num_samples,
        "variables": task.restrict(free, bits).size().num_variables,
        "enumerate_seconds": float(np.median(enumerate_s)),
        "build_seconds": float(np.median(build_s)),
        "call_seconds": float(np.median(call_s)),
        "optimal_share": hits / blocks,
    }


def rounds_to_match(task: TrainingProblem, k: int, loss: float, seeds: int) -> int | None:
    """Restricted problems of k weights that reach a loss in the median; None if too many."""
    rounds = 32
    while rounds * 2**k * task.num_samples < MOST_UPDATES:
        searches = [
            LargeNeighborhoodSearch(rounds=rounds, sizes=(k,), seed=seed) for seed in range(seeds)
        ]
        if np.median([search.solve(task).loss for search in searches]) <= loss:
            return rounds
        rounds *= 2
    return None


def against_direct_annealing(
    task: TrainingProblem, ks: list[int], flips: int, seeds: int
) -> list[dict[str, float | None]]:
    """What a call of a perfect oracle may take, for each k."""
    runs = [WeightAnnealing(flips=flips, seed=seed).solve(task) for seed in range(1 + seeds)][1:]
    loss = float(np.median([run.loss for run in runs]))
    seconds = float(np.median([run.seconds for run in runs]))
    rows: list[dict[str, float | None]] = []
    for k in ks:
        rounds = rounds_to_match(task, k, loss, seeds)
        rows.append(
            {
                "k": k,
                "samples": task.num_samples,
                "annealing_loss": loss,
                "annealing_seconds": seconds,
                "rounds": rounds,
                "microseconds_a_call": rounds and 1e6 * seconds / rounds,
            }
        )
    return rows


def second_table(options: argparse.Namespace) -> list[dict[str, float | None]]:
    """Print and return the comparison with direct annealing."""
    print(f"\n{'N':>6} {'k':>3} {'annealing':>20} {'rounds':>8}  most a call may take")
    rows = []
    for samples in options.samples:
        for row in against_direct_annealing(
            problem(samples), options.matched_k, options.flips, options.seeds
        ):
            rows.append(row)
            annealing = f"{row['annealing_loss']:g} in {row['annealing_seconds']:.3f} s"
            most = row["microseconds_a_call"]
            verdict = "not reached" if most is None else f"{most:,.0f} us"
            print(
                f"{samples:>6} {row['k']:>3} {annealing:>20} {row['rounds'] or '-':>8}  {verdict}"
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--k", type=int, nargs="+", default=[4, 8, 12, 16, 18])
    parser.add_argument("--samples", type=int, nargs="+", default=[100, 1000, 10_000])
    parser.add_argument("--microseconds", type=float, default=100.0)
    parser.add_argument("--blocks", type=int, default=5)
    parser.add_argument("--matched-k", type=int, nargs="+", default=[2, 4, 8, 12])
    parser.add_argument("--flips", type=int, default=20_000, help="of direct annealing")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    rows = []
    print(
        f"{'N':>6} {'k':>3} {'bits':>6} {'enumerate':>10} {'build':>8} {'call here':>10} "
        f"{'optimal':>8}  an oracle of {options.microseconds:g} us a call"
    )
    for samples in options.samples:
        task = problem(samples)
        bits = LargeNeighborhoodSearch(rounds=2000).solve(task).bits
        for k in options.k:
            row = measure(task, bits, k, options.blocks)
            rows.append(row)
            hardware = row["build_seconds"] + 1e-6 * options.microseconds
            here = row["build_seconds"] + row["call_seconds"]
            verdict = "wins here too" if here < row["enumerate_seconds"] else "loses"
            if verdict == "loses" and hardware < row["enumerate_seconds"]:
                verdict = "wins"
            print(
                f"{samples:>6} {k:>3} {row['variables']:>6} {row['enumerate_seconds']:>9.4f}s "
                f"{row['build_seconds']:>7.4f}s {row['call_seconds']:>9.4f}s "
                f"{row['optimal_share']:>8.0%}  {verdict}",
                flush=True,
            )
    matched = second_table(options)
    if options.json:
        options.json.write_text(json.dumps({"blocks": rows, "matched": matched}, indent=2))


if __name__ == "__main__":
    main()
