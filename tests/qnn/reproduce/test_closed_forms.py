from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qnn.reproduce import ReproduceOptions
from qnn.reproduce.data import split
from qnn.reproduce.explicit import (
    _best_descent,
    _digits,
    _same_as_naive_bayes,
    _sweep,
    _without_iteration,
)
from qnn.reproduce.low_bits import low_bits_table
from qnn.reproduce.manifold import LOW_BITS, _accuracies, _many_samples, ridge_accuracy, waveform
from solvers import ExplicitSoftmax


def test_digits_without_iteration_are_found_again() -> None:
    rows = [row for row in _digits(ReproduceOptions()) if row.published is not None]
    assert [row.published for row in rows] == [82.0, 90.4]
    assert all(abs(row.difference or 0.0) < 0.3 for row in rows)


def test_predictions_are_those_of_naive_bayes(shared_data: Path) -> None:
    options = ReproduceOptions(data_dirs=[str(shared_data)])
    data = {spec: split(spec, options).unit() for spec in ("mnist", "digits")}
    assert all(row.ours == 100.0 for row in _same_as_naive_bayes(data).rows)
    mnist = data["mnist"]
    network = ExplicitSoftmax(1.0).fit(mnist.X_train, mnist.y_train)
    assert np.mean(network.predict(mnist.X_test) == mnist.y_test) == pytest.approx(0.82, abs=0.02)


def test_a_few_steps_improve_the_explicit_solution() -> None:
    data = split("digits", ReproduceOptions()).unit()
    start = ExplicitSoftmax(10.0, hidden=[5]).fit(data.X_train, data.y_train)
    after = _best_descent(start, data, (50,), seed=0)
    assert list(after) == [0, 50]
    assert after[50] > after[0] + 5


def test_waves_are_mixtures_of_two_triangles() -> None:
    X, y = waveform(30_000, 2, np.random.default_rng(0))
    first = X[y == 0].mean(axis=0)  # half of the triangles at 11 and at 15
    assert X.shape == (30_000, 23)
    assert first[[10, 14, 6]] == pytest.approx([4.0, 4.0, 1.0], abs=0.1)
    assert X[:, 21:].mean() == pytest.approx(0.0, abs=0.05)


def test_waves_and_digits_are_learnt() -> None:
    X, y = waveform(3000, 0, np.random.default_rng(1))
    digits = split("digits", ReproduceOptions())
    wave = type(digits)("waveform", X[:2000], y[:2000], X[2000:], y[2000:])
    assert ridge_accuracy(wave) > 80
    reached = _accuracies(wave, (10,), "rescaled", 0, 3)
    assert len(reached) == 3
    assert reached[-1] > 80


def test_on_low_bits_the_released_form_guesses_and_the_mended_one_does_not() -> None:
    forms = {name: replace(LOW_BITS[name], draws=2) for name in ("released", "rescaled")}
    found = {row.what: row.ours for row in low_bits_table(forms, ReproduceOptions()).rows}
    for weights in ("bipolar", "ternary"):
        assert found[f"released, {weights}"] > 3 * found[f"rescaled, {weights}"]


def test_what_few_images_cannot_show_is_told(shared_data: Path, tmp_path: Path) -> None:
    with np.load(shared_data / "fashion900.npz") as fashion:
        np.savez(tmp_path / "fashion.npz", X=fashion["X"][::3], y=fashion["y"][::3])
    options = ReproduceOptions(data_dirs=[str(tmp_path)])
    few = _many_samples(options).conditions
    assert few.startswith("Only 240 training samples were found")
    fashion = split("fashion", options).unit()
    tables = [_without_iteration({"fashion": fashion}, options), _sweep("fashion", fashion)]
    shown = [row for table in tables for row in table.rows if not row.what.startswith("digits")]
    assert len(shown) > 10
    assert all(row.published is None for row in shown)
    assert all("60,000" in table.conditions for table in tables)
