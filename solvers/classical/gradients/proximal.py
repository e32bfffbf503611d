"""Regularisers with their proximal operators, in closed form.

    prox_{tau psi}(W) = argmin_U  tau psi(U) + |U - W|^2 / 2

Weights are arrays of shape (outputs, inputs) or, of a convolution, (outputs, inputs, height,
width).  [Soft thresholds: Donoho 1995; group lasso: Yuan and Lin 2006; nuclear norm: Cai, Candes,
Shen 2010; distance to the levels: ProxQuant, Bai, Wang, Liberty 2019.]
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import numpy as np

from formulations.arrays import Array, BoolArray
from formulations.checks import check_several, is_number
from formulations.errors import InvalidInputError


class Regularizer(Protocol):
    """A function psi of one array of weights."""

    def value(self, W: Array) -> float:
        """psi(W)."""
        ...

    def prox(self, W: Array, tau: float) -> Array:
        """The proximal operator of tau psi at W, a new array."""
        ...

    def settled(self, W: Array) -> BoolArray:
        """Which parts of W are where psi wants them: for most, the pattern of zeros."""
        ...


@dataclass(frozen=True)
class L1:
    """psi(W) = sum |W_ij|; its operator is the soft threshold.

    Examples
    --------
    >>> L1().prox(np.array([[3.0, -0.5, -2.0]]), 1.0).tolist()
    [[2.0, 0.0, -1.0]]
    """

    def value(self, W: Array) -> float:
        """Sum of the absolute values."""
        return float(np.abs(W).sum())

    def prox(self, W: Array, tau: float) -> Array:
        """sign(W) max(|W| - tau, 0)."""
        return np.asarray(W - np.clip(W, -tau, tau))

    def settled(self, W: Array) -> BoolArray:
        """Zero weights, in the shape of W."""
        return np.asarray(W == 0)


@dataclass(frozen=True)
class GroupLasso:
    """psi(W) = sum_g sqrt|g| |W_g|_2, where a group is all that one input feeds.

    The groups are the columns of a dense weight, the input channels of a convolution: a group of
    zeros is an input that need not be there.

    Examples
    --------
    >>> W = np.array([[3.0, 0.1], [4.0, 0.1]])
    >>> GroupLasso().prox(W, 1.0).round(3).tolist()
    [[2.151, 0.0], [2.869, 0.0]]
    """

    def value(self, W: Array) -> float:
        """Sum of the groups' norms, each times the square root of its size."""
        return float(np.sqrt(W.size / W.shape[1]) * _group_norms(W).sum())

    def prox(self, W: Array, tau: float) -> Array:
        """W_g max(1 - tau sqrt|g| / |W_g|, 0)."""
        norms = _group_norms(W)
        threshold = tau * np.sqrt(W.size / W.shape[1])
        kept = np.maximum(norms - threshold, 0) / np.maximum(norms, np.finfo(W.dtype).tiny)
        shape = (W.shape[1],) + (1,) * (W.ndim - 2)
        return np.asarray(W * kept.astype(W.dtype, copy=False).reshape(shape))

    def settled(self, W: Array) -> BoolArray:
        """Inputs without a weight, shape (inputs,)."""
        return np.asarray(_group_norms(W) == 0)


def _group_norms(W: Array) -> Array:
    """|W_g|_2 of every input, shape (inputs,)."""
    return np.asarray(np.sqrt(np.square(W).sum(axis=(0, *range(2, W.ndim)))))


@dataclass(frozen=True)
class Nuclear:
    """psi(W) = sum of the singular values of W as a matrix (outputs, all else): low rank.

    Examples
    --------
    >>> Nuclear().prox(np.diag([3.0, 0.5]), 1.0).round(12).tolist()
    [[2.0, 0.0], [0.0, 0.0]]
    """

    def value(self, W: Array) -> float:
        """Sum of the singular values."""
        return float(np.linalg.svd(W.reshape(len(W), -1), compute_uv=False).sum())

    def prox(self, W: Array, tau: float) -> Array:
        """U diag(max(s - tau, 0)) V' of W = U diag(s) V'."""
        U, s, Vt = np.linalg.svd(W.reshape(len(W), -1), full_matrices=False)
        rank = int((s > tau).sum())
        return np.asarray((U[:, :rank] * (s[:rank] - tau)) @ Vt[:rank]).reshape(W.shape)

    def settled(self, W: Array) -> BoolArray:
        """Singular values that are zero, as far as rounding can tell, shape (min(shape),)."""
        matrix = W.reshape(len(W), -1)
        rank = int(np.linalg.matrix_rank(matrix))
        return np.arange(min(matrix.shape)) >= rank


@dataclass(frozen=True)
class Levels:
    """psi(W) = sum of the distances to the nearest level of a weight code.

    Not convex: the operator is exact as long as tau is below half the least gap between levels,
    and beyond that it is still the projection to the nearest level.

    Parameters
    ----------
    levels : tuple of float
        Ascending.

    Examples
    --------
    >>> Levels((-1.0, 1.0)).prox(np.array([[3.0, 0.5, -1.1]]), 0.25).tolist()
    [[2.75, 0.75, -1.0]]
    """

    levels: tuple[float, ...]

    def __post_init__(self) -> None:
        listed = check_several("levels", self.levels, "ascending numbers")
        finite = all(is_number(level) and abs(level) < np.inf for level in listed)
        if not finite or any(np.diff(listed) <= 0):
            raise InvalidInputError(f"levels={self.levels!r}: expected ascending numbers")

    def nearest(self, W: Array) -> Array:
        """The nearest level of every weight."""
        levels = np.array(self.levels, dtype=W.dtype)
        middles = (levels[1:] + levels[:-1]) / 2
        return np.asarray(levels[np.searchsorted(middles, W, side="right")])

    def value(self, W: Array) -> float:
        """Sum of the distances."""
        return float(np.abs(W - self.nearest(W)).sum())

    def prox(self, W: Array, tau: float) -> Array:
        """q + sign(W - q) max(|W - q| - tau, 0), with q the nearest level."""
        nearest = self.nearest(W)
        away = W - nearest
        return np.asarray(nearest + (away - np.clip(away, -tau, tau)))

    def settled(self, W: Array) -> BoolArray:
        """Weights that are a level, in the shape of W."""
        return np.asarray(self.nearest(W) == W)


REGULARIZERS: Mapping[str, Callable[[], Regularizer]] = MappingProxyType(
    {"l1": L1, "group-lasso": GroupLasso, "nuclear": Nuclear}
)
"""Regularisers without parameters, by name."""


def settled_share(regularizer: Regularizer, weights: Sequence[Array]) -> float:
    """Share of the parameters that are where the regulariser wants them.

    For the group lasso this is the weighted group sparsity: parameters in groups of zeros /
    parameters in groups.  Arrays of one axis, such as thresholds, do not count.

    Examples
    --------
    >>> settled_share(GroupLasso(), [np.array([[0.0, 1.0], [0.0, 0.0]]), np.zeros(2)])
    0.5
    """
    counted = [W for W in weights if W.ndim > 1]
    settled = sum(float(regularizer.settled(W).mean()) * W.size for W in counted)
    return settled / max(1, sum(W.size for W in counted))
