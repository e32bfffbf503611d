"""References: what real weights of 32 bits reach on the same inputs, from the same split.

They play another game: their weights are no few-bit weights, so that they take part in no test on
the training loss, and theirs is not given: it would be of another scale.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from solvers.result import Status

if TYPE_CHECKING:
    from qnn.datasets import Dataset
    from qnn.training import DataOptions, ModelOptions

REAL_BITS = 32
"""Bits that a real number is stored in."""


def _logistic_regression(data: Dataset, seed: int) -> tuple[Any, int, int]:
    """The fitted classifier, the number of its weights, and of all its numbers."""
    from sklearn.linear_model import LogisticRegression

    fitted = LogisticRegression(max_iter=10_000, random_state=seed).fit(data.X_train, data.y_train)
    return fitted, fitted.coef_.size, fitted.coef_.size + fitted.intercept_.size


REFERENCES: Mapping[str, Callable[[Dataset, int], tuple[Any, int, int]]] = MappingProxyType(
    {"logistic-regression": _logistic_regression}
)
"""Every reference by its name."""


def refer(name: str, options: DataOptions, model: ModelOptions, seed: int) -> dict[str, Any]:
    """The figures of a reference, on the data that ``seed`` draws for the solvers.

    Examples
    --------
    >>> from qnn.training import DataOptions, ModelOptions
    >>> data = DataOptions("iris:0,1", samples=50)
    >>> figures = refer("logistic-regression", data, ModelOptions(), seed=0)
    >>> figures["test_accuracy"], figures["stored_bits"], figures["train_loss"]
    (1.0, 160, None)
    """
    data = options.load(seed)
    clock = time.perf_counter()
    fitted, num_weights, numbers = REFERENCES[name](data, seed)
    seconds = time.perf_counter() - clock
    return {
        "status": Status.FINISHED.value,
        "reference": True,
        "loss": model.loss,
        "train_loss": None,
        "lower_bound": None,
        "train_accuracy": _accuracy(fitted, data.X_train, data.y_train),
        "test_accuracy": _accuracy(fitted, data.X_test, data.y_test),
        "widths": (data.num_inputs, data.num_outputs),
        "weight_bits": REAL_BITS * numbers,
        "num_weights": num_weights,
        "stored_bits": REAL_BITS * numbers,
        "bits_per_weight": REAL_BITS * numbers / num_weights,
        "seconds": seconds,
        "train_samples": len(data.X_train),
        "test_samples": len(data.X_test),
    }


def _accuracy(fitted: Any, X: np.ndarray[Any, Any], y: np.ndarray[Any, Any]) -> float | None:
    return float(np.mean(fitted.predict(X) == y)) if len(X) else None
