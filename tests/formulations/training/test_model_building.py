"""The benchmark of model building compares identical models."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[3] / "benchmarks" / "model_building.py"


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    pytest.importorskip("resource", reason="memory is measured on Unix only")
    spec = importlib.util.spec_from_file_location("model_building", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(SCRIPT.parent)  # it imports what benchmarks share
        spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("way", ["arrays", "cqm", "symbolic", "naive"])
@pytest.mark.parametrize("widths", [[4, 3, 1], [5, 2, 3]])
def test_every_way_builds_the_identical_model(
    benchmark: ModuleType, tmp_path: Path, way: str, widths: list[int]
) -> None:
    path = tmp_path / "model.npz"
    benchmark.from_arrays(widths, *benchmark.data(widths, 6)).save(path)
    figures = benchmark.measure(way, widths, 6, 2, path)
    assert figures["same"]
    assert len(figures["seconds"]) == 2
