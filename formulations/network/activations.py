"""Activation functions, given by name or as Python callables."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from formulations.arrays import FloatArray
from formulations.checks import check_whole, choose, shown
from formulations.errors import InvalidInputError
from formulations.network import splines, vocabulary


@dataclass(frozen=True)
class Activation:
    """An activation function and its largest slope.

    Parameters
    ----------
    name : str
        Name of the activation or of the callable.
    function : callable
        Vectorised function of real numbers.
    lipschitz : float
        Largest slope; infinite for a step, NaN to estimate it from the lattice.
    pieces : int
        Default number of pieces of its spline.
    order : {0, 1}
        Default order of its spline.
    """

    name: str
    function: Callable[[FloatArray], FloatArray]
    lipschitz: float
    pieces: int = 4
    order: Literal[0, 1] = 0

    def __post_init__(self) -> None:
        slope = isinstance(self.lipschitz, int | float) and not self.lipschitz < 0
        if not isinstance(self.name, str) or not callable(self.function) or not slope:
            raise InvalidInputError(
                f"activation {shown(self.name)} of function {shown(self.function)} and largest "
                f"slope {shown(self.lipschitz)}: expected a name, a callable and a number"
            )
        check_whole(f"pieces of the activation {self.name!r}", self.pieces)
        check_whole(f"order of the activation {self.name!r}", self.order, 0, 1)


def _sign(z: FloatArray) -> FloatArray:
    return np.where(z >= 0, 1.0, -1.0)


def _hard_tanh(z: FloatArray) -> FloatArray:
    return np.clip(z, -1.0, 1.0)


def _relu(z: FloatArray) -> FloatArray:
    return np.maximum(z, 0.0)


def _sigmoid(z: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)))


def activation(spec: str | Callable[[FloatArray], FloatArray] | Activation) -> Activation:
    """Return the activation called ``spec``, or wrap a Python callable.

    The names are listed in :data:`formulations.network.vocabulary.ACTIVATIONS`.

    Examples
    --------
    >>> activation("relu").lipschitz, activation("relu:4").pieces
    (1.0, 16)
    """
    if isinstance(spec, Activation):
        return spec
    if isinstance(spec, type):
        raise InvalidInputError(
            f"activation {spec.__name__} is a class: expected a name or a function of an array"
        )
    if callable(spec):
        return Activation(getattr(spec, "__name__", "callable"), spec, float("nan"))
    known = {
        "sign": Activation("sign", _sign, float("inf"), pieces=2),
        "hard-tanh": Activation("hard-tanh", _hard_tanh, 1.0, pieces=3, order=1),
        "relu": Activation("relu", _relu, 1.0, pieces=2, order=1),
        "tanh": Activation("tanh", np.tanh, 1.0),
        "sigmoid": Activation("sigmoid", _sigmoid, 0.25),
    }
    if isinstance(spec, str) and spec.partition(":")[0] in ("relu", "hard-tanh") and ":" in spec:
        return _clip_and_shift(spec)
    return known[choose("activation", spec, vocabulary.names(vocabulary.ACTIVATIONS))]


def _clip_and_shift(spec: str) -> Activation:
    """Return ``relu:BITS`` with levels 0 .. 2^BITS-1, or ``hard-tanh:BITS`` with odd levels.

    The levels of hard-tanh reach from -(2^BITS-1) to 2^BITS-1, with a(-1 - z) = -a(z); with one bit
    it is the sign rule.
    """
    name, _, digits = spec.partition(":")
    bits = int(digits) if digits.isascii() and digits.isdigit() and len(digits) == 1 else 0
    if not 1 <= bits <= 8:
        raise InvalidInputError(
            f"activation {shown(spec)}: expected {name}:BITS with BITS from 1 to 8, or {name} alone"
        )
    half = 2 ** (bits - 1)
    if name == "relu":
        clip = splines.Clip(0, 2 * half - 1, gain=1, offset=0, reach=2.5)
    else:
        clip = splines.Clip(-half, half - 1, gain=2, offset=1, reach=1.0)
    return Activation(f"{name}:{bits}", clip, float("inf"), pieces=2 * half)


def is_named(act: Activation) -> bool:
    """Return True if an activation is the one that its name denotes.

    Examples
    --------
    >>> is_named(activation("relu:4")), is_named(activation(np.tanh)), is_named(activation(np.sin))
    (True, False, False)
    """
    try:
        return activation(act.name) == act
    except InvalidInputError:
        return False


def is_sign(act: Activation) -> bool:
    """Return True if an activation is the sign rule, not just a function called sign.

    Examples
    --------
    >>> is_sign(activation("sign")), is_sign(activation(np.sign))
    (True, False)
    """
    return act.function is _sign
