"""What the references see, and what they store."""

from __future__ import annotations

import numpy as np
import pytest

from qnn.compare.references import refer, seen
from qnn.runs.training import DataOptions, ModelOptions

DIGITS = DataOptions("digits:3,8", inputs=16, levels=2)


@pytest.mark.parametrize(
    ("name", "columns", "values"),
    [
        ("logistic-regression", 16, [-1, 1]),
        ("logistic-regression-grey", 16, None),
        ("logistic-regression-pixels", 64, list(range(17))),
    ],
)
def test_each_sees_its_inputs(name: str, columns: int, values: list[int] | None) -> None:
    inputs, solvers = seen(name, DIGITS).load(1), DIGITS.load(1)
    assert inputs.X_train.shape == (100, columns)
    assert inputs.y_test.tolist() == solvers.y_test.tolist()
    if values is not None:
        assert np.unique(inputs.X_train).tolist() == values
    figures = refer(name, DIGITS, ModelOptions(), seed=1)
    assert figures["stored_bits"] == 32 * (columns + 1)
    assert figures["test_accuracy"] > 0.85
