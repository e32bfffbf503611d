"""Export of a trained network as a C program without dependencies."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from os import PathLike
from pathlib import Path

from formulations.files.bounded import access_error
from formulations.files.writing import write_together

C_FILES = ("qnn.h", "qnn.c", "reading.h", "main.c", "network.c")
"""Files that accompany every network, and the network itself."""


def c_contents(packed: bytes, folder: str | PathLike[str]) -> dict[str | PathLike[str], bytes]:
    """Return the files of a C program: a reader, and a packed network as an array.

    ``cc -O2 FOLDER/*.c -o predict`` builds it.  The program reads samples from standard input, one
    per line with blanks between numbers.  For each it prints the name or the number of its class,
    or the number that a regression predicts.  At the first invalid line it reports the line's
    number and exits with code 2.

    Examples
    --------
    >>> [path.name for path in c_contents(b"", "predict")]
    ['qnn.h', 'qnn.c', 'reading.h', 'main.c', 'network.c']
    """
    contents = {name: reader_file(name) for name in C_FILES[:-1]} | {"network.c": _array(packed)}
    return {Path(folder) / name: text.encode() for name, text in contents.items()}


def write_with_folders(
    contents: Mapping[str | PathLike[str], bytes], *folders: str | PathLike[str]
) -> None:
    """Write several files, all or none, creating missing folders for those that need them."""
    made: list[Path] = []
    try:
        for folder in map(Path, folders):
            missing = [parent for parent in (folder, *folder.parents) if not parent.exists()]
            try:
                for parent in reversed(missing):
                    parent.mkdir()
                    made.append(parent)
                if not folder.is_dir():
                    raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            except OSError as error:
                raise access_error("write to", folder, error) from error
        write_together(contents)
    except BaseException:
        for parent in reversed(made):
            with suppress(OSError):  # the folder is no longer empty
                parent.rmdir()
        raise


def reader_file(name: str) -> str:
    """Return a C source file that accompanies every network."""
    return (files("qnn.export") / "c" / name).read_text()


def _array(data: bytes) -> str:
    """Format a packed file as a C array."""
    rows = [", ".join(map(str, data[i : i + 20])) for i in range(0, len(data), 20)]
    body = ",\n    ".join(rows)
    return (
        "#include <stddef.h>\n\n"
        f"const unsigned char qnn_data[{len(data)}] = {{\n    {body}\n}};\n"
        "const size_t qnn_data_size = sizeof qnn_data;\n"
    )
