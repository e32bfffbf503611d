"""Time of the classical solvers against what they are made of.

    python benchmarks/classical_speed.py [--repeats 15] [--json FILE]

Steps: a whole step of RMDA (gradient by torch, averaging, proximal operator) against one of torch's
SGD with momentum on the same network and batch.  Closed forms: a fit against nothing but its own
matrix products, solves and decompositions, on arrays of the same shapes.  Medians of processor
time, on one thread (set OMP_NUM_THREADS=1); the two sides take turns.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import scipy.linalg

from solvers import ExplicitSoftmax, ManifoldNetwork
from solvers.classical.objectives import TorchObjective
from solvers.classical.proximal import GroupLasso
from solvers.classical.real_network import RealLayer, RealNetwork, Relu, SoftmaxCrossEntropy
from solvers.classical.steppers import DualAveraging

STEP_LIMIT, FORM_LIMIT = 1.3, 2.0
BATCH = 128
BLOCK = 0.03  # seconds that are timed at once

Action = Callable[[], object]


def ratio(ours: Action, theirs: Action, repeats: int) -> tuple[float, float, float]:
    """Median processor seconds of both, taking turns, and the median of their ratios."""
    warm = min(seconds(theirs, 1) for _ in range(3))
    inner, pairs = max(1, round(BLOCK / max(warm, 1e-6))), []
    for turn in range(repeats):
        if turn % 2:
            pairs.append((seconds(ours, inner), seconds(theirs, inner)))
        else:
            pairs.append((seconds(theirs, inner), seconds(ours, inner))[::-1])
    return median(p[0] for p in pairs), median(p[1] for p in pairs), median(a / b for a, b in pairs)


def seconds(action: Action, times: int) -> float:
    """Processor seconds of one of several calls; other processes do not count."""
    started = time.process_time()
    for _ in range(times):
        action()
    return (time.process_time() - started) / times


# -- steps -----------------------------------------------------------------------------------------


def torch_networks() -> dict[str, Callable[[], Any]]:
    """Networks for 28 x 28 images and ten classes."""
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


def steps(repeats: int) -> list[dict[str, Any]]:
    """A step of RMDA against one of torch's SGD."""
    import torch

    rng = np.random.default_rng(0)
    X = torch.tensor(rng.random((BATCH, 1, 28, 28)), dtype=torch.float32)
    y = torch.tensor(rng.integers(0, 10, BATCH))
    cross_entropy = torch.nn.functional.cross_entropy
    samples, rows = np.arange(BATCH), []
    for name, make in torch_networks().items():
        objective = TorchObjective(make(), X, y, cross_entropy)
        averaging = DualAveraging(objective.weights, 0.1, GroupLasso(), 1e-3)
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


def closed_forms(repeats: int) -> list[dict[str, Any]]:
    """Fits against their own linear algebra."""
    rng = np.random.default_rng(0)
    n, d, classes, hidden = 4000, 256, 10, 128
    X, y = rng.random((n, d)), rng.integers(0, classes, n)
    Y = np.eye(classes)[y]

    def explicit() -> None:
        ExplicitSoftmax(10.0).fit(X, y)

    def explicit_algebra() -> None:
        X.sum(axis=1)
        (X / 2.0).T @ Y

    network = ManifoldNetwork([hidden], epochs=1)

    def manifold() -> None:
        network.fit(X, y)

    layers = [RealLayer.drawn(rng, (hidden, d), Relu()), RealLayer.drawn(rng, (classes, hidden))]
    inequality = RealNetwork(layers, SoftmaxCrossEntropy())
    W, V = layers[0].W, layers[1].W
    batch, targets = X[:BATCH], Y[:BATCH]
    A, E = rng.random((BATCH, hidden)), rng.random((BATCH, classes))

    def directions() -> None:
        inequality.directions(batch, targets, "full")

    def directions_algebra() -> None:
        batch @ W.T
        A @ V.T
        E @ V
        E.T @ A
        A.T @ batch

    return [
        row(
            "explicit solution, 4,000 x 256", ratio(explicit, explicit_algebra, repeats), FORM_LIMIT
        ),
        row(
            "manifold network, one epoch, 4,000 x 256-128-10",
            ratio(manifold, manifold_algebra(X.T, Y.T, hidden), repeats),
            FORM_LIMIT,
        ),
        row(
            "SVI's directions, batch 128, 256-128-10",
            ratio(directions, directions_algebra, repeats),
            FORM_LIMIT,
        ),
    ]


def manifold_algebra(X: Any, Y: Any, hidden: int) -> Action:
    """The products, decompositions and solves of an epoch with one hidden layer."""
    (d, n), c = X.shape, len(Y)
    rng = np.random.default_rng(1)
    A, W = rng.random((hidden, n)), rng.random((d, hidden))
    cross, root, T = rng.random((hidden, c)), rng.random((hidden, hidden)), rng.random((hidden, n))

    def algebra() -> None:
        W.T @ X  # forward
        for _ in range(4):  # rounds of the decision layer
            scipy.linalg.eigh(A @ A.T)
            A @ Y.T
            root @ root
            np.linalg.svd(root @ cross, full_matrices=False)
            root @ cross
            cross.T @ A
        cross @ Y  # targets carried back
        gram = X @ X.T + np.eye(d)
        scipy.linalg.solve(gram, X @ T.T, assume_a="pos")

    return algebra


def row(name: str, measured: tuple[float, float, float], limit: float) -> dict[str, Any]:
    """One line of the table."""
    ours, theirs, factor = measured
    return {"name": name, "ours": ours, "theirs": theirs, "ratio": factor, "limit": limit}


def main() -> None:
    """Measure, print, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--threads", type=int, default=1, help="threads of torch")
    parser.add_argument("--json")
    arguments = parser.parse_args()
    rows = closed_forms(arguments.repeats)
    try:
        import torch
    except ImportError:
        print("steps of RMDA left out: they need torch, pip install 'qnn-ising[torch]'")
    else:
        torch.set_num_threads(arguments.threads)
        rows += steps(arguments.repeats)
    print(f"{'':50} {'ours':>10} {'theirs':>10} {'ratio':>6} {'limit':>6}")
    for r in rows:
        print(
            f"{r['name']:50} {1e3 * r['ours']:7.3f} ms {1e3 * r['theirs']:7.3f} ms "
            f"{r['ratio']:6.2f} {r['limit']:6.1f}"
        )
    if arguments.json:
        record = {"machine": platform.platform(), "python": platform.python_version(), "rows": rows}
        with open(arguments.json, "w") as file:
            json.dump(record, file, indent=1)


if __name__ == "__main__":
    main()
