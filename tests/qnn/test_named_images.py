"""MNIST and Fashion-MNIST are told apart by their content, for their files have the same names."""

from __future__ import annotations

import base64
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from formulations.errors import InvalidInputError
from qnn import load
from qnn.data import fingerprints
from qnn.data.fingerprints import EVERY, matches
from qnn.data.images import image_set
from qnn.reproduce import ReproduceOptions
from qnn.reproduce.data import available, not_run, split

Images = tuple[np.ndarray, np.ndarray]


def drawn(seed: int, samples: int = 600) -> Images:
    """Images of grey values that differ enough to be one set each."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (samples, 28, 28)).astype(np.uint8), np.arange(samples) % 10


def sketch(X: np.ndarray, y: np.ndarray) -> str:
    rows = np.packbits(X.reshape(len(X), -1) > 127, axis=1)
    numbers = [zlib.crc32(row) | int(label) for row, label in zip(rows, y, strict=True)]
    kept = sorted(number for number in numbers if number % EVERY < 10)
    return base64.b85encode(np.array(kept, dtype="<u4").tobytes()).decode()


def write_idx(folder: Path, X: np.ndarray, y: np.ndarray, part: str = "train") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for kind, array in (("images-idx3", X), ("labels-idx1", y)):
        head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
        content = head + array.astype(np.uint8).tobytes()
        (folder / f"{part}-{kind}-ubyte").write_bytes(content)


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> dict[str, Images]:
    """Two sets that stand for the published ones; ours are not part of the project."""
    monkeypatch.delenv("QNN_DATA", raising=False)
    sets = {"mnist": drawn(1), "fashion": drawn(2)}
    sketches = {name: sketch(*images) for name, images in sets.items()}
    monkeypatch.setattr(fingerprints, "SKETCHES", sketches)
    return sets


@pytest.mark.parametrize(("name", "other"), [("mnist", "Fashion-MNIST"), ("fashion", "MNIST")])
@pytest.mark.parametrize("kind", ["idx", "npz"])
def test_one_set_is_not_taken_for_the_other(
    published: dict[str, Images], tmp_path: Path, name: str, other: str, kind: str
) -> None:
    X, y = published["fashion" if name == "mnist" else "mnist"]
    if kind == "idx":
        write_idx(tmp_path, X, y)
    else:
        np.savez(tmp_path / f"{name}.npz", X=X, y=y)
    with pytest.raises(InvalidInputError, match=rf"holds {other}, expected .*ask for"):
        load(name, data_dir=tmp_path)


def test_parts_scales_orders_and_rounding_are_seen_through(published: dict[str, Images]) -> None:
    X, y = published["mnist"]
    flat = X.reshape(len(X), -1)
    for form in (flat, flat[::-1], flat / 255, np.clip(flat.astype(int), 1, 254)):
        labels = y[::-1] if form is not flat and form[0, 0] == flat[-1, 0] else y
        match = matches(form, labels)
        assert match["mnist"][2]
        assert not match["fashion"][2]
    assert not matches(flat, y)["mnist"][3]
    assert matches(flat, (y + 1) % 10)["mnist"][3]
    assert matches(flat, y.astype(str))["mnist"][1] is None


def test_labels_of_another_set_are_refused(published: dict[str, Images], tmp_path: Path) -> None:
    X, y = published["mnist"]
    write_idx(tmp_path, X, (y + 3) % 10)
    with pytest.raises(InvalidInputError, match="the images of MNIST with other labels"):
        load("mnist", data_dir=tmp_path)


def test_unknown_images_are_used_and_said_to_be_unknown(
    published: dict[str, Images], tmp_path: Path
) -> None:
    write_idx(tmp_path, *drawn(3))
    with pytest.warns(UserWarning, match="unknown images, used as mnist"):
        data = load("mnist", samples=100, data_dir=tmp_path)
    assert data.X_train.shape == (100, 784)
    options = ReproduceOptions(data_dirs=[str(tmp_path)])
    with pytest.warns(UserWarning, match="unknown"):
        parts = split("mnist", options)
    assert parts.name.startswith("mnist, unknown images")
    assert not parts.known
    assert not replace(parts, X_train=np.zeros((60_000, 1))).whole


@pytest.mark.filterwarnings("error")
def test_a_report_leaves_out_what_is_not_what_it_is_called(
    published: dict[str, Images], tmp_path: Path
) -> None:
    write_idx(tmp_path, *published["fashion"])
    options = ReproduceOptions(data_dirs=[str(tmp_path)])
    assert available("fashion", options)
    assert not available("mnist", options)
    (remark,) = not_run({"mnist": "MNIST", "fashion": "Fashion-MNIST"}, options)
    assert "holds Fashion-MNIST, expected MNIST" in remark
    other = tmp_path / "other"
    write_idx(other, *published["mnist"])
    both = ReproduceOptions(data_dirs=[str(tmp_path), str(other)])
    assert split("mnist", both).known


def test_parts_that_do_not_belong_together(published: dict[str, Images], tmp_path: Path) -> None:
    X, y = published["mnist"]
    write_idx(tmp_path, X, y)
    write_idx(tmp_path, X[:, :14, :14], y, part="t10k")
    with pytest.raises(InvalidInputError, match="28 x 28 and 14 x 14"):
        load("mnist", data_dir=tmp_path)


def test_of_several_files_none_is_taken_by_chance(
    published: dict[str, Images], tmp_path: Path
) -> None:
    X, y = published["mnist"]
    for name in ("mnist-a.npz", "mnist-b.npz"):
        np.savez(tmp_path / name, X=X[:300], y=y[:300])
    with pytest.raises(InvalidInputError, match=r"several files of mnist: mnist-a.npz, mnist-b"):
        load("mnist", data_dir=tmp_path)
    np.savez(tmp_path / "mnist.npz", X=X, y=y)
    assert len(image_set("mnist", tmp_path).X) == len(X)


@pytest.mark.filterwarnings("error")
def test_the_real_ones_are_known(shared_data: Path, tmp_path: Path) -> None:
    assert image_set("mnist", shared_data).known
    assert image_set("fashion", shared_data).known
    with np.load(shared_data / "fashion900.npz") as fashion:
        write_idx(tmp_path, fashion["X"].reshape(-1, 28, 28), fashion["y"])
    with pytest.raises(InvalidInputError, match="holds Fashion-MNIST, expected MNIST"):
        load("mnist", data_dir=tmp_path)
