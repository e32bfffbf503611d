"""Inputs that a problem can do without, found by group sparsity before any model is built.

A twin of the network is trained by RMDA with the group lasso; an input whose weights are all zero
need not be there.  The problem without it has fewer weight bits and shorter sums.
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
    """At most ``most`` inputs that keep weights under the group lasso, as weak as will do.

    Parameters
    ----------
    problem : TrainingProblem
    most : int
        Number of inputs to keep at most.
    method : RMDA, optional
        How the twin is trained, and from which strength on; its regulariser does not count.

    Returns
    -------
    ndarray of int64
        Numbers of the inputs, ascending; at least one.

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
    for _ in range(40):  # strengths
        if len(kept) <= most:
            return kept
        trained = replace(method, regularizer="group-lasso", strength=strength)
        rng = np.random.default_rng(np.random.SeedSequence(method.seed))
        sizes = np.linalg.norm(trained.real_weights(problem, rng)[0][:, :-1], axis=0)
        if sizes.any():
            order, kept = np.argsort(-sizes, kind="stable"), np.flatnonzero(sizes)
            strength *= 1.5
        elif len(kept) == len(sizes):  # too strong to begin with
            strength /= 1.5**4
        else:  # all that were left have gone at once
            break
    return np.sort(order[:most])


def with_inputs(problem: TrainingProblem, kept: npt.ArrayLike) -> TrainingProblem:
    """The same problem with some of its inputs alone.

    Raises
    ------
    InvalidInputError
        If some weight bits of the problem are not free, or ``kept`` are not numbers of its inputs.

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
    """Weights of :func:`with_inputs`'s problem as weights of the whole one, zero elsewhere.

    With sign units the loss is the same; other activations are placed for the range of their
    inputs, which more inputs widen.

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
