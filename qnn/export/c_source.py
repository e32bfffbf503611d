"""A trained network as a C program that depends on nothing."""

from __future__ import annotations

from importlib.resources import files
from os import PathLike
from pathlib import Path

from formulations.archive import access_error
from formulations.files import atomic_write
from qnn.export.packed import pack
from qnn.export.trained import TrainedModel

READER = ("qnn.h", "qnn.c", "main.c")
"""What goes with every network; ``network.c`` is the network itself."""


def write_c(model: TrainedModel, folder: str | PathLike[str], *, raw: bool = False) -> list[Path]:
    """Write a reader, the network as an array, and a program that classifies what it reads.

    ``cc -O2 FOLDER/*.c -o predict`` builds it.  The program reads samples from standard input,
    numbers between blanks, and prints the name or the number of the class of each, or the number
    that a regression predicts.

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
    >>> from formulations.network import Weights
    >>> model = TrainedModel(Network.dense([2, 1]), Weights((np.array([[1, -1]]),), (None,), ()))
    >>> [path.name for path in write_c(model, tempfile.mkdtemp())]
    ['qnn.h', 'qnn.c', 'main.c', 'network.c']
    """
    contents = {name: _reader(name) for name in READER}
    contents["network.c"] = _array(pack(model, raw=raw))
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise access_error("write to", folder, error) from error
    for name, text in contents.items():
        with atomic_write(place / name) as file:
            file.write(text.encode())
    return [place / name for name in contents]


def _reader(name: str) -> str:
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
