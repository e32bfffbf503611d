"""Layers of networks described by words such as ``conv:8:3x3:2``, ``pool:max:2x2`` and 32.

=========================================== ==================================================
``conv:FILTERS:SIZE[:STRIDE[:PADDING]]``    a convolution; each filter has one threshold
``pool:max:SIZE[:STRIDE]``                  maximum of sign units
``pool:majority:SIZE[:STRIDE]``             sign of the sum of sign units
``pool:mean:SIZE[:STRIDE]``                 shifted sum of units with several levels
``WIDTH``                                   a dense layer
=========================================== ==================================================

SIZE, STRIDE and PADDING are ``3x3`` for height and width, or ``3`` for both; signals take one
number.  The default stride is 1, and for poolings the size of the window.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import isqrt
from typing import Literal

import numpy as np

from formulations.arrays import FloatArray
from formulations.checks import WIDEST, check_several, check_whole, shown
from formulations.errors import InvalidInputError
from formulations.network.activations import Activation, activation, is_sign
from formulations.network.codes import AUTO, WeightCode, bipolar, code, integer
from formulations.network.layer import Layer
from formulations.network.splines import Placement
from formulations.network.ties import Ties, Window

FORMS = "conv:FILTERS:SIZE[:STRIDE[:PADDING]], pool:KIND:SIZE[:STRIDE], or a width"

Part = int | str


def hidden_layer(
    act: str | Callable[[FloatArray], FloatArray] | Activation,
    weights: str | WeightCode,
    bias: bool | str | WeightCode,
    pieces: int | None = None,
    order: Literal[0, 1] | None = None,
    placement: Placement = "minimax",
    resolution: int | None = None,
    scale: int | None = None,
) -> Layer:
    """Make a layer of one input and one unit with the codes and activation of hidden layers."""
    weight_code, bias_code = code(weights), None
    if not isinstance(bias, bool):
        bias_code = AUTO if isinstance(bias, str) and bias == "auto" else code(bias)
    elif bias:
        bias_code = weight_code
    pieces, resolution, scale = (
        None if value is None else check_whole(name, value)
        for name, value in (("pieces", pieces), ("resolution", resolution), ("scale", scale))
    )
    return Layer(
        1, 1, weight_code, bias_code, activation(act), pieces, order, placement, resolution, scale
    )


def parse(part: str, shape: tuple[int, int, int]) -> Window:
    """Parse the window of a convolution or pooling on images of (channels, height, width).

    Examples
    --------
    >>> window = parse("conv:8:3x3:2", (1, 28, 28))
    >>> window.units, window.num_taps, str(window)
    ((8, 13, 13), 9, 'conv:8:3x3:2x2')
    >>> parse("conv:4:5", (2, 1, 100)).units
    (4, 1, 96)
    """
    kind, *fields = part.split(":")
    if kind not in ("conv", "pool") or not 2 <= len(fields) <= (4 if kind == "conv" else 3):
        raise InvalidInputError(f"layer {shown(part)}: expected {FORMS}")
    size, *others = (
        _pair(part, field, shape[1], default)
        for field, default in zip(fields[1:], (1, 1, 0), strict=False)
    )
    if kind == "conv":
        stride, padding = (*others, *((1, 1), (0, 0))[len(others) :])
        filters = _number(part, fields[0])
        return Window(shape, filters, size, stride, padding)
    if fields[0] not in ("max", "majority", "mean"):
        raise InvalidInputError(f"layer {shown(part)}: expected a pooling by max, majority, mean")
    most = size[0] * size[1] - 1 if fields[0] == "max" else 0
    channels = shape[0]
    return Window(shape, channels, size, others[0] if others else size, (0, 0), channels, most)


def _number(part: str, word: str) -> int:
    if not (word.isascii() and word.isdigit()):
        raise InvalidInputError(f"{shown(word)} in the layer {shown(part)}: expected {FORMS}")
    return check_whole(f"a number in the layer {part!r}", int(word), 0, WIDEST)


def _pair(part: str, field: str, height: int, down: int) -> tuple[int, int]:
    """Parse height and width; one number for a signal, whose height is 1, is the width."""
    words = [_number(part, word) for word in field.split("x")]
    if len(words) > 2:
        raise InvalidInputError(f"{shown(field)} in the layer {shown(part)}: expected {FORMS}")
    return words[0] if len(words) == 2 or height > 1 else down, words[-1]


def image_shape(inputs: int) -> tuple[int, ...]:
    """Return the shape of inputs: square images for a square number of them, else signals.

    Examples
    --------
    >>> image_shape(784), image_shape(13)
    ((1, 28, 28), (1, 13))
    """
    side = isqrt(inputs)
    return (1, side, side) if side * side == inputs else (1, inputs)


def check_parts(hidden: object) -> list[Part]:
    """Check hidden layers, given as words and widths.

    Raises
    ------
    InvalidInputError
        Naming the first invalid part.
    """
    parts: list[Part] = []
    for part in check_several("hidden", hidden, "layers", empty=True):
        if isinstance(part, str) and part.isascii() and part.isdigit():
            part = (
                int(part) if len(part) < 19 else 10**19
            )  # a number too long is wider than any layer
        if not isinstance(part, str):
            part = check_whole("width of a hidden layer", part, 1, WIDEST)
        elif part.split(":")[0] not in ("conv", "pool"):
            raise InvalidInputError(f"layer {shown(part)}: expected {FORMS}")
        parts.append(part)
    return parts


def conv_layers(shape: Sequence[int], hidden: Sequence[Part], hidden_layer: Layer) -> list[Layer]:
    """Make the hidden layers, each for the shape of the units below.

    Parameters
    ----------
    shape : (int, int, int), (int, int) or (int,)
        Channels, height and width of images; channels and length of signals; or inputs.
    hidden : sequence of int or str
    hidden_layer : Layer
        Codes and activation of the hidden layers.
    """
    sides = tuple(check_whole("shape", side, 1, WIDEST) for side in shape)
    if len(sides) not in (1, 2, 3):
        raise InvalidInputError(
            f"shape={shown(shape)}: expected (channels, height, width), or (channels, length)"
        )
    height = sides[1] if len(sides) == 3 else 1
    at = (sides[0], height, sides[-1] if len(sides) > 1 else 1)
    layers: list[Layer] = []
    for part in check_parts(hidden):
        inputs = int(np.prod(at))
        if isinstance(part, int):
            layers.append(replace(hidden_layer, inputs=inputs, outputs=part))
            at = (part, 1, 1)
            continue
        window = parse(part, at)
        outputs = int(np.prod(window.units))
        if window.pooled is None:
            ties = Ties.of_window(window, thresholds=hidden_layer.bias_code is not None)
            layers.append(replace(hidden_layer, inputs=inputs, outputs=outputs, ties=ties))
        else:
            below = layers[-1] if layers else None
            layers.append(_pooling(part, window, inputs, outputs, below))
        at = window.units
    return layers


def _pooling(part: str, window: Window, inputs: int, outputs: int, below: Layer | None) -> Layer:
    """Make a pooling layer, whose weights are fixed at +1 and whose threshold is fixed."""
    act, kind = below.activation if below else None, part.split(":")[1]
    if (
        act is None
        or is_sign(act) != (kind != "mean")
        or (kind == "mean" and below and not below.clip)
    ):
        wanted = "relu:BITS or hard-tanh:BITS" if kind == "mean" else "sign"
        raise InvalidInputError(
            f"layer {shown(part)} after {act.name if act else 'the inputs'}: expected it after "
            f"units of the activation {wanted}; take a stride, or pool by another rule"
        )
    size, clip = window.num_taps, below.clip if below else None
    scale = None if clip is None else 2 ** round(np.log2(size * clip.gain))
    code = integer(size.bit_length() + 1)
    return Layer(inputs, outputs, bipolar(), code, act, scale=scale, ties=Ties.of_window(window))


def describe(layers: Sequence[Layer]) -> str:
    """Describe layers by their widths, and by the shapes of images for convolutions.

    Examples
    --------
    >>> layer = hidden_layer("sign", "bipolar", False)
    >>> describe(conv_layers((1, 8, 8), ["conv:2:3", 4], layer))
    '1x8x8, conv:2:3x3 to 2x6x6, 4'
    """
    windows = [layer.ties.window if layer.ties else None for layer in layers]
    widths = [layers[0].inputs, *(layer.outputs for layer in layers)]
    if not any(windows):
        return "-".join(map(str, widths))
    said = [str(widths[0]) if windows[0] is None else "x".join(map(str, windows[0].shape))]
    for layer, window in zip(layers, windows, strict=True):
        said.append(str(layer.outputs))
        if window is not None:
            words = str(window).replace("majority", "mean" if layer.clip else "majority")
            said[-1] = f"{words} to {'x'.join(map(str, window.units))}"
    return ", ".join(said)
