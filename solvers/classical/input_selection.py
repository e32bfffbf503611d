"""Input selection: remove unneeded inputs by group sparsity before any model is built.

The real relaxation of the network is trained by RMDA with the group lasso.  An input whose weights
are all zero is removed, which saves weight bits and shortens sums.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from formulations import Network, TrainingProblem
from formulations.arrays import IntArray
from formulations.checks import check_whole
from formulations.errors import InvalidInputError
from formulations.network.network import Weights
from solvers.classical.rmda import RMDA, STRENGTH


def select_inputs(problem: TrainingProblem, most: int, method: RMDA | None = None) -> IntArray:
    """Select at most ``most`` inputs that keep weights under the weakest sufficient group lasso.

    Parameters
    ----------
    problem : TrainingProblem
    most : int
        Maximum number of inputs to keep.
    method : RMDA, optional
        Trains the relaxation and sets the initial strength; its regulariser is ignored.

    Returns
    -------
    ndarray of int64
        Indices of the inputs, ascending; at least one.

    Raises
    ------
    InvalidInputError
        For a number out of range.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.choice([-1, 1], (60, 6))
    >>> problem = TrainingProblem(Network.dense([6, 3, 1]), X, X[:, 4])
    >>> select_inputs(problem, 1).tolist()
    [4]
    """
    check_whole("most", most, most=problem.network.widths[0])
    method = method or RMDA()
    strength = STRENGTH if method.strength is None else max(method.strength, 1e-12)
    order = kept = np.arange(problem.network.widths[0])
    for _ in range(40):  # strengths to try
        if len(kept) <= most:
            return kept
        trained = replace(method, regularizer="group-lasso", strength=strength)
        rng = np.random.default_rng(np.random.SeedSequence(method.seed))
        sizes = np.linalg.norm(trained.real_weights(problem, rng)[0][:, :-1], axis=0)
        if sizes.any():
            order, kept = np.argsort(-sizes, kind="stable"), np.flatnonzero(sizes)
            strength *= 1.5
        elif len(kept) == len(sizes):  # initial strength is too strong
            strength /= 1.5**4
        else:  # all remaining inputs vanished at once
            break
    return np.sort(order[:most])


def with_inputs(problem: TrainingProblem, kept: npt.ArrayLike) -> TrainingProblem:
    """Restrict a problem to some of its inputs.

    Raises
    ------
    InvalidInputError
        If some weight bits are not free, or ``kept`` are not indices of inputs.

    Examples
    --------
    >>> problem = TrainingProblem(Network.dense([3, 2, 1]), [[1, -1, 1], [1, 1, 1]], [1, -1])
    >>> with_inputs(problem, [1]).network.widths
    (1, 2, 1)
    """
    kept, inputs = np.asarray(kept), problem.network.widths[0]
    if kept.ndim != 1 or kept.dtype.kind not in "iu" or len(np.unique(kept)) != len(kept):
        raise InvalidInputError(f"kept={kept.tolist()!r}: expected different input numbers")
    if not len(kept) or kept.min() < 0 or kept.max() >= inputs:
        raise InvalidInputError(f"kept={kept.tolist()!r}: expected input numbers 0 .. {inputs - 1}")
    if problem.num_free_bits != problem.network.num_weight_bits:
        raise InvalidInputError(
            "some weight bits are held: choose inputs first, then restrict the smaller problem"
        )
    first, *others = problem.network.layers
    network = Network((replace(first, inputs=len(kept)), *others))
    return TrainingProblem(network, problem.X[:, kept], problem.y, problem.loss_kind)


def with_zeros(problem: TrainingProblem, kept: npt.ArrayLike, weights: Weights) -> Weights:
    """Extend weights for :func:`with_inputs` to the full problem, with zeros elsewhere.

    With sign units the loss is unchanged.  Other activations depend on the range of their inputs,
    which additional inputs widen.

    Raises
    ------
    InvalidInputError
        If the code of the first layer has no level 0.

    Examples
    --------
    >>> network = Network.dense([3, 2, 1], weights="ternary")
    >>> problem = TrainingProblem(network, [[1, -1, 1], [1, 1, 1]], [1, -1])
    >>> small = with_inputs(problem, [1])
    >>> weights = small.weights_from_bits([1, 1, 0, 0, 1, 1, 0, 0])
    >>> whole = with_zeros(problem, [1], weights)
    >>> whole.matrices[0].any(axis=0).tolist(), problem.loss(whole) == small.loss(weights)
    ([False, True, False], True)
    """
    code = problem.network.layers[0].code
    if 0 not in code.levels:
        raise InvalidInputError(
            f"code {code.name!r} has no level 0, so that no input can be left out: use ternary"
        )
    first = np.zeros((len(weights.matrices[0]), problem.network.widths[0]), dtype=np.int64)
    first[:, np.asarray(kept)] = weights.matrices[0]
    return Weights((first, *weights.matrices[1:]), weights.biases, problem.splines)
