"""References: what real weights of 32 bits reach on the same inputs, from the same split.

They play another game: their weights are no few-bit weights, so that they take part in no test on
the training loss, and theirs is not given: it would be of another scale.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from solvers.run.result import Status

if TYPE_CHECKING:
    from qnn.data.datasets import Dataset
    from qnn.runs.training import DataOptions, ModelOptions

REAL_BITS = 32
"""Bits that a real number is stored in."""


@dataclass(frozen=True)
class Reference:
    """Logistic regression, and what of the inputs it sees.

    Parameters
    ----------
    levels : bool
        On their levels, as the networks see them; else as they are, which has to be integers.
    pooled : bool
        Images pooled as for the networks; else every pixel.
    C : float
        Inverse strength of the ridge penalty.
    """

    levels: bool = True
    pooled: bool = True
    C: float = 1.0

    def load(self, options: DataOptions, seed: int) -> Dataset:
        """The data that ``seed`` draws for the solvers, as the reference sees them."""
        levels = options.levels if self.levels else None
        inputs = options.inputs if self.pooled else None
        return replace(options, levels=levels, inputs=inputs).load(seed)

    def fit(self, data: Dataset, seed: int) -> Any:
        """The fitted classifier.  Inputs are standardised, which its weights can take in."""
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        regression = LogisticRegression(C=self.C, max_iter=10_000, random_state=seed)
        return make_pipeline(StandardScaler(), regression).fit(data.X_train, data.y_train)


REFERENCES: Mapping[str, Reference] = MappingProxyType(
    {
        "logistic-regression": Reference(),
        "logistic-regression-grey": Reference(levels=False),
        "logistic-regression-pixels": Reference(levels=False, pooled=False, C=0.01),
    }
)
"""Every reference by its name.  With all pixels it fits too closely at the usual C = 1."""


def refer(name: str, options: DataOptions, model: ModelOptions, seed: int) -> dict[str, Any]:
    """The figures of a reference, on the data that ``seed`` draws for the solvers.

    Examples
    --------
    >>> from qnn.runs.training import DataOptions, ModelOptions
    >>> data = DataOptions("iris:0,1", samples=50)
    >>> found = refer("logistic-regression", data, ModelOptions(), seed=0)
    >>> found["test_accuracy"], found["stored_bits"], found["train_loss"]
    (1.0, 160, None)
    """
    reference = REFERENCES[name]
    return figures(reference, reference.load(options, seed), model.loss, seed)


def figures(reference: Reference, data: Dataset, loss: str, seed: int) -> dict[str, Any]:
    """The figures of a reference on these data."""
    clock = time.perf_counter()
    fitted = reference.fit(data, seed)
    seconds = time.perf_counter() - clock
    num_weights = fitted[-1].coef_.size
    numbers = num_weights + fitted[-1].intercept_.size
    return {
        "status": Status.FINISHED.value,
        "reference": True,
        "loss": loss,
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
