"""MNIST and Fashion-MNIST: from a folder, from Debian's package, or from OpenML with a cache."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from types import MappingProxyType

import numpy as np

from formulations.archive import atomic_write
from formulations.errors import FileAccessError, InvalidInputError
from qnn.readers import Source, make_source, present, read_idx_pair, read_npz


@dataclass(frozen=True)
class ImageSet:
    """Where one set of images may be.

    Parameters
    ----------
    places : tuple of str
        Folders of its four IDX files, from the data folder.
    openml : int
        Its number at OpenML, where the last 10,000 of its 70,000 images are the test part.
    package : Path or None
        Where Debian's package puts it.
    """

    places: tuple[str, ...]
    openml: int
    package: Path | None = None


IMAGES: Mapping[str, ImageSet] = MappingProxyType(
    {
        "mnist": ImageSet(("mnist", "MNIST/raw", "."), openml=554),
        "fashion": ImageSet(
            ("fashion-mnist", "fashion", "FashionMNIST/raw", "."),
            openml=40996,
            package=Path("/usr/share/datasets/fashion-mnist"),
        ),
    }
)
NUM_TEST = 10_000


def image_set(name: str, data_dir: str | PathLike[str] | None) -> Source:
    """The images called ``name``, from the first of these that there is.

    1. The folder ``data_dir`` or, without one, that of the environment variable ``QNN_DATA``: a
       file ``mnist*.npz`` (arrays X, n x 784, and y), or the four IDX files.
    2. Debian's package ``dataset-fashion-mnist``.
    3. OpenML.  What has been fetched is kept in scikit-learn's data folder.

    Raises
    ------
    InvalidInputError
        If the folder is not there, or has no such images.
    FileAccessError
        If OpenML cannot be reached.
    FileFormatError
        If a file is not what its name says.
    """
    folder = data_dir or os.environ.get("QNN_DATA")
    package = IMAGES[name].package
    if not folder and package is not None and present(package / "train-images-idx3-ubyte"):
        return _in_folder(name, package)
    return _in_folder(name, Path(folder)) if folder else _from_openml(name)


def _in_folder(name: str, folder: Path) -> Source:
    """The images from an NPZ file, or from IDX files."""
    if not folder.is_dir():
        raise InvalidInputError(f"data folder {str(folder)!r} does not exist: {_remedy(name)}")
    for path in sorted(folder.glob(f"{name}*.npz")):
        return read_npz(path)
    for place in IMAGES[name].places:
        images = present(folder / place / "train-images-idx3-ubyte")
        if images is None:
            continue
        train, test = read_idx_pair(images), present(images.with_name("t10k-images-idx3-ubyte"))
        if test is None:
            return train
        own = read_idx_pair(test)
        return make_source(
            name,
            np.concatenate([train.X, own.X]),
            np.concatenate([train.y, own.y]),
            train.image_shape,
            num_held_out=len(own.X),
        )
    raise InvalidInputError(f"no {name} in the data folder {str(folder)!r}: {_remedy(name)}")


def _from_openml(name: str) -> Source:
    """The images from OpenML; an NPZ file is kept of them, read in a blink the next time."""
    from sklearn.datasets import fetch_openml, get_data_home

    kept = Path(get_data_home()) / "qnn" / f"{name}.npz"
    if kept.is_file():
        return read_npz(kept)
    parser = "pandas" if find_spec("pandas") else "liac-arff"
    try:
        X, y = fetch_openml(
            data_id=IMAGES[name].openml, return_X_y=True, as_frame=False, cache=False, parser=parser
        )
    except OSError as error:
        raise FileAccessError(
            f"data set {name!r} could not be fetched from OpenML ({error}): {_remedy(name)}"
        ) from error
    X, y = X.astype(np.uint8), y.astype(np.int64)
    (X_train, X_test), (y_train, y_test) = (np.split(part, [-NUM_TEST]) for part in (X, y))
    kept.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(kept) as file:
        np.savez_compressed(file, X_train=X_train, y_train=y_train, X_test=X_test, y_test=y_test)
    return read_npz(kept)


def _remedy(name: str) -> str:
    return (
        f"put {name}.npz (arrays X, n x 784, and y) or the four IDX files "
        "(train-images-idx3-ubyte.gz, ...) in a folder and name it with --data-dir or QNN_DATA"
    )
