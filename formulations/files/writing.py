"""Atomic writing of one file or of several together.

Only regular files are replaced; a pipe or a device is refused by name.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from secrets import token_hex
from typing import BinaryIO

from formulations.errors import FileAccessError, InvalidInputError
from formulations.files.bounded import access_error

Path = str | PathLike[str]


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a binary file that replaces ``path`` only if the block ends without an error.

    The bytes go to a temporary file in the same folder, which is flushed to the disk and renamed.
    After any error ``path`` is unchanged and the temporary file is removed.

    Raises
    ------
    FileAccessError
        For any failure of the file system, naming the path, the reason and the remedy, and if
        ``path`` is a pipe, a device or a folder.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "note.txt"
    >>> with atomic_write(path) as file:
    ...     _ = file.write(b"whole or not at all")
    >>> path.read_bytes()
    b'whole or not at all'
    """
    staged = _Staged(path)
    with staged.prepared():
        yield staged.file
    with staged.prepared():
        staged.finish()
        staged.replace()


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files atomically, or none of them if one cannot be written.

    All bytes are on the disk, in temporary files, before the first file is renamed.

    Raises
    ------
    InvalidInputError
        If two paths are the same file.
    FileAccessError
        As :func:`atomic_write`; if renaming fails halfway, which is unlikely, the error names the
        files that have been written.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> folder = pathlib.Path(tempfile.mkdtemp())
    >>> write_together({folder / "a": b"1", folder / "missing" / "b": b"2"})
    Traceback (most recent call last):
    formulations.errors.FileAccessError: cannot write '.../missing/b': there is no folder ...
    >>> list(folder.iterdir())
    []
    """
    check_distinct(contents)
    staged: list[_Staged] = []
    written: list[str] = []
    try:
        for path, content in contents.items():
            one = _Staged(path)
            staged.append(one)
            with one.prepared():
                one.file.write(content)
                one.finish()
        for one in staged:
            try:
                with one.prepared():
                    one.replace()
            except FileAccessError as error:
                if written:
                    raise FileAccessError(f"{error}; written: {', '.join(written)}") from error
                raise
            written.append(os.fspath(one.path))
    except BaseException:
        for one in staged:
            one.discard()
        raise


def check_regular(path: Path) -> None:
    """Refuse an existing path that is not a regular file, before anything is written to it.

    Raises
    ------
    FileAccessError
        For a folder, a pipe, a device, a circular link, or an invalid name.

    Examples
    --------
    >>> check_regular("/dev/null")
    Traceback (most recent call last):
    formulations.errors.FileAccessError: cannot write '/dev/null': it is a device, and only...
    """
    try:
        mode = os.stat(path).st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise access_error("write", path, error) from error
    except (TypeError, ValueError) as error:  # another type, or a zero byte in the name
        raise FileAccessError(f"cannot write {path!r}: {error}; give the name of a file") from error
    if stat.S_ISDIR(mode):
        raise access_error("write", path, IsADirectoryError(errno.EISDIR, os.strerror(21)))
    if not stat.S_ISREG(mode):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a device"
        kind = "a socket" if stat.S_ISSOCK(mode) else kind
        raise FileAccessError(
            f"cannot write {os.fspath(path)!r}: it is {kind}, and only regular files can be "
            "written atomically; give the name of a file"
        )


def check_no_link(path: Path) -> None:
    """Refuse a link in place of a file of a folder of runs: it may lead out of the folder.

    Raises
    ------
    FileAccessError
    """
    if os.path.islink(path):
        raise FileAccessError(
            f"cannot use {os.fspath(path)!r}: it is a link to {os.readlink(path)!r}, and a "
            "folder of runs keeps its files itself; remove the link, or choose another folder"
        )


def check_distinct(paths: Mapping[Path, object] | list[Path]) -> None:
    """Refuse two paths that lead to the same file, even if they are spelled differently.

    Raises
    ------
    InvalidInputError
        Naming both.

    Examples
    --------
    >>> check_distinct(["a", "b"])
    >>> check_distinct(["a", "./a"])
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: './a' and 'a' are one file: ...
    """
    seen: dict[object, Path] = {}
    for path in paths:
        key = file_identity(path)
        if key in seen:
            first, second = os.fspath(path), os.fspath(seen[key])
            said = (
                f"{first!r} is given twice"
                if first == second
                else (f"{first!r} and {second!r} are one file")
            )
            raise InvalidInputError(f"{said}: give each output a file of its own")
        seen[key] = path


def file_identity(path: Path) -> object:
    """Return a key that is equal for two paths if and only if they lead to the same file."""
    try:
        found = os.stat(path)
        return found.st_dev, found.st_ino
    except (OSError, ValueError, TypeError):
        with suppress(OSError, ValueError, TypeError):
            return os.path.realpath(path)
        return path


class _Staged:
    """A temporary file in the folder of the file that it will replace."""

    def __init__(self, path: Path) -> None:
        check_regular(path)
        self.path = path
        self.target = os.path.realpath(path)  # a link is kept, and its target replaced
        self.folder, name = os.path.split(self.target)
        self.temporary = os.path.join(self.folder, f".{name[:100]}.{token_hex(8)}.tmp")
        with self.prepared():
            self.file = self._create()

    @contextmanager
    def prepared(self) -> Iterator[None]:
        """Remove the temporary file after any error, and make the error name the path."""
        try:
            yield
        except BaseException as error:
            self.discard()
            if isinstance(error, OSError) and not isinstance(error, FileAccessError):
                raise access_error("write", self.path, error) from error
            raise

    def _create(self) -> BinaryIO:
        """Create the file with the permissions of the target, or the defaults if there is none."""
        descriptor = os.open(self.temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with suppress(OSError):
            os.chmod(self.temporary, os.stat(self.target).st_mode & 0o7777)
        return open(descriptor, "wb")

    def finish(self) -> None:
        """Flush all bytes to the disk."""
        try:
            self.file.flush()
            os.fsync(self.file.fileno())
        finally:
            self.file.close()

    def replace(self) -> None:
        """Replace the target, durably if the system supports it."""
        check_regular(self.path)
        os.replace(self.temporary, self.target)
        with suppress(OSError):
            descriptor = os.open(self.folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def discard(self) -> None:
        """Remove the temporary file."""
        with suppress(OSError, AttributeError):
            self.file.close()
        with suppress(OSError):
            os.unlink(self.temporary)
