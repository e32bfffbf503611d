"""The packed file, written and read back: as small as it says, and exact."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qnn.export import pack, unpack
from qnn.export.verify import check_packed
from tests.qnn.export.networks import KINDS, drawn_model, random_inputs, random_model

FIXTURES = Path(__file__).parents[2] / "fixtures"


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


@pytest.mark.parametrize("seed", range(60))
def test_raw_inputs_of_every_kind_of_network(seed: int) -> None:
    model = drawn_model(seed)
    for raw in (False, True):
        data = pack(model, raw=raw)
        assert check_packed(model, data, raw=raw) == 1000
        if model.raw_span is not None and raw:
            assert data[4] == 2
            assert unpack(data).thresholds.dtype.itemsize < 4 or model.raw_span[0] < -32768


def test_thresholds_of_pixels_take_a_byte_each() -> None:
    model = random_model((196, 2, 10), levels=16)
    equal = np.linspace(0, 255, 17)[1:-1, None] * np.ones(196)
    pixels = replace(model, thresholds=equal, raw_span=(0, 255))
    sizes = [len(pack(m, raw=True)) - len(pack(m)) for m in (model, pixels)]
    assert sizes == [1 + 4 * 15 * 196, 1 + 6 + 15]


def test_whole_raw_numbers_that_are_not_whole_are_refused() -> None:
    packed = unpack(pack(drawn_model(1), raw=True))
    with pytest.raises(ValueError, match="expected whole numbers"):
        packed.on_lattice(np.full((1, packed.layers[0].weights.shape[1]), 0.5))
    with pytest.raises(ValueError, match="expected raw numbers of shape"):
        packed.on_lattice(np.zeros((1, 3)))


def test_packed_files_of_version_1_stay_readable() -> None:
    packed = unpack((FIXTURES / "packed-v1.qnnp").read_bytes())
    X = np.array([[0, 0, 0, 0, 0], [1, -1, 2, -2, 0.5], [-9, 9, -9, 9, 0.1]])
    found = packed.outputs(packed.on_lattice(X)).tolist()
    assert found == [[31, 11, 30], [25, 13, 22], [33, 3, 24]]
    assert packed.names == ["a", "b", "ç"]


def test_packed_files_of_version_2_stay_readable() -> None:
    packed = unpack((FIXTURES / "packed-v2.qnnp").read_bytes())
    ramp = np.arange(96)
    X = np.array([ramp * 37 % 256, 0 * ramp, 0 * ramp + 255, 2 * ramp, 2 * ramp[::-1]])
    assert packed.outputs(packed.on_lattice(X)).ravel().tolist() == [17, 27, 27, 17, 17]
    assert (packed.image, packed.thresholds.dtype) == ((12, 8), np.int16)
