"""Data sets: names, files, pooling, levels, the split, and what is refused."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import sklearn.datasets
from hypothesis import given
from hypothesis import strategies as st

from formulations.errors import FileAccessError, FileFormatError, InvalidInputError
from qnn.data.datasets import load
from qnn.data.images import pool
from qnn.data.levels import level_thresholds, on_levels
from qnn.data.readers import read_idx
from qnn.data.sources import BUNDLED, open_source


def write_idx(path: Path, array: np.ndarray) -> Path:
    head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, dtype=">u4").tobytes()
    data = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


@pytest.fixture
def images(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    return rng.integers(0, 256, (40, 28, 28)), np.arange(40) % 4


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


# -- named data sets -----------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "inputs", "outputs", "total"),
    [
        ("digits", 64, 10, 1797),
        ("digits:3,8", 64, 1, 357),
        ("breast_cancer", 30, 1, 569),
        ("wine", 13, 3, 178),
        ("iris:1,2", 4, 1, 100),
    ],
)
def test_bundled(spec: str, inputs: int, outputs: int, total: int) -> None:
    data = load(spec)
    assert (data.num_inputs, data.num_outputs) == (inputs, outputs)
    assert len(data.X_train) + len(data.X_test) == total
    assert len(data.X_train) == 3 * total // 4
    labels = [-1, 1] if outputs == 1 else list(range(outputs))
    assert np.unique(data.y_train).tolist() == labels
    assert data.X_train.dtype == data.y_train.dtype == np.int64


@pytest.mark.parametrize("name", BUNDLED)
def test_bundled_sets_are_those_of_scikit_learn(name: str) -> None:
    X, y = getattr(sklearn.datasets, f"load_{name}")(return_X_y=True)
    source = open_source(name)
    np.testing.assert_array_equal(source.X, X)
    np.testing.assert_array_equal(source.y, y)


def test_order_of_the_classes_gives_the_signs() -> None:
    up, down = load("digits:3,8"), load("digits:8,3")
    assert up.classes == ("3", "8")
    assert (up.y_train == 1).sum() == (down.y_train == -1).sum()


def test_mnist_and_fashion_from_a_folder(
    shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load("mnist:4,9", data_dir=shared_data, inputs=49, samples=50)
    assert data.X_train.shape == (50, 49)
    monkeypatch.setenv("QNN_DATA", str(shared_data))
    assert load("fashion", samples=100).num_outputs == 10


def openml(X: np.ndarray, y: np.ndarray) -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """What scikit-learn's fetch_openml gives for MNIST: floats, labels as texts; once only."""
    left = [(X.reshape(len(X), -1).astype(float), y.astype(str).astype(object))]

    def fetch(**options: object) -> tuple[np.ndarray, np.ndarray]:
        assert options["data_id"] == 554
        return left.pop()

    return fetch


def test_openml_is_asked_once(
    tmp_path: Path, images: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = images
    monkeypatch.delenv("QNN_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setattr("sklearn.datasets.fetch_openml", openml(X, y))
    monkeypatch.setattr("qnn.data.images._from_openml.__defaults__", (10,))
    first, again = load("mnist"), load("mnist")
    assert first.X_train.shape == (len(X) - 10, 784)
    assert first.y_test.tolist() == y[-10:].tolist()
    assert np.array_equal(first.X_train, again.X_train)


def test_openml_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetch(**options: object) -> None:
        raise URLError("no route to host")

    monkeypatch.delenv("QNN_DATA", raising=False)
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setattr("sklearn.datasets.fetch_openml", fetch)
    with pytest.raises(FileAccessError, match=r"no route to host.*put mnist.npz.*QNN_DATA"):
        load("mnist:4,5")


def test_debians_package(
    tmp_path: Path, images: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    X, y = images
    for part, rows in (("train", slice(0, 30)), ("t10k", slice(30, 40))):
        write_idx(tmp_path / f"{part}-images-idx3-ubyte.gz", X[rows])
        write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", y[rows])
    monkeypatch.delenv("QNN_DATA", raising=False)
    monkeypatch.setattr("qnn.data.images.PACKAGE", tmp_path)
    assert load("fashion").X_train.shape == (30, 784)


# -- files -----------------------------------------------------------


def test_idx_folder_keeps_its_own_test_part(
    tmp_path: Path, images: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = images
    folder = tmp_path / "fashion-mnist"
    folder.mkdir()
    for part, rows in (("train", slice(0, 30)), ("t10k", slice(30, 40))):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", X[rows])
        write_idx(folder / f"{part}-labels-idx1-ubyte", y[rows])
    data = load("fashion", data_dir=tmp_path)
    assert data.X_train.shape == (30, 784)
    assert data.y_test.tolist() == y[30:].tolist()
    single = load(folder / "train-images-idx3-ubyte.gz", samples=20)
    assert single.X_test.shape == (10, 784)


def test_idx_round_trip(tmp_path: Path, images: tuple[np.ndarray, np.ndarray]) -> None:
    assert np.array_equal(
        read_idx(write_idx(tmp_path / "a-images-idx3-ubyte", images[0])), images[0]
    )


def test_npz_of_images_and_of_two_parts(
    tmp_path: Path, images: tuple[np.ndarray, np.ndarray]
) -> None:
    X, y = images
    np.savez(tmp_path / "a.npz", X=X, y=y)
    assert load(f"{tmp_path / 'a.npz'}:0,3", inputs=16).num_inputs == 16
    np.savez(tmp_path / "b.npz", X_train=X[:30], y_train=y[:30], X_test=X[30:], y_test=y[30:])
    data = load(tmp_path / "b.npz", samples=20)
    assert (len(data.X_train), len(data.X_test)) == (20, 10)


def test_csv_with_and_without_names(tmp_path: Path) -> None:
    named, bare, numbered = (tmp_path / f"{n}.csv" for n in "abc")
    rows = [f"{i},{'yes' if i % 2 else 'no'},{i * 0.5}" for i in range(8)]
    named.write_text("\n".join(["u,label,v", *rows]))
    assert load(named).classes == ("no", "yes")
    assert load(named, target="label").num_inputs == 2
    bare.write_text("\n".join(f"{i},{i * 0.5},{i % 3}" for i in range(9)))
    assert load(bare).classes == ("0", "1", "2")
    numbered.write_text("\n".join(["0,1,label", *(f"{i},{i * 0.5},{i % 2}" for i in range(8))]))
    assert load(numbered).classes == ("0", "1")


# -- levels, pooling, split -----------------------------------------------------------


@given(st.integers(2, 9), st.integers(0, 2**16))
def test_levels_are_centred_and_equally_full(levels: int, seed: int) -> None:
    X = np.random.default_rng(seed).normal(size=(levels * 20, 2))
    q = on_levels(X, level_thresholds(X, levels))
    step = 2 if levels % 2 == 0 else 1
    expected = np.arange(levels) * step - (levels - 1) * step // 2
    for column in q.T:
        values, counts = np.unique(column, return_counts=True)
        assert values.tolist() == expected.tolist()
        assert np.ptp(counts) <= 1
    order = np.argsort(X[:, 0])
    assert (np.diff(q[order, 0]) >= 0).all()


def test_levels_are_fitted_on_the_training_part_only(tmp_path: Path) -> None:
    X = np.arange(20.0)[:, None]
    y = np.arange(20) % 2
    np.savez(tmp_path / "a.npz", X_train=X, y_train=y, X_test=X + 1000, y_test=y)
    data = load(tmp_path / "a.npz", levels=4)
    assert np.unique(data.X_test).tolist() == [3]
    assert np.unique(data.X_train).tolist() == [-3, -1, 1, 3]


def test_levels_none_keeps_integers(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.arange(12).reshape(6, 2), y=[0, 1, 0, 1, 0, 1])
    data = load(tmp_path / "a.npz", levels=None, samples=6)
    assert data.X_train.ravel().tolist() == list(range(12))
    assert data.X_test.shape == (0, 2)


def test_pool_sums_blocks(rng: np.random.Generator) -> None:
    X = rng.integers(0, 10, (3, 28, 28))
    pooled = pool(X.reshape(3, -1), (28, 28), 49)
    assert pooled[1, 8] == X[1, 4:8, 4:8].sum()
    assert pooled.sum() == X.sum()


@given(st.integers(30, 200), st.integers(0, 100))
def test_split_is_stratified_nested_and_repeatable(samples: int, seed: int) -> None:
    data = load("digits:3,8", samples=samples, inputs=16, seed=seed)
    again = load("digits:3,8", samples=samples, inputs=16, seed=seed)
    assert np.array_equal(data.X_train, again.X_train)
    whole = load("digits:3,8", samples=357, inputs=16)
    assert abs((data.y_train == 1).sum() - samples * (whole.y_train == 1).mean()) <= 1
    assert len(data.X_train) == samples
    assert len(data.X_test) == 357 - samples


def test_a_larger_training_part_contains_a_smaller_one(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=np.arange(60)[:, None], y=np.arange(60) % 3)
    parts = [load(tmp_path / "a.npz", samples=n, levels=None, seed=5).X_train for n in (10, 20, 50)]
    small, middle, large = (set(part.ravel().tolist()) for part in parts)
    assert small < middle < large


def test_seeds_draw_differently() -> None:
    first, second = (load("digits", samples=50, levels=4, seed=s) for s in (0, 1))
    assert not np.array_equal(first.X_train, second.X_train)


# -- what is refused -----------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "options", "words"),
    [
        ("digit", {}, "Did you mean 'digits'"),
        ("digits:3,x", {}, "no class 'x'; its classes are 0, 1"),
        ("digits:3,3", {}, "named twice"),
        ("digits:3", {}, "only one class"),
        ("digits:", {}, "between the commas"),
        ("digits", {"samples": 2000}, "has 1797 to train on"),
        ("digits", {"samples": 5}, "no sample of class"),
        ("digits", {"samples": 1}, "samples=1: expected an integer of at least 2"),
        ("digits", {"inputs": 17}, "can be pooled to 1, 4, 16, 64 inputs"),
        ("digits", {"inputs": 0}, "inputs=0"),
        ("digits", {"levels": 1}, "levels=1"),
        ("digits", {"seed": -1}, "seed=-1"),
        ("wine", {"inputs": 4}, "only images can be pooled"),
        ("wine", {"levels": None}, "is not an integer; give a number of levels"),
        ("mnist", {"data_dir": "/nowhere"}, "'/nowhere' does not exist: put mnist.npz"),
        ("nothing.csv", {}, "'nothing.csv' does not exist"),
    ],
)
def test_refused(
    spec: str, options: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("QNN_DATA", raising=False)
    with pytest.raises(InvalidInputError) as error:
        load(spec, **options)  # type: ignore[arg-type]
    assert words in str(error.value)


def test_folder_without_the_data_set(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no mnist in the data folder"):
        load("mnist", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("a,b,label\n", "0 samples"),
        ("1\n2\n", "2 samples of 1 columns"),
        ("a,b,label\n1,2,0\n1,2\n", "line 3: 2 columns, expected 3"),
        ("a,b,label\n1,x,0\n1,2,1\n", "line 2, column b: 'x' is not a number"),
        ("a,b,label\n1,nan,0\n1,2,1\n", "row 1, column 2"),
        ("a,b,label\n1,2,\n1,2,1\n", "line 2: no label"),
        ("a,b,label\n1,2,nan\n1,2,1\n", "label nan in row 1"),
        ("a,b,label\n1,2,1\n3,4,1\n", "only one class, '1'"),
    ],
)
def test_bad_csv(tmp_path: Path, text: str, words: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(InvalidInputError) as error:
        load(path)
    assert words in str(error.value)


def test_csv_target(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("u,v\n1,0\n2,1\n3,0\n")
    with pytest.raises(InvalidInputError, match="unknown column of a[.]csv 'w'"):
        load(path, target="w")
    path.write_text("1,0\n2,1\n3,0\n")
    with pytest.raises(InvalidInputError, match="no line that names"):
        load(path, target="w")
    path.write_bytes(b"\xff\xfe\x00u,v\n")
    with pytest.raises(FileFormatError, match="UTF-8"):
        load(path)


def test_bad_npz(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for content, words in [
        ({"A": [1]}, "has the arrays A"),
        ({"X": [1, 2], "y": [0, 1]}, "inputs X of shape"),
        ({"X": np.zeros((0, 3)), "y": []}, "at least one sample"),
        ({"X": [[1], [2]], "y": [0, 1, 1]}, r"labels y of shape \(3,\)"),
        ({"X": [["a"], ["b"]], "y": [0, 1]}, "not numbers"),
    ]:
        np.savez(path, **content)
        with pytest.raises((InvalidInputError, FileFormatError), match=words):
            load(path)
    np.savez(path, X=np.ones((4, 2)), y=[0, 1, 0, 1])
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FileFormatError, match="not a readable NPZ"):
        load(path)
    np.savez(path, X=np.array([{}], dtype=object), y=[0])
    with pytest.raises(FileFormatError, match="not a readable NPZ"):
        load(path)


def test_bad_idx(tmp_path: Path, images: tuple[np.ndarray, np.ndarray]) -> None:
    path = write_idx(tmp_path / "t-images-idx3-ubyte", images[0])
    with pytest.raises(InvalidInputError, match="not beside it"):
        load(path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(FileFormatError, match="31,359 of 31,360 bytes are present"):
        read_idx(path)
    path.write_bytes(path.read_bytes() + b"12")
    with pytest.raises(FileFormatError, match="more values than its head says"):
        read_idx(path)
    path.write_bytes(b"\x00\x00")
    with pytest.raises(FileFormatError, match="2 of 4 bytes are present"):
        read_idx(path)
    path.write_bytes(b"\x00\x00\x09\x01")
    with pytest.raises(FileFormatError, match="not an IDX file"):
        read_idx(path)
    zipped = write_idx(tmp_path / "u-images-idx3-ubyte.gz", images[0])
    zipped.write_bytes(zipped.read_bytes()[:-20])
    with pytest.raises(FileFormatError, match="damaged or truncated"):
        read_idx(zipped)


def test_file_of_unknown_kind(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("x")
    with pytest.raises(InvalidInputError, match="of no known kind"):
        load(path)


def test_eight_levels_of_pixels_or_more_have_equal_widths() -> None:
    even = load("digits", levels=8).thresholds
    assert even is not None
    assert np.array_equal(even, np.repeat(np.arange(2.0, 16, 2)[:, None], 64, axis=1))
    quantiles = load("digits", levels=4).thresholds
    assert quantiles is not None
    assert not (quantiles == quantiles[:, :1]).all()
    table = load("wine", levels=16).thresholds
    assert table is not None
    assert not (table == table[:, :1]).all()


def test_the_raw_numbers_and_images_are_known() -> None:
    assert load("digits", inputs=16).raw_span == (0, 16)
    assert (load("digits", inputs=16).image, load("digits").image) == ((8, 8), None)
    assert load("iris").raw_span is None
