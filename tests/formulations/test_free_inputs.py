"""The model of a network with free inputs says exactly what the network does in a box."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from formulations import Network
from formulations.network.network import Weights
from formulations.neurons import ENCODINGS
from formulations.training.free_inputs import InputBox, box_bounds, input_model, rival

KINDS = [
    ("sign", "bipolar", False, 1),
    ("sign", "ternary", "integer:3", 2),
    ("relu:2", "uniform:2", "integer:2", 1),
    ("hard-tanh:2", "codebook:-1,0,2", True, 3),
    ("relu", "ternary", "integer:2", 1),
]


def network_and_box(seed: int, kind: int) -> tuple[Network, Weights, InputBox]:
    """A random network of one or two hidden layers, and a box of one of three kinds."""
    rng = np.random.default_rng([seed, kind])
    act, code, bias, outputs = KINDS[kind]
    columns, each = [(3, 1), (4, 1), (2, 3)][seed % 3]
    steps = rng.integers(1, 3, (columns, 1, 1)) * np.ones((columns, 3, each), dtype=np.int64)
    if seed % 3 == 1:  # gaps between levels
        steps = rng.integers(1, 4, (columns, 3, each))
    if each > 1:  # a thermometer code: one input rises at a time
        steps = 2 * np.broadcast_to(np.eye(3, dtype=np.int64), (columns, 3, 3)).copy()
    steps *= np.arange(3)[:, None] < rng.integers(0, 4, (columns, 1, 1))  # fewer levels
    low = np.where(each > 1, -1, rng.integers(-3, 2, (columns, 1, each)))
    values = np.cumsum(np.concatenate([low, steps], axis=1), axis=1)
    count = steps.any(axis=2).sum(axis=1)
    box = InputBox(values, rng.integers(0, count + 1))
    hidden = [3] if seed % 2 else [3, 2]
    X = np.concatenate([box.at(np.zeros(columns, np.int64))[None], box.at(count)[None]])
    net = Network.dense([columns * each, *hidden, outputs], act, code, bias).for_inputs(X)
    bits = rng.integers(0, 2, net.num_weight_bits)
    splines = tuple(layer.place(-30, 30) for layer in net.layers[:-1])
    for layer, start in zip(net.layers, net.bit_offsets(), strict=False):
        if layer.code.one_hot:
            for first in np.concatenate(layer.first_bits()):
                word = slice(start + first, start + first + layer.code.bits)
                bits[word] = np.eye(layer.code.bits)[rng.integers(layer.code.bits)]
    return net, net.decode_bits(bits, splines), box


def every_input(box: InputBox) -> np.ndarray:
    counts = np.diff(box.values, axis=1).any(axis=2).sum(axis=1)
    return box.at(np.array(list(product(*[range(c + 1) for c in counts]))))


@pytest.mark.parametrize("kind", range(len(KINDS)))
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("encoding", [None, *ENCODINGS])
def test_the_least_gap_of_the_model_is_that_of_all_inputs(seed, kind, encoding) -> None:
    cp_sat = pytest.importorskip("solvers.cp_sat")
    pytest.importorskip("ortools")
    net, weights, box = network_and_box(seed, kind)
    right, wrong = (1, -1) if net.num_outputs == 1 else (0, 1)
    row, greatest = rival(net, right, wrong)
    X = every_input(box)
    gaps = net.pre_activations(weights, X)[-1] @ row
    low, high = box_bounds(net, weights, box, row[None])[-1]
    assert low[0] <= gaps.min()
    assert gaps.max() <= high[0]
    if net.num_outputs < 3:
        is_wrong = net.predict(weights, X) == wrong
        assert np.array_equal(is_wrong, gaps <= greatest)
    model = input_model(net, weights, box, right, wrong, encoding=encoding, demand=False)
    found = cp_sat.solve_qcbo(model, workers=1)
    assert found.objective == gaps.min() == found.bound
    x = box.inputs(found.x[model.labels.of_kind("x")])
    assert (X == x).all(axis=1).any()
    assert net.pre_activations(weights, x[None])[-1] @ row == gaps.min()


@pytest.mark.parametrize("seed", range(6))
def test_words_spell_every_input_of_the_box_and_no_other(seed) -> None:
    _, _, box = network_and_box(seed, 0)
    column, _, rank = box.word
    bits = np.array(list(product([0, 1], repeat=len(column))), dtype=np.int8).reshape(
        -1, len(column)
    )
    later = np.flatnonzero(rank > 0)
    ordered = bits[(bits[:, later] <= bits[:, later - 1]).all(axis=1)]
    spelled = {tuple(x) for x in box.inputs(ordered).tolist()}
    assert spelled == {tuple(x) for x in every_input(box).tolist()}
