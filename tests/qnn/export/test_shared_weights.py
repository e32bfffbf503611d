"""Convolutions, poolings and other ties in every exported form: the network's answers, exactly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.network.network import Weights
from formulations.network.ties import Ties
from qnn.export import TrainedModel, pack
from qnn.export.c_source import c_contents
from qnn.export.embedded import embedded_contents
from qnn.export.onnx_graph import to_onnx, to_qonnx
from qnn.export.verify import check_c, check_onnx, check_packed

CASES = [
    ((1, 6, 8), ["conv:3:3x3:2"], 3, "sign", "bipolar", False),
    ((2, 6, 6), ["conv:4:3x3:1:1", "pool:max:2", 5], 3, "sign", "bipolar", "auto"),
    ((1, 8, 8), ["conv:3:3:2:1", "conv:4:2", 4], 1, "relu:4", "bipolar", "auto"),
    ((1, 7, 7), ["conv:2:2", "pool:majority:2x3:1"], 2, "sign", "ternary", True),
    ((2, 20), ["conv:3:5:2", "pool:mean:2"], 3, "relu:3", "uniform:2", "auto"),
    ((1, 5, 5), ["conv:2:3x2"], 2, "hard-tanh:2", "codebook:-4,-1,1,4", "integer:6"),
]


def trained(case: int) -> TrainedModel:
    """A network of random weights."""
    shape, hidden, outputs, activation, weights, bias = CASES[case]
    rng = np.random.default_rng(case)
    network = Network.conv(shape, hidden, outputs, activation, weights, bias)
    X = 2 * rng.integers(0, 4, (50, network.widths[0])) - 3
    y = rng.integers(0, outputs, 50) if outputs > 1 else rng.choice([-1, 1], 50)
    problem = TrainingProblem(network, X, y)
    bits = problem.repair_bits(rng.integers(0, 2, (1, problem.num_free_bits)))[0]
    thresholds = np.linspace(0, 255, 5)[1:-1, None] * np.ones(network.widths[0])
    return TrainedModel(
        problem.network, problem.weights_from_bits(bits), thresholds, raw_span=(0, 255)
    )


def tied() -> TrainedModel:
    """A dense network of bipolar weights with ties, and with zeros that no bit stands for."""
    network = Network.dense([6, 4, 2], bias="integer:4")
    rng = np.random.default_rng(0)
    layers = []
    for layer in network.layers:
        owner = rng.integers(-1, 5, (layer.outputs, layer.inputs + 1))
        owner[:, -1] += 10 * (owner[:, -1] >= 0)
        numbers = Ties.numbered(owner)
        levels = np.where(numbers < 0, rng.integers(-2, 3, numbers.shape), 0)
        layers.append(replace(layer, ties=Ties(numbers, levels)))
    network = Network(tuple(layers))
    problem = TrainingProblem(network, rng.choice([-1, 1], (20, 6)), rng.integers(0, 2, 20))
    bits = rng.integers(0, 2, network.num_weight_bits)
    return TrainedModel(network, network.decode_bits(bits, problem.splines), span=(-1, 1, 2))


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("case", range(len(CASES)))
def test_every_form_answers_as_the_network_does(case: int, raw: bool) -> None:
    model = trained(case)
    data = pack(model, raw=raw)
    assert check_packed(model, data, raw=raw) == 1000
    pytest.importorskip("onnx")
    assert check_onnx(model, to_onnx(model, raw=raw), raw=raw) in (1000, None)
    to_qonnx(model, raw=raw)
    assert check_c(model, c_contents(data, "c"), raw=raw) in (1000, None)
    assert check_c(model, embedded_contents(model, "c", raw=raw)[0], raw=raw) in (1000, None)


def test_other_ties_are_written_out() -> None:
    model = tied()
    data = pack(model)
    assert check_packed(model, data) == 1000
    assert check_c(model, c_contents(data, "c")) in (1000, None)
    assert check_c(model, embedded_contents(model, "c")[0]) in (1000, None)


def test_a_packed_convolution_takes_the_bits_of_its_filters() -> None:
    network = Network.conv((1, 28, 28), ["conv:8:5x5:2", "pool:max:2"], 10, bias="integer:10")
    problem = TrainingProblem(network, np.ones((1, 784), dtype=int), [0])
    bits = np.zeros(network.num_weight_bits, dtype=np.int8)
    weights: Weights = network.decode_bits(bits, problem.splines)
    size = len(pack(TrainedModel(network, weights, span=(-15, 15, 2))))
    assert network.stored_bits / 8 < size < network.stored_bits / 8 + 150
