from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from qnn.reproduce import ReproduceOptions, reproduce
from qnn.reproduce.data import Split
from qnn.reproduce.report import Row, Table
from qnn.reproduce.show import markdown
from solvers import QCGD, RMDA

rmda = import_module("qnn.reproduce.rmda")  # its function has the same name


def images(samples: int = 900) -> Split:
    """Three classes of images whose outer pixels are noise."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 60, (samples, 36)).astype(float)
    y = rng.integers(0, 3, samples)
    X[np.arange(samples), 14 + y] += rng.integers(0, 120, samples)
    X[:, :6] = 0
    return Split("images", X[:600], y[:600], X[600:], y[600:])


def found(table: Table) -> dict[str, Row]:
    return {row.what: row for row in table.rows}


@pytest.mark.parametrize("scale", ["from 0 to 1", "standardised"])
def test_rmda_finds_more_zeros_and_keeps_them(scale: str) -> None:
    rows = found(rmda._regression(images(), scale, 200, ReproduceOptions()))
    ours, theirs = rows["RMDA, group sparsity"].ours, rows["ProxSGD, group sparsity"].ours
    assert ours is not None
    assert theirs is not None
    assert ours >= theirs
    assert rows["RMDA, last stage: epochs that change the zeros"].ours <= 2
    accuracies = [rows[f"{name}, test accuracy"].ours for name in ("RMDA", "ProxSGD")]
    assert abs(accuracies[0] - accuracies[1]) < 5


def test_inputs_are_scaled_by_the_training_part() -> None:
    data = images()
    unit, _ = rmda._scaled(data, "from 0 to 1")
    standard, test = rmda._scaled(data, "standardised")
    assert (unit.min(), unit.max()) == (0.0, 1.0)
    assert (standard.mean(), standard.std()) == pytest.approx((0, 1), abs=1e-5)
    assert test.dtype == np.float32


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything at a hundredth of its size."""
    few, low = {"RMDA": RMDA(epochs=2, draws=1)}, rmda.low_bits_table
    monkeypatch.setattr(rmda._tables, "__defaults__", (5,))
    monkeypatch.setattr(rmda, "INPUTS", 16)
    monkeypatch.setattr(rmda, "low_bits_table", lambda _, options: low(few, options))
    monkeypatch.setattr(rmda, "QCGD", lambda **options: QCGD(iterations=2, **options))
    return


@pytest.mark.usefixtures("small")
def test_the_report_says_what_was_not_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("QNN_DATA", raising=False)
    data = images()
    X, y = np.concatenate([data.X_train, data.X_test]), np.concatenate([data.y_train, data.y_test])
    np.savez(tmp_path / "mnist.npz", X=X.astype(np.uint8), y=y)
    options = ReproduceOptions(data_dirs=[str(tmp_path)])
    with pytest.warns(UserWarning, match="holds unknown images, used as mnist"):
        report = reproduce("rmda", options)
    page = markdown(report, options)
    assert "mnist, unknown images (720 + 180)" in page
    assert "57.02" not in page  # the published sparsity, of images that are not these
    assert "Not run, because the data were not found: Fashion-MNIST" in page
    assert [table.title for table in report.tables][2:] == [
        "Inputs left out before the QCBO is built",
        "The identical low-bit network",
    ]
    sizes = found(report.tables[2])
    bits = [
        sizes[f"{name}: weight bits"].ours
        for name in ("all inputs", "at most 8 inputs", "at most 4 inputs")
    ]
    assert bits[0] == 85
    assert bits == sorted(bits, reverse=True)


@pytest.mark.usefixtures("small")
def test_digits_stand_in_where_there_are_no_images(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("QNN_DATA", raising=False)
    monkeypatch.setattr(rmda, "_left_out", lambda options: Table("left out", []))
    report = reproduce("rmda", ReproduceOptions(data_dirs=[str(tmp_path)]))
    assert "digits" in report.tables[0].title
    for name, remark in zip(("MNIST", "Fashion-MNIST"), report.remarks[-2:], strict=True):
        assert remark.startswith(f"Not run, because the data were not found: {name} (no ")
