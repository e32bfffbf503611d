"""Integer levels of inputs: where each one ends, and which numbers of a file are whole."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from formulations.arrays import FloatArray, IntArray
from formulations.checks import check_whole, shown
from formulations.errors import InvalidInputError

MOST_LEVELS = 1024
"""Of an input: more than any model here has a use for."""

LEAST_OF_KIND = {"even": (2, MOST_LEVELS), "scaled": (2, MOST_LEVELS), "thermometer": (1, 255)}
"""Least and greatest number that goes with a kind of levels."""

LARGEST = 2**31
"""Of an input that is kept as it is: what a training problem takes."""


def level_count(value: object) -> int | str | None:
    """Levels of inputs, or None to keep these as they are: ``"keep"`` or None.

    ``"auto"`` stays as it is, for :func:`qnn.architecture.levels_by_folds`.

    Raises
    ------
    InvalidInputError
        For anything else than a number, ``"even:16"``, ``"scaled:32"`` and ``"thermometer:4"``, of
        any number.

    Examples
    --------
    >>> level_count(2), level_count("thermometer:4"), level_count("keep"), level_count(None)
    (2, 'thermometer:4', None, None)
    """
    if isinstance(value, str) and value == "auto":
        return value
    if not isinstance(value, str) or value == "keep":
        return count_or_word("levels", value, "keep", most=MOST_LEVELS)
    kind, number = _kind(value)
    return value if kind else number


def _kind(levels: object) -> tuple[str, int]:
    """Kind and number of levels: ``("even", 16)``, ``("thermometer", 4)``, ``("", 16)``."""
    if not isinstance(levels, str):
        return "", check_whole("levels", levels, least=2, most=MOST_LEVELS)
    kind, _, number = levels.partition(":")
    if kind not in LEAST_OF_KIND or not number.isdecimal():
        raise InvalidInputError(
            f"levels={shown(levels)}: expected an integer from 2 to 1,024, 'even:16', "
            "'scaled:32', 'thermometer:4', 'auto' (of classes) or 'keep'"
        )
    least, most = LEAST_OF_KIND[kind]
    return kind, check_whole(f"levels={levels}: number", int(number), least=least, most=most)


def count_or_word(name: str, value: object, word: str, most: int | None) -> int | None:
    """An integer of at least 2, or None for None and for the word that stands for it."""
    if value is None or (isinstance(value, str) and value == word):
        return None
    try:
        check_whole(name, value, least=2, most=most)
    except InvalidInputError as error:
        raise InvalidInputError(f"{error}, or {word!r}") from None
    return int(value)  # type: ignore[call-overload,no-any-return]


def level_values(levels: int) -> IntArray:
    """The ``levels`` integers centred at zero: odd numbers if they are even in number.

    Examples
    --------
    >>> level_values(3).tolist(), level_values(4).tolist()
    ([-1, 0, 1], [-3, -1, 1, 3])
    """
    check_whole("levels", levels, least=2, most=MOST_LEVELS)
    centred = 2 * np.arange(levels, dtype=np.int64) - (levels - 1)
    return centred if levels % 2 == 0 else centred // 2


def level_thresholds(
    reference: npt.ArrayLike, levels: int | str, *, even: bool = False, reach: float = 2.5
) -> FloatArray:
    """Where the levels of every column end, shape (L-1, d), or (1, T d) of a thermometer code.

    A number L: the quantiles 1/L, ..., (L-1)/L of each column.  ``"even:L"``, or L with ``even``:
    L equal parts of the range of all columns together, so that all have the same; for pixels.
    ``"scaled:L"``: equal parts of each column's own mean +- ``reach`` standard deviations, as a
    linear model of standardised columns has them.
    ``"thermometer:T"``: T inputs of two levels for each column, one behind the other, which tell
    whether it is above its quantiles 1/(T+1), ..., T/(T+1).  A network can then weigh every one
    of them by itself, which levels of one input do not let it.

    Raises
    ------
    InvalidInputError
        If ``levels`` is none of these, or values are so large that the differences of a column
        overflow.

    Examples
    --------
    >>> thresholds = level_thresholds([[0.0], [1.0], [2.0], [3.0]], "thermometer:3")
    >>> on_levels([[0.0], [2.0], [9.0]], thresholds).tolist()
    [[-1, -1, -1], [1, 1, -1], [1, 1, 1]]
    """
    kind, count = _kind(levels)
    reference = np.asarray(reference, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        if even or kind == "even":
            bounds = np.linspace(reference.min(), reference.max(), count + 1)[1:-1, None]
            thresholds = np.repeat(bounds, reference.shape[1], axis=1)
        elif kind == "scaled":
            bounds = np.linspace(-reach, reach, count + 1)[1:-1, None]
            thresholds = reference.mean(axis=0) + bounds * reference.std(axis=0)
        else:
            cells = count + (kind == "thermometer")
            thresholds = np.asarray(np.quantile(reference, np.arange(1, cells) / cells, axis=0))
        spread = np.ptp(reference, axis=0)
    if not (np.isfinite(thresholds).all() and np.isfinite(spread).all()):
        raise InvalidInputError(
            "inputs whose differences are beyond the largest float have no levels between them: "
            "scale them first"
        )
    return thresholds.T.reshape(1, -1) if kind == "thermometer" else thresholds


def on_levels(X: npt.ArrayLike, thresholds: FloatArray) -> IntArray:
    """Every value on the level numbered #{thresholds < v}, levels centred at zero.

    So a value beyond those that the thresholds were fitted on takes the outermost level.  With T
    times as many columns of thresholds as of values, every value stands T times.
    """
    X = np.asarray(X)
    repeat = thresholds.shape[1] // max(X.shape[1], 1)
    X = np.repeat(X, repeat, axis=1) if repeat > 1 else X
    above = np.zeros(X.shape, dtype=np.int64)
    for row in thresholds:  # one after the other: all at once would take levels times the memory
        above += row < X
    return np.asarray(level_values(len(thresholds) + 1)[above])


def span_of(inputs: npt.ArrayLike) -> tuple[int, int, int]:
    """Least and greatest of some integers, and 2 if they are all odd numbers between, else 1.

    Examples
    --------
    >>> span_of([-1, 1, 1]), span_of([0, 16, 4])
    ((-1, 1, 2), (0, 16, 1))
    """
    values = np.unique(np.asarray(inputs))
    low, high = int(values[0]), int(values[-1])
    every_odd = len(values) > 1 and bool((np.diff(values) == 2).all())
    return low, high, 2 if every_odd and low % 2 else 1


def whole_span(X: npt.ArrayLike) -> tuple[int, int] | None:
    """Least and greatest of some numbers, if all are integers up to 2^31; else None.

    Examples
    --------
    >>> whole_span([[0, 255]]), whole_span([[0.5, 1]])
    ((0, 255), None)
    """
    X = np.asarray(X, dtype=np.float64)
    if not np.array_equal(np.rint(X), X) or np.abs(X).max(initial=0.0) >= LARGEST:
        return None
    return int(X.min()), int(X.max())


def whole_numbers(X: FloatArray, name: str) -> IntArray:
    """The same values as integers; refused, with its place, is one that is none or too large."""
    whole = np.rint(X)
    if np.abs(X).max(initial=0.0) > LARGEST:
        row, column = np.argwhere(np.abs(X) > LARGEST)[0]
        raise InvalidInputError(
            f"{name}: value {X[row, column]:g} in row {row + 1}, column {column + 1} is beyond "
            "2^31; scale the inputs, or give a number of levels to have them quantized"
        )
    if not np.array_equal(whole, X):
        row, column = np.argwhere(whole != X)[0]
        raise InvalidInputError(
            f"{name}: value {X[row, column]:g} in row {row + 1}, column {column + 1} is not an "
            "integer; give a number of levels to have the inputs quantized"
        )
    return whole.astype(np.int64)
