"""Losses as splines of the integer output, one table per distinct target.

A loss is a function of the margin m = y * out.  On the lattice out = step * z, so that it becomes a
piecewise function of the integer z for each target; hinge and zero-one are exact with two pieces,
the squared loss is quadratic in z and needs none.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil, floor
from typing import Literal

import numpy as np
import numpy.typing as npt

from formulations.errors import choose
from formulations.splines import Spline, fit

FloatArray = npt.NDArray[np.float64]


def _hinge(margin: FloatArray) -> FloatArray:
    return np.maximum(0.0, 1.0 - margin)


def _squared(margin: FloatArray) -> FloatArray:
    return (1.0 - margin) ** 2


def _logistic(margin: FloatArray) -> FloatArray:
    return np.logaddexp(0.0, -margin)


def _zero_one(margin: FloatArray) -> FloatArray:
    return np.where(margin > 0, 0.0, 1.0)


@dataclass(frozen=True)
class Loss:
    """A loss of one output for one sample.

    Parameters
    ----------
    name : str
        ``hinge``, ``zero-one``, ``squared``, ``logistic``, or a callable's name.
    function : callable
        The loss as a vectorised function of the margin y * out, shape (...) -> (...).
    """

    name: str
    function: Callable[[FloatArray], FloatArray]

    @property
    def is_quadratic(self) -> bool:
        """Whether the loss is (out - y)^2, which needs no pieces and takes any real target."""
        return self.name == "squared"

    def spline(
        self,
        target: float,
        step: float,
        lo: int,
        hi: int,
        *,
        pieces: int = 4,
        order: Literal[0, 1] = 1,
    ) -> Spline:
        """The loss of target -1 or +1 as a spline of the integer output z on [lo, hi].

        hinge: max(0, 1 - y step z);  zero-one: 1 where the sign rule (z >= 0 is +1) errs; any other
        function is fitted with ``pieces`` pieces of order ``order``.

        Examples
        --------
        >>> loss("hinge").spline(1, 1.0, -3, 3)(np.array([-3, 0, 1, 3])).tolist()
        [4.0, 1.0, 0.0, 0.0]
        """
        if self.name == "zero-one":
            values = np.array([1.0, 0.0] if target > 0 else [0.0, 1.0])
            return Spline(np.array([0]), np.zeros(2), values)
        if self.name == "hinge":
            corner = 1.0 / step
            if target > 0:
                first = ceil(corner - 1e-9)
                return Spline(np.array([first]), np.array([-step, 0.0]), np.array([1.0, 0.0]))
            first = floor(-corner + 1e-9) + 1
            return Spline(np.array([first]), np.array([0.0, step]), np.array([0.0, 1.0]))
        return fit(lambda z: self.function(target * step * z), lo, hi, pieces=pieces, order=order)


def loss(spec: str | Callable[[FloatArray], FloatArray] | Loss) -> Loss:
    """The loss that ``spec`` names, or a callable on the margin as one.

    Examples
    --------
    >>> loss("squared").is_quadratic
    True
    """
    if isinstance(spec, Loss):
        return spec
    if callable(spec):
        return Loss(getattr(spec, "__name__", "callable"), spec)
    known = {
        "hinge": Loss("hinge", _hinge),
        "zero-one": Loss("zero-one", _zero_one),
        "squared": Loss("squared", _squared),
        "logistic": Loss("logistic", _logistic),
    }
    return known[choose("loss", spec, list(known))]
