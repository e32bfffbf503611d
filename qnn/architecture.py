"""Choose network shape and input levels from the data and a budget of stored bits."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from formulations import Network, TrainingProblem
from formulations.arrays import BoolArray, FloatArray, IntArray
from formulations.checks import check_whole
from formulations.errors import InvalidInputError
from formulations.network.convolution import Part, image_shape
from qnn.data.levels import level_thresholds, on_levels

WIDTH = 128
"""Units of the hidden layer when no budget is given."""

ENOUGH = 64
"""Minimum number of units at which two-bit weights beat twice as many units of one bit."""

ONE_BIT, TWO_BITS = "bipolar", "uniform:2"


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
    two bits if 64 such units fit, otherwise one bit.  Without a budget it has 128 units.

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
        return built(shaped(WIDTH) if hidden is None else hidden, weights or TWO_BITS)
    bits = check_whole("bits", bits)
    if hidden is not None:
        codes = [TWO_BITS, ONE_BIT] if weights is None else [weights]
        for code in codes:
            network = built(hidden, code)
            if network.stored_bits <= bits:
                return network
        return _refuse(bits, network.stored_bits, f"hidden={tuple(hidden)}")
    for code in [TWO_BITS, ONE_BIT] if weights is None else [weights]:
        size = partial(stored, code)
        width = bisect_right(range(1, bits + 1), bits, key=size)
        if width >= ENOUGH or (width and code in (ONE_BIT, weights)):
            network = built(shaped(width), code)
            while network.stored_bits > bits and width > 1:  # thresholds differ by sample
                width -= 1
                network = built(shaped(width), code)
            return network
    return _refuse(bits, built(shaped(1), weights or ONE_BIT).stored_bits, "one hidden unit")


def levels_by_folds(
    X: FloatArray,
    numbers: IntArray,
    network: Callable[[IntArray, int], Network] = network_for,
    *,
    time_limit: float | None = None,
) -> int | str:
    """Choose 16 quantile levels, or 64 by each column's spread if cross-validation favours these.

    Quantiles ignore a column's distribution, which suits skewed columns; equal widths keep
    distances, which suits classes that are nearly linear in the columns.  Each candidate trains a
    network for 100 epochs outside each of five folds and predicts the samples inside it.  With more
    than 1,000 samples, one of three folds is used, and at most 3,000 samples are drawn.  Quantiles
    are kept unless they lose by a standard error, and always with fewer than 60 samples.

    Parameters
    ----------
    X : array of float64, shape (N, d)
    numbers : array of int, shape (N,)
        Classes 0 .. C-1.
    network : callable
        Makes a network from inputs on their levels and a number of outputs.
    time_limit : float, optional
        Maximum seconds for each of these ten trainings.

    Examples
    --------
    >>> x = np.random.default_rng(0).normal(size=(90, 2))
    >>> levels_by_folds(np.exp(5 * x), (x.sum(axis=1) > 0).astype(int))
    16
    """
    from solvers.classical.straight_through.solver import StraightThrough

    if len(X) < 60:
        return 16
    order = np.random.default_rng(0).permutation(len(X))[:3000]
    order = order[np.argsort(numbers[order], kind="stable")]  # every fold has every class
    few, count = len(order) <= 1000, int(numbers.max()) + 1
    target = 2 * numbers - 1 if count == 2 else numbers

    def wrong(levels: int | str) -> BoolArray:
        found = []
        for fold in range(5 if few else 1):
            inside = np.arange(len(order)) % (5 if few else 3) == fold
            train, held_out = order[~inside], order[inside]
            thresholds = level_thresholds(X[train], levels)
            lattice = on_levels(X[train], thresholds)
            built = network(lattice, 1 if count == 2 else count)
            problem = TrainingProblem(built, lattice, target[train], "cross-entropy")
            solver = StraightThrough(epochs=100, time_limit=time_limit, seed=fold)
            weights = solver.solve(problem).weights
            answers = built.predict(weights, on_levels(X[held_out], thresholds))
            found.append(answers != target[held_out])
        return np.concatenate(found)

    fewer = wrong(16).astype(int) - wrong("scaled:64")
    return "scaled:64" if fewer.sum() > np.sqrt(np.abs(fewer).sum()) else 16


def _refuse(bits: int, least: int, what: str) -> Network:
    raise InvalidInputError(
        f"bits={bits}: a network with {what} stores {least} bits; give more, or fewer inputs"
    )
