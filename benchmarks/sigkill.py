"""Kill runs with SIGKILL at random moments, and compare their results with undisturbed runs.

    python benchmarks/sigkill.py [--kills 50] [--seed 0] [--json FILE]

Every iterative solver runs in its own process, with a checkpoint after every step.  A process is
killed after a random time and restarted with the same arguments until it ends.  Then its bits,
loss, status, bound, history and ledger (without clocks) must equal those of an undisturbed run, bit
for bit.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
from sharing import parser_of, write_figures
from sklearn.datasets import load_digits

from formulations import Network, TrainingProblem

CLOCKS = {"oracle_seconds"}


def digits(inputs: int, hidden: int, samples: int) -> TrainingProblem:
    """Return digits 3 v 8, pooled to inputs x inputs."""
    X, y = load_digits(return_X_y=True)
    chosen = np.random.default_rng(0).permutation(np.flatnonzero((y == 3) | (y == 8)))[:samples]
    size = 8 // inputs
    pooled = X[chosen].reshape(-1, inputs, size, inputs, size).sum(axis=(2, 4))
    pooled = pooled.reshape(-1, inputs * inputs)
    network = Network.dense([inputs * inputs, hidden, 1])
    return TrainingProblem(network, pooled, np.where(y[chosen] == 8, 1, -1))


def cases() -> dict[str, tuple[Callable[..., Any], TrainingProblem]]:
    """Return solvers, and problems that keep them busy for a second or two."""
    from solvers.classical.random_features import RandomFeatures
    from solvers.classical.straight_through.solver import StraightThrough
    from solvers.decomposed.decomposed import DecomposedQCGD
    from solvers.hedging.hedging import ProgressiveHedging
    from solvers.neighborhood.search import LargeNeighborhoodSearch
    from solvers.oracles import Annealer
    from solvers.qcgd.penalty import PenaltyMethod
    from solvers.qcgd.qcgd import QCGD
    from solvers.weight_annealing import WeightAnnealing

    large, middle, small = digits(4, 3, 300), digits(4, 2, 50), digits(2, 3, 60)
    oracle = Annealer(reads=2, sweeps=20)
    return {
        "WeightAnnealing": (lambda **o: WeightAnnealing(300_000, 5, **o), large),
        "StraightThrough": (lambda **o: StraightThrough(200, **o), large),
        "RandomFeatures": (lambda **o: RandomFeatures(300, **o), large),
        "LargeNeighborhoodSearch": (lambda **o: LargeNeighborhoodSearch(rounds=40_000, **o), large),
        "LargeNeighborhoodSearch, oracle": (
            lambda **o: LargeNeighborhoodSearch(oracle, rounds=60, **o),
            middle,
        ),
        "QCGD": (lambda **o: QCGD(oracle, iterations=60, **o), middle),
        "PenaltyMethod": (lambda **o: PenaltyMethod(oracle, iterations=80, **o), middle),
        "ProgressiveHedging": (
            lambda **o: ProgressiveHedging(rounds=60, restarts=5, symmetry="fix", **o),
            small,
        ),
        "DecomposedQCGD": (lambda **o: DecomposedQCGD(level=2, symmetry="none", **o), small),
    }


# -- one run, in a process of its own -------------------------------------------------------------


def work(name: str, folder: str, out: str) -> None:
    """Solve, with a checkpoint in ``folder`` unless it is empty, and write the result."""
    make, problem = cases()[name]
    options = {"checkpoint": folder, "checkpoint_every": 0} if folder else {}
    print("begun", flush=True)
    started = time.perf_counter()
    result = make(**options).solve(problem)
    seconds = time.perf_counter() - started
    columns = result.history.columns
    content = {
        "bits": result.bits.tolist(),
        "loss": result.loss.hex(),
        "status": result.status.value,
        "bound": None if result.lower_bound is None else float(result.lower_bound).hex(),
        "history": {k: [x.hex() for x in v] for k, v in columns.items() if k not in CLOCKS},
        "ledger": [result.ledger.calls, result.ledger.reads],
    }
    record = {"content": content, "steps": len(result.history), "seconds": seconds}
    Path(out).write_text(json.dumps(record))


def start(name: str, folder: str, out: Path) -> subprocess.Popen[str]:
    """Start a process; return it once it has begun to solve."""
    command = [sys.executable, __file__, "--worker", name, folder, str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


# -- kills ----------------------------------------------------------------------------------------


@dataclass
class Row:
    """Outcome of one solver's runs."""

    solver: str
    steps: int = 0
    seconds: float = 0.0
    kills: int = 0
    in_a_save: int = 0
    before_the_first: int = 0
    runs: int = 0
    equal: int = 0


def measure(name: str, kills: int, chance: random.Random) -> Row:
    """Kill runs of one solver until there are enough kills; then let the last one end."""
    row = Row(name)
    with tempfile.TemporaryDirectory() as place:
        out = Path(place) / "out.json"
        if start(name, "", out).wait() != 0:
            raise SystemExit(f"{name} fails without any kill")
        alone = json.loads(out.read_text())
        row.steps = alone["steps"]
        if start(name, str(Path(place) / "whole"), out).wait() != 0:
            raise SystemExit(f"{name} fails with a checkpoint")
        row.seconds = json.loads(out.read_text())["seconds"]
        while row.kills < kills:
            row.runs += 1
            folder = Path(place) / f"run{row.runs}"
            ended = False
            while not ended:
                process = start(name, str(folder), out)
                if row.kills < kills:
                    time.sleep(chance.uniform(0, row.seconds / 2))
                    process.send_signal(signal.SIGKILL)
                code = process.wait()
                if code == -signal.SIGKILL:
                    row.kills += 1
                    row.in_a_save += any(folder.glob("*.tmp"))
                    row.before_the_first += not (folder / "checkpoint.npz").exists()
                elif code != 0:
                    raise SystemExit(f"{name} ended with code {code} after {row.kills} kills")
                ended = code == 0
            row.equal += json.loads(out.read_text())["content"] == alone["content"]
    return row


def main() -> None:
    """Kill, print the table, write the figures."""
    parser = parser_of(__doc__)
    parser.add_argument("--kills", type=int, default=50, help="kills in all")
    parser.add_argument("--seed", type=int, default=0, help="of the moments")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        work(*arguments.worker)
        return
    chance, names = random.Random(arguments.seed), list(cases())
    heads = ["steps", "seconds", "kills", "in a save", "before 1st", "runs", "equal"]
    print(f"{'solver':34}" + "".join(f"{head:>11}" for head in heads))
    rows = []
    for number, name in enumerate(names):
        share = arguments.kills * (number + 1) // len(names) - arguments.kills * number // len(
            names
        )
        row = measure(name, share, chance)
        rows.append(row)
        values = [getattr(row, field.name) for field in fields(row)][1:]
        shown = [f"{v:.2f}" if isinstance(v, float) else str(v) for v in values]
        print(f"{name:34}" + "".join(f"{value:>11}" for value in shown), flush=True)
    kills, runs, equal = (sum(getattr(r, f) for r in rows) for f in ("kills", "runs", "equal"))
    print(f"{kills} kills; {equal} of {runs} killed runs ended as if they had been left alone")
    write_figures(arguments.json, [vars(row) for row in rows])
    if equal < runs:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
