from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from qnn.reproduce import ReproduceOptions, reproduce
from qnn.reproduce.data import split

bemi = import_module("qnn.reproduce.bemi")  # its function has the same name


def test_every_method_learns_from_ten_images_a_class() -> None:
    digits = split("digits:0,1,2", ReproduceOptions())
    X, y = bemi._drawn(digits, 10, seed=0)
    assert X.shape == (30, 64)
    for name in bemi.METHODS:
        accuracy, bits = bemi._accuracy(name, X, y, digits.X_test, digits.y_test, 0)
        assert accuracy > 80, name
        assert (bits > 0) == ("support" not in name and "logistic" not in name)


def test_the_report_stands_in_digits_where_mnist_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("QNN_DATA", raising=False)
    quick = [name for name in bemi.METHODS if "logistic" in name or "support" in name]
    kept = {name: bemi.METHODS[name] for name in quick}
    monkeypatch.setattr(bemi, "METHODS", kept)
    report = reproduce("bemi", ReproduceOptions(data_dirs=[str(tmp_path)]))
    rows = [list(table.rows) for table in report.tables]
    assert [len(part) for part in rows] == [2, 2]
    assert all(row.published is None for part in rows for row in part)
    assert all(few.ours < more.ours for few, more in zip(*rows, strict=True))
    assert "digits stand in" in report.remarks[-1]
