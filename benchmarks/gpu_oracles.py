"""Updates per second and energies of the oracles on a GPU, against the compiled annealer.

    python benchmarks/gpu_oracles.py [FOLDER] [--seconds S] [--quick] [--device cuda]

Models: a dense glass of 2,000 spins (normal couplings, Sherrington-Kirkpatrick), sparse ones of
10,000 and 100,000 spins (couplings 1 and -1, three couplers a spin).  Batches of 1 to 256 reads.
Every oracle runs the same number of sweeps; the annealer on the same machine's processor runs them
on all cores, and once more for as long as the GPU took.  Updates per second are spins times reads
of the additional sweeps of a longer call over a shorter one, which excludes the fixed cost of a
call; the seconds of a call include everything, up to energies in double precision.  Many QUBOs of
one pattern in one call: updates per second of the whole call, and the sum of their best energies.
In training: 256 walks of restricted problems (flips of 32 weights, 49-8-1, 1,000 samples) and 32
blocks of the decomposed problem (16-4-1, inputs 1 and -1), whose QUBOs of a round go to the card in
one call, and to the annealer one by one; questions per second, including all work between them.

Roofline: the least time of a sweep is the larger of its bytes over the bandwidth of a large copy
and its floating-point operations over the rate of a large product in single precision, both
measured first on the same card.  The bytes are those of the arrays that a sweep's launches read and
write, each neighbour's spin and each coupling once (``BYTES``).

After each case ``gpu_oracles.json`` and ``gpu_oracles.md`` are written to FOLDER (default $OUT, or
the working directory), so that an interrupted run leaves what it had.  It needs numpy, scipy, numba
and torch; it ends by itself before S seconds (default 420).  ``--quick``: tiny models, to test it.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from gpu_card import card, short, table

sys.path.insert(0, str(Path(__file__).parents[1]))

from solvers.oracles.base import QUBO, Oracle, Samples
from solvers.oracles.here.annealing import Annealer
from solvers.oracles.here.bifurcation import SimulatedBifurcation
from solvers.oracles.here.coherent import CoherentIsing
from solvers.oracles.here.parallel import ParallelAnnealer
from solvers.oracles.testing import every_state

BATCHES = (256, 64, 16, 1)
SHORT, LONG = 40, 240
"""Sweeps of the two calls whose difference is timed."""

ENOUGH, MOST = 0.5, 20_000
"""Minimum seconds of the difference, else a third call has more sweeps; the maximum of these."""

BYTES = {"parallel-annealer": 64, "ballistic": 86, "discrete": 94, "coherent-ising": 152}
"""Bytes per update, without couplings: float32 arrays read and written by a sweep's launches.

Annealing: numbers drawn 4, logit 8, scaled 8, fields added 8, product 8, noise 12, signs 8, and the
copies of spins in and out of the product 8.  Bifurcation: product 8, fields 8, three updates of 12,
walls 22, clipping 8, a tenth of a look (40); signs 8 more in the discrete kind.  Coherent machine:
likewise, with error variables and noise.
"""


@dataclass
class Model:
    """A spin glass as a QUBO; adding ``shift`` gives the energies of the spins."""

    name: str
    qubo: QUBO
    shift: float

    @property
    def degree(self) -> float:
        """Mean number of neighbours."""
        return 2.0 * len(self.qubo.heads) / self.qubo.num_variables


@dataclass
class Bench:
    """Results so far, their files, and the time limit."""

    folder: Path
    device: str
    ends: float
    found: dict[str, Any] = field(default_factory=dict)

    def left(self) -> float:
        """Return the seconds until the end."""
        return self.ends - time.perf_counter()

    def keep(self, row: dict[str, Any]) -> None:
        """Add a row, print it and write the files."""
        self.found.setdefault("rows", []).append(row)
        text = ", ".join(f"{key}={short(value)}" for key, value in row.items())
        print(f"[{self.left():.0f} s left for this model] {text}", flush=True)
        self.write()

    def skip(self, why: str) -> None:
        """Report a skipped case, here and in the files."""
        self.found.setdefault("skipped", []).append(why)
        print(f"skipped: {why}", flush=True)
        self.write()

    def write(self) -> None:
        """Write both files with the current results."""
        (self.folder / "gpu_oracles.json").write_text(json.dumps(self.found, indent=1))
        (self.folder / "gpu_oracles.md").write_text(table(self.found))


def glass(name: str, n: int, dense: bool) -> Model:
    """Return a dense glass, normal couplings of variance 1/n, or a sparse one, couplings +-1."""
    random = np.random.default_rng(n)
    if dense:
        heads, tails = (ends.astype(np.int64) for ends in np.triu_indices(n, 1))
        J = random.normal(size=len(heads)) / np.sqrt(n)
    else:
        pairs = np.sort(random.integers(0, n, (3 * n, 2)), axis=1)
        pairs = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
        heads, tails = np.ascontiguousarray(pairs[:, 0]), np.ascontiguousarray(pairs[:, 1])
        J = random.choice([-1.0, 1.0], len(heads))
    linear = -2.0 * (np.bincount(heads, J, n) + np.bincount(tails, J, n))
    return Model(name, QUBO(linear, heads, tails, 4.0 * J), float(J.sum()))


def oracles(device: str) -> dict[str, Callable[[int, int], Oracle]]:
    """Return the GPU oracles: name -> (reads, sweeps) -> oracle."""
    return {
        "parallel-annealer": lambda r, s: ParallelAnnealer(r, s, device=device),
        "ballistic": lambda r, s: SimulatedBifurcation(r, s, device=device),
        "discrete": lambda r, s: SimulatedBifurcation(r, s, kind="discrete", device=device),
        "coherent-ising": lambda r, s: CoherentIsing(r, s, device=device),
    }


def timed(oracle: Oracle, qubo: QUBO, number: int) -> tuple[float, Samples]:
    """Return the seconds of a call, and its samples."""
    started = time.perf_counter()
    samples = oracle.sample(qubo, np.random.SeedSequence(number))
    return time.perf_counter() - started, samples


def measure(
    bench: Bench, model: Model, name: str, make: Callable[[int, int], Oracle], reads: int
) -> dict[str, Any] | None:
    """Measure the rate between a short and a long call, and the result of the long one."""
    n = model.qubo.num_variables
    case = f"{model.name}, {reads} reads, {name}"
    if bench.left() < 15.0:
        bench.skip(f"{case}: no time left")
        return None
    try:
        first, _ = timed(make(reads, SHORT), model.qubo, 0)  # initialises libraries
        if (1.0 + LONG / SHORT) * first > bench.left() - 10.0:
            bench.skip(f"{case}: a call of {SHORT} sweeps takes {first:.1f} s")
            return None
        short = min(timed(make(reads, SHORT), model.qubo, number)[0] for number in (1, 2))
        long, samples = timed(make(reads, LONG), model.qubo, 3)
    except Exception as error:  # such as out of memory: go on with the other cases
        bench.skip(f"{case}: {type(error).__name__}: {str(error)[:200]}")
        return None
    sweep = max(long - short, 1e-6) / (LONG - SHORT)
    more = min(int(ENOUGH / sweep), MOST)
    if long - short < ENOUGH / 2 and short + ENOUGH < bench.left() - 10.0:
        more_seconds = timed(make(reads, SHORT + more), model.qubo, 4)[0] - short
        sweep = max(more_seconds, 1e-6) / more
    energies = (samples.energies + model.shift) / n
    return {
        "model": model.name,
        "variables": n,
        "degree": model.degree,
        "reads": reads,
        "oracle": name,
        "sweeps": LONG,
        "sweep_seconds": sweep,
        "updates_per_second": n * reads / sweep,
        "call_seconds": long,
        "best_energy_per_spin": float(energies[0]),
        "mean_energy_per_spin": float(energies.mean()),
    }


def floor(bench: Bench, model: Model, name: str, reads: int) -> dict[str, float]:
    """Return the minimum seconds of a sweep on this card, and the limiting resource."""
    n, card = model.qubo.num_variables, bench.found["card"]
    entries = 2.0 * len(model.qubo.heads)
    stored = 4.0 if model.degree > 0.1 * n else 8.0  # sparse adds a column index
    moved = (BYTES[name] * n * reads + stored * entries) / card["bytes_per_second"]
    computed = 2.0 * entries * reads / card["flops_per_second"]
    return {
        "floor_seconds": max(moved, computed),
        "bytes_seconds": moved,
        "flops_seconds": computed,
    }


def check(device: str) -> dict[str, float]:
    """Measure the annealer's distance from Boltzmann's shares, and how repeatable a seed is.

    A clique (swept in order) and a ring (by colours) at one temperature, 20,000 reads: three
    standard deviations of a share are 0.011.  Then the share of bits that differ between two calls
    with the same seed.
    """
    random, found, states = np.random.default_rng(0), {}, every_state(5)
    ring = np.array([0, 0, 1, 2, 3]), np.array([1, 4, 2, 3, 4])
    sparse = np.zeros(60, dtype=np.int64) + np.repeat(np.arange(12) * 5, 5)
    for name, (heads, tails) in {"clique": np.triu_indices(5, 1), "ring": ring}.items():
        linear, J = random.normal(size=5), random.normal(size=len(heads))
        qubo = QUBO(linear, heads.astype(np.int64), tails.astype(np.int64), J)
        weight = np.exp(-0.7 * qubo.energies(states))
        copies = 12 if name == "ring" else 1  # twelve rings form a sparse model
        if copies > 1:
            heads, tails = (np.tile(ends, copies) + sparse for ends in (heads, tails))
            linear, J = np.tile(linear, copies), np.tile(J, copies)
            qubo = QUBO(linear, heads.astype(np.int64), tails.astype(np.int64), J)
        oracle = ParallelAnnealer(20_000, 40, beta_range=(0.7, 0.7), device=device)
        x = oracle.sample(qubo, np.random.SeedSequence(0)).x[:, :5]
        share = np.bincount(x @ (1 << np.arange(5)), minlength=32) / 20_000
        found[name] = float(np.abs(share - weight / weight.sum()).max())
    for dense in (True, False):
        model = glass("", 300 if dense else 3000, dense)
        for name, make in oracles(device).items():
            one, other = (timed(make(8, 100), model.qubo, 0)[1].x for _ in range(2))
            found[f"{name}, {'dense' if dense else 'sparse'}"] = float((one != other).mean())
    return found


def many(bench: Bench, count: int, n: int, dense: bool, quick: bool) -> None:
    """Compare many QUBOs of one pattern in one call with the annealer, one on each core."""
    sweeps, reads = (20, 4) if quick else (200, 16)
    first, random = glass("", n, dense).qubo, np.random.default_rng(0)
    qubos = [
        QUBO(random.normal(size=n), first.heads, first.tails, random.normal(size=len(first.heads)))
        for _ in range(count)
    ]
    name = f"{count} {'dense' if dense else 'sparse'} QUBOs of {n}"
    here, seed = Annealer(reads, sweeps), np.random.SeedSequence(0)
    here.sample(qubos[0], seed)
    common = {"model": name, "reads": reads, "sweeps": sweeps}
    work = count * n * reads * sweeps

    def solved(qubo: QUBO) -> float:
        return float(here.sample(qubo, np.random.SeedSequence(1)).energies[0])

    started = time.perf_counter()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        total = sum(pool.map(solved, qubos))
    seconds = time.perf_counter() - started
    row = {"oracle": "annealer, processor", "updates_per_second": work / seconds}
    bench.keep(common | row | {"call_seconds": seconds, "sum": total})
    for label, make in oracles(bench.device).items():
        oracle: Any = make(reads, sweeps)
        if bench.left() < 15.0:
            bench.skip(f"{name}, {label}: no time left")
            continue
        try:
            oracle.sample_many(qubos[:2], seed)
            started = time.perf_counter()
            answers = oracle.sample_many(qubos, np.random.SeedSequence(1))
            seconds = time.perf_counter() - started
        except Exception as error:
            bench.skip(f"{name}, {label}: {type(error).__name__}: {str(error)[:200]}")
            continue
        row = {"oracle": label, "updates_per_second": work / seconds}
        total = float(sum(samples.energies[0] for samples in answers))
        bench.keep(common | row | {"call_seconds": seconds, "sum": total})


def side_by_side(bench: Bench, model: Model, batches: tuple[int, ...]) -> None:
    """Add a row per batch and oracle, and the processor's annealer: same sweeps, same time."""
    for reads in batches:
        here = measure(bench, model, "annealer, processor", Annealer, reads)
        if here is not None:
            bench.keep(here)
        for name, make in oracles(bench.device).items():
            row = measure(bench, model, name, make, reads)
            if row is None:
                continue
            least = floor(bench, model, name, reads)
            bench.keep(row | least | {"of_floor": least["floor_seconds"] / row["sweep_seconds"]})
            longer = name == "parallel-annealer" and reads in (batches[0], 16) and here is not None
            if longer and bench.left() > row["call_seconds"] + 15.0:
                sweeps = max(int(row["call_seconds"] / here["sweep_seconds"]), 2)
                seconds, samples = timed(Annealer(reads, sweeps), model.qubo, 3)
                energies = (samples.energies + model.shift) / model.qubo.num_variables
                bench.keep(
                    {key: row[key] for key in ("model", "variables", "degree", "reads")}
                    | {"oracle": "annealer, as long as the GPU", "sweeps": sweeps}
                    | {"call_seconds": seconds, "best_energy_per_spin": float(energies[0])}
                    | {"mean_energy_per_spin": float(energies.mean())}
                )


def in_training(bench: Bench, quick: bool) -> None:
    """Measure questions per second of walks and of blocks, one call a round or one by one."""
    from workers import teacher

    from formulations import TrainingProblem
    from solvers import DecomposedQCGD, LargeNeighborhoodSearch

    count, rounds = (8, 3) if quick else (256, 8)
    wide, narrow = teacher((49, 8, 1), 1_000), teacher((16, 4, 1), 40 if quick else 640)
    signs = TrainingProblem(narrow.network, np.where(narrow.X > 1, 1, -1), narrow.y)
    common: dict[str, Any] = {"walks": count, "sizes": (32,), "model": "flips"}
    cases = {
        f"flips of 32, {count} walks": lambda oracle, n: LargeNeighborhoodSearch(
            oracle, rounds=n * count, **common
        ).solve(wide),
        "32 blocks, decomposed": lambda oracle, n: DecomposedQCGD(
            oracle, block_size=len(signs.y) // 32, iterations=n
        ).solve(signs),
    }
    reads, sweeps = 16, 100
    for case, solve in cases.items():
        makers = {"annealer, processor": lambda r, s: Annealer(r, s, threads=1)}
        for name, make in (makers | oracles(bench.device)).items():
            if bench.left() < 15.0:
                bench.skip(f"{case}, {name}: no time left")
                continue
            try:
                solve(make(reads, sweeps), 1)
                started = time.perf_counter()
                result = solve(make(reads, sweeps), rounds)
                seconds = time.perf_counter() - started
            except Exception as error:
                bench.skip(f"{case}, {name}: {type(error).__name__}: {str(error)[:200]}")
                continue
            row = {"model": case, "reads": reads, "oracle": name, "sweeps": sweeps}
            row |= {"call_seconds": seconds, "questions_per_second": result.ledger.calls / seconds}
            bench.keep(
                row | {"loss": result.loss, "share_of_oracle": result.ledger.seconds / seconds}
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", default=os.environ.get("OUT") or ".")
    parser.add_argument("--seconds", type=float, default=420.0, help="end before that many")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"])
    parser.add_argument("--quick", action="store_true", help="tiny models, to test the script")
    options = parser.parse_args()
    try:
        import torch
    except ImportError:
        sys.exit("torch is not installed: nothing to measure")
    if options.device == "cuda" and not torch.cuda.is_available():
        print("torch finds no GPU: measuring torch on the processor instead", flush=True)
        options.device = "cpu"
    if hasattr(signal, "alarm"):  # results are already written if a case hangs
        signal.alarm(int(options.seconds) + 20)
    folder = Path(options.folder)
    folder.mkdir(parents=True, exist_ok=True)
    bench = Bench(folder, options.device, time.perf_counter() + options.seconds)

    def end() -> None:
        print(f"a call ran beyond the {options.seconds:g} s\n\n{table(bench.found)}", flush=True)
        os._exit(0)  # the files are written after every case

    last = threading.Timer(options.seconds + 5.0, end)
    last.daemon = True
    last.start()

    def warned(message: Warning | str, *_: object) -> None:
        told: list[str] = bench.found.setdefault("warnings", [])
        if str(message) not in told:
            told.append(str(message))

    warnings.showwarning = warned  # type: ignore[assignment]
    bench.found["card"] = card(options.device, options.quick)
    print(bench.found["card"], flush=True)
    try:
        bench.found["check"] = check(options.device)
        print(bench.found["check"], flush=True)
    except Exception as error:
        bench.skip(f"checks: {type(error).__name__}: {str(error)[:200]}")
    bench.write()
    started, seconds = time.perf_counter(), bench.left()
    scale = 50 if options.quick else 1
    batches = (4, 1) if options.quick else BATCHES
    for n, dense, share in ((10_000, False, 0.3), (2_000, True, 0.7), (100_000, False, 1.0)):
        name = f"{'dense' if dense else 'sparse'}, {n // scale:,}"
        bench.ends = started + share * seconds  # every model gets its share of the time
        side_by_side(bench, glass(name, n // scale, dense), batches)
        if n == 10_000:
            bench.ends += 0.1 * seconds
            for count, size, full in ((256, 180, True), (256, 1000, False)):
                many(bench, max(count // scale, 2), size // (scale // 10 or 1), full, options.quick)
            bench.ends += 0.1 * seconds
            in_training(bench, options.quick)
    print(table(bench.found))


if __name__ == "__main__":
    main()
