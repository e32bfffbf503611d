"""Files: exact round trips, old versions, damage, and what is left when writing fails."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formulations import QCBO, Network, TrainingProblem
from formulations.errors import FileFormatError, InvalidInputError
from formulations.files.archive import read_archive, write_archive
from formulations.files.saved import load_qcbo, load_weights, save_qcbo, save_weights
from formulations.model.labels import Family, Labels, Names
from formulations.network.network import Weights
from formulations.network.splines import Spline, sign
from tests.formulations.problems import ENCODINGS, networks, problems
from tests.strategies import qcbos

FIXTURES = Path(__file__).parents[2] / "fixtures"
quick = settings(
    deadline=None, max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


# What the files of tests/fixtures hold.  They were written once, by the release that introduced
# their version, and are never written again.


def golden_model() -> QCBO:
    """A model with families of labels, both kinds of rows and a product."""
    return QCBO(
        linear=np.array([0.0, 0.1, -2.5, 1e-300, 3.0]),
        quadratic=sp.csr_array(([1.5, -1 / 3], ([0, 2], [4, 3])), shape=(5, 5)),
        offset=0.1 + 0.2,
        rows=sp.csr_array(np.array([[2.0, -1.0, 0.0, 0.0, 1.0], [0.0, 0.1, 0.2, 0.0, 0.0]])),
        rhs=np.array([1.0, 0.3]),
        equality=np.array([True, False]),
        row_group=np.array([1, 0]),
        group_names=("layer 1", "codebook"),
        products=np.array([[3, 0, 1]]),
        labels=Labels(
            (
                Family("w", ("", "", ""), np.array([[1, 0, 0], [1, 0, 10]])),
                Family("beta", ("k", "l"), np.array([[7, 1], [8, 2], [9, 3]]), (3, 1)),
            )
        ),
        row_labels=Labels(
            (
                Family("codebook", ("",), np.array([[0]])),
                Family("z", ("k", "l"), np.array([[7, 1]])),
            )
        ),
    )


def golden_names() -> QCBO:
    """A model with labels of a user's own."""
    return QCBO.from_arrays(
        [1, 2, 3, 4],
        [[1, 1, 1, 1]],
        [2],
        labels=["a", 7, ("x", (1, None)), 2.5],
        row_labels=[("row", 0)],
    )


def golden_network() -> tuple[Network, Weights]:
    """A network with thresholds, a codebook, and splines of both orders."""
    network = Network.dense(
        [3, 2, 2, 1], activation="tanh", weights="codebook:-1,0.5,1", bias="uniform:2", pieces=3
    )
    weights = Weights(
        (
            np.array([[-2, 1, 2], [2, 2, -2]]),
            np.array([[1, -2], [2, 2]]),
            np.array([[-2, 1]]),
        ),
        (np.array([-3, 1]), np.array([3, -1]), np.array([1])),
        (
            Spline(np.array([-2, 3]), np.zeros(3), np.array([-3.0, 0.0, 3.0]), 0.25, 0.125, 4.0),
            Spline(np.array([0]), np.array([1.0, 0.5]), np.array([0.0, 1.0]), 1 / 3, 0.1, 1.0),
        ),
    )
    return network, weights


def same_weights(a: Weights, b: Weights) -> bool:
    """Whether two trained networks have the same numbers."""
    arrays = [
        [
            *w.matrices,
            *(bias for bias in w.biases if bias is not None),
            *(x for s in w.splines for x in (s.breakpoints, s.slopes, s.intercepts)),
        ]
        for w in (a, b)
    ]
    return (
        [bias is None for bias in a.biases] == [bias is None for bias in b.biases]
        and all(np.array_equal(x, y) for x, y in zip(*arrays, strict=True))
        and [(s.step, s.error, s.scale) for s in a.splines]
        == [(s.step, s.error, s.scale) for s in b.splines]
    )


# -- round trips ----------------------------------------------------------------------------------


@quick
@given(qcbos(feasible=False))
def test_models_survive_exactly(tmp_path: Path, model: QCBO) -> None:
    path = tmp_path / "model.npz"
    save_qcbo(model, path)
    back = load_qcbo(path)
    assert back.equals(model)
    assert QCBO.load(path).equals(model)
    assert [type(x) for x in back.labels] == [type(x) for x in model.labels]


@quick
@given(problems(), st.sampled_from(ENCODINGS))
def test_training_models_survive_exactly(
    tmp_path: Path, problem: TrainingProblem, encoding: str | None
) -> None:
    path = tmp_path / "model.npz"
    model = problem.qcbo(encoding)
    model.save(path)
    back = QCBO.load(path)
    assert back.equals(model)
    assert np.array_equal(back.weight_variables, model.weight_variables)
    for old, new in zip(model.labels.families, back.labels.families, strict=True):
        assert isinstance(old, Family)
        assert isinstance(new, Family)
        assert np.array_equal(old.indices, new.indices)  # integers, not strings


@quick
@given(networks(), st.integers(0, 2**32 - 1))
def test_trained_networks_survive_exactly(tmp_path: Path, network: Network, seed: int) -> None:
    path = tmp_path / "network.npz"
    if callable(network.layers[0].activation) or any(
        layer.activation and layer.activation.name == "wave" for layer in network.layers
    ):
        return
    problem = TrainingProblem(
        network, np.ones((1, network.widths[0]), dtype=int), [1 if network.num_outputs == 1 else 0]
    )
    bits = np.random.default_rng(seed).integers(0, 2, (1, network.num_weight_bits))
    weights = problem.weights_from_bits(problem.repair_bits(bits)[0])
    save_weights(network, weights, path)
    loaded, back = load_weights(path)
    assert loaded == network
    assert same_weights(back, weights)
    X = np.random.default_rng(seed).integers(-3, 4, (5, network.widths[0]))
    assert np.array_equal(loaded.forward(back, X), network.forward(weights, X))


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a.npz", "b.npz"):
        golden_model().save(tmp_path / name)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_files_are_plain_npz_without_pickles(tmp_path: Path) -> None:
    golden_names().save(tmp_path / "model")
    with np.load(tmp_path / "model", allow_pickle=False) as arrays:
        assert arrays["linear"].tolist() == [1, 2, 3, 4]
        manifest = json.loads(arrays["manifest"].tobytes())
    assert manifest["format"] == "a QCBO model"
    assert manifest["version"] == 1
    assert manifest["content"]["sizes"] == {"variables": 4, "rows": 1, "products": 0}


# -- format version 1 -----------------------------------------------------------------------------


def test_models_of_version_1_stay_readable() -> None:
    assert QCBO.load(FIXTURES / "model-v1.npz").equals(golden_model())
    assert QCBO.load(FIXTURES / "names-v1.npz").equals(golden_names())


def test_networks_of_version_1_stay_readable() -> None:
    network, weights = golden_network()
    loaded, back = load_weights(FIXTURES / "network-v1.npz")
    assert loaded == network
    assert same_weights(back, weights)
    assert loaded.forward(back, [[1, 2, 3], [-3, 0, 4]]).tolist() == [[-2.0], [-4.0]]


# -- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("label", [frozenset({1}), ("a", object()), float("nan"), b"bytes"])
def test_labels_that_a_file_cannot_keep_are_refused_before_writing(
    tmp_path: Path, label: object
) -> None:
    model = QCBO.from_arrays([1], labels=[label])  # type: ignore[list-item]
    with pytest.raises(InvalidInputError, match=r"label .* relabel"):
        model.save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


def test_activations_of_ones_own_are_refused_by_name(tmp_path: Path) -> None:
    def bump(z: np.ndarray) -> np.ndarray:
        return np.exp(-z * z)

    network = Network.dense([1, 1, 1], activation=bump)
    weights = Weights((np.array([[1]]), np.array([[1]])), (None, None), (sign(),))
    with pytest.raises(InvalidInputError, match=r"layer 1 .* custom .*, 'bump'.*sign, hard-tanh"):
        save_weights(network, weights, tmp_path / "network")
    assert not list(tmp_path.iterdir())


def test_weights_that_do_not_fit_are_refused_before_writing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="layer 1"):
        save_weights(
            Network.dense([3, 1]), Weights((np.ones((1, 2)),), (None,), ()), tmp_path / "network"
        )
    assert not list(tmp_path.iterdir())


def test_other_kinds_of_files_are_told_apart(tmp_path: Path) -> None:
    save_weights(*golden_network(), tmp_path / "network")
    with pytest.raises(FileFormatError, match=r"holds a trained network: expected a QCBO model"):
        load_qcbo(tmp_path / "network")
    golden_model().save(tmp_path / "model")
    with pytest.raises(FileFormatError, match=r"holds a QCBO model: expected a trained network"):
        load_weights(tmp_path / "model")
    for name, data in (("text", b"label,x\n1,2\n"), ("empty", b"")):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(FileFormatError, match=rf"{name}' is not a file of this toolkit"):
            load_qcbo(tmp_path / name)
    np.savez(tmp_path / "other.npz", x=np.ones(3))
    with pytest.raises(FileFormatError, match="archive without a manifest"):
        load_qcbo(tmp_path / "other.npz")


def rewrite(source: Path, target: Path, **changes: object) -> None:
    """Copy an archive with other fields in its manifest."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            data = old.read(name)
            if name == "manifest.npy":
                manifest = json.loads(np.load(io.BytesIO(data)).tobytes())
                text = json.dumps(manifest | changes).encode()
                buffer = io.BytesIO()
                np.save(buffer, np.frombuffer(text, dtype=np.uint8))
                data = buffer.getvalue()
            new.writestr(name, data)


def test_newer_versions_are_refused(tmp_path: Path) -> None:
    rewrite(FIXTURES / "model-v1.npz", tmp_path / "new", version=9)
    with pytest.raises(FileFormatError, match=r"version 9, and this release reads up to \d: inst"):
        load_qcbo(tmp_path / "new")
    rewrite(FIXTURES / "model-v1.npz", tmp_path / "odd", version="?")
    with pytest.raises(FileFormatError, match="damaged"):
        load_qcbo(tmp_path / "odd")


@pytest.mark.parametrize("what", ["products", "row_group", "rows.indices", "labels.0", "rhs"])
def test_consistent_checksums_do_not_excuse_inconsistent_content(tmp_path: Path, what: str) -> None:
    content, arrays = read_archive(FIXTURES / "model-v1.npz", "a QCBO model")
    arrays[what] = arrays[what][:-1] if what in ("labels.0", "rhs") else arrays[what] + 50
    write_archive(tmp_path / "model", "a QCBO model", content, arrays)
    with pytest.raises(FileFormatError, match="damaged"):
        load_qcbo(tmp_path / "model")


def test_a_pickle_is_never_opened(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with zipfile.ZipFile(tmp_path / "model", "w") as file:
        file.writestr("manifest.npy", buffer.getvalue())
    with pytest.raises(FileFormatError, match="damaged"):
        load_qcbo(tmp_path / "model")


@pytest.mark.parametrize("name", ["model-v1.npz", "names-v1.npz"])
def test_a_file_that_is_cut_off_anywhere_is_refused(tmp_path: Path, name: str) -> None:
    data = (FIXTURES / name).read_bytes()
    path = tmp_path / "model"
    for length in range(0, len(data), 11):
        path.write_bytes(data[:length])
        with pytest.raises(FileFormatError, match=r"(copy it again|check the path)"):
            load_qcbo(path)


@pytest.mark.parametrize("flip", [0x01, 0x80, 0xFF])
def test_a_file_that_was_changed_anywhere_is_refused_or_the_same(tmp_path: Path, flip: int) -> None:
    data = bytearray((FIXTURES / "model-v1.npz").read_bytes())
    path = tmp_path / "model"
    model, refused = golden_model(), 0
    for place in range(0, len(data), 7):
        data[place] ^= flip
        path.write_bytes(data)
        data[place] ^= flip
        try:
            assert load_qcbo(path).equals(model)
        except FileFormatError:
            refused += 1
    assert refused > len(data) // 7 // 2


def test_names_stay_names() -> None:
    labels = QCBO.load(FIXTURES / "names-v1.npz").labels
    assert isinstance(labels.families[0], Names)
    assert list(labels) == ["a", 7, ("x", (1, None)), 2.5]
