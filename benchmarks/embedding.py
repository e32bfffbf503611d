"""Predictions of whether a QUBO fits a QPU, checked against minorminer.

Random restricted problems: networks of 6 to 16 inputs and 2 to 6 hidden units, 5 to 250 samples, 3
to 12 free weights around random ones.  For each problem and graph: the clique's qubits, the
expected qubits, and the result of a search.  The counts are of searches that took more qubits than
the promised clique, and of expectations that came true; a problem that fits as a clique is always
expected to fit.  Run: python benchmarks/embedding.py [--json FILE]
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from sharing import parser_of, write_figures

from formulations import Network, TrainingProblem
from solvers import QCGD
from solvers.footprint import first_qubo
from solvers.oracles import QUBO
from solvers.oracles.cloud.embedding import clique_fit, expected_fit, expected_qubits, searched_fit


def restricted_qubo(random: np.random.Generator) -> QUBO:
    """Return the first QUBO of QCGD on a random restricted problem."""
    inputs, hidden = random.integers(6, 17), random.integers(2, 7)
    samples = int(np.exp(random.uniform(np.log(5), np.log(250))))
    free = random.integers(3, 13)
    X = random.choice([-1, 1], (samples, inputs))
    y = np.where(X @ random.normal(size=inputs) + random.normal(size=samples) > 0, 1, -1)
    whole = TrainingProblem(Network.dense([int(inputs), int(hidden), 1]), X, y)
    bits = random.integers(0, 2, whole.num_free_bits).astype(np.int8)
    chosen = np.sort(random.choice(whole.num_free_bits, free, replace=False))
    problem = whole.restrict(chosen, bits)
    qubo = first_qubo(lambda oracle: QCGD(oracle=oracle).solve(problem))
    assert qubo is not None
    return qubo


def measure(qubo: QUBO, graph: str, search: float) -> dict[str, Any]:
    """Compare the prediction with the result of a search."""
    n, couplers = qubo.num_variables, len(qubo.couplings)
    clique, expected = clique_fit(n, graph), expected_fit(n, couplers, graph)
    started = time.process_time()
    found = searched_fit(n, qubo.heads, qubo.tails, graph, timeout=search)
    told = bool(clique.fits or expected.fits)
    return {
        "graph": graph,
        "variables": n,
        "couplers": couplers,
        "clique_qubits": clique.qubits,
        "expected_qubits": round(expected_qubits(n, couplers, graph)),
        "told_to_fit": told,
        "found": bool(found.fits),
        "qubits": found.qubits,
        "longest_chain": found.longest_chain,
        "search_cpu_seconds": round(time.process_time() - started, 1),
        "right": told == bool(found.fits or clique.fits),
    }


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--problems", type=int, default=30)
    parser.add_argument("--graphs", nargs="+", default=["P16", "Z12"])
    parser.add_argument("--search", type=float, default=120.0, help="seconds of each search")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    random = np.random.default_rng(options.seed)
    rows: list[dict[str, Any]] = []
    columns = [
        "graph", "variables", "couplers", "clique_qubits", "expected_qubits", "told_to_fit",
        "found", "qubits", "longest_chain", "search_cpu_seconds",
    ]  # fmt: skip
    print(" ".join(f"{name:>18}" for name in columns))
    for _ in range(options.problems):
        qubo = restricted_qubo(random)
        for graph in options.graphs:
            rows.append(measure(qubo, graph, options.search))
            print(" ".join(f"{rows[-1][name]!s:>18}" for name in columns), flush=True)
            write_figures(options.json, rows)
    for graph in options.graphs:
        of_graph = [row for row in rows if row["graph"] == graph]
        right = sum(row["right"] for row in of_graph)
        both = [row for row in of_graph if row["clique_qubits"] and row["qubits"]]
        within = sum(row["qubits"] <= row["clique_qubits"] for row in both)
        print(
            f"{graph}: told right {right} of {len(of_graph)}; a search took no more qubits than "
            f"the clique in {within} of {len(both)}"
        )


if __name__ == "__main__":
    main()
