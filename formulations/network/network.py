"""A network: layer widths, activations and weight codes, without weights.

All numbers inside a network are integers on a lattice.  Layer l computes

    z_l = W_l a_{l-1} + unit_{l-1} b_l,    a_l = spline_l(z_l) in units of its step,

with a_0 = X, integer weight levels W_l and integer thresholds b_l; unit_{l-1} is the lattice value
of an activation of 1, or 1 for thresholds of an integer code.  The last layer has no activation:
the output is z times ``out_step``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from formulations.array_checks import check_bits, check_exact, check_integers
from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.checks import WIDEST, check_whole, shown
from formulations.errors import InvalidInputError
from formulations.network.activations import Activation, activation
from formulations.network.codes import WeightCode
from formulations.network.convolution import conv_layers, describe, hidden_layer
from formulations.network.from_inputs import placed
from formulations.network.layer import Layer, bias_unit, lattice_units
from formulations.network.splines import Placement, Spline
from formulations.shown_table import facts_of

__all__ = ["Activation", "Layer", "Network", "Weights", "activation"]


@dataclass(frozen=True)
class Weights:
    """Trained weights: integer levels, thresholds, and the splines of the activations.

    Parameters
    ----------
    matrices : tuple of ndarray of int64, shape (n_l, n_{l-1})
        Weight levels of each layer.
    biases : tuple of (ndarray of int64, shape (n_l,), or None)
        Thresholds of each layer.
    splines : tuple of Spline
        Activation of each hidden layer on its lattice.
    """

    matrices: tuple[IntArray, ...]
    biases: tuple[IntArray | None, ...]
    splines: tuple[Spline, ...]


@dataclass(frozen=True)
class Network:
    """A network on integer lattices, made by :meth:`dense` or :meth:`conv`.

    Examples
    --------
    >>> net = Network.dense([16, 4, 1], activation="sign", weights="bipolar", bias=False)
    >>> net.num_weight_bits
    68
    """

    layers: tuple[Layer, ...]

    _repr_html_ = facts_of(layers="__str__", weights="num_weights", stored_bits="stored_bits")

    def __post_init__(self) -> None:
        layers = self.layers
        if not isinstance(layers, tuple) or not layers or not _all(layers, Layer):
            raise InvalidInputError(
                f"layers {shown(layers)}: expected a tuple of one Layer or more; Network.dense "
                "makes them from widths"
            )
        for number, (below, above) in enumerate(pairwise(layers), start=1):
            if below.outputs != above.inputs or below.activation is None:
                raise InvalidInputError(
                    f"layer {number} has {below.outputs} outputs and "
                    f"{'no' if below.activation is None else 'an'} activation, layer {number + 1} "
                    f"has {above.inputs} inputs: expected equal numbers, and an activation between"
                )
        if layers[-1].activation is not None:
            raise InvalidInputError("the last layer has an activation: expected None, its output")

    @classmethod
    def dense(
        cls,
        widths: Sequence[int],
        activation: str | Callable[[FloatArray], FloatArray] | Activation = "sign",
        weights: str | WeightCode = "bipolar",
        bias: bool | str | WeightCode = False,
        *,
        pieces: int | None = None,
        order: Literal[0, 1] | None = None,
        placement: Placement = "minimax",
        resolution: int | None = None,
        scale: int | None = None,
    ) -> Network:
        """Make a dense network.

        Parameters
        ----------
        widths : sequence of int
            Inputs, hidden widths, outputs.
        activation : str, callable or Activation
            Activation of the hidden layers.
        weights : str or WeightCode
            Code of the weights.
        bias : bool, str or WeightCode
            False for no thresholds, True for thresholds in the code of the weights, or a separate
            code; ``"auto"`` for integers as wide as the inputs require, see :meth:`for_inputs`.
        pieces, order, placement, resolution, scale
            Options of the hidden layers' splines, see :class:`Layer`.

        Raises
        ------
        InvalidInputError
            For widths that are not positive integers, fewer than two of them, or unknown names.
        """
        given = widths
        widths = (
            [] if isinstance(widths, str | Set | Mapping) or not np.iterable(widths) else [*widths]
        )
        whole = all(isinstance(w, (int, np.integer)) and not isinstance(w, bool) for w in widths)
        if len(widths) < 2 or not whole or min(widths) < 1:
            raise InvalidInputError(
                f"widths {shown(given)}: expected a list of two or more positive integers, inputs "
                "first and outputs last, such as [16, 4, 1]"
            )
        if max(widths) > WIDEST:
            raise InvalidInputError(
                f"widths {shown(widths)}: expected at most {WIDEST:,} units per layer"
            )
        layer = hidden_layer(activation, weights, bias, pieces, order, placement, resolution, scale)
        layers = [replace(layer, inputs=int(n), outputs=int(m)) for n, m in pairwise(widths)]
        layers[-1] = replace(layers[-1], activation=None)
        return cls(tuple(layers))

    @classmethod
    def conv(
        cls,
        shape: Sequence[int],
        hidden: Sequence[int | str],
        outputs: int,
        activation: str | Callable[[FloatArray], FloatArray] | Activation = "sign",
        weights: str | WeightCode = "bipolar",
        bias: bool | str | WeightCode = False,
        **spline: Any,
    ) -> Network:
        """Make a network with convolutions, whose weights are shared: see :mod:`.convolution`.

        Parameters
        ----------
        shape : (int, int, int) or (int, int)
            Channels, height and width of images, which the inputs list row by row; or channels and
            length of signals.
        hidden : sequence of int or str
            ``conv:FILTERS:SIZE[:STRIDE[:PADDING]]``, ``pool:KIND:SIZE[:STRIDE]``, or widths of
            dense layers.
        outputs : int
        activation, weights, bias, **spline
            As in :meth:`dense`; each filter has one threshold.

        Examples
        --------
        >>> net = Network.conv((1, 28, 28), ["conv:4:5x5:2", "pool:max:2x2", 16], 10)
        >>> net.widths, net.num_weight_bits
        ((784, 576, 144, 16, 10), 2564)
        >>> print(net)
        1x28x28, conv:4:5x5:2x2 to 4x12x12, pool:max:2x2 to 4x6x6, 16, 10
        """
        layer = hidden_layer(activation, weights, bias, **spline)
        layers = conv_layers(shape, hidden, layer)
        inputs = layers[-1].outputs if layers else int(np.prod(shape))
        last = replace(
            layer, inputs=inputs, outputs=check_whole("outputs", outputs), activation=None
        )
        return cls((*layers, last))

    def __str__(self) -> str:
        return describe(self.layers)

    def for_inputs(self, X: npt.ArrayLike) -> Network:
        """Return the network with all options that depend on the inputs.

        Thresholds of ``bias="auto"`` become integers wide enough for the bounds of their
        pre-activations by interval propagation over X; ``relu:BITS`` and ``hard-tanh:BITS`` get
        their power of two.  ``TrainingProblem`` calls this; its ``network`` is the result.

        Parameters
        ----------
        X : array of int, shape (N, inputs)

        Examples
        --------
        >>> net = Network.dense([16, 4, 1], bias="auto").for_inputs([[3] * 16, [-3] * 16])
        >>> [layer.bias_code.name for layer in net.layers], net.stored_bits
        (['integer:7', 'integer:4'], 100)
        """
        if not any(layer.is_open for layer in self.layers):
            return self
        return Network(placed(self.layers, self._samples(X, least=1))[0])

    def _samples(self, X: npt.ArrayLike, least: int = 0) -> IntArray:
        """Convert X to integers of shape (N, inputs)."""
        X = check_integers("X", X)
        if X.ndim != 2 or len(X) < least or X.shape[1] != self.widths[0]:
            raise InvalidInputError(
                f"X of shape {X.shape}: expected (N, {self.widths[0]}){' with N > 0' * least}, one "
                "row per sample"
            )
        return X

    # -- shape ------------------------------------------------------------------------------------

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the inputs, the hidden layers and the outputs."""
        return (self.layers[0].inputs, *(layer.outputs for layer in self.layers))

    @property
    def num_outputs(self) -> int:
        """Number of outputs: 1 for two classes, C for C classes."""
        return self.layers[-1].outputs

    @property
    def num_weights(self) -> int:
        """Number of stored weights, without thresholds."""
        return sum(layer.num_stored[0] for layer in self.layers)

    @property
    def num_weight_bits(self) -> int:
        """Number of binary variables of all weights and thresholds."""
        return sum(layer.num_bits for layer in self.layers)

    @property
    def stored_bits(self) -> int:
        """Bits that store all weights and thresholds after training.

        A codebook of L values is trained with L bits per weight and stored with enough bits for a
        number below L; all other codes are stored with the bits that are trained.
        """
        return sum(layer.stored_bits for layer in self.layers)

    @property
    def bits_per_weight(self) -> float:
        """Stored bits of weights and thresholds divided by the number of weights.

        Thresholds count as bits but not as weights, so that they are not free.

        Examples
        --------
        >>> Network.dense([196, 64, 10], bias=True).bits_per_weight
        1.005...
        """
        return self.stored_bits / self.num_weights

    def bit_offsets(self) -> list[int]:
        """Return the first weight bit of each layer, and the total number of bits.

        Weight bits are sorted by layer, neuron, input (the threshold last) and bit; a shared weight
        has the position of its first appearance.
        """
        return list(accumulate((layer.num_bits for layer in self.layers), initial=0))

    # -- bits <-> levels --------------------------------------------------------------------------

    def decode_bits(self, bits: npt.ArrayLike, splines: tuple[Spline, ...]) -> Weights:
        """Decode a bit vector (num_weight_bits,) in canonical order to weights."""
        bits = check_bits("weight bits", bits, self.num_weight_bits)
        if bits.ndim != 1:
            raise InvalidInputError(
                f"weight bits of shape {bits.shape}: expected those of one network"
            )
        offsets = self.bit_offsets()
        parts = [
            layer.decode(bits[start:stop])
            for layer, start, stop in zip(self.layers, offsets[:-1], offsets[1:], strict=True)
        ]
        return Weights(tuple(matrix for matrix, _ in parts), tuple(b for _, b in parts), splines)

    def encode_bits(self, weights: Weights) -> BitArray:
        """Encode weights as a bit vector (num_weight_bits,) in canonical order.

        Raises
        ------
        InvalidInputError
            If a shape or a level does not fit the network, or a width of thresholds is unknown.
        """
        self._check_parts(weights)
        for layer in self.layers:
            layer.refuse_if_auto()
        blocks = [
            layer.encode(*self._levels(number, layer, weights))
            for number, layer in enumerate(self.layers)
        ]
        return np.concatenate(blocks)

    def _check_parts(self, weights: object) -> None:
        """Refuse anything but weights with the network's number of layers."""
        depth = len(self.layers)
        if not isinstance(weights, Weights):
            raise InvalidInputError(
                f"weights={shown(weights)}: expected Weights, from a result or from "
                "TrainingProblem.decode"
            )
        parts = (weights.matrices, weights.biases, weights.splines)
        if not all(isinstance(part, tuple | list) for part in parts):
            raise InvalidInputError(
                "weights with parts that are not tuples: expected one entry per layer"
            )
        counts = [len(part) for part in (weights.matrices, weights.biases, weights.splines)]
        if counts != [depth, depth, depth - 1] or not _all(weights.splines, Spline):
            raise InvalidInputError(
                f"weights with {counts[0]} matrices, {counts[1]} thresholds and {counts[2]} "
                f"splines: expected {depth}, {depth} and {depth - 1}, one for each layer"
            )

    def _levels(
        self, number: int, layer: Layer, weights: Weights
    ) -> tuple[IntArray, IntArray | None]:
        """Return weights and thresholds of a layer as integers, with their shapes checked."""
        given = weights.biases[number]
        matrix = check_integers(f"weights of layer {number + 1}", weights.matrices[number])
        bias = None if given is None else check_integers(f"thresholds of layer {number + 1}", given)
        expected = (layer.outputs, layer.inputs)
        if (
            matrix.shape != expected
            or (bias is not None and bias.shape != (layer.outputs,))
            or (bias is None) != (layer.bias_code is None)
        ):
            raise InvalidInputError(
                f"weights of layer {number + 1}: expected a matrix of shape {expected} with"
                f"{'' if layer.bias_code else 'out'} thresholds, got shape {matrix.shape} and "
                f"{'none' if bias is None else bias.shape}"
            )
        return matrix, bias

    # -- forward pass -----------------------------------------------------------------------------

    def bias_units(self, splines: tuple[Spline, ...]) -> list[int]:
        """Return the factor of thresholds of each layer: 1 for integer codes, else the unit."""
        return [bias_unit(*pair) for pair in zip(self.layers, lattice_units(splines), strict=True)]

    def out_step(self, splines: tuple[Spline, ...]) -> float:
        """Return the real value of one lattice step of the output."""
        layer = self.layers[-1]
        return layer.code.step * (splines[-1].step if splines else 1.0)

    def pre_activations(self, weights: Weights, X: npt.ArrayLike) -> list[IntArray]:
        """Compute the integer pre-activations z_l of every layer, each of shape (N, n_l)."""
        self._check_parts(weights)
        a = check_integers("X", X).astype(np.float64)
        if a.shape[-1:] != (self.widths[0],):
            raise InvalidInputError(
                f"X of shape {a.shape}: expected (N, {self.widths[0]}), one row per sample"
            )
        units = self.bias_units(weights.splines)
        result = []
        for number, layer in enumerate(self.layers):
            matrix, bias = self._levels(number, layer, weights)
            check_exact(number + 1, a, matrix, units[number], bias)
            z = layer.sums(a, matrix.astype(np.float64))  # exact for integers, and fast in BLAS
            if bias is not None:
                z = z + units[number] * bias
            result.append(z.astype(np.int64))
            if number < len(weights.splines):
                a = weights.splines[number].units(result[-1])
        return result

    def forward(self, weights: Weights, X: npt.ArrayLike) -> FloatArray:
        """Compute the outputs, shape (N, outputs)."""
        z = self.pre_activations(weights, X)[-1]
        return np.asarray(z * self.out_step(weights.splines), dtype=np.float64)

    def predict(self, weights: Weights, X: npt.ArrayLike) -> IntArray:
        """Predict classes: -1 or +1 by the sign of one output, else the index of the largest.

        Parameters
        ----------
        weights : Weights
            Weights of a result, or from ``TrainingProblem.decode``.
        X : array of int, shape (N, inputs)
            Inputs on the integer lattice of the training data.
        """
        X = self._samples(X)
        if not any(layer.is_open for layer in self.layers):
            self.encode_bits(weights)  # raises if they do not fit
        out = self.forward(weights, X)
        if self.num_outputs == 1:
            return np.where(out[:, 0] >= 0, 1, -1)
        return np.asarray(np.argmax(out, axis=1))


def _all(values: object, kind: type) -> bool:
    """Return True if ``values`` is a tuple of objects of type ``kind``."""
    return isinstance(values, tuple) and all(isinstance(value, kind) for value in values)
