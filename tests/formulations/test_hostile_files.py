"""Hostile files end in an error of ours, soon and in little memory, or in what can be used."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import subprocess
import sys
import textwrap
import warnings
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from formulations import QCBO
from formulations.errors import FileAccessError, FileFormatError, QnnError
from formulations.files.archive import read_archive, write_archive
from formulations.files.bounded import bounded_read, open_regular, read_regular
from formulations.files.saved import load_weights
from formulations.files.schema import read_json
from tests.conftest import ROOT
from tests.formulations.model.test_files import FIXTURES, golden_model, golden_names
from tests.fuzzing import damaged, hostile_archive

quick = settings(
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
SEEDS = st.integers(0, 2**32)


@quick
@given(SEEDS, st.booleans())
def test_models_are_refused_or_can_be_used(tmp_path: Path, seed: int, named: bool) -> None:
    (golden_names() if named else golden_model()).save(tmp_path / "model")
    content, arrays = read_archive(tmp_path / "model", "a QCBO model")
    hostile_archive(random.Random(seed), tmp_path / "model", "a QCBO model", content, arrays)
    try:
        model = QCBO.load(tmp_path / "model")
    except QnnError as error:
        assert "model" in str(error)  # noqa: PT017 (either way is right)
        return
    zeros = np.zeros(model.num_variables, dtype=int)
    assert np.isfinite(model.objective(zeros))
    assert len(model.to_cqm().variables) == model.num_variables
    assert set(model.violations(zeros)) <= {*model.row_labels, *model.product_labels()}
    model.save(tmp_path / "again")
    assert QCBO.load(tmp_path / "again").equals(model)


@quick
@given(SEEDS)
def test_networks_are_refused_or_can_be_used(tmp_path: Path, seed: int) -> None:
    kept = ("network-v1.npz", "network-v1-integers.npz")[seed % 2]
    content, arrays = read_archive(FIXTURES / kept, "a trained network")
    path = tmp_path / "network"
    hostile_archive(random.Random(seed), path, "a trained network", content, arrays)
    try:
        network, weights = load_weights(path)
        network.predict(weights, np.zeros((2, network.widths[0]), dtype=int))
    except QnnError:
        return


@quick
@given(SEEDS)
def test_bytes_changed_at_random_are_refused_or_change_nothing(tmp_path: Path, seed: int) -> None:
    path = tmp_path / "model"
    path.write_bytes(damaged(random.Random(seed), (FIXTURES / "model-v1.npz").read_bytes()))
    try:
        assert QCBO.load(path).equals(golden_model())
    except FileFormatError as error:
        assert str(path) in str(error)  # noqa: PT017 (either way is right)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        (("sizes", "variables"), -1, "sizes.variables is -1: expected an integer of at least 0"),
        (("sizes", "variables"), 5.0, "sizes.variables is 5.0: expected an integer"),
        (("sizes", "rows"), True, "sizes.rows is True: expected an integer"),
        (("sizes", "variables"), 10**12, r"the shape of 'linear' is \(5,\): expected \(1,000,000"),
        (("offset",), "0", "offset is '0': expected a finite number"),
        (("labels",), None, "labels is None: expected a list"),
    ],
)
def test_a_field_of_another_type_is_named(
    tmp_path: Path, field: tuple[str, ...], value: object, said: str
) -> None:
    content: Any
    content, arrays = read_archive(FIXTURES / "model-v1.npz", "a QCBO model")
    inner = content
    for name in field[:-1]:
        inner = inner[name]
    inner[field[-1]] = value
    write_archive(tmp_path / "model", "a QCBO model", content, arrays)
    with pytest.raises(FileFormatError, match=f"model' is damaged .*{said}"):
        QCBO.load(tmp_path / "model")


def test_true_in_place_of_one_is_no_layer(tmp_path: Path) -> None:
    content, arrays = read_archive(FIXTURES / "network-v1.npz", "a trained network")
    content["layers"][-1]["outputs"] = True
    write_archive(tmp_path / "network", "a trained network", content, arrays)
    with pytest.raises(FileFormatError, match=r"layers\[2\].outputs is True: expected an integer"):
        load_weights(tmp_path / "network")


@pytest.mark.parametrize(
    ("name", "said"),
    [("encrypted", "is encrypted: unpack it"), ("twice", "'manifest.npy' twice"),
     ("lzma", "unsupported compression")],
)  # fmt: skip
def test_odd_zip_files_are_named(tmp_path: Path, name: str, said: str) -> None:
    data = bytearray((FIXTURES / "model-v1.npz").read_bytes())
    if name == "encrypted":
        for mark, place in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
            at = data.find(mark)
            while at >= 0:
                data[at + place] |= 1
                at = data.find(mark, at + 4)
        (tmp_path / "file").write_bytes(data)
    else:
        packing = zipfile.ZIP_LZMA if name == "lzma" else zipfile.ZIP_STORED
        with zipfile.ZipFile(tmp_path / "file", "w", packing) as archive:
            archive.writestr("manifest.npy", b"x" * 1000)
            if name == "twice":
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    archive.writestr("manifest.npy", b"y")
    with pytest.raises(FileFormatError, match=said):
        QCBO.load(tmp_path / "file")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": NaN}', "NaN is not a JSON number"),
        (b'{"a": 1e999}', "1e999 is too large"),
        (b'{"a": 1, "a": 2}', "'a' occurs twice"),
        (b"\xff\xfe{", "not text in UTF-8"),
        (b'{"a": "\x00"}', "control character"),
        (b"9" * 5000, "is not JSON"),
        (b"", "is not JSON"),
    ],
)
def test_json_that_is_none_says_why(tmp_path: Path, text: bytes, said: str) -> None:
    (tmp_path / "file").write_bytes(text)
    with pytest.raises(FileFormatError, match=said):
        read_json(tmp_path / "file")


# -- what may never end ---------------------------------------------------------------------------


def test_only_regular_files_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, said in ((tmp_path / "pipe", "a pipe"), ("/dev/zero", "a device")):
        for read in (QCBO.load, load_weights, read_json, read_regular):
            with pytest.raises(FileAccessError, match=said):
                read(path)
    with pytest.raises(FileAccessError, match="give the name of a file"):
        read_regular(3)  # type: ignore[arg-type]
    with pytest.raises(FileAccessError, match="null byte"):
        read_regular("a\0b")


def test_sizes_that_are_announced_are_held_against_what_is_there(tmp_path: Path) -> None:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        head, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)}
    )
    content, arrays = read_archive(FIXTURES / "model-v1.npz", "a QCBO model")
    write_archive(tmp_path / "file", "a QCBO model", content, arrays)
    with zipfile.ZipFile(tmp_path / "file") as old, zipfile.ZipFile(tmp_path / "bad", "w") as new:
        for name in old.namelist():
            new.writestr(name, head.getvalue() if name == "rows.data.npy" else old.read(name))
    with pytest.raises(FileFormatError, match=r"rows.data.npy' announces 8,000,000,000,000 bytes"):
        QCBO.load(tmp_path / "bad")
    packed = tmp_path / "digits.gz"
    packed.write_bytes(gzip.compress(b"1234"))
    with (
        open_regular(packed) as file,
        gzip.open(file) as inner,
        pytest.raises(FileFormatError, match="4 of 5 bytes"),
    ):
        bounded_read(inner, 5, packed)


LIMITED = """
    import gzip, io, json, resource, sys, zipfile
    import numpy as np
    from formulations import QCBO
    from formulations.files.archive import write_archive
    from formulations.files.bounded import bounded_read, open_regular, read_regular
    from formulations.errors import QnnError
    folder, size = sys.argv[1], 3 * 2**28
    zeros = bytes(2**24)
    with gzip.open(folder + "/bomb.gz", "wb", 1) as file:
        for _ in range(size // len(zeros)):
            file.write(zeros)
    head = io.BytesIO()
    shape = {"descr": "<f8", "fortran_order": False, "shape": (size // 8,)}
    np.lib.format.write_array_header_1_0(head, shape)
    with zipfile.ZipFile(folder + "/bomb.npz", "w", zipfile.ZIP_DEFLATED, True, 1) as archive:
        with archive.open("manifest.npy", "w", force_zip64=True) as file:
            file.write(head.getvalue())
            for _ in range(size // len(zeros)):
                file.write(zeros)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 2**29,) * 2)
    def unpack(count):
        with open_regular(folder + "/bomb.gz") as file, gzip.open(file) as inner:
            bounded_read(inner, count, "bomb.gz")
    for attempt in (lambda: QCBO.load(folder + "/bomb.npz"), lambda: unpack(None),
                    lambda: unpack(size), lambda: unpack(10**12)):
        try:
            attempt()
        except QnnError as error:
            print(type(error).__name__)
    # of this program alone: getrusage begins with what the process that started it has used
    peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
    print(int(peak.split()[1]) * 1024 < 2**30)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks the system for its limits")
def test_bombs_are_refused_within_a_limit_of_memory(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(LIMITED), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.stdout.split() == ["FileAccessError"] * 4 + ["True"], done.stderr


def test_a_manifest_that_a_newer_release_wrote_is_told_from_a_damaged_one(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    text = json.dumps({"format": "a QCBO model", "version": 9, "more": {}}).encode()
    np.save(buffer, np.frombuffer(text, dtype=np.uint8))
    with zipfile.ZipFile(tmp_path / "model", "w") as archive:
        archive.writestr("manifest.npy", buffer.getvalue())
    with pytest.raises(FileFormatError, match="install a newer release"):
        QCBO.load(tmp_path / "model")
