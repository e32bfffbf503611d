"""Conversion of a network's layers to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, fields
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
    packed: dict[str, Any] = {}
    if layer.ties is not None:  # a window, or the shape of the arrays that store the ties
        window = layer.ties.window
        packed["ties"] = list(layer.ties.numbers.shape) if window is None else asdict(window)
    packed |= {f.name: getattr(layer, f.name) for f in fields(layer) if f.name != "ties"}
    return packed | {
        "code": _pack_code(layer.code),
        "bias_code": layer.bias_code and _pack_code(layer.bias_code),
        "activation": act and act.name,
    }


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
    return asdict(code) | {
        "coefficients": [int(c) for c in code.coefficients],
        "offset": int(code.offset),
        "step": float(code.step),
    }


def _unpack_code(packed: dict[str, Any]) -> WeightCode:
    """Convert the JSON of :func:`_pack_code` back to a weight code."""
    return WeightCode(**packed | {"coefficients": tuple(packed["coefficients"])})
