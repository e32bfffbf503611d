"""``QNNRegressor()`` unchanged against ridge regression: R^2 by 5-fold cross-validation.

    python benchmarks/default_regressor.py [--seeds 3] [NAME ...]

NAME is scikit-learn's diabetes; proline, that column of its wine table from the other twelve; or
friedman, 1,000 draws of its Friedman 1 with noise of standard deviation 1.  Ridge regression sees
the raw columns, standardised, and chooses its penalty by leave-one-out.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings

import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import RidgeCV
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qnn import QNNRegressor

NAMES = ("diabetes", "proline", "friedman")


def read(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Read columns and targets of a data set."""
    if name == "diabetes":
        X, y = datasets.load_diabetes(return_X_y=True)
    elif name == "proline":
        table = datasets.load_wine().data
        X, y = table[:, :-1], table[:, -1]
    else:
        X, y = datasets.make_friedman1(1000, noise=1.0, random_state=0)
    return X, y


def main() -> None:
    """Print a row for each data set."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES)
    parser.add_argument("--seeds", type=int, default=3)
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print("| data | default regressor | ridge regression | KiB | seconds a fit |")
    print("| --- | --- | --- | --- | --- |")
    for name in given.names:
        X, y = read(name)
        ours, theirs, sizes, seconds = [], [], [], []
        for seed in range(given.seeds):
            for train, test in KFold(5, shuffle=True, random_state=seed).split(X):
                began = time.perf_counter()
                network = QNNRegressor(random_state=seed).fit(X[train], y[train])
                seconds.append(time.perf_counter() - began)
                ours.append(network.score(X[test], y[test]))
                sizes.append(network.network_.stored_bits / 8192)
                ridge = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-2, 4, 25)))
                theirs.append(ridge.fit(X[train], y[train]).score(X[test], y[test]))
        print(
            f"| {name} | {np.mean(ours):.3f} | {np.mean(theirs):.3f} | "
            f"{statistics.median(sizes):.2f} | {statistics.median(seconds):.1f} (at most "
            f"{max(seconds):.1f}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
