"""Integer levels of inputs: thresholds between levels, and checks for whole numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from formulations.arrays import FloatArray, IntArray
from formulations.checks import check_whole, shown
from formulations.errors import InvalidInputError

MOST_LEVELS = 1024
"""Maximum levels of an input: more than any model here can use."""

LARGEST = 2**31
"""Largest input kept unchanged: the limit of a training problem."""


def level_count(value: object) -> int | str | None:
    """Check a number or kind of levels; ``"keep"`` and None return None, which keeps inputs as is.

    ``"auto"`` is returned unchanged, for :func:`qnn.architecture.recipe_by_folds`.

    Raises
    ------
    InvalidInputError
        For anything but a number, or a kind with a number, such as ``"even:16"``, ``"scaled:32"``
        and ``"thermometer:4"``.

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
    """Split into kind and number: ``("even", 16)``, ``("thermometer", 4)``, ``("", 16)``."""
    if not isinstance(levels, str):
        return "", check_whole("levels", levels, least=2, most=MOST_LEVELS)
    kind, _, number = levels.partition(":")
    allowed = {"even": (2, MOST_LEVELS), "scaled": (2, MOST_LEVELS), "thermometer": (1, 255)}
    if kind not in allowed or not number.isdecimal():
        raise InvalidInputError(
            f"levels={shown(levels)}: expected an integer from 2 to 1,024, 'even:16', "
            "'scaled:32', 'thermometer:4', 'auto' (of classes) or 'keep'"
        )
    least, most = allowed[kind]
    return kind, check_whole(f"levels={levels}: number", int(number), least=least, most=most)


def count_or_word(name: str, value: object, word: str, most: int | None) -> int | None:
    """Check an integer of at least 2; None and ``word`` return None."""
    if value is None or (isinstance(value, str) and value == word):
        return None
    try:
        check_whole(name, value, least=2, most=most)
    except InvalidInputError as error:
        raise InvalidInputError(f"{error}, or {word!r}") from None
    return int(value)  # type: ignore[call-overload,no-any-return]


def level_values(levels: int) -> IntArray:
    """Return ``levels`` integers centred at zero; they are odd if ``levels`` is even.

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
    """Fit the thresholds of every column, shape (L-1, d), or (1, T d) for a thermometer code.

    A number L: the quantiles 1/L, ..., (L-1)/L of each column.  ``"even:L"``, or L with ``even``: L
    equal parts of the joint range of all columns, so that all columns share them; for pixels.
    ``"scaled:L"``: equal parts of each column's own mean +- ``reach`` standard deviations, as in a
    linear model of standardised columns.
    ``"thermometer:T"``: T consecutive two-level inputs for each column, which indicate whether it
    exceeds its quantiles 1/(T+1), ..., T/(T+1).  A network can weight each of them separately,
    unlike the levels of one input.

    Raises
    ------
    InvalidInputError
        If ``levels`` is none of these, or a column's differences overflow.

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
    """Put every value on level #{thresholds < v}; levels are centred at zero.

    A value outside the range of the fit takes the outermost level.  With T times as many threshold
    columns as values, every value is repeated T times.
    """
    X = np.asarray(X)
    repeat = thresholds.shape[1] // max(X.shape[1], 1)
    X = np.repeat(X, repeat, axis=1) if repeat > 1 else X
    above = np.zeros(X.shape, dtype=np.int64)
    for row in thresholds:  # Doing all thresholds at once would take ``levels`` times the memory.
        above += row < X
    return np.asarray(level_values(len(thresholds) + 1)[above])


def span_of(inputs: npt.ArrayLike) -> tuple[int, int, int]:
    """Return the smallest and largest of some integers and their step: 2 if all are odd, else 1.

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
    """Return the smallest and largest number if all are integers up to 2^31; else None.

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
    """Convert values to integers; refuse one that is not whole or too large, with its position."""
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
