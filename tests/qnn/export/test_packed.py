"""The packed file, written and read back: as small as it says, and exact."""

from __future__ import annotations

import numpy as np
import pytest

from qnn.export import pack, unpack
from tests.qnn.export.networks import KINDS, random_inputs, random_model


@pytest.mark.parametrize(("activation", "weights", "bias"), KINDS)
def test_the_reader_agrees_with_the_network(
    activation: str, weights: str, bias: bool | str
) -> None:
    number = KINDS.index((activation, weights, bias))
    outputs, levels = 1 + number % 3, (2, 3, 8, None)[number % 4]
    model = random_model((19, 9, 6, outputs), activation, weights, bias, levels)
    X = random_inputs(model)
    packed = unpack(pack(model))
    expected = model.network.pre_activations(model.weights, X)[-1]
    assert np.array_equal(packed.outputs(X), expected)
    assert np.array_equal(packed.scores(X), model.network.forward(model.weights, X))
    assert np.array_equal(packed.labels(X), model.labels(X))


def test_the_file_is_as_small_as_its_bits() -> None:
    for bias in (False, True):
        for weights in ("bipolar", "ternary", "uniform:4"):
            model = random_model((196, 64, 10), "sign", weights, bias)
            claimed = model.network.stored_bits / 8
            assert claimed <= len(pack(model)) <= 1.05 * claimed
