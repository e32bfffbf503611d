"""``qnn`` as a process: Ctrl-C at any time, odd streams, terminals, environments and folders."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from qnn.cli import interrupts, process
from qnn.cli import main as cli
from tests.conftest import ROOT

QNN = [sys.executable, "-m", "qnn"]
LIST = [*QNN, "list", "data"]
HERE = {**os.environ, "PYTHONPATH": str(ROOT)}
TRACEBACK = "Traceback"


def run(command: list[str], env: Mapping[str, str] | None = None, **given: Any) -> Any:
    """The finished process, with its standard output and error as text."""
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | given
    text = {"encoding": "utf-8", "errors": "replace"}
    return subprocess.run(command, env={**HERE, **(env or {})}, timeout=120, **text, **streams)


def shell(line: str, **given: Any) -> Any:
    """A line of a shell in which ``qnn`` is this program."""
    program = f'"{sys.executable}" -m qnn'
    return run(["bash", "-c", line.replace("qnn", program)], **given)


# -- streams ---------------------------------------------------------------------------------------


def test_a_closed_standard_output_is_refused_before_the_work(tmp_path: Path) -> None:
    done = shell(f"qnn list --json {tmp_path / 'names.json'} >&-")
    assert done.returncode == 2
    assert done.stderr.startswith("qnn: error: standard output is closed")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "names.json").exists()


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("qnn list data > /dev/full", 2, "No space left on device"),
        ("qnn --help > /dev/full", 2, "No space left on device"),
        ("qnn list data 1< /dev/null", 2, "Bad file descriptor"),
        ("qnn list | head -1; exit ${PIPESTATUS[0]}", 1, ""),
        ("qnn list data 2>&- <&-", 0, ""),
        ("qnn list dta 2>&-", 2, ""),
        ("qnn list dta 2> /dev/full", 2, ""),
    ],
)
def test_streams_that_do_not_take_what_is_written(line: str, code: int, words: str) -> None:
    done = shell(line)
    assert done.returncode == code
    assert words in done.stderr
    assert done.stderr.count("\n") == bool(words)


@pytest.mark.parametrize(
    "env",
    [
        {"PYTHONIOENCODING": "ascii"},
        {"PYTHONIOENCODING": "latin-1"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    ],
)
def test_a_stream_without_the_characters(env: dict[str, str]) -> None:
    done = run(LIST, env)
    assert (done.returncode, done.stderr) == (0, "")
    assert "| breast_cancer |" in done.stdout
    done = run([*QNN, "list", "é±…\udcff"], env)
    assert done.returncode == 2
    assert done.stderr.startswith("qnn: error: unknown kind of names '")


def test_characters_that_are_not_there_are_spelled() -> None:
    process.prepare()
    assert "0.3 ± 0.1 … é".encode("ascii", "spelled") == rb"0.3 +- 0.1 ... \xe9"
    assert "1 ± 2".encode("latin-1", "spelled") == "1 ± 2".encode("latin-1")


# -- terminals -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "env",
    [
        {"TERM": "dumb"},
        {"COLUMNS": "0"},
        {"COLUMNS": "1"},
        {"COLUMNS": "abc"},
        {"COLUMNS": "²", "LINES": "9" * 5000},
    ],
    ids=lambda env: " ".join(f"{name}={value[:3]}" for name, value in env.items()),
)
def test_odd_terminals(env: dict[str, str]) -> None:
    ours, theirs = pty.openpty()
    running = subprocess.Popen(
        LIST, stdin=theirs, stdout=theirs, stderr=theirs, env={**HERE, **env}
    )
    os.close(theirs)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux says that the other side is closed
            break
        if not part:
            break
        shown += part
    os.close(ours)
    assert running.wait(60) == 0
    assert b"breast_cancer" in shown
    assert b"images" in shown


# -- folders and the environment -------------------------------------------------------------------


def test_a_working_folder_that_is_gone(tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    done = shell(f"cd {tmp_path}/gone; rmdir {tmp_path}/gone; qnn list data")
    assert done.returncode == 2
    assert done.stderr.startswith("qnn: error: the working folder is not there any more")
    assert done.stderr.count("\n") == 1


def test_no_folder_for_caches() -> None:
    """Compiled functions work where neither the package nor a home can be written to."""
    script = (
        "from numba.core import caching\n"
        "kind = getattr(caching, 'CacheImpl', None) or caching._CacheImpl  # by its release\n"
        "kind._locator_classes = []  # none finds a place\n"
        "import solvers.kernels.blocks, solvers.kernels.annealing, solvers.kernels.walks\n"
        "from qnn.cli import main as cli\ncli.main(['list', 'data'])\n"
    )
    done = run([sys.executable, "-c", script])
    assert (done.returncode, done.stderr) == (0, "")


def test_an_unexpected_error_is_one_line_and_a_way_to_its_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object, **named: object) -> None:
        raise TypeError("\x1b[31mtwo\nlines")

    monkeypatch.setattr("qnn.cli.commands.list._names", fail)
    for shown in ("", "1"):
        monkeypatch.setenv("QNN_TRACEBACK", shown)
        with pytest.raises(SystemExit) as ended:
            cli.main(["list"])
        assert ended.value.code == 70
        err = capsys.readouterr().err
        assert r"qnn: error: unexpected TypeError: \x1b[31mtwo lines; this is a fault" in err
        assert (TRACEBACK in err) == bool(shown)


@pytest.mark.parametrize(
    "error",
    [MemoryError("7 PiB"), RecursionError("too deep"), OSError(5, "Input/output error", "disk")],
)
def test_errors_with_a_cause_outside_are_refusals(
    error: Exception, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*given: object, **named: object) -> None:
        raise error

    monkeypatch.setattr("qnn.cli.commands.list._names", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main(["list"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


# -- Ctrl-C ----------------------------------------------------------------------------------------


READY = (
    "import os\nfrom qnn import __main__ as program\nfrom qnn.cli import interrupts\n"
    "interrupts.heed_interrupts()\nos.write(1, b'.')\nprogram.main()"
)
"""The program, which tells when it has begun: before, Ctrl-C is the interpreter's own."""


@pytest.mark.parametrize("seconds", [0, 0.005, 0.02, 0.1, 0.3, 0.6, 1])
def test_interrupt_at_any_time_is_one_line(seconds: float) -> None:
    command = [sys.executable, "-c", READY, "train", "digits", "--inputs", "16", "--hidden", "9-9"]
    with subprocess.Popen(
        [*command, "--iterations", "1000000", "--solver", "qcgd"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=HERE,
    ) as running:
        assert running.stdout is not None
        assert running.stdout.read(1) == "."
        time.sleep(seconds)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=60)
    assert TRACEBACK not in err
    if out:
        assert running.returncode == 0
        assert "interrupted" in out
    else:
        assert running.returncode == interrupts.INTERRUPTED
        assert err == "qnn: interrupted before there was a result\n"


FIRST = "import sys, qnn.__main__; print(*sys.modules)"


def test_nearly_nothing_is_imported_before_ctrl_c_is_heeded() -> None:
    """What is loaded until then adds to the time in which Ctrl-C is a traceback."""
    done = run([sys.executable, "-S", "-c", FIRST])  # without what an environment loads anyway
    loaded = set(done.stdout.split())
    assert {name for name in loaded if name.startswith("qnn")} == {
        "qnn", "qnn.__main__", "qnn.cli", "qnn.cli.interrupts",
    }  # fmt: skip
    slow = {"argparse", "contextlib", "importlib.metadata", "lazy_loader", "numpy", "re", "typing"}
    assert not loaded & slow


LOST = """
import ctypes, time
from qnn.cli import interrupts

interrupts.heed_interrupts()

@ctypes.CFUNCTYPE(None)
def called_from_c():
    raise KeyboardInterrupt

with interrupts.interruptible():
    try:
        called_from_c()
        time.sleep(20)
    except KeyboardInterrupt:
        print("heard")
"""


def test_an_interrupt_within_a_call_from_c_is_not_lost() -> None:
    done = run([sys.executable, "-c", LOST])
    assert (done.stdout, done.stderr) == ("heard\n", "")


def test_interrupts_that_are_ignored_stay_ignored() -> None:
    script = "trap '' INT; qnn list data & sleep 0.01; kill -INT $!; wait $!"
    done = shell(script)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("error", [KeyboardInterrupt, cli.click.Abort])
def test_interrupt_within_a_command(
    error: type[BaseException], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*given: object, **named: object) -> None:
        raise error

    monkeypatch.setattr("qnn.cli.commands.list._names", interrupt)
    with pytest.raises(SystemExit) as ended:
        cli.main(["list"])
    assert ended.value.code == interrupts.INTERRUPTED
    assert capsys.readouterr().err == "qnn: interrupted before there was a result\n"
