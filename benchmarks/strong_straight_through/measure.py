"""`StraightThrough` on MNIST and Fashion-MNIST: test accuracy, processor seconds, KiB.

    python benchmarks/strong_straight_through/measure.py FOLDER --widths 196-64-10 --samples 10000

``FOLDER`` holds the four IDX files of the set.  Held-out training images (``--held-out``), never
test images, select the epoch to keep and the settings.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from formulations import Network, TrainingProblem
from qnn.data.levels import level_thresholds, on_levels
from qnn.data.readers import read_idx
from solvers import StraightThrough

PARTS = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def pooled(images: np.ndarray, inputs: int) -> np.ndarray:
    """Return means of square patches, shape (N, inputs), of images (N, 28, 28)."""
    side = 28 // int(inputs**0.5)
    blocks = images.reshape(len(images), 28 // side, side, 28 // side, side).astype(np.uint16)
    return blocks.sum((2, 4)).reshape(len(images), -1) // side**2


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--widths", default="196-64-10")
    parser.add_argument("--activation", default="sign", help="sign, relu:4, hard-tanh:4, ...")
    parser.add_argument("--weights", default="bipolar", help="bipolar, ternary, uniform:2, ...")
    parser.add_argument("--loss", default="cross-entropy")
    parser.add_argument("--levels", type=int, default=4, help="of the inputs, at their quantiles")
    parser.add_argument("--even", action="store_true", help="levels of equal width instead")
    parser.add_argument("--samples", type=int, help="training images; all by default")
    parser.add_argument("--held-out", type=float, default=0.0, help="share that chooses the epoch")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args(words)
    widths = list(map(int, asked.widths.split("-")))
    network = Network.dense(widths, asked.activation, asked.weights, bias="auto")
    X, y, X_test, y_test = (read_idx(asked.folder / f"{part}-ubyte.gz") for part in PARTS)
    X, X_test = pooled(X, widths[0]), pooled(X_test, widths[0])
    figures = []
    for seed in range(asked.seeds):
        drawn = np.random.default_rng(seed).permutation(len(X))[: asked.samples]
        if asked.even:
            train, test = (2 * (p.astype(int) * asked.levels // 256) + 1 - asked.levels
                           for p in (X[drawn], X_test))  # fmt: skip
        else:
            thresholds = level_thresholds(X[drawn], asked.levels)
            train, test = on_levels(X[drawn], thresholds), on_levels(X_test, thresholds)
        problem = TrainingProblem(network, train, y[drawn], asked.loss)
        solver = StraightThrough(
            asked.epochs, held_out=asked.held_out, seed=seed, time_limit=asked.time_limit
        )
        began = time.process_time()
        with threadpool_limits(1):
            weights = solver.solve(problem).weights
        seconds = time.process_time() - began
        found, right = (
            problem.network.predict(weights, train),
            problem.network.predict(weights, test),
        )
        figures.append(((right == y_test).mean(), (found == y[drawn]).mean(), seconds))
        print(
            "seed {}: test {:.4f}, training {:.4f}, {:.1f} s".format(seed, *figures[-1]), flush=True
        )
    kib = problem.network.stored_bits / 8192
    median = np.median(figures, axis=0)
    print("median: test {:.4f}, training {:.4f}, {:.1f} s; {:.2f} KiB".format(*median, kib))


if __name__ == "__main__":
    main(sys.argv[1:])
