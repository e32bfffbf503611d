"""A trained network as a C program that depends on nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from contextlib import suppress
from importlib.resources import files
from os import PathLike
from pathlib import Path

from formulations.files.archive import access_error
from formulations.files.writing import write_together
from qnn.export.packed import pack
from qnn.export.trained import TrainedModel

READER = ("qnn.h", "qnn.c", "reading.h", "main.c")
"""What goes with every network; ``network.c`` is the network itself."""

C_FILES = (*READER, "network.c")


def write_c(model: TrainedModel, folder: str | PathLike[str], *, raw: bool = False) -> list[Path]:
    """Write a reader, the network as an array, and a program that classifies what it reads.

    ``cc -O2 FOLDER/*.c -o predict`` builds it.  The program reads samples from standard input, a
    line for each, numbers between blanks, and prints the name or the number of the class of each,
    or the number that a regression predicts.  At the first line that is no sample it ends with the
    line's number and exit code 2.

    Parameters
    ----------
    model : TrainedModel
    folder : path-like
        Made if there is none.
    raw : bool
        Whether the program reads raw numbers rather than the integers of the lattice.

    Returns
    -------
    list of Path
        The files.

    Raises
    ------
    InvalidInputError
        See :func:`qnn.export.pack`.
    FileAccessError
        If a file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from formulations import Network
    >>> from formulations.network.network import Weights
    >>> model = TrainedModel(Network.dense([2, 1]), Weights((np.array([[1, -1]]),), (None,), ()))
    >>> [path.name for path in write_c(model, tempfile.mkdtemp())]
    ['qnn.h', 'qnn.c', 'reading.h', 'main.c', 'network.c']
    """
    contents = c_contents(pack(model, raw=raw), folder)
    write_with_folders(contents, folder)
    return [Path(path) for path in contents]


def c_contents(packed: bytes, folder: str | PathLike[str]) -> dict[str | PathLike[str], bytes]:
    """The files of a program in a folder, around a packed network."""
    contents = {name: reader_file(name) for name in READER} | {"network.c": _array(packed)}
    return {Path(folder) / name: text.encode() for name, text in contents.items()}


def write_with_folders(
    contents: Mapping[str | PathLike[str], bytes], *folders: str | PathLike[str]
) -> None:
    """Write several files, all or none, with folders for some that are made if need be."""
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
            with suppress(OSError):  # somebody else has put something in
                parent.rmdir()
        raise


def reader_file(name: str) -> str:
    """A file of the C sources that go with every network."""
    return (files("qnn.export") / "c" / name).read_text()


def _array(data: bytes) -> str:
    """A packed file as a C array."""
    rows = [", ".join(map(str, data[i : i + 20])) for i in range(0, len(data), 20)]
    body = ",\n    ".join(rows)
    return (
        "#include <stddef.h>\n\n"
        f"const unsigned char qnn_data[{len(data)}] = {{\n    {body}\n}};\n"
        "const size_t qnn_data_size = sizeof qnn_data;\n"
    )
