"""``QNNClassifier()`` unchanged against logistic regression: accuracy by 5-fold cross-validation.

    python benchmarks/default_classifier.py [--tables FOLDER] [--seeds 3] [--votes K] [NAME ...]

NAME is one of scikit-learn's digits, breast_cancer, wine and iris, or a CSV file in FOLDER, whose
last column is the class.  Logistic regression sees the raw columns, standardised.  With ``--votes``
K networks share the default one's stored bits, and the mean of their probabilities decides.
"""

from __future__ import annotations

import argparse
import csv
import statistics
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn import datasets
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from qnn import QNNClassifier
from solvers import StraightThrough

BUNDLED = ("digits", "breast_cancer", "wine", "iris")


def read(name: str, tables: Path | None) -> tuple[np.ndarray, np.ndarray]:
    """Read columns and class numbers of a data set."""
    if name in BUNDLED:
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
        return X, y
    assert tables is not None, f"{name}: name the folder of its CSV file with --tables"
    with open(tables / f"{name}.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    X = np.array([row[:-1] for row in rows], dtype=float)
    return X, np.unique([row[-1] for row in rows], return_inverse=True)[1]


def fitted(X: np.ndarray, y: np.ndarray, seed: int, votes: int) -> list[QNNClassifier]:
    """Fit the default classifier, or several that share its stored bits."""
    one = QNNClassifier(random_state=seed)
    if votes == 1:
        return [one.fit(X, y)]
    bits = one.set_params(solver=StraightThrough(epochs=1)).fit(X, y).network_.stored_bits // votes
    return [QNNClassifier(bits=bits, random_state=seed + 100 * k).fit(X, y) for k in range(votes)]


def main() -> None:
    """Print a row for each data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", default=BUNDLED)
    parser.add_argument("--tables", type=Path)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--votes", type=int, default=1, metavar="K")
    given = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print("| data | default classifier | logistic regression | KiB | seconds a fit |")
    print("| --- | --- | --- | --- | --- |")
    for name in given.names:
        X, y = read(name, given.tables)
        ours, theirs, sizes, seconds = [], [], [], []
        for seed in range(given.seeds):
            folds = StratifiedKFold(5, shuffle=True, random_state=seed)
            for train, test in folds.split(X, y):
                began = time.perf_counter()
                fits = fitted(X[train], y[train], seed, given.votes)
                seconds.append(time.perf_counter() - began)
                chosen = np.sum([fit.predict_proba(X[test]) for fit in fits], axis=0).argmax(axis=1)
                ours.append(np.mean(fits[0].classes_[chosen] == y[test]))
                sizes.append(sum(fit.network_.stored_bits for fit in fits) / 8192)
                regression = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
                theirs.append(regression.fit(X[train], y[train]).score(X[test], y[test]))
        size, middle = statistics.median(sizes), statistics.median(seconds)
        print(
            f"| {name} | {np.mean(ours):.4f} | {np.mean(theirs):.4f} | {size:.2f} | "
            f"{middle:.1f} (at most {max(seconds):.1f}) |",
            flush=True,
        )


if __name__ == "__main__":
    main()
