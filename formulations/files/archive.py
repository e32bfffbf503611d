"""The container of every file: an npz archive with a JSON manifest, written atomically.

The array ``manifest`` holds the bytes of a JSON object: the file's format and version, the SHA-256
of every other array, and the content that is not an array.  Nothing is ever pickled, and the same
content gives the same bytes.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from collections.abc import Callable, Mapping
from math import prod
from os import PathLike
from typing import Any

import numpy as np

from formulations.arrays import Array
from formulations.errors import FileFormatError
from formulations.files.bounded import (
    ArchiveReader,
    bounded_read,
    damaged,
    open_regular,
    refuse_if_too_much,
)
from formulations.files.schema import (
    JSON_SHARE,
    ArrayForm,
    Form,
    Misfit,
    Optional,
    any_fields,
    anything,
    checked,
    fields,
    loads,
    mapping,
    text,
    whole,
)
from formulations.files.writing import atomic_write

VERSION = 2
"""Version 2 adds networks with shared weights; all other content is written as version 1."""


def write_archive(
    path: str | PathLike[str],
    file_format: str,
    content: Mapping[str, Any],
    arrays: Mapping[str, Array],
    version: int = 1,
) -> None:
    """Write arrays and JSON content to ``path``, atomically.

    Parameters
    ----------
    path : path-like
    file_format : str
        Name of the format, which readers check.
    content : mapping
        Any JSON content; finite floats are kept exactly.
    arrays : mapping of str to ndarray
        Arrays of numbers or booleans.
    version : int
        Lowest format version that can represent the content.

    Raises
    ------
    FileAccessError
        If the file cannot be written.
    """
    arrays = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    manifest = {
        "format": file_format,
        "version": version,
        "checksums": {name: _checksum(array) for name, array in arrays.items()},
        "content": content,
    }
    text = json.dumps(manifest, allow_nan=False, separators=(",", ":")).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in {"manifest": np.frombuffer(text, dtype=np.uint8), **arrays}.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, array, allow_pickle=False)
            info = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))  # zip's first date
            archive.writestr(info, member.getbuffer(), zipfile.ZIP_DEFLATED, 6)
    with atomic_write(path) as file:
        file.write(buffer.getbuffer())


def read_archive(
    path: str | PathLike[str],
    file_format: str,
    content: Form = any_fields,
    arrays: Callable[[dict[str, Any], list[str]], Mapping[str, ArrayForm]] | None = None,
) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return the content and the arrays of a file that :func:`write_archive` wrote.

    Parameters
    ----------
    path : path-like
    file_format : str
        Format that the file must have.
    content : form, optional
        Schema of the content, see :mod:`formulations.files.schema`.
    arrays : callable, optional
        Returns the form of every array, given the content and the names of the stored arrays.

    Raises
    ------
    FileAccessError
        If the file cannot be read, is not a regular file, or takes more memory than is free.
    FileFormatError
        If it has another format, was written by a newer version, or is truncated or damaged.
    """
    archive = ArchiveReader(_bytes(path, file_format), path)
    manifest = _manifest(archive, path, file_format)
    found = checked(manifest["content"], content, path)
    checksums = manifest["checksums"]
    names = sorted(name.removesuffix(".npy") for name in archive.members)
    if names != sorted(["manifest", *checksums]):
        raise damaged(path, f"it holds {', '.join(names)}; expected {', '.join(checksums)}")
    try:
        forms = dict.fromkeys(checksums, ArrayForm(finite=False))
        if arrays is not None:
            forms = dict(arrays(found, list(checksums)))
        for name in [*forms, *checksums]:
            if (name in forms) != (name in checksums):
                raise Misfit("the list of arrays", list(checksums), f"{list(forms)}")
        heads = {name: archive.head(f"{name}.npy") for name in checksums}
        for name, head in heads.items():
            forms[name].check_head(name, *head)
        total = sum(prod(shape) * kind.itemsize for shape, kind in heads.values())
        refuse_if_too_much(path, total)
        values = {name: archive.array(f"{name}.npy") for name in checksums}
        for name, checksum in checksums.items():
            if _checksum(values[name]) != checksum:
                raise damaged(path, f"the checksum of {name!r} does not fit")
            forms[name].check(name, values[name])
    except Misfit as error:
        raise damaged(path, str(error)) from error
    return found, {
        name: array.astype(array.dtype.newbyteorder("="), copy=False)
        for name, array in values.items()
    }


def _bytes(path: str | PathLike[str], file_format: str) -> bytes:
    """Return the whole file if it begins like an archive."""
    with open_regular(path) as file:
        if file.read(2) != b"PK":  # the first bytes of every zip archive
            raise FileFormatError(
                f"{os.fspath(path)!r} is not a file of this toolkit: expected one that holds "
                f"{file_format}; check the path"
            )
        file.seek(0)
        return bounded_read(file, os.fstat(file.fileno()).st_size, path)


def _manifest(
    archive: ArchiveReader, path: str | PathLike[str], file_format: str
) -> dict[str, Any]:
    """Return the manifest after checking the file's format and version."""
    name = os.fspath(path)
    member = archive.members.get("manifest.npy")
    if member is None:
        raise FileFormatError(
            f"{name!r} is an archive without a manifest, not a file of this toolkit: "
            f"expected one that holds {file_format}; check the path"
        )
    refuse_if_too_much(path, JSON_SHARE * member.file_size, "its manifest")
    try:
        manifest = loads(archive.array("manifest.npy").tobytes())
    except ValueError as error:
        raise damaged(path, f"its manifest is not JSON: {error}") from error
    head: dict[str, Form | Optional] = {"format": text, "version": whole(1)}
    checked(manifest, fields(head, more=True), path, "manifest")
    if manifest["format"] != file_format:
        raise FileFormatError(
            f"{name!r} holds {manifest['format']}: expected {file_format}; check the path"
        )
    if manifest["version"] > VERSION:
        raise FileFormatError(
            f"{name!r} has format version {manifest['version']}, and this release reads up to "
            f"{VERSION}: install a newer release of qnn-ising"
        )
    rest = {"checksums": mapping(text), "content": anything}
    checked(manifest, fields(head | rest), path, "manifest")
    return dict(manifest)


def _checksum(array: Array) -> str:
    """Return the SHA-256 of an array's type, shape and bytes."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(array.tobytes())
    return digest.hexdigest()
