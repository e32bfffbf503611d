"""``qnn predict`` and ``qnn test`` on saved networks."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LinearRegression
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support, r2_score

from formulations.errors import InvalidInputError
from qnn import QNNRegressor
from qnn.export import TrainedModel
from qnn.runs.scoring import class_figures, labelled, regression_figures, unlabelled
from solvers import WeightAnnealing
from tests.qnn.export.networks import random_model
from tests.qnn.export.test_trained import qnn

SPLIT = ["--samples", "60"]
QUICK = [*SPLIT, "--hidden", "3", "--levels", "4", "--solver", "annealing"]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network for pooled images of digits, and beside it the record of its training."""
    path = tmp_path_factory.mktemp("net") / "net.npz"
    record = qnn("train", "digits", "--inputs", "16", *QUICK, "--save", path, "--json", "-")
    path.with_suffix(".json").write_text(record)
    return path


def test_test_finds_the_accuracy_of_the_training_run_again(net: Path) -> None:
    record = json.loads(net.with_suffix(".json").read_text())
    found = json.loads(qnn("test", net, "digits", *SPLIT, "--json", "-"))
    assert found["accuracy"] == record["test_accuracy"]
    assert found["samples"] == record["test_samples"] == 1737
    shown = qnn("test", net, "digits", *SPLIT)
    assert f"{found['accuracy']:.4g}" in shown
    assert "precision" in shown


def test_raw_pixels_go_in_with_labels_or_without(net: Path, tmp_path: Path) -> None:
    X, y = load_digits(return_X_y=True)
    np.savetxt(tmp_path / "X.csv", X, fmt="%d", delimiter=",")
    np.savetxt(tmp_path / "both.csv", np.column_stack([X, y]), fmt="%d", delimiter=",")
    np.savez(tmp_path / "X.npz", X=X)
    expected = TrainedModel.of(net).predict(X).tolist()
    for data in (tmp_path / "X.csv", tmp_path / "both.csv", tmp_path / "X.npz", "digits"):
        assert qnn("predict", net, data).split() == expected
    found = json.loads(qnn("predict", net, "digits:3,8", "--json", "-"))
    assert found["predictions"] == np.array(expected)[(y == 3) | (y == 8)].tolist()
    assert np.argmax(found["outputs"], axis=1).astype(str).tolist() == found["predictions"]
    found = json.loads(qnn("test", net, tmp_path / "both.csv", "--json", "-"))
    assert found["correct"] == np.sum(np.array(expected) == y.astype(str))


def test_figures_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    true, predicted = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    found = class_figures(true, predicted, ["a", "b", "c", "d"])
    assert found["confusion"] == confusion_matrix(true, predicted).tolist()
    expected = precision_recall_fscore_support(true, predicted)
    for row, name in enumerate(["precision", "recall", "f1", "samples"]):
        assert np.allclose([figure[name] for figure in found["per_class"]], expected[row])
    assert class_figures(true[:0], true[:0], ["a", "b"])["accuracy"] is None
    y = rng.normal(size=50)
    assert regression_figures(y, y + 0.5)["r2"] == pytest.approx(r2_score(y, y + 0.5))
    assert regression_figures(y[:1], y[:1])["r2"] is None


def test_a_regression_is_tested_by_its_errors(tmp_path: Path) -> None:
    X = np.linspace(-1, 1, 60)[:, None]
    y = LinearRegression().fit(X, X[:, 0]).predict(X)
    solver = WeightAnnealing(flips=2000)
    TrainedModel.of(QNNRegressor(hidden=(3,), solver=solver).fit(X, y)).save(tmp_path / "net.npz")
    np.savetxt(tmp_path / "data.csv", np.column_stack([X, y]), delimiter=",")
    found = json.loads(qnn("test", tmp_path / "net.npz", tmp_path / "data.csv", "--json", "-"))
    assert found["r2"] > 0
    numbers = qnn("predict", tmp_path / "net.npz", tmp_path / "data.csv").split()
    assert len(list(map(float, numbers))) == 60


def test_what_does_not_fit_the_network_is_refused_by_name(net: Path, tmp_path: Path) -> None:
    model = TrainedModel.of(net)
    with pytest.raises(InvalidInputError, match="iris has 4 columns: the network takes 64"):
        labelled("iris", model.columns, model.names)
    with pytest.raises(InvalidInputError, match="iris has 4 columns: the network takes 64"):
        unlabelled("iris", model.columns)
    few = random_model((64, 3, 3), levels=4)
    with pytest.raises(InvalidInputError, match="digits has classes 3, 4, .* does not know"):
        labelled("digits", few.columns, few.names)
    assert len(labelled("digits:0,1,2", few.columns, few.names)[0]) == 537
    with pytest.raises(InvalidInputError, match="no sample of digits is left"):
        labelled("digits", model.columns, model.names, samples=1797)


def test_a_network_file_without_its_pooling_takes_images_all_the_same(net: Path) -> None:
    from dataclasses import replace

    model = TrainedModel.of(net)
    old = replace(model, image=None)
    assert np.array_equal(
        old.predict(unlabelled("digits", old.columns)),
        model.predict(unlabelled("digits", model.columns)),
    )
