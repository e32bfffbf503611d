"""Time of a round on one and two workers, and a model's prediction for more.

    python benchmarks/workers.py [--processes 1 2] [--only NAME ...] [--repeats 3] [--markdown FILE]

Every case does the same work on any number of workers, so its rounds can be compared one by one.  A
round's time is the minimum over the repeats.  A case's time is the mean over its rounds after the
first, which starts workers and is listed separately.  Beyond two workers, with K tasks a round,

    T(w) = c + K m + ceil(K / w) b        [Amdahl 1967, with the task overhead counted as serial]

c is the time of a round outside its tasks and b that of a task, both measured without workers; m is
the additional time per task with one worker process.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np

from formulations import Network, TrainingProblem
from solvers import (
    QCGD,
    Candidates,
    DecomposedQCGD,
    LargeNeighborhoodSearch,
    ProgressiveHedging,
)
from solvers.hedging.hedging import AnnealedBlocks, PenaltyBlocks
from solvers.oracles import Annealer
from solvers.run import executors

MODELLED = (2, 4, 8, 16)
ORACLE = Annealer(reads=5, sweeps=40, threads=1)


def teacher(widths: Sequence[int], samples: int) -> TrainingProblem:
    """Return inputs of four levels, and the labels of a random network."""
    rng = np.random.default_rng(0)
    network = Network.dense(widths, activation="sign")
    X = rng.integers(0, 4, (samples, widths[0]))
    plain = TrainingProblem(network, X, np.ones(samples))
    out = plain.pre_activations(rng.integers(0, 2, (1, network.num_weight_bits)))[-1][0, :, 0]
    return TrainingProblem(network, X, np.where(out >= 0, 1, -1))


SMALL, MIDDLE = teacher((16, 4, 1), 1_000), teacher((49, 8, 1), 1_000)
CASES: dict[str, tuple[Any, TrainingProblem]] = {
    "hedging, blocks annealed": (
        ProgressiveHedging(AnnealedBlocks(flips=5_000), block_size=50, rounds=6),
        SMALL,
    ),
    "hedging, blocks as penalty QUBOs": (
        ProgressiveHedging(PenaltyBlocks(ORACLE), block_size=50, rounds=4),
        SMALL,
    ),
    "decomposed, blocks as lifted QUBOs": (
        DecomposedQCGD(ORACLE, block_size=50, iterations=4),
        SMALL,
    ),
    "walks, enumerated": (LargeNeighborhoodSearch(walks=8, rounds=100_000), MIDDLE),
    "walks, flips to the annealer": (
        LargeNeighborhoodSearch(ORACLE, walks=8, rounds=240, sizes=(32,), model="flips"),
        MIDDLE,
    ),
    "walks, states to the annealer": (
        LargeNeighborhoodSearch(ORACLE, walks=8, rounds=64, sizes=(4, 8), variables=1_000),
        MIDDLE,
    ),
    "qcgd, sources polished in 4 parts": (
        QCGD(ORACLE, iterations=8, stop=None, candidates=Candidates(parts=4)),
        teacher((49, 8, 1), 100),
    ),
}


class Clock:
    """Ends of rounds and seconds in their tasks; number of tasks, in a round and at once."""

    def __init__(self) -> None:
        self.ends, self.tasks, self.count, self.at_once = [time.perf_counter()], [0.0], 0, 1
        self.round = 0

    def tick(self, progress: Any) -> None:
        """Record the end of a round, but not a better candidate within one."""
        if progress.iteration > self.round:
            self.round = progress.iteration
            self.ends.append(time.perf_counter())
            self.tasks.append(0.0)

    def timed(self, ask: Any) -> Any:
        """Return ``Team.ask`` with timing."""

        def timed_ask(team: Any, function: Any, tasks: Any, seconds: Any = None) -> Any:
            began = time.perf_counter()
            answers = ask(team, function, tasks, seconds)
            self.tasks[-1] += time.perf_counter() - began
            self.count += len(tasks)
            self.at_once = len(tasks)
            return answers

        return timed_ask


def run_once(solver: Any, problem: TrainingProblem) -> tuple[Any, ...]:
    """Return seconds of rounds and of tasks, both numbers of tasks, and the loss as a check."""
    clock, ask = Clock(), executors.Team.ask
    executors.Team.ask = clock.timed(ask)
    try:
        loss = replace(solver, callbacks=(clock.tick,)).solve(problem).loss
    finally:
        executors.Team.ask = ask
    rounds = np.diff(clock.ends)
    inside, count = np.array(clock.tasks[: len(rounds)]), clock.count / len(rounds)
    return rounds, inside, (count, clock.at_once), loss


def with_workers(solver: Any, options: dict[str, Any]) -> Any:
    """Return the solver on an executor, which for QCGD is that of its candidates."""
    if isinstance(solver, QCGD):
        return replace(solver, candidates=replace(solver.candidates, **options))
    return replace(solver, **options)


def measure(
    solver: Any, problem: TrainingProblem, repeats: int, processes: Sequence[int]
) -> dict[str, Any]:
    """Measure round, start-up and parts of the model of one case."""
    run_once(solver, problem)  # compiles
    kinds: dict[str, dict[str, Any]] = {"none": {}}
    kinds |= {str(n): {"executor": "processes", "workers": n} for n in processes}
    kinds["2 threads"] = {"executor": "threads", "workers": 2}
    best: dict[str, list[Any]] = {}
    for _ in range(repeats):
        for kind, options in kinds.items():
            rounds, tasks, (count, at_once), loss = run_once(with_workers(solver, options), problem)
            known = best.setdefault(kind, [rounds, tasks, loss])
            assert loss == known[2] == best["none"][2], "workers have changed the result"
            known[:2] = np.minimum(known[0], rounds), np.minimum(known[1], tasks)
    seconds = {kind: float(rounds[1:].mean()) for kind, (rounds, *_) in best.items()}
    inside = float(best["none"][1][1:].mean())
    c, b = seconds["none"] - inside, inside / count
    m = max(seconds["1"] - seconds["none"], 0.0) / count
    starts = float(best["2"][0][0] - best["none"][0][0])
    several = {w: count / at_once * ceil(at_once / w) for w in MODELLED}
    model = {w: c + count * m + several[w] * b for w in MODELLED}
    return {"seconds": seconds, "starts": starts, "tasks": count, "c": c, "b": b, "m": m} | {
        "model": model
    }


def page(figures: dict[str, dict[str, Any]]) -> str:
    """Return two tables, in milliseconds."""
    kinds = list(next(iter(figures.values()))["seconds"])
    lines = [
        f"| milliseconds a round, by workers | tasks | {' | '.join(kinds)} | 2 against none "
        "| start of 2 |",
        f"|---|{'---:|' * (len(kinds) + 3)}",
    ]
    for name, f in figures.items():
        times = [1e3 * seconds for seconds in f["seconds"].values()]
        gain = f["seconds"]["none"] / f["seconds"]["2"]
        lines.append(
            f"| {name} | {f['tasks']:.0f} | {' | '.join(f'{t:.1f}' for t in times)} | {gain:.2f} "
            f"| {1e3 * f['starts']:.0f} |"
        )
    lines += [
        "",
        f"| by the model | c | b | m | {' | '.join(f'T({w})' for w in MODELLED)} "
        f"| {MODELLED[-1]} against none |",
        f"|---|{'---:|' * (4 + len(MODELLED))}",
    ]
    for name, f in figures.items():
        shown = [f["c"], f["b"], f["m"], *f["model"].values()]
        lines.append(
            f"| {name} | {' | '.join(f'{1e3 * t:.2f}' for t in shown)} "
            f"| {f['seconds']['none'] / f['model'][MODELLED[-1]]:.1f} |"
        )
    about = f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    return "\n".join([*lines, "", f"{about}, Python {platform.python_version()}."])


def main() -> None:
    """Measure, print, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--processes", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--markdown", type=Path)
    arguments = parser.parse_args()
    figures = {}
    for name in arguments.only:
        figures[name] = measure(*CASES[name], arguments.repeats, arguments.processes)
        print(f"{name}: {figures[name]}", file=sys.stderr, flush=True)
    print(text := page(figures))
    if arguments.markdown:
        arguments.markdown.write_text(text + "\n")


if __name__ == "__main__":
    main()
