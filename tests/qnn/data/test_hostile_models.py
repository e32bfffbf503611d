"""Model files that are damaged, cut off, or announce more than they hold are read or refused."""

from __future__ import annotations

import gzip
import lzma
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from formulations.errors import FileFormatError
from qnn.data.models import read_model_file

OPB = b"* #variable= 4 #constraint= 2\nmin: +2 x1 x2 -3 ~x3 x1 x4 ;\n+1 x1 +2 x2 x3 >= 2;\n" \
      b"3 x1 -5 ~x4 = 100000000000000000000;\n"  # fmt: skip
MPS = b"NAME m\nOBJSENSE\n MAX\nROWS\n N f\n L one\n E two\nCOLUMNS\n M1 'MARKER' 'INTORG'\n" \
      b" x f -1 one 1\n y f -2 one 1\n M2 'MARKER' 'INTEND'\nRHS\n r one 1\nRANGES\n r two -3\n" \
      b"BOUNDS\n UP b x 3\n BV b y\nQUADOBJ\n x y 2\nQCMATRIX one\n x x 1\nENDATA\n"  # fmt: skip
QPLIB = b"two\nQGQ\nmaximize\n2\n1\n1\n2 1 -4\n1.0\n1\n1 3\n0.5\n1\n1 2 2 1\n1\n1 1 2\n1E20\n" \
        b"-1E20\n0\n5\n0\n0\n0\n3\n0\n1\n1\n2 2\n0\n0\n0\n0\n0\n0\n1\n1 first\n0\n"  # fmt: skip
GOOD = {"opb": OPB, "mps": MPS, "qplib": QPLIB}

FUZZ = """
import gzip, lzma, random, sys
from pathlib import Path
from formulations.errors import QnnError
from qnn.data.models import read_model_file
from tests.fuzzing import damaged
rng = random.Random(1)
for path in map(Path, sys.argv[1:]):
    content = path.read_bytes()
    read_model_file(path)
    for _ in range(300):
        changed = damaged(rng, content)
        if rng.random() < 0.5:  # words and numbers in other places
            words = content.split(b" ")
            i, j = rng.randrange(len(words)), rng.randrange(len(words))
            odd = [words[j], b"-1", b"1e400", b"nan", b"99999999999999", b"~", b";"]
            words[i] = rng.choice(odd)
            changed = b" ".join(words)
        path.write_bytes(changed)
        try:
            read_model_file(path)
        except QnnError:
            pass
"""


def limited(script: str, *paths: Path) -> subprocess.CompletedProcess[str]:
    """A script in a process with 4 GiB of memory and two minutes."""
    return subprocess.run(
        [sys.executable, "-c", script, *map(str, paths)],
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**32, 2**32)),
    )


def test_damaged_files_are_read_or_refused(tmp_path: Path) -> None:
    paths = []
    for kind, content in GOOD.items():
        paths.append(tmp_path / f"model.{kind}")
        paths[-1].write_bytes(content)
    for ending, pack in ((".gz", gzip.compress), (".xz", lzma.compress)):
        paths.append(tmp_path / f"model.opb{ending}")
        paths[-1].write_bytes(pack(OPB))
    done = limited(FUZZ, *paths)
    assert done.returncode == 0, done.stderr[-2000:]


READ = """
import sys
from formulations.errors import QnnError
from qnn.data.models import read_model_file
try:
    read_model_file(sys.argv[1])
except QnnError as error:
    print(error)
"""


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".xz", lzma.compress)])
def test_bombs_are_refused_before_memory_ends(tmp_path: Path, ending: str, pack: object) -> None:
    path = tmp_path / f"model.opb{ending}"
    path.write_bytes(pack(b"min: +1 x1;" + b" " * 2**28))  # type: ignore[operator]
    started = time.perf_counter()
    done = limited(READ, path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "GiB" in done.stdout
    assert time.perf_counter() - started < 60.0


@pytest.mark.parametrize(
    ("kind", "content", "words"),
    [
        ("opb", b"", "it is empty"),
        ("opb", b"min: +1 x1", "cut off, the last ';' is missing"),
        ("opb", OPB.replace(b"#constraint= 2", b"#constraint= 999999999999"), "announces 9999"),
        ("opb", b"min: x1;", "expected an integer in front of it"),
        ("opb", b"+1 x1 >= 1 x2;", "expected an integer and ';' after"),
        ("opb", b"min: 1 x1;\n1 x1;", "line 2.*a relation in each constraint"),
        ("opb", b"min: 1 x1 >= 2;", "no relation in the objective"),
        ("opb", b"1 x1 => 2;", "expected >=, <= or ="),
        ("opb", b"1.5 x1 >= 2;", "'1.5': expected an integer"),
        ("opb", b"min: 1 x1;\n[7] 1 x1 >= 2;", "soft constraints"),
        ("opb", b"soft: 6;\n[7] 1 x1 >= 2;", "soft constraints"),
        ("opb", b"1 3x >= 2;", "expected an integer"),
        ("opb", b"100000000000000000000000001 x1 1 x2 >= 1;", "constraint 1 have no common"),
        ("opb", b"1 x1 >= 1;\0", "byte 0x00 is no text"),
        ("mps", b"", "ends without ENDATA"),
        ("mps", MPS[:-8], "ends without ENDATA"),
        ("mps", MPS.replace(b"'MARKER' 'INTORG'", b"'MARKER' 'SOSORG'"), "SOSORG"),
        ("mps", b"ROWS\n N f\nCOLUMNS\n x f 1\nENDATA\n", "continuous, the first is 'x'"),
        ("mps", MPS.replace(b"BV", b"SC"), "bound 'SC' is not read"),
        ("mps", MPS.replace(b"UP b x 3", b"UP b z 3"), "'z' is no column"),
        ("mps", MPS.replace(b"QUADOBJ", b"SOS1"), "section 'SOS1' is not read"),
        ("qplib", b"", "ends where a name"),
        ("qplib", QPLIB.replace(b"QGQ", b"QCQ"), "expected a place and a name|continuous|number"),
        ("qplib", b"n\nQBN\nminimize\n999999999999999\n0\n", "GiB"),
        ("qplib", b"n\nQBN\nminimize\n2\n999999999999\n1 1 2\n", "are announced and 1 are left"),
        ("qplib", QPLIB.replace(b"2 1 -4", b"3 1 -4"), "expected places of at most"),
        ("qplib", QPLIB.replace(b"2 1 -4", b"2 one -4"), "line 7.*2 places and a number"),
        ("qplib", QPLIB.replace(b"maximize", b"max"), "expected minimize or maximize"),
    ],
)
def test_the_line_and_the_reason_are_told(
    tmp_path: Path, kind: str, content: bytes, words: str
) -> None:
    path = tmp_path / f"model.{kind}"
    path.write_bytes(content)
    with pytest.raises((FileFormatError, OSError), match=words):
        read_model_file(path)
