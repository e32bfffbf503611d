"""The container of every file: an npz archive with a JSON manifest, written whole or not at all.

The manifest is one more array, ``manifest``, of the bytes of a JSON object: the file's format and
version, the SHA-256 of every other array, and the content that is not an array.  Nothing is ever
pickled.  The same content gives the same bytes.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from os import PathLike
from secrets import token_hex
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from formulations.bounded import access_error, damaged
from formulations.errors import FileAccessError, FileFormatError

__all__ = [
    "access_error",
    "atomic_write",
    "damaged",
    "read_archive",
    "write_archive",
]

Array = npt.NDArray[Any]
VERSION = 1
_MANIFEST = "manifest"
_EPOCH = (1980, 1, 1, 0, 0, 0)


@contextmanager
def atomic_write(path: str | PathLike[str]) -> Iterator[BinaryIO]:
    """A binary file that takes the place of ``path`` when the block ends well, and only then.

    The bytes go to a temporary file in the same folder, which is flushed to the disk and renamed.
    Whatever goes wrong, ``path`` holds what it held before and the temporary file is removed.

    Raises
    ------
    FileAccessError
        For any failure of the file system, naming the path, the reason and the remedy.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "note.txt"
    >>> with atomic_write(path) as file:
    ...     _ = file.write(b"whole or not at all")
    >>> path.read_bytes()
    b'whole or not at all'
    """
    target = os.path.realpath(path)  # a link stays a link
    folder, name = os.path.split(target)
    temporary = os.path.join(folder, f".{name[:100]}.{token_hex(8)}.tmp")
    try:
        if os.path.isdir(target):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        try:
            file = _create(temporary, target)
            try:
                yield file
                file.flush()
                os.fsync(file.fileno())
            finally:
                file.close()
            os.replace(temporary, target)
        except BaseException:
            with suppress(OSError):
                os.unlink(temporary)
            raise
        _sync_folder(folder)
    except FileAccessError:
        raise
    except OSError as error:
        raise access_error("write", path, error) from error


def _create(temporary: str, target: str) -> BinaryIO:
    """A new file with the permissions of ``target``, or the user's defaults where there is none."""
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with suppress(OSError):
        os.chmod(temporary, os.stat(target).st_mode & 0o7777)
    return open(descriptor, "wb")


def _sync_folder(folder: str) -> None:
    """Make the renaming durable, where the system can."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def write_archive(
    path: str | PathLike[str],
    file_format: str,
    content: Mapping[str, Any],
    arrays: Mapping[str, Array],
) -> None:
    """Write arrays and JSON content to ``path``, atomically.

    Parameters
    ----------
    path : path-like
    file_format : str
        What the file holds; a reader asks for it by this name.
    content : mapping
        Anything that JSON can hold; finite floats survive exactly.
    arrays : mapping of str to ndarray
        Arrays of numbers or booleans.

    Raises
    ------
    FileAccessError
        If the file cannot be written.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    manifest = {
        "format": file_format,
        "version": VERSION,
        "checksums": {name: _checksum(array) for name, array in arrays.items()},
        "content": content,
    }
    text = json.dumps(manifest, allow_nan=False, separators=(",", ":")).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in {_MANIFEST: np.frombuffer(text, dtype=np.uint8), **arrays}.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", _EPOCH)
            archive.writestr(info, member.getbuffer(), zipfile.ZIP_DEFLATED, 6)
    with atomic_write(path) as file:
        file.write(buffer.getbuffer())


def read_archive(
    path: str | PathLike[str], file_format: str
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Content and arrays of a file that :func:`write_archive` wrote.

    Raises
    ------
    FileAccessError
        If the file cannot be read.
    FileFormatError
        If it is of another kind, written by a newer version, cut off or damaged.
    """
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError as error:
        raise access_error("read", path, error) from error
    name = os.fspath(path)
    if not data.startswith(b"PK"):
        raise FileFormatError(
            f"{name!r} is not a file of this toolkit: expected one that holds {file_format}; "
            "check the path"
        )
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = [member.removesuffix(".npy") for member in archive.namelist()]
            if _MANIFEST not in names:
                raise FileFormatError(
                    f"{name!r} is an archive without a manifest, not a file of this toolkit: "
                    f"expected one that holds {file_format}; check the path"
                )
            manifest = json.loads(_member(archive, _MANIFEST).tobytes())
            _check_kind(name, manifest, file_format)
            arrays = {key: _member(archive, key) for key in manifest["checksums"]}
    except FileFormatError:
        raise
    except Exception as error:  # zipfile, zlib, numpy and json raise a dozen kinds
        raise damaged(path, str(error)) from error
    for key, checksum in manifest["checksums"].items():
        if _checksum(arrays[key]) != checksum:
            raise damaged(path, f"the checksum of {key!r} does not fit")
    return manifest["content"], arrays


def _check_kind(name: str, manifest: dict[str, Any], file_format: str) -> None:
    """Refuse a file that holds something else, or that a newer version wrote."""
    if manifest["format"] != file_format:
        raise FileFormatError(
            f"{name!r} holds {manifest['format']}: expected {file_format}; check the path"
        )
    if not manifest["version"] <= VERSION:
        raise FileFormatError(
            f"{name!r} has format version {manifest['version']}, and this release reads up to "
            f"{VERSION}: install a newer release of qnn-ising"
        )


def _member(archive: zipfile.ZipFile, name: str) -> Array:
    """One array, read whole first so that its CRC is checked before its header is believed."""
    member = io.BytesIO(archive.read(f"{name}.npy"))
    return np.asarray(np.lib.format.read_array(member, allow_pickle=False))


def _checksum(array: Array) -> str:
    """SHA-256 of an array's type, shape and bytes."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(array.tobytes())
    return digest.hexdigest()
