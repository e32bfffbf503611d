"""Estimators under odd parameters, data and weights; and what they say of a poor training."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError

from formulations import QnnError, TrainingProblem
from formulations.errors import InvalidInputError
from qnn import QNNClassifier, QNNRegressor
from qnn.fitting import repeated, warn_near_chance
from solvers import QCGD, LargeNeighborhoodSearch, Progress, Result, StraightThrough
from solvers.oracles import Annealer

QUICK = StraightThrough(epochs=5, restarts=1)
X = np.random.default_rng(0).normal(size=(24, 3))
Y = np.arange(24) % 2
ONES = np.ones(24)

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.just(2**70),
    st.floats(),
    st.text(max_size=5),
    st.binary(max_size=3),
    st.lists(st.one_of(st.integers(-1, 4), st.floats(), st.text(max_size=2)), max_size=3),
    st.sampled_from([object(), QCGD, LargeNeighborhoodSearch, Annealer(reads=1), {4}, 1j, np.nan]),
    st.sampled_from([np.int64(4), np.float32(2), np.array([4, 2]), np.array(3), "qcgd", (True,)]),
)


@pytest.mark.filterwarnings("ignore")
@given(
    name=st.sampled_from(sorted(QNNClassifier().get_params(deep=False))),
    value=ODD,
)
@settings(max_examples=80)
def test_odd_parameters_are_refused_by_name_or_work(name: str, value: Any) -> None:
    classifier = QNNClassifier(**{"solver": QUICK, name: value})
    try:
        classifier.fit(X, Y)
    except QnnError as error:
        message = str(error)
    else:
        assert classifier.predict(X).shape == Y.shape
        return
    assert name in message or name in ("weights", "bias", "loss", "activation")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("solver", "qcgd", r"solver='qcgd': expected an object with solve\(...\)"),
        ("solver", QCGD, r"solver=<class .*: expected an object with solve"),
        ("hidden", 0, r"hidden=0: expected positive widths"),
        ("hidden", (0,), r"hidden=\(0,\): expected positive widths"),
        ("hidden", "4", r"hidden='4': expected positive widths"),
        ("hidden", 4.5, r"hidden=4.5"),
        ("hidden", {4}, r"hidden=\{4\}"),
        ("levels", True, "levels=True: expected an integer from 2 to 1,024"),
        ("levels", 1.5, "levels=1.5"),
        ("levels", 0, "levels=0"),
        ("verbose", "yes", "verbose='yes': expected an integer of at least 0"),
        ("bits", 0, "bits=0: expected an integer"),
        ("bits", "4k", "bits='4k'"),
        ("random_state", True, "random_state=True"),
        ("random_state", -1, "random_state=-1"),
        ("time_limit", "5", "time_limit='5'"),
    ],
)
def test_refused_before_any_work(name: str, value: Any, words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        QNNClassifier(**{name: value}).fit(np.full((2, 2), np.nan), [0, 1])


@pytest.mark.parametrize(
    ("inputs", "labels", "weight"),
    [
        (X.astype("M8[s]"), Y, None),
        (pd.DataFrame({"day": pd.date_range("2026-01-01", periods=24)}), Y, None),
        (X.astype(str), Y, None),
        (np.full((24, 3), "a", object), Y, None),
        (X + 1j, Y, None),
        (np.where(X > 1, np.nan, X), Y, None),
        (np.where(X > 1, np.inf, X), Y, None),
        (X * 1e308, Y, None),
        (X[:, 0], Y, None),
        (X[:1], Y[:1], None),
        (X, ONES, None),
        (X, np.c_[Y, Y], None),
        (X, Y + 1j, None),
        (X, X[:, 0], None),
        (X, Y[:5], None),
        (X, Y, -ONES),
        (X, Y, ONES * np.nan),
        (X, Y, ONES * 0),
        (X, Y, np.ones(5)),
        (X, Y, np.ones((24, 2))),
        (X, Y, ["a"] * 24),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_odd_data_are_refused(inputs: Any, labels: Any, weight: Any) -> None:
    with pytest.raises(ValueError, match="."):
        QNNClassifier(solver=QUICK).fit(inputs, labels, sample_weight=weight)


def test_other_kinds_of_use_that_are_refused() -> None:
    classifier = QNNClassifier(solver=QUICK)
    for method in ("predict", "decision_function"):
        with pytest.raises(NotFittedError):
            getattr(classifier, method)(X)
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    classifier.fit(frame, Y)
    with pytest.raises(ValueError, match="[Ff]eature names"):
        classifier.predict(frame.iloc[:, :2])
    with pytest.raises(ValueError, match="feature names"):
        classifier.predict(frame.rename(columns={"c": "d"}))
    for name in ("hiden", "hidden__a", "solver__round"):
        with pytest.raises(InvalidInputError, match="unknown parameter of"):
            classifier.set_params(levels=2, **{name: 1})
        assert classifier.levels == "auto"
    assert QNNClassifier(solver=QCGD).get_params()["solver"] is QCGD
    assert classifier.set_params(solver=QUICK, solver__epochs=7).solver.epochs == 7


# -- weights of samples -----------------------------------------------------------


@given(
    st.lists(st.integers(0, 5), min_size=3, max_size=30).filter(any),
    st.sampled_from([1e-300, 0.25, 1.0, 777.7, 65_000.0, 1e300]),
)
def test_weights_are_proportions_whatever_their_unit(counts: list[int], unit: float) -> None:
    rows = np.arange(len(counts), dtype=float)[:, None]
    exact = repeated(counts, rows)[0].ravel()
    np.testing.assert_array_equal(exact, np.repeat(rows.ravel(), counts))
    found = np.bincount(
        repeated(np.multiply(counts, unit), rows)[0].ravel().astype(int), minlength=len(counts)
    )
    assert len(found) <= 17 * len(counts)
    assert ((found > 0) == (np.array(counts) > 0)).all()
    share = np.array(counts) / np.mean(counts)
    np.testing.assert_allclose(found / found.mean(), share, atol=0.25)


def test_weights_of_a_survey_are_no_repetitions() -> None:
    weight = 40_000 + 50_000 * np.random.default_rng(1).random(24).round(3)
    began = time.monotonic()
    for estimator in (QNNClassifier(solver=QUICK), QNNRegressor(solver=QUICK)):
        estimator.fit(X, Y, sample_weight=weight)
    assert time.monotonic() - began < 5
    many = np.zeros((150_000, 1))
    assert len(repeated(np.full(150_000, 70_000), many)[0]) <= 200_000


def test_one_heavy_sample_does_not_drive_out_the_others() -> None:
    weight = np.where(np.arange(24) == 0, 1e9, 1.0)
    classifier = QNNClassifier(solver=QUICK).fit(X, Y, sample_weight=weight)
    assert classifier.predict(X[:1])[0] == Y[0]
    assert set(classifier.classes_) == {0, 1}


# -- scales -----------------------------------------------------------


@pytest.mark.parametrize("scale", [2.0**-990, 2.0**-20, 2.0**600])
def test_a_regressor_knows_no_unit(scale: float) -> None:
    y = X[:, 0] + X[:, 1]
    plain = QNNRegressor(solver=QUICK).fit(X, y).predict(X)
    scaled = QNNRegressor(solver=QUICK).fit(X, y * scale).predict(X)
    np.testing.assert_allclose(scaled / scale, plain, rtol=1e-9)


def test_inputs_far_outside_are_told() -> None:
    classifier = QNNClassifier(solver=QUICK).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        classifier.predict(2 * X)
    with pytest.warns(UserWarning, match="1 of 1 samples are far outside .* outermost levels"):
        far = classifier.predict(np.full((1, 3), 1e300))
    assert far[0] == classifier.predict(np.full((1, 3), 5.0))[0]
    whole = QNNClassifier(solver=QUICK, levels=None).fit(np.rint(X), Y)
    with pytest.warns(UserWarning, match="used as is"):
        whole.predict(np.full((1, 3), 1000))
    with (
        pytest.warns(UserWarning, match="used as is"),
        pytest.raises(InvalidInputError, match="beyond 2\\^31"),
    ):
        whole.predict(np.full((1, 3), 1e30))


# -- poor training -----------------------------------------------------------


def test_digits_need_no_advice() -> None:
    X_digits, y_digits = load_digits(return_X_y=True)
    few = QNNClassifier(solver=QUICK).fit(X_digits, y_digits)
    assert few.score(X_digits, y_digits) > 0.8


def test_training_near_chance_is_told() -> None:
    X_digits, y_digits = load_digits(return_X_y=True)
    narrow = QNNClassifier(hidden=(1,), activation="sign", solver=QUICK)
    with pytest.warns(ConvergenceWarning, match="near chance: the commonest class alone has 10.2%"):
        narrow.fit(X_digits, y_digits)
    noise = np.random.default_rng(0).integers(0, 2, 400)
    with pytest.warns(ConvergenceWarning, match="near chance"):
        QNNClassifier(hidden=(), levels=2, solver=QUICK).fit(noise[::-1, None] * 1.0, noise)


@pytest.mark.parametrize(
    ("correct", "counts", "warned"),
    [
        (0.95, [95, 5], True),  # the commonest class each time
        (0.97, [950, 50], False),
        (0.61, [5000, 5000], False),  # noisy, yet far from chance
        (0.55, [5000, 5000], True),
        (0.60, [10, 10], True),  # may be luck
        (1.00, [2, 1], False),
        (0.20, [180] * 10, True),
        (0.50, [180] * 10, False),
    ],
)
def test_what_is_near_chance(correct: float, counts: list[int], warned: bool) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warn_near_chance(correct, np.repeat(np.arange(len(counts)), counts))
    assert bool(caught) == warned


@dataclass(frozen=True)
class Endless:
    """A solver that ends when a callback says so."""

    callbacks: tuple[Any, ...] = ()
    time_limit: float | None = None

    def solve(self, problem: TrainingProblem) -> Result:
        began, steps = time.monotonic(), 0
        while not any([call(Progress(steps, None, 1.0, steps / 10)) for call in self.callbacks]):
            steps += 1
            if self.time_limit is not None or time.monotonic() - began > 5:
                break
        return QUICK.solve(problem)


@pytest.mark.parametrize("solver", [Endless(), StraightThrough(epochs=10**6)])
def test_a_default_limit_ends_what_would_not(solver: Any) -> None:
    wide = np.random.default_rng(0).normal(size=(600, 30))
    began = time.monotonic()
    with pytest.warns(ConvergenceWarning, match="was stopped after 0.3 s"):
        QNNClassifier(solver=solver, time_limit=0.3).fit(wide, np.arange(600) % 2)
    assert time.monotonic() - began < 5


def test_a_limit_changes_nothing_where_it_is_not_reached() -> None:
    fits = [QNNClassifier(solver=QUICK, time_limit=limit).fit(X, Y) for limit in (None, 100)]
    assert fits[0].result_.bits.tolist() == fits[1].result_.bits.tolist()
    own = Endless(time_limit=1.0)
    QNNClassifier(solver=own, time_limit=0.001, hidden=(4,)).fit(X, Y)
