"""Explicit softmax solution: a layer's weights as logarithms of sums over the data.

For nonnegative inputs X (M, D), each row scaled to L1 norm K, and one-hot or soft targets Y (M, C),

    F = X'Y,    U = log F - ((K - 1) / K) log(sum_d F[d]),    prediction softmax(x U).

Since the entries of x sum to K, x U = sum_d x_d log(F[d] / sum_d F[d]) + log(sum_d F[d]):
multinomial naive Bayes with the class frequencies as prior.  Deeper networks are built layer by
layer: hidden targets are fixed class codes, and each layer is fitted to the softmax outputs of the
previous one.  [Explicit solutions: arXiv 2311.07498, 2311.07510.]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax, softmax

from formulations import TrainingProblem
from formulations.arrays import FloatArray, IntArray
from formulations.checks import WIDEST, check_flag, check_number, check_several, check_whole
from formulations.errors import InvalidInputError
from solvers.classical.level_fit import class_targets, read_by_layer
from solvers.classical.rounding import Rounded
from solvers.classical.samples import checked_samples
from solvers.run.stopping import Over, never

TINY = 1e-10
"""Replaces zeros in F."""


def scaled_rows(X: npt.ArrayLike, K: float) -> FloatArray:
    """Scale rows to the L1 norm K, shape (M, D); zero rows stay.

    Examples
    --------
    >>> scaled_rows([[1, 3], [0, 0]], 2.0).tolist()
    [[0.5, 1.5], [0.0, 0.0]]
    """
    X = np.asarray(X, dtype=np.float64)
    sums = X.sum(axis=1, keepdims=True)
    return np.asarray(X * (K / np.where(sums > 0, sums, 1.0)))


def explicit_weights(X: FloatArray, Y: FloatArray, K: float) -> FloatArray:
    """Return U = log F - ((K - 1) / K) log(sum_d F[d]) with F = X'Y, shape (D, C).

    Parameters
    ----------
    X : ndarray, shape (M, D)
        Rows of L1 norm K.
    Y : ndarray, shape (M, C)
        Nonnegative targets.

    Examples
    --------
    >>> np.exp(explicit_weights(np.eye(2), np.array([[1.0, 0.0], [1.0, 3.0]]), K=1.0)).round(2)
    array([[1., 0.],
           [1., 3.]])
    """
    F = np.maximum(X.T @ Y, TINY)
    return np.asarray(np.log(F) - (K - 1) / K * np.log(F.sum(axis=0)))


def class_codes(classes: int, width: int) -> FloatArray:
    """Return hidden targets of the classes, shape (classes, width), with row sums of one.

    Class k <= width gets e_k; later classes get normalised sums of two unit vectors, then three.

    Raises
    ------
    InvalidInputError
        If the width is too small for the number of classes.

    Examples
    --------
    >>> class_codes(4, 3).tolist()
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]]
    """
    sets = (s for size in range(1, width + 1) for s in combinations(range(width), size))
    codes = np.zeros((classes, width))
    chosen = list(islice(sets, classes))
    if len(chosen) < classes:
        raise InvalidInputError(
            f"a hidden layer of {width} units has {len(chosen)} codes, too few for {classes} "
            "classes: make it wider"
        )
    for code, members in zip(codes, chosen, strict=True):
        code[list(members)] = 1.0 / len(members)
    return codes


@dataclass(frozen=True)
class SoftmaxNetwork:
    """Network of layers h = softmax(x U), with input rows scaled to L1 norm K.

    Parameters
    ----------
    weights : tuple of ndarray
        U of each layer, shape (D, C).
    scale : float
        L1 norm K of the input rows.
    complement : bool
        If True, the input is [x, 1 - x].
    """

    weights: tuple[FloatArray, ...]
    scale: float
    complement: bool = False

    def inputs(self, X: npt.ArrayLike) -> FloatArray:
        """Return the first layer's input: [x, 1 - x] if asked for, rows scaled to K."""
        X = np.asarray(X, dtype=np.float64)
        return scaled_rows(np.hstack([X, 1.0 - X]) if self.complement else X, self.scale)

    def logits(self, X: npt.ArrayLike) -> FloatArray:
        """Return log class probabilities up to a constant per row, shape (M, C)."""
        h = self.inputs(X)
        for U in self.weights[:-1]:
            h = softmax(h @ U, axis=1)
        return np.asarray(h @ self.weights[-1])

    def predict(self, X: npt.ArrayLike) -> IntArray:
        """Predict class numbers, shape (M,)."""
        return np.asarray(self.logits(X).argmax(axis=1))

    def cross_entropy(self, X: npt.ArrayLike, y: npt.ArrayLike) -> float:
        """Return the mean of -log p(y | x), in nats."""
        y = np.asarray(y)
        return float(-log_softmax(self.logits(X), axis=1)[np.arange(len(y)), y].mean())

    def gradients(self, h: FloatArray, one_hot: FloatArray) -> tuple[FloatArray, ...]:
        """Return gradients of the mean cross-entropy for the weights, for a warm start.

        Parameters
        ----------
        h : ndarray, shape (M, D)
            Input of the first layer, see :meth:`inputs`.
        one_hot : ndarray, shape (M, C)
        """
        read = [h]
        for U in self.weights:
            read.append(softmax(read[-1] @ U, axis=1))
        slope = (read[-1] - one_hot) / len(h)
        result = [read[-2].T @ slope]
        for U, below, a in zip(self.weights[:0:-1], read[-3::-1], read[-2:0:-1], strict=True):
            slope = slope @ U.T
            slope = a * (slope - (a * slope).sum(axis=1, keepdims=True))
            result.append(below.T @ slope)
        return tuple(reversed(result))


@dataclass(frozen=True)
class ExplicitSoftmax(Rounded):
    """Explicit softmax solution: ``fit`` as in the paper, ``solve`` for low-bit weights.

    Parameters
    ----------
    scale : float
        L1 norm K of the rows; it sets the confidence of the predictions.
    hidden : sequence of int
        Widths of hidden softmax layers in ``fit``; ``solve`` uses the problem's network.
    complement : bool
        If True, ``fit`` reads [x, 1 - x] for x in [0, 1]; ``solve`` always does.
    draws : int or None
        Networks that ``solve`` tries: the first from all samples, the others from random halves.
    rounding, seed, time_limit, callbacks, checkpoint, checkpoint_every
        Options of ``solve``, see :class:`solvers.Rounding`.

    Examples
    --------
    >>> X, y = [[3, 1, 0], [0, 1, 3], [4, 0, 1]], [0, 1, 0]
    >>> ExplicitSoftmax().fit(X, y).predict(X).tolist()
    [0, 1, 0]
    >>> from formulations import Network, TrainingProblem
    >>> X, y = [[1, 1, 1], [1, -1, 1], [-1, 1, -1], [-1, -1, -1]], [1, 1, -1, -1]
    >>> problem = TrainingProblem(Network.dense([3, 1]), X, y)
    >>> ExplicitSoftmax().solve(problem).loss
    0.0
    """

    scale: float = 10.0
    hidden: Sequence[int] = ()
    complement: bool = False
    draws: int | None = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("scale", self.scale)
        for width in check_several("hidden", self.hidden, "widths", empty=True):
            check_whole("hidden", width, most=WIDEST)
        check_flag("complement", self.complement)

    # -- as in the paper ---------------------------------------------------------------------------

    def fit(self, X: npt.ArrayLike, y: npt.ArrayLike) -> SoftmaxNetwork:
        """Fit the explicit solution to nonnegative inputs (M, D) and classes 0 .. C-1.

        Raises
        ------
        InvalidInputError
            For negative inputs, inputs above 1 with ``complement``, labels that are not class
            numbers, or a hidden layer too narrow for the classes.
        """
        X, y = checked_samples(X, y)
        if not (X.min() >= 0 and (not self.complement or X.max() <= 1)):
            raise InvalidInputError(
                f"X reaches from {X.min():g} to {X.max():g}: expected finite values of at least 0"
                f"{' and at most 1' if self.complement else ''}; shift or scale the inputs first"
            )
        one_hot = np.eye(int(y.max()) + 1)[y]
        h = SoftmaxNetwork((), self.scale, self.complement).inputs(X)
        weights, K = [], self.scale
        for width in self.hidden:
            weights.append(explicit_weights(h, class_codes(one_hot.shape[1], width)[y], K))
            h, K = softmax(h @ weights[-1], axis=1), 1.0
        weights.append(explicit_weights(h, one_hot, K))
        return SoftmaxNetwork(tuple(weights), self.scale, self.complement)

    # -- for low bits ------------------------------------------------------------------------------

    def real_weights(
        self, problem: TrainingProblem, rng: np.random.Generator, over: Over = never
    ) -> list[FloatArray]:
        """Return weights from the explicit two-class solution of every unit of the network.

        A unit separates the samples on which it should be on from the others: its pre-activation is
        the difference of two columns of x U.  Output units have the classes as targets.  Hidden
        unit k separates class k from the rest, as in the fixed codes.  Further units, which the
        codes leave unused, separate a random half of the classes on a random half of the samples,
        so they differ.  The weights are in units of the levels up to a factor per unit.
        """
        outputs = class_targets(problem)
        a: FloatArray = problem.X.astype(float)
        weights = []
        for number, layer in enumerate(problem.network.layers):
            last = number == len(problem.splines)
            on, counted = outputs, np.ones_like(outputs)
            if not last:
                on, counted = _codes(outputs, layer.outputs, rng)
            matrix = _log_odds(a, on, counted, self.scale)
            matrix[:, -1] /= problem.bias_units[number]
            weights.append(matrix)
            if not last:
                a = problem.splines[number].units(read_by_layer(problem, number, a) @ matrix.T)
        return weights


def _codes(
    outputs: FloatArray, width: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray]:
    """Return where each hidden unit should be on, and its samples, both (N, width)."""
    classes = outputs if outputs.shape[1] > 1 else np.hstack([outputs, 1.0 - outputs])
    label, count = classes.argmax(axis=1), classes.shape[1]
    coded = min(width, count if count > 2 else 1)  # one unit separates two classes
    on = rng.permuted(np.tile(np.arange(count) % 2, (width, 1)), axis=1).T.astype(float)
    if count >= 2 ** max(coded, 2):  # too few codes for the classes
        coded = 0
    else:
        on[:, :coded] = class_codes(count, max(coded, 2))[:, :coded] > 0
    counted = (rng.random((len(label), width)) < 0.5).astype(float)
    counted[:, :coded] = 1.0
    return on[label], counted


def _log_odds(a: FloatArray, on: FloatArray, counted: FloatArray, K: float) -> FloatArray:
    """Return weights of the log odds of on against off, threshold last, shape (units, n + 1).

    The explicit solution reads [u, 1 - u] with inputs u = (a - low) / (high - low) in [0, 1]; its
    output is affine in a.
    """
    low, high = a.min(), a.max()
    width = float(high - low) or 1.0  # for constant inputs
    u = (a - low) / width
    n, units = a.shape[1], on.shape[1]
    both = np.hstack([on * counted, (1.0 - on) * counted])
    U = explicit_weights(scaled_rows(np.hstack([u, 1.0 - u]), K), both, K)
    V = (U[:, :units] - U[:, units:]) * (K / n)
    matrix = ((V[:n] - V[n:]) / width).T
    threshold = V[n:].sum(axis=0) - low * matrix.sum(axis=1)
    return np.hstack([matrix, threshold[:, None]])
