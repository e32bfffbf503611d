"""Well-known constrained models, drawn from a seed or read from QAPLIB, as dimod CQMs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dimod
import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def model(
    linear: Array, couplers: dict[tuple[int, int], float], rows: list[tuple[Array, str, float]]
) -> dimod.ConstrainedQuadraticModel:
    """Build a binary CQM from arrays; ``rows`` are (coefficients, sense, right-hand side)."""
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variables("BINARY", len(linear))
    cqm.set_objective(
        dimod.BinaryQuadraticModel(dict(enumerate(linear.tolist())), couplers, 0.0, "BINARY")
    )
    for a, sense, b in rows:
        terms = [(int(i), float(a[i])) for i in np.flatnonzero(a)]
        cqm.add_constraint_from_iterable(terms, sense, rhs=b)
    return cqm


def upper(Q: Array) -> dict[tuple[int, int], float]:
    """Return the couplers of the form x'Qx of a square matrix with zero diagonal."""
    both = np.triu(Q + Q.T, 1)
    return {(int(i), int(j)): float(both[i, j]) for i, j in np.argwhere(both)}


def choices(groups: int, options: int) -> list[tuple[Array, str, float]]:
    """Return one-hot rows over x[group * options + option]."""
    return [(row, "==", 1.0) for row in np.kron(np.eye(groups), np.ones(options))]


def assignment(folder: Path, name: str) -> tuple[dimod.ConstrainedQuadraticModel, float]:
    """Read an instance of QAPLIB [Burkard, Karisch, Rendl 1997] and its best known value."""
    numbers = np.array((folder / f"{name}.dat").read_text().split(), dtype=np.float64)
    n = int(numbers[0])
    flow, distance = numbers[1 : 1 + 2 * n * n].reshape(2, n, n)
    columns = [(row, "==", 1.0) for row in np.kron(np.ones(n), np.eye(n))]
    cqm = model(
        np.diag(np.kron(flow, distance)).copy(),
        upper(np.kron(flow, distance) * (1.0 - np.eye(n * n))),
        choices(n, n) + columns,
    )
    return cqm, float((folder / f"{name}.sln").read_text().split()[1])


def knapsack(seed: int, n: int = 80) -> dimod.ConstrainedQuadraticModel:
    """Quadratic knapsack, density 1/4 [Billionnet, Soutif 2004]: profits to 100, weights to 50."""
    rng = np.random.default_rng(seed)
    profit = np.triu(rng.integers(1, 101, (n, n)) * (rng.random((n, n)) < 0.25), 1)
    weight = rng.integers(1, 51, n).astype(float)
    capacity = float(rng.integers(50, weight.sum() // 2))
    single = rng.integers(1, 101, n) * (rng.random(n) < 0.25)
    return model(-single.astype(float), upper(-profit), [(weight, "<=", capacity)])


def multi_knapsack(seed: int, items: int = 25, bins: int = 4) -> dimod.ConstrainedQuadraticModel:
    """Items into several knapsacks; half of the weight fits; profits follow the weights."""
    rng = np.random.default_rng(seed)
    weight = rng.integers(10, 61, items).astype(float)
    profit = weight + rng.integers(-5, 16, items)
    capacity = np.floor(weight.sum() / 2 * rng.dirichlet(np.full(bins, 8.0)))
    rows = [(row, "<=", 1.0) for row in np.kron(np.eye(items), np.ones(bins))]
    for k in range(bins):
        rows.append((np.kron(weight, np.eye(bins)[k]), "<=", float(capacity[k])))
    return model(-np.repeat(profit, bins), {}, rows)


def set_packing(seed: int, sets: int = 120, elements: int = 60) -> dimod.ConstrainedQuadraticModel:
    """Sets of 2 to 6 elements, worth about their size; no element twice."""
    rng = np.random.default_rng(seed)
    member = np.zeros((elements, sets))
    for s in range(sets):
        member[rng.choice(elements, rng.integers(2, 7), replace=False), s] = 1.0
    worth = np.rint(10 * member.sum(axis=0) * rng.uniform(0.8, 1.2, sets))
    return model(-worth, {}, [(row, "<=", 1.0) for row in member if row.sum() > 1])


def graph_partitioning(seed: int, n: int = 100) -> dimod.ConstrainedQuadraticModel:
    """Two halves of a random graph of mean degree 6, fewest edges between them."""
    rng = np.random.default_rng(seed)
    edge = np.triu(rng.random((n, n)) < 6.0 / n, 1).astype(float)
    return model((edge + edge.T).sum(axis=1), upper(-2.0 * edge), [(np.ones(n), "==", n // 2)])


def graph_colouring(seed: int, n: int = 40, colours: int = 4) -> dimod.ConstrainedQuadraticModel:
    """Colours with costs for every vertex, neighbours different; a colouring is planted."""
    rng = np.random.default_rng(seed)
    planted = rng.integers(0, colours, n)
    edges = np.argwhere(np.triu(rng.random((n, n)) < 0.15, 1) & (planted[:, None] != planted))
    rows = choices(n, colours)
    for u, v in edges.tolist():
        for c in range(colours):
            a = np.zeros(n * colours)
            a[[u * colours + c, v * colours + c]] = 1.0
            rows.append((a, "<=", 1.0))
    return model(rng.integers(1, 21, n * colours).astype(float), {}, rows)


def job_assignment(seed: int, jobs: int = 24, machines: int = 5) -> dimod.ConstrainedQuadraticModel:
    """Generalised assignment, type C [Chu, Beasley 1997]: costs 10 .. 50, times 5 .. 25."""
    rng = np.random.default_rng(seed)
    cost = rng.integers(10, 51, (jobs, machines)).astype(float)
    time = rng.integers(5, 26, (jobs, machines)).astype(float)
    capacity = np.floor(0.8 * time.sum(axis=0) / machines)
    rows = choices(jobs, machines)
    for k in range(machines):
        a = np.zeros((jobs, machines))
        a[:, k] = time[:, k]
        rows.append((a.ravel(), "<=", float(capacity[k])))
    return model(cost.ravel(), {}, rows)


def multiple_choice(
    seed: int, items: int = 20, options: int = 4
) -> dimod.ConstrainedQuadraticModel:
    """Multiple-choice knapsack: one option of every item, weakly correlated, nine tenths fit."""
    rng = np.random.default_rng(seed)
    weight = rng.integers(1, 60, (items, options)).astype(float)
    profit = weight + rng.integers(0, 25, (items, options))
    capacity = float(np.floor(0.9 * weight.mean(axis=1).sum()))
    return model(-profit.ravel(), {}, [*choices(items, options), (weight.ravel(), "<=", capacity)])


def optional_jobs(seed: int, jobs: int = 30, machines: int = 3) -> dimod.ConstrainedQuadraticModel:
    """Each job on a machine or on none; a fifth of the work fits."""
    rng = np.random.default_rng(seed)
    profit = rng.integers(10, 60, (jobs, machines + 1)).astype(float)
    time = rng.integers(5, 30, (jobs, machines + 1)).astype(float)
    profit[:, -1] = time[:, -1] = 0.0
    rows = choices(jobs, machines + 1)
    for k in range(machines):
        on_k = np.kron(time[:, k], np.eye(machines + 1)[k])
        rows.append((on_k, "<=", float(np.floor(0.2 * time[:, k].sum()))))
    return model(-profit.ravel(), {}, rows)


FAMILIES: dict[str, Callable[[int], dimod.ConstrainedQuadraticModel]] = {
    "knapsack": knapsack,
    "multi-knapsack": multi_knapsack,
    "set packing": set_packing,
    "graph partitioning": graph_partitioning,
    "graph colouring": graph_colouring,
    "job assignment": job_assignment,
}

ONE_HOTS: dict[str, Callable[[int], dimod.ConstrainedQuadraticModel]] = {
    "multiple choice": multiple_choice,
    "optional jobs": optional_jobs,
}
"""Families of which presolve eliminates one bit of every one-hot row."""
