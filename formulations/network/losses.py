"""Losses as splines of the integer output, one table per distinct target.

A loss is a function of the margin m = y * out.  On the lattice out = step * z, so that it becomes a
piecewise function of the integer z for each target; hinge and zero-one are exact with two pieces,
the squared loss is quadratic in z and needs none.

Outputs are integers times a step, so that their scale is not free, as it is with real weights: how
far a margin has to be above zero is an option of hinge.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import ceil, floor
from typing import Literal

import numpy as np

from formulations.arrays import FloatArray
from formulations.checks import EXACT, check_number, choose, shown
from formulations.errors import InvalidInputError
from formulations.network.splines import Spline, fit


def _hinge(margin: FloatArray, corner: float = 1.0) -> FloatArray:
    return np.maximum(0.0, corner - margin)


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
        ``hinge``, ``hinge:MARGIN``, ``zero-one``, ``squared``, ``logistic``, or a callable's name.
    function : callable
        The loss as a vectorised function of the margin y * out, shape (...) -> (...).
    corner : float, optional
        Of hinge alone: the margin from which on it is zero.
    """

    name: str
    function: Callable[[FloatArray], FloatArray]
    corner: float | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not callable(self.function):
            raise InvalidInputError(
                f"loss {shown(self.name)} of function {shown(self.function)}: expected a name and "
                "a callable on the margin"
            )
        if self.corner is not None:
            check_number("hinge loss: margin", self.corner)

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

        hinge: max(0, corner - y step z);  zero-one: 1 where the sign rule (z >= 0 is +1) errs; any
        other function is fitted with ``pieces`` pieces of order ``order``.

        Examples
        --------
        >>> loss("hinge").spline(1, 1.0, -3, 3)(np.array([-3, 0, 1, 3])).tolist()
        [4.0, 1.0, 0.0, 0.0]
        >>> loss("hinge:2").spline(1, 1.0, -3, 3)(np.array([-3, 0, 1, 3])).tolist()
        [5.0, 2.0, 1.0, 0.0]
        """
        if self.name == "zero-one":
            values = np.array([1.0, 0.0] if target > 0 else [0.0, 1.0])
            return Spline(np.array([0]), np.zeros(2), values)
        if self.corner is not None:
            bend = self.corner / check_number("step of the outputs", step)
            if bend > EXACT:
                raise InvalidInputError(
                    f"{self.name} loss: its corner is {bend:.3g} steps of the output, and integers "
                    f"are exact up to {EXACT:.3g} only: take a smaller margin or a larger step"
                )
            if target > 0:
                first = ceil(bend - 1e-9)
                return Spline(np.array([first]), np.array([-step, 0.0]), np.array([self.corner, 0]))
            first = floor(-bend + 1e-9) + 1
            return Spline(np.array([first]), np.array([0.0, step]), np.array([0, self.corner]))
        return fit(lambda z: self.function(target * step * z), lo, hi, pieces=pieces, order=order)


def hinge(corner: float = 1.0) -> Loss:
    """max(0, corner - margin): zero from margin ``corner`` on.

    With a larger one, samples that are right by a little count as well, which generalises better
    where an output is a sum of many units.

    Raises
    ------
    InvalidInputError
        If ``corner`` is not a positive number.

    Examples
    --------
    >>> hinge(4).function(np.array([-1.0, 1.0, 5.0])).tolist()
    [5.0, 3.0, 0.0]
    """
    corner = check_number("hinge loss: margin", corner)
    return Loss(
        "hinge" if corner == 1 else f"hinge:{corner:g}", partial(_hinge, corner=corner), corner
    )


def loss(spec: str | Callable[[FloatArray], FloatArray] | Loss) -> Loss:
    """The loss that ``spec`` names, or a callable on the margin as one.

    Raises
    ------
    InvalidInputError
        For unknown names, and margins that are no positive numbers.

    Examples
    --------
    >>> loss("squared").is_quadratic, loss("hinge:2.5").corner
    (True, 2.5)
    """
    if isinstance(spec, Loss):
        return spec
    if isinstance(spec, type):
        raise InvalidInputError(
            f"loss {spec.__name__} is a class: expected a name or a function of the margin"
        )
    if callable(spec):
        return Loss(getattr(spec, "__name__", "callable"), spec)
    if isinstance(spec, str) and spec.startswith("hinge:"):
        return hinge(_margin(spec))
    known = {
        "hinge": hinge(),
        "zero-one": Loss("zero-one", _zero_one),
        "squared": Loss("squared", _squared),
        "logistic": Loss("logistic", _logistic),
    }
    return known[choose("loss", spec, list(known))]


def _margin(spec: str) -> float:
    try:
        return float(spec.partition(":")[2])
    except ValueError:
        raise InvalidInputError(
            f"loss {spec!r}: expected a number after the colon, such as hinge:4"
        ) from None
