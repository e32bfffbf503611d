"""Reading of files that may be hostile: sizes are checked before memory is allocated.

Only regular files are opened, since a pipe or a device may never end.  A size announced by a header
is compared with the bytes that are present and with the free memory before any data are read.
"""

from __future__ import annotations

import errno
import gzip
import io
import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from os import PathLike
from typing import IO, Any, BinaryIO

import numpy as np

from formulations.arrays import Array
from formulations.errors import FileAccessError, FileFormatError

# -- errors ---------------------------------------------------------------------------------------


def access_error(verb: str, path: str | PathLike[str], error: OSError) -> FileAccessError:
    """Convert ``error`` into one that names the path, the reason and the remedy."""
    folder = os.path.dirname(os.path.abspath(path))
    remedies = {
        errno.ENOSPC: "no space is left on the device; free some or choose another folder",
        errno.EDQUOT: "the disk quota is used up; free some space or choose another folder",
        errno.EACCES: "no permission; change it or choose another place",
        errno.EPERM: "no permission; change it or choose another place",
        errno.EROFS: "the file system is read-only; choose another place",
        errno.EISDIR: "it is a folder; give the name of a file",
        errno.ENOENT: f"there is no folder {folder!r}; make it first or choose another place"
        if not os.path.isdir(folder)
        else "there is no such file; check the name",
    }
    reason = remedies.get(error.errno or 0)
    if reason is None:
        reason = f"{error.strerror or error}; check the path and the disk, or choose another place"
    return FileAccessError(f"cannot {verb} {os.fspath(path)!r}: {reason}")


def damaged(path: str | PathLike[str], detail: str) -> FileFormatError:
    """Return the error for a file that is truncated or was changed after it was written."""
    return FileFormatError(
        f"{os.fspath(path)!r} is damaged or truncated ({detail}): copy it again from its source, "
        "or save it again"
    )


# -- memory ---------------------------------------------------------------------------------------


def available_memory() -> int | None:
    """Return the bytes of memory that this process can still allocate, or None if unknown.

    The minimum of the machine's free memory, what is left of the process's own limit
    (``ulimit -v``), and what is left of the limit of its control group (containers).
    """
    free = [_machine_free(), _process_free(), _group_free()]
    return min((bytes for bytes in free if bytes is not None), default=None)


def _machine_free() -> int | None:
    try:
        with open("/proc/meminfo", encoding="ascii") as file:
            for line in file:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _process_free() -> int | None:
    try:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        if limit == resource.RLIM_INFINITY:
            return None
        with open("/proc/self/statm", encoding="ascii") as file:
            return max(0, limit - int(file.read().split()[0]) * resource.getpagesize())
    except (ImportError, OSError, ValueError):
        return None


def _group_free() -> int | None:
    try:
        with open("/sys/fs/cgroup/memory.max", encoding="ascii") as file:
            most = int(file.read())  # "max" means no limit
        with open("/sys/fs/cgroup/memory.stat", encoding="ascii") as file:
            used = {line.split()[0]: int(line.split()[1]) for line in file}
        # the kernel frees cached pages of files when memory is requested
        return max(0, most - used["anon"] - used.get("kernel", 0))
    except (OSError, ValueError, KeyError, IndexError):
        return None


def refuse_if_too_much(path: str | PathLike[str], announced: int, what: str = "it") -> None:
    """Refuse to read content that would take more than half of the free memory.

    Parameters
    ----------
    path : path-like
        For the message.
    announced : int
        Bytes of memory that the content takes once it is read.
    what : str
        Name of the content, for the message.

    Raises
    ------
    FileAccessError
        With the numbers.

    Examples
    --------
    >>> refuse_if_too_much("small.npz", 1000)
    >>> refuse_if_too_much("bomb.npz", 8 * 10**15, "'X'")
    Traceback (most recent call last):
    formulations.errors.FileAccessError: cannot read 'bomb.npz': 'X' takes 7,450,580.6 GiB ...
    """
    free = available_memory()
    least = 2**26  # bytes that may always be read, whatever the system reports as free
    if announced > least and free is not None and announced > free / 2:
        raise FileAccessError(
            f"cannot read {os.fspath(path)!r}: {what} takes {announced / 2**30:,.1f} GiB of "
            f"memory, and at most half of the {free / 2**30:,.1f} GiB that are free may be taken; "
            "check where the file comes from, make it smaller, or free memory"
        )


# -- files ----------------------------------------------------------------------------------------


@contextmanager
def open_regular(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """Open a regular file for reading bytes.

    Raises
    ------
    FileAccessError
        If it is a pipe, a device or a folder, or cannot be opened or read.

    Examples
    --------
    >>> with open_regular("/dev/zero") as file:
    ...     pass
    Traceback (most recent call last):
    formulations.errors.FileAccessError: cannot read '/dev/zero': it is a device, ...
    """
    try:
        # without O_NONBLOCK, opening a pipe without a writer would block
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise access_error("read", path, error) from error
    except (TypeError, ValueError) as error:  # another type, or a zero byte in the name
        raise FileAccessError(f"cannot read {path!r}: {error}; give the name of a file") from error
    try:
        with open(descriptor, "rb") as file:
            mode = os.fstat(descriptor).st_mode
            if stat.S_ISDIR(mode):
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(mode):
                kind = "a pipe" if stat.S_ISFIFO(mode) else "a device"
                raise FileAccessError(
                    f"cannot read {os.fspath(path)!r}: it is {kind}, which may never end; save its "
                    "content to a file first"
                )
            yield file
    except FileAccessError:
        raise
    except OSError as error:
        raise access_error("read", path, error) from error


def read_regular(path: str | PathLike[str], memory: float = 1.0) -> bytes:
    """Return the bytes of a regular file.

    Parameters
    ----------
    path : path-like
    memory : float
        Bytes of memory that each byte of the file takes once it is parsed.

    Raises
    ------
    FileAccessError
        If it cannot be read, is not a regular file, or does not fit in memory.
    """
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        refuse_if_too_much(path, int(size * memory))
        return bounded_read(file, None, path)


def bounded_read(file: IO[bytes], count: int | None, path: str | PathLike[str]) -> bytes:
    """Read exactly as many bytes of a stream as are announced; the stream may decompress.

    Memory is allocated as the bytes arrive, not as they are announced.

    Parameters
    ----------
    file : binary file
        A plain file, or one that decompresses (gzip, a member of an archive).
    count : int or None
        Announced number of bytes; None reads to the end, as long as memory allows.
    path : path-like
        For the message.

    Raises
    ------
    FileAccessError
        If memory does not suffice.
    FileFormatError
        If fewer bytes arrive than are announced, or the compressed data are damaged.

    Examples
    --------
    >>> import gzip
    >>> packed = gzip.open(io.BytesIO(gzip.compress(b"1234")))
    >>> bounded_read(packed, 3, "digits.gz")
    b'123'
    >>> bounded_read(packed, 3, "digits.gz")
    Traceback (most recent call last):
    formulations.errors.FileFormatError: 'digits.gz' is damaged or truncated (1 of 3 bytes ...
    """
    return _read(file, count, path).getvalue()


def _read(file: IO[bytes], count: int | None, path: str | PathLike[str]) -> io.BytesIO:
    data, chunk = io.BytesIO(), 2**22
    if count is not None:
        refuse_if_too_much(path, count)
    try:
        while count is None or data.tell() < count:
            part = file.read(chunk if count is None else min(chunk, count - data.tell()))
            if not part:
                break
            data.write(part)
            if count is None:
                refuse_if_too_much(path, 2 * data.tell(), "what is unpacked so far")
    except (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile) as error:
        raise damaged(path, str(error)) from error
    except MemoryError:
        raise FileAccessError(
            f"cannot read {os.fspath(path)!r}: memory ran out after {data.tell():,} bytes; check "
            "where the file comes from, make it smaller, or free memory"
        ) from None
    if count is not None and data.tell() < count:
        raise damaged(path, f"{data.tell():,} of {count:,} bytes are present")
    return data


# -- NPY and NPZ ----------------------------------------------------------------------------------


class ArchiveReader:
    """The members of an NPZ or ZIP file, each checked before it is read.

    Parameters
    ----------
    data : bytes
        The whole file.
    path : path-like
        For messages.

    Raises
    ------
    FileFormatError
        If it is damaged, encrypted, or holds two members with the same name.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> np.savez(file, x=np.arange(3))
    >>> archive = ArchiveReader(file.getvalue(), "x.npz")
    >>> archive.head("x.npy"), archive.array("x.npy").tolist()
    (((3,), dtype('int64')), [0, 1, 2])
    """

    def __init__(self, data: bytes, path: str | PathLike[str]) -> None:
        self.path, self.members = path, dict[str, zipfile.ZipInfo]()
        try:
            self._archive = zipfile.ZipFile(io.BytesIO(data))
        except Exception as error:  # BadZipFile, struct.error, ValueError, NotImplementedError, ...
            raise damaged(path, str(error)) from error
        for member in self._archive.infolist():
            if member.filename in self.members:
                raise damaged(path, f"it holds {member.filename!r} twice")
            if member.flag_bits & 1:
                raise FileFormatError(
                    f"{os.fspath(path)!r} is encrypted: unpack it with its password and give the "
                    "plain file"
                )
            self.members[member.filename] = member
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise damaged(path, f"{member.filename!r} uses an unsupported compression method")
            # deflate expands one byte to at most 1032
            if member.file_size > 1032 * (member.compress_size + 16):
                raise damaged(
                    path,
                    f"{member.filename!r} announces {member.file_size:,} bytes in "
                    f"{member.compress_size:,}",
                )

    def head(self, member: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
        """Return the shape and the type of an array without reading its numbers."""
        with self._open(member) as file:
            shape, _, kind, _ = self._head(file, member)
        return shape, kind

    def array(self, member: str) -> Array:
        """Return an array whose header fits the bytes that are present."""
        with self._open(member) as file:
            shape, fortran, kind, count = self._head(file, member)
            data = _read(file, count, self.path)
            if file.read(1):  # reading to the end makes zipfile compare the checksum
                raise damaged(self.path, f"{member!r} does not end where it should")
        array = np.frombuffer(data.getbuffer(), dtype=kind)
        return array.reshape(shape[::-1]).T if fortran else array.reshape(shape)

    def _head(
        self, file: IO[bytes], member: str
    ) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
        """Return shape, order, type and bytes of an array that is as long as its header says."""
        shape, fortran, kind, start = npy_head(file, self.path, member)
        count, there = prod(shape) * kind.itemsize, self.members[member].file_size - start
        if count != there:
            raise damaged(
                self.path, f"{member!r} announces {count:,} bytes of numbers and holds {there:,}"
            )
        return shape, fortran, kind, count

    @contextmanager
    def _open(self, member: str) -> Iterator[IO[bytes]]:
        try:
            with self._archive.open(self.members[member]) as file:
                yield file
        except (FileFormatError, FileAccessError):
            raise
        except Exception as error:  # zipfile and zlib raise a dozen types of exceptions
            raise damaged(self.path, str(error)) from error


def npy_head(
    file: IO[bytes], path: str | PathLike[str], name: str
) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Read the header of an NPY stream: shape, order and type of the array, and header length.

    Raises
    ------
    FileFormatError
        If it is not one, or if its array holds Python objects, which would need unpickling.
    """
    try:
        version = np.lib.format.read_magic(file)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, fortran, kind = read(file, 2**16)  # longest header accepted, in bytes
    except Exception as error:  # NumPy evaluates the header as Python text, which raises many types
        raise damaged(path, f"{name!r}: {error}") from error
    if kind.hasobject or kind.itemsize == 0 or any(length < 0 for length in shape):
        raise damaged(path, f"{name!r} announces {kind} of shape {shape}: expected numbers")
    return shape, fortran, kind, file.tell()
