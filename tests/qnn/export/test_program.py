"""The exported C program: a line is a sample, and whatever is none is refused with its number."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from qnn.export import pack
from qnn.export.c_source import c_contents, write_with_folders
from qnn.export.verify import check_c
from tests.qnn.export.compiler import CC, NO_COMPILER, build
from tests.qnn.export.networks import drawn_model, random_model

pytestmark = pytest.mark.skipif(CC is None, reason=NO_COMPILER)

MODEL = random_model((9, 5, 3), "tanh", "ternary", levels=5)
LINE = b"0 " * 8 + b"0\n"


@pytest.fixture(scope="module", params=[False, True], ids=["levels", "raw"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("program")
    contents = c_contents(pack(MODEL, raw=request.param), folder / "c")
    write_with_folders(contents, folder / "c")
    sources = [Path(path) for path in contents if Path(path).suffix == ".c"]
    return build(sources, folder / ("raw" if request.param else "levels"))


def run(program: Path, text: bytes) -> tuple[int, list[str], str]:
    """Exit code, lines of standard output, standard error."""
    ran = subprocess.run([program], input=text, capture_output=True, timeout=60)
    assert b"runtime error" not in ran.stderr, ran.stderr
    return ran.returncode, ran.stdout.decode().split(), ran.stderr.decode()


def test_the_program_prints_labels(program: Path) -> None:
    X = np.random.default_rng(0).normal(size=(50, 9)).astype(np.float32)
    given = X if program.name == "raw" else MODEL.on_lattice(X)
    for end in ("\n", "\r\n"):
        text = end.join(" ".join(f"{v:.9g}" for v in row) for row in given)
        for last in ("", end):  # the last line may have no end
            code, labels, error = run(program, (text + last).encode())
            assert (code, labels, error) == (0, MODEL.predict(X).tolist(), "")
    assert run(program, b"") == (0, [], "")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (b"0 " * 16 + b"\n", "line 3: expected 9 numbers, found more"),
        (b"0 " * 784 + b"\n", "line 3: expected 9 numbers, found more"),
        (b"0 0 0\n" * 3, "line 3: expected 9 numbers, found 3"),
        (b"0 0 0", "line 3: expected 9 numbers, found 3"),
        (b"\n", "line 3: expected 9 numbers, found 0"),
        (b"  \r\n", "line 3: expected 9 numbers, found 0"),
        (b"0 0 x 0 0 0 0 0 0\n", "line 3, number 3: expected a"),
        (b"0,0,0,0,0,0,0,0,0\n", "line 3, number 1: expected a"),
        (b"0 0 nan 0 0 0 0 0 0\n", "line 3, number 3: expected a"),
        (b"0 -inf 0 0 0 0 0 0 0\n", "line 3, number 2: expected a"),
        (b"0x1 0 0 0 0 0 0 0 0\n", "line 3, number 1: expected a"),
        (b"0 0 0 0 0 0 0 0 1e999\n", "line 3, number 9: expected a"),
        (b"0 0 0 0 0 0 0 0 1-1\n", "line 3, number 9: expected a"),
        (b"0 0 0 0 0 0 0 0 0\0\n", "line 3, number 9: expected a"),
        (b"0 0 \x000 0 0 0 0 0 0\n", "line 3, number 3: expected a"),
        (b"\xef\xbb\xbf0 0 0 0 0 0 0 0 0\n", "line 3, number 1: expected a"),
        (b"0" * 64 + b" 0" * 8 + b"\n", "line 3, number 1: expected a"),
        (b"0" * 100_000 + b"\n", "line 3, number 1: expected a"),
    ],
    ids=range(18),
)
def test_a_line_that_is_no_sample_is_refused(program: Path, wrong: bytes, words: str) -> None:
    rest = LINE if wrong.endswith(b"\n") else b""
    code, labels, error = run(program, 2 * LINE + wrong + rest)
    assert (code, len(labels)) == (2, 2)
    assert error.startswith(words)
    assert error.count("\n") == 1


@pytest.mark.parametrize("number", ["7", "-5", "1.0", "1e0", "2147483648", "-99999999999999999999"])
def test_outside_the_trained_range(program: Path, number: str) -> None:
    """Integers off the lattice are refused; raw numbers get the lowest or the highest level."""
    code, labels, error = run(program, f"{number} 0 0 0 0 0 0 0 0\n".encode())
    if program.name == "raw":
        X = np.array([[float(number), *[0.0] * 8]], dtype=np.float32)
        assert (code, labels, error) == (0, MODEL.predict(X).tolist(), "")
    else:
        assert (code, labels) == (2, [])
        assert error.startswith("line 1")


def test_random_bytes_never_crash_it(program: Path) -> None:
    rng = np.random.default_rng(0)
    letters = np.frombuffer(b"0123456789+-.eE \t\r\n\n\0x\xff", dtype=np.uint8)
    for length in (1, 3, 20, 20, 20, 500, 500):
        text = (LINE if length % 2 else b"") + rng.choice(letters, length).tobytes()
        code, _, error = run(program, text)
        assert code in (0, 2)
        assert bool(error) == (code == 2)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_standard_output(program: Path) -> None:
    with open("/dev/full", "wb") as full:
        ran = subprocess.run([program], input=LINE, stdout=full, stderr=subprocess.PIPE)
    assert ran.returncode == 2
    assert b"standard output cannot be written to" in ran.stderr


@pytest.mark.parametrize("seed", range(5))
def test_raw_inputs_of_every_kind_of_network(seed: int) -> None:
    model = drawn_model(seed)
    assert check_c(model, c_contents(pack(model, raw=True), "folder"), raw=True) == 1000
