"""Levels of inputs, from raw columns to exported programs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.datasets import load_digits, load_iris, load_wine

from formulations.errors import InvalidInputError
from qnn import QNNClassifier, QNNRegressor
from qnn.cli.main import cli
from qnn.data.datasets import load
from qnn.data.images import pool
from qnn.data.levels import level_thresholds, on_levels
from qnn.data.warped import warped
from qnn.export import TrainedModel, export
from solvers import StraightThrough
from tests.qnn.export.compiler import CC

BRIEF = StraightThrough(epochs=20)


def checked(model: TrainedModel, folder: Path) -> None:
    """Every form that reads raw numbers equals the forward pass on 1,000 of them."""
    forms = {"packed": "p", "onnx": "o", "c": "c", "embedded": "e"}
    found = export(model, **{name: folder / path for name, path in forms.items()}, raw=True)
    assert len(found) == len(forms)
    for form in found:
        assert form.checked == (1000 if CC or not form.form.endswith("C") else None), form


@pytest.mark.parametrize("levels", ["thermometer:4", "even:8", "scaled:8", 5])
def test_raw_columns_go_in_whatever_the_levels(tmp_path: Path, levels: int | str) -> None:
    X, y = load_wine(return_X_y=True)
    classifier = QNNClassifier((6,), levels=levels, solver=BRIEF).fit(X, y)
    model = TrainedModel.of(classifier)
    assert model.num_raw == 13
    assert model.predict(X).tolist() == classifier.predict(X).astype(str).tolist()
    model.save(tmp_path / "net")
    assert TrainedModel.of(tmp_path / "net").predict(X).tolist() == model.predict(X).tolist()
    checked(model, tmp_path)


def test_raw_pixels_go_in_as_sixteen_levels(tmp_path: Path) -> None:
    X, y = load_digits(return_X_y=True)
    classifier = QNNClassifier((8,), levels="even:16", solver=BRIEF).fit(X, y)
    model = TrainedModel.of(classifier)
    assert len(np.unique(model.thresholds, axis=1).T) == 1  # one set of thresholds for all pixels
    assert model.predict(X).tolist() == classifier.predict(X).astype(str).tolist()
    checked(model, tmp_path)


def test_a_regression_reads_a_thermometer(tmp_path: Path) -> None:
    X = np.random.default_rng(0).uniform(size=(200, 2))
    regressor = QNNRegressor((4,), levels="thermometer:6", solver=BRIEF).fit(X, X[:, 0])
    model = TrainedModel.of(regressor)
    assert np.array_equal(model.predict(X), regressor.predict(X))
    assert model.network.widths[0] == 12
    checked(model, tmp_path)


def test_a_run_from_the_command_line_keeps_its_thermometer(tmp_path: Path) -> None:
    words = "train iris --samples 90 --hidden 4 --solver annealing --levels thermometer:3 --json -"
    ran = CliRunner().invoke(cli, [*words.split(), "--save", str(tmp_path / "net.npz")])
    assert ran.exit_code == 0, ran.output
    record = json.loads(ran.stdout)
    data = load("iris", samples=90, levels="thermometer:3")
    assert record["widths"][0] == data.num_inputs == 12
    model = TrainedModel.of(tmp_path / "net.npz")
    assert np.mean(model.labels(data.X_test) == data.y_test) == record["test_accuracy"]
    assert model.predict(load_iris().data).shape == (150,)


def test_a_thermometer_says_how_many_thresholds_a_value_is_above() -> None:
    X = np.random.default_rng(0).normal(size=(300, 2))
    found = on_levels(X, level_thresholds(X, "thermometer:5"))
    assert found.shape == (300, 10)
    above = (found > 0).reshape(300, 2, 5)
    assert (np.diff(above.astype(int), axis=2) <= 0).all()  # lowest threshold first
    assert above.sum(axis=2).tolist() == ((on_levels(X, level_thresholds(X, 6)) + 5) // 2).tolist()


def test_scaled_levels_do_not_depend_on_units() -> None:
    X = np.random.default_rng(0).normal(size=(300, 2)) * [1.0, 1000.0] + [0.0, 1e5]
    found = on_levels(X, level_thresholds(X, "scaled:5"))
    z = (X - X.mean(axis=0)) / X.std(axis=0)
    assert found.tolist() == np.clip(np.ceil(z + 2.5) - 3, -2, 2).astype(int).tolist()


@pytest.mark.parametrize(
    "levels",
    [
        0,
        1,
        1.5,
        "",
        "odd:3",
        "even:1",
        "scaled:1",
        "thermometer",
        "thermometer:0",
        "thermometer:256",
    ],
)
def test_other_levels_are_refused_before_any_work(levels: object) -> None:
    with pytest.raises(InvalidInputError, match="levels"):
        load("iris", levels=levels)  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match="levels"):
        QNNClassifier(levels=levels).fit([[0.0], [1.0]], [0, 1])  # type: ignore[arg-type]


def test_pooled_images_have_no_thermometer() -> None:
    with pytest.raises(InvalidInputError, match="thermometer"):
        load("digits", inputs=16, levels="thermometer:3")


def test_blocks_in_the_middle_leave_out_an_even_border() -> None:
    images = np.zeros((1, 28, 28))
    images[0, 2:4, 2:4] = 1
    images[0, :2] = 9
    assert pool(images.reshape(1, -1), (28, 28), 144)[0, :2].tolist() == [4, 0]
    with pytest.raises(InvalidInputError, match="144, 169, 196, 576"):
        pool(images.reshape(1, -1), (28, 28), 81)


def test_images_that_are_not_warped_are_the_images() -> None:
    X = np.random.default_rng(0).integers(0, 256, (300, 784), dtype=np.uint8)
    for inputs in (144, 196, 784):
        pooled = pool(X, (28, 28), inputs)
        thresholds = level_thresholds(pooled, "even:16")
        rng = np.random.default_rng(0)
        same = warped(X.reshape(-1, 28, 28), thresholds, rng, shift=0, turn=0, stretch=0)
        assert np.array_equal(same, on_levels(pooled, thresholds))
