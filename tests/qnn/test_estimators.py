"""Estimators: scikit-learn's own checks, its tools, and what they promise beyond them."""

from __future__ import annotations

import logging
import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import qnn
from formulations import QnnError, TrainingProblem
from qnn import QNNClassifier, QNNRegressor
from solvers import (
    QCGD,
    LargeNeighborhoodSearch,
    RandomFeatures,
    Result,
    StraightThrough,
)
from solvers.oracles import Annealer

QUICK = StraightThrough(epochs=20, restarts=1)
SEARCH = LargeNeighborhoodSearch(rounds=40)
THOROUGH = LargeNeighborhoodSearch(rounds=2000)
SMALL = {"hidden": (2,), "activation": "sign", "weights": ("bipolar", True), "loss": "hinge"}
"""A network that a search is done with at once."""


class Unseeded:
    def solve(self, problem: TrainingProblem) -> Result:
        return QUICK.solve(problem)


BATCHES = "gradients see a sample that is repeated as several, in batches of their own"
EXPECTED = dict.fromkeys(("check_sample_weight_equivalence_on_dense_data",), BATCHES)


@parametrize_with_checks(
    [
        QNNClassifier(solver=QUICK),
        QNNRegressor(solver=QUICK),
        QNNClassifier(**{**SMALL, "hidden": (8,)}, levels=8, solver=THOROUGH),
    ],
    expected_failed_checks=lambda e: EXPECTED if e.solver is QUICK else {},
)
def test_sklearns_own_checks(estimator: BaseEstimator, check: object) -> None:
    check(estimator)


@pytest.fixture(scope="module")
def cancer() -> tuple[np.ndarray, np.ndarray]:
    return load_breast_cancer(return_X_y=True)


def test_pipeline_grid_and_parallel_scores(cancer: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = cancer
    network = make_pipeline(StandardScaler(), QNNClassifier(solver=QUICK))
    grid = {
        "qnnclassifier__hidden": [(2,), (4,)],
        "qnnclassifier__solver": [QUICK, RandomFeatures(draws=3)],
    }
    search = GridSearchCV(network, grid, cv=2, n_jobs=2).fit(X, y)
    assert search.best_score_ > 0.9
    assert (cross_val_score(network, X, y, cv=2, n_jobs=2) > 0.88).all()


def test_parameters_of_the_solver_are_searched_too(cancer: tuple[np.ndarray, np.ndarray]) -> None:
    classifier = QNNClassifier(**SMALL, solver=SEARCH)
    search = GridSearchCV(classifier, {"solver__rounds": [1, 40]}, cv=2).fit(*cancer)
    assert search.best_estimator_.solver.rounds == search.best_params_["solver__rounds"]
    assert classifier.solver is SEARCH
    assert clone(classifier).get_params()["solver__rounds"] == SEARCH.rounds
    with pytest.raises(ValueError, match="Did you mean 'rounds'"):
        classifier.set_params(solver__round=3)


def test_the_promised_line(cancer: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = cancer
    solver = QCGD(Annealer(reads=2, sweeps=10), iterations=3)
    classifier = qnn.QNNClassifier(**SMALL, levels=2, solver=solver).fit(X[:60], y[:60])
    assert classifier.score(X, y) > 0.5
    assert 1 <= classifier.result_.ledger.calls <= 3
    assert solver == QCGD(solver.oracle, iterations=3)


def test_labels_of_any_kind_and_frames() -> None:
    X, y = load_iris(return_X_y=True, as_frame=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    classifier = QNNClassifier(solver=QUICK).fit(X, names)
    assert classifier.feature_names_in_.tolist() == X.columns.tolist()
    assert set(classifier.predict(X)) <= set(names)
    assert isinstance(X, pd.DataFrame)
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(again.predict(X), classifier.predict(X))


def test_bits_are_counted_with_all_that_is_stored() -> None:
    X, y = load_iris(return_X_y=True)
    classifier = QNNClassifier(hidden=(8,), weights=("bipolar", True), solver=QUICK).fit(X, y)
    weights = 4 * 8 + 8 * 3
    thresholds = 8 + 3
    assert classifier.bits_per_weight_ == pytest.approx((weights + thresholds) / weights)


def test_weights_of_samples_are_repetitions(cancer: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = cancer[0][:80], cancer[1][:80]
    counts = np.arange(80) % 3
    weighted = QNNClassifier(solver=QUICK).fit(X, y, sample_weight=counts)
    repeated = QNNClassifier(solver=QUICK).fit(np.repeat(X, counts, axis=0), np.repeat(y, counts))
    np.testing.assert_array_equal(weighted.predict(X), repeated.predict(X))
    halves = QNNClassifier(solver=QUICK).fit(X, y, sample_weight=0.5 * counts)
    assert halves.score(X, y) > 0.8


def test_training_goes_on_from_the_weights_as_they_are(
    cancer: tuple[np.ndarray, np.ndarray],
) -> None:
    X, y = cancer
    classifier = QNNClassifier(**SMALL, solver=SEARCH)
    losses = [classifier.partial_fit(X, y).result_.loss for _ in range(4)]
    assert losses == sorted(losses, reverse=True)
    cold = clone(classifier)
    assert cold.fit(X, y).fit(X, y).result_.loss == losses[0]
    thresholds = classifier.thresholds_
    classifier.partial_fit(X[y == 0][:50], y[y == 0][:50])  # one class alone will do
    assert classifier.thresholds_ is thresholds
    assert classifier.n_features_in_ == X.shape[1]
    with pytest.raises(QnnError, match="y has the class 2: expected those of the first call"):
        classifier.partial_fit(X[:50], y[:50] + 1)


def test_batches_of_the_first_call_need_not_have_every_class() -> None:
    X, y = load_iris(return_X_y=True)
    classifier = QNNClassifier(hidden=(8,), time_limit=2.0)
    classifier.partial_fit(X[::2][:50], y[::2][:50], classes=[0, 1, 2])
    assert classifier.classes_.tolist() == [0, 1, 2]
    assert classifier.predict_proba(X).shape == (150, 3)
    assert classifier.partial_fit(X, y).score(X, y) > 0.9


def test_what_training_finds_is_shown_if_asked(
    cancer: tuple[np.ndarray, np.ndarray],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # those of pytest
    QNNClassifier(**SMALL, solver=QUICK, verbose=1).fit(*cancer)
    said = capsys.readouterr().err
    assert "qnn.estimator: training 30-2-1" in said
    assert "solvers.run.run: " in said


def test_old_options_work_for_one_more_release(cancer: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = cancer
    with pytest.warns(DeprecationWarning, match="partial_fit"):
        classifier = QNNClassifier(**SMALL, solver=SEARCH, warm_start=True)
    losses = [classifier.fit(X, y).result_.loss for _ in range(3)]
    assert losses == sorted(losses, reverse=True)
    with pytest.warns(DeprecationWarning, match=r"a pair, \('bipolar', False\)"):
        bare = clone(QNNRegressor(weights="bipolar", bias=False))
    assert bare.weights == ("bipolar", False)
    for name, value in {"bias": True, "warm_start": False, "calibrate": True}.items():
        with pytest.warns(DeprecationWarning, match=f"{name} is deprecated"):
            bare.set_params(**{name: value})
    assert bare.weights == ("bipolar", True)
    with pytest.warns(DeprecationWarning, match=r"use rate=\.\.\."):
        bare.set_params(solver=QUICK, solver__rates=0.5)
    assert bare.solver == StraightThrough(epochs=20, restarts=1, rate=0.5)


def test_random_state_seeds_the_solver(cancer: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = cancer
    bits = [
        QNNClassifier(solver=QUICK, random_state=seed).fit(X, y).result_.bits for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(bits[0], bits[1])
    assert not np.array_equal(bits[0], bits[2])


def test_probabilities_agree(cancer: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = cancer
    classifier = QNNClassifier(solver=QUICK).fit(X[:300], y[:300])
    p = classifier.predict_proba(X)
    np.testing.assert_array_equal(classifier.classes_[p.argmax(axis=1)], classifier.predict(X))
    assert log_loss(y[:300], p[:300]) < 0.3
    outside = CalibratedClassifierCV(QNNClassifier(solver=QUICK), cv=2).fit(X[:300], y[:300])
    assert log_loss(y[300:], outside.predict_proba(X[300:])) < 0.5


def test_a_regressor_beats_the_mean() -> None:
    X, y = load_diabetes(return_X_y=True)
    regressor = QNNRegressor(solver=StraightThrough(epochs=60, restarts=1)).fit(X[:300], y[:300])
    assert regressor.score(X[300:], y[300:]) > 0.2
    constant = QNNRegressor(solver=QUICK).fit(X[:40], np.full(40, 7.0))
    np.testing.assert_allclose(constant.predict(X[:5]), 7.0)


@pytest.mark.parametrize(
    ("options", "data", "message"),
    [
        ({"levels": None}, (np.array([[0.5], [1.0]]), [0, 1]), "not an integer"),
        ({}, (np.array([[0.5], [1.0]]), [1, 1]), "1 class"),
        ({"random_state": 1, "solver": Unseeded()}, (np.eye(2), [0, 1]), "takes no 'seed'"),
        ({"solver": object()}, (np.eye(2), [0, 1]), r"expected an object with solve\(...\)"),
        ({"activation": "sgn"}, (np.eye(2), [0, 1]), "Did you mean 'sign'"),
    ],
)
def test_refused(options: dict, data: tuple, message: str) -> None:
    with pytest.raises(QnnError, match=message):
        QNNClassifier(**options).fit(*data)


def test_going_on_needs_a_solver_that_takes_a_start() -> None:
    assert hasattr(QNNClassifier(), "partial_fit")
    assert not hasattr(QNNClassifier(solver=RandomFeatures(draws=2)), "partial_fit")


@pytest.mark.parametrize("bits", [150, 2_000, 20_000])
def test_a_budget_of_bits_is_kept(cancer: tuple[np.ndarray, np.ndarray], bits: int) -> None:
    X, y = cancer
    classifier = QNNClassifier(bits=bits, solver=QUICK).fit(X, y)
    assert 0.7 * bits <= classifier.network_.stored_bits <= bits
    assert classifier.score(X, y) > 0.85


def test_weights_of_classes_are_weights_of_samples(cancer: tuple[np.ndarray, np.ndarray]) -> None:
    X, y = cancer[0][:100], cancer[1][:100]
    by_class = QNNClassifier(solver=QUICK, class_weight={0: 1, 1: 2}).fit(X, y)
    by_sample = QNNClassifier(solver=QUICK).fit(X, y, sample_weight=np.where(y == 1, 2, 1))
    np.testing.assert_array_equal(by_class.predict(X), by_sample.predict(X))
    assert QNNClassifier(solver=QUICK, class_weight="balanced").fit(X, y).score(X, y) > 0.85


def test_an_old_keyword_warns() -> None:
    with pytest.warns(DeprecationWarning, match="calibrate"):
        QNNClassifier(calibrate=True)


def test_digits_are_read_as_they_are() -> None:
    X, y = load_digits(return_X_y=True)
    classifier = QNNClassifier(random_state=0, time_limit=10).fit(X[:1200], y[:1200])
    assert classifier.score(X[1200:], y[1200:]) > 0.9
