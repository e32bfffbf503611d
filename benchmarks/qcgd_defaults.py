"""Effects of QCGD's own choices: stopping, reads against sweeps, one-hot bits in presolve.

    python benchmarks/qcgd_defaults.py [--qaplib DIR] [--seeds 3] [--only NAMES] [--json FILE]

Every variant solves the same cases with the same seeds, at most 100 calls of the same number of
proposed flips: digits 3 v 8 (16 inputs, 5 hidden units, 100 samples), QAPLIB's instances of 12 to
16 places, the six families of cqm.py and two whose one-hot rows lose a bit in presolve, the
constrained models with and without repair.  Gaps are in percent of the best value known or found by
any variant; for digits, the figure is the hinge loss.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from cqm import LIBRARY, begins
from cqm_families import FAMILIES, ONE_HOTS, assignment
from qcgd_tuning import two_levels
from sharing import parser_of, write_figures

from solvers import QCGD, Candidates

Figures = dict[str, Any]
Solve = Callable[[QCGD], tuple[float, int]]
"""Returns the value that a solver finds, infinite if infeasible, and the calls that it took."""


VARIANTS: dict[str, Callable[[], dict[str, Any]]] = {
    "default": dict,
    "all 100 calls": lambda: {"stop": None},
    "all 100 calls, one-hot bits kept": lambda: {"stop": None, "one_hot": "keep"},
}


def cases(folder: Path | None, seed: int) -> Iterator[tuple[str, str, Solve, bool, float]]:
    """Return family, name, solving function, use of repair, and best known value."""
    problem = two_levels(seed)

    def train(solver: QCGD) -> tuple[float, int]:
        result = solver.solve(problem)
        return result.loss, result.ledger.calls

    yield "digits", "digits", train, True, 0.0
    models = {name: (make(seed), np.inf, name) for name, make in (FAMILIES | ONE_HOTS).items()}
    for name in () if folder is None else LIBRARY:
        models[name] = (*assignment(folder, name), "QAP")
    for name, (cqm, best, family) in models.items():

        def sample(solver: QCGD, cqm: Any = cqm) -> tuple[float, int]:
            samples = solver.sample_cqm(cqm)
            found = samples.info["infeasibility"] is None
            return samples.first.energy if found else np.inf, samples.info["oracle_calls"]

        for repair in (True, False):
            yield family + ("" if repair else ", no repair"), name, sample, repair, best


def measure(folder: Path | None, seeds: Sequence[int], only: str) -> list[Figures]:
    """Run every variant on every case."""
    runs: list[Figures] = []
    for seed in seeds:
        for family, name, solve, repair, best in cases(folder, seed):
            if not begins(family, only):
                continue
            here: list[Figures] = []
            for variant, options in VARIANTS.items():
                started = time.process_time()
                value, calls = solve(
                    QCGD(seed=seed, candidates=Candidates(repair=repair), **options())
                )
                seconds = time.process_time() - started
                here.append(
                    {"family": family, "name": name, "seed": seed, "variant": variant}
                    | {"value": value, "calls": calls, "seconds": seconds}
                )
            best = min(best, *(run["value"] for run in here))
            for run in here:
                scale = 1.0 if family == "digits" else 100.0 / max(abs(best), 1e-9)
                run["gap"] = scale * (run["value"] - best)
            print(name, seed, [(run["value"], run["calls"]) for run in here], flush=True)
            runs += here
    return runs


def table(runs: list[Figures]) -> str:
    """Format the mean gap and mean calls of every variant on every family."""
    families = list(dict.fromkeys(run["family"] for run in runs))
    lines = ["| family | " + " | ".join(VARIANTS) + " |", "|" + " --- |" * (1 + len(VARIANTS))]
    for family in families:
        cells = [family]
        for variant in VARIANTS:
            here = [r for r in runs if (r["family"], r["variant"]) == (family, variant)]
            gap, calls = (np.mean([run[name] for run in here]) for name in ("gap", "calls"))
            cells.append(f"{gap:.2f} ({calls:.0f} calls)")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure, print the table, write the figures."""
    parser = parser_of(__doc__)
    parser.add_argument("--qaplib", type=Path, help="folder with QAPLIB's .dat and .sln files")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="", help="families that begin so, comma-separated")
    asked = parser.parse_args()
    runs = measure(asked.qaplib, range(asked.seeds), asked.only)
    print(table(runs))
    write_figures(asked.json, runs)


if __name__ == "__main__":
    main()
