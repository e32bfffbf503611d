"""Convolutions on the command line and in estimators: trained, saved, resumed, exported."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_digits

from formulations.files.saved import load_weights
from qnn import QNNClassifier

Run = Callable[..., tuple[int, str, str]]
HIDDEN = "conv:3:3x3,pool:max:2,6"


def test_a_convolution_is_trained_saved_tested_and_exported(run: Run, tmp_path: Path) -> None:
    data = ("digits", "--samples", 60)
    code, _, _ = run(
        *("train", *data, "--hidden", HIDDEN, "--solver", "annealing", "--flips", 200),
        *("--save", tmp_path / "net.npz", "--json", tmp_path / "run.json"),
        *("--checkpoint", tmp_path / "run"),
    )
    assert code == 0
    told = json.loads((tmp_path / "run.json").read_text())
    assert told["widths"] == [64, 108, 27, 6, 10]
    assert told["model"]["hidden"] == ["conv:3:3x3", "pool:max:2", 6]
    network, weights = load_weights(tmp_path / "net.npz")
    assert network.stored_bits == told["stored_bits"] == 27 + 27 * 6 + 60
    assert (weights.matrices[1] == 1).sum() == 27 * 4
    again = ("--save", tmp_path / "net.npz", "--json", tmp_path / "run.json")
    assert run("resume", tmp_path / "run", *again)[0] == 0
    assert run("test", tmp_path / "net.npz", *data)[0] == 0
    code, said, _ = run(
        *("export", tmp_path / "net.npz", "--inputs", "raw", "--packed", tmp_path / "net.qnnp"),
        *("--embedded", tmp_path / "c"),
    )
    assert code == 0
    assert "conv:3:3x3 to 3x6x6" in " ".join(said.split())
    assert (tmp_path / "net.qnnp").stat().st_size < network.stored_bits / 8 + 200


@pytest.mark.parametrize(
    "hidden", ["conv:3", "conv:3:9x9", "pool:least:2", "conv:3:3x3,pool:mean:2"]
)
def test_layers_that_cannot_be_are_refused_by_name(run: Run, hidden: str) -> None:
    code, _, said = run("train", "digits", "--samples", 60, "--hidden", hidden)
    assert code == 2
    assert "expected" in said


def test_an_estimator_takes_convolutions() -> None:
    X, y = load_digits(return_X_y=True)
    model = QNNClassifier(hidden=("conv:4:3x3:2", 8), time_limit=2, random_state=0)
    model.fit(X[:200], y[:200])
    assert model.network_.widths == (64, 36, 8, 10)
    assert model.predict(X[200:210]).shape == (10,)
    assert np.isin(model.predict(X[200:210]), y).all()
