"""Regressor: one output of a low-bit network, followed by a line."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import RegressorMixin
from sklearn.utils.validation import validate_data

from formulations import TrainingProblem
from formulations.arrays import FloatArray, IntArray
from formulations.constraints import Constraint
from qnn.estimator import Estimator
from qnn.fitting import check_inputs, old_options, repeated
from solvers.run.solver import Solver


@old_options
class QNNRegressor(RegressorMixin, Estimator):  # type: ignore[misc]
    """A regressor with weights of one or a few bits, and two real numbers for its line.

    The network is trained by the squared loss on targets scaled to the outputs of random networks;
    slope and intercept of its output are then fitted by least squares.

    Parameters
    ----------
    hidden, bits, activation, weights, levels, solver, time_limit
    random_state, constraints, verbose
        See :class:`QNNClassifier`.

    Attributes
    ----------
    network_, weights_, result_, thresholds_
        See :class:`QNNClassifier`; the result's loss is in units of the scaled targets.
    slope_, intercept_ : float

    Examples
    --------
    >>> X = np.random.default_rng(0).uniform(-1, 1, (300, 3))
    >>> y = X @ [3.0, 1.0, -2.0]
    >>> bool(QNNRegressor(bits=500).fit(X, y).score(X, y) > 0.95)
    True
    """

    def __init__(
        self,
        hidden: Sequence[int] | None = None,
        *,
        bits: int | None = None,
        activation: str | Callable[..., Any] = "relu:4",
        weights: str | tuple[str | None, bool | str] | None = None,
        levels: int | str | None = 16,
        solver: Solver | None = None,
        time_limit: float | None = 20.0,
        random_state: int | np.random.RandomState | None = None,
        constraints: Sequence[str | Constraint] = (),
        verbose: int = 0,
    ) -> None:
        super().__init__(
            hidden, bits, activation, weights, "squared", levels, solver, time_limit, random_state,
            constraints, verbose,
        )  # fmt: skip

    def fit(
        self, X: npt.ArrayLike, y: npt.ArrayLike, sample_weight: npt.ArrayLike | None = None
    ) -> Self:
        """Train; :meth:`QNNClassifier.fit` describes the sample weights."""
        self._check()
        check_inputs(X)
        check_inputs(y, "y")
        inputs, values = validate_data(self, X, y, dtype=np.float64, y_numeric=True)
        inputs, values = repeated(sample_weight, inputs, np.asarray(values, dtype=np.float64))
        # A power of two keeps squares of large and small values in range, exactly.
        exponent = int(np.frexp(np.abs(values).max())[1])
        values = np.ldexp(values, -exponent)
        scaled = (values - values.mean()) / (values.std() or 1.0)
        self._train(inputs, 1, lambda lattice: scaled * self._usual_output(lattice), self.levels)
        z = self._of_checked(inputs)[:, 0]
        self.slope_, self.intercept_ = 0.0, float(values.mean())
        if z.std() > 0:
            self.slope_, self.intercept_ = map(float, np.polyfit(z, values, 1))
        self.slope_ = float(np.ldexp(self.slope_, exponent))
        self.intercept_ = float(np.ldexp(self.intercept_, exponent))
        return self

    def _usual_output(self, lattice: IntArray) -> float:
        """Return the standard deviation of 32 random networks' outputs."""
        problem = TrainingProblem(self.network_, lattice, np.zeros(len(lattice)), loss="squared")
        bits = problem.random_bits(np.random.default_rng(0), 32)
        z = problem.pre_activations(bits)[-1]
        return float(problem.out_step * z.std(axis=1).mean()) or 1.0

    def predict(self, X: npt.ArrayLike) -> FloatArray:
        """Return predicted values, shape (N,)."""
        z = self._outputs(X)[:, 0]
        return self.slope_ * z + self.intercept_
