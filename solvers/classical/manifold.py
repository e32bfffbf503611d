"""Non-gradient manifold network: closed-form layers, fitted from the last to the first.

Forward, with samples as columns: Z = W'X + b, A = sigmoid(Z) with each column scaled to unit
length; the decision layer is linear.  One epoch fits the decision layer, carries its targets back
through each layer's weights, squashes them into (0, 1), and fits the hidden layers to their logits
by ridge regression.  No gradient and no learning rate.  [Manifold network: arXiv 2106.07905.]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.linalg import eigh, solve
from scipy.special import expit, logit, softmax

from formulations import TrainingProblem
from formulations.arrays import FloatArray, IntArray
from formulations.checks import WIDEST, check_number, check_several, check_whole, choose
from solvers.classical.level_fit import class_targets
from solvers.classical.rounding import Rounded
from solvers.classical.samples import checked_samples
from solvers.run.stopping import Over, never

CLIP = 1e-4
"""Smallest target of the ``released`` squashing."""


def softmax_over_samples(H: FloatArray) -> FloatArray:
    """Apply the ``released`` squashing: a softmax along each row, clipped at 1e-4.

    The n values of a row sum to one.  With more than 10,000 samples most of them fall below the
    clip, and the targets become constant.
    """
    return np.clip(softmax(H, axis=1), CLIP, 1 - CLIP)


def rescaled_rows(H: FloatArray) -> FloatArray:
    """Rescale each row into [0.05, 0.95]: a squashing that does not depend on n.

    Examples
    --------
    >>> rescaled_rows(np.array([[0.0, 1.0, 3.0]])).round(2).tolist()
    [[0.05, 0.35, 0.95]]
    """
    low, high = H.min(axis=1, keepdims=True), H.max(axis=1, keepdims=True)
    share = (H - low) / np.where(high > low, high - low, 1.0)
    return np.asarray(0.05 + (0.95 - 0.05) * share)


SQUASHINGS: Mapping[str, Callable[[FloatArray], FloatArray]] = MappingProxyType(
    {"released": softmax_over_samples, "rescaled": rescaled_rows}
)


@dataclass(frozen=True)
class Affine:
    """Affine map z = W'x + b with weights (d, c) and thresholds (c,)."""

    W: FloatArray
    b: FloatArray

    def __call__(self, X: FloatArray) -> FloatArray:
        """Return the pre-activations of columns, (d, n) -> (c, n)."""
        return np.asarray(self.W.T @ X + self.b[:, None])


def decision_layer(X: FloatArray, Y: FloatArray, gamma: float = 0.3, rounds: int = 4) -> Affine:
    """Fit an adaptive SVM on a flexible Stiefel manifold.

    A round draws the targets T = Y + Y o M beyond the margin, with M = max(Y o (W'X + b) - 1, 0),
    weights the samples by their fit, a (see :func:`sample_weights`), and solves

        S = sum_m a_m x_m x_m' + gamma I,   P Sig Q' = S^(-1/2) sum_m a_m x_m t_m',
        W = S^(-1/2) P Q',                  b = weighted mean of t - W'x,

    with X and T centred at their weighted means.

    Parameters
    ----------
    X : ndarray, shape (d, n)
        Samples as columns.
    Y : ndarray, shape (c, n)
        One-hot columns.
    gamma : float
        Ridge of S.
    rounds : int

    Returns
    -------
    Affine
    """
    n = X.shape[1]
    a, T = np.full(n, 1.0 / n), Y
    layer = _stiefel(X, T, a, gamma)
    for _ in range(rounds - 1):
        out = layer(X)
        T = Y + Y * np.maximum(Y * out - 1.0, 0.0)
        a = sample_weights(((out - T) ** 2).sum(axis=0))
        layer = _stiefel(X, T, a, gamma)
    return layer


def sample_weights(f: FloatArray) -> FloatArray:
    """Return weights for squared errors f, shape (n,): a_m = max(f_(k+1) - f_m, 0) / (2 lam).

    f_(j) are the errors in ascending order, k = n - 2 and 2 lam = k f_(k+1) - sum_{j<=k} f_(j), so
    that the weights sum to one.  They are uniform if all errors are equal.

    Examples
    --------
    >>> sample_weights(np.array([0.0, 1.0, 2.0, 9.0])).tolist()
    [0.666..., 0.333..., 0.0, 0.0]
    """
    n = len(f)
    k = n - 2
    if k < 1:
        return np.full(n, 1.0 / n)
    order = np.partition(f, k)
    two_lam = k * order[k] - order[:k].sum()
    if two_lam <= 1e-12 * max(1.0, k * order[k]):
        return np.full(n, 1.0 / n)
    return np.asarray(np.maximum(order[k] - f, 0.0) / two_lam)


def _stiefel(X: FloatArray, T: FloatArray, a: FloatArray, gamma: float) -> Affine:
    """Solve for the decision layer at given sample weights and targets."""
    u = a / a.sum()
    x_mean, t_mean = X @ u, T @ u
    Xc, Tc = X - x_mean[:, None], T - t_mean[:, None]
    weighted = Xc * a
    values, vectors = eigh(weighted @ Xc.T)
    root = (vectors / np.sqrt(np.maximum(values, 0.0) + gamma)) @ vectors.T
    P, _, Qt = np.linalg.svd(root @ (weighted @ Tc.T), full_matrices=False)
    W = root @ (P @ Qt)
    return Affine(W, t_mean - W.T @ x_mean)


def ridge_layer(X: FloatArray, T: FloatArray, gamma: float) -> Affine:
    """Return W = (Xc Xc' + gamma I)^-1 Xc Tc', b = mean(t - W'x); samples are columns."""
    x_mean, t_mean = X.mean(axis=1), T.mean(axis=1)
    Xc = X - x_mean[:, None]
    gram = Xc @ Xc.T
    gram[np.diag_indices_from(gram)] += gamma
    W = solve(gram, Xc @ (T - t_mean[:, None]).T, assume_a="pos")
    return Affine(W, t_mean - W.T @ x_mean)


def hidden_activation(layer: Affine, X: FloatArray) -> FloatArray:
    """Return sigmoid(W'X + b) with each column scaled to unit length."""
    A = expit(layer(X))
    return np.asarray(A / np.maximum(np.linalg.norm(A, axis=0), 1e-300))


Activate = Callable[[int, Affine, FloatArray], FloatArray]


def _sigmoid_units(number: int, layer: Affine, A: FloatArray) -> FloatArray:
    """Apply the manifold network's activation, which is the same in all layers."""
    return hidden_activation(layer, A)


def untrained(widths: Sequence[int], rng: np.random.Generator) -> list[Affine]:
    """Draw layers with normal weights of variance 1 / inputs and zero thresholds."""
    return [Affine(rng.normal(size=(n, m)) / np.sqrt(n), np.zeros(m)) for n, m in pairwise(widths)]


def train_epoch(
    X: FloatArray,
    Y: FloatArray,
    hidden: list[Affine],
    gamma: float,
    squashing: str,
    activate: Activate = _sigmoid_units,
) -> tuple[list[Affine], Affine]:
    """Run one epoch: fit the decision layer, then the hidden layers from last to first.

    The targets T of a layer with weights W_j and thresholds b_j are carried back as
    H = W_j (T - b_j), squashed into (0, 1), and their logits are the targets of the layer below.

    Parameters
    ----------
    X, Y : ndarray, shapes (d, n) and (c, n)
        Samples as columns.
    hidden : list of Affine
        Current hidden layers.
    gamma, squashing
        See :class:`ManifoldNetwork`.
    activate : callable
        Computes activations of layer ``number`` (from 0) from the layer and its inputs.

    Returns
    -------
    (list of Affine, Affine)
        The new hidden layers and decision layer.
    """
    activations = [X]
    for number, layer in enumerate(hidden):
        activations.append(activate(number, layer, activations[-1]))
    decision = above = decision_layer(activations[-1], Y, gamma)
    T, fitted = Y, list(hidden)
    for i in reversed(range(len(hidden))):
        T = logit(SQUASHINGS[squashing](above.W @ (T - above.b[:, None])))
        fitted[i] = above = ridge_layer(activations[i], T, gamma)
    return fitted, decision


@dataclass(frozen=True)
class TrainedManifold:
    """Trained network: hidden layers and a decision layer."""

    hidden: tuple[Affine, ...]
    decision: Affine

    def outputs(self, X: npt.ArrayLike) -> FloatArray:
        """Return the decision layer's outputs for samples as rows, (M, d) -> (M, c)."""
        A = np.asarray(X, dtype=np.float64).T
        for layer in self.hidden:
            A = hidden_activation(layer, A)
        return self.decision(A).T

    def predict(self, X: npt.ArrayLike) -> IntArray:
        """Predict class numbers, shape (M,)."""
        return np.asarray(self.outputs(X).argmax(axis=1))


@dataclass(frozen=True)
class ManifoldNetwork(Rounded):
    """Manifold network: ``fit`` as in the paper, ``solve`` for low-bit weights.

    Parameters
    ----------
    hidden : sequence of int
        Hidden widths in ``fit``; ``solve`` uses the problem's network.
    epochs : int
        Number of epochs; the last network is returned, so no epoch is selected on test data.
    gamma : float
        Ridge of every layer.
    squashing : {"rescaled", "released"}
        Map of targets into (0, 1).  ``released`` is the softmax over samples of the authors' code,
        whose targets become constant beyond 10,000 samples; ``rescaled`` maps each row to [0.05,
        0.95].
    draws : int or None
        Number of networks that ``solve`` tries, each from its own random start.
    seed : int
        Seed of the random start.
    rounding, time_limit, callbacks, checkpoint, checkpoint_every
        Options of ``solve``, see :class:`solvers.Rounding`.

    Examples
    --------
    >>> X = [[0.0, 0.1], [1.0, 0.9], [0.1, 0.0], [0.9, 1.0]]
    >>> ManifoldNetwork(hidden=[4]).fit(X, [0, 1, 0, 1]).predict(X).tolist()
    [0, 1, 0, 1]
    >>> from formulations import Network, TrainingProblem
    >>> X, y = [[1, 1, 1], [1, -1, 1], [-1, 1, -1], [-1, -1, -1]], [1, 1, -1, -1]
    >>> problem = TrainingProblem(Network.dense([3, 1]), X, y)
    >>> ManifoldNetwork().solve(problem).loss
    0.0
    """

    hidden: Sequence[int] = (100,)
    epochs: int = 5
    gamma: float = 0.3
    squashing: str = "rescaled"
    draws: int | None = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for width in check_several("hidden", self.hidden, "widths", empty=True):
            check_whole("hidden", width, most=WIDEST)
        check_whole("epochs", self.epochs)
        check_number("gamma", self.gamma)
        choose("squashing", self.squashing, list(SQUASHINGS))

    def fit(
        self,
        X: npt.ArrayLike,
        y: npt.ArrayLike,
        on_epoch: Callable[[int, TrainedManifold], None] | None = None,
    ) -> TrainedManifold:
        """Train on inputs (M, d) and classes 0 .. C-1.

        Parameters
        ----------
        on_epoch : callable, optional
            Called with the number and the network of every epoch.

        Raises
        ------
        InvalidInputError
            For inconsistent shapes, or labels that are not class numbers.
        """
        X, y = checked_samples(X, y)
        columns, one_hot = X.T, np.eye(int(y.max()) + 1)[y].T
        layers = untrained([len(columns), *self.hidden], self._rng())
        for epoch in range(1, self.epochs + 1):
            layers, decision = train_epoch(columns, one_hot, layers, self.gamma, self.squashing)
            network = TrainedManifold(tuple(layers), decision)
            if on_epoch is not None:
                on_epoch(epoch, network)
        return network

    # -- for low bits ------------------------------------------------------------------------------

    def real_weights(
        self, problem: TrainingProblem, rng: np.random.Generator, over: Over = never
    ) -> list[FloatArray]:
        """Return the weights after the last epoch, with the problem's network and activations.

        They are in units of the levels up to a factor per layer.
        """
        network, splines = problem.network, problem.splines

        def activate(number: int, layer: Affine, A: FloatArray) -> FloatArray:
            return splines[number](splines[number].scale * layer(A))

        outputs = class_targets(problem)
        one_hot = outputs if network.num_outputs > 1 else np.hstack([1.0 - outputs, outputs])
        layers, decision = untrained(network.widths[:-1], rng), None
        for _ in range(self.epochs):
            layers, decision = train_epoch(
                problem.X.T.astype(float), one_hot.T, layers, self.gamma, self.squashing, activate
            )
            if over():
                break
        assert decision is not None
        if network.num_outputs == 1:
            last = Affine(decision.W[:, 1:] - decision.W[:, :1], decision.b[1:] - decision.b[:1])
        else:  # each output separates its class (1) from the rest (0)
            last = Affine(decision.W, decision.b - 0.5)
        steps = [1.0, *(spline.step for spline in splines)]
        scales = [*(spline.scale for spline in splines), 1.0]
        return [
            scale * np.hstack([step * layer.W.T, layer.b[:, None] / unit])
            for layer, step, scale, unit in zip(
                [*layers, last], steps, scales, problem.bias_units, strict=True
            )
        ]
