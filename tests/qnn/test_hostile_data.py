"""Data files that are odd, damaged or hostile: refused by name, in bounded time and memory."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import formulations
import qnn
from formulations.errors import FileAccessError, FileFormatError, InvalidInputError, QnnError
from qnn.cli.values import levels as cli_levels
from qnn.cli.values import samples as cli_samples
from qnn.data.csv_reader import read_csv
from qnn.data.datasets import load
from qnn.data.levels import level_thresholds, on_levels, span_of
from qnn.data.readers import make_source, read_idx, read_npz
from tests.conftest import ROOT


def csv_of(folder: Path, text: str | bytes) -> Path:
    path = folder / "data.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


# -- CSV -----------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "classes"),
    [
        ("1,01\n2,02\n", ["01", "02"]),  # such as postal codes
        ("1,9007199254740992\n2,9007199254740993\n", ["9007199254740992", "9007199254740993"]),
        ("1,10\n2,9\n", ["9", "10"]),
        ("1,1.0\n2,2.0\n", ["1", "2"]),
        ("1,0.5\n2,10.5\n", ["0.5", "10.5"]),
        ("1,1e30\n2,2e30\n", ["1e30", "2e30"]),
        ("1,y\n2,n\n3,y\n", ["n", "y"]),  # no header, although a class is called y
        ('"a","class"\n1,"x ""y"" z"\n2, "b,c"\n', ["b,c", 'x "y" z']),
        ("\ufeffu,v,label\r\n1,2,a\r\n\r\n3,4,b\r\n", ["a", "b"]),
        ("1,2,a\r3,4,b\r", ["a", "b"]),
    ],
)
def test_labels_are_told_apart_as_the_file_does(
    tmp_path: Path, text: str, classes: list[str]
) -> None:
    assert list(load(csv_of(tmp_path, text), samples="all", levels=2).classes) == classes


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("1,1\n2,01\n", "'01' and '1' are two spellings"),
        ("1,1\n2,1.0\n", "two spellings"),
        ("1,0.5\n2,.5\n", "two spellings"),
        ('1,"a\n2,b\n', "line 2: unexpected end of data"),
        ('1,"a\n2,b"\n3,c\n', "is a quote left open"),
        ("1,2024-01-31,a\n2,2024-02-01,b\n", "'2024-01-31' is not a number"),
        ("1+2j,2,a\n3,4,b\n", "is not a number"),
        ("2024-01-31,a\n1,b\n2,c\n", "line 1: '2024-01-31' is not a number"),
        ("NA,a\n1,b\n2,c\n", "line 1: 'NA' is not a number"),
        ("1_000,a\n2,b\n", "is not a number"),
        ("\u0661,5,a\n2,5,b\n", "is not a number"),
        ("0x10,5,a\n2,5,b\n", "is not a number"),
        ("9007199254740993,a\n2,b\n", "beyond 2^53"),
        ("1;a\n2;b\n", "put commas in place of the semicolons"),
        ("1\ta\n2\tb\n", "put commas in place of the tabs"),
        ("u,u,label\n1,2,a\n3,4,b\n", "columns 1 and 2 are both called 'u'"),
        (",u,label\n0,2,a\n1,4,b\n", "column 1 has the name ''"),
        ("u,y,class\n1,2,a\n3,4,b\n", "each of the columns 'y' and 'class' may be the label"),
        ("1,,a\n3,4,b\n", "'' is not a number"),
        ("1,NA,a\n3,4,b\n", "'NA' is not a number"),
        ("1,a\n2,\x1b[31mb\n", "is a quote left open"),
        ("1," + "x" * 300 + "\n2,b\n", "at most 256 letters"),
        ("1," + "x" * 200_000 + "\n2,b\n", "field larger than field limit"),
        ("a,b\nc,d\n", "'c' is not a number"),
        (b"1,\xe9\n2,b\n", "not a CSV file in UTF-8 (byte 0xe9"),
        ("1,a\n2,b\n".encode("utf-16"), "text in UTF-16"),
        (b"1,a\n2,b\x00\n", "it has NUL bytes"),
        (gzip.compress(b"1,a\n2,b\n"), "it is a gzip file"),
        (b"PK\x03\x04....", "it is a ZIP or NPZ file"),
        (b"\n\n", "is empty"),
        (b"\xef\xbb\xbf", "is empty"),
    ],
)
def test_csv_that_could_be_read_in_two_ways(tmp_path: Path, text: str | bytes, words: str) -> None:
    with pytest.raises((InvalidInputError, FileFormatError)) as error:
        load(csv_of(tmp_path, text))
    assert words in str(error.value)


CELLS = st.one_of(
    st.integers(-5, 5).map(str),
    st.floats().map(str),
    st.sampled_from(["", "y", "class", '"', '""', '"a', "1e999", "nan", "01", "\x00", "\t", "\r"]),
    st.text(max_size=4),
)


@pytest.mark.filterwarnings("error")
@given(
    st.lists(st.lists(CELLS, min_size=1, max_size=4).map(",".join), max_size=6).map("\n".join),
    st.sampled_from(["utf-8", "utf-16", "latin-1"]),
)
@settings(max_examples=150)
def test_any_csv_is_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: str, coding: str
) -> None:
    path = csv_of(tmp_path_factory.getbasetemp(), text.encode(coding, "replace"))
    try:
        source = read_csv(path)
    except QnnError:
        return
    assert source.X.shape[0] == len(source.y)
    assert source.y.dtype.kind in "iufU"


# -- NPZ, IDX -----------------------------------------------------------


def npz_bytes(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


NPZ = npz_bytes(X=np.arange(24.0).reshape(6, 4), y=np.arange(6) % 2)
IDX = bytes([0, 0, 8, 3]) + np.array([3, 2, 2], dtype=">u4").tobytes() + bytes(12)


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"X": np.ones((2, 2)) * 1j, "y": [0, 1]}, "of type complex128, not numbers"),
        ({"X": np.zeros((2, 2), "M8[D]"), "y": [0, 1]}, "of type datetime64"),
        ({"X": np.full((2, 2), 2**60), "y": [0, 1]}, "beyond 2^53"),
        ({"X": np.ones((2, 2)), "y": [0, 1j]}, "labels of type complex128"),
        ({"X": np.ones((2, 2)), "y": np.array(["2026-01-01"] * 2, "M8[D]")}, "labels of type date"),
        ({"X": np.ones((2, 2)), "y": [1.0, 1e30]}, "label 1e+30 in row 2"),
        ({"X": np.ones((2, 2)), "y": ["a", "\x1b[2J"]}, "letters that can be printed"),
        ({"X": np.ones((2, 2)), "y": ["a", " "]}, "every sample needs one"),
        ({"X": np.ones(()), "y": [0, 1]}, "inputs X of shape ()"),
        ({"X": np.ones((2, 0)), "y": [0, 1]}, "at least one sample and one column"),
        (
            {
                "X_train": np.ones((2, 2)),
                "y_train": [0],
                "X_test": np.ones((1, 2)),
                "y_test": [0] * 2,
            },
            "one for each row",
        ),
        (
            {"X_train": [[1]], "y_train": ["a"], "X_test": [[1]], "y_test": [0]},
            "expected one type",
        ),
    ],
)
def test_arrays_that_are_no_data(tmp_path: Path, arrays: dict[str, Any], words: str) -> None:
    (tmp_path / "a.npz").write_bytes(npz_bytes(**arrays))
    with pytest.raises((InvalidInputError, FileFormatError)) as error:
        load(tmp_path / "a.npz")
    assert words in str(error.value)


def test_a_file_is_what_its_bytes_say(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones((2, 2)))
    (tmp_path / "one.npy").rename(tmp_path / "one.npz")
    with pytest.raises(FileFormatError, match="NPY file of one array"):
        load(tmp_path / "one.npz")
    for name, content in (("a-idx3-ubyte.gz", IDX), ("b-idx3-ubyte", gzip.compress(IDX))):
        (tmp_path / name).write_bytes(content)
        assert read_idx(tmp_path / name).shape == (3, 2, 2)


@pytest.mark.parametrize("whole", [NPZ, IDX, gzip.compress(IDX, mtime=0)], ids=["npz", "idx", "gz"])
@given(data=st.data())
@settings(max_examples=80)
def test_rewritten_files_are_read_or_refused(
    tmp_path_factory: pytest.TempPathFactory, whole: bytes, data: st.DataObject
) -> None:
    content = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for _ in range(data.draw(st.integers(0, 3))):
        if content:
            content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = tmp_path_factory.getbasetemp() / "fuzzed"
    path.write_bytes(content)
    try:
        found = read_npz(path).X if whole is NPZ else read_idx(path)
    except QnnError:
        return
    assert found.size


def bombs(folder: Path) -> list[Path]:
    """Small files that announce, or unpack to, far more than memory."""
    zeros = gzip.compress(bytes(2**26))
    head = bytes([0, 0, 8, 3]) + np.array([10**6, 10**3, 10**3], dtype=">u4").tobytes()
    honest = bytes([0, 0, 8, 1]) + np.array([4], dtype=">u4").tobytes() + bytes(4)
    (folder / "a-idx3-ubyte").write_bytes(head)
    (folder / "b-idx3-ubyte.gz").write_bytes(gzip.compress(head) + zeros * 40)
    (folder / "c-idx3-ubyte.gz").write_bytes(gzip.compress(honest) + zeros * 40)
    npy = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        npy, {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
    )
    for name, content in (("d.npz", npy.getvalue()), ("e.npz", npy.getvalue() + bytes(2**26))):
        with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("X.npy", content)
            archive.writestr("y.npy", content)
    return sorted(folder.iterdir())


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")
def test_bombs_and_pipes_end_in_bounded_time_and_memory(tmp_path: Path) -> None:
    files = bombs(tmp_path)
    for name in ("f-idx3-ubyte", "g.csv", "h.npz"):
        os.mkfifo(tmp_path / name)
        files.append(tmp_path / name)
    (tmp_path / "i.csv").symlink_to("/dev/zero")
    files.append(tmp_path / "i.csv")
    for path in files:
        if "idx3" in path.name:
            labels = path.name.replace("images-", "").replace("idx3", "idx1").removesuffix(".gz")
            (tmp_path / labels).write_bytes(IDX)
    code = (
        "import resource, sys\n"
        "from qnn.data.readers import read_idx, read_npz\n"
        "from qnn.data.csv_reader import read_csv\n"
        "from pathlib import Path\n"
        "from formulations.errors import QnnError\n"
        "used = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + 2**29,) * 2)\n"
        "for name in sys.argv[1:]:\n"
        "    kinds = {'.csv': read_csv, '.npz': read_npz}\n"
        "    try:\n"
        "        kinds.get(Path(name).suffix, read_idx)(Path(name))\n"
        "    except QnnError as error:\n"
        "        print(type(error).__name__, Path(name).name)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, files)],
        capture_output=True, text=True, timeout=60, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == len(files), done.stdout


def test_pipes_are_refused_by_name(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(FileAccessError, match="it is a pipe"):
        load(tmp_path / "pipe.csv")
    with pytest.raises(InvalidInputError, match="is a folder"):
        load(tmp_path)


# -- arguments -----------------------------------------------------------

ARGUMENTS = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 3), st.floats(), st.text(max_size=6),
    st.binary(max_size=3), st.sampled_from([object(), [1], (2,), {3}, 1j, np.nan, 2**70, load]),
    st.sampled_from(["all", "keep", "a\0b.csv", "x" * 5000 + ".csv", "/", ".", "digits:", ":a"]),
)  # fmt: skip


@pytest.mark.filterwarnings("error")
@given(
    st.sampled_from(["spec", "samples", "inputs", "levels", "seed", "target", "data_dir"]),
    ARGUMENTS,
)
@settings(max_examples=60)
def test_arguments_of_any_kind_are_read_or_refused(name: str, value: Any) -> None:
    options = {"spec": "iris", "samples": 60, name: value}
    try:
        data = load(options.pop("spec"), **options)
    except QnnError:
        return
    assert data.num_inputs == 4


def test_one_check_of_samples_and_levels_for_the_command_and_the_library() -> None:
    assert np.array_equal(load("iris", samples="all").X_train, load("iris").X_train)
    whole = load("digits", levels="keep", samples="all")
    assert np.array_equal(whole.X_train, load("digits", levels=None).X_train)
    for check, word in ((cli_samples, "all"), (cli_levels, "keep")):
        assert check(word) is None
        assert check("7") == 7
        for bad in ("1", "1.5", "none", ""):
            with pytest.raises(InvalidInputError, match=f"an integer .*or '{word}'"):
                check(bad)
    with pytest.raises(InvalidInputError, match="samples='some'.*or 'all'"):
        load("iris", samples="some")


def test_values_that_integers_or_levels_cannot_hold(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", X=[[1e30], [0.0], [1.0], [2.0]], y=[0, 1, 0, 1])
    with pytest.raises(InvalidInputError, match=r"value 1e\+30 in row 1, column 1 is beyond 2\^31"):
        load(tmp_path / "a.npz", levels=None)
    assert load(tmp_path / "a.npz", samples=4, levels=2).X_train.ravel().tolist() == [1, -1, -1, 1]
    with pytest.raises(InvalidInputError, match="scale them first"):
        level_thresholds([[1e308], [-1e308]], 4)
    for bad in (True, 1.5, 0, "2"):
        with pytest.raises(InvalidInputError, match="levels="):
            level_thresholds([[1.0], [2.0]], bad)  # type: ignore[arg-type]
    assert span_of([0, 2**31]) == (0, 2**31, 1)
    ends = on_levels([[-1e300], [1e300]], level_thresholds([[1.0], [2.0], [3.0]], 3))
    assert ends.ravel().tolist() == [-1, 1]
    with pytest.raises(InvalidInputError, match="type object"):
        make_source("mine", [[10**400]], [1])


# -- names -----------------------------------------------------------


def test_every_public_name_is_listed_and_there() -> None:
    packages = ("qnn", "formulations", "solvers.oracles", "solvers")
    code = (
        "from importlib import import_module\n"
        f"for name in {packages}:\n"
        "    module = import_module(name)\n"
        "    listed = dir(module)\n"
        "    assert set(module.__all__) <= set(listed), (name, listed)\n"
    )  # in a new process, for here most of them have been loaded
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)
    for module in map(import_module, packages):
        assert all(hasattr(module, public) for public in dir(module))


def test_the_version_is_that_of_the_distribution() -> None:
    assert qnn.__version__.split(".")[0].isdigit()
    with pytest.raises(AttributeError, match="versions"):
        qnn.versions  # noqa: B018
    assert "QCBO" in dir(formulations)
