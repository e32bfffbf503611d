"""MNIST and Fashion-MNIST: from a folder, from Debian's package, or from OpenML with a cache.

Both sets use the same file names, so the content is checked against the name.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from formulations.arrays import FloatArray
from formulations.errors import FileAccessError, InvalidInputError
from formulations.files.writing import atomic_write
from qnn.data.fingerprints import matches
from qnn.data.readers import Source, make_source, present, read_idx_pair, read_npz

IMAGES: Mapping[str, tuple[str, int]] = MappingProxyType(
    {"mnist": ("MNIST", 554), "fashion": ("Fashion-MNIST", 40996)}
)
"""Published title and OpenML number of each set of images."""

PACKAGE = Path("/usr/share/datasets/fashion-mnist")
"""Folder where Debian's package installs Fashion-MNIST."""


def image_set(name: str, data_dir: str | PathLike[str] | None) -> Source:
    """Return the images called ``name`` from the first available of these places.

    1. The folder ``data_dir`` or, without one, that of the environment variable ``QNN_DATA``: a
       file ``mnist*.npz`` (arrays X, n x 784, and y), or the four IDX files.
    2. Debian's package ``dataset-fashion-mnist``.
    3. OpenML.  Downloads are kept in scikit-learn's data folder.

    Images of neither published set are used under the given name, with a warning; the source's
    ``known`` is then False.
    """
    folder = data_dir or os.environ.get("QNN_DATA")
    if not folder and name == "fashion" and present(PACKAGE / "train-images-idx3-ubyte"):
        folder = PACKAGE
    found, place = _in_folder(name, Path(folder)) if folder else _from_openml(name)
    return _identified(name, found, place)


def _identified(name: str, source: Source, place: Path) -> Source:
    """Return the source if its content matches its name or neither set; otherwise refuse it."""
    held = matches(source.X, source.y)
    title = IMAGES[name][0]
    found, same_label, same_images, other_labels = held[name]
    for other, (_, _, holds_other, _) in held.items():
        if other != name and holds_other and not same_images:
            raise InvalidInputError(
                f"{str(place)!r} holds {IMAGES[other][0]}, expected {title}: {name} and {other} "
                f"have the same file names; ask for {other}, or name the folder of {title}"
            )
    if same_images and other_labels:
        raise InvalidInputError(
            f"{str(place)!r} holds the images of {title} with other labels: {found} "
            f"images were looked up, {same_label} have the label of {title}; put its "
            "own labels beside them, or give the path of the file to use other ones"
        )
    if not same_images:
        warnings.warn(
            f"{str(place)!r} holds unknown images, used as {name}: they are not those of {title} "
            "as published, so published figures do not apply to them",
            stacklevel=2,
        )
    return replace(source, known=same_images)


def _in_folder(name: str, folder: Path) -> tuple[Source, Path]:
    """Return the images from an NPZ file or IDX files, and the place where they were found."""
    if not os.path.isdir(folder):
        raise InvalidInputError(f"data folder {str(folder)!r} does not exist: {_remedy(name)}")
    archives = sorted(folder.glob(f"{name}.npz")) or sorted(folder.glob(f"{name}*.npz"))
    if len(archives) > 1:
        raise InvalidInputError(
            f"data folder {str(folder)!r} has several files of {name}: "
            f"{', '.join(path.name for path in archives)}; give the path of one of them in place "
            f"of {name}, or call it {name}.npz"
        )
    if archives:
        return read_npz(archives[0]), archives[0]
    title = IMAGES[name][0]
    for place in (title.lower(), name, f"{title.replace('-', '')}/raw", "."):
        images = present(folder / place / "train-images-idx3-ubyte")
        if images is None:
            continue
        train, test = read_idx_pair(images), present(images.with_name("t10k-images-idx3-ubyte"))
        if test is None:
            return train, images
        own = read_idx_pair(test)
        if train.image_shape != own.image_shape:
            sides = [" x ".join(map(str, part.image_shape or ())) for part in (train, own)]
            raise InvalidInputError(
                f"{str(images)!r} and {test.name} hold images of {sides[0]} and {sides[1]}: they "
                "do not belong together; fetch both again"
            )
        joined = make_source(
            name,
            np.concatenate([train.X, own.X]),
            np.concatenate([train.y, own.y]),
            train.image_shape,
            num_held_out=len(own.X),
        )
        return joined, images
    raise InvalidInputError(f"no {name} in the data folder {str(folder)!r}: {_remedy(name)}")


def _from_openml(name: str, num_test: int = 10_000) -> tuple[Source, Path]:
    """Fetch the images from OpenML; the last ones are the test part.

    An NPZ copy makes the next call fast.
    """
    from sklearn.datasets import fetch_openml, get_data_home

    kept = Path(get_data_home()) / "qnn" / f"{name}.npz"
    if kept.is_file():
        return read_npz(kept), kept
    parser = "pandas" if find_spec("pandas") else "liac-arff"
    try:
        X, y = fetch_openml(
            data_id=IMAGES[name][1], return_X_y=True, as_frame=False, cache=False, parser=parser
        )
    except OSError as error:
        raise FileAccessError(
            f"data set {name!r} could not be fetched from OpenML ({error}): {_remedy(name)}"
        ) from error
    X, y = X.astype(np.uint8), y.astype(np.int64)
    (X_train, X_test), (y_train, y_test) = (np.split(part, [-num_test]) for part in (X, y))
    kept.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(kept) as file:
        np.savez_compressed(file, X_train=X_train, y_train=y_train, X_test=X_test, y_test=y_test)
    return read_npz(kept), kept


def _remedy(name: str) -> str:
    return (
        f"put {name}.npz (arrays X, n x 784, and y) or the four IDX files "
        "(train-images-idx3-ubyte.gz, ...) in a folder and name it with --data-dir or QNN_DATA"
    )


def pool(
    X: npt.ArrayLike, image_shape: tuple[int, int] | None, inputs: int, name: str = "data"
) -> FloatArray:
    """Pool images to ``inputs`` sums over equal square blocks in the middle of the image.

    The border outside the blocks is dropped: 144 blocks of 2 x 2 pixels cover the middle 24 x 24 of
    28 x 28.  The border must be the same at both ends and at most a seventh of a side.

    Parameters
    ----------
    X : array, shape (N, h * w)
        Images, row by row.
    image_shape : (h, w) or None
        None for data that are not images.
    inputs : int
        Number of blocks, k * k.
    name : str
        Name of the data, for messages.

    Returns
    -------
    ndarray of float64, shape (N, inputs)

    Examples
    --------
    >>> pool(np.arange(16).reshape(1, 16), (4, 4), 4).tolist()
    [[10.0, 18.0, 42.0, 50.0]]
    """
    X = np.asarray(X, dtype=np.float64)
    if X.shape[1] == inputs:
        return X
    if image_shape is None:
        raise InvalidInputError(
            f"inputs={inputs}: {name} has {X.shape[1]} columns and is no set of images, and only "
            "images can be pooled; leave inputs out"
        )
    h, w = image_shape
    possible = [k * k for k in range(1, min(h, w) + 1) if poolable((h, w), k)]
    if inputs not in possible:
        raise InvalidInputError(
            f"inputs={inputs}: images of {h} x {w} can be pooled to "
            f"{', '.join(map(str, possible))} inputs"
        )
    k = round(inputs**0.5)
    top, left = h % k // 2, w % k // 2
    X = X.reshape(len(X), h, w)[:, top : h - top, left : w - left]
    blocks = X.reshape(len(X), k, h // k, k, w // k)
    return np.asarray(blocks.sum(axis=(2, 4)).reshape(len(X), inputs))


def poolable(image_shape: tuple[int, int], k: int) -> bool:
    """Return True if k blocks side by side leave an even border, at most a seventh of a side."""
    return all(side % k % 2 == 0 and 7 * (side % k) <= side for side in image_shape)
