"""Time of the classical solvers relative to the operations that they consist of.

    python benchmarks/classical_speed.py [--repeats 15] [--report FILE]

Steps: a whole step of RMDA (gradient by torch, averaging, proximal operator) against one of torch's
SGD with momentum on the same network and batch.  Closed forms: a fit against its own matrix
products, solves and decompositions alone, on arrays of the same shapes, with a profile of its
functions.  Times are medians of processor time on one thread (set OMP_NUM_THREADS=1); the two sides
take turns.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import scipy.linalg

from qnn.runs.output import environment, write_text
from qnn.runs.tables import markdown_table
from solvers import ExplicitSoftmax, ManifoldNetwork, RandomFeatures
from solvers.classical.gradients.objectives import TorchObjective
from solvers.classical.gradients.optimizers import DualAveraging
from solvers.classical.gradients.outputs import softmax_cross_entropy
from solvers.classical.gradients.proximal import group_lasso
from solvers.classical.gradients.stack import RealLayer, Stack
from solvers.classical.gradients.units import relu

STEP_LIMIT, FORM_LIMIT = 1.3, 2.0
BATCH = 128
BLOCK = 0.03  # seconds timed at once
PROFILED, SHOWN = 1.0, 0.02  # seconds profiled; minimum share of a function shown

Action = Callable[[], object]


def ratio(ours: Action, theirs: Action, repeats: int) -> tuple[float, float, float]:
    """Return median processor seconds of both, taking turns, and the median of their ratios."""
    warm = min(seconds(theirs, 1) for _ in range(3))
    inner, pairs = max(1, round(BLOCK / max(warm, 1e-6))), []
    for turn in range(repeats):
        if turn % 2:
            pairs.append((seconds(ours, inner), seconds(theirs, inner)))
        else:
            pairs.append((seconds(theirs, inner), seconds(ours, inner))[::-1])
    return median(p[0] for p in pairs), median(p[1] for p in pairs), median(a / b for a, b in pairs)


def seconds(action: Action, times: int) -> float:
    """Return processor seconds per call, averaged over several; other processes do not count."""
    started = time.process_time()
    for _ in range(times):
        action()
    return (time.process_time() - started) / times


# -- steps -----------------------------------------------------------------------------------------


def torch_networks() -> dict[str, Callable[[], Any]]:
    """Return networks for 28 x 28 images and ten classes."""
    from torch import nn

    return {
        "784-10": lambda: nn.Sequential(nn.Flatten(), nn.Linear(784, 10)),
        "784-256-10": lambda: nn.Sequential(
            nn.Flatten(), nn.Linear(784, 256), nn.ReLU(), nn.Linear(256, 10)
        ),
        "784-1024-1024-10": lambda: nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, 1024),
            nn.ReLU(),
            nn.Linear(1024, 1024),
            nn.ReLU(),
            nn.Linear(1024, 10),
        ),
        "two convolutions, 16 and 32 channels": lambda: nn.Sequential(
            nn.Conv2d(1, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(512, 10),
        ),
    }


def steps(repeats: int) -> list[list[str]]:
    """Compare a step of RMDA with one of torch's SGD."""
    import torch

    rng = np.random.default_rng(0)
    X = torch.tensor(rng.random((BATCH, 1, 28, 28)), dtype=torch.float32)
    y = torch.tensor(rng.integers(0, 10, BATCH))
    cross_entropy = torch.nn.functional.cross_entropy
    samples, rows = np.arange(BATCH), []
    for name, make in torch_networks().items():
        objective = TorchObjective(make(), X, y, cross_entropy)
        averaging = DualAveraging(objective.weights, 0.1, group_lasso(), 1e-3)
        module, chosen = make(), torch.from_numpy(samples)
        sgd = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)

        def ours(
            objective: TorchObjective = objective, averaging: DualAveraging = averaging
        ) -> None:
            averaging.step(objective.directions(samples))

        def theirs(module: Any = module, sgd: Any = sgd, chosen: Any = chosen) -> None:
            sgd.zero_grad()
            cross_entropy(module(X[chosen]), y[chosen]).backward()
            sgd.step()

        rows.append(row(f"RMDA step, {name}", ratio(ours, theirs, repeats), STEP_LIMIT))
    return rows


# -- closed forms ----------------------------------------------------------------------------------


def closed_forms() -> dict[str, tuple[Action, Action]]:
    """Compare fits with their own linear algebra."""
    rng = np.random.default_rng(0)
    n, d, classes, hidden = 4000, 256, 10, 128
    X, y = rng.random((n, d)), rng.integers(0, classes, n)
    Y = np.eye(classes)[y]
    layers = [RealLayer.drawn(rng, (hidden, d), relu()), RealLayer.drawn(rng, (classes, hidden))]
    inequality = Stack(layers, softmax_cross_entropy())
    return {
        "explicit solution, 4,000 x 256": (
            lambda: ExplicitSoftmax(10.0).fit(X, y),
            explicit_algebra(X, Y),
        ),
        "explicit solution, layer by layer, 4,000 x 256-20-10": (
            lambda: ExplicitSoftmax(10.0, hidden=[20]).fit(X, y),
            explicit_algebra(X, Y, 20),
        ),
        "manifold network, one epoch, 4,000 x 256-128-10": (
            lambda: ManifoldNetwork([hidden], epochs=1).fit(X, y),
            manifold_algebra(X.T, Y.T, hidden),
        ),
        "random features, 4,000 x 256-1,000-10": (
            lambda: RandomFeatures(units=1000).fit(X, y),
            features_algebra(X, Y, 1000),
        ),
        "SVI's directions, batch 128, 256-128-10": (
            lambda: inequality.directions(X[:BATCH], Y[:BATCH], "full"),
            directions_algebra(X[:BATCH], layers[0].W, layers[1].W),
        ),
    }


def explicit_algebra(X: Any, Y: Any, hidden: int = 0) -> Action:
    """Compute the sums and products of one layer, or of two."""
    rng = np.random.default_rng(1)
    A, codes = rng.random((len(X), hidden)), rng.random((len(X), hidden))
    W = rng.random((X.shape[1], hidden))

    def algebra() -> None:
        X.sum(axis=1)
        scaled = X / 2.0
        if hidden:
            scaled.T @ codes
            scaled @ W
            A.T @ Y
        else:
            scaled.T @ Y

    return algebra


def features_algebra(X: Any, Y: Any, units: int) -> Action:
    """Compute products and solve of ridge regression on random units, in single precision."""
    rng = np.random.default_rng(1)
    W = rng.choice([-1, 1], (X.shape[1], units)).astype(np.float32)
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    ridge = np.eye(units, dtype=np.float32)

    def algebra() -> None:
        Z = X @ W
        np.linalg.solve(Z.T @ Z + ridge, Z.T @ Y)

    return algebra


def directions_algebra(X: Any, W: Any, V: Any) -> Action:
    """Compute the products of a forward and a backward pass through two layers."""
    rng = np.random.default_rng(1)
    A, E = rng.random((len(X), len(W))), rng.random((len(X), len(V)))

    def algebra() -> None:
        X @ W.T
        A @ V.T
        E @ V
        E.T @ A
        A.T @ X

    return algebra


def manifold_algebra(X: Any, Y: Any, hidden: int) -> Action:
    """Compute the products, decompositions and solves of an epoch with one hidden layer."""
    (d, n), c = X.shape, len(Y)
    rng = np.random.default_rng(1)
    A, W = rng.random((hidden, n)), rng.random((d, hidden))
    cross, root, T = rng.random((hidden, c)), rng.random((hidden, hidden)), rng.random((hidden, n))

    def algebra() -> None:
        W.T @ X  # forward pass
        for _ in range(4):  # rounds of the decision layer
            scipy.linalg.eigh(A @ A.T)
            A @ Y.T
            root @ root
            np.linalg.svd(root @ cross, full_matrices=False)
            root @ cross
            cross.T @ A
        cross @ Y  # propagation of targets
        gram = X @ X.T + np.eye(d)
        scipy.linalg.solve(gram, X @ T.T, assume_a="pos")

    return algebra


def profile(action: Action) -> list[list[str]]:
    """List functions by their own share of the time, matrix products included."""
    profiler, began = cProfile.Profile(), time.perf_counter()
    while time.perf_counter() - began < PROFILED:
        profiler.runcall(action)
    stats = pstats.Stats(profiler)
    whole, rows = stats.total_tt, []  # type: ignore[attr-defined]
    found = stats.stats.items()  # type: ignore[attr-defined]
    for (file, _, name), (_, _, own, _, _) in sorted(found, key=lambda item: -item[1][2]):
        if own >= SHOWN * whole:
            path = Path(file)
            where = f"{path.parent.name}/{path.name}" if path.suffix == ".py" else "built in"
            rows.append([f"{100 * own / whole:.0f} %", f"`{name}`", where])
    return rows


def row(name: str, measured: tuple[float, float, float], limit: float) -> list[str]:
    """Return one row of the table."""
    ours, theirs, factor = measured
    return [name, f"{1e3 * ours:.3f}", f"{1e3 * theirs:.3f}", f"{factor:.2f}", f"{limit:.1f}"]


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--report")
    arguments = parser.parse_args()
    forms = closed_forms()
    rows = [
        row(name, ratio(*actions, arguments.repeats), FORM_LIMIT) for name, actions in forms.items()
    ]
    try:
        import torch
    except ImportError:
        left_out = "Steps of RMDA left out: they need torch, `pip install 'qnn-ising[torch]'`."
    else:
        left_out = ""
        torch.set_num_threads(arguments.threads)
        rows += steps(arguments.repeats)
    header = ["", "ours, ms", "theirs, ms", "ratio", "limit"]
    text = page(
        markdown_table(header, rows), {n: profile(f[0]) for n, f in forms.items()}, left_out
    )
    print(text)
    if arguments.report:
        write_text(arguments.report, text)


def page(table: str, profiles: dict[str, Sequence[Sequence[str]]], left_out: str) -> str:
    """Return the whole page in Markdown."""
    made = environment()
    parts = [
        "# The classical solvers against what they are made of",
        "`python benchmarks/classical_speed.py`: medians of processor time on one thread, the two "
        "sides taking turns. Theirs: for closed forms nothing but their own matrix products, "
        "solves and decompositions; for RMDA a step of torch's SGD with momentum, the same network "
        f"and batch of {BATCH}. The ratio is the median over the turns.",
        table,
    ]
    parts += [left_out] if left_out else []
    for name, rows in profiles.items():
        parts += [
            f"## Profile: {name}",
            markdown_table(["own time", "function", "file"], [list(r) for r in rows]),
        ]
    packages = ", ".join(f"{k} {v}" for k, v in made["packages"].items() if v)
    parts.append(
        "A function's own time includes the matrix products that stand in it.\n\n"
        f"Python {made['python']}, {made['system']}, {made['cores']} cores, {made['created']}; "
        f"{packages}."
    )
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    main()
