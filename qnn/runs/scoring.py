"""Predictions of trained networks on data, and their accuracy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from formulations.arrays import Array, IntArray
from formulations.errors import InvalidInputError
from qnn.data.datasets import encode_labels, sample_count, split
from qnn.data.images import pool
from qnn.data.readers import Source
from qnn.data.sources import open_source


def unlabelled(
    spec: str,
    columns: tuple[int, int],
    *,
    target: str | None = None,
    data_dir: str | None = None,
) -> Array:
    """Return all samples of some data as raw inputs of a network, ignoring labels."""
    source = open_source(spec, target=target, data_dir=data_dir, inputs=columns[0])
    kept = np.ones(len(source.X), dtype=bool)
    if source.selection is not None:
        kept = encode_labels(source)[0] >= 0
    return _raw(source, columns)[kept]


def labelled(
    spec: str,
    columns: tuple[int, int],
    names: Sequence[str],
    *,
    target: str | None = None,
    data_dir: str | None = None,
    samples: int | str | None = None,
    seed: int = 0,
) -> tuple[Array, Array]:
    """Return raw inputs and answers of the test samples for a classifier or a regression.

    These are the data's own test part, if any.  Otherwise they are all samples, except those that
    :func:`qnn.data.datasets.load` uses for training with this seed and ``samples``, if given.

    Parameters
    ----------
    spec, target, data_dir, samples, seed
        As in :func:`qnn.data.datasets.load`.
    columns : (int, int)
        Numbers of raw numbers and of inputs per sample of the network.
    names : sequence of str
        The network's classes; empty for a regression.

    Returns
    -------
    X : ndarray, shape (N, raw inputs)
    y : ndarray, shape (N,)
        The network's class number, or the number for a regression to predict.

    Raises
    ------
    InvalidInputError
        If columns or classes differ from the network's, or no sample is left.
    """
    source = open_source(spec, target=target, data_dir=data_dir)
    X = _raw(source, columns)
    if not names:
        if source.y.dtype.kind not in "iuf":
            raise InvalidInputError(f"{source.name}: expected numbers as labels for a regression")
        return X[source.held_out | ~source.held_out.any()], source.y.astype(np.float64)
    number, classes = encode_labels(source)
    unknown = [name for name in classes if name not in names]
    if unknown:
        raise InvalidInputError(
            f"{source.name} has classes {_few(unknown)}, which the network does not know; its "
            f"classes are {_few(names)}: name those of the data that it knows, as in "
            f"{spec}:{_few(names[:2], ',')}"
        )
    kept = np.flatnonzero(number >= 0)
    number, held_out = number[kept], source.held_out[kept]
    if samples is not None or held_out.any():
        chosen = split(number, held_out, sample_count(samples), seed, classes, source.name)[1]
        kept, number = kept[chosen], number[chosen]
    if not len(kept):
        raise InvalidInputError(f"samples={samples}: no sample of {source.name} is left to test on")
    return X[kept], np.array([names.index(name) for name in classes])[number]


def _raw(source: Source, columns: tuple[int, int]) -> Array:
    """Return raw inputs, pooling images for a network whose file does not mention pooling."""
    X = np.asarray(source.X, dtype=np.float64)
    if X.shape[1] not in columns and source.image_shape is not None:
        X = pool(X, source.image_shape, columns[1], source.name)
    if X.shape[1] not in columns:
        raise InvalidInputError(
            f"{source.name} has {X.shape[1]} columns: the network takes {columns[0]}; give the "
            "columns that it was trained on, in the same order"
        )
    return X


def _few(words: Sequence[str], between: str = ", ") -> str:
    return between.join(words[:12]) + (", ..." if len(words) > 12 else "")


def class_figures(true: IntArray, predicted: IntArray, names: Sequence[str]) -> dict[str, Any]:
    """Return accuracy, confusion matrix, and precision, recall and F1 score of each class.

    ``true`` and ``predicted`` are class numbers, shape (N,). The matrix has a row for each true
    class and a column for each predicted one. An undefined ratio, such as the precision of a class
    that is never predicted, is None.

    Examples
    --------
    >>> found = class_figures(np.array([0, 0, 1]), np.array([0, 1, 1]), ["no", "yes"])
    >>> found["accuracy"], found["confusion"], found["per_class"][0]["recall"]
    (0.6666666666666666, [[1, 1], [0, 1]], 0.5)
    """
    size = len(names)
    matrix = np.bincount(true * size + predicted, minlength=size * size).reshape(size, size)
    right, samples, answers = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    figures = [
        {
            "class": name,
            "samples": int(samples[i]),
            "predicted": int(answers[i]),
            "precision": _share(right[i], answers[i]),
            "recall": _share(right[i], samples[i]),
            "f1": _share(2 * right[i], samples[i] + answers[i]),
        }
        for i, name in enumerate(names)
    ]
    recalls = right[samples > 0] / samples[samples > 0]
    return {
        "samples": len(true),
        "correct": int(right.sum()),
        "accuracy": _share(right.sum(), len(true)),
        "balanced_accuracy": float(recalls.mean()) if len(recalls) else None,
        "confusion": matrix.tolist(),
        "per_class": figures,
    }


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def regression_figures(true: Array, predicted: Array) -> dict[str, Any]:
    """Return mean absolute error, root mean square error, and R^2 (None if all are equal).

    Examples
    --------
    >>> regression_figures(np.array([0.0, 2.0]), np.array([1.0, 2.0]))
    {'samples': 2, 'mean_absolute_error': 0.5, 'root_mean_square_error': 0.707..., 'r2': 0.5}
    """
    error, spread = predicted - true, true - true.mean()
    total = float(spread @ spread)
    return {
        "samples": len(true),
        "mean_absolute_error": float(np.abs(error).mean()),
        "root_mean_square_error": float(np.sqrt(np.mean(error**2))),
        "r2": 1 - float(error @ error) / total if total else None,
    }
