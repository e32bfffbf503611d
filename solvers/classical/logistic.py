"""Logistic regression with a ridge penalty, rounded to the levels of a linear network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import softmax

from formulations import TrainingProblem
from formulations.arrays import FloatArray, IntArray
from formulations.checks import check_number
from formulations.errors import InvalidInputError
from formulations.network.codes import WeightCode
from formulations.network.network import Weights
from solvers.classical.level_fit import nearest
from solvers.run.result import Result
from solvers.run.solver import Iterative


def ridge_logistic(
    X: FloatArray,
    classes: IntArray,
    count: int,
    strength: float,
    start: FloatArray | None = None,
    *,
    constant: float = 1.0,
) -> FloatArray:
    """Return the weights V of logistic regression on standardised columns, shape (d + 1, C).

    They minimise  strength * sum_i -log softmax(V'[x_i, 1])[c_i] + |V_1..d|^2 / 2,  as in
    scikit-learn with ``C=strength``; thresholds come last and are free of the penalty.

    Parameters
    ----------
    X : array of float64, shape (N, d)
    classes : array of int, shape (N,)
        0 .. C-1.
    count : int
        C.
    strength : float
    start : array, shape (d + 1, C), optional
        Weights of a similar strength, to start from.
    constant : float
        Input of the thresholds; 0 for none.

    Examples
    --------
    >>> V = ridge_logistic(np.array([[-1.0], [1.0]]), np.array([0, 1]), 2, 1.0)
    >>> V.shape, bool(V[0, 1] > 0 > V[0, 0])
    ((2, 2), True)
    """
    inputs = np.column_stack([X, np.full(len(X), constant)])
    right = np.eye(count)[classes]

    def cost(flat: FloatArray) -> tuple[float, FloatArray]:
        V = flat.reshape(-1, count)
        z = inputs @ V
        share = softmax(z, axis=1)
        likely = np.log(np.maximum(share[np.arange(len(z)), classes], 1e-300))
        slope = strength * (inputs.T @ (share - right))
        slope[:-1] += V[:-1]
        return 0.5 * float((V[:-1] ** 2).sum()) - strength * float(likely.sum()), slope.ravel()

    begun = np.zeros((X.shape[1] + 1, count)) if start is None else start
    found = minimize(cost, begun.ravel(), jac=True, method="L-BFGS-B", options={"maxiter": 100})
    return np.asarray(found.x.reshape(begun.shape))


@dataclass(frozen=True)
class RidgeLogistic(Iterative):
    """Logistic regression for networks without hidden layer, rounded to the code's levels.

    Inputs are standardised for the penalty.  All outputs share the scale at which the largest
    weight takes the code's largest level, since the classes compare them.

    Parameters
    ----------
    strength : float
        Inverse strength of the ridge penalty, as ``C`` of scikit-learn.
    seed, time_limit, callbacks, checkpoint, checkpoint_every
        See :class:`~solvers.run.solver.Iterative`; it takes one step and draws nothing.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> network = Network.dense([2, 3], weights="uniform:6", bias="auto")
    >>> X = [[-3, 1], [-1, -3], [3, 1]] * 4
    >>> problem = TrainingProblem(network.for_inputs(X), X, [0, 1, 2] * 4, "cross-entropy")
    >>> weights = RidgeLogistic().solve(problem).weights
    >>> problem.network.predict(weights, X)[:3].tolist()
    [0, 1, 2]
    """

    strength: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("strength", self.strength)

    def solve(self, problem: TrainingProblem) -> Result:
        """Train the free weight bits of ``problem``.

        Raises
        ------
        InvalidInputError
            For a network with hidden layers.
        """
        run = self.begun(problem)
        if len(problem.network.layers) > 1:
            raise InvalidInputError(
                f"RidgeLogistic on {problem.network}: it trains networks without hidden layer; "
                "leave the hidden layers out, or take StraightThrough()"
            )
        with run.guarded():
            run.resume()
            for t in run.steps(1):
                bits = problem.bits_from_weights(self._rounded(problem))
                loss = float(problem.losses(bits[None])[0])
                run.incumbent.offer(bits[None], [loss])
                run.history.record(iteration=t, loss=loss)
        return run.result(problem, recipe="logistic regression")

    def _rounded(self, problem: TrainingProblem) -> Weights:
        layer, count = problem.network.layers[0], problem.network.num_outputs
        X = problem.X.astype(float)
        mean, spread = X.mean(axis=0), X.std(axis=0)
        spread[spread == 0] = np.inf  # a constant column has no weight
        if layer.bias_code is None or not layer.bias_code.is_integer:
            mean[:] = 0.0  # thresholds of few levels cannot shift the inputs
        V = ridge_logistic(
            (X - mean) / spread,
            problem.classes,
            max(count, 2),
            self.strength,
            constant=float(layer.bias_code is not None and layer.bias_code.is_integer),
        )
        V[:-1] /= spread[:, None]
        V[-1] -= mean @ V[:-1]
        V = V[:, 1:] - V[:, :1] if count == 1 else V
        largest = float(np.abs(V[:-1]).max())
        V *= layer.code.high / (largest or 1.0)
        biases = None
        if layer.bias_code is not None:
            biases = _levels(layer.bias_code, V[-1] / problem.bias_units[0])
        return Weights((_levels(layer.code, V[:-1].T),), (biases,), problem.splines)


def _levels(code: WeightCode, wanted: FloatArray) -> IntArray:
    if code.is_integer:  # its levels may be too many to list
        return np.clip(np.rint(wanted), code.low, code.high).astype(np.int64)
    return nearest(code, wanted).astype(np.int64)
