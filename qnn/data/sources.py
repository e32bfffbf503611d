"""Sources of data: scikit-learn's bundled sets, MNIST and Fashion-MNIST, files."""

from __future__ import annotations

import os
from dataclasses import replace
from difflib import get_close_matches
from importlib.util import find_spec
from os import PathLike
from pathlib import Path

import numpy as np

from formulations.checks import choose
from formulations.errors import InvalidInputError
from qnn.data.csv_reader import read_csv
from qnn.data.images import IMAGES, image_set
from qnn.data.readers import Source, make_source, read_idx_pair, read_npz

BUNDLED = ["digits", "breast_cancer", "wine", "iris"]


def open_source(
    spec: str | PathLike[str],
    *,
    target: str | None = None,
    data_dir: str | PathLike[str] | None = None,
    inputs: int | None = None,
) -> Source:
    """Open the source that ``spec`` names; :func:`qnn.data.datasets.load` lists the names.

    With ``inputs``, a CSV file of that many columns, or an NPZ file with X alone, has no labels.

    Examples
    --------
    >>> source = open_source("iris:0,1")
    >>> source.X.shape, source.selection
    ((150, 4), ('0', '1'))
    """
    spec = _text("data", spec)
    if target is not None and not isinstance(target, str):
        raise InvalidInputError(f"target={target!r}: expected the name of a column")
    if data_dir is not None:
        data_dir = _text("data_dir", data_dir)
    name, selection = spec, None
    if ":" in spec and not os.path.exists(spec):
        name, _, words = spec.rpartition(":")
        selection = tuple(word.strip() for word in words.split(","))
        if not all(selection):
            raise InvalidInputError(
                f"data {spec!r}: expected class names between the commas, such as digits:3,8"
            )
    if not name:
        raise InvalidInputError(f"data {spec!r}: no name; expected one such as digits or data.csv")
    if name in BUNDLED:
        source = _bundled(name)
    elif name in IMAGES:
        source = image_set(name, data_dir)
    elif Path(name).suffix or os.sep in name or os.path.exists(name):
        source = _file(Path(name), target, inputs)
    else:
        choose("data set", name, [*BUNDLED, *IMAGES, "a CSV, NPZ or IDX file"])
        raise AssertionError
    return replace(source, name=spec, selection=selection)


def _text(name: str, value: object) -> str:
    """Return a name or path as text; refuse one that the file system cannot take."""
    try:
        text = os.fspath(value)  # type: ignore[call-overload]
    except TypeError:
        text = None
    if not isinstance(text, str) or "\0" in text or not text:
        raise InvalidInputError(f"{name}={value!r}: expected a name or a path, as text")
    return text


def _bundled(name: str) -> Source:
    """Read a file of scikit-learn, which would take longer to import."""
    package, digits = find_spec("sklearn"), name == "digits"
    assert package is not None
    assert package.origin is not None
    file = {"digits": "digits.csv.gz", "wine": "wine_data.csv"}.get(name, f"{name}.csv")
    path = Path(package.origin).parent / "datasets" / "data" / file
    table = np.loadtxt(path, delimiter=",", skiprows=0 if digits else 1)
    X, y = table[:, :-1].copy(), table[:, -1].astype(np.int64)
    return make_source(name, X.astype(np.uint8) if digits else X, y, (8, 8) if digits else None)


def _file(path: Path, target: str | None, inputs: int | None) -> Source:
    if not os.path.exists(path):
        known = ", ".join([*BUNDLED, *IMAGES])
        try:
            beside = sorted(os.listdir(path.parent))
        except OSError:  # the folder is missing or unreadable
            beside = []
        near = get_close_matches(path.name, beside, n=1)
        hint = f".  Did you mean {str(path.with_name(near[0]))!r}?" if near else ""
        raise InvalidInputError(
            f"data file {str(path)!r} does not exist: give the path of a CSV, NPZ or IDX file, or "
            f"one of {known}{hint}"
        )
    if path.is_dir():
        raise InvalidInputError(
            f"data file {str(path)!r} is a folder: give the path of a CSV, NPZ or IDX file, or "
            "mnist or fashion with the folder as --data-dir"
        )
    name = path.name.removesuffix(".gz")
    if name.endswith(".csv"):
        return read_csv(path, target, inputs)
    if name.endswith(".npz"):
        return read_npz(path, labelled=inputs is None)
    if "idx3-ubyte" in name:
        return read_idx_pair(path)
    raise InvalidInputError(
        f"data file {str(path)!r} is of no known kind: expected .csv, .npz, or the images of an "
        "IDX pair (...-images-idx3-ubyte[.gz], its labels beside it)"
    )
