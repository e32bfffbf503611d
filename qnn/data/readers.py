"""Read CSV, NPZ and IDX data files as arrays.

A file's first bytes, not its name, determine its format.  No more is read than it announces and
than memory allows: see :mod:`formulations.files.bounded`.
"""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, cast

import numpy as np
import numpy.typing as npt

from formulations.arrays import Array, BoolArray, ByteArray, FloatArray
from formulations.errors import FileFormatError, InvalidInputError
from formulations.files.bounded import (
    ArchiveReader,
    bounded_read,
    damaged,
    open_regular,
    read_regular,
    refuse_if_too_much,
)

EXACT = 2**53
"""Largest integer up to which floats represent all integers."""


@dataclass(frozen=True)
class Source:
    """Data as found in their source.

    Parameters
    ----------
    name : str
    X : ndarray of float64, or of uint8 where a file holds bytes, shape (N, d)
    y : ndarray, shape (N,)
        Labels: integers, numbers, booleans or texts.
    image_shape : (h, w) or None
        Image size with h w = d, if the rows of X are images.
    held_out : ndarray of bool, shape (N,)
        True for samples of the source's own test part; all False without one.
    selection : tuple of str or None
        Classes to keep, in this order; None for all.
    known : bool
        True if the content matches the name; False for unknown images called mnist or fashion.
    """

    name: str
    X: FloatArray | ByteArray
    y: Array
    image_shape: tuple[int, int] | None
    held_out: BoolArray
    selection: tuple[str, ...] | None = None
    known: bool = True


def make_source(
    name: str,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    image_shape: tuple[int, int] | None = None,
    *,
    num_held_out: int = 0,
) -> Source:
    """Make a checked source; the last ``num_held_out`` samples are its own test part.

    Examples
    --------
    >>> make_source("mine", [[1, 2], [3, 4]], ["a", "b"]).held_out.tolist()
    [False, False]
    """
    inputs = _inputs(name, X)
    if inputs.ndim == 3:
        image_shape = (inputs.shape[1], inputs.shape[2])
        inputs = inputs.reshape(len(inputs), prod(image_shape))
    if inputs.ndim != 2 or inputs.size == 0:
        raise InvalidInputError(
            f"{name}: inputs X of shape {inputs.shape}: expected (N, d) or, for images, (N, h, w), "
            "with at least one sample and one column"
        )
    labels = _labels(name, y, len(inputs))
    held_out = np.arange(len(inputs)) >= len(inputs) - num_held_out
    return Source(name, inputs, labels, image_shape, held_out)


def _inputs(name: str, X: npt.ArrayLike) -> FloatArray | ByteArray:
    """Return X as floats or bytes; refuse values that a float would change."""
    try:
        values = np.asarray(X)
    except ValueError as error:
        raise InvalidInputError(f"{name}: the inputs X are no array ({error})") from error
    if values.dtype.kind not in "biuf":
        raise InvalidInputError(
            f"{name}: the inputs X are of type {values.dtype}, not numbers; encode them as real "
            "numbers first"
        )
    if values.dtype == np.uint8:
        return values
    whole = values.dtype.kind in "iu" and values.size > 0
    if whole and not (-EXACT <= int(values.min()) and int(values.max()) <= EXACT):
        raise InvalidInputError(
            f"{name}: the inputs X have integers beyond 2^53, which floats cannot tell apart; "
            "scale them first"
        )
    return np.asarray(values, dtype=np.float64)


def _labels(name: str, y: npt.ArrayLike, samples: int) -> Array:
    """Return y as labels that stay distinct wherever the source's are."""
    try:
        labels = np.asarray(y)
    except ValueError as error:
        raise InvalidInputError(f"{name}: the labels y are no array ({error})") from error
    if labels.shape != (samples,):
        raise InvalidInputError(
            f"{name}: labels y of shape {labels.shape}: expected ({samples},), one for each row "
            "of X"
        )
    if labels.dtype.kind not in "biufU":
        raise InvalidInputError(
            f"{name}: labels of type {labels.dtype}: expected integers or texts; write them as such"
        )
    if labels.dtype.kind == "U":
        _check_texts(name, labels)
    if labels.dtype.kind != "f":
        return labels
    if not np.isfinite(labels).all():
        row = int(np.flatnonzero(~np.isfinite(labels))[0])
        raise InvalidInputError(
            f"{name}: label {labels[row]} in row {row + 1}: every sample needs one"
        )
    if np.abs(labels).max() > EXACT:
        row = int(np.argmax(np.abs(labels)))
        raise InvalidInputError(
            f"{name}: label {labels[row]:g} in row {row + 1}: floats beyond 2^53 cannot tell "
            "labels apart; write them as integers or texts"
        )
    # A class is called 3, not 3.0.
    return labels.astype(np.int64) if np.array_equal(np.rint(labels), labels) else labels


def _check_texts(name: str, labels: Array) -> None:
    """Refuse labels that cannot be shown on one line, such as escape sequences or empty ones."""
    try:
        words = labels.tolist()
    except ValueError as error:  # code points that are not characters
        raise FileFormatError(f"{name}: the labels y are no texts ({error})") from error
    for row, word in enumerate(words):
        if not word.strip() or not word.isprintable():
            raise InvalidInputError(
                f"{name}: label {word[:50]!r} in row {row + 1}: every sample needs one, of letters "
                "that can be printed"
            )


def read_npz(path: Path, *, labelled: bool = True) -> Source:
    """Read a NumPy archive with arrays X and y, or X_train, y_train, X_test and y_test.

    X alone suffices unless it must be ``labelled``; all labels are then 0.
    """
    name = path.name
    data = read_regular(path)
    if not data.startswith(b"PK"):
        kind = content_kind(data)
        raise FileFormatError(
            f"{name} is not a readable NPZ file ({kind or 'it begins like no archive'}); write it "
            "by numpy.savez(path, X=X, y=y)"
        )
    try:
        archive = ArchiveReader(data, path)
        present = {key.removesuffix(".npy") for key in archive.members}
        wanted = _wanted(name, present, labelled)
        # bytes of the arrays as stored, and as floats
        announced = sum(
            prod(shape) * (kind.itemsize + 8 * (kind != np.uint8))
            for shape, kind in (archive.head(f"{key}.npy") for key in wanted)
        )
        refuse_if_too_much(path, announced, "its arrays")
        arrays = {key: archive.array(f"{key}.npy") for key in wanted}
    except (FileFormatError, ValueError) as error:
        raise FileFormatError(
            f"{name} is not a readable NPZ file ({error}); write it by numpy.savez(path, X=X, y=y)"
        ) from error
    own_test = "X_test" in arrays
    if own_test:
        X = _joined(arrays["X_train"], arrays["X_test"], f"{name}: X_train and X_test")
        y = _joined(arrays["y_train"], arrays["y_test"], f"{name}: y_train and y_test")
        size = {part: len(array) for part, array in arrays.items()}
        if (size["X_train"], size["X_test"]) != (size["y_train"], size["y_test"]):
            raise InvalidInputError(
                f"{name}: X_train and X_test of {size['X_train']} and {size['X_test']} rows have "
                f"{size['y_train']} and {size['y_test']} labels: expected one for each row"
            )
    else:
        X = arrays["X"]
        y = arrays.get("y", np.zeros(len(X) if X.ndim else 0, dtype=np.int64))
    side = round(X.shape[1] ** 0.5) if X.ndim == 2 else 0
    image_shape = (side, side) if side > 1 and side * side == X.shape[1] else None
    held_out = len(arrays["X_test"]) if own_test else 0
    return make_source(name, X, y, image_shape, num_held_out=held_out)


def _wanted(name: str, present: set[str], labelled: bool) -> tuple[str, ...]:
    """Return the arrays to read: the two parts if complete, else X and y."""
    alone: list[tuple[str, ...]] = [] if labelled else [("X",)]
    for wanted in [("X_train", "y_train", "X_test", "y_test"), ("X", "y"), *alone]:
        if present.issuperset(wanted):
            return wanted
    found = ", ".join(sorted(present)) or "none"
    raise FileFormatError(
        f"it has the arrays {found}: expected X and y, or X_train, y_train, X_test, y_test"
    )


def _joined(first: Array, second: Array, what: str) -> Array:
    if first.ndim == 0 or first.ndim != second.ndim or first.shape[1:] != second.shape[1:]:
        raise InvalidInputError(
            f"{what} have shapes {first.shape} and {second.shape}: columns differ"
        )
    if (first.dtype.kind in "US") != (second.dtype.kind in "US"):
        raise InvalidInputError(
            f"{what} are of the types {first.dtype} and {second.dtype}: expected one type"
        )
    return np.concatenate([first, second])


def read_idx_pair(images: Path) -> Source:
    """Read an IDX file of images and its file of labels, plain or gzipped."""
    stem = images.name.removesuffix(".gz").replace("images-idx3", "labels-idx1")
    labels = present(images.with_name(stem))
    if labels is None:
        raise InvalidInputError(
            f"{images.name}: its labels, {stem} or {stem}.gz, are not beside it; put them there"
        )
    return make_source(images.name, read_idx(images), read_idx(labels))


def read_idx(path: Path) -> ByteArray:
    """Read an IDX file of unsigned bytes: 0, 0, 8, number of axes, their lengths, then values.

    Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """
    with open_regular(path) as file:
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        stream = cast(IO[bytes], gzip.GzipFile(fileobj=file)) if packed else file
        head = bounded_read(stream, 4, path)
        if head[:3] != b"\x00\x00\x08" or head[3] not in (1, 2, 3):
            raise FileFormatError(
                f"{path.name} is not an IDX file of bytes with 1 to 3 axes: fetch it again"
            )
        shape = tuple(np.frombuffer(bounded_read(stream, 4 * head[3], path), dtype=">u4").tolist())
        count = prod(shape)
        if count == 0:
            raise FileFormatError(f"{path.name} holds no value, its head says {shape}")
        values = np.frombuffer(bounded_read(stream, count, path), dtype=np.uint8)
        if stream_continues(stream, path):
            raise FileFormatError(
                f"{path.name} holds more values than its head says, {shape}: fetch it again"
            )
    return values.reshape(shape)


def stream_continues(stream: IO[bytes], path: Path) -> bool:
    """Return True if a stream has more bytes; at the end, a packed one's checksum is verified."""
    try:
        return bool(stream.read(1))
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise damaged(path, str(error)) from error


def content_kind(data: bytes) -> str | None:
    """Name the format that the first bytes show; None for text.

    Examples
    --------
    >>> content_kind(b"\\x1f\\x8b\\x08"), content_kind(b"1,2,3") is None
    ('it is a gzip file', True)
    """
    for magic, kind in {
        b"\x1f\x8b": "it is a gzip file",
        b"PK": "it is a ZIP or NPZ file",
        b"\x93NUMPY": "it is an NPY file of one array",
        b"\xff\xfe": "it is text in UTF-16",
        b"\xfe\xff": "it is text in UTF-16",
        b"\x00\x00\x08": "it is an IDX file",
        b"\xd0\xcf\x11\xe0": "it is an old Office file",
        b"PAR1": "it is a Parquet file",
        b"\x89HDF": "it is an HDF5 file",
    }.items():
        if data.startswith(magic):
            return kind
    return "it has NUL bytes" if b"\x00" in data else None


def present(path: Path) -> Path | None:
    """Return the file, plain or gzipped, if it exists."""
    for candidate in (path, path.with_name(path.name + ".gz")):
        if candidate.is_file():
            return candidate
    return None
