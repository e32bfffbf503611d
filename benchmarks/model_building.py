"""Time and peak memory of building a training model, against dimod's symbolic CQM.

    python benchmarks/model_building.py [--runs 5] [--json FILE] [--naive]

Three ways to the identical model, each in a process of its own:

arrays    ``TrainingProblem(network, X, y).qcbo()``: bounds, encoding and sparse arrays, from data
cqm       the same, and then ``to_cqm()``: a dimod CQM built from the arrays
symbolic  ``dimod.Binary`` variables, one ``dimod.quicksum`` of products per row, and
          ``cqm.add_constraint(expression == rhs)``

The symbolic way receives every coefficient, so its time covers the expressions alone; computing the
coefficients in Python would add to it.  With ``--naive`` it adds terms by ``sum``, as in tutorials,
which takes time quadratic in a row's length; it then runs on a tenth of the rows, and the time is
scaled up.  All models are compared with ``QCBO.equals`` before a figure is printed.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import dimod
import numpy as np
from sharing import parser_of, write_figures

from formulations import QCBO, Network, TrainingProblem

CASES = [([16, 4, 1], 1000, 20.0), ([784, 16, 10], 100, 50.0)]
GROWTH = [1000, 2000, 5000, 10_000]


def data(widths: list[int], samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random inputs of four levels and random labels, the same in every process."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 4, (samples, widths[0]))
    y = rng.integers(0, widths[-1], samples) if widths[-1] > 1 else rng.choice([-1, 1], samples)
    return X, y


def from_arrays(widths: list[int], X: np.ndarray, y: np.ndarray) -> QCBO:
    """Build the model from arrays."""
    return TrainingProblem(Network.dense(widths, activation="sign"), X, y, loss="hinge").qcbo()


def symbolic(model: QCBO, add: Callable[[Any], Any]) -> Callable[[], dimod.CQM]:
    """Return a function that builds ``model`` from symbols, with numbers and labels unpacked."""
    labels, row_labels = model.labels.strings(), model.row_labels.strings()
    product_labels = model.product_labels()
    bounds = zip(model.rows.indptr[:-1].tolist(), model.rows.indptr[1:].tolist(), strict=True)
    indices, data = model.rows.indices.tolist(), model.rows.data.tolist()
    rows = [list(zip(indices[a:b], data[a:b], strict=True)) for a, b in bounds]
    couplers = model.quadratic.tocoo()
    pairs = list(zip(*(c.tolist() for c in couplers.coords), couplers.data.tolist(), strict=True))
    terms = [(i, c) for i, c in enumerate(model.linear.tolist()) if c]

    def build() -> dimod.CQM:
        x = [dimod.Binary(label) for label in labels]
        cqm = dimod.ConstrainedQuadraticModel()
        cqm.add_variables("BINARY", labels)  # keeps the model's order
        objective = [c * x[i] for i, c in terms] + [c * x[i] * x[j] for i, j, c in pairs]
        cqm.set_objective(dimod.quicksum(objective) + model.offset)
        for row, equality, rhs, label in zip(
            rows, model.equality.tolist(), model.rhs.tolist(), row_labels, strict=True
        ):
            expression = add(c * x[i] for i, c in row)
            comparison = expression == rhs if equality else expression <= rhs
            cqm.add_constraint(comparison, label=label, copy=False)
        for (u, v, w), label in zip(model.products.tolist(), product_labels, strict=True):
            cqm.add_constraint(x[u] - x[v] * x[w] == 0, label=label, copy=False)
        return cqm

    return build


def a_tenth(model: QCBO) -> QCBO:
    """Return the model with every tenth row and product."""
    from dataclasses import replace

    from formulations.passes.base import take_rows

    kept = take_rows(model, np.arange(0, model.num_rows, 10))
    return replace(kept, products=model.products[::10])


# -- one measurement, in a process of its own -----------------------------------------------------


def memory() -> tuple[float, float]:
    """Return this process's current and peak memory in MB.

    Without /proc both are ``ru_maxrss``, which a process inherits from its parent and which never
    falls, so the figures are too small.
    """
    try:
        status = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        unit = 1 if platform.system() == "Darwin" else 1024
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6
        return most, most
    kilobytes = {line.split(":")[0]: line.split()[1] for line in status if "kB" in line}
    return int(kilobytes["VmRSS"]) * 1.024e-3, int(kilobytes["VmHWM"]) * 1.024e-3


def measure(way: str, widths: list[int], samples: int, runs: int, path: Path) -> dict[str, Any]:
    """Measure the seconds of each run, and the additional memory of the first."""
    from_arrays(*_small())  # for imports and first calls
    if way in ("arrays", "cqm"):
        X, y = data(widths, samples)

        def build() -> Any:
            model = from_arrays(widths, X, y)
            return model if way == "arrays" else model.to_cqm()
    else:
        model = QCBO.load(path)
        if way == "naive":
            model = a_tenth(model)
        build = symbolic(model, sum if way == "naive" else dimod.quicksum)
    before, seconds, result = memory()[0], [], None
    megabytes = 0.0
    for run in range(runs):
        result = None  # frees the last one's memory
        start = time.perf_counter()
        result = build()
        seconds.append(time.perf_counter() - start)
        if run == 0:
            megabytes = memory()[1] - before
    built = result if isinstance(result, QCBO) else QCBO.from_cqm(result)
    same = built.equals(model if way == "naive" else QCBO.load(path))
    return {"seconds": seconds, "megabytes": megabytes, "same": same}


def _small() -> tuple[list[int], np.ndarray, np.ndarray]:
    return [2, 2, 1], *data([2, 2, 1], 3)


def in_its_own_process(
    way: str, widths: list[int], samples: int, runs: int, path: Path
) -> dict[str, Any]:
    """Run :func:`measure` in a fresh interpreter."""
    arguments = ["--measure", json.dumps([way, widths, samples, runs, str(path)])]
    done = subprocess.run(
        [sys.executable, __file__, *arguments], check=True, capture_output=True, text=True
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    if not figures["same"]:
        raise SystemExit(f"{way} did not build the identical model")
    scale = 10 if way == "naive" else 1
    figures["median"] = scale * median(figures["seconds"])
    return figures


# -- the table ------------------------------------------------------------------------------------


def compare(widths: list[int], samples: int, runs: int, naive: bool) -> dict[str, Any]:
    """Compare all ways on one network."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.npz"
        model = from_arrays(widths, *data(widths, samples))
        model.save(path)
        ways = ["arrays", "cqm", "symbolic", *(["naive"] if naive else [])]
        figures = {way: in_its_own_process(way, widths, samples, runs, path) for way in ways}
    return {
        "widths": widths,
        "samples": samples,
        "variables": model.num_variables,
        "rows": model.num_rows,
        "products": model.num_products,
        "nonzeros": int(model.rows.nnz),
        "ways": figures,
    }


def grow(runs: int) -> list[dict[str, Any]]:
    """Measure 16-4-1 by arrays, for increasing numbers of samples."""
    results = []
    for samples in GROWTH:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.npz"
            model = from_arrays([16, 4, 1], *data([16, 4, 1], samples))
            model.save(path)
            figures = in_its_own_process("arrays", [16, 4, 1], samples, runs, path)
        results.append({"samples": samples, "variables": model.num_variables, **figures})
    return results


def main() -> None:
    """Measure, print the table, write the figures."""
    parser = parser_of(__doc__)
    parser.add_argument("--runs", type=int, default=5, help="runs of each measurement")
    parser.add_argument("--naive", action="store_true", help="also add terms by sum()")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.measure:
        way, widths, samples, runs, path = json.loads(arguments.measure)
        print(json.dumps(measure(way, widths, samples, runs, Path(path))))
        return
    comparisons = []
    for widths, samples, target in CASES:
        result = compare(widths, samples, arguments.runs, arguments.naive)
        comparisons.append(result)
        print(
            f"\n{'-'.join(map(str, widths))}, N = {samples:,}: {result['variables']:,} variables, "
            f"{result['rows']:,} rows of {result['nonzeros']:,} entries, "
            f"{result['products']:,} products; wanted: arrays {target:.0f}x faster than symbolic"
        )
        print(f"{'':10}{'median s':>12}{'peak MB':>10}{'time':>10}{'memory':>10}")
        fastest = result["ways"]["arrays"]
        for way, figures in result["ways"].items():
            print(
                f"{way:10}{figures['median']:12.3f}{figures['megabytes']:10.1f}"
                f"{figures['median'] / fastest['median']:9.1f}x"
                f"{figures['megabytes'] / fastest['megabytes']:9.1f}x"
            )
    growth = grow(arguments.runs)
    print("\n16-4-1 by arrays, as N grows")
    heads = ("variables", "median s", "us/sample", "peak MB", "kB/sample")
    print(f"{'N':>8}" + "".join(f"{head:>12}" for head in heads))
    for row in growth:
        print(
            f"{row['samples']:8,}{row['variables']:12,}{row['median']:12.3f}"
            f"{1e6 * row['median'] / row['samples']:12.1f}{row['megabytes']:12.1f}"
            f"{1e3 * row['megabytes'] / row['samples']:12.1f}"
        )
    logs = [np.log([row[key] for row in growth]) for key in ("samples", "median", "megabytes")]
    time_power, memory_power = (np.polyfit(logs[0], log, 1)[0] for log in logs[1:])
    print(f"time grows as N^{time_power:.2f}, memory as N^{memory_power:.2f}")
    figures = {
        "comparisons": comparisons,
        "growth": growth,
        "time_power": time_power,
        "memory_power": memory_power,
        "python": platform.python_version(),
        "dimod": dimod.__version__,
    }
    write_figures(arguments.json, figures)


if __name__ == "__main__":
    main()
