"""Regularisers with closed-form proximal operators.

    prox_{tau psi}(W) = argmin_U  tau psi(U) + |U - W|^2 / 2

Weights are arrays of shape (outputs, inputs) or, for a convolution, (outputs, inputs, height,
width).  [Soft thresholds: Donoho 1995; group lasso: Yuan and Lin 2006; nuclear norm: Cai, Candes,
Shen 2010; distance to the levels: ProxQuant, Bai, Wang, Liberty 2019.]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from formulations.arrays import Array, BoolArray
from formulations.checks import check_several, is_number
from formulations.errors import InvalidInputError


@dataclass(frozen=True)
class Regularizer:
    """Function psi of one array of weights.

    Parameters
    ----------
    name : str
    value : callable
        psi(W).
    prox : callable
        Proximal operator of tau psi, from (W, tau) to a new array.
    settled : callable
        Marks the parts of W at the targets of psi: for most regularisers, the zeros.
    """

    name: str
    value: Callable[[Array], float]
    prox: Callable[[Array, float], Array]
    settled: Callable[[Array], BoolArray]


def l1() -> Regularizer:
    """Return psi(W) = sum |W_ij| with the soft threshold sign(W) max(|W| - tau, 0).

    Examples
    --------
    >>> l1().prox(np.array([[3.0, -0.5, -2.0]]), 1.0).tolist()
    [[2.0, 0.0, -1.0]]
    """
    return Regularizer(
        "l1",
        value=lambda W: float(np.abs(W).sum()),
        prox=lambda W, tau: np.asarray(W - np.clip(W, -tau, tau)),
        settled=lambda W: np.asarray(W == 0),
    )


def group_lasso() -> Regularizer:
    """Return psi(W) = sum_g sqrt|g| |W_g|_2; a group is all weights of one input.

    The groups are the columns of a dense weight or the input channels of a convolution: a group of
    zeros is an unneeded input.  The operator is W_g max(1 - tau sqrt|g| / |W_g|, 0); inputs without
    a weight are settled, shape (inputs,).

    Examples
    --------
    >>> W = np.array([[3.0, 0.1], [4.0, 0.1]])
    >>> group_lasso().prox(W, 1.0).round(3).tolist()
    [[2.151, 0.0], [2.869, 0.0]]
    """

    def norms(W: Array) -> Array:
        """Return |W_g|_2 of every input, shape (inputs,)."""
        return np.asarray(np.sqrt(np.square(W).sum(axis=(0, *range(2, W.ndim)))))

    def prox(W: Array, tau: float) -> Array:
        size, threshold = norms(W), tau * np.sqrt(W.size / W.shape[1])
        kept = np.maximum(size - threshold, 0) / np.maximum(size, np.finfo(W.dtype).tiny)
        shape = (W.shape[1],) + (1,) * (W.ndim - 2)
        return np.asarray(W * kept.astype(W.dtype, copy=False).reshape(shape))

    return Regularizer(
        "group-lasso",
        value=lambda W: float(np.sqrt(W.size / W.shape[1]) * norms(W).sum()),
        prox=prox,
        settled=lambda W: np.asarray(norms(W) == 0),
    )


def nuclear() -> Regularizer:
    """Return the low-rank psi(W) = sum of singular values of W as a matrix (outputs, all else).

    The operator is U diag(max(s - tau, 0)) V' of W = U diag(s) V'; singular values that are zero up
    to rounding are settled, shape (min(shape),).

    Examples
    --------
    >>> nuclear().prox(np.diag([3.0, 0.5]), 1.0).round(12).tolist()
    [[2.0, 0.0], [0.0, 0.0]]
    """

    def prox(W: Array, tau: float) -> Array:
        U, s, Vt = np.linalg.svd(W.reshape(len(W), -1), full_matrices=False)
        rank = int((s > tau).sum())
        return np.asarray((U[:, :rank] * (s[:rank] - tau)) @ Vt[:rank]).reshape(W.shape)

    def settled(W: Array) -> BoolArray:
        matrix = W.reshape(len(W), -1)
        return np.arange(min(matrix.shape)) >= int(np.linalg.matrix_rank(matrix))

    return Regularizer(
        "nuclear",
        value=lambda W: float(np.linalg.svd(W.reshape(len(W), -1), compute_uv=False).sum()),
        prox=prox,
        settled=settled,
    )


def distance_to(levels: Sequence[float]) -> Regularizer:
    """Return psi(W) = sum of distances to the nearest of a weight code's ascending levels.

    The operator is q + sign(W - q) max(|W - q| - tau, 0) with q the nearest level.  psi is not
    convex: the operator is exact for tau below half the least gap between levels; for larger tau it
    is the projection to the nearest level.

    Raises
    ------
    InvalidInputError
        For levels that do not ascend.

    Examples
    --------
    >>> distance_to((-1.0, 1.0)).prox(np.array([[3.0, 0.5, -1.1]]), 0.25).tolist()
    [[2.75, 0.75, -1.0]]
    """
    listed = check_several("levels", levels, "ascending numbers")
    finite = all(is_number(level) and abs(level) < np.inf for level in listed)
    if not finite or any(np.diff(listed) <= 0):
        raise InvalidInputError(f"levels={levels!r}: expected ascending numbers")

    def nearest(W: Array) -> Array:
        numbers = np.array(levels, dtype=W.dtype)
        middles = (numbers[1:] + numbers[:-1]) / 2
        return np.asarray(numbers[np.searchsorted(middles, W, side="right")])

    def prox(W: Array, tau: float) -> Array:
        level = nearest(W)
        away = W - level
        return np.asarray(level + (away - np.clip(away, -tau, tau)))

    return Regularizer(
        f"levels {tuple(listed)}",
        value=lambda W: float(np.abs(W - nearest(W)).sum()),
        prox=prox,
        settled=lambda W: np.asarray(nearest(W) == W),
    )


REGULARIZERS: Mapping[str, Callable[[], Regularizer]] = MappingProxyType(
    {"l1": l1, "group-lasso": group_lasso, "nuclear": nuclear}
)
"""Regularisers without parameters, by name."""


def settled_share(regularizer: Regularizer, weights: Sequence[Array]) -> float:
    """Return the share of parameters at the regulariser's targets.

    For the group lasso this is the weighted group sparsity: parameters in groups of zeros /
    parameters in groups.  Arrays of one axis, such as thresholds, are not counted.

    Examples
    --------
    >>> settled_share(group_lasso(), [np.array([[0.0, 1.0], [0.0, 0.0]]), np.zeros(2)])
    0.5
    """
    counted = [W for W in weights if W.ndim > 1]
    settled = sum(float(regularizer.settled(W).mean()) * W.size for W in counted)
    return settled / max(1, sum(W.size for W in counted))
