"""Time to solution of the local oracles against the number of variables.

    python benchmarks/time_to_solution.py [--quick] [--instances N] [--json FILE] [--plot FILE]

There are two kinds of QUBO: random ones, with six normal couplers per variable; and the penalty
method's QUBO of a 6-2-1 network on increasing numbers of random samples.  The target energy is the
lowest that any oracle found in any call, including a long anneal.  It is unproven for the larger
ones, so times there are lower bounds.  Each oracle is run with three read lengths and shown with
the best one at each size.  Times are medians over the instances, in milliseconds, for a probability
of 0.99; in brackets the median bounds of the 95 % intervals.  With matplotlib (the extra ``plot``)
``--plot`` draws them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from sharing import parser_of, write_figures

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers import PenaltyMethod
from solvers.footprint import first_qubo
from solvers.oracles import QUBO, Annealer, Oracle, TreeDecomposition, registry
from solvers.oracles.time_to_solution import TimeToSolution, Trials

SWEEPS = (30, 100, 300)
"""Read lengths."""

ORACLES: dict[str, Callable[[int], Oracle]] = {
    "annealer": lambda sweeps: Annealer(20, sweeps),
    "tempering": lambda sweeps: registry.make("tempering", reads=1, sweeps=sweeps // 2),
    "path-integral": lambda sweeps: registry.make("path-integral", reads=5, sweeps=sweeps),
    "tabu": lambda sweeps: registry.make("tabu", reads=20, sweeps=sweeps),
    "steepest-descent": lambda sweeps: registry.make("steepest-descent", reads=5 * sweeps),
    "bifurcation": lambda sweeps: _moving("bifurcation", sweeps),
    "bifurcation, discrete": lambda sweeps: _moving("bifurcation", sweeps, kind="discrete"),
    "coherent-ising": lambda sweeps: _moving("coherent-ising", sweeps),
    "tree-decomposition": lambda sweeps: TreeDecomposition(max_width=16),
}


def _moving(name: str, sweeps: int, **options: Any) -> Oracle:
    return registry.make(name, reads=20, sweeps=3 * sweeps, device="numpy", **options)


def random_model(n: int, seed: int) -> QUBO:
    """Return a model with about six normal couplers per variable."""
    random = np.random.default_rng((seed, n))
    ends = np.sort(random.integers(0, n, (4 * n, 2)), axis=1)
    ends = np.unique(ends[ends[:, 0] < ends[:, 1]], axis=0)
    ends = ends[np.sort(random.permutation(len(ends))[: 3 * n])]
    heads, tails = np.ascontiguousarray(ends.T)
    return QUBO(random.normal(size=n), heads, tails, random.normal(size=len(heads)))


def network_model(samples: int, seed: int) -> QUBO:
    """Return the penalty method's QUBO of a 6-2-1 network."""
    random = np.random.default_rng((seed, samples))
    X, y = random.choice([-1, 1], (samples, 6)), random.choice([-1, 1], samples)
    problem = TrainingProblem(Network.dense([6, 2, 1]), X, y)
    qubo = first_qubo(lambda oracle: PenaltyMethod(oracle=oracle).solve(problem))
    assert qubo is not None
    return qubo


MODELS: dict[str, tuple[Callable[[int, int], QUBO], tuple[int, ...]]] = {
    "random": (random_model, (25, 50, 100, 200, 400)),
    "network": (network_model, (1, 2, 4, 8, 16)),
}


def measure(qubo: QUBO, calls: int, limit: float) -> dict[str, list[TimeToSolution]]:
    """Measure times of every oracle at each read length, to the lowest energy that any found."""
    found: dict[str, list[Trials]] = {}
    for name, make in ORACLES.items():
        for sweeps in SWEEPS:
            oracle = make(sweeps)
            started = time.perf_counter()
            try:
                oracle.sample(qubo, np.random.SeedSequence(99))  # compiles, and is timed
            except InvalidInputError:
                break  # too wide for a tree decomposition
            share = limit / max(time.perf_counter() - started, 1e-9)
            trials = Trials.of(oracle, qubo, calls=int(np.clip(share, 1, calls)))
            found.setdefault(name, []).append(trials)
            if trials.energies.size == trials.seconds.size:
                break  # exact at any length
    long = Annealer(20, 2000).sample(qubo, np.random.SeedSequence(98)).energies[0]
    least = min([long, *(t.energies.min() for several in found.values() for t in several)])
    return {name: [t.time_to(least) for t in several] for name, several in found.items()}


def rows_of(kind: str, sizes: int, instances: int, calls: int, limit: float) -> Iterator[Any]:
    """Return one row per oracle and size."""
    make, parameters = MODELS[kind]
    for parameter in parameters[:sizes]:
        qubos = [make(parameter, seed) for seed in range(instances)]
        measured = [measure(qubo, calls, limit) for qubo in qubos]
        for name in ORACLES:
            if all(name in one for one in measured):
                lengths = range(min(len(one[name]) for one in measured))
                medians = [_median([one[name][k] for one in measured]) for k in lengths]
                best = int(np.argmin([median["seconds"] for median in medians]))
                yield {
                    "model": kind,
                    "oracle": name,
                    "variables": int(np.median([qubo.num_variables for qubo in qubos])),
                    "sweeps": SWEEPS[best],
                    **medians[best],
                }


def _median(times: list[TimeToSolution]) -> dict[str, float]:
    return {
        part: float(np.median([getattr(t, part) for t in times]))
        for part in ("seconds", "low", "high")
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return a Markdown table: a row per oracle, a column per size."""
    lines = []
    for kind in dict.fromkeys(row["model"] for row in rows):
        own = [row for row in rows if row["model"] == kind]
        sizes = list(dict.fromkeys(row["variables"] for row in own))
        lines += [f"| {kind} | " + " | ".join(f"n = {n}" for n in sizes) + " |"]
        lines += ["|---" * (len(sizes) + 1) + "|"]
        for name in dict.fromkeys(row["oracle"] for row in own):
            cells = {row["variables"]: _cell(row) for row in own if row["oracle"] == name}
            lines += [f"| {name} | " + " | ".join(cells.get(n, "-") for n in sizes) + " |"]
        lines += [""]
    return "\n".join(lines)


def _cell(row: dict[str, Any]) -> str:
    seconds, low, high = (_short(row[part]) for part in ("seconds", "low", "high"))
    return f"{seconds} ({low} - {high})"


def _short(seconds: float) -> str:
    return "never" if np.isinf(seconds) else f"{1e3 * seconds:.3g}"


def plot(rows: list[dict[str, Any]], path: str) -> None:
    """Plot time against size on logarithmic axes, with intervals."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    kinds = list(dict.fromkeys(row["model"] for row in rows))
    figure, panels = pyplot.subplots(
        1, len(kinds), figsize=(6 * len(kinds), 4.5), sharey=True, squeeze=False
    )
    for kind, panel in zip(kinds, panels[0], strict=True):
        for number, name in enumerate(ORACLES):
            own = [r for r in rows if (r["model"], r["oracle"]) == (kind, name)]
            own = [r for r in own if np.isfinite(r["seconds"])]
            if own:
                sizes, times = ([r[part] for r in own] for part in ("variables", "seconds"))
                high = [min(r["high"], 10 * r["seconds"]) - r["seconds"] for r in own]
                low = [r["seconds"] - r["low"] for r in own]
                panel.errorbar(
                    sizes, times, [low, high], color=f"C{number}", marker="o", capsize=2, label=name
                )
        panel.set(xscale="log", yscale="log", xlabel="variables", title=kind)
    panels[0][0].set_ylabel("time to solution at 0.99, s")
    drawn = [
        pair for panel in panels[0] for pair in zip(*panel.get_legend_handles_labels(), strict=True)
    ]
    lines = {label: handle for handle, label in drawn}
    panels[0][-1].legend(lines.values(), lines.keys(), fontsize="small")
    figure.tight_layout()
    figure.savefig(path)


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--quick", action="store_true", help="three sizes, two instances")
    parser.add_argument("--instances", type=int, default=5)
    parser.add_argument("--calls", type=int, default=10, help="most calls of an oracle")
    parser.add_argument("--limit", type=float, default=1.0, help="seconds for these calls")
    parser.add_argument("--plot", help="draw to this file, such as tts.svg")
    options = parser.parse_args()
    sizes, instances = (3, 2) if options.quick else (5, options.instances)
    rows = [
        row
        for kind in MODELS
        for row in rows_of(kind, sizes, instances, options.calls, options.limit)
    ]
    print(table(rows))
    write_figures(options.json, rows)
    if options.plot:
        plot(rows, options.plot)


if __name__ == "__main__":
    main()
