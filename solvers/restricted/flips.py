"""Exact quadratic model of single and double moves around the current weights.

For k weights, each with one alternative level, let x_i = 1 if weight i takes it.  Then

    f(x) = f_0 + sum_i (f_i - f_0) x_i + sum_{i<j} (f_ij - f_i - f_j + f_0) x_i x_j

is the loss of every x with at most two ones.  It takes k + k(k-1)/2 incremental passes, whatever
the loss, the activation and the number of samples.  The model has k variables and no states.  It
ignores interactions of three or more moves, so it is trusted within a radius only.
"""

from __future__ import annotations

import numpy as np

from formulations.arrays import Array, IntArray
from solvers.kernels.blocks import visit
from solvers.kernels.compiled import compiled
from solvers.kernels.incremental import Moves
from solvers.kernels.sweeps import State
from solvers.oracles.base import QUBO


@compiled()
def flip_losses(state: State, moves: Moves, weights: Array, places: Array) -> tuple[Array, Array]:
    """Return the losses f_i of each move (K,) and f_ij of each pair (K, K), above the diagonal."""
    count = len(weights)
    back = moves.choice[weights]
    single, double = visit(state, moves, weights, places, False), np.zeros((count, count))
    for i in range(count - 1):
        visit(state, moves, weights[i : i + 1], places[i : i + 1], True)
        double[i, i + 1 :] = visit(state, moves, weights[i + 1 :], places[i + 1 :], False)
        visit(state, moves, weights[i : i + 1], back[i : i + 1], True)
    return single, double


@compiled()
def best_on_the_way(
    state: State, moves: Moves, weights: Array, reads: Array
) -> tuple[Array, Array]:
    """Return the least loss on the path to each given point, and how many moves lead there.

    A point (a row of ``reads``) holds places of the weights, which move one by one.  The current
    point itself gets infinity and 0.
    """
    values, lengths = np.full(len(reads), np.inf), np.zeros(len(reads), np.int64)
    here = moves.choice[weights]
    for r in range(len(reads)):
        moved = np.flatnonzero(reads[r] != here)
        losses = visit(state, moves, weights[moved], reads[r][moved], True)
        for i in range(len(losses)):
            if losses[i] < values[r]:
                values[r], lengths[r] = losses[i], i + 1
        visit(state, moves, weights[moved], here[moved], True)
    return values, lengths


def flip_model(
    state: State, moves: Moves, weights: IntArray, places: IntArray, damping: float = 0.0
) -> QUBO:
    """Return the change of the loss, in the state's unit, as a quadratic function of K moves.

    Parameters
    ----------
    state, moves
        Of an :class:`~solvers.kernels.incremental_loss.IncrementalLoss`.
    weights, places : ndarray of int64, shape (K,)
        Movable weights, and the alternative level of each.
    damping : float
        Added to every coupling, in units of the mean |f_i - f_0|: m simultaneous moves cost damping
        m (m - 1) / 2 such units, which keeps answers within a radius.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> from solvers.kernels.incremental_loss import IncrementalLoss
    >>> problem = TrainingProblem(Network.dense([2, 2, 1]), [[1, -1], [1, 1]], [1, -1])
    >>> landscape = IncrementalLoss(problem)
    >>> before = landscape.set_bits([0, 0, 0, 0, 0, 0])
    >>> qubo = flip_model(landscape.state, landscape.moves, np.array([0, 2]), np.array([1, 1]))
    >>> after = landscape.set_choice([1, 0, 1, 0, 0, 0])
    >>> bool(landscape.unit * qubo.energies([[1, 1]])[0] == after - before)
    True
    """
    before = float(state.losses[0])
    single, double = flip_losses(state, moves, weights, places)
    single -= before
    heads, tails = np.triu_indices(len(weights), 1)
    couplings = double[heads, tails] - before - single[heads] - single[tails]
    if damping:
        couplings = couplings + damping * np.abs(single).mean()
    return QUBO(single, heads.astype(np.int64), tails.astype(np.int64), couplings)
