"""Trained networks from files, runs and estimators, and what ``qnn export`` makes of them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.datasets import load_digits, load_iris

from formulations.errors import FileAccessError, InvalidInputError
from formulations.files.saved import load_weights
from qnn import QNNClassifier, QNNRegressor
from qnn.cli.main import cli
from qnn.export import TrainedModel, export, pack, to_onnx, unpack
from qnn.export.verify import check_onnx, check_packed
from solvers import WeightAnnealing
from tests.qnn.export.compiler import CC
from tests.qnn.export.networks import drawn_model, random_inputs, random_model

FIXTURES = Path(__file__).parents[2] / "fixtures"
QUICK = ["--samples", "60", "--hidden", "3", "--levels", "4", "--solver", "annealing"]


def same(one: TrainedModel, other: TrainedModel) -> bool:
    """Whether two models agree in everything that a user sees."""
    X = np.random.default_rng(0).normal(size=(100, one.num_inputs)) * 9
    return (
        one.network == other.network
        and one.names == other.names
        and one.span == other.span
        and one.predict(X).tolist() == other.predict(X).tolist()
    )


def qnn(*arguments: object) -> str:
    result = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_file_and_a_folder_of_one_run_hold_the_same_network(tmp_path: Path) -> None:
    from qnn.data.datasets import load

    kept = ["--save", tmp_path / "net.npz", "--checkpoint", tmp_path / "run"]
    record = json.loads(qnn("train", "iris", *QUICK, *kept, "--json", "-"))
    model = TrainedModel.of(tmp_path / "net.npz")
    assert same(model, TrainedModel.of(tmp_path / "run"))
    data = load("iris", samples=60, levels=4)
    assert np.mean(model.labels(data.X_test) == data.y_test) == record["test_accuracy"]
    raw, names = load_iris(return_X_y=True)
    assert np.mean(model.predict(raw) == names.astype(str)) > 0.5
    assert model.names == ("0", "1", "2")


def test_files_without_thresholds_stay_readable() -> None:
    old = TrainedModel.of(FIXTURES / "network-v1.npz")
    assert (old.thresholds, old.span, old.classes) == (None, None, ())
    assert old.scores([[1, 2, 3], [-3, 0, 4]]).tolist() == [[-2.0], [-4.0]]
    with pytest.raises(InvalidInputError, match=r"layer 2 .* no lattice"):  # written by hand
        pack(old)


def test_files_with_thresholds_and_classes_stay_readable() -> None:
    model = TrainedModel.of(FIXTURES / "network-v1-inputs.npz")
    assert model.thresholds is not None
    assert model.thresholds.tolist() == [[-0.5, 0.25, 1.5], [0.5, 0.75, 1e300]]
    assert (model.classes, model.span) == (("no", "yes"), (-1, 1, 1))
    assert model.predict([[-1, 0.5, 9], [1, 1, 2]]).tolist() == ["no", "yes"]
    assert load_weights(FIXTURES / "network-v1-inputs.npz")[0] == model.network


def test_a_fitted_classifier_gives_what_it_predicts(tmp_path: Path) -> None:
    X, y = load_iris(return_X_y=True)
    for labels in (y, y == 2):
        classifier = QNNClassifier(solver=WeightAnnealing(flips=2000)).fit(X, labels)
        model = TrainedModel.of(classifier)
        assert model.predict(X).tolist() == classifier.predict(X).astype(str).tolist()
        assert model.network.bits_per_weight == classifier.bits_per_weight_
        model.save(tmp_path / "net")
        assert same(model, TrainedModel.of(tmp_path / "net"))


def test_a_fitted_regressor_keeps_its_line(tmp_path: Path) -> None:
    X = np.linspace(-1, 1, 60)[:, None]
    regressor = QNNRegressor(hidden=(3,), solver=WeightAnnealing(flips=2000)).fit(X, 3 * X[:, 0])
    model = TrainedModel.of(regressor)
    assert np.array_equal(model.predict(X), regressor.predict(X))
    assert unpack(pack(model)).regression
    assert [out.name for out in to_onnx(model).graph.output] == ["scores"]
    export(model, packed=tmp_path / "p", onnx=tmp_path / "o", qonnx=tmp_path / "q", raw=True)
    found = export(model, c=tmp_path / "c", embedded=tmp_path / "e", raw=True)
    assert [form.checked for form in found if form.form.endswith("C")] == [1000 if CC else None] * 2
    model.save(tmp_path / "net")
    assert same(model, TrainedModel.of(tmp_path / "net"))


@pytest.mark.parametrize("levels", [2, 3, 8])
def test_raw_inputs_are_put_on_their_levels_exactly(levels: int) -> None:
    model = random_model((7, 4, 3), "tanh", levels=levels)
    assert check_packed(model, pack(model, raw=True), raw=True) == 1000
    assert check_onnx(model, to_onnx(model, raw=True), raw=True) in (1000, None)


def test_the_table_says_how_large_every_form_is(tmp_path: Path) -> None:
    random_model((196, 64, 10)).save(tmp_path / "net.npz")
    written = [f"--{form}={tmp_path / form}" for form in ("packed", "c", "onnx", "qonnx")]
    shown = qnn("export", tmp_path / "net.npz", *written)
    assert "13,258 bits for 13,184 weights, 1.006 a weight" in shown
    record = json.loads(qnn("export", tmp_path / "net.npz", *written, "--json", "-"))
    sizes = {size["form"]: size["bytes"] for size in record["sizes"]}
    assert sizes["packed"] == (tmp_path / "packed").stat().st_size < 1.05 * 13258 / 8
    assert sizes["ONNX"] == (tmp_path / "onnx").stat().st_size
    assert (sizes["as float32"], sizes["as int8"]) == (4 * 13258, 13258)
    assert {path.name for path in (tmp_path / "c").iterdir()} == {
        "qnn.h", "qnn.c", "reading.h", "main.c", "network.c",
    }  # fmt: skip


def test_what_cannot_be_exported_is_refused_by_name(tmp_path: Path) -> None:
    unknown = random_model((3, 2, 1))
    unknown = TrainedModel(unknown.network, unknown.weights)
    with pytest.raises(InvalidInputError, match=r"layer 1 can reach .* range of the inputs"):
        to_onnx(unknown)
    with pytest.raises(InvalidInputError, match="no thresholds"):
        pack(unknown, raw=True)
    with pytest.raises(InvalidInputError, match="fitted QNNClassifier"):
        TrainedModel.of(3)
    with pytest.raises(FileAccessError):
        TrainedModel.of(tmp_path / "nothing")
    with pytest.raises(FileAccessError, match="holds no run"):
        TrainedModel.of(tmp_path)
    model = random_model((3, 2, 1))
    with pytest.raises(InvalidInputError, match="2 class"):
        TrainedModel(model.network, model.weights, classes=("a", "b", "c"))
    with pytest.raises(ValueError, match="integers of shape"):
        unpack(pack(model)).outputs(random_inputs(model)[:, :2])


def test_a_file_keeps_what_raw_inputs_are(tmp_path: Path) -> None:
    for seed in range(5):
        model = drawn_model(seed)
        model.save(tmp_path / "net.npz")
        again = TrainedModel.of(tmp_path / "net.npz")
        for name in ("raw_span", "image", "repeat", "span", "num_raw"):
            assert getattr(again, name) == getattr(model, name)


@pytest.mark.filterwarnings("ignore:training accuracy")
def test_a_classifier_of_whole_numbers_keeps_thresholds_of_a_byte() -> None:
    X, y = load_digits(return_X_y=True)
    classifier = QNNClassifier((4,), loss="hinge", solver=WeightAnnealing(flips=200)).fit(X, y)
    model = TrainedModel.of(classifier)
    assert model.raw_span == (0, 16)
    data = pack(model, raw=True)
    assert unpack(data).thresholds.dtype == np.uint8
    assert check_packed(model, data, raw=True) == 1000


def test_raw_inputs_that_cannot_be_are_refused_by_name() -> None:
    model = random_model((16, 2, 1), levels=3)
    with pytest.raises(InvalidInputError, match=r"images of \(6, 8\) for 16 inputs"):
        replace(model, image=(6, 8))
    with pytest.raises(InvalidInputError, match="repeat=3 of 16 inputs"):
        replace(model, repeat=3)
    with pytest.raises(InvalidInputError, match="least raw number before"):
        replace(model, raw_span=(3, 2))
    with pytest.raises(InvalidInputError, match="name the range of the pixels"):
        pack(replace(model, image=(8, 8)), raw=True)
    with pytest.raises(InvalidInputError, match="1024 levels .* at most 256"):
        pack(random_model((3, 1), levels=1024), raw=True)
    with pytest.raises(InvalidInputError, match="raw inputs can reach 16,777,216"):
        to_onnx(replace(model, raw_span=(0, 2**24)), raw=True)
    with pytest.raises(InvalidInputError, match=r"expected \(N, 64\), the raw numbers"):
        replace(model, image=(8, 8), raw_span=(0, 255)).predict(np.zeros((2, 7)))
