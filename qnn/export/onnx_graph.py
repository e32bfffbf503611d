"""ONNX and QONNX graphs that reproduce a trained network exactly.

All inner values are integers in single precision, which is exact below 2^24; a network that could
exceed this is refused.  Only the scores are in double precision, as in :meth:`Network.forward`.
"""

from __future__ import annotations

import json
from math import isqrt
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from formulations.arrays import IntArray
from formulations.errors import InvalidInputError
from formulations.extras import load_extra
from formulations.network.codes import WeightCode
from formulations.network.splines import Spline
from formulations.network.ties import Window
from qnn.export.parts import ClipShift, clip_of, stored_part, stored_thresholds
from qnn.export.reach import Reach, reaches
from qnn.export.trained import TrainedModel

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 17, 8
"""Versions of the standard operators and of the file format."""

QONNX_DOMAIN = "qonnx.custom_op.general"
EXACT = 2**24
"""Integers below this are exact in single precision."""


def to_onnx(model: TrainedModel, *, raw: bool = False) -> onnx.ModelProto:
    """Convert a trained network to an ONNX model.

    Its input is ``inputs``, float32 of shape (N, d); its outputs are ``scores``, float64 of shape
    (N, outputs), and, except for a regression, ``label``, int64 of shape (N,): the class number, 0
    or 1 for a single output.  The model's metadata hold the class names and the kind of inputs.

    Parameters
    ----------
    model : TrainedModel
    raw : bool
        True if inputs are raw numbers, which the graph puts on their levels, rather than integers
        of the lattice.

    Raises
    ------
    MissingExtraError
        Without the extra ``onnx``.
    InvalidInputError
        If single precision would be inexact, or raw inputs are requested without thresholds.

    Examples
    --------
    >>> from formulations import Network
    >>> from formulations.network.network import Weights
    >>> net, weights = Network.dense([2, 1]), Weights((np.array([[1, -1]]),), (None,), ())
    >>> graph = to_onnx(TrainedModel(net, weights, span=(-1, 1, 2))).graph
    >>> [node.op_type for node in graph.node]
    ['MatMul', 'GreaterOrEqual', 'Cast', 'Squeeze', 'Cast', 'Mul']
    """
    return _Graph(model, quantized=False).build(raw)


def to_qonnx(model: TrainedModel, *, raw: bool = False) -> onnx.ModelProto:
    """Convert to a QONNX model, whose nodes state the bits of weights and activations.

    Weights, thresholds and signs are ``BipolarQuant`` or ``Quant`` of the domain
    ``qonnx.custom_op.general``, and clips are a ``Quant`` that rounds down.  Other activations are
    standard operators followed by a ``Quant`` of their lattice.

    Raises
    ------
    MissingExtraError
        Without the extra ``onnx``.
    InvalidInputError
        As :func:`to_onnx`.

    Examples
    --------
    >>> from formulations import Network
    >>> from formulations.network.network import Weights
    >>> net, weights = Network.dense([2, 1]), Weights((np.array([[1, -1]]),), (None,), ())
    >>> graph = to_qonnx(TrainedModel(net, weights, span=(-1, 1, 2))).graph
    >>> graph.node[0].op_type, graph.node[0].domain
    ('BipolarQuant', 'qonnx.custom_op.general')
    """
    return _Graph(model, quantized=True).build(raw)


class _Graph:
    """Nodes and constants of a graph, added one after another."""

    def __init__(self, model: TrainedModel, quantized: bool) -> None:
        self.onnx = load_extra("onnx", "onnx", "export to ONNX")
        self.model, self.quantized = model, quantized
        self.limits = reaches(model)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(
        self, operator: str, *inputs: str, name: str = "", domain: str = "", **options: Any
    ) -> str:
        """Add a node with one output; return the output's name."""
        name = name or f"{operator}_{len(self.nodes)}"
        node = self.onnx.helper.make_node(operator, list(inputs), [name], domain=domain, **options)
        self.nodes.append(node)
        return name

    def constant(self, value: npt.ArrayLike, kind: type[np.generic] = np.float32) -> str:
        """Add a constant; return its name."""
        name = f"constant_{len(self.constants)}"
        array = np.asarray(value, dtype=kind)
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name

    # -- the network -------------------------------------------------------------------------------

    def build(self, raw: bool) -> onnx.ModelProto:
        network, weights = self.model.network, self.model.weights
        _check_exact(self.model, self.limits)
        if raw:
            _check_raw(self.model)
        units = network.bias_units(weights.splines)
        a = self.levels("inputs") if raw else "inputs"
        for number, layer in enumerate(network.layers):
            matrix, bias = weights.matrices[number], weights.biases[number]
            window = layer.ties.window if layer.ties else None
            code, bias_code, matrix, bias = stored_part(layer, matrix, bias)
            if window is None:
                z = self.add("MatMul", a, self.weight(code, matrix.T))
            else:
                z = self.convolution(a, code, window, matrix)
                bias = None if bias is None else bias[:, None]
            if bias_code is not None and bias is not None:
                threshold = self.weight(bias_code, bias)
                if units[number] != 1:
                    threshold = self.add("Mul", threshold, self.constant(units[number]))
                z = self.add("Add", z, threshold)
            if window is not None:
                z = self.add("Reshape", z, self.constant([-1, layer.outputs], np.int64))
            if number < len(weights.splines):
                a = self.activation(z, weights.splines[number], self.limits[number + 1])
        if self.model.line is None:
            self.label(z)
        self.scores(z)
        return self.proto(raw)

    def convolution(self, a: str, code: WeightCode, window: Window, filters: IntArray) -> str:
        """Compute window sums, shape (N, filters, places)."""
        shape = [window.filters, window.shape[0] // window.groups, *window.size]
        images = self.add("Reshape", a, self.constant([-1, *window.shape], np.int64))
        kernel = filters.reshape(shape)
        weights = self.weight(code, kernel) if window.pooled is None else self.constant(kernel)
        sums = self.add(
            "Conv",
            images,
            weights,
            group=window.groups,
            strides=list(window.stride),
            pads=[*window.padding, *window.padding],
        )
        return self.add("Reshape", sums, self.constant([0, window.filters, -1], np.int64))

    def levels(self, raw: str) -> str:
        """Put raw numbers on their levels: low + step #{thresholds < v}."""
        model, inputs = self.model, self.model.num_inputs
        thresholds = stored_thresholds(model)
        assert model.span is not None
        low, _, step = model.span
        if model.image is not None:
            raw = self.pooled(raw, *model.image)
        if model.repeat > 1:
            raw = self.add(
                "Gather", raw, self.constant(np.arange(inputs) // model.repeat, np.int64), axis=1
            )
        columns = self.add("Unsqueeze", raw, self.constant([1], np.int64))
        rows = self.constant(thresholds, thresholds.dtype.type)
        if thresholds.dtype.kind != "f":
            rows = self.add("Cast", rows, to=self.onnx.TensorProto.FLOAT)
        above = self.add("Greater", columns, rows)
        ones = self.add("Cast", above, to=self.onnx.TensorProto.FLOAT)
        count = self.add("ReduceSum", ones, self.constant([1], np.int64), keepdims=0)
        return self.add("Add", self.add("Mul", count, self.constant(step)), self.constant(low))

    def pooled(self, raw: str, height: int, width: int) -> str:
        """Pool images by sums over equal blocks."""
        k = isqrt(self.model.num_inputs)
        top, left = height % k // 2, width % k // 2
        if top or left:
            rows, columns = range(top, height - top), range(left, width - left)
            kept = [width * row + column for row in rows for column in columns]
            raw = self.add("Gather", raw, self.constant(kept, np.int64), axis=1)
        shape = [-1, k, height // k, k, width // k]
        blocks = self.add("Reshape", raw, self.constant(shape, np.int64))
        sums = self.add("ReduceSum", blocks, self.constant([2, 4], np.int64), keepdims=0)
        return self.add("Reshape", sums, self.constant([-1, k * k], np.int64))

    def weight(self, code: WeightCode, levels: npt.ArrayLike) -> str:
        """Add weights as a constant, quantised if the graph states bits."""
        constant = self.constant(levels)
        return self.quant_of(code, constant) if self.quantized else constant

    def activation(self, z: str, spline: Spline, values: Reach) -> str:
        """Add an activation: the sign, a clip and shift, or one line per piece."""
        if _is_sign(spline):
            if self.quantized:
                return self.add("BipolarQuant", z, self.constant(1), domain=QONNX_DOMAIN)
            positive = self.add("GreaterOrEqual", z, self.constant(0))
            return self.add("Where", positive, self.constant(1), self.constant(-1))
        clip = clip_of(spline)
        if clip is not None:
            value = self.clip(z, clip)
        else:
            value = self.piece(z, spline) if spline.num_pieces > 1 else self.line(z, spline)
        if not self.quantized:
            return value
        signed = values.low < 0
        size = max(values.high, -values.low - 1) if signed else values.high
        return self.quant(value, 1, 0, max(1, size.bit_length()) + signed, signed=signed)

    def clip(self, z: str, clip: ClipShift) -> str:
        """Add value + gain * clip(floor(z / 2^shift) - first, 0, pieces - 1), each step exact.

        If the bounds match a bit width, this is a ``Quant`` that rounds down, which hls4ml accepts.
        """
        bits, gain = (clip.pieces - 1).bit_length(), float(clip.gain)
        whole = clip.pieces == 1 << bits and clip.first in (0, -clip.pieces // 2)
        if self.quantized and whole:
            signed, gain = clip.first < 0, gain * 2.0**-clip.shift
            q = self.quant(z, 2.0**clip.shift, 0, bits, signed=signed, rounding="FLOOR")
        else:
            q = self.add("Floor", self.add("Mul", z, self.constant(2.0**-clip.shift)))
            ends = (self.constant(clip.first + end) for end in (0, clip.pieces - 1))
            q = self.add("Clip", q, *ends)
        scaled = self.add("Mul", q, self.constant(gain)) if gain != 1 else q
        offset = clip.value - clip.gain * clip.first
        return self.add("Add", scaled, self.constant(offset)) if offset else scaled

    def line(self, z: str, spline: Spline) -> str:
        """Add an activation of one piece."""
        scaled = self.add("Mul", z, self.constant(spline.slopes[0]))
        return self.add("Add", scaled, self.constant(spline.intercepts[0]))

    def piece(self, z: str, spline: Spline) -> str:
        """Add the line of z's piece, whose index is the number of breakpoints at or below z."""
        columns = self.add("Unsqueeze", z, self.constant([-1], np.int64))
        passed = self.add("GreaterOrEqual", columns, self.constant(spline.breakpoints))
        ones = self.add("Cast", passed, to=self.onnx.TensorProto.INT64)
        piece = self.add("ReduceSum", ones, self.constant([-1], np.int64), keepdims=0)
        value = self.add("Gather", self.constant(spline.intercepts), piece)
        if spline.order == 1:
            slope = self.add("Gather", self.constant(spline.slopes), piece)
            value = self.add("Add", self.add("Mul", slope, z), value)
        return value

    def label(self, z: str) -> None:
        """Add the class: the largest output's index, or the sign of a single output."""
        if self.model.network.num_outputs > 1:
            self.add("ArgMax", z, name="label", axis=1, keepdims=0)
            return
        positive = self.add("GreaterOrEqual", z, self.constant(0))
        number = self.add("Cast", positive, to=self.onnx.TensorProto.INT64)
        self.add("Squeeze", number, self.constant([1], np.int64), name="label")

    def scores(self, z: str) -> None:
        """Add the real outputs, in double precision."""
        wide = self.add("Cast", z, to=self.onnx.TensorProto.DOUBLE)
        scale = self.constant(self.model.scale, np.float64)
        if self.model.shift == 0:
            self.add("Mul", wide, scale, name="scores")
            return
        scaled = self.add("Mul", wide, scale)
        self.add("Add", scaled, self.constant(self.model.shift, np.float64), name="scores")

    # -- QONNX -------------------------------------------------------------------------------------

    def quant_of(self, code: WeightCode, levels: str) -> str:
        """Add the node that states a weight's levels: signs, or integers without a zero point.

        QONNX could state -3, -1, 1, 3 in two bits with a zero point of 1.5, but hls4ml drops it.
        """
        if code.is_integer:
            return self.quant(levels, 1, 0, code.bits, signed=True)
        if code.levels.tolist() == [-1, 1]:
            return self.add("BipolarQuant", levels, self.constant(1), domain=QONNX_DOMAIN)
        largest = int(np.abs(code.levels).max())
        return self.quant(levels, 1, 0, largest.bit_length() + 1, signed=True, narrow=True)

    def quant(
        self, x: str, scale: float, zero: float, bits: int, *, signed: bool, narrow: bool = False,
        rounding: str = "ROUND",
    ) -> str:  # fmt: skip
        """Add a ``Quant`` node."""
        parts = [self.constant(value) for value in (scale, zero, bits)]
        how: dict[str, Any] = {"signed": int(signed), "narrow": int(narrow)}
        return self.add("Quant", x, *parts, domain=QONNX_DOMAIN, rounding_mode=rounding, **how)

    # -- the file ----------------------------------------------------------------------------------

    def proto(self, raw: bool) -> onnx.ModelProto:
        """Return the checked model."""
        helper, kinds = self.onnx.helper, self.onnx.TensorProto
        tensor, outputs = helper.make_tensor_value_info, self.model.network.num_outputs
        results = [tensor("scores", kinds.DOUBLE, ["N", outputs])]
        if self.model.line is None:
            results.append(tensor("label", kinds.INT64, ["N"]))
        columns = self.model.num_raw if raw else self.model.num_inputs
        inputs = [tensor("inputs", kinds.FLOAT, ["N", columns])]
        graph = helper.make_graph(self.nodes, "qnn", inputs, results, self.constants)
        imports = [helper.make_opsetid("", OPSET)]
        if self.quantized:
            imports.append(helper.make_opsetid(QONNX_DOMAIN, 1))
        proto = helper.make_model(
            graph, opset_imports=imports, ir_version=IR_VERSION, producer_name="qnn-ising"
        )
        span = None if raw else self.model.span
        about = {"inputs": "raw" if raw else "levels", "span": span, "classes": self.model.names}
        helper.set_model_props(proto, {"qnn-ising": json.dumps(about)})
        self.onnx.checker.check_model(proto)
        return proto


def _is_sign(spline: Spline) -> bool:
    return not spline.order and (spline.breakpoints.tolist(), spline.intercepts.tolist()) == (
        [0],
        [-1, 1],
    )


def _check_exact(model: TrainedModel, limits: list[Reach]) -> None:
    """Refuse a network whose integers could exceed the exact range of single precision."""
    for number, reach in enumerate(limits, start=1):
        largest = reach.largest
        if number <= len(model.weights.splines):
            spline = model.weights.splines[number - 1]
            line = np.abs(spline.slopes).max() * max(-reach.z_low, reach.z_high)
            largest = max(largest, int(line + np.abs(spline.intercepts).max()))
        if largest >= EXACT:
            known = "" if model.span else "; the range of the inputs is not known: name it"
            raise InvalidInputError(
                f"layer {number} can reach {largest:,}, and single precision is exact below "
                f"{EXACT:,}: take fewer levels or a coarser activation, or a packed file{known}"
            )


def _check_raw(model: TrainedModel) -> None:
    """Refuse integer raw numbers whose sums could exceed the exact range of single precision."""
    if model.raw_span is not None:
        largest = max(map(abs, model.raw_span)) * max(1, model.num_raw // model.num_inputs)
        if largest >= EXACT:
            raise InvalidInputError(
                f"raw inputs can reach {largest:,}, and single precision is exact below {EXACT:,}: "
                "scale the columns before training, or write a packed file"
            )
