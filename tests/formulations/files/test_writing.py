"""Files written whole or not at all: pipes and devices keep their place, several go together."""

from __future__ import annotations

import errno
import os
import stat
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulations import Network
from formulations.errors import FileAccessError, InvalidInputError
from formulations.files.saved import save_weights
from formulations.files.writing import atomic_write, check_distinct, write_together
from formulations.network.network import Weights

NET, WEIGHTS = Network.dense([2, 1]), Weights((np.array([[1, -1]]),), (None,), ())
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices of POSIX")


def fifo(folder: Path) -> Path:
    os.mkfifo(folder / "pipe")
    return folder / "pipe"


def device(folder: Path) -> Path:
    """A device of our own where that is allowed, since one of the system's must not be at risk."""
    try:
        os.mknod(folder / "full", stat.S_IFCHR | 0o666, os.makedev(1, 7))
    except OSError as error:
        pytest.skip(f"cannot make a device here: {error}")
    return folder / "full"


@pytest.mark.parametrize("make", [fifo, device])
@pytest.mark.parametrize("through_link", [False, True])
def test_a_pipe_or_a_device_is_refused_and_keeps_its_place(
    make: Any, through_link: bool, tmp_path: Path
) -> None:
    place = make(tmp_path)
    kind = stat.S_IFMT(place.stat().st_mode)
    given_ = place
    if through_link:
        given_ = tmp_path / "link"
        given_.symlink_to(place)
    before = sorted(os.listdir(tmp_path))
    with pytest.raises(FileAccessError, match=rf"cannot write '{given_}': it is a (pipe|device)"):
        save_weights(NET, WEIGHTS, given_)
    assert stat.S_IFMT(os.lstat(place).st_mode) == kind
    assert sorted(os.listdir(tmp_path)) == before


def test_standard_output_is_not_replaced_by_its_device_name() -> None:
    for name in ("/dev/stdout", "/dev/null", "/dev/full", "/dev/fd/0"):
        if os.path.exists(name) and not os.path.isfile(name):
            with pytest.raises(FileAccessError, match="only regular files"), atomic_write(name):
                pass


@given(st.text(max_size=6))
def test_no_name_of_a_file_ends_in_a_traceback(name: str) -> None:
    place = f"/nowhere-at-all/{name}\0"
    with pytest.raises(FileAccessError), atomic_write(place):
        pass


def test_a_chain_of_links_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(FileAccessError, match="cannot write"), atomic_write(tmp_path / "a"):
        pass
    assert (tmp_path / "a").is_symlink()


# -- several files --------------------------------------------------------------------------------


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("call", ["write", "fsync", "open"])
def test_of_several_files_none_is_written_if_one_cannot_be(
    failing: int, call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [tmp_path / name for name in "abc"]
    places[0].write_bytes(b"before")
    contents: dict[Any, bytes] = dict.fromkeys(places, b"x")
    if call == "write":
        places[failing] = tmp_path / "missing" / "folder"
        contents = dict.fromkeys(places, b"x")
    else:
        genuine, calls = getattr(os, call), []

        def full(*given_: Any, **more: Any) -> Any:
            calls.append(1)
            if len(calls) == failing + 1:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return genuine(*given_, **more)

        monkeypatch.setattr(os, call, full)
    with pytest.raises(FileAccessError):
        write_together(contents)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_bytes() == b"before"


def test_if_renaming_fails_halfway_the_error_names_what_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, calls = os.replace, []

    def once(*names: Any) -> None:
        calls.append(names)
        if len(calls) > 1:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        genuine(*names)

    monkeypatch.setattr(os, "replace", once)
    with pytest.raises(FileAccessError, match=r"cannot write .*b': .*; written: .*/a$"):
        write_together({tmp_path / "a": b"1", tmp_path / "b": b"2"})
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_one_file_by_two_names_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "dangling").symlink_to("c")
    (tmp_path / "folder").mkdir()
    for pair in (("a", "a"), ("a", "link"), ("c", "dangling"), ("c", "folder/../c")):
        with pytest.raises(InvalidInputError, match="each output a file of its own"):
            check_distinct([tmp_path / name for name in pair])
    with pytest.raises(InvalidInputError, match="is given twice"):
        write_together({tmp_path / "x": b"", str(tmp_path / "x"): b""})
    check_distinct([tmp_path / "a", tmp_path / "b"])
