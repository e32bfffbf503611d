"""ONNX by onnxruntime, and QONNX by its own executor, give what the network gives."""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pytest

from formulations.errors import InvalidInputError, MissingExtraError
from qnn.export import to_onnx, to_qonnx
from qnn.export.onnx_graph import IR_VERSION
from qnn.export.verify import check_onnx, inputs_for
from tests.qnn.export.networks import KINDS, drawn_model, random_inputs, random_model

onnxruntime = pytest.importorskip("onnxruntime", reason="needs the extra onnx")


def by_onnxruntime(proto: object, X: np.ndarray) -> tuple[np.ndarray, ...]:
    session = onnxruntime.InferenceSession(proto.SerializeToString())
    return tuple(session.run(None, {"inputs": X.astype(np.float32)}))


@pytest.fixture(autouse=True)
def _version_that_onnxruntime_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """QONNX's executor makes a model of each node, of the newest version that onnx knows."""
    monkeypatch.setattr("onnx.IR_VERSION", IR_VERSION)


def by_qonnx(proto: object, X: np.ndarray) -> tuple[np.ndarray, ...]:
    from qonnx.core.modelwrapper import ModelWrapper
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.transformation.infer_shapes import InferShapes

    model = ModelWrapper(proto)
    model.set_tensor_shape("inputs", list(X.shape))
    found = execute_onnx(model.transform(InferShapes()), {"inputs": X.astype(np.float32)})
    return tuple(found[name] for name in ("scores", "label") if name in found)


@pytest.mark.parametrize(("activation", "weights", "bias"), KINDS)
def test_onnx_is_exact(activation: str, weights: str, bias: bool | str) -> None:
    for outputs, levels in ((1, 2), (4, 5)):
        model = random_model((19, 9, 6, outputs), activation, weights, bias, levels)
        X = random_inputs(model)
        scores, label = by_onnxruntime(to_onnx(model), X)
        assert np.array_equal(scores, model.network.forward(model.weights, X))
        assert np.array_equal(label, model.labels(X))


@pytest.mark.parametrize(("activation", "weights", "bias"), KINDS[::3])
def test_qonnx_is_exact(activation: str, weights: str, bias: bool | str) -> None:
    for outputs in (1, 4):
        model = random_model((19, 9, 6, outputs), activation, weights, bias)
        X = random_inputs(model)
        scores, label = by_qonnx(to_qonnx(model), X)
        assert np.array_equal(scores, model.network.forward(model.weights, X))
        assert np.array_equal(label, model.labels(X))


def test_qonnx_takes_raw_inputs() -> None:
    model = random_model((7, 4, 3), "tanh", "ternary", levels=5)
    X = inputs_for(model, raw=True)
    scores, label = by_qonnx(to_qonnx(model, raw=True), X)
    inputs = model.on_lattice(X)
    assert np.array_equal(scores, model.scores(inputs))
    assert np.array_equal(label, model.labels(inputs))


def test_the_extra_is_named_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(MissingExtraError, match=r"qnn-ising\[onnx\]"):
        to_onnx(random_model((3, 2, 1)))


def test_what_single_precision_cannot_hold_is_refused() -> None:
    model = random_model((3, 2, 1), levels=None)
    with pytest.raises(InvalidInputError, match=r"layer 1 can reach .* exact below 16,777,216"):
        to_onnx(replace(model, span=(0, 2**24, 1)))
    assert to_onnx(replace(model, span=(0, 2**21, 1)))


@pytest.mark.parametrize("seed", range(30))
def test_raw_inputs_of_every_kind_of_network(seed: int) -> None:
    model = drawn_model(seed)
    for raw in (False, True):
        assert check_onnx(model, to_onnx(model, raw=raw), raw=raw) == 1000


@pytest.mark.parametrize("outputs", [1, 3])
def test_weights_of_six_bits_without_hidden_layer(outputs: int) -> None:
    model = random_model((13, outputs), weights="uniform:6", bias="integer:15", levels=64)
    for raw in (False, True):
        assert check_onnx(model, to_onnx(model, raw=raw), raw=raw) == 1000


@pytest.mark.parametrize("seed", [0, 2, 3, 4, 8, 13, 17])
def test_qonnx_of_every_kind_of_network(seed: int) -> None:
    model = drawn_model(seed)
    X = inputs_for(model, raw=True)
    scores, label = by_qonnx(to_qonnx(model, raw=True), X)
    assert np.array_equal(scores, model.scores(model.on_lattice(X)))
    assert np.array_equal(label, model.labels(model.on_lattice(X)))
