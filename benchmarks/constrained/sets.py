"""Public sets of constrained models, read from a folder with one subfolder each."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path

import dimod
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))
from cqm_families import assignment

from qnn.data.models import read_model_file


@dataclass(frozen=True)
class Instance:
    """A model to be minimised, with known results.

    ``best`` is in the set's own unit and sense; ``unit`` times ``best`` is the model's value.
    """

    family: str
    name: str
    load: Callable[[], dimod.ConstrainedQuadraticModel]
    best: float | None
    unit: float = 1.0
    tolerance: float = 1e-6
    """Rounding of the best known value, in the set's unit."""

    def gap(self, value: float | None, best: float | None) -> float:
        """Return a value's gap above the best, in percent, or in units if the best is 0."""
        if value is None or best is None:
            return float("inf")
        above = (value - best) / abs(self.unit)
        return (
            0.0 if abs(above) <= self.tolerance else 100.0 * above / max(abs(best / self.unit), 1.0)
        )


def of_bundled(_: Path) -> Iterator[Instance]:
    """Build models from scikit-learn's bundled data: columns to keep, and groups of equal size."""
    from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine

    for name, data, count in (
        ("breast_cancer", load_breast_cancer(), 8),
        ("digits", load_digits(), 16),
    ):
        kept = data.data[:, data.data.std(axis=0) > 0.0]
        load = partial(columns, kept, data.target, count)
        yield Instance("bundled", f"{count} columns of {name}", load, None)
    for name, data in (("iris", load_iris()), ("wine", load_wine())):
        X = (data.data - data.data.mean(axis=0)) / data.data.std(axis=0)
        some = X[:: len(X) // 60][:60]
        yield Instance("bundled", f"60 of {name} in 3 groups", partial(groups, some, 3), None)


def columns(X: np.ndarray, y: np.ndarray, count: int) -> dimod.ConstrainedQuadraticModel:
    """Select a number of columns that separate the classes and correlate little with each other.

    min sum_ij |corr_ij| x_i x_j / (count - 1) - sum_i F_i x_i, F the share of a column's variance
    that lies between the classes [minimal redundancy, maximal relevance: Peng, Long, Ding, IEEE
    TPAMI 27, 2005]; in thousandths.
    """
    between = sum((y == c).mean() * (X[y == c].mean(axis=0) - X.mean(axis=0)) ** 2 for c in set(y))
    relevance = np.rint(1000 * between / X.var(axis=0))
    redundancy = np.rint(1000 * np.abs(np.corrcoef(X.T)) / (count - 1))
    bqm = dimod.BQM(-relevance, np.triu(redundancy, 1), "BINARY")
    cqm = dimod.ConstrainedQuadraticModel.from_bqm(bqm)
    cqm.add_constraint(((i, 1) for i in range(X.shape[1])), "==", count, label="count")
    return cqm


def groups(X: np.ndarray, count: int) -> dimod.ConstrainedQuadraticModel:
    """Form groups of equal size with the least sum of squared distances within; in tenths."""
    n = len(X)
    distances = np.rint(10 * ((X[:, None] - X[None]) ** 2).sum(axis=2))
    cqm = dimod.ConstrainedQuadraticModel()
    for i in range(n):
        for g in range(count):
            cqm.add_variable("BINARY", (i, g))
    cqm.set_objective(
        ((i, g), (j, g), distances[i, j]) for g in range(count) for i in range(n) for j in range(i)
    )
    for i in range(n):
        cqm.add_constraint((((i, g), 1) for g in range(count)), "==", 1, label=f"sample {i}")
    for g in range(count):
        cqm.add_constraint((((i, g), 1) for i in range(n)), "==", n // count, label=f"group {g}")
    return cqm


def of_qplib(folder: Path) -> Iterator[Instance]:
    """Read QPLIB's binary models with rows, as OPB [Furini et al. 2019]."""
    with open(folder / "best_known.csv") as file:
        for line in csv.DictReader(file):
            if "#constraint= 0" in line["header"]:
                continue
            path = folder / f"QPLIB_{line['instance']}.opb.gz"
            unit = float(Fraction(line["opb_objective_scale"]))
            told = line["best_known_objective"]
            decimals = len(told.partition(".")[2])
            yield Instance(
                "qplib", line["instance"], _reading(path), float(told), unit,
                0.51 * 10.0**-decimals if decimals else 1e-6,
            )  # fmt: skip


def of_qoblib(folder: Path) -> Iterator[Instance]:
    """Read QOBLIB's market splits, portfolios and independent sets [arXiv 2504.03832]."""
    with open(folder / "best_known.csv") as file:
        for line in csv.DictReader(file):
            name = line["file"]
            kind = next((k for start, k in KINDS.items() if name.startswith(start)), "independent")
            unit = -1.0 if "maximise" in line["note"] else 1.0
            best = float(line["best_known"]) if line["best_known"] else None
            yield Instance(
                f"qoblib {kind}", name.split(".lp")[0], _reading(folder / name), best, unit
            )


KINDS = {"ms_": "market split", "bqp_": "portfolio"}


def of_qkp(folder: Path) -> Iterator[Instance]:
    """Read quadratic knapsacks [Billionnet, Soutif]; the best method replaces the optimum."""
    for path in sorted(folder.glob("jeu_*.txt")):
        yield Instance("qkp", path.stem, lambda path=path: quadratic_knapsack(path), None, -1.0)


def of_mkp(folder: Path) -> Iterator[Instance]:
    """Read multi-dimensional knapsacks [Chu, Beasley 1998], with best values of their own table."""
    table = (folder / "best-feasible-slns.txt").read_text().splitlines()
    known: dict[str, float] = {}  # the first table has best values, a second has bounds
    for words in map(str.split, table):
        if len(words) == 2 and re.fullmatch(r"\d+\.\d+-\d+", words[0]):
            known.setdefault(words[0], float(words[1]))
    for path in sorted(folder.glob("mknapcb*.txt")):
        words = path.read_text().split()
        at = 1
        for number in range(int(words[0])):
            n, m = int(words[at]), int(words[at + 1])
            best = known.get(f"{m}.{n}-{number:02d}")
            size = n + m * n + m
            given = np.array(words[at + 3 : at + 3 + size], dtype=float)
            at += 3 + size
            yield Instance(
                "mkp", f"{path.stem}-{number:02d}",
                lambda given=given, n=n, m=m: knapsack(given, n, m), best, -1.0,
            )  # fmt: skip


def of_qaplib(folder: Path) -> Iterator[Instance]:
    """Read assignments of QAPLIB [Burkard, Karisch, Rendl]."""
    for path in sorted(folder.glob("*.dat")):
        best = float((folder / f"{path.stem}.sln").read_text().split()[1])
        yield Instance(
            "qaplib", path.stem, lambda name=path.stem: assignment(folder, name)[0], best
        )


def _reading(path: Path) -> Callable[[], dimod.ConstrainedQuadraticModel]:
    return lambda: read_model_file(path).cqm


def quadratic_knapsack(path: Path) -> dimod.ConstrainedQuadraticModel:
    """Parse name, n, linear profits, upper triangle, 0, capacity, weights; maximised."""
    words = path.read_text().split()
    n = int(words[1])
    pairs = n * (n - 1) // 2
    profits = np.array(words[2 : 2 + n], dtype=float)
    joint = np.array(words[2 + n : 2 + n + pairs], dtype=float)
    capacity = float(words[3 + n + pairs])
    weights = np.array(words[4 + n + pairs : 4 + 2 * n + pairs], dtype=float)
    i, j = np.triu_indices(n, 1)
    some = joint != 0
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variables("BINARY", n)
    cqm.set_objective(
        dimod.BinaryQuadraticModel.from_numpy_vectors(
            -profits, (i[some], j[some], -joint[some]), 0.0, "BINARY", variable_order=range(n)
        )
    )
    cqm.add_constraint_from_iterable([*enumerate(weights.tolist())], "<=", rhs=capacity)
    return cqm


def knapsack(given: np.ndarray, n: int, m: int) -> dimod.ConstrainedQuadraticModel:
    """Parse profits, m rows of weights, m capacities; maximised."""
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variables("BINARY", n)
    cqm.set_objective(list(enumerate((-given[:n]).tolist())))
    rows = given[n : n + m * n].reshape(m, n)
    for row, capacity in zip(rows, given[n + m * n :].tolist(), strict=True):
        terms = [(k, w) for k, w in enumerate(row.tolist()) if w]
        cqm.add_constraint_from_iterable(terms, "<=", rhs=capacity)
    return cqm


SETS: dict[str, Callable[[Path], Iterator[Instance]]] = {
    "bundled": of_bundled,
    "qplib": of_qplib,
    "qkp": of_qkp,
    "mkp": of_mkp,
    "qoblib": of_qoblib,
    "qaplib": of_qaplib,
}
