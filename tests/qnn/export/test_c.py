"""The C reader: exact, and safe on whatever it is given."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path

import numpy as np
import pytest

from qnn.export import pack, unpack
from qnn.export.verify import inputs_for
from tests.qnn.export.compiler import CC, NO_COMPILER, build
from tests.qnn.export.networks import KINDS, drawn_model, random_inputs, random_model

READER = Path(__file__).parents[3] / "qnn" / "export" / "c"

pytestmark = pytest.mark.skipif(CC is None, reason=NO_COMPILER)


@pytest.fixture(scope="module", params=[[], ["-DQNN_PORTABLE"]], ids=["", "portable"])
def check(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reader in a program that checks files, with sanitizers where the compiler has them."""
    sources = [READER / "qnn.c", Path(__file__).with_name("check.c")]
    program = tmp_path_factory.mktemp("check") / "check"
    return build(sources, program, *request.param, "-I", str(READER))


def answers(check: Path, paths: list[Path]) -> list[int]:
    """What the reader says to each file; the sanitizers end it if it does anything wrong."""
    ran = subprocess.run([check, *paths], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return [int(line) for line in ran.stdout.split()]


def test_the_c_reader_agrees_with_the_network(check: Path, tmp_path: Path) -> None:
    paths, expected = [], []
    for number, (activation, weights, bias) in enumerate(KINDS):
        widths = (19, 9, 6, 1 + number % 3) if number % 2 else (130, 17, 2)
        levels = (2, 3, 8, None)[number % 4]
        model = random_model(widths, activation, weights, bias, levels, seed=number)
        X = random_inputs(model)
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(pack(model))
        Path(f"{paths[-1]}.x").write_bytes(X.astype(np.int32).tobytes())
        expected.append(model.network.pre_activations(model.weights, X)[-1])
    assert answers(check, paths) == [0] * len(paths)
    for path, z in zip(paths, expected, strict=True):
        found = np.fromfile(f"{path}.z", dtype=np.int64).reshape(z.shape)
        assert np.array_equal(found, z), path


def test_raw_inputs_of_every_kind_of_network(check: Path, tmp_path: Path) -> None:
    models = [drawn_model(seed) for seed in range(60)]
    paths, expected = [], []
    for number, model in enumerate(models):
        X = inputs_for(model, raw=True)
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(pack(model, raw=True))
        kind = np.float32 if model.raw_span is None else np.int32
        Path(f"{paths[-1]}.x").write_bytes(X.astype(kind).tobytes())
        expected.append(model.network.pre_activations(model.weights, model.on_lattice(X))[-1])
    assert answers(check, paths) == [0] * len(paths)
    for path, z in zip(paths, expected, strict=True):
        found = np.fromfile(f"{path}.z", dtype=np.int64).reshape(z.shape)
        assert np.array_equal(found, z), path


def test_damaged_files_are_refused_by_both_readers(check: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    paths, refused = [], []
    models = [random_model((9, 5, 3), *kind, levels=5) for kind in KINDS[::8]]
    models += [random_model((9, 5, 3), levels=None), random_model((9, 5, 3), "tanh", levels=2)]
    models += [drawn_model(seed) for seed in range(15)]
    packed = [
        [pack(model, raw=bool(raw)) for raw in range(1 + (model.thresholds is not None))]
        for model in models
    ]
    for number in range(1200):
        chosen = rng.integers(len(models))
        model = models[chosen]
        data = bytearray(packed[chosen][rng.integers(len(packed[chosen]))])
        if number % 4 == 0:
            data = data[: rng.integers(len(data))]
        else:
            data[rng.integers(len(data))] ^= 1 << rng.integers(8)
        if number % 4 > 1:  # with a checksum that fits, so that the contents are looked at
            for _ in range(3):
                data[rng.integers(5, 60) % len(data)] = rng.choice([0, 1, 2, 9, 10, 127, 255])
            data[-4:] = struct.pack("<I", zlib.crc32(data[:-4]))
        paths.append(tmp_path / str(number))
        paths[-1].write_bytes(data)
        Path(f"{paths[-1]}.x").write_bytes(random_inputs(model, 4).astype(np.int32).tobytes())
        try:
            unpack(bytes(data))
            refused.append(False)
        except ValueError:
            refused.append(True)
    found = [answer in (1, 2, 3) for answer in answers(check, paths)]
    assert found == refused
    assert all(r for i, r in enumerate(refused) if i % 4 < 2)


@pytest.mark.parametrize("weights", ["bipolar", "codebook:-4,-1,1,4"])  # counted and multiplied
def test_inputs_off_the_lattice_are_refused(check: Path, tmp_path: Path, weights: str) -> None:
    model = random_model((9, 3, 1), weights=weights, levels=4)
    path = tmp_path / "net"
    path.write_bytes(pack(model))
    for wrong in (0, 5, -5, 2**31 - 1, -(2**31)):
        Path(f"{path}.x").write_bytes(np.array([1] * 8 + [wrong], dtype=np.int32).tobytes())
        assert answers(check, [path]) == [4]
        with pytest.raises(ValueError, match=r"is not -3 \+ 2 q"):
            unpack(pack(model)).outputs(np.array([[1] * 8 + [wrong]]))
