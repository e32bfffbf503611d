"""Data sets on the integer lattice: named sets, and CSV, NPZ and IDX files.

``load`` reads a source, keeps the requested classes, pools images, draws a stratified training part
and puts every column on a few integer levels.  Everything fitted uses only the training part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike

import numpy as np
import numpy.typing as npt

from formulations.arrays import Array, BoolArray, ByteArray, FloatArray, IntArray
from formulations.checks import check_whole
from formulations.errors import InvalidInputError
from qnn.data.images import pool
from qnn.data.levels import (
    count_or_word,
    level_count,
    level_thresholds,
    on_levels,
    whole_numbers,
    whole_span,
)
from qnn.data.readers import Source
from qnn.data.sources import open_source


@dataclass(frozen=True)
class Dataset:
    """Integer inputs and labels, split into a training and a test part.

    Parameters
    ----------
    name : str
        The specification given to ``load``.
    X_train, X_test : ndarray of int64, shape (N, d) and (M, d)
        Inputs on their levels; M can be 0.
    y_train, y_test : ndarray of int64, shape (N,) and (M,)
        -1 and +1 for two classes, 0 .. C-1 for more.
    classes : tuple of str
        Labels as spelled in the source, for -1 and +1 or for 0 .. C-1.
    recipe : (int, str or None; float or None)
        ``levels`` of each input, None if the source's own integers were kept; and ``strength``, the
        inverse strength of the penalty if the recipe favours a linear network.
    thresholds : ndarray of float64, shape (levels - 1, d), or None
        Upper end of each level, see :func:`on_levels`; None if ``levels`` is None.
    raw_span : (int, int) or None
        Smallest and largest number of the source, if all are integers.
    image : (int, int) or None
        Height and width of the source's images, if they were pooled.
    repeat : int
        Inputs per number of the source: the length of a thermometer code, else 1.
    pixels : ndarray of uint8, shape (N, h, w), or None
        Training images as in the source, if these are images of bytes.
    """

    name: str
    X_train: IntArray
    y_train: IntArray
    X_test: IntArray
    y_test: IntArray
    classes: tuple[str, ...]
    recipe: tuple[int | str | None, float | None]
    thresholds: FloatArray | None = None
    raw_span: tuple[int, int] | None = None
    image: tuple[int, int] | None = None
    repeat: int = 1
    pixels: ByteArray | None = None

    @property
    def levels(self) -> int | str | None:
        """Levels of each input, as chosen; None if the source's own integers were kept."""
        return self.recipe[0]

    @property
    def strength(self) -> float | None:
        """Inverse strength of a linear network's penalty; None for the usual network."""
        return self.recipe[1]

    @property
    def num_inputs(self) -> int:
        """Number of input columns d."""
        return int(self.X_train.shape[1])

    @property
    def num_outputs(self) -> int:
        """Outputs that a network needs for it: 1 for two classes, C for C classes."""
        return 1 if len(self.classes) == 2 else len(self.classes)


def load(
    spec: str | PathLike[str],
    *,
    samples: int | str | None = None,
    inputs: int | None = None,
    levels: int | str | None = 2,
    seed: int = 0,
    target: str | None = None,
    data_dir: str | PathLike[str] | None = None,
    recipe: Callable[[FloatArray, IntArray], tuple[int | str, float | None]] | None = None,
) -> Dataset:
    """Read a data set and prepare it for training.

    Parameters
    ----------
    spec : str or path
        ``digits``, ``breast_cancer``, ``wine`` or ``iris`` (bundled with scikit-learn), ``mnist``
        or ``fashion`` (see :func:`qnn.data.images.image_set`), or a CSV, NPZ or IDX file.  A suffix
        ``:a,b,...`` keeps only those classes, in that order: ``digits:3,8`` makes 3 the class -1
        and 8 the class +1.
    samples : int, "all" or None
        Size of the training part.  None and ``"all"``: three quarters, leaving the rest as the test
        part, or the whole training part if the source has its own test part.
    inputs : int, optional
        Number of inputs to pool images to, by sums; a square number whose root divides the side.
    levels : int, str or None
        Levels of each input, see :func:`level_thresholds`: a number, ``"even:16"``, ``"scaled:64"``
        or ``"thermometer:4"``, or ``"auto"``, see ``recipe``, which is 16 for pixels.  Of images of
        bytes, 8 or more levels have equal width.  None and ``"keep"`` leave the
        values as they are, which must be integers up to 2^31.
    seed : int
        Seed of the draw.  For equal seeds, a smaller training part is contained in a larger one.
    target : str, optional
        Name of the label column of a CSV file, see :func:`qnn.data.readers.read_csv`.
    data_dir : path, optional
        Folder of ``mnist`` and ``fashion``; None reads the environment variable ``QNN_DATA``,
        and without one takes Debian's package or fetches them from OpenML.
    recipe : callable, optional
        Chooses ``"auto"`` levels and whether the network is linear; None stands for
        :func:`qnn.architecture.recipe_by_folds` without linear networks.

    Raises
    ------
    InvalidInputError
        If a requested item does not exist or does not fit.
    FileFormatError, OSError
        If a file is not what its name says, or is unreadable.

    Examples
    --------
    >>> data = load("digits:3,8", samples=100, inputs=16)
    >>> data.X_train.shape, data.X_test.shape, data.classes
    ((100, 16), (257, 16), ('3', '8'))
    >>> np.unique(data.X_train).tolist(), np.unique(data.y_train).tolist()
    ([-1, 1], [-1, 1])
    """
    samples, levels, strength = sample_count(samples), level_count(levels), None
    if inputs is not None:
        check_whole("inputs", inputs)
    check_whole("seed", seed, least=0, most=2**62)
    source = open_source(spec, target=target, data_dir=data_dir)
    name, X, image_shape = source.name, source.X, source.image_shape
    y, classes = encode_labels(source)
    keep = y >= 0
    held_out = source.held_out
    if not np.isfinite(X).all():
        row, column = np.argwhere(~np.isfinite(X))[0]
        raise InvalidInputError(
            f"{name}: value {X[row, column]} in row {row + 1}, column {column + 1}: every input "
            "must be a finite number; remove or fill what is missing first"
        )
    X, y, held_out = X[keep].astype(np.float64), y[keep], held_out[keep]
    raw_span, columns = whole_span(X), X.shape[1]
    if inputs is not None:
        X = pool(X, image_shape, inputs, name)
    train, test = split(y, held_out, samples, seed, classes, name)
    are_pixels = image_shape is not None and source.X.dtype == np.uint8
    if levels == "auto":
        from qnn.architecture import recipe_by_folds

        chosen = recipe or partial(recipe_by_folds, linear=False)
        levels, strength = (16, None) if are_pixels else chosen(X[train], y[train])
    # From 8 levels on, equal widths of pixels beat quantiles.  Accuracy on held-out images of
    # Fashion-MNIST, equal widths first, 196-64-10, relu:4: .840 and .832 at 8 levels, .847 and .832
    # at 16; sign units: .804 and .814 at 4, .825 and .817 at 8.  10,000 training images, 20 epochs,
    # two seeds.
    even = are_pixels and isinstance(levels, int) and levels >= 8
    thresholds = None if levels is None else level_thresholds(X[train], levels, even=even)
    lattice = whole_numbers(X, name) if thresholds is None else on_levels(X, thresholds)
    coded = np.where(y == 1, 1, -1) if len(classes) == 2 else y
    image = image_shape if X.shape[1] < columns else None
    repeat = lattice.shape[1] // X.shape[1]
    if image is not None and repeat > 1:
        raise InvalidInputError(
            f"levels={levels!r} of pooled images: a thermometer code takes pixels or columns as "
            "they are; leave inputs out, or take a number of levels"
        )
    pixels: Array | None = None
    if are_pixels:
        pixels = source.X[np.flatnonzero(keep)[train]].reshape(len(train), *(image_shape or ()))
    return Dataset(
        name, lattice[train], coded[train], lattice[test], coded[test],
        classes, (levels, strength), thresholds, raw_span, image, repeat, pixels,
    )  # fmt: skip


def on_lattice(
    X: npt.ArrayLike,
    inputs: int,
    thresholds: FloatArray | None,
    image: tuple[int, int] | None = None,
    repeat: int = 1,
) -> IntArray:
    """Put raw numbers on the levels of a data set, with its pooling: ``inputs`` integers a sample.

    Examples
    --------
    >>> on_lattice([[0.2], [0.9]], 2, np.array([[0.1, 0.5]]), repeat=2).tolist()
    [[1, -1], [1, 1]]
    """
    X = np.repeat(pool(X, image, inputs // repeat), repeat, axis=1)
    return whole_numbers(X, "X") if thresholds is None else on_levels(X, thresholds)


def sample_count(value: object) -> int | None:
    """Parse a number of training samples; None and ``"all"`` return None.

    Examples
    --------
    >>> sample_count(100), sample_count("all"), sample_count(None)
    (100, None, None)
    """
    return count_or_word("samples", value, "all", most=None)


def encode_labels(source: Source) -> tuple[IntArray, tuple[str, ...]]:
    """Return each sample's class index, -1 if it is not kept, and the classes."""
    present = [str(c) for c in np.unique(source.y)]
    classes = source.selection or tuple(present)
    for label in classes:
        if label not in present:
            raise InvalidInputError(
                f"{source.name}: no class {label!r}; its classes are {_shortened(present)}"
            )
    if len(set(classes)) != len(classes):
        raise InvalidInputError(f"{source.name}: a class is named twice; name each one once")
    if len(classes) < 2:
        raise InvalidInputError(
            f"{source.name}: only one class, {classes[0]!r}; training needs samples of at least two"
        )
    index = {label: i for i, label in enumerate(classes)}
    return np.array([index.get(str(v), -1) for v in source.y.tolist()], dtype=np.int64), classes


def _shortened(words: Sequence[str], most: int = 12) -> str:
    more = f", ... ({len(words)} in all)" if len(words) > most else ""
    return ", ".join(words[:most]) + more


def split(
    y: IntArray,
    held_out: BoolArray,
    samples: int | None,
    seed: int,
    classes: Sequence[str],
    name: str,
) -> tuple[IntArray, IntArray]:
    """Return the indices of the training and the test part.

    In each class of n samples in random order, sample i gets the key (i + 1/2) / n.  The N smallest
    keys form the training part, which is stratified and contained in that of any larger N.
    """
    candidates, test = np.flatnonzero(~held_out), np.flatnonzero(held_out)
    if samples is None:
        samples = len(candidates) if len(test) else max(2, 3 * len(candidates) // 4)
    if samples > len(candidates):
        raise InvalidInputError(
            f"samples={samples}: {name} has {len(candidates)} to train on; "
            "ask for fewer, or for all"
        )
    order = np.random.default_rng(np.random.SeedSequence(seed)).permutation(candidates)
    keys = np.empty(len(order))
    for c in range(len(classes)):
        members = y[order] == c
        keys[members] = (np.arange(members.sum()) + 0.5) / max(members.sum(), 1)
    order = order[np.argsort(keys, kind="stable")]
    train, rest = np.sort(order[:samples]), np.sort(order[samples:])
    absent = [classes[c] for c in range(len(classes)) if not (y[train] == c).any()]
    if absent:
        raise InvalidInputError(
            f"samples={samples}: the training part of {name} has no sample of class "
            f"{_shortened(absent)}; ask for more samples or fewer classes"
        )
    return train, (test if len(test) else rest)
