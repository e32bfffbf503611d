"""The shape of a network, and levels of its inputs, from data and a budget of stored bits."""

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
"""Units of the hidden layer where there is no budget."""

ENOUGH = 64
"""Units from which on two bits a weight do more than twice as many units of one bit."""

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
    """The network for inputs on their lattice that uses a budget of stored bits best.

    What is not given follows: one hidden layer, as wide as the budget allows, of two bits a weight
    if it has 64 units then, and of one bit otherwise.  Without a budget it has 128 units.

    Parameters
    ----------
    X : array of int, shape (N, d)
    outputs : int
    bits : int, optional
        Of weights and thresholds together.
    hidden, activation, weights, bias
        See :meth:`formulations.Network.conv`, on square images where inputs are a square number
        of them, else on signals; None follows from the budget.
    shape : sequence of float
        Widths of the hidden layers over that of the first, where ``hidden`` is None.

    Raises
    ------
    InvalidInputError
        If not even the smallest such network fits in the budget.

    Examples
    --------
    >>> X = 2 * np.random.default_rng(0).integers(0, 16, (100, 16)) - 15
    >>> network = network_for(X, 1, 1000)
    >>> network.widths, network.layers[0].code.name, network.stored_bits
    ((16, 38, 1), 'bipolar', 999)
    """

    # pre-activations reach farthest on the samples of the largest inputs: these tell the size
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
            while network.stored_bits > bits and width > 1:  # thresholds of other samples
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
    """16 levels by quantiles, or 64 by the spread of each column where these err less.

    Quantiles ignore how a column is distributed, which is best where it is skewed; equal widths
    keep distances, which is best where classes are nearly linear in the columns.  Each trains a
    network for 100 epochs on what is outside of each of five folds and answers for what is inside;
    of more than 1,000 samples, of which 3,000 at most are drawn, one of three folds.  Quantiles
    stay unless they are behind by a standard error, and with fewer than 60 samples.

    Parameters
    ----------
    X : array of float64, shape (N, d)
    numbers : array of int, shape (N,)
        Classes 0 .. C-1.
    network : callable
        The network for inputs on their levels and a number of outputs.
    time_limit : float, optional
        Seconds of each of these ten trainings at most.

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
    order = order[np.argsort(numbers[order], kind="stable")]  # every fold has all classes
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
