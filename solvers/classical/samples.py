"""Validate the samples of ``fit``: real inputs and classes."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from formulations.arrays import Array
from formulations.errors import InvalidInputError


def checked_samples(
    X: npt.ArrayLike, y: npt.ArrayLike, dtype: npt.DTypeLike = np.float64
) -> tuple[Array, Array]:
    """Return inputs (M, d) of a type and class numbers (M,) as arrays.

    Raises
    ------
    InvalidInputError
        For inconsistent shapes, no samples, inputs that are not finite, or labels that are not
        class numbers.

    Examples
    --------
    >>> X, y = checked_samples([[0, 1], [1, 1]], [0, 1])
    >>> X.dtype, y.tolist()
    (dtype('float64'), [0, 1])
    """
    X, y = np.asarray(X, dtype=dtype), np.asarray(y)
    if X.ndim != 2 or y.shape != (len(X),) or not len(X) or not np.isfinite(X).all():
        raise InvalidInputError(
            f"X of shape {X.shape} and y of shape {y.shape}: expected finite (M, d) and (M,), M > 0"
        )
    if y.dtype.kind not in "iu" or y.min() < 0:
        raise InvalidInputError("y: expected class numbers 0 .. C-1")
    return X, y
