"""Lower bounds on the loss from the blocks' bounds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import FloatArray
from solvers.hedging.symmetry import parity
from solvers.kernels.loss_form import common_unit


def lagrangian_bound(values: FloatArray, linear: FloatArray) -> float:
    """Return D(W) = sum_k p_k min_x (f_k(x) + W_k.x), a bound on min_x sum_k p_k f_k(x).

    The linear terms sum_k p_k W_k vanish up to rounding.  The remainder can raise the bound by at
    most its positive part, which is subtracted.

    Parameters
    ----------
    values : ndarray of float64, shape (K,)
        Certified lower bounds of p_k (f_k(x) + W_k.x).
    linear : ndarray of float64, shape (K, n)
        The terms p_k W_k as sent to the blocks.

    Examples
    --------
    >>> lagrangian_bound(np.array([1.0, 2.0]), np.array([[0.5], [-0.25]])) <= 2.75
    True
    """
    rest = np.maximum(linear.sum(axis=0), 0.0).sum()
    # exceeds the relative rounding error of the sums
    error = 1e-9 * (np.abs(values).sum() + np.abs(linear).sum() + 1.0)
    return float(values.sum() - rest - error)


def loss_grid(problem: TrainingProblem) -> Callable[[float], float]:
    """Build the map from a bound to the least attainable loss that is not below it.

    A sample's loss is an entry of its target's table; if all levels are odd, outputs have one
    parity.  If all entries of one table differ by integer multiples of a unit, losses are base +
    unit (0, 1, 2, ...).  Otherwise, and for a joint loss of all outputs, the map is the identity.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> problem = TrainingProblem(Network.dense([2, 1]), [[1, 1], [1, 0]], [1, -1])
    >>> up = loss_grid(problem)  # outputs -2, 0, 2 cost 3, 1, 0; -1, 1 cost 0, 2
    >>> up(0.3), loss_grid(problem.subset([1]))(0.3)
    (1.0, 2.0)
    """
    base, unit = 0.0, None
    if not problem.loss_kind.is_joint:
        low, tables = problem.loss_table()
        known, odd = parity(problem, len(problem.network.layers) - 1)
        of_sample = np.where(known, (odd - low) % 2, 2)  # parity's offset in a table; 2: both
        kinds = np.repeat(of_sample[:, None], problem.target_index.shape[1], axis=1)
        pairs = np.stack([problem.target_index.ravel(), kinds.ravel()], axis=1)
        pairs, counts = np.unique(pairs, axis=0, return_counts=True)
        entries = [tables[t, kind::2] if kind < 2 else tables[t] for t, kind in pairs.tolist()]
        base = sum(c * float(e.min()) for c, e in zip(counts.tolist(), entries, strict=True))
        unit = common_unit(np.concatenate([e - e.min() for e in entries]))

    def up(bound: float) -> float:
        if unit is None or not np.isfinite(bound):
            return bound
        steps = (bound - base) / float(unit)
        return base + float(unit) * float(np.ceil(steps - 1e-6 * max(1.0, abs(steps))))

    return up
