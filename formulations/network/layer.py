"""A layer: its widths, the codes of its weights, and the placement of its activation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

import numpy as np

from formulations.arrays import Array, BitArray, FloatArray, IntArray
from formulations.checks import WIDEST, check_whole, choose, shown
from formulations.errors import InvalidInputError
from formulations.network import splines
from formulations.network.activations import Activation, is_sign
from formulations.network.codes import AUTO, MOST_BITS, WeightCode
from formulations.network.splines import Clip, Placement, Spline
from formulations.network.ties import Ties


@dataclass(frozen=True)
class Layer:
    """One layer, dense unless ties share or fix weights.

    Parameters
    ----------
    inputs, outputs : int
        Widths n_{l-1} and n_l.
    code : WeightCode
        Code of the weights.
    bias_code : WeightCode or None
        Code of the thresholds; None for no thresholds; ``codes.AUTO`` for integers as wide as the
        inputs require, see ``Network.for_inputs``.
    activation : Activation or None
        None for the output layer.
    pieces, order, placement : optional
        Options of the spline; None takes the defaults of the activation.
    resolution : int, optional
        Lattice steps per unit of activation; None takes 4 (order 0) or the scale (order 1).
    scale : int, optional
        The activation is evaluated at z / scale; None takes max|z| / sqrt(fan-in), a typical size
        of z.  For ``relu:BITS`` and ``hard-tanh:BITS`` it is a power of two, and None derives it
        from the inputs.
    ties : Ties, optional
        Shared or fixed weights, such as those of a convolution; None for a dense layer.
    """

    inputs: int
    outputs: int
    code: WeightCode
    bias_code: WeightCode | None
    activation: Activation | None
    pieces: int | None = None
    order: Literal[0, 1] | None = None
    placement: Placement = "minimax"
    resolution: int | None = None
    scale: int | None = None
    ties: Ties | None = None

    def __post_init__(self) -> None:
        for name in ("inputs", "outputs"):
            check_whole(name, getattr(self, name), 1, WIDEST)
        for name in ("pieces", "resolution", "scale"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name))
        if self.order is not None:
            check_whole("order", self.order, 0, 1)
        choose("placement", self.placement, list(get_args(Placement)))
        for name, kind in (
            ("code", WeightCode),
            ("bias_code", WeightCode | None),
            ("activation", Activation | None),
            ("ties", Ties | None),
        ):
            if not isinstance(getattr(self, name), kind):
                raise InvalidInputError(
                    f"{name}={shown(getattr(self, name))} of a layer: expected "
                    f"{getattr(kind, '__name__', kind)}; Network.dense makes layers from names"
                )

        wide = not self.code.one_hot and self.code.bits > MOST_BITS
        if self.code == AUTO or wide:
            raise InvalidInputError(
                f"code={self.code.name!r} of weights: expected up to {MOST_BITS} bits; wider codes "
                "are for thresholds"
            )
        if self.clip and self.scale and self.scale & (self.scale - 1):
            raise InvalidInputError(
                f"scale={self.scale} of the activation {self.activation and self.activation.name}: "
                "expected a power of two, such as 8; without scale it follows from the inputs"
            )
        ties, shape = self.ties, (self.outputs, self.inputs + 1)
        if ties is not None and (
            ties.numbers.shape != shape
            or (self.bias_code is None and (ties.numbers[:, -1] >= 0).any())
        ):
            raise InvalidInputError(
                f"{ties!r} of shape {ties.numbers.shape} in a layer of {self.inputs} inputs and "
                f"{self.outputs} units: expected {shape}, with thresholds where there is a bias"
            )

    @property
    def clip(self) -> Clip | None:
        """The activation if it clips and shifts integers, else None."""
        function = self.activation.function if self.activation else None
        return function if isinstance(function, Clip) else None

    @property
    def is_open(self) -> bool:
        """True if the width of the thresholds or the shift still depends on the inputs."""
        return self.bias_code == AUTO or (self.clip is not None and self.scale is None)

    def refuse_if_auto(self) -> None:
        """Refuse thresholds whose width is not known yet.

        Raises
        ------
        InvalidInputError
            Naming the network that has all widths.
        """
        if self.bias_code == AUTO:
            raise InvalidInputError(
                "the width of thresholds with bias='auto' follows from the inputs: ask "
                "problem.network or network.for_inputs(X)"
            )

    @property
    def num_stored(self) -> tuple[int, int]:
        """Numbers of stored weights and of stored thresholds."""
        if self.ties is None:
            return self.inputs * self.outputs, self.outputs if self.bias_code else 0
        thresholds = int(self.ties.is_threshold.sum())
        return len(self.ties.is_threshold) - thresholds, thresholds

    @property
    def num_bits(self) -> int:
        """Number of binary variables of the weights and thresholds."""
        self.refuse_if_auto()
        weights, thresholds = self.num_stored
        return weights * self.code.bits + thresholds * (
            self.bias_code.bits if self.bias_code else 0
        )

    @property
    def stored_bits(self) -> int:
        """Bits that store the weights and thresholds after training."""
        self.refuse_if_auto()
        weights, thresholds = self.num_stored
        bits = self.bias_code.stored_bits if self.bias_code else 0
        return weights * self.code.stored_bits + thresholds * bits

    @property
    def fan_in(self) -> int:
        """Largest number of inputs of a unit, at least 1."""
        return self.inputs if self.ties is None else max(1, int(self.ties.taps.sum(axis=1).max()))

    @property
    def free_ties(self) -> Ties:
        """The ties of the layer; for a dense layer, ties that store every weight separately."""
        if self.ties is not None:
            return self.ties
        owner = np.arange(self.outputs * (self.inputs + 1)).reshape(self.outputs, -1)
        if self.bias_code is None:
            owner[:, -1] = -1
        return Ties(Ties.numbered(owner), np.zeros(owner.shape, dtype=np.int64))

    # -- bits <-> levels --------------------------------------------------------------------------

    def first_bits(self) -> tuple[IntArray, IntArray]:
        """Return the position of the first bit of each stored weight and each stored threshold.

        Bits are sorted by neuron, input (the threshold last) and bit; a shared weight has the
        position of its first appearance, and weights of a window are sorted by filter and tap.
        """
        B, b = self.code.bits, self.bias_code.bits if self.bias_code else 0
        if self.ties is None:
            start = np.arange(self.outputs)[:, None] * (self.inputs * B + b)
            return (start + np.arange(self.inputs) * B).ravel(), (start + self.inputs * B)[
                :, : b > 0
            ].ravel()
        last = self.ties.is_threshold
        widths = np.where(last, b, B)
        starts = np.cumsum(widths) - widths
        return starts[~last], starts[last]

    def stored(self, matrix: IntArray, bias: IntArray | None) -> tuple[IntArray, IntArray]:
        """Return stored weights (S,) and thresholds (T,) of a weight matrix and its thresholds.

        Raises
        ------
        InvalidInputError
            If shared weights differ.
        """
        if self.ties is None:
            return matrix.ravel(), np.zeros(0, dtype=np.int64) if bias is None else bias
        found = self.ties.stored(self.with_thresholds(matrix, bias))
        if found is None:
            raise InvalidInputError(
                f"weights that violate {self.ties!r}: expected shared weights to be equal, and "
                "fixed weights to be unchanged"
            )
        return found[~self.ties.is_threshold], found[self.ties.is_threshold]

    def num_untied(self, matrix: IntArray, bias: IntArray | None) -> int:
        """Count the weights and thresholds that violate the ties; 0 for other shapes."""
        if self.ties is None or np.shape(matrix) != (self.outputs, self.inputs):
            return 0
        both = self.with_thresholds(np.asarray(matrix), bias)
        return int((self.ties.expand(both.ravel()[self.ties.first]) != both).sum())

    def expand(self, weights: IntArray, thresholds: IntArray) -> tuple[IntArray, IntArray | None]:
        """Invert :meth:`stored`: (..., S), (..., T) to (..., outputs, inputs), (..., outputs)."""
        if self.ties is None:
            matrix = weights.reshape(*weights.shape[:-1], self.outputs, self.inputs)
            return matrix, thresholds if self.bias_code else None
        stored = np.zeros((*weights.shape[:-1], len(self.ties.first)), dtype=np.int64)
        stored[..., ~self.ties.is_threshold] = weights
        stored[..., self.ties.is_threshold] = thresholds
        both = self.ties.expand(stored)
        return both[..., :-1], both[..., -1] if self.bias_code else None

    def decode(self, bits: Array) -> tuple[IntArray, IntArray | None]:
        """Decode bits (..., B) to weights (..., outputs, inputs) and thresholds (..., outputs)."""
        levels = [
            code.decode(bits[..., first[:, None] + np.arange(code.bits)])
            if code is not None
            else np.zeros((*bits.shape[:-1], 0), dtype=np.int64)
            for code, first in zip((self.code, self.bias_code), self.first_bits(), strict=True)
        ]
        return self.expand(*levels)

    def encode(self, matrix: IntArray, bias: IntArray | None) -> BitArray:
        """Encode weights (outputs, inputs) and thresholds (outputs,) as bits (num_bits,).

        Raises
        ------
        InvalidInputError
            If a level does not belong to its code, or shared weights differ.
        """
        bits = np.zeros(self.num_bits, dtype=np.int8)
        stored, codes = self.stored(matrix, bias), (self.code, self.bias_code)
        for code, levels, first in zip(codes, stored, self.first_bits(), strict=True):
            if code is not None:
                bits[first[:, None] + np.arange(code.bits)] = code.encode(levels)
        return bits

    @staticmethod
    def with_thresholds(matrix: IntArray, bias: IntArray | None) -> IntArray:
        """Append the thresholds to the weights as a last column, zero without thresholds."""
        column = np.zeros(len(matrix), dtype=np.int64) if bias is None else bias
        return np.concatenate([matrix, column[:, None]], axis=1)

    def sums(self, a: FloatArray, matrix: FloatArray) -> FloatArray:
        """Compute W a of samples, (..., N, inputs) -> (..., N, outputs), exact for integers."""
        if self.ties is None or self.ties.window is None:
            return np.asarray(a @ matrix.swapaxes(-1, -2))
        return self.ties.window.sums(a, self.ties.kernel(matrix))

    def place(self, lo: int, hi: int) -> Spline:
        """Place the spline of the activation for pre-activations in [lo, hi]."""
        act = self.activation
        assert act is not None
        if is_sign(act):
            return splines.sign()
        if self.clip is not None:
            if self.scale is None:
                raise InvalidInputError(
                    f"the shift of the activation {act.name} follows from the inputs: ask "
                    "problem.network or network.for_inputs(X), or give scale, a power of two"
                )
            return splines.clip_shift(self.clip, self.scale.bit_length() - 1)
        scale = self.effective_scale(lo, hi)
        order = act.order if self.order is None else self.order
        resolution = self.resolution or (scale if order == 1 else 4)
        spline = splines.fit(
            lambda z: act.function(z / scale),
            lo,
            hi,
            pieces=self.pieces or act.pieces,
            order=order,
            placement=self.placement,
            step=1.0 / resolution,
        )
        return replace(spline, scale=scale)

    def effective_scale(self, lo: int, hi: int) -> int:
        """Return the scale of the activation's argument for pre-activations in [lo, hi]."""
        return self.scale or max(1, round(max(abs(lo), abs(hi)) / self.fan_in**0.5))


def lattice_units(splines: Sequence[Spline]) -> list[int]:
    """Return the lattice value of an activation of 1 at the input of each layer.

    Examples
    --------
    >>> lattice_units([splines.sign()])
    [1, 1]
    """
    return [1, *(max(1, round(1 / s.step)) for s in splines)]


def bias_unit(layer: Layer, unit: int) -> int:
    """Return the factor of thresholds: 1 for an integer code, else the unit of the inputs."""
    return 1 if layer.bias_code is not None and layer.bias_code.is_integer else unit
