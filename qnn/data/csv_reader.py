"""Read comma-separated values as arrays; ambiguous content is refused, never guessed."""

from __future__ import annotations

import csv
import io
import re
from array import array
from collections.abc import Iterator, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np

from formulations.arrays import Array
from formulations.checks import choose
from formulations.errors import FileFormatError, InvalidInputError
from formulations.files.bounded import read_regular
from qnn.data.readers import EXACT, Source, content_kind, make_source

MOST_DIGITS = 18
"""Most digits of an integer that surely fits in 64 bits."""

Columns = tuple[list[str] | None, int, int]
"""Column names, if the first line has them; number of columns; index of the label column."""


def read_csv(path: Path, target: str | None = None, inputs: int | None = None) -> Source:
    """Read comma-separated values in UTF-8: one sample per line, numbers and one label column.

    If all labels are integers, they are read as integers, otherwise as texts.

    Parameters
    ----------
    path : Path
        The file.  Its first line is a header if it contains no number, or if it contains the label
        column's name and no other line has that name as its label.
    target : str, optional
        Name of the label column; None: a column named y, label, target or class, else the last.
    inputs : int, optional
        Number of columns of a file without labels; all labels are then 0.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "flowers.csv"
    >>> _ = path.write_text("width,length,class\\n1,2.5,rose\\n3,0.5,lily\\n")
    >>> source = read_csv(path)
    >>> source.X.tolist(), source.y.tolist()
    ([[1.0, 2.5], [3.0, 0.5]], ['rose', 'lily'])
    """
    name = path.name
    text = _text(path)
    header, width, label = _columns(text, target, name)
    if width == inputs and target is None:
        label = width
    called = header or [str(column + 1) for column in range(width)]
    numbers, labels, lines = array("d"), list[str](), array("q")
    rows = _rows(text, name)
    if header:
        next(rows)
    for line, row in rows:
        if len(row) != width:
            raise InvalidInputError(
                f"{name}, line {line}: {len(row)} columns, expected {width} as in the first line"
            )
        for column, word in enumerate(row):
            if column != label:
                numbers.append(_number(word, f"{name}, line {line}, column", called[column]))
        labels.append(row[label].strip() if label < width else "0")
        lines.append(line)
    if not labels or width < 1 + (label < width):
        raise InvalidInputError(
            f"{name}: {len(labels)} samples of {width} columns: expected at least one "
            f"sample of one input and a label{_delimiter_hint(text, width)}"
        )
    X = np.frombuffer(numbers, dtype=np.float64).reshape(len(labels), -1)
    return make_source(name, X, _labels(labels, lines, name))


def _text(path: Path) -> str:
    # A byte takes twelve in memory: the text, plus a number for every two characters.
    data = read_regular(path, 12)
    kind = content_kind(data)
    if kind is None:
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            kind = f"byte {data[error.start]:#x} at {error.start}: {error.reason}"
    raise FileFormatError(f"{path.name} is not a CSV file in UTF-8 ({kind}); save it as one")


def _rows(text: str, name: str) -> Iterator[tuple[int, list[str]]]:
    """Yield nonempty lines with their numbers; refuse an unclosed quote."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise FileFormatError(
            f"{name}, line {reader.line_num}: {error}; close every quote, and double those within "
            "a text"
        ) from error


def _columns(text: str, target: str | None, name: str) -> Columns:
    """Read column names, number of columns and label column from the first line."""
    first = next(((line, row) for line, row in _rows(text, name)), None)
    if first is None:
        raise InvalidInputError(f"{name} is empty: expected one sample a line")
    words = [word.strip() for word in first[1]]
    usual = ("y", "label", "target", "class")
    candidates = [i for i, word in enumerate(words) if word.lower() in usual]
    if len(words) == 1 and _delimiter_hint(text, 1):
        raise InvalidInputError(f"{name} has one column{_delimiter_hint(text, 1)}")
    if not _is_header(words, candidates, target, text, name):
        if target is not None:
            raise InvalidInputError(
                f"target={target!r}: {name} has no line that names its columns; without one the "
                "last column is the label"
            )
        return None, len(words), len(words) - 1
    for column, word in enumerate(words):
        if not word.isprintable() or not word:
            raise InvalidInputError(
                f"{name}: column {column + 1} has the name {word!r}: name it, or leave it out if "
                "it only numbers the rows"
            )
        if words.index(word) < column:
            raise InvalidInputError(
                f"{name}: columns {words.index(word) + 1} and {column + 1} are both called "
                f"{word!r}: give each a name of its own"
            )
    if target is not None:
        return words, len(words), words.index(choose(f"column of {name}", target, words))
    if len(candidates) > 1:
        both = " and ".join(repr(words[i]) for i in candidates)
        raise InvalidInputError(
            f"{name}: each of the columns {both} may be the label: say which by target= or --target"
        )
    return words, len(words), candidates[0] if candidates else len(words) - 1


def _is_header(
    words: Sequence[str], candidates: Sequence[int], target: str | None, text: str, name: str
) -> bool:
    """Return True if the first line is a header."""
    if target in words:
        return True
    if not any(map(_is_number, words)):
        # These begin a sample rather than a name: a date, 1_000, a missing value.
        sample = re.compile(r"[+-]?\.?\d|(?:na|n/a|null|none|missing|[?*-]+)$", re.IGNORECASE)
        odd = next((word for word in words[:-1] if sample.match(word)), None)
        if odd is not None and not candidates:
            raise InvalidInputError(
                f"{name}, line 1: {_shown(odd)} is not a number; encode or remove what is not or, "
                "if it names a column, call that of the label 'label'"
            )
        return True
    if len(candidates) != 1:
        return bool(candidates)
    # In a first sample of class y, unlike in a header, other samples share its label.
    column, word = candidates[0], words[candidates[0]]
    others = (row for _, row in list(_rows(text, name))[1:] if column < len(row))
    return all(row[column].strip() != word for row in others)


def _delimiter_hint(text: str, width: int) -> str:
    start = text[:1000]
    found = [word for sign, word in ((";", "semicolons"), ("\t", "tabs")) if sign in start]
    return f"; put commas in place of the {found[0]}" if width == 1 and found else ""


def _is_number(word: str) -> bool:
    number = r"[+-]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?|nan|inf(?:inity)?)"
    return re.fullmatch(number, word.strip(), re.IGNORECASE) is not None


def _number(word: str, where: str, column: str) -> float:
    word = word.strip()
    if not _is_number(word):
        raise InvalidInputError(
            f"{where} {column}: {_shown(word)} is not a number; encode or remove what is not"
        )
    if re.fullmatch("[+-]?[0-9]+", word) and (len(word) > MOST_DIGITS or abs(int(word)) > EXACT):
        raise InvalidInputError(
            f"{where} {column}: {_shown(word)} is beyond 2^53, where floats cannot "
            "tell whole numbers apart; scale the column, or remove it if it only names the samples"
        )
    return float(word)


def _shown(word: str) -> str:
    return repr(word) if len(word) <= 50 else f"{word[:50]!r}... ({len(word):,} letters)"


def _labels(labels: list[str], lines: array[int], name: str, most: int = 256) -> Array:
    """Return labels as integers if all are spelled as integers, else as texts, in file order.

    Labels may have at most ``most`` letters, since an array of texts reserves the longest for each.
    """
    for place, label in enumerate(labels):
        if not label:
            raise InvalidInputError(
                f"{name}, line {lines[place]}: no label; every sample needs one"
            )
        if len(label) > most or not label.isprintable():
            raise InvalidInputError(
                f"{name}, line {lines[place]}: label {_shown(label)}: expected at most "
                f"{most} letters on one line; is a quote left open?"
            )
    spelled = sorted(set(labels))
    if not all(map(_is_number, spelled)):
        return np.array(labels)
    _refuse_two_spellings(spelled, labels, lines, name)
    plain = re.compile(r"(?:0|-?[1-9][0-9]*)(?:\.0*)?")  # the usual spelling
    if all(map(plain.fullmatch, spelled)):
        whole = [label.split(".")[0] for label in labels]
        short = all(len(label) <= MOST_DIGITS for label in whole)
        return np.array(list(map(int, whole))) if short else np.array(labels)
    values = np.array(labels, dtype=np.float64)
    if np.isnan(values).any():
        return values  # refused later by name, as in every other kind of file
    told_apart = len(np.unique(values)) == len(spelled) and np.abs(values).max() <= EXACT
    padded = any(re.match("[+-]?0[0-9]|[+]", label) for label in spelled)  # such as a postal code
    return values if told_apart and not padded else np.array(labels)


def _refuse_two_spellings(
    spelled: Sequence[str], labels: Sequence[str], lines: array[int], name: str
) -> None:
    """Refuse labels such as 1 and 01, which may be one class or two."""
    seen: dict[Decimal, str] = {}
    for label in spelled:
        try:
            value = Decimal(label)
        except InvalidOperation:  # an exponent of twenty digits
            continue
        if value.is_nan():
            continue
        other = seen.setdefault(value, label)
        if other != label:
            raise InvalidInputError(
                f"{name}, line {lines[labels.index(label)]}: the labels {other!r} and {label!r} "
                "are two spellings of one number: spell each class in one way"
            )
