"""Random features: random hidden weights, and an output layer by ridge regression.

Let Phi (N, h) be the activations of the last hidden layer, with the constant input of thresholds as
last column, and T (N, C) the targets.  Each output's weights

    v = argmin |Phi v - t|^2 + lambda |v|^2 = (Phi'Phi + lambda I)^-1 Phi't,

are rounded to the code, w = nearest level of s v, at the one of several scales s with the least
real loss.  Coordinate descent on that loss then moves one output weight at a time to its best level
until none improves.  [Random features: Rahimi and Recht 2008; ridge regression: Hoerl and Kennard
1970.]
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from formulations import TrainingProblem
from formulations.arrays import Array, BitArray, Float32Array, FloatArray, IntArray
from formulations.checks import WIDEST, check_flag, check_number, check_whole
from formulations.network.network import Weights
from solvers.classical.level_fit import QUANTILES, nearest
from solvers.classical.samples import checked_samples
from solvers.kernels.blocks import heat_bath
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.run.option_checks import check_count
from solvers.run.result import Result
from solvers.run.solver import Iterative


@dataclass(frozen=True)
class SignFeatures:
    """Network of units sign(W x) with weights of +-1, and real output weights.

    Parameters
    ----------
    hidden : ndarray of int8, shape (d, units)
    output : ndarray, shape (units, C)
    thresholds : ndarray, shape (C,)
    """

    hidden: BitArray
    output: FloatArray
    thresholds: FloatArray

    def features(self, X: npt.ArrayLike) -> Float32Array:
        """Return the units' outputs, +1 or -1, shape (M, units)."""
        Z = np.asarray(X, dtype=np.float32) @ self.hidden.astype(np.float32)
        return np.where(Z >= 0, np.float32(1), np.float32(-1))

    def predict(self, X: npt.ArrayLike) -> IntArray:
        """Predict class numbers, shape (M,)."""
        return np.asarray((self.features(X) @ self.output + self.thresholds).argmax(axis=1))


@dataclass(frozen=True)
class RandomFeatures(Iterative):
    """Random features: ``fit`` as in the paper, ``solve`` for low-bit weights.

    ``fit`` draws hidden weights of +-1 and keeps the output weights real.  ``solve`` draws hidden
    weights from the problem's code and rounds the output weights to it.

    Parameters
    ----------
    draws : int or None
        Independent draws of the hidden weights by ``solve``; None runs until the time limit.
    ridge : float
        lambda, in units of the mean diagonal entry of Phi'Phi.
    greedy : bool
        If True, coordinate descent improves the rounded output weights of ``solve``.
    units : int
        Number of hidden units in ``fit``.
    seed, time_limit, callbacks, checkpoint, checkpoint_every
        See :class:`~solvers.run.solver.Iterative`.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    >>> RandomFeatures(draws=20).solve(problem).loss
    0.0
    >>> RandomFeatures(units=20).fit([[1, -1], [1, 1], [-1, 1]], [0, 1, 1]).predict([[2, -1]])
    array([0])
    """

    draws: int | None = 20
    ridge: float = 1e-2
    greedy: bool = True
    units: int = 1000

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("units", self.units, most=WIDEST)
        check_flag("greedy", self.greedy)
        check_count("draws", self.draws, self.time_limit)
        check_number("ridge", self.ridge)

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> SignFeatures:
        """Fit random units and ridge regression to inputs (M, d) and classes 0 .. C-1.

        Raises
        ------
        InvalidInputError
            For inconsistent shapes, or labels that are not class numbers.
        """
        X, y = checked_samples(X, y, np.float32)
        targets, signs = np.eye(int(y.max()) + 1, dtype=np.float32)[y], np.array([-1, 1], np.int8)
        drawn = self._rng(0).choice(signs, (X.shape[1], self.units))
        network = SignFeatures(drawn, np.zeros((self.units, 1)), np.zeros(1))
        features = network.features(X)
        centre, mean = features.mean(axis=0), targets.mean(axis=0)
        features -= centre
        output = _ridge(features, targets - mean, self.ridge).T
        return SignFeatures(drawn, output, mean - centre @ output)

    def solve(self, problem: TrainingProblem) -> Result:
        """Train the free weight bits of ``problem``.

        Returns
        -------
        Result
            ``history`` has a row per draw: its ``loss`` and the ``best_loss`` so far;
            ``info["draws"]`` is their number.
        """
        run = self.begun(problem)
        anything = problem.random_bits(self._rng(0), 1)  # an answer for runs that stop early
        run.incumbent.offer(anything, problem.losses(anything))
        with run.guarded():
            run.resume()
            for t in run.steps(self.draws):
                bits = self._draw(problem, self._rng(t))
                loss = float(problem.losses(bits)[0])
                run.incumbent.offer(bits[None], [loss])
                run.history.record(iteration=t, loss=loss, best_loss=run.incumbent.loss)
        return run.result(problem, draws=len(run.history))

    def _draw(self, problem: TrainingProblem, rng: np.random.Generator) -> BitArray:
        """Draw hidden weights, fit the output layer, and return the free bits."""
        bits = problem.random_bits(rng, 1)[0]
        features = _features(problem, bits)
        targets = problem.targets[problem.target_index] / problem.out_step
        output = _rounded(problem, features, _ridge(features, targets, self.ridge))
        bits = _with_output(problem, bits, output)
        return _descended(problem, bits, rng) if self.greedy else bits


def _features(problem: TrainingProblem, bits: BitArray) -> FloatArray:
    """Return the last layer's inputs and constant, shape (N, h + 1), as lattice integers."""
    inputs = problem.X.astype(float)
    if problem.splines:
        z = problem.pre_activations(bits[None])[-2][0]
        inputs = problem.splines[-1].units(z).astype(float)
    constant = float(problem.bias_units[-1]) if problem.network.layers[-1].bias_code else 0.0
    return np.concatenate([inputs, np.full((len(inputs), 1), constant)], axis=1)


def _ridge(features: Array, targets: Array, ridge: float) -> FloatArray:
    """Return (Phi'Phi + lambda I)^-1 Phi'T as rows, shape (C, h + 1)."""
    gram = features.T @ features
    penalty = ridge * float(np.diag(gram).mean()) or 1.0  # 1.0 if all features are zero
    fitted = np.linalg.solve(gram + penalty * np.eye(len(gram)), features.T @ targets)
    return np.ascontiguousarray(fitted.T)


def _rounded(problem: TrainingProblem, features: FloatArray, fitted: FloatArray) -> IntArray:
    """Round each output's weights at its best scale, shape (C, h + 1)."""
    layer = problem.network.layers[-1]
    largest = np.abs(layer.code.levels).max()
    sizes = np.quantile(np.abs(fitted[:, :-1]), QUANTILES, axis=1)
    scales = np.concatenate([largest / np.maximum(sizes, 1e-300), np.ones((1, len(fitted)))])
    wanted = scales[:, :, None] * fitted
    levels = np.zeros(wanted.shape)
    levels[..., :-1] = nearest(layer.code, wanted[..., :-1])
    if layer.bias_code:
        levels[..., -1] = nearest(layer.bias_code, wanted[..., -1])
    outputs = np.rint(features @ levels.swapaxes(1, 2))
    losses = problem.one_vs_rest_losses(outputs).sum(axis=1)
    best = np.argmin(losses, axis=0)
    return np.asarray(levels[best, np.arange(len(fitted))], dtype=np.int64)


def _with_output(problem: TrainingProblem, bits: BitArray, output: IntArray) -> BitArray:
    """Set the free bits of the last layer to the given levels, and return all free bits."""
    weights = problem.weights_from_bits(bits)
    bias = output[:, -1] if problem.network.layers[-1].bias_code else None
    changed = Weights(
        (*weights.matrices[:-1], output[:, :-1]), (*weights.biases[:-1], bias), weights.splines
    )
    return problem.bits_from_weights(changed)


def _descended(problem: TrainingProblem, bits: BitArray, rng: np.random.Generator) -> BitArray:
    """Improve free bits by coordinate descent on the output weights, level by level."""
    last = problem.network.bit_offsets()[-2]
    free = problem.free[problem.free >= last]
    if not len(free):
        return bits
    full = problem.full_bits(bits)
    landscape = IncrementalLoss(problem.restrict(free, full))
    value = landscape.value(landscape.set_bits(full[free]))
    best = landscape.moves.choice.copy()
    for _ in range(50):  # passes over the output weights
        order = rng.permutation(len(best))[:, None]
        gains, cold = np.zeros(len(order)), np.zeros(len(order))
        value, _ = heat_bath(
            landscape.state, landscape.moves, rng, order, cold, gains, best, value, -np.inf
        )
        if gains.sum() <= 0:
            break
    full[free] = landscape.bits(best)
    return np.asarray(full[problem.free])
