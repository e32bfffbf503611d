"""A network: layer widths, an activation per layer, a weight code; no weights.

Everything inside is an integer on a lattice.  Layer l computes

    z_l = W_l a_{l-1} + unit_{l-1} b_l,    a_l = spline_l(z_l) in units of its step,

with a_0 = X, integer weight levels W_l, integer thresholds b_l and unit_{l-1} the lattice value of
an activation of 1.  The last layer has no activation: its z times ``out_step`` is the output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, pairwise
from typing import Literal

import numpy as np
import numpy.typing as npt

from formulations import splines
from formulations.codes import WeightCode, code
from formulations.errors import InvalidInputError, choose
from formulations.splines import Placement, Spline

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BitArray = npt.NDArray[np.int8]

WIDEST = 1_000_000
"""Most units of a layer: everything is counted and built unit by unit."""


@dataclass(frozen=True)
class Activation:
    """An activation function and the largest slope it has.

    Parameters
    ----------
    name : str
        Its name, or the callable's.
    function : callable
        Vectorised real function.
    lipschitz : float
        Largest slope; infinite for a step, NaN to have it estimated from the lattice.
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


def _sign(z: FloatArray) -> FloatArray:
    return np.where(z >= 0, 1.0, -1.0)


def _hard_tanh(z: FloatArray) -> FloatArray:
    return np.clip(z, -1.0, 1.0)


def _relu(z: FloatArray) -> FloatArray:
    return np.maximum(z, 0.0)


def _sigmoid(z: FloatArray) -> FloatArray:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * z)))


def activation(spec: str | Callable[[FloatArray], FloatArray] | Activation) -> Activation:
    """The activation that ``spec`` names, or a Python callable as one.

    Examples
    --------
    >>> activation("relu").lipschitz
    1.0
    """
    if isinstance(spec, Activation):
        return spec
    if callable(spec):
        return Activation(getattr(spec, "__name__", "callable"), spec, float("nan"))
    known = {
        "sign": Activation("sign", _sign, float("inf"), pieces=2),
        "hard-tanh": Activation("hard-tanh", _hard_tanh, 1.0, pieces=3, order=1),
        "relu": Activation("relu", _relu, 1.0, pieces=2, order=1),
        "tanh": Activation("tanh", np.tanh, 1.0),
        "sigmoid": Activation("sigmoid", _sigmoid, 0.25),
    }
    return known[choose("activation", spec, list(known))]


@dataclass(frozen=True)
class Layer:
    """One dense layer.

    Parameters
    ----------
    inputs, outputs : int
        Widths n_{l-1} and n_l.
    code : WeightCode
        Code of the weights.
    bias_code : WeightCode or None
        Code of the thresholds; None for a layer without.
    activation : Activation or None
        None for the output layer.
    pieces, order, placement : optional
        Of the spline; None takes the activation's own defaults.
    resolution : int, optional
        Lattice values per unit of activation; None takes 4 (order 0) or the scale (order 1).
    scale : int, optional
        The activation reads z / scale; None takes max|z| / sqrt(inputs), a typical size of z.
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

    @property
    def bits_per_neuron(self) -> int:
        """Binary variables of one neuron's weights and threshold."""
        return self.inputs * self.code.bits + (self.bias_code.bits if self.bias_code else 0)

    @property
    def num_bits(self) -> int:
        """Binary variables of the layer's weights and thresholds."""
        return self.outputs * self.bits_per_neuron

    @property
    def stored_bits(self) -> int:
        """Bits that the layer's weights and thresholds take once they are trained."""
        threshold = self.bias_code.stored_bits if self.bias_code else 0
        return self.outputs * (self.inputs * self.code.stored_bits + threshold)

    def place(self, lo: int, hi: int) -> Spline:
        """The layer's spline for pre-activations in [lo, hi]."""
        act = self.activation
        assert act is not None
        if act.name == "sign":
            return splines.sign()
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
        """The scale of the activation's argument for pre-activations in [lo, hi]."""
        return self.scale or max(1, round(max(abs(lo), abs(hi)) / self.inputs**0.5))


@dataclass(frozen=True)
class Weights:
    """Trained weights: integer levels, thresholds, and the activation tables they go with.

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
    """A dense network of integer lattices; see :meth:`dense`.

    Examples
    --------
    >>> net = Network.dense([16, 4, 1], activation="sign", weights="bipolar", bias=False)
    >>> net.num_weight_bits
    68
    """

    layers: tuple[Layer, ...]
    _cache: dict[str, object] = field(default_factory=dict, repr=False, compare=False)

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
        """A dense network.

        Parameters
        ----------
        widths : sequence of int
            Inputs, hidden widths, outputs.
        activation : str, callable or Activation
            Of the hidden layers.
        weights : str or WeightCode
            Code of the weights.
        bias : bool, str or WeightCode
            No thresholds, thresholds in the weights' code, or in a code of their own.
        pieces, order, placement, resolution, scale
            Of the hidden layers' splines, see :class:`Layer`.

        Raises
        ------
        InvalidInputError
            For widths that are not positive integers, fewer than two of them, or unknown names.
        """
        widths = list(widths)
        whole = all(isinstance(w, (int, np.integer)) and not isinstance(w, bool) for w in widths)
        if len(widths) < 2 or not whole or min(widths) < 1:
            raise InvalidInputError(
                f"widths {widths!r}: expected two or more positive integers, "
                "inputs first and outputs last, such as [16, 4, 1]"
            )
        if max(widths) > WIDEST:
            raise InvalidInputError(f"widths {widths!r}: expected at most {WIDEST:,} units a layer")
        for name, value in (("pieces", pieces), ("resolution", resolution), ("scale", scale)):
            if value is not None and (not isinstance(value, (int, np.integer)) or value < 1):
                raise InvalidInputError(f"{name}={value!r}: expected a positive integer or None")
        if order not in (None, 0, 1):
            raise InvalidInputError(f"order={order!r}: expected 0, 1 or None")
        choose("placement", placement, splines.PLACEMENTS)
        act = _resolve_activation(activation)
        weight_code = code(weights)
        bias_code = (
            (weight_code if bias is True else None) if isinstance(bias, bool) else code(bias)
        )
        hidden = Layer(
            1, 1, weight_code, bias_code, act, pieces, order, placement, resolution, scale
        )
        layers = [replace(hidden, inputs=int(n), outputs=int(m)) for n, m in pairwise(widths)]
        layers[-1] = replace(layers[-1], activation=None)
        return cls(tuple(layers))

    # -- shape ------------------------------------------------------------------------------------

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of inputs, hidden layers and outputs."""
        return (self.layers[0].inputs, *(layer.outputs for layer in self.layers))

    @property
    def num_outputs(self) -> int:
        """Number of outputs: 1 for two classes, C for C."""
        return self.layers[-1].outputs

    @property
    def num_weights(self) -> int:
        """Number of weights, thresholds not counted."""
        return sum(layer.inputs * layer.outputs for layer in self.layers)

    @property
    def num_weight_bits(self) -> int:
        """Binary variables of all weights and thresholds: what is trained."""
        return sum(layer.num_bits for layer in self.layers)

    @property
    def stored_bits(self) -> int:
        """Bits of all weights and thresholds once they are trained: what is kept.

        A codebook of L values is trained with L bits a weight, and kept with the bits of a number
        below L; every other code keeps the bits that it is trained with.
        """
        return sum(layer.stored_bits for layer in self.layers)

    @property
    def bits_per_weight(self) -> float:
        """Stored bits of weights and thresholds over the number of weights.

        Thresholds count among the bits and not among the weights, so that they are not free.

        Examples
        --------
        >>> Network.dense([196, 64, 10], bias=True).bits_per_weight
        1.005...
        """
        return self.stored_bits / self.num_weights

    def bit_offsets(self) -> list[int]:
        """First weight bit of each layer, and the total.

        The canonical order of the weight bits is layer, neuron, input (the threshold last), bit.
        """
        return list(accumulate((layer.num_bits for layer in self.layers), initial=0))

    # -- bits <-> levels --------------------------------------------------------------------------

    def decode_bits(self, bits: npt.ArrayLike, splines: tuple[Spline, ...]) -> Weights:
        """Weights of a bit vector, shape (num_weight_bits,), canonical order."""
        bits = np.asarray(bits)
        offsets = self.bit_offsets()
        matrices, biases = [], []
        for layer, start, stop in zip(self.layers, offsets[:-1], offsets[1:], strict=True):
            block = bits[start:stop].reshape(layer.outputs, layer.bits_per_neuron)
            split = layer.inputs * layer.code.bits
            words = block[:, :split].reshape(layer.outputs, layer.inputs, layer.code.bits)
            matrices.append(layer.code.decode(words))
            biases.append(layer.bias_code.decode(block[:, split:]) if layer.bias_code else None)
        return Weights(tuple(matrices), tuple(biases), splines)

    def encode_bits(self, weights: Weights) -> BitArray:
        """Bit vector of weights, shape (num_weight_bits,), canonical order.

        Raises
        ------
        InvalidInputError
            If a shape or a level does not fit the network.
        """
        blocks = []
        for number, layer in enumerate(self.layers, start=1):
            matrix, bias = weights.matrices[number - 1], weights.biases[number - 1]
            if np.shape(matrix) != (layer.outputs, layer.inputs) or (bias is None) != (
                layer.bias_code is None
            ):
                raise InvalidInputError(
                    f"weights of layer {number}: expected a matrix of shape "
                    f"{(layer.outputs, layer.inputs)} with{'' if layer.bias_code else 'out'} "
                    f"thresholds, got shape {np.shape(matrix)}"
                )
            words = [layer.code.encode(matrix).reshape(layer.outputs, -1)]
            if layer.bias_code and bias is not None:
                words.append(layer.bias_code.encode(bias))
            blocks.append(np.concatenate(words, axis=1).ravel())
        return np.concatenate(blocks).astype(np.int8)

    # -- forward pass -----------------------------------------------------------------------------

    def units(self, splines: tuple[Spline, ...]) -> list[int]:
        """Lattice value of an activation of 1 at the input of each layer."""
        return [1, *(max(1, round(1 / s.step)) for s in splines)]

    def out_step(self, splines: tuple[Spline, ...]) -> float:
        """Real value of one lattice step of the output."""
        layer = self.layers[-1]
        return layer.code.step * (splines[-1].step if splines else 1.0)

    def pre_activations(self, weights: Weights, X: npt.ArrayLike) -> list[IntArray]:
        """Integer pre-activations z_l of every layer, each of shape (N, n_l)."""
        a = np.asarray(X, dtype=np.float64)
        units = self.units(weights.splines)
        result = []
        for number, (matrix, bias) in enumerate(zip(weights.matrices, weights.biases, strict=True)):
            z = a @ matrix.T.astype(np.float64)  # exact: integers below 2^53, and BLAS is fast
            if bias is not None:
                z = z + units[number] * bias
            result.append(z.astype(np.int64))
            if number < len(weights.splines):
                a = weights.splines[number].units(result[-1])
        return result

    def forward(self, weights: Weights, X: npt.ArrayLike) -> FloatArray:
        """Outputs, shape (N, outputs)."""
        z = self.pre_activations(weights, X)[-1]
        return np.asarray(z * self.out_step(weights.splines), dtype=np.float64)

    def predict(self, weights: Weights, X: npt.ArrayLike) -> IntArray:
        """Classes: -1 or +1 from one output (the sign rule), the index of the largest otherwise.

        Parameters
        ----------
        weights : Weights
            From a result or from ``TrainingProblem.decode``.
        X : array of int, shape (N, inputs)
            Inputs on the integer lattice that the network was trained on.
        """
        X = np.asarray(X)
        if X.ndim != 2 or X.shape[1] != self.widths[0]:
            raise InvalidInputError(
                f"X of shape {X.shape}: expected (N, {self.widths[0]}), one row per sample"
            )
        out = self.forward(weights, X)
        if self.num_outputs == 1:
            return np.where(out[:, 0] >= 0, 1, -1)
        return np.asarray(np.argmax(out, axis=1))


_resolve_activation = activation
