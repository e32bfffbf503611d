"""A folder is one run's alone: among processes, threads and forks, and after a sudden death."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from formulations.errors import FileAccessError
from solvers.run.folder_lock import FolderLock

pytest.importorskip("fcntl")
ROOT = Path(__file__).parents[3]
HOLDER = """
import sys
from solvers.run.folder_lock import FolderLock
with FolderLock(sys.argv[1], "the run"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the folder ``run``."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path / "run")]
    with subprocess.Popen(
        command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def in_thread(folder: Path) -> str:
    """What another thread is told that wants the folder; empty if it gets it."""
    told: list[str] = []

    def want() -> None:
        try:
            with FolderLock(folder, "the run"):
                told.append("")
        except FileAccessError as error:
            told.append(str(error))

    thread = threading.Thread(target=want)
    thread.start()
    thread.join()
    return told[0]


def test_another_process_is_refused_until_this_one_dies(
    holder: subprocess.Popen[str], tmp_path: Path
) -> None:
    lock = FolderLock(tmp_path / "run", "the run")
    for _ in range(2):
        with pytest.raises(FileAccessError, match="the run in .* is in use by a run that has not"):
            lock.claim()
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert (tmp_path / "run" / ".lock").exists()  # what a dead process leaves blocks nobody
    with lock:
        assert "in use" in in_thread(tmp_path / "run")


def test_another_thread_is_refused_and_does_not_free_it(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with FolderLock(folder, "the run"):
        (tmp_path / "link").symlink_to(folder)
        for place in (folder, tmp_path / "link", tmp_path / "run" / ".." / "run"):
            assert "is in use" in in_thread(place)
        with FolderLock(folder, "the run"):
            pass
        assert "is in use" in in_thread(folder)
    assert in_thread(folder) == ""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_fork_has_no_part_in_the_lock(tmp_path: Path) -> None:
    """Also one that is made while another thread is in the midst of claiming."""
    with FolderLock(tmp_path, "the run"):
        child = os.fork()
        if not child:
            try:
                FolderLock(tmp_path, "the run").claim()
            except FileAccessError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert "is in use" in in_thread(tmp_path)  # whatever the child has closed


def test_a_link_in_place_of_the_lock_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileAccessError, match="keep the run in"):
        FolderLock(tmp_path, "the run").claim()
    assert not (tmp_path / "elsewhere").exists()


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("")
    for place in (tmp_path / "run", tmp_path / "run" / "deeper", "a\0b"):
        with pytest.raises(FileAccessError, match="keep the run in"):
            FolderLock(place, "the run").claim()
