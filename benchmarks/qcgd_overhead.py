"""Cost of a QCGD round outside the oracle, against building a new BQM in Python each round.

    python benchmarks/qcgd_overhead.py [--large] [--json FILE]

Models of one-hot groups of ten with random couplers, at 3,000 and at 50,000 variables; a network of
32,073 bits (16-4-1 with thresholds on 1,000 samples); with ``--large`` 50,000 variables and
5,000,000 couplers, each model in a process of its own so that its peak memory is its own.  The cost
outside the oracle covers the sparse product that makes the QUBO, the scores of all reads, the
residual and the multipliers; repair is listed separately.  All times are processor times of one
thread, so other work on the machine does not change them.  The naive way makes the same QUBO with
dimod: the objective, and ``add_linear_equality_constraint`` for every row.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from typing import Any, ClassVar

import dimod
import numpy as np
import scipy.sparse as sp
from sharing import parser_of, write_figures

from formulations import Network, TrainingProblem
from formulations.arrays import BitArray
from formulations.model.qcbo import QCBO
from solvers import QCGD, Candidates
from solvers.oracles import QUBO, Annealer, Samples
from solvers.oracles.wrappers.base import Wrapper
from solvers.qcgd.scoring import ModelScoring, TrainingScoring

CASES: dict[str, dict[str, Any]] = {
    "3,000 variables": {"n": 3_000, "couplers": 30_000, "reads": 10, "sweeps": 500},
    "50,000 variables": {"n": 50_000, "couplers": 500_000, "reads": 10, "sweeps": 500},
    "network, 32,073": {"n": None, "reads": 10, "sweeps": 100},
}
LARGE = {"n": 50_000, "couplers": 5_000_000, "reads": 4, "sweeps": 20}


def groups(n: int, couplers: int) -> QCBO:
    """Return a model with one of every ten bits set and a random objective."""
    rng = np.random.default_rng(0)
    keys = np.unique(rng.integers(0, n * n, int(2.1 * couplers)))
    heads, tails = keys // n, keys % n
    upper = np.flatnonzero(heads < tails)[:couplers]
    Q = sp.csr_array((rng.normal(size=len(upper)), (heads[upper], tails[upper])), shape=(n, n))
    rows = sp.csr_array((np.ones(n), np.arange(n), np.arange(0, n + 1, 10)), shape=(n // 10, n))
    return QCBO.from_arrays(rng.normal(size=n), rows, np.ones(n // 10), quadratic=Q)


def network() -> TrainingProblem:
    """Return random two-level inputs with labels of a noisy majority of five."""
    rng = np.random.default_rng(0)
    X = rng.choice([-1, 1], size=(1000, 16))
    y = np.where(X[:, :5].sum(axis=1) + rng.normal(size=1000) > 0, 1, -1)
    return TrainingProblem(Network.dense([16, 4, 1], bias=True), X, y, loss="zero-one")


class Timed(Wrapper):
    """Oracle that records the processor time of its calls."""

    spent: ClassVar[list[float]] = []

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return the inner oracle's answer."""
        started = time.process_time()
        samples = self.ask(qubo, states, seed)
        self.spent.append(time.process_time() - started)
        return samples


def naive_round(model: QCBO) -> float:
    """Return the seconds to rebuild a BQM of the model with dimod's own functions."""
    couplers = sp.coo_array(model.quadratic)
    quadratic = {(i, j): value for i, j, value in zip(*couplers.coords, couplers.data, strict=True)}
    linear = dict(enumerate(model.linear.tolist()))
    a, started = model.rows, time.process_time()
    bqm = dimod.BinaryQuadraticModel(linear, quadratic, model.offset, "BINARY")
    for r in range(model.num_rows):
        part = slice(a.indptr[r], a.indptr[r + 1])
        terms = list(zip(a.indices[part].tolist(), a.data[part].tolist(), strict=True))
        bqm.add_linear_equality_constraint(terms, 1.0, -float(model.rhs[r]))
    bqm.to_numpy_vectors()
    return time.process_time() - started


def measure(
    n: int | None,
    couplers: int = 0,
    reads: int = 10,
    sweeps: int = 500,
    rounds: int = 6,
    repaired: bool = False,
) -> dict[str, float]:
    """Return medians over the rounds after the first, which includes one-time work."""
    target = TrainingScoring(network()) if n is None else ModelScoring(groups(n, couplers))
    subject = target.problem if isinstance(target, TrainingScoring) else target.model
    marks: list[float] = []
    Timed.spent.clear()
    solver = QCGD(
        oracle=Timed(Annealer(reads, sweeps, threads=1)),
        iterations=rounds,
        candidates=Candidates(repair=repaired),
        callbacks=(lambda progress: bool(marks.append(time.process_time())),),
    )
    started = time.process_time()
    _, loop = solver.descend(target, subject)
    whole, oracle = np.diff(marks), np.array(Timed.spent[1:])
    outside = float(np.median(whole - oracle))
    figures = {
        "variables": target.model.num_variables,
        "couplers": len(loop.lifting.heads),
        "reads": reads,
        "sweeps": sweeps,
        "setup_seconds": marks[0] - started - Timed.spent[0],
        "round_seconds": float(np.median(whole)),
        "outside_seconds": outside,
        "outside_share": outside / float(np.median(whole)),
        "peak_megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    if n is not None and couplers < 10**6:
        figures["naive_seconds"] = float(np.median([naive_round(target.model) for _ in range(2)]))
    return figures


def main() -> None:
    """Measure, print the table, write the figures."""
    parser = parser_of(__doc__)
    parser.add_argument("--large", action="store_true", help="5,000,000 couplers as well")
    options = parser.parse_args()
    cases = CASES | ({"5,000,000 couplers": LARGE} if options.large else {})
    print(
        f"{'model':20} {'reads x sweeps':>14} {'set-up s':>9} {'round s':>8} {'outside s':>10} "
        f"{'share':>6} {'repair s':>9} {'naive s':>8} {'peak MB':>8}"
    )
    context, figures = multiprocessing.get_context("spawn"), {}
    for name, case in cases.items():
        with context.Pool(1) as pool:
            row = figures[name] = pool.apply(measure, kwds=case)
            with_repair = pool.apply(measure, kwds=case | {"repaired": True})
            row["repair_seconds"] = with_repair["outside_seconds"] - row["outside_seconds"]
        print(
            f"{name:20} {row['reads']:>8} x {row['sweeps']:<3} {row['setup_seconds']:>9.2f} "
            f"{row['round_seconds']:>8.3f} {row['outside_seconds']:>10.4f} "
            f"{row['outside_share']:>6.1%} {row['repair_seconds']:>9.3f} "
            f"{row.get('naive_seconds', np.nan):>8.2f} {row['peak_megabytes']:>8.0f}",
            flush=True,
        )
    write_figures(options.json, figures)


if __name__ == "__main__":
    main()
