"""Conversion of a network's layers to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from formulations.arrays import Array
from formulations.errors import InvalidInputError
from formulations.network import vocabulary
from formulations.network.activations import activation, is_named
from formulations.network.codes import WeightCode
from formulations.network.layer import Layer
from formulations.network.ties import Ties, Window


def pack_layer(layer: Layer, number: int) -> dict[str, Any]:
    """Convert a layer to JSON; the activation is stored by name."""
    act = layer.activation
    if act is not None and not is_named(act):
        raise InvalidInputError(
            f"layer {number} has a custom activation, {act.name!r}, which a file cannot store: "
            f"expected one of {', '.join(vocabulary.ACTIVATIONS)}; keep the network's "
            "description in your program and save the arrays of its weights"
        )
    return {
        **_pack_ties(layer),
        "inputs": layer.inputs,
        "outputs": layer.outputs,
        "code": _pack_code(layer.code),
        "bias_code": layer.bias_code and _pack_code(layer.bias_code),
        "activation": act and act.name,
        "pieces": layer.pieces,
        "order": layer.order,
        "placement": layer.placement,
        "resolution": layer.resolution,
        "scale": layer.scale,
    }


def _pack_ties(layer: Layer) -> dict[str, Any]:
    """Convert a window to JSON; other ties to the shape of the arrays that store them."""
    if layer.ties is None:
        return {}
    window = layer.ties.window
    return {"ties": list(layer.ties.numbers.shape) if window is None else asdict(window)}


def unpack_layer(packed: dict[str, Any], number: int, arrays: Mapping[str, Array]) -> Layer:
    """Convert the JSON of :func:`pack_layer` back to a layer."""
    tied = packed.get("ties")
    if isinstance(tied, dict):
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in tied.items()}
        window = Window(**given)
        packed = packed | {
            "ties": Ties.of_window(window, thresholds=packed["bias_code"] is not None)
        }
    elif tied is not None:
        packed = packed | {"ties": Ties(arrays[f"numbers.{number}"], arrays[f"levels.{number}"])}
    code, bias_code, act = packed["code"], packed["bias_code"], packed["activation"]
    return Layer(
        **packed
        | {
            "code": _unpack_code(code),
            "bias_code": bias_code and _unpack_code(bias_code),
            "activation": act and activation(act),
        }
    )


def _pack_code(code: WeightCode) -> dict[str, Any]:
    """Convert a weight code to JSON."""
    return {
        "name": code.name,
        "coefficients": [int(c) for c in code.coefficients],
        "offset": int(code.offset),
        "step": float(code.step),
        "one_hot": code.one_hot,
    }


def _unpack_code(packed: dict[str, Any]) -> WeightCode:
    """Convert the JSON of :func:`_pack_code` back to a weight code."""
    return WeightCode(**packed | {"coefficients": tuple(packed["coefficients"])})
