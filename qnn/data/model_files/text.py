"""Content of a model file, unpacked and checked before parsing."""

from __future__ import annotations

import gzip
import io
import re
from os import PathLike, fspath
from typing import IO, cast

from formulations.errors import FileFormatError
from formulations.files.bounded import bounded_read, damaged, refuse_if_too_much


def unpacked(path: str | PathLike[str], data: bytes) -> bytes:
    """Unpack a file, plain, gzip or xz, as far as memory allows for its model.

    A model takes 30 bytes per byte of its text.

    Examples
    --------
    >>> unpacked("model.lp.gz", gzip.compress(b"End"))
    b'End'
    """
    if data.startswith(b"\x1f\x8b"):
        with gzip.open(io.BytesIO(data)) as file:
            data = bounded_read(cast("IO[bytes]", file), None, path)
    elif data.startswith(b"\xfd7zXZ\0"):
        import lzma

        try:
            with lzma.open(io.BytesIO(data)) as stream:
                data = bounded_read(stream, None, path)
        except lzma.LZMAError as error:
            raise damaged(path, str(error)) from error
    refuse_if_too_much(path, 30 * len(data), "its model")
    return data


def checked_text(path: str | PathLike[str], data: bytes, kind: str) -> str:
    """Return the text of a file; Ocean's reader of LP files may never end on other text.

    Examples
    --------
    >>> checked_text("m.lp", b"End\\0", "an LP file")
    Traceback (most recent call last):
    formulations.errors.FileFormatError: 'm.lp', line 1: byte 0x00 is no text ...
    """
    found = re.search(rb"[^\t\n\v\f\r -\x7e\x80-\xff]", data)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        number, what = error.start, str(error.reason)
    else:
        if found is None:
            return text
        number, what = found.start(), "a control character"
    line = data.count(b"\n", 0, number) + 1
    raise FileFormatError(
        f"{fspath(path)!r}, line {line}: byte {data[number]:#04x} is no text ({what}); expected "
        f"{kind} in UTF-8, save it again"
    )


def wrong(path: str | PathLike[str], line: int, what: str) -> FileFormatError:
    """Return the error for a line that cannot be parsed."""
    return FileFormatError(f"{fspath(path)!r}, line {line}: {what}")
