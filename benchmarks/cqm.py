"""Constrained models: QCGD against penalty weights, CP-SAT, and repair alone.

    python benchmarks/cqm.py FOLDER [--qaplib DIR] [--seeds 10] [--only NAMES] [--quick]

Every method with an oracle has the same calls x reads x sweeps of the same annealer.  Every method
is also evaluated at the time that QCGD without repair took.  Times are processor seconds of one
thread, so other work on the machine does not matter, except for CP-SAT's limit, which is
wall-clock. A family's instance is drawn from the seed; QAPLIB's instances are fixed, and the seed
only starts the solver.  Gaps are in percent of QAPLIB's best known value, or of the best of all
runs here.

FOLDER gets cqm.json with every run and cqm.md with the tables.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import dimod
import numpy as np
from cqm_families import FAMILIES, assignment
from cqm_report import markdown

from formulations.cqm.presolved import Presolved
from formulations.model.qcbo import QCBO
from solvers import QCGD, Candidates, PenaltyMethod
from solvers.cp_sat import solve_qcbo
from solvers.oracles import Annealer
from solvers.oracles.base import QUBO, Samples
from solvers.qcgd.scoring import ModelScoring
from solvers.run.run import Progress

CQM = dimod.ConstrainedQuadraticModel
Trace = list[tuple[float, float]]

WEIGHTS = (0.5, 4.0, 16.0, 64.0, 256.0)
"""Penalty weights, in units of QCGD's scale."""

LIBRARY = ("chr12a", "had12", "nug12", "tai12a", "chr15a", "nug15", "tai15a", "had16")


@dataclass(frozen=True)
class Budget:
    """Calls, reads and sweeps of every method with an oracle; seconds of CP-SAT."""

    calls: int = 100
    reads: int = 10
    sweeps: int = 500
    seconds: float = 2.0


@dataclass
class Outcome:
    """Best objective of one run; None if nothing feasible was found."""

    family: str
    instance: str
    method: str
    seed: int
    value: float | None
    seconds: float
    oracle_seconds: float
    trace: Trace
    """Seconds and objective of each improvement."""
    best: float = 0.0

    def value_after(self, seconds: float) -> float | None:
        """Return the best objective after a number of seconds."""
        return min((value for at, value in self.trace if at <= seconds), default=None)

    def gap(self, value: float | None) -> float:
        """Return the gap above the best known value in percent."""
        if value is None:
            return float("inf")
        return 100.0 * (value - self.best) / max(abs(self.best), 1e-9)


class Watch:
    """Record when a run's incumbent improved, once it satisfies all rows."""

    def __init__(self, model: QCBO) -> None:
        self.ceiling = ModelScoring(model).ceiling
        self.trace: Trace = []
        self.started = time.process_time()

    def __call__(self, progress: Progress) -> bool:
        best = self.trace[-1][1] if self.trace else self.ceiling
        if progress.loss < best or (not self.trace and progress.loss <= best):
            self.trace.append((time.process_time() - self.started, progress.loss))
        return False


Method = Callable[[CQM, QCBO, Budget, int], tuple[Trace, float, float]]
"""Function from a model, as CQM and presolved, and a seed to the trace and seconds, also of the
oracle."""


def solver(make: Callable[..., Any], **options: Any) -> Method:
    """Build QCGD or the penalty method with some options."""

    def method(cqm: CQM, model: QCBO, budget: Budget, seed: int) -> tuple[Trace, float, float]:
        watch = Watch(model)
        oracle = Annealer(budget.reads, budget.sweeps)
        instance = make(
            oracle=oracle, iterations=budget.calls, seed=seed, callbacks=(watch,), **options
        )
        started = time.process_time()
        info = instance.sample_cqm(cqm).info
        return watch.trace, time.process_time() - started, info["oracle_seconds"]

    return method


class FromNothing:
    """Oracle that draws random states, so that all success is due to repair."""

    def __init__(self, reads: int) -> None:
        self.reads = reads

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Return random bits."""
        x = np.random.default_rng(seed).integers(0, 2, (self.reads, qubo.num_variables))
        energies = qubo.energies(x)
        order = np.argsort(energies, kind="stable")
        return Samples(x[order].astype(np.int8), energies[order], 0.0)


def repair_alone(cqm: CQM, model: QCBO, budget: Budget, seed: int) -> tuple[Trace, float, float]:
    """Repair as many random states as the others have reads."""
    watch = Watch(model)
    started = time.process_time()
    QCGD(
        oracle=FromNothing(budget.reads),
        iterations=budget.calls,
        stop=None,
        seed=seed,
        callbacks=(watch,),
    ).sample_cqm(cqm)
    return watch.trace, time.process_time() - started, 0.0


def dimods_own(cqm: CQM, model: QCBO, budget: Budget, seed: int) -> tuple[Trace, float, float]:
    """Run ``dimod.cqm_to_bqm`` with its default multiplier, and the same annealer."""
    started = time.process_time()
    bqm, invert = dimod.cqm_to_bqm(cqm)
    qubo, order = _qubo(bqm)
    oracle, trace, best, spent = Annealer(budget.reads, budget.sweeps), [], float("inf"), 0.0
    for t in range(budget.calls):
        samples = oracle.sample(qubo, np.random.SeedSequence(seed, spawn_key=(t,)))
        spent += samples.seconds
        rows = [invert(dict(zip(order, x.tolist(), strict=True))) for x in samples.x]
        answer = dimod.SampleSet.from_samples_cqm(rows, cqm)
        good = answer.record.energy[answer.record.is_feasible]
        if len(good) and good.min() < best:
            best = float(good.min())
            trace.append((time.process_time() - started, best))
    return trace, time.process_time() - started, spent


def _qubo(bqm: dimod.BinaryQuadraticModel) -> tuple[QUBO, list[Any]]:
    """Return a BQM as a QUBO, and its variables in order."""
    order = list(bqm.variables)
    linear, (i, j, values), _ = bqm.change_vartype("BINARY", inplace=False).to_numpy_vectors(
        variable_order=order
    )
    heads, tails = np.minimum(i, j).astype(np.int64), np.maximum(i, j).astype(np.int64)
    sort = np.lexsort((tails, heads))
    return QUBO(np.asarray(linear), heads[sort], tails[sort], np.asarray(values)[sort]), order


def cp_sat(cqm: CQM, model: QCBO, budget: Budget, seed: int) -> tuple[Trace, float, float]:
    """Run CP-SAT with one worker and a time limit."""
    started = time.process_time()
    found = solve_qcbo(model, time_limit=budget.seconds, seed=seed, workers=1).x
    seconds = time.process_time() - started
    trace = [] if found is None else [(seconds, float(model.objective(found)))]
    return trace, seconds, 0.0


METHODS: dict[str, Method] = {
    "QCGD": solver(QCGD, stop=None),
    "QCGD without repair": solver(QCGD, stop=None, candidates=Candidates(repair=False)),
    "QCGD without repair or warm starts": solver(
        QCGD, stop=None, candidates=Candidates(fresh=1, repair=False)
    ),
    "repair of random states": repair_alone,
    "cqm_to_bqm": dimods_own,
    "CP-SAT": cp_sat,
    **{f"penalty {w:g}": solver(PenaltyMethod, penalty=w) for w in WEIGHTS},
    **{
        f"penalty {w:g}, warm": solver(
            PenaltyMethod, penalty=w, candidates=Candidates(repair=False)
        )
        for w in WEIGHTS
    },
    **{
        f"penalty {w:g}, warm, repaired": solver(PenaltyMethod, penalty=w, candidates=Candidates())
        for w in WEIGHTS
    },
}


Case = tuple[str, str, int, CQM, float | None]
"""Family, instance, seed, model and best known value."""


def instances(folder: Path | None, seeds: int, quick: bool) -> Iterator[Case]:
    """Yield all instances; those of QAPLIB if its folder is given."""
    for name in () if folder is None else LIBRARY[1:3] if quick else LIBRARY:
        cqm, best = assignment(folder, name)
        for seed in range(seeds):
            yield "QAP", name, seed, cqm, best
    for family, make in FAMILIES.items():
        for seed in range(seeds):
            yield family, f"{family} {seed}", seed, make(seed), None


def begins(name: str, prefixes: str) -> bool:
    """Return True if a name begins with one of the comma-separated prefixes."""
    return any(name.startswith(prefix) for prefix in prefixes.split(","))


def measure(
    cases: list[Case], budget: Budget, methods: dict[str, Method]
) -> Iterator[list[Outcome]]:
    """Run every method on every instance, one after the other."""
    for family, name, seed, cqm, known in cases:
        model = Presolved.of(cqm).model
        here = []
        for method_name, method in methods.items():
            trace, seconds, spent = method(cqm, model, budget, seed)
            value = trace[-1][1] if trace else None
            here.append(Outcome(family, name, method_name, seed, value, seconds, spent, trace))
        values = [known] if known is not None else [o.value for o in here if o.value is not None]
        best = min(values, default=float("nan"))
        for outcome in here:
            outcome.best = best
        first = here[0]
        print(f"{name} seed {seed}: {first.method} {first.gap(first.value):.2f} %", flush=True)
        yield here


def main() -> None:
    """Measure, print the tables, write them and every run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where cqm.json and cqm.md go")
    parser.add_argument("--qaplib", type=Path, help="folder with QAPLIB's .dat and .sln files")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument(
        "--only", default="", help="methods whose names begin with one of these, comma-separated"
    )
    parser.add_argument(
        "--families", default="", help="the same for families, and instances of QAPLIB"
    )
    parser.add_argument("--quick", action="store_true", help="two seeds, a fifth of the calls")
    options = parser.parse_args()
    seeds = min(options.seeds, 2) if options.quick else options.seeds
    budget = Budget(calls=20, seconds=1.0) if options.quick else Budget()
    started = time.perf_counter()
    chosen = {name: method for name, method in METHODS.items() if begins(name, options.only)}
    cases = [  # by seed, so that a long run covers all families before it is stopped
        case
        for case in sorted(instances(options.qaplib, seeds, options.quick), key=lambda c: c[2])
        if begins(case[0], options.families) or begins(case[1], options.families)
    ]
    if not cases:
        parser.error("no instances: QAP needs --qaplib")
    QCGD(iterations=2).sample_cqm(FAMILIES["set packing"](0))  # one-time compilation and loading
    options.folder.mkdir(parents=True, exist_ok=True)
    outcomes: list[Outcome] = []
    for more in measure(cases, budget, chosen):  # keep finished runs if this is stopped
        outcomes += more
        text = markdown(outcomes, asdict(budget), time.perf_counter() - started)
        (options.folder / "cqm.md").write_text(text)
        figures = {"budget": asdict(budget), "runs": [asdict(outcome) for outcome in outcomes]}
        (options.folder / "cqm.json").write_text(json.dumps(figures))
    print(text)


if __name__ == "__main__":
    main()
