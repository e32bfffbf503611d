"""QCGD with an exact oracle on random small CQMs of all kinds: how often it finds the optimum.

    python benchmarks/cqm_correctness.py [--models 2000] [--iterations 200] [--json FILE]

The models come from tests/cqms.py: bits, spins, integers and one-hots; linear, quadratic and soft
rows; integer, fractional and irregular coefficients.  dimod.ExactCQMSolver determines feasibility
and optimality.  A model whose QUBO has more than ``--bits`` connected bits is too large for an
exact oracle and is redrawn.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import time
from collections import Counter
from pathlib import Path

import dimod
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as hypothesis_seed
from sharing import parser_of, write_figures

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from formulations.errors import InvalidInputError  # noqa: E402
from solvers import QCGD, Candidates  # noqa: E402
from solvers.oracles import ExactOracle  # noqa: E402
from tests.cqms import cqms, optimum, verdict  # noqa: E402


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--models", type=int, default=2000)
    parser.add_argument("--iterations", type=int, default=200)
    parser.add_argument("--bits", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=3600, help="Stop and report after these.")
    parser.add_argument("--no-repair", action="store_true", help="What the oracle finds alone.")
    parser.add_argument("--show", type=int, default=0, help="Print this many models that failed.")
    asked = parser.parse_args()
    oracle = ExactOracle(max_variables=asked.bits)
    candidates = Candidates(repair=not asked.no_repair)
    solver = QCGD(oracle=oracle, iterations=asked.iterations, candidates=candidates)
    counts: Counter[str] = Counter()
    seen: set[bytes] = set()
    calls: list[int] = []
    bits: list[int] = []
    failed: list[tuple[str, dimod.ConstrainedQuadraticModel]] = []
    started = time.perf_counter()

    @hypothesis_seed(asked.seed)
    @settings(
        max_examples=10 * asked.models,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(cqms(min_variables=3, max_variables=5, min_rows=1, max_rows=4))
    def solve(cqm: dimod.ConstrainedQuadraticModel) -> None:
        if len(seen) >= asked.models or time.perf_counter() - started > asked.seconds:
            raise KeyboardInterrupt  # hypothesis lets this through
        with cqm.to_file() as file:
            key = file.read()
        if key in seen:
            return
        try:
            samples = solver.sample_cqm(cqm)
        except InvalidInputError as error:
            counts["too large" if "states to enumerate" in str(error) else "refused by name"] += 1
            return
        seen.add(key)
        outcome = verdict(cqm, samples, optimum(cqm))
        counts[outcome] += 1
        calls.append(samples.info["oracle_calls"])
        bits.append(samples.info.get("num_variables", 0))
        if not outcome.startswith("right"):
            failed.append((outcome, cqm))

    with contextlib.suppress(KeyboardInterrupt):
        solve()
    seconds = time.perf_counter() - started
    right = sum(count for outcome, count in counts.items() if outcome.startswith("right"))
    print(f"{len(seen)} distinct models, {seconds:.0f} s, {asked.iterations} iterations at most")
    asked_for = [number for number in calls if number]
    print(
        f"{len(calls) - len(asked_for)} decided by presolve; the others took a median of "
        f"{statistics.median(asked_for):.0f} calls, {max(asked_for)} at most, and had "
        f"{statistics.median(n for n in bits if n):.0f} bits in the median, {max(bits)} at most"
    )
    for outcome, count in sorted(counts.items(), key=lambda item: -item[1]):
        print(f"{count:6}  {outcome}")
    print(f"right: {100 * right / len(seen):.2f} %")
    for outcome, cqm in failed[: asked.show]:
        print(f"\n{outcome}\n{cqm}")
    figures = {"outcomes": counts, "calls": calls, "bits": bits, "seconds": seconds}
    write_figures(asked.json, {**figures, "right": right / len(seen)})


if __name__ == "__main__":
    main()
