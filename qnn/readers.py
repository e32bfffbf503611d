"""Data files, CSV, NPZ and IDX, as arrays."""

from __future__ import annotations

import csv
import gzip
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from formulations.errors import FileFormatError, InvalidInputError, choose

FloatArray = npt.NDArray[np.float64]

TARGET_NAMES = ["y", "label", "target", "class"]


@dataclass(frozen=True)
class Source:
    """Data as they were found.

    Parameters
    ----------
    name : str
    X : ndarray of float64, or of uint8 where a file holds bytes, shape (N, d)
    y : ndarray, shape (N,)
        Labels of any kind.
    image_shape : (h, w) or None
        With h w = d if the rows of X are images.
    held_out : ndarray of bool, shape (N,)
        True for samples of the source's own test part; all False if it has none.
    selection : tuple of str or None
        Classes to keep, in that order; None for all.
    """

    name: str
    X: FloatArray | npt.NDArray[np.uint8]
    y: npt.NDArray[np.generic]
    image_shape: tuple[int, int] | None
    held_out: npt.NDArray[np.bool_]
    selection: tuple[str, ...] | None = None


def make_source(
    name: str,
    X: npt.ArrayLike,
    y: npt.ArrayLike,
    image_shape: tuple[int, int] | None = None,
    *,
    num_held_out: int = 0,
) -> Source:
    """A source of arrays, checked; the last ``num_held_out`` samples are its own test part.

    Raises
    ------
    InvalidInputError
        If shapes do not fit, the arrays are empty, or X is not numeric.

    Examples
    --------
    >>> make_source("mine", [[1, 2], [3, 4]], ["a", "b"]).held_out.tolist()
    [False, False]
    """
    try:
        X = np.asarray(X)
        X = X if X.dtype == np.uint8 else np.asarray(X, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"{name}: the inputs X are not numbers ({error})") from error
    y = np.asarray(y)
    if X.ndim == 3:
        image_shape = (X.shape[1], X.shape[2])
        X = X.reshape(len(X), -1)
    if X.ndim != 2 or X.size == 0:
        raise InvalidInputError(
            f"{name}: inputs X of shape {X.shape}: expected (N, d) or, for images, (N, h, w), "
            "with at least one sample and one column"
        )
    if y.shape != (len(X),):
        raise InvalidInputError(
            f"{name}: labels y of shape {y.shape}: expected ({len(X)},), one for each row of X"
        )
    if y.dtype.kind == "f":
        if not np.isfinite(y).all():
            row = int(np.flatnonzero(~np.isfinite(y))[0])
            raise InvalidInputError(
                f"{name}: label {y[row]} in row {row + 1}: every sample needs one"
            )
        if np.array_equal(np.rint(y), y):
            y = y.astype(np.int64)  # so that a class is called 3, not 3.0
    return Source(name, X, y, image_shape, np.arange(len(X)) >= len(X) - num_held_out)


def read_csv(path: Path, target: str | None = None) -> Source:
    """Comma-separated values: one sample a line, numbers, and one column of labels.

    Parameters
    ----------
    path : Path
        The file.  Its first line names the columns if it has no number in it, or a column of the
        label's name.
    target : str, optional
        Name of the label column; None takes one called y, label, target or class, else the last.

    Raises
    ------
    InvalidInputError, FileFormatError
        Naming the line.
    """
    name = path.name
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = [
                (reader.line_num, row) for reader in [csv.reader(file)] for row in reader if row
            ]
    except (UnicodeDecodeError, csv.Error) as error:
        raise FileFormatError(
            f"{name} is not a CSV file in UTF-8 ({error}); save it as one"
        ) from error
    if not rows:
        raise InvalidInputError(f"{name} is empty: expected one sample a line")
    first = [column.strip() for column in rows[0][1]]
    named = target in first or any(column.lower() in TARGET_NAMES for column in first)
    header = first if named or not any(map(_is_number, first)) else None
    width = len(first)
    body = rows[1:] if header else rows
    for line, row in body:
        if len(row) != width:
            raise InvalidInputError(
                f"{name}, line {line}: {len(row)} columns, expected {width} as in the first line"
            )
    if not body or width < 2:
        raise InvalidInputError(
            f"{name}: {len(body)} samples of {width} columns: expected at least one sample of one "
            "input and a label"
        )
    label = _label_column(header, target, width, name)
    X = np.empty((len(body), width - 1))
    for i, (line, row) in enumerate(body):
        for j, text in enumerate(row[:label] + row[label + 1 :]):
            if not _is_number(text):
                column = j + (j >= label)
                raise InvalidInputError(
                    f"{name}, line {line}, column {header[column] if header else column + 1}: "
                    f"{text!r} is not a number; encode or remove what is not"
                )
            X[i, j] = float(text)
    labels = [row[label].strip() for _, row in body]
    if not all(labels):
        line = body[labels.index("")][0]
        raise InvalidInputError(f"{name}, line {line}: no label; every sample needs one")
    numeric = all(map(_is_number, labels))
    return make_source(name, X, np.array(labels, dtype=float if numeric else str))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _label_column(header: Sequence[str] | None, target: str | None, width: int, name: str) -> int:
    if target is not None:
        if header is None:
            raise InvalidInputError(
                f"target={target!r}: {name} has no line that names its columns; without one the "
                "last column is the label"
            )
        return header.index(choose(f"column of {name}", target, list(header)))
    lowered = [column.lower() for column in header or ()]
    return next((lowered.index(t) for t in TARGET_NAMES if t in lowered), width - 1)


def read_npz(path: Path) -> Source:
    """A NumPy archive with arrays X and y, or X_train, y_train, X_test and y_test.

    Raises
    ------
    FileFormatError
        If the file is corrupt, holds Python objects, or lacks the arrays.
    """
    name = path.name
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {key: archive[key] for key in archive.files}
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise FileFormatError(
            f"{name} is not a readable NPZ file ({error}); write it by numpy.savez(path, X=X, y=y)"
        ) from error
    own_test = {"X_train", "y_train", "X_test", "y_test"} <= arrays.keys()
    if not own_test and not {"X", "y"} <= arrays.keys():
        found = ", ".join(sorted(arrays)) or "none"
        raise FileFormatError(
            f"{name} has the arrays {found}: expected X and y, or X_train, y_train, X_test, y_test"
        )
    if own_test:
        X = _joined(arrays["X_train"], arrays["X_test"], f"{name}: X_train and X_test")
        y = _joined(arrays["y_train"], arrays["y_test"], f"{name}: y_train and y_test")
    else:
        X, y = arrays["X"], arrays["y"]
    side = round(X.shape[1] ** 0.5) if X.ndim == 2 else 0
    image_shape = (side, side) if side > 1 and side * side == X.shape[1] else None
    held_out = len(arrays["X_test"]) if own_test else 0
    return make_source(name, X, y, image_shape, num_held_out=held_out)


def _joined(
    first: npt.NDArray[np.generic], second: npt.NDArray[np.generic], what: str
) -> npt.NDArray[np.generic]:
    if first.ndim == 0 or first.shape[1:] != second.shape[1:]:
        raise InvalidInputError(
            f"{what} have shapes {first.shape} and {second.shape}: columns differ"
        )
    return np.concatenate([first, second])


def read_idx_pair(images: Path) -> Source:
    """An IDX file of images and the file of labels beside it, plain or gzipped.

    Raises
    ------
    FileFormatError
        If one of them is corrupt.
    InvalidInputError
        If the labels are not there.
    """
    stem = images.name.removesuffix(".gz").replace("images-idx3", "labels-idx1")
    labels = present(images.with_name(stem))
    if labels is None:
        raise InvalidInputError(
            f"{images.name}: its labels, {stem} or {stem}.gz, are not beside it; put them there"
        )
    return make_source(images.name, read_idx(images), read_idx(labels))


def read_idx(path: Path) -> npt.NDArray[np.uint8]:
    """An IDX file of unsigned bytes: 0, 0, 8, number of axes, their lengths, then the values.

    Format: Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits".
    """
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            data: bytes = file.read()
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise FileFormatError(f"{path.name} is not a whole gzip file ({error})") from error
    axes = data[3] if len(data) > 3 else 0
    start = 4 + 4 * axes
    if data[:3] != b"\x00\x00\x08" or axes == 0 or len(data) < start:
        raise FileFormatError(f"{path.name} is not an IDX file of bytes: fetch it again")
    shape = np.frombuffer(data, dtype=">u4", count=axes, offset=4).tolist()
    values = np.frombuffer(data, dtype=np.uint8, offset=start)
    if len(values) != np.prod(shape, dtype=object):
        raise FileFormatError(
            f"{path.name} holds {len(values)} values, its head says {shape}: fetch it again"
        )
    return values.reshape(shape)


def present(path: Path) -> Path | None:
    """The file, plain or gzipped, if there is one."""
    for candidate in (path, path.with_name(path.name + ".gz")):
        if candidate.is_file():
            return candidate
    return None
