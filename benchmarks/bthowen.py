"""Networks on the exact splits of BTHOWeN (Susskind et al. 2022), within its KiB.

    python benchmarks/bthowen.py [--tables FOLDER] [--seeds 9] [--plain] [NAME ...]

The test part of iris, wine, vehicle and letter is a third of the samples, the first ones of
``RandomState(123).permutation(N)``, as in the authors' ``tabular_tools.py``; satellite and shuttle
have their own, the last 2,000 and 14,500 samples.  A row has the medians over the seeds of training
on that split, with extremes in brackets, and for fewer than 1,000 samples also those of as many
other draws.  Non-default options were chosen on the training part by folds; ``--plain`` omits them.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from default_classifier import read
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qnn import QNNClassifier

SETS: dict[str, tuple[float, float, dict[str, Any]]] = {
    "iris": (0.28, 0.980, {}),
    "wine": (0.42, 0.983, {}),
    "vehicle": (2.25, 0.762, {}),
    "satellite": (9.0, 0.880, {}),
    "letterrecognition": (12.0, 0.900, {}),
    "shuttle": (2.63, 0.999, {"levels": "thermometer:16"}),
}
"""Maximum KiB, BTHOWeN's accuracy, and deviations from the default classifier."""

TESTS = {"satellite": 2_000, "shuttle": 14_500}


def split(name: str, count: int, draw: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return training and test part: the original split, or another draw of the same sizes."""
    if draw is None and name in TESTS:
        order = np.roll(np.arange(count), TESTS[name])
    else:
        order = np.random.RandomState(123 if draw is None else 1_000 + draw).permutation(count)
    tested = TESTS.get(name, count // 3)
    return order[tested:], order[:tested]


def spread(values: list[float]) -> str:
    """Format the median, with the extremes in brackets."""
    return f"{statistics.median(values):.4f} ({min(values):.3f} - {max(values):.3f})"


def main() -> None:
    """Print a row for each data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=list(SETS))
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--seeds", type=int, default=9)
    parser.add_argument("--plain", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    header = ["data", "network", "KiB", "their split", "BTHOWeN", "logistic regression"]
    header += ["other draws", "logistic regression", "seconds a fit"]
    print("| " + " | ".join(header) + " |\n" + "| --- " * len(header) + "|")
    for name in given.names:
        kib, published, options = SETS[name]
        options = {} if given.plain else options
        X, y = read(name, given.tables)
        cells = []
        others = range(given.seeds) if len(y) < 1_000 else ()
        for draws in ([None] * given.seeds, others):
            ours: list[float] = []
            theirs: list[float] = []
            for seed, draw in enumerate(draws):
                train, test = split(name, len(y), draw)
                began = time.perf_counter()
                fit = QNNClassifier(bits=int(8192 * kib), random_state=seed, **options)
                ours.append(fit.fit(X[train], y[train]).score(X[test], y[test]))
                seconds = time.perf_counter() - began
                line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
                if draw is not None or not theirs:
                    theirs.append(line.fit(X[train], y[train]).score(X[test], y[test]))
            cells += [spread(ours), f"{statistics.median(theirs):.4f}"] if ours else ["-", "-"]
        cells.insert(1, f"{published:.3f}")
        network = fit.network_
        code = network.layers[0].code.name
        about = ["-".join(map(str, network.widths)) + f", {code}"]
        about.append(f"{network.stored_bits / 8192:.3f}")
        print("| " + " | ".join([name, *about, *cells, f"{seconds:.1f}"]) + " |", flush=True)


if __name__ == "__main__":
    main()
