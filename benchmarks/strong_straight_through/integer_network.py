"""Integer networks: what a straight-through run returns, and the exact arithmetic that scores it.

A layer computes ``z = W a`` with integer weights and integer inputs.  A hidden unit turns it into

    a = offset + gain * clip((z - t) >> shift, low, high)

with an integer threshold t per unit and one shift per layer; ``>>`` rounds towards minus infinity.
The output layer has no unit: its value is ``z - t``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

EXACT = 2**24
"""Integers below this are exact in float32, so that BLAS computes with them exactly."""


@dataclass(frozen=True)
class ClipUnit:
    """A hidden activation: clip and shift, integers only.

    Parameters
    ----------
    name : str
        ``sign``, ``relu:BITS`` or ``hard-tanh:BITS``.
    low, high : int
        Range of the shifted value.
    gain, offset : int
        The activation is ``offset + gain * shifted value``.
    reach : float
        Number of standard deviations of the pre-activation that the range spans by default.

    Examples
    --------
    >>> unit("relu:2").apply(np.array([-5, 0, 3, 4, 99]), shift=2).tolist()
    [0, 0, 0, 1, 3]
    >>> unit("hard-tanh:2").apply(np.array([-5, -4, -1, 0, 4]), shift=2).tolist()
    [-3, -1, -1, 1, 3]
    >>> unit("sign").apply(np.array([-1, 0]), shift=0).tolist()
    [-1, 1]
    """

    name: str
    low: int
    high: int
    gain: int
    offset: int
    reach: float

    @property
    def num_levels(self) -> int:
        """Number of values that the activation takes."""
        return self.high - self.low + 1

    @property
    def largest(self) -> int:
        """Largest magnitude of the activation."""
        return max(
            abs(self.offset + self.gain * self.low), abs(self.offset + self.gain * self.high)
        )

    def apply(self, z: IntArray, shift: int) -> IntArray:
        """Activations of ``z - t``."""
        return np.asarray(self.offset + self.gain * np.clip(z >> shift, self.low, self.high))


def unit(spec: str) -> ClipUnit:
    """Return the activation that ``spec`` names: ``sign``, ``relu:BITS`` or ``hard-tanh:BITS``.

    The levels of ``hard-tanh:BITS`` are the odd integers from ``1 - 2**BITS`` to ``2**BITS - 1``:
    symmetric, and the negated unit is again one of them, a(-1 - u) = -a(u).  With one bit it is
    the sign rule.  Those of ``relu:BITS`` are 0 .. 2**BITS - 1.
    """
    name, _, rest = spec.partition(":")
    if name == "sign":
        return ClipUnit("sign", -1, 0, 2, 1, 2.0)
    bits = int(rest or 4)
    if not 1 <= bits <= 8 or name not in ("relu", "hard-tanh"):
        raise ValueError(f"activation {spec!r}: expected sign, relu:BITS or hard-tanh:BITS")
    half = 2 ** (bits - 1)
    if name == "relu":
        return ClipUnit(f"relu:{bits}", 0, 2 * half - 1, 1, 0, 2.5)
    return ClipUnit(f"hard-tanh:{bits}", -half, half - 1, 2, 1, 1.0)


@dataclass(frozen=True)
class IntegerLayer:
    """Weights (outputs, inputs), thresholds (outputs,), and the shift of the layer's units."""

    weights: IntArray
    thresholds: IntArray
    unit: ClipUnit | None
    shift: int = 0


@dataclass(frozen=True)
class IntegerNetwork:
    """A trained network: integers in, integers out.

    Examples
    --------
    >>> layer = IntegerLayer(np.array([[1, -1]]), np.array([1]), None)
    >>> IntegerNetwork((layer,)).outputs(np.array([[3, 0], [0, 3]])).tolist()
    [[2], [-4]]
    """

    layers: tuple[IntegerLayer, ...]

    def outputs(self, X: npt.ArrayLike) -> IntArray:
        """Votes minus thresholds of the last layer, shape (N, outputs), in exact arithmetic."""
        a = np.asarray(X)
        for layer in self.layers:
            reach = int(np.abs(a).max(initial=0)) * int(np.abs(layer.weights).sum(axis=1).max())
            kind = np.float32 if reach < EXACT else np.float64
            z = (a.astype(kind) @ layer.weights.T.astype(kind)).astype(np.int64)
            z -= layer.thresholds
            a = z if layer.unit is None else layer.unit.apply(z, layer.shift)
        return np.asarray(a, dtype=np.int64)

    def predict(self, X: npt.ArrayLike) -> IntArray:
        """Classes: 0 or 1 of one output (1 where it is at least 0), else the largest output's."""
        out = self.outputs(X)
        if out.shape[1] == 1:
            return np.asarray(out[:, 0] >= 0, dtype=np.int64)
        return np.asarray(out.argmax(axis=1), dtype=np.int64)

    def threshold_bits(self, largest_input: int) -> list[int]:
        """Bits of a threshold of each layer that interval propagation allows."""
        bits, reach = [], largest_input
        for layer in self.layers:
            most = reach * int(np.abs(layer.weights).sum(axis=1).max())
            bits.append(int(most).bit_length() + 1)
            reach = layer.unit.largest if layer.unit else 0
        return bits


def stored_bits(widths: Sequence[int], weight_bits: int, threshold_bits: Sequence[int]) -> int:
    """Bits of all weights and thresholds."""
    return sum(
        m * (n * weight_bits + t)
        for n, m, t in zip(widths[:-1], widths[1:], threshold_bits, strict=True)
    )
