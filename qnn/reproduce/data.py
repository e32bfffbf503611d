"""Data of the published tables: unmodified real inputs, in a training and a test part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from formulations.arrays import FloatArray, IntArray
from formulations.errors import FileAccessError, InvalidInputError
from qnn.data.datasets import encode_labels
from qnn.data.images import IMAGES
from qnn.data.readers import Source
from qnn.data.sources import open_source
from qnn.reproduce.report import ReproduceOptions


@dataclass(frozen=True)
class Split:
    """Real inputs and class numbers, in two parts.

    Parameters
    ----------
    name : str
        Source and sizes of its parts, for the table.
    X_train, X_test : ndarray of float64, shape (N, d) and (M, d)
        Inputs as the source has them.
    y_train, y_test : ndarray of int64, shape (N,) and (M,)
        Classes 0 .. C-1.
    known : bool
        True if the images are those published under their name.
    """

    name: str
    X_train: FloatArray
    y_train: IntArray
    X_test: FloatArray
    y_test: IntArray
    known: bool = True

    @property
    def num_classes(self) -> int:
        """Number of classes C."""
        return int(max(self.y_train.max(), self.y_test.max())) + 1

    @property
    def whole(self) -> bool:
        """True with the 60,000 training images on which the published figures are based."""
        return self.known and len(self.X_train) == 60_000

    def unit(self) -> Split:
        """Return the same split with inputs scaled to 0 .. 1."""
        top = self.X_train.max()
        return replace(self, X_train=self.X_train / top, X_test=self.X_test / top)


def split(
    spec: str, options: ReproduceOptions, *, train: int | None = None, test_share: float = 0.2
) -> Split:
    """Split a data set: use its own test part, or else a share drawn by the seed.

    Among several folders with the data set, the one with the most samples is used; ``train`` limits
    the training samples, which are drawn by the seed.

    Examples
    --------
    >>> parts = split("digits", ReproduceOptions())
    >>> parts.name, parts.X_train.shape, parts.num_classes
    ('digits (1,438 + 359)', (1438, 64), 10)
    """
    source = _largest(spec, options)
    y, _ = encode_labels(source)
    X, held_out = source.X[y >= 0].astype(np.float64), source.held_out[y >= 0]
    y = y[y >= 0]
    order = np.random.default_rng(np.random.SeedSequence(options.seed)).permutation(len(y))
    if not held_out.any():
        held_out[order[: round(test_share * len(y))]] = True
    kept = order[~held_out[order]][:train]
    called = spec if source.known else f"{spec}, unknown images"
    name = f"{called} ({len(kept):,} + {held_out.sum():,})"
    return Split(name, X[kept], y[kept], X[held_out], y[held_out], source.known)


def _largest(spec: str, options: ReproduceOptions) -> Source:
    """Return the data set from the folder with the most samples."""
    if spec.partition(":")[0] not in IMAGES or not options.data_dirs:
        return open_source(spec)
    found, reasons = [], []
    for folder in options.data_dirs:
        try:
            found.append(open_source(spec, data_dir=folder))
        except InvalidInputError as error:
            reasons.append(str(error))
    if not found:
        raise InvalidInputError("; ".join(reasons))
    return max(found, key=lambda source: len(source.X))


def absence(spec: str, options: ReproduceOptions) -> str | None:
    """Return the reason why the data set cannot be opened; None if it can.

    Examples
    --------
    >>> absence("digits", ReproduceOptions()) is None
    True
    """
    try:
        _largest(spec, options)
    except (InvalidInputError, FileAccessError) as error:
        return str(error)
    return None


def available(spec: str, options: ReproduceOptions) -> bool:
    """Return True if the data set can be opened at all.

    Examples
    --------
    >>> available("digits", ReproduceOptions())
    True
    """
    return absence(spec, options) is None


def first_of(
    names: Mapping[str, str], options: ReproduceOptions
) -> tuple[dict[str, Split], list[str]]:
    """Return the named data sets, with digits for missing ones, and remarks on these.

    Examples
    --------
    >>> found, remarks = first_of({"digits": "Digits"}, ReproduceOptions())
    >>> found["digits"].name, remarks
    ('digits (1,438 + 359)', [])
    """
    reasons = {spec: absence(spec, options) for spec in names}
    missing = {spec: reason for spec, reason in reasons.items() if reason is not None}
    found = {spec: split("digits" if spec in missing else spec, options) for spec in names}
    return found, [
        f"{names[spec]} was not found: digits stand in for it ({reason})."
        for spec, reason in missing.items()
    ]


def not_run(names: Mapping[str, str], options: ReproduceOptions) -> list[str]:
    """Return remarks on data sets that cannot be opened: their names and the reasons.

    Examples
    --------
    >>> not_run({"digits": "digits"}, ReproduceOptions())
    []
    """
    reasons = {name: absence(spec, options) for spec, name in names.items()}
    return [
        f"Not run, because the data were not found: {name} ({reason})."
        for name, reason in reasons.items()
        if reason is not None
    ]
