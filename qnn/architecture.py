"""Choose network shape and input levels from the data and a budget of stored bits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from scipy.special import log_softmax

from formulations import Network, TrainingProblem
from formulations.arrays import FloatArray, IntArray
from formulations.checks import check_whole
from formulations.errors import InvalidInputError
from formulations.network.convolution import Part, image_shape
from qnn.data.levels import level_thresholds, on_levels


def network_for(
    X: IntArray,
    outputs: int,
    bits: int | None = None,
    *,
    hidden: Sequence[Part] | None = None,
    activation: str | Callable[..., Any] = "relu:4",
    weights: str | None = None,
    bias: bool | str = "auto",
    shape: Sequence[float] = (1.0,),
) -> Network:
    """Return the best network for inputs on their lattice within a budget of stored bits.

    Arguments left out default to one hidden layer, as wide as the budget allows.  Its weights have
    two bits if 64 such units fit, otherwise one bit.  Without a budget it has 128 units.  Without
    hidden layer, weights have six bits, or as many as fit.

    Parameters
    ----------
    X : array of int, shape (N, d)
    outputs : int
    bits : int, optional
        Budget for weights and thresholds together.
    hidden, activation, weights, bias
        See :meth:`formulations.Network.conv`.  A square number of inputs is a square image, any
        other number a signal.  None: chosen from the budget.
    shape : sequence of float
        Widths of the hidden layers relative to the first, if ``hidden`` is None.

    Raises
    ------
    InvalidInputError
        If even the smallest such network exceeds the budget.

    Examples
    --------
    >>> X = 2 * np.random.default_rng(0).integers(0, 16, (100, 16)) - 15
    >>> network = network_for(X, 1, 1000)
    >>> network.widths, network.layers[0].code.name, network.stored_bits
    ((16, 38, 1), 'bipolar', 999)
    """

    one_bit, two_bits = "bipolar", "uniform:2"
    none = hidden is not None and not len(hidden)
    wide = [f"uniform:{count}" for count in (6, 5, 4, 3)] if none else []
    # Samples with the largest inputs give the largest pre-activations, so they determine the size.
    few = X[np.argsort(-np.abs(X).sum(axis=1), kind="stable")[:16]]

    def built(hidden: Sequence[Part], weights: str, X: IntArray = X) -> Network:
        shape = image_shape(X.shape[1])
        return Network.conv(shape, hidden, outputs, activation, weights, bias).for_inputs(X)

    def shaped(width: int) -> list[int]:
        return [max(1, round(share * width)) for share in shape]

    def stored(code: str, width: int) -> int:
        return built(shaped(width), code, few).stored_bits

    if bits is None:
        return built(shaped(128) if hidden is None else hidden, weights or [*wide, two_bits][0])
    bits = check_whole("bits", bits)
    if hidden is not None:
        for code in [*wide, two_bits, one_bit] if weights is None else [weights]:
            network = built(hidden, code)
            if network.stored_bits <= bits:
                return network
        return _refuse(bits, network.stored_bits, f"hidden={tuple(hidden)}")
    for code in [two_bits, one_bit] if weights is None else [weights]:
        size = partial(stored, code)
        width = bisect_right(range(1, bits + 1), bits, key=size)
        # From 64 units on, weights of two bits beat twice as many units of one bit.
        if width >= 64 or (width and code in (one_bit, weights)):
            network = built(shaped(width), code)
            while network.stored_bits > bits and width > 1:  # thresholds differ by sample
                width -= 1
                network = built(shaped(width), code)
            return network
    return _refuse(bits, built(shaped(1), weights or one_bit).stored_bits, "one hidden unit")


def recipe_by_folds(
    X: FloatArray,
    numbers: IntArray,
    network: Callable[[IntArray, int], Network] = network_for,
    *,
    linear: bool = True,
    time_limit: float | None = None,
) -> tuple[int | str, float | None]:
    """Choose input levels, and whether the network is linear, by cross-validation.

    Candidates are the usual network on 16 quantile levels, the same on 64 levels by each column's
    spread, and a network without hidden layer on the latter.  Quantiles ignore a column's
    distribution, which suits skewed columns; equal widths keep distances, which suits classes that
    are nearly linear in the columns.  The linear network is a logistic regression, see
    :class:`~solvers.classical.logistic.RidgeLogistic`; the strength of its penalty has the lowest
    held-out cross-entropy, after the outputs are rescaled as in ``predict_proba``.  If this is also
    lower than the usual network's, the network is linear.

    The usual network trains for 100 epochs outside each of five folds and predicts the samples
    inside; up to 300 samples, the folds are drawn twice.  With more than 1,000 samples, one of
    three folds is used, and at most 3,000 samples are drawn.  Quantiles are kept unless they err
    more often than equal widths by a standard error.  With fewer than 60 samples there are no
    folds: 16 quantile levels and the usual network.

    Parameters
    ----------
    X : array of float64, shape (N, d)
    numbers : array of int, shape (N,)
        Classes 0 .. C-1.
    network : callable
        Makes the usual network from inputs on their levels and a number of outputs.
    linear : bool
        Whether a linear network is a candidate.
    time_limit : float, optional
        Maximum seconds for each training of the usual network.

    Returns
    -------
    levels : int or str
    strength : float or None
        Inverse strength of the linear network's penalty; None: the usual network.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(90, 2))
    >>> levels, strength = recipe_by_folds(x, (x.sum(axis=1) > 0).astype(int))
    >>> levels, strength is not None
    ('scaled:64', True)
    >>> recipe_by_folds(x, (x[:, 0] * x[:, 1] > 0).astype(int))[1] is None
    True
    """
    from qnn.fitting import likeliest_scale
    from solvers.classical.logistic import ridge_logistic
    from solvers.classical.straight_through.solver import StraightThrough

    if len(X) < 60:
        return 16, None
    few, count = len(X) <= 1000, int(numbers.max()) + 1
    target = 2 * numbers - 1 if count == 2 else numbers
    draws, folds = (2 if len(X) <= 300 else 1), 5 if few else 1
    parts: list[tuple[IntArray, IntArray]] = []
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(len(X))[:3000]
        order = order[np.argsort(numbers[order], kind="stable")]  # every fold has every class
        cells = np.arange(len(order)) % (5 if few else 3)
        parts += [(order[cells != fold], order[cells == fold]) for fold in range(folds)]
    judged = np.concatenate([held_out for _, held_out in parts])

    def usual(levels: int | str) -> FloatArray:
        """Return the usual network's held-out outputs, one for each class."""
        found = []
        for seed, (train, held_out) in enumerate(parts):
            thresholds = level_thresholds(X[train], levels)
            lattice = on_levels(X[train], thresholds)
            built = network(lattice, 1 if count == 2 else count)
            problem = TrainingProblem(built, lattice, target[train], "cross-entropy")
            solver = StraightThrough(epochs=100, time_limit=time_limit, seed=seed)
            weights = solver.solve(problem).weights
            z = built.pre_activations(weights, on_levels(X[held_out], thresholds))[-1]
            found.append(z if count > 2 else np.column_stack([-z - 0.5, z + 0.5]))
        return np.concatenate(found).astype(float)

    def linear_outputs() -> list[FloatArray]:
        """Return the held-out outputs of a linear network at each strength."""
        found = []
        for train, held_out in parts:
            thresholds = level_thresholds(X[train], "scaled:64")
            lattice = on_levels(X[train], thresholds)
            mean, spread = lattice.mean(axis=0), lattice.std(axis=0)
            spread[spread == 0] = np.inf
            inputs = (on_levels(X[held_out], thresholds) - mean) / spread
            V: FloatArray | None = None
            for strength in strengths:
                V = ridge_logistic((lattice - mean) / spread, numbers[train], count, strength, V)
                found.append(inputs @ V[:-1] + V[-1])
        return [np.concatenate(found[k :: len(strengths)]) for k in range(len(strengths))]

    def cost(z: FloatArray) -> float:
        """Return the cross-entropy of outputs on the best scale."""
        likely = log_softmax(likeliest_scale(z, numbers[judged]) * z, axis=1)
        return -float(likely[np.arange(len(z)), numbers[judged]].mean())

    levels: int | str = 16
    z, scaled = usual(16), usual("scaled:64")
    fewer = (z.argmax(axis=1) != numbers[judged]) * 1 - (scaled.argmax(axis=1) != numbers[judged])
    fewer = np.bincount(judged, fewer, len(X)) / draws
    if fewer.sum() > np.sqrt((fewer**2).sum()):
        levels, z = "scaled:64", scaled
    if linear:
        strengths = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
        costs = [cost(outputs) for outputs in linear_outputs()]
        if min(costs) < cost(z):
            return "scaled:64", strengths[int(np.argmin(costs))]
    return levels, None


def fits_linear(X: FloatArray, numbers: IntArray, bits: int | None) -> bool:
    """Return whether a linear network with weights of four bits or more is within the budget.

    Examples
    --------
    >>> X = np.random.default_rng(0).normal(size=(90, 4))
    >>> [fits_linear(X, np.arange(90) % 3, bits) for bits in (None, 80, 100)]
    [True, False, True]
    """
    count = int(numbers.max()) + 1
    lattice = on_levels(X, level_thresholds(X, "scaled:64"))
    try:
        network = network_for(lattice, 1 if count == 2 else count, bits, hidden=[])
    except InvalidInputError:
        return False
    return network.layers[0].code.bits >= 4


def _refuse(bits: int, least: int, what: str) -> Network:
    raise InvalidInputError(
        f"bits={bits}: a network with {what} stores {least} bits; give more, or fewer inputs"
    )
