"""Nothing that was computed or paid for is lost without a word: full disks, locks, outputs."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formulations.errors import FileAccessError, InvalidInputError
from qnn import export as exports
from qnn.cli import console
from qnn.runs import resume
from qnn.runs.output import check_outputs
from solvers.run import checkpoint
from solvers.run.folder_lock import FolderLock

ROOT = Path(__file__).parents[2]
Run = Callable[..., tuple[int, str, str]]
QUICK: list[object] = ["train", "digits:3,8", "--inputs", 4, "--samples", 20, "--hidden", 2]
QUICK += ["--iterations", 3, "--reads", 2, "--sweeps", 20, "--flips", 500]
ENDED = ("interrupted", "optimal")
MODEL = """Minimize
 obj: - x - 2 y - z
Subject To
 cap: x + y + z <= 2
Binary
 x y z
End
"""

pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Path]:
    """A folder whose disk gets full after so many files."""
    folder = tmp_path / "full"
    folder.mkdir()
    genuine = os.fsync

    def arrange(after: int = 0) -> Path:
        left = [after]

        def fsync(descriptor: int) -> None:
            name = os.readlink(f"/proc/self/fd/{descriptor}")
            if name.startswith(f"{folder}/"):
                left[0] -= 1
                if left[0] < 0:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            genuine(descriptor)

        monkeypatch.setattr(os, "fsync", fsync)
        return folder

    return arrange


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model.lp").write_text(MODEL)
    return tmp_path / "model.lp"


# -- full disks ------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["train", "solve"])
def test_what_cannot_be_saved_is_shown_all_the_same(
    command: str, run: Run, full: Callable[..., Path], model: Path, tmp_path: Path
) -> None:
    words = [*QUICK, "--solver", "annealing"] if command == "train" else ["solve", model]
    folder = full()
    code, out, err = run(*words, "--save", folder / "net.npz", "--json", tmp_path / "out.json")
    assert code == 2
    assert "train loss" in out or "objective" in out
    assert err.count("no space is left") == 1
    assert "net.npz" in err
    assert json.loads((tmp_path / "out.json").read_text())["status"] in ("finished", "optimal")
    code, out, err = run(*words, "--save", folder / "a", "--json", folder / "b")
    assert code == 2
    assert "train loss" in out or "objective" in out
    assert f"{folder}/a" in err
    assert f"{folder}/b" in err
    assert os.listdir(folder) == []


def test_a_record_on_a_full_disk_is_refused_before_anything_is_asked(
    run: Run, full: Callable[..., Path], model: Path
) -> None:
    code, out, err = run("solve", model, "--record", full() / "record")
    assert (code, out) == (2, "")
    assert "cannot keep a record in" in err
    assert "no space" in err


@pytest.mark.parametrize(("iterations", "expected"), [(1, 2), (5, 3)])
@pytest.mark.parametrize("command", ["train", "solve"])
def test_a_record_whose_disk_gets_full_ends_the_run_with_what_it_has(
    command: str,
    iterations: int,
    expected: int,
    run: Run,
    full: Callable[..., Path],
    model: Path,
    tmp_path: Path,
) -> None:
    """After one question the answer is used, and it is told in the end that it is not kept."""
    words = [*QUICK, "--solver", "qcgd"] if command == "train" else ["solve", model]
    words = [*words, "--iterations", iterations, "--json", tmp_path / "out.json"]
    folder = full(after=1)  # there is room when the run begins
    code, out, err = run(*words, "--record", folder / "record")
    assert "train loss" in out or "objective" in out
    assert "no space is left" in err + out.replace("\n", " ")
    assert code == (2 if command == "solve" else expected)  # one question solves the model
    assert (tmp_path / "out.json").exists()
    assert not list((tmp_path / "full" / "record").glob("*.npz"))


def test_a_comparison_that_cannot_be_kept_is_shown_and_told(
    run: Run, full: Callable[..., Path], tmp_path: Path
) -> None:
    words = ["compare", "iris:0,1", "--samples", 20, "--hidden", 2, "--solvers", "random"]
    words += ["--seeds", 2, "--iterations", 2, "--reads", 2]
    code, out, err = run(*words, "--keep", full(after=1), "--json", tmp_path / "out.json")
    assert code == 2
    assert "train loss" in out
    assert "2 of 2 runs are not kept" in err
    assert len(json.loads((tmp_path / "out.json").read_text())["cells"]) == 2


def test_a_folder_that_goes_away_while_running_costs_no_result(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = checkpoint.Checkpoint.save

    def save(self: checkpoint.Checkpoint, snapshot: Any) -> None:
        for name in os.listdir(self.folder) if self.folder.exists() else ():
            (self.folder / name).unlink()
        if self.folder.exists():
            self.folder.rmdir()
        genuine(self, snapshot)

    monkeypatch.setattr(checkpoint.Checkpoint, "save", save)
    code, out, err = run(*QUICK, "--solver", "annealing", "--checkpoint", tmp_path / "run")
    assert code == 0
    assert "train loss" in out
    assert "goes on without a new checkpoint" in err


def test_ctrl_c_while_writing_costs_no_result(tmp_path: Path) -> None:
    calls = []

    def write() -> None:
        calls.append(1)
        if len(calls) == 1:
            raise KeyboardInterrupt
        (tmp_path / "a").write_text("whole")

    console.deliver(None, {}, files={str(tmp_path / "a"): write})
    assert (tmp_path / "a").read_text() == "whole"

    def never() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        console.deliver(None, {}, files={str(tmp_path / "b"): never})


def test_a_closed_standard_output_costs_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Closed:
        encoding = "utf-8"

        def write(self, text: str) -> int:
            raise BrokenPipeError

        def flush(self) -> None: ...
        def isatty(self) -> bool:
            return False

    monkeypatch.setattr(sys, "stdout", Closed())
    with pytest.raises((BrokenPipeError, SystemExit)):
        console.deliver(str(tmp_path / "out.json"), {"a": 1}, lambda: sys.stdout.write("x"))
    assert json.loads((tmp_path / "out.json").read_text()) == {"a": 1}


def test_a_run_that_is_asked_to_end_writes_its_result(tmp_path: Path) -> None:
    words = ["train", "digits:3,8", "--solver", "annealing", "--flips", 10**9, "--inputs", 16]
    words += ["--checkpoint", tmp_path / "run", "--checkpoint-every", 0.1]
    command = [sys.executable, "-m", "qnn", *map(str, words), "--json", tmp_path / "out.json"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
        state, seen = tmp_path / "run" / checkpoint.FILE, set[int]()
        while len(seen) < 3 and process.poll() is None:  # by then there is a result to keep
            seen |= {state.stat().st_mtime_ns} if state.exists() else set()
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert json.loads((tmp_path / "out.json").read_text())["status"] in ENDED


# -- two processes --------------------------------------------------------------------------------


def test_a_refused_second_run_leaves_the_first_as_it_is(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process is played by another thread, which has the folder just the same."""
    import threading

    folder = tmp_path / "run"
    asked = resume.Asked(
        "annealing", resume.DataOptions("iris"), resume.ModelOptions(), resume.SolverOptions()
    )
    taken, done = threading.Event(), threading.Event()

    def first() -> None:
        with resume.kept(asked, str(folder)):
            taken.set()
            done.wait(60)

    other = threading.Thread(target=first)
    other.start()
    try:
        assert taken.wait(60)
        before = {name: (folder / name).read_bytes() for name in os.listdir(folder)}
        code, out, err = run(*QUICK, "--solver", "annealing", "--checkpoint", folder)
        assert (code, out) == (2, "")
        assert "is in use by a run that has not ended" in err
        assert {name: (folder / name).read_bytes() for name in os.listdir(folder)} == before
    finally:
        done.set()
        other.join()
    assert resume.read(str(folder)) == asked


def test_a_second_comparison_in_a_folder_leaves_the_plan_of_the_first(
    run: Run, tmp_path: Path
) -> None:
    words = ["compare", "iris:0,1", "--samples", 20, "--hidden", 2, "--solvers", "random"]
    words += ["--seeds", 1, "--iterations", 2, "--reads", 2, "--keep", tmp_path / "runs"]
    assert run(*words)[0] == 0
    before = (tmp_path / "runs" / "comparison.json").read_bytes()
    import threading

    taken, done = threading.Event(), threading.Event()

    def first() -> None:
        with FolderLock(tmp_path / "runs", "the comparison"):
            taken.set()
            done.wait(60)

    other = threading.Thread(target=first)
    other.start()
    try:
        assert taken.wait(60)
        code, _, err = run(*words, "--seed", 7)
        assert code == 2
        assert "the comparison in" in err
        assert "in use" in err
    finally:
        done.set()
        other.join()
    assert (tmp_path / "runs" / "comparison.json").read_bytes() == before


# -- one file for two things ----------------------------------------------------------------------


def test_an_output_that_takes_anothers_place_is_refused_before_the_work(
    run: Run, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", X=rng.integers(0, 2, (30, 4)), y=rng.integers(0, 2, 30))
    (tmp_path / "link.json").symlink_to("a.json")
    (tmp_path / "results.json").write_text("{}")
    (tmp_path / "net").mkdir()
    cases = [
        ("train iris --json a --save a", "given twice"),
        ("train iris --json a --save ./a", "are one file"),
        ("train iris --json a.json --save link.json", "are one file"),
        ("train data.npz --save data.npz", "it is read"),
        ("train data.npz:0,1 --json data.npz", "it is read"),
        ("train iris --solver annealing --checkpoint r --json r/run.json", "keeps its own"),
        ("train iris --solver annealing --checkpoint r --save ./r/checkpoint.npz", "keeps its own"),
        ("train iris --save -", "standard output"),
        ("solve model.lp --save model.lp", "it is read"),
        ("solve model.lp --json a --save a", "given twice"),
        ("solve model.lp --save -", "standard output"),
        ("compare iris --json a.md --report a.md", "given twice"),
        ("compare data.npz --json data.npz", "it is read"),
        ("compare iris --keep k --json k/comparison.json", "keeps its own"),
        ("report results.json --markdown results.json", "it is read"),
        ("report results.json --markdown a --json a", "given twice"),
        ("export net.npz --packed a --onnx a", "given twice"),
        ("export net.npz --packed a --c a", "given twice"),
        ("export net.npz --c net --packed net/qnn.c", "given twice"),
        ("reproduce explicit --json a --report a", "given twice"),
    ]
    before = sorted(os.listdir(tmp_path))
    for folder in ("r", "k"):
        (tmp_path / folder).mkdir()
    for words, told in cases:
        code, out, err = run(*words.split())
        assert (code, out) == (2, ""), words
        assert told in err, words
    (tmp_path / "r").rmdir()  # and so is empty
    (tmp_path / "k").rmdir()
    assert sorted(os.listdir(tmp_path)) == before


def test_the_file_that_standard_output_goes_to_is_refused(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with open(tmp_path / "out", "w") as file:
        kept = os.dup(1)
        os.dup2(file.fileno(), 1)
        try:
            with pytest.raises(FileAccessError, match="it is where standard output goes"):
                check_outputs([tmp_path / "out"])
        finally:
            os.dup2(kept, 1)
            os.close(kept)


# -- exports --------------------------------------------------------------------------------------


def trained() -> exports.TrainedModel:
    from formulations import Network
    from formulations.network.network import Weights

    weights = Weights((np.array([[1, -1]]),), (None,), ())
    return exports.TrainedModel(Network.dense([2, 1]), weights, span=(-1, 1, 2))


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_an_export_of_several_forms_is_whole_or_not_there(
    after: int, full: Callable[..., Path]
) -> None:
    folder = full(after)
    with pytest.raises(FileAccessError, match="no space"):
        exports.export(trained(), packed=folder / "a.qnnp", c=folder / "deep" / "c")
    assert os.listdir(folder) == []


def test_an_export_to_one_place_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="given twice"):
        exports.export(trained(), packed=tmp_path / "a", c=tmp_path / "a")
    assert os.listdir(tmp_path) == []
