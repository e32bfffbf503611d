"""Checkpoints that are damaged, and what happens when saving fails or the process is killed."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.errors import FileFormatError
from formulations.files import archive
from formulations.files.archive import read_archive, write_archive
from solvers import Progress
from solvers.run.checkpoint import CHECKPOINT, FILE, CheckpointWarning
from solvers.run.result import Status
from solvers.weight_annealing import WeightAnnealing
from tests.solvers.run.test_checkpoint import MAKERS, ROOT, begun, content, noise, stop_after

# -- files that are damaged or foreign ------------------------------------------------------------


def test_a_damaged_checkpoint_is_refused_wherever_the_damage_is(tmp_path: Path) -> None:
    solver = begun(tmp_path)
    path = tmp_path / FILE
    whole = path.read_bytes()
    rng = np.random.default_rng(0)
    for size in [0, 1, 40, len(whole) // 2, len(whole) - 1]:
        path.write_bytes(whole[:size])
        with pytest.raises(FileFormatError, match=FILE):
            solver.solve(noise())
    unharmed = content(WeightAnnealing(flips=200, callbacks=(stop_after(4),)).solve(noise()))
    for place in rng.integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place] ^= 0x20
        path.write_bytes(damaged)
        try:  # a bit that decides nothing, as a time stamp in the archive, may go unseen
            result = WeightAnnealing(
                flips=200, checkpoint=tmp_path, callbacks=(stop_after(4),)
            ).solve(noise())
        except FileFormatError:
            continue
        assert content(result) == unharmed


def rewritten(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change a checkpoint's content, leaving it a sound file."""
    saved, arrays = read_archive(folder / FILE, CHECKPOINT)
    change(saved)
    write_archive(folder / FILE, CHECKPOINT, saved, arrays)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda c: c.update(layout=99), "another release"),
        (lambda c: c["snapshot"]["mapping"].pop("incumbent"), "KeyError"),
        (lambda c: c["snapshot"]["mapping"]["loop"]["mapping"].pop("rng"), "KeyError"),
        (lambda c: c["snapshot"]["mapping"].update(history={"array": "gone"}), "damaged"),
        (lambda c: c.pop("identity"), "expected 'identity' too"),
    ],
)
def test_content_that_does_not_fit_is_refused(
    change: Callable[[dict[str, Any]], Any], named: str, tmp_path: Path
) -> None:
    solver = begun(tmp_path)
    rewritten(tmp_path, change)
    with pytest.raises(FileFormatError, match=named):
        solver.solve(noise())


def test_a_newer_or_foreign_file_is_refused(tmp_path: Path) -> None:
    solver = begun(tmp_path)
    saved, arrays = read_archive(tmp_path / FILE, CHECKPOINT)
    write_archive(tmp_path / FILE, CHECKPOINT, saved, arrays, version=archive.VERSION + 1)
    with pytest.raises(FileFormatError, match="newer release"):
        solver.solve(noise())
    noise().qcbo().save(tmp_path / FILE)
    with pytest.raises(FileFormatError, match="expected a checkpoint"):
        solver.solve(noise())
    with zipfile.ZipFile(tmp_path / FILE, "w") as file:
        file.writestr("something", "else")
    with pytest.raises(FileFormatError, match="manifest"):
        solver.solve(noise())


def test_what_an_older_release_wrote_is_refused_by_name(tmp_path: Path) -> None:
    """Layout 1 knows less of a run than is needed to go on."""
    shutil.copy(ROOT / "tests" / "fixtures" / "checkpoint-v1.npz", tmp_path / FILE)
    problem = TrainingProblem(Network.dense([2, 1]), [[1, -1], [1, 1]], [1, -1])
    with pytest.raises(FileFormatError, match=r"another release \(layout 1, here 2\)"):
        WeightAnnealing(flips=40, checkpoint=tmp_path).solve(problem)


# -- saving that fails ----------------------------------------------------------------------------


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
@pytest.mark.parametrize("reason", [errno.ENOSPC, errno.EACCES, errno.EIO])
def test_a_run_survives_a_disk_that_fills_up(
    call: str, reason: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make, problem = MAKERS["annealing"], noise()
    genuine = getattr(os, call)

    def failing(*arguments: Any, **options: Any) -> Any:
        if call == "open" and not str(arguments[0]).endswith(".tmp"):
            return genuine(*arguments, **options)
        raise OSError(reason, os.strerror(reason))

    def fill(progress: Progress) -> None:
        if progress.iteration == 5:
            monkeypatch.setattr(archive.os, call, failing)

    kept = {"checkpoint": tmp_path, "checkpoint_every": 0}
    with pytest.warns(CheckpointWarning, match="goes on without a new checkpoint"):
        result = make(**kept, callbacks=(fill,)).solve(problem)
    failure = result.info.pop("checkpoint_failure")
    assert FILE in failure
    assert content(result) == content(make().solve(problem))  # nothing is lost
    monkeypatch.undo()
    assert sorted(os.listdir(tmp_path)) == [".lock", FILE]
    seen: list[Progress] = []
    again = make(**kept, callbacks=(seen.append,)).solve(problem)
    assert seen[0].iteration == 5  # the checkpoint before the failure is whole
    assert content(again) == content(result)


def test_a_disk_that_has_space_again_is_used_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    def change(progress: Progress) -> None:
        if progress.iteration == 5:
            monkeypatch.setattr(archive.os, "fsync", full)
        if progress.iteration == 8:
            monkeypatch.undo()

    solver = WeightAnnealing(
        flips=200, checkpoint=tmp_path, checkpoint_every=0, callbacks=(change,)
    )
    with pytest.warns(CheckpointWarning):
        result = solver.solve(noise())
    assert "checkpoint_failure" not in result.info
    saved, _ = read_archive(tmp_path / FILE, CHECKPOINT)
    assert saved["snapshot"]["mapping"]["status"] == "finished"


def test_ctrl_c_while_saving(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make, problem = MAKERS["annealing"], noise()
    genuine, calls = os.replace, []

    def interrupted(*arguments: Any) -> None:
        calls.append(1)
        if len(calls) == 6:
            raise KeyboardInterrupt
        genuine(*arguments)

    monkeypatch.setattr(archive.os, "replace", interrupted)
    kept = {"checkpoint": tmp_path, "checkpoint_every": 0}
    assert make(**kept).solve(problem).status is Status.INTERRUPTED
    assert content(make(**kept).solve(problem)) == content(make().solve(problem))


# -- SIGKILL --------------------------------------------------------------------------------------

WORKER = """
import os, signal, sys
from formulations.files import archive, writing
from tests.solvers.run.test_checkpoint import MAKERS, noise

name, folder, call, number = sys.argv[1:]
calls = []

def dies(genuine, first=lambda *arguments: None):
    def wrapped(*arguments):
        calls.append(1)
        if len(calls) == int(number):
            first(*arguments)
            os.kill(os.getpid(), signal.SIGKILL)
        return genuine(*arguments)
    return wrapped

class Half:
    def __init__(self, file):
        self.fileno, self.flush, self.close = file.fileno, file.flush, file.close
        self.write = dies(file.write, lambda b: os.write(file.fileno(), bytes(b)[: len(b) // 2]))

create = writing._Staged._create
if call == "write":
    writing._Staged._create = lambda *arguments: Half(create(*arguments))
else:
    setattr(archive.os, call, dies(getattr(os, call)))
MAKERS[name](checkpoint=folder, checkpoint_every=0).solve(noise())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
@pytest.mark.parametrize(
    ("name", "call", "number"),
    [
        ("annealing", "write", 3),  # half of the file is written
        ("enumerated-blocks", "fsync", 3),  # all of it
        ("straight-through", "replace", 1),  # and not yet in its place, the first one
    ],
)
def test_killed_while_saving(name: str, call: str, number: int, tmp_path: Path) -> None:
    worker = subprocess.run(
        [sys.executable, "-c", WORKER, name, str(tmp_path), call, str(number)], cwd=ROOT
    )
    assert worker.returncode == -signal.SIGKILL
    assert [path for path in tmp_path.iterdir() if path.suffix == ".tmp"]
    result = MAKERS[name](checkpoint=tmp_path).solve(noise())
    assert content(result) == content(MAKERS[name]().solve(noise()))
    assert sorted(os.listdir(tmp_path)) == [".lock", FILE]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_at_random_moments(tmp_path: Path) -> None:
    """A few; benchmarks/sigkill.py does fifty."""
    code = (
        "import sys; from tests.solvers.run.test_checkpoint import *; print('begun', flush=True);"
        "WeightAnnealing(flips=400_000, checkpoint=sys.argv[1], checkpoint_every=0).solve(noise())"
    )
    rng = np.random.default_rng(0)
    whole = WeightAnnealing(flips=400_000).solve(noise())
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE
        ) as worker:
            assert worker.stdout is not None
            worker.stdout.readline()
            time.sleep(rng.uniform(0, whole.seconds))
            worker.kill()
    kept = WeightAnnealing(flips=400_000, checkpoint=tmp_path).solve(noise())
    assert content(kept) == content(whole)


ORPHANS = """
import time
from solvers.run.executors import Team

def wait(model, argument):
    time.sleep(0.1)
    return __import__("os").getpid()

with Team([1, 2], executor="processes", workers=2) as team:
    while True:
        print(*team.ask(wait, [(0, 1), (1, 1)]), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "getppid"), reason="no parents on this system")
def test_worker_processes_end_with_a_killed_parent(tmp_path: Path) -> None:
    (tmp_path / "team.py").write_text(ORPHANS)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, tmp_path / "team.py"], env=environment, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        workers = [int(word) for word in parent.stdout.readline().split()]
        parent.kill()
    until = time.monotonic() + 10
    while any(_alive(worker) for worker in workers):
        assert time.monotonic() < until
        time.sleep(0.1)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{process}/stat")  # dead, but nobody has asked yet how it ended
    return not (status.exists() and status.read_text().rsplit(")", 1)[1].split()[0] == "Z")
