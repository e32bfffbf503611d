"""C for one network alone: exact, without heap, and as narrow as the range allows."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from qnn.cli.main import cli
from qnn.export import TrainedModel, export
from qnn.export.embedded import embedded_contents
from qnn.export.verify import check_c, inputs_for
from tests.qnn.export.compiler import CC, NO_COMPILER, build
from tests.qnn.export.networks import KINDS, drawn_model, random_inputs, random_model

pytestmark = pytest.mark.skipif(CC is None, reason=NO_COMPILER)


def written(model: TrainedModel, folder: Path, raw: bool) -> str:
    """Writes the files to a folder; all of network.h and network.c."""
    contents, _ = embedded_contents(model, folder, raw=raw)
    for path, text in contents.items():
        Path(path).write_bytes(text)
    return (folder / "network.h").read_text() + (folder / "network.c").read_text()


def outputs(model: TrainedModel, folder: Path, X: np.ndarray, raw: bool) -> np.ndarray:
    """What the compiled network computes, shape (N, outputs)."""
    text = written(model, folder, raw)
    kind = re.search(r"typedef (\w+) network_number;", text)
    assert kind is not None
    sources = [folder / "network.c", Path(__file__).with_name("check_embedded.c")]
    program = build(sources, folder / "program", "-I", str(folder))
    given = X.astype(kind[1].removesuffix("_t").replace("float", "float32")).tobytes()
    ran = subprocess.run([program], input=given, capture_output=True, check=True)
    return np.frombuffer(ran.stdout, np.int64).reshape(len(X), -1)


@pytest.mark.parametrize("seed", range(20))
def test_raw_inputs_of_every_kind_of_network(tmp_path: Path, seed: int) -> None:
    model = drawn_model(seed)
    X = inputs_for(model, raw=True)
    expected = model.network.pre_activations(model.weights, model.on_lattice(X))[-1]
    assert np.array_equal(outputs(model, tmp_path, X, raw=True), expected)


@pytest.mark.parametrize("count", [1, 3])
def test_weights_of_six_bits_without_hidden_layer(tmp_path: Path, count: int) -> None:
    model = random_model((13, count), weights="uniform:6", bias="integer:15", levels=64)
    X = inputs_for(model, raw=True)
    expected = model.network.pre_activations(model.weights, model.on_lattice(X))[-1]
    assert np.array_equal(outputs(model, tmp_path, X, raw=True), expected)


@pytest.mark.parametrize("number", range(0, len(KINDS), 9))
def test_inputs_on_their_levels(tmp_path: Path, number: int) -> None:
    levels = (2, 3, 8, None)[number % 4]
    model = random_model((19, 9, 6, 1 + number % 3), *KINDS[number], levels=levels, seed=number)
    X = random_inputs(model)
    expected = model.network.pre_activations(model.weights, X)[-1]
    assert np.array_equal(outputs(model, tmp_path, X, raw=False), expected)


def test_whole_inputs_need_no_float_and_small_sums_no_64_bits(tmp_path: Path) -> None:
    model = drawn_model(3)
    assert model.image is not None
    text = written(model, tmp_path, raw=True)
    assert not re.search("float|double|malloc|int64|fast64|stdlib", text)
    assert "typedef uint8_t network_number" in text
    real = written(drawn_model(0), tmp_path, raw=True)
    assert "typedef float network_number" in real


def test_64_bits_where_the_range_needs_them(tmp_path: Path) -> None:
    model = replace(random_model((5, 3), weights="uniform:3", levels=None), span=None)
    X = np.random.default_rng(0).integers(-(2**31), 2**31, (50, 5))
    assert "int64_t network_sum" in written(model, tmp_path, raw=False)
    expected = model.network.pre_activations(model.weights, X)[-1]
    assert np.array_equal(outputs(model, tmp_path, X, raw=False), expected)


def test_the_program_refuses_lines_that_are_no_samples(tmp_path: Path) -> None:
    model = replace(random_model((9, 5, 3), levels=4), classes=("a", 'b"\\?', "ç"))
    sources = [tmp_path / "network.c", tmp_path / "main.c"]
    good = "1 " * 9 + "\n"
    for raw in (False, True):
        written(model, tmp_path, raw)
        program = build(sources, tmp_path / "program")
        X = np.ones((2, 9))
        for line, words in (
            ("1 1\n", "line 3: expected 9 numbers, found 2"),
            ("1 " * 10, "line 3: expected 9 numbers, found more"),
            ("1 x" + " 1" * 7, "line 3, number 2: expected a"),
            *([] if raw else [("0" + " 1" * 8, "line 3, number 1: expected -3 plus")]),
        ):
            ran = subprocess.run(
                [program], input=(2 * good + line).encode(), capture_output=True, timeout=60
            )
            names = [
                model.names[label] for label in model.labels(model.on_lattice(X) if raw else X)
            ]
            assert (ran.returncode, ran.stdout.decode().split()) == (2, names)
            assert ran.stderr.decode().startswith(words)


def test_a_wrong_program_is_found_before_it_is_written() -> None:
    from qnn.export.verify import ExportError

    model = random_model((9, 5, 3), levels=4)
    contents, _ = embedded_contents(model, "f")
    assert check_c(model, contents) == 1000
    other, _ = embedded_contents(random_model((9, 5, 3), levels=4, seed=1), "f")
    with pytest.raises(ExportError, match="the C program does not compute"):
        check_c(model, other)


def test_the_command_writes_it(tmp_path: Path) -> None:
    model = random_model((16, 4, 3), "relu:4", bias="auto", levels=16)
    model.save(tmp_path / "net.npz")
    words = ["export", tmp_path / "net.npz", "--inputs", "raw", "--range", "0,255"]
    result = CliRunner().invoke(cli, [*map(str, words), "--embedded", str(tmp_path / "firmware")])
    assert result.exit_code == 0, result.output
    assert "embedded C" in result.stdout
    assert sorted(path.name for path in (tmp_path / "firmware").iterdir()) == [
        "main.c", "network.c", "network.h", "reading.h",
    ]  # fmt: skip
    found = export(replace(model, raw_span=(0, 255)), embedded=tmp_path / "again", raw=True)
    assert found[-1].checked == 1000
