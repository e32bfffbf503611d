"""Linear maps of a layer's input: the identity and a graph filter.

Each has its adjoint in closed form.  Leading axes, such as samples, are batch axes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from formulations.arrays import Array
from formulations.errors import InvalidInputError


class FeatureMap(Protocol):
    """Linear map eta of a layer's input, and its adjoint."""

    def apply(self, X: Array) -> Array:
        """Return eta(X), features last, shape (n, ..., features)."""
        ...

    def adjoint(self, E: Array, shape: tuple[int, ...]) -> Array:
        """Return the adjoint of eta at E, in the shape of the input."""
        ...


@dataclass(frozen=True)
class Identity:
    """Identity, the map of dense layers."""

    def apply(self, X: Array) -> Array:
        return X

    def adjoint(self, E: Array, shape: tuple[int, ...]) -> Array:
        return E


@dataclass(frozen=True)
class GraphFilter:
    """Graph filter A X of every sample, shape (n, nodes, channels) -> the same.

    Parameters
    ----------
    matrix : ndarray of float64, shape (nodes, nodes)
        Such as :meth:`normalized`.
    """

    matrix: Array

    @classmethod
    def normalized(cls, adjacency: npt.ArrayLike) -> GraphFilter:
        """Return D^-1/2 (A + I) D^-1/2, D the degrees of A + I [Kipf and Welling 2017].

        Examples
        --------
        >>> GraphFilter.normalized([[0, 1], [1, 0]]).matrix.round(12).tolist()
        [[0.5, 0.5], [0.5, 0.5]]
        """
        looped = np.asarray(adjacency, dtype=float)
        if looped.ndim != 2 or (looped != looped.T).any() or (looped < 0).any():
            raise InvalidInputError("adjacency: expected a symmetric matrix without negatives")
        looped = looped + np.eye(len(looped))
        scale = 1.0 / np.sqrt(looped.sum(axis=1))
        return cls(scale[:, None] * looped * scale)

    def apply(self, X: Array) -> Array:
        return np.asarray(self.matrix @ X)

    def adjoint(self, E: Array, shape: tuple[int, ...]) -> Array:
        return np.asarray(self.matrix.T @ E)
