"""Accuracy against stored size: what is trained at each size, and what the report says of it."""

from __future__ import annotations

import copy
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from qnn import report
from qnn.report.frontier import part
from qnn.runs.frontier import frontier
from qnn.runs.training import DataOptions, ModelOptions

MODEL = ModelOptions(None, "relu:4", None, "auto", "cross-entropy")


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> str:
    """IDX files of scikit-learn's digits, as bytes."""
    folder = tmp_path_factory.mktemp("images")
    X, y = load_digits(return_X_y=True)
    for name, values in (("images-idx3", X.reshape(-1, 8, 8) * 15), ("labels-idx1", y)):
        head = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
        path = folder / f"train-{name}-ubyte"
        path.write_bytes(head + values.astype(np.uint8).tobytes())
    return str(folder / "train-images-idx3-ubyte")


def test_images_get_deep_networks_of_one_bit_within_their_size(images: str) -> None:
    data = DataOptions(images, samples=None, levels=16)
    small, large = frontier(data, MODEL, kib=[0.5, 2.5], epochs=8)["points"]
    assert (len(small["widths"]), len(large["widths"])) == (4, 5)
    for point in (small, large):
        assert point["weights"] == "bipolar"
        assert 0.9 * point["kib_asked"] < point["kib"] <= point["kib_asked"]
        assert point["test_accuracy"] > 0.8


def test_epochs_and_seeds_are_heard_of(images: str) -> None:
    data = DataOptions(images, samples=200, levels=16)
    one, two = (frontier(data, MODEL, kib=[2.5], epochs=2, seeds=2)["points"] for _ in range(2))
    times = ("seconds",)
    assert [{k: v for k, v in p.items() if k not in times} for p in one] == [
        {k: v for k, v in p.items() if k not in times} for p in two
    ]
    assert one[0]["train_loss"] != one[1]["train_loss"]


def results(accuracy: float) -> dict[str, Any]:
    """A frontier of two sizes; the larger one has the accuracy."""
    found = frontier(DataOptions("iris", samples=None, levels=16), MODEL, kib=[0.02, 0.25])
    found = copy.deepcopy(found)
    found["points"][0]["test_accuracy"] = 0.5
    found["points"][1]["test_accuracy"] = accuracy
    return found


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.97, "below"), (0.99, "at or above")])
def test_the_report_says_where_a_published_network_is_ahead(
    accuracy: float, verdict: str, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    found = results(accuracy)
    conclusions, open_questions = part(found, "p").conclusions
    assert verdict in conclusions[0]
    assert any("best of 2 sizes" in line for line in open_questions)
    report.write(str(tmp_path / "page.html"), found)
    page = (tmp_path / "page.html").read_text()
    assert "BTHOWeN" in page[page.index("<svg") : page.index("</svg>")]  # beside its cross
