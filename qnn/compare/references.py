"""References: methods with real 32-bit weights, on the same inputs and split.

Their weights are not low-bit, so they take part in no test on the training loss.  Their own loss is
not given, because its scale differs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from formulations.arrays import IntArray
from solvers.run.result import Status

if TYPE_CHECKING:
    from qnn.data.datasets import Dataset
    from qnn.runs.training import DataOptions, ModelOptions

REFERENCES: Mapping[str, tuple[bool, bool, float]] = MappingProxyType(
    {
        "logistic-regression": (True, True, 1.0),
        "logistic-regression-grey": (False, True, 1.0),
        "logistic-regression-pixels": (False, False, 0.01),
    }
)
"""References by name: True if the reference sees inputs on their levels, as the networks do, False
for raw inputs, which must be integers; True if images are pooled as for the networks; and the
inverse strength C of its ridge penalty.  With all pixels it overfits at the usual C = 1."""


def seen(name: str, options: DataOptions) -> DataOptions:
    """Return the data as a reference sees them."""
    levels, pooled, _ = REFERENCES[name]
    return replace(
        options,
        levels=options.levels if levels else None,
        inputs=options.inputs if pooled else None,
    )


def refer(name: str, options: DataOptions, model: ModelOptions, seed: int) -> dict[str, Any]:
    """Return the figures of a reference on the data that ``seed`` draws for the solvers.

    Examples
    --------
    >>> from qnn.runs.training import DataOptions, ModelOptions
    >>> data = DataOptions("iris:0,1", samples=50)
    >>> found = refer("logistic-regression", data, ModelOptions(), seed=0)
    >>> found["test_accuracy"], found["stored_bits"], found["train_loss"]
    (1.0, 160, None)
    """
    return figures(name, seen(name, options).load(seed, model.recipe), model.loss, seed)


def figures(name: str, data: Dataset, loss: str, seed: int) -> dict[str, Any]:
    """Return the figures of a reference on these data; a real number is stored in 32 bits.

    Inputs are standardised, which its weights can absorb.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    regression = LogisticRegression(C=REFERENCES[name][2], max_iter=10_000, random_state=seed)
    clock = time.perf_counter()
    fitted = make_pipeline(StandardScaler(), regression).fit(data.X_train, data.y_train)
    seconds = time.perf_counter() - clock

    def accuracy(X: IntArray, y: IntArray) -> float | None:
        return float(np.mean(fitted.predict(X) == y)) if len(X) else None

    num_weights = fitted[-1].coef_.size
    bits = 32 * (num_weights + fitted[-1].intercept_.size)
    return {
        "status": Status.FINISHED.value,
        "reference": True,
        "loss": loss,
        "train_loss": None,
        "lower_bound": None,
        "train_accuracy": accuracy(data.X_train, data.y_train),
        "test_accuracy": accuracy(data.X_test, data.y_test),
        "widths": (data.num_inputs, data.num_outputs),
        "weight_bits": bits,
        "num_weights": num_weights,
        "stored_bits": bits,
        "bits_per_weight": bits / num_weights,
        "seconds": seconds,
        "train_samples": len(data.X_train),
        "test_samples": len(data.X_test),
    }
