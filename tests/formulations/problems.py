"""Random tiny training problems: every code, activation, order, placement, loss and depth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from formulations.network.ties import Ties


def wave(z: np.ndarray) -> np.ndarray:
    """An activation of the user's own, neither monotone nor odd."""
    return np.sin(2.0 * z) + 0.3 * z


def steep(margin: np.ndarray) -> np.ndarray:
    """A loss of the user's own."""
    return np.exp(-0.5 * margin)


CODES = ["bipolar", "ternary", "uniform:2", "codebook:-1,2", "codebook:-1,0.5,1"]
ACTIVATIONS = ["sign", "hard-tanh", "relu", "tanh", "sigmoid", wave]
LOSSES = ["hinge", "hinge:2.5", "zero-one", "squared", "logistic", steep]
CLIPS = ["relu:1", "relu:2", "hard-tanh:1", "hard-tanh:2"]
JOINT = ["multi-hinge", "multi-hinge:1", "multi-hinge:2.5", "hinge:auto", "squared:auto"]
ENCODINGS = [None, "twos-complement", "one-hot", "threshold"]


@st.composite
def networks(draw: st.DrawFn, max_bits: int = 8, integers: bool = False) -> Network:
    """Networks of one to three layers with few weight bits.

    With ``integers`` those of clip-and-shift activations, integer thresholds and more outputs.
    """
    depth = draw(st.integers(1, 3))
    widths = [draw(st.integers(1, 3 - integers))]
    widths += [draw(st.integers(1, 2)) for _ in range(depth - 1)]
    widths += [draw(st.sampled_from([1, 2, 3] if integers else [1, 1, 1, 2]))]
    biases = ["integer:2", "integer:3"] if integers else [True, "bipolar", "uniform:2"]
    network = Network.dense(
        widths,
        activation=draw(st.sampled_from([*CLIPS, *ACTIVATIONS] if integers else ACTIVATIONS)),
        weights=draw(st.sampled_from(CODES[:1] if integers else CODES)),
        bias=draw(st.sampled_from([False, False, *biases])),
        pieces=draw(st.sampled_from([None, 2, 3, 4])),
        order=draw(st.sampled_from([None, 0, 1])),
        placement=draw(st.sampled_from(["minimax", "uniform", "power-of-two"])),
        resolution=draw(st.sampled_from([None, 1, 2, 3])),
        scale=draw(st.sampled_from([None, None, 2])),
    )
    assume(network.num_weight_bits <= max_bits)
    return network


@st.composite
def tied_networks(draw: st.DrawFn, max_bits: int = 8) -> Network:
    """Networks whose weights are shared or fixed: convolutions, poolings, and ties of any kind."""
    bias = draw(st.sampled_from([False, True, "integer:2"]))
    code = draw(st.sampled_from(CODES))
    if draw(st.booleans()):
        pool = draw(st.sampled_from(["pool:max:2", "pool:majority:2", "conv:1:2", "conv:2:1:1"]))
        hidden = [draw(st.sampled_from(["conv:1:2", "conv:2:1", "conv:1:3:2:1"])), pool][
            : draw(st.integers(1, 2))
        ]
        network = Network.conv((1, 3), hidden, 1, "sign", code, bias)
    else:
        dense = draw(networks(3 * max_bits))
        layers = []
        for layer in dense.layers:
            shape = (layer.outputs, layer.inputs + 1)
            cells = st.integers(-1, 2)
            owner = np.array(draw(st.lists(cells, min_size=shape[0] * shape[1], max_size=99)))
            owner = owner[: shape[0] * shape[1]].reshape(shape)
            owner[:, -1] += 10 * (owner[:, -1] >= 0)  # thresholds apart from weights
            if layer.bias_code is None:
                owner[:, -1] = -1
            numbers = Ties.numbered(owner)
            levels = np.where(numbers < 0, draw(st.integers(-2, 2)), 0)
            if layer.bias_code is None:
                levels[:, -1] = 0
            layers.append(replace(layer, ties=Ties(numbers, levels)))
        network = Network(tuple(layers))
    assume(0 < network.num_weight_bits <= max_bits)
    return network


@st.composite
def problems(
    draw: st.DrawFn,
    max_bits: int = 8,
    max_samples: int = 2,
    integers: bool = False,
    tied: bool = False,
) -> TrainingProblem:
    """Training problems small enough to enumerate; with ``integers`` also of joint losses."""
    network = draw(tied_networks(max_bits) if tied else networks(max_bits, integers))
    samples = draw(st.integers(1, max_samples))
    width = network.widths[0]
    values = st.lists(st.integers(-3, 3), min_size=width, max_size=width)
    X = draw(st.lists(values, min_size=samples, max_size=samples))
    outputs = network.num_outputs
    label = st.sampled_from([-1, 1]) if outputs == 1 else st.integers(0, outputs - 1)
    y = draw(st.lists(label, min_size=samples, max_size=samples))
    loss = draw(st.sampled_from([*JOINT, *LOSSES] if integers else LOSSES))
    pieces, order = draw(st.integers(1, 4)), draw(st.sampled_from([0, 1]))
    try:
        return TrainingProblem(network, X, y, loss=loss, loss_pieces=pieces, loss_order=order)
    except InvalidInputError:
        assume(loss is not steep)  # beyond exact numbers where outputs are large
        raise


def all_bits(problem: TrainingProblem) -> np.ndarray:
    """Every admissible vector of the free weight bits, shape (R, num_free_bits)."""
    n = problem.num_free_bits
    bits = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.int8)
    return bits[(problem.repair_bits(bits) == bits).all(axis=1)]
