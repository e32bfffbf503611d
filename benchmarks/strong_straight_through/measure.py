"""Straight-through training at full strength on MNIST and Fashion-MNIST, one thread.

    python benchmarks/strong_straight_through/measure.py FOLDER --widths 196-64-10 --samples 10000

``FOLDER`` holds the four IDX files of the set.  Prints the test and training accuracy of each seed,
the processor time of the fit, and the medians.  Nothing is chosen by the test images.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from integer_network import stored_bits
from straight_through import StraightThrough
from threadpoolctl import threadpool_limits

from qnn.data.datasets import level_thresholds, on_levels
from qnn.data.readers import read_idx

PARTS = ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1")


def pooled(images: np.ndarray, inputs: int) -> np.ndarray:
    """Means of square patches, shape (N, inputs), of images (N, 28, 28)."""
    side = 28 // int(inputs**0.5)
    blocks = images.reshape(len(images), 28 // side, side, 28 // side, side).astype(np.uint16)
    return blocks.sum((2, 4)).reshape(len(images), -1) // side**2


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--widths", default="196-64-10")
    parser.add_argument("--activation", default="sign", help="sign, relu:4 or hard-tanh:4")
    parser.add_argument("--levels", type=int, default=4, help="of the inputs, at their quantiles")
    parser.add_argument("--even", action="store_true", help="levels of equal width instead")
    parser.add_argument("--samples", type=int, help="training images; all by default")
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--time-limit", type=float)
    parser.add_argument("--seeds", type=int, default=3)
    asked = parser.parse_args(words)
    widths = tuple(map(int, asked.widths.split("-")))
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
        began = time.process_time()
        solver = StraightThrough(seed=seed, epochs=asked.epochs, time_limit=asked.time_limit)
        with threadpool_limits(1):
            trained = solver.fit(
                train, y[drawn].astype(np.int64), widths, (-1, 1), asked.activation
            )
        seconds = time.process_time() - began
        right = (trained.network.predict(test) == y_test).mean()
        figures.append((right, 1 - trained.error, seconds))
        print(f"seed {seed}: test {right:.4f}, training {1 - trained.error:.4f}, {seconds:.1f} s")
    bits = stored_bits(widths, 1, trained.network.threshold_bits(int(np.abs(train).max())))
    test, training, seconds = np.median(figures, axis=0)
    kib = bits / 8192
    print(f"median: test {test:.4f}, training {training:.4f}, {seconds:.1f} s; {kib:.2f} KiB")


if __name__ == "__main__":
    main(sys.argv[1:])
