from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from qnn.reproduce import ReproduceOptions, reproduce
from qnn.reproduce.data import split
from solvers import RandomFeatures

baselines = import_module("qnn.reproduce.baselines")  # its function has the same name


def test_random_units_are_better_than_the_pixels() -> None:
    digits = split("digits", ReproduceOptions())
    table = baselines._random_features(digits, ReproduceOptions())
    pixels, units = (row.ours for row in table.rows)
    assert 90 < pixels < units


def test_the_report_has_every_table(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("QNN_DATA", raising=False)
    few, low = {"random features": RandomFeatures(draws=1)}, baselines.low_bits_table
    monkeypatch.setattr(baselines, "low_bits_table", lambda _, options: low(few, options))
    report = reproduce("baselines", ReproduceOptions(data_dirs=[str(tmp_path)]))
    assert [len(list(table.rows)) for table in report.tables] == [2, 1, 2]
    assert "digits stand in" in report.remarks[-1]
    straight = next(iter(list(report.tables)[1].rows))
    assert straight.ours is not None
    assert straight.ours > 50
