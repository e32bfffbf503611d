"""Files: what is left when writing fails, and places that cannot be written or read."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from formulations.errors import FileAccessError, QnnError
from formulations.files import archive, bounded, writing
from formulations.files.saved import load_qcbo, load_weights
from formulations.files.writing import atomic_write

FIXTURES = Path(__file__).parents[2] / "fixtures"
MODEL = load_qcbo(FIXTURES / "model-v1.npz")


class FullDisk(io.FileIO):
    """A file on a device that has room for ``room`` more bytes."""

    room = 0

    def write(self, data: object, /) -> int:
        view = memoryview(data)  # type: ignore[arg-type]
        if len(view) > self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= len(view)
        return super().write(view)


@pytest.mark.parametrize("before", [None, b"what was there"])
def test_a_full_disk_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bytes | None
) -> None:
    size = (FIXTURES / "model-v1.npz").stat().st_size
    path = tmp_path / "model"
    if before is not None:
        path.write_bytes(before)
    for room in range(0, size - 200, 97):

        def full(descriptor: int, mode: str, room: int = room) -> io.BufferedWriter:
            raw = FullDisk(descriptor, mode)
            raw.room = room
            return io.BufferedWriter(raw, 64)  # many small writes

        monkeypatch.setattr(writing, "open", full, raising=False)
        with pytest.raises(FileAccessError, match=r"cannot write .*model': no space .*free some"):
            MODEL.save(path)
        assert [p.name for p in tmp_path.iterdir()] == (["model"] if before else [])
        assert before is None or path.read_bytes() == before


@pytest.mark.parametrize("call", ["open", "fsync", "replace", "chmod"])
@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "no space"),
        (errno.EACCES, "no permission"),
        (errno.EROFS, "read-only"),
        (errno.EDQUOT, "quota"),
        (errno.EIO, "Input/output error; check"),
    ],
)
def test_each_call_that_fails_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int, message: str
) -> None:
    path = tmp_path / "model"
    path.write_bytes(b"what was there")

    def fail(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(archive.os, call, fail)
        if call == "chmod":  # a file system without permissions is no reason to fail
            MODEL.save(path)
        else:
            with pytest.raises(FileAccessError, match=rf"cannot write .*{message}"):
                MODEL.save(path)
    assert [p.name for p in tmp_path.iterdir()] == ["model"]
    assert (path.read_bytes() == b"what was there") == (call != "chmod")


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interruption_leaves_what_was_there(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "notes"
    path.write_bytes(b"before")

    def interrupted() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert path.read_bytes() == b"before"
    assert [p.name for p in tmp_path.iterdir()] == ["notes"]


def test_places_that_cannot_be_written_are_named(tmp_path: Path) -> None:
    model = MODEL
    with pytest.raises(FileAccessError, match=r"cannot write .*: it is a folder; give the name"):
        model.save(tmp_path)
    with pytest.raises(FileAccessError, match=r"there is no folder '.*missing'; make it first"):
        model.save(tmp_path / "missing" / "model")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(FileAccessError, match=r"cannot write .*file/model"):
        model.save(tmp_path / "file" / "model")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind root"
)
def test_a_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(FileAccessError, match="no permission"):
        MODEL.save(tmp_path / "model")


def test_places_that_cannot_be_read_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(FileAccessError, match=r"cannot read .*no such file; check the name"):
        load_qcbo(tmp_path / "missing")
    with pytest.raises(FileAccessError, match="it is a folder"):
        load_weights(tmp_path)

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(bounded.os, "open", forbidden)
    with pytest.raises(FileAccessError, match="no permission") as caught:
        load_qcbo(tmp_path / "missing")
    assert isinstance(caught.value, QnnError)
    assert isinstance(caught.value, OSError)


def test_links_and_permissions_are_kept(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link.symlink_to(target)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640
