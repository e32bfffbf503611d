"""Reader of QPLIB files [Furini et al., Mathematical Programming Computation 11, 2019, appendix B].

    minimise   x'Q0 x / 2 + b0'x + q0
    such that  cl_i <= x'Qi x / 2 + bi'x <= cu_i,   l <= x <= u

A matrix is symmetric and given by its lower triangle.  An off-diagonal entry is the coefficient of
its product, a diagonal entry twice that of its square.
"""

from __future__ import annotations

from os import fspath
from typing import Any

import numpy as np

from formulations.arrays import FloatArray
from formulations.errors import FileFormatError
from formulations.files.bounded import refuse_if_too_much
from formulations.model.assembly import Terms
from qnn.data.model_files.draft import Draft, Path, terms_of, unbounded, whole_bounds
from qnn.data.model_files.text import wrong


def read_qplib(path: Path, text: str) -> tuple[Draft, bool]:
    """Read the model of a QPLIB file, to be minimised, and True if the file maximises.

    Raises
    ------
    FileFormatError
        Naming the line if the file is not QPLIB or cut off; naming any continuous variable.

    Examples
    --------
    >>> lines = ["two", "QBN", "maximize", "2", "1", "2 1 -4", "1", "0", "0", "1E20"]
    >>> draft, maximise = read_qplib("two.qplib", "\\n".join([*lines, *["0"] * 6]))
    >>> print(draft.cqm().objective.to_polystring(), maximise)
    -x1 - x2 + 4*x1*x2 True
    """
    lines = _Lines(path, text)
    lines.word("a name")
    kind = lines.word("a type of three letters").upper()
    if len(kind) != 3 or kind[0] not in "LDCQ" or kind[1] not in "CBMIG" or kind[2] not in "NBLDCQ":
        raise lines.wrong(f"{kind!r} is no type of QPLIB; expected three letters, such as QBL")
    sense = lines.word("minimize or maximize").lower()
    if sense not in ("minimize", "maximize"):
        raise lines.wrong(f"{sense!r}: expected minimize or maximize")
    n = lines.count("variables")
    m = 0 if kind[2] in "NB" else lines.count("constraints")
    refuse_if_too_much(path, 200 * (n + m), f"a model of {n:,} variables and {m:,} constraints")

    quadratic = lines.entries((n, n)) if kind[0] != "L" else np.zeros((0, 3))
    linear = lines.column(n, "objective")
    offset = lines.number("the objective's constant")
    of_rows = lines.entries((m, n, n)) if kind[2] in "DCQ" else np.zeros((0, 4))
    in_rows = lines.entries((m, n)) if kind[2] not in "NB" else np.zeros((0, 3))
    infinity = lines.number("the value of infinity")
    lower, upper = (
        (lines.column(m, "left-hand sides"), lines.column(m, "right-hand sides"))
        if kind[2] not in "NB" else (np.zeros(0), np.zeros(0))
    )  # fmt: skip
    low, high, whole = np.zeros(n), np.ones(n), np.ones(n)
    if kind[1] != "B":
        low, high = lines.column(n, "lower bounds"), lines.column(n, "upper bounds")
        whole = np.full(n, 0.0 if kind[1] == "C" else 1.0)
    if kind[1] in "MG":
        whole = lines.column(n, "types of variables")
    for count in (n, m, n) if kind[2] not in "NB" else (n, n):
        lines.column(count, "starting values")
    labels = lines.names(n, "x", "variables")
    row_labels = lines.names(m, "c", "constraints")

    low = np.where(whole == 2, np.maximum(low, 0), low)
    high = np.where(whole == 2, np.minimum(high, 1), high)
    low, high = unbounded(low, high, infinity)
    low, high = whole_bounds(path, labels, low, high, whole == 0)
    lower, upper = unbounded(lower, upper, infinity)
    sign = -1.0 if sense == "maximize" else 1.0
    single = np.flatnonzero(linear)
    for triangle in (quadratic, of_rows):  # a diagonal entry is twice its coefficient
        triangle[:, -1] *= np.where(triangle[:, -3] == triangle[:, -2], 0.5, 1.0)
    cost = terms_of(np.stack([single, linear[single]], axis=1), sign=sign)
    draft = Draft(
        labels,
        low,
        high,
        Terms.join([terms_of(quadratic, sign=sign), cost]),
        sign * offset,
        Terms.join([terms_of(of_rows, owned=True), terms_of(in_rows, owned=True)]),
        lower,
        upper,
        row_labels,
        np.zeros((0, 3), dtype=np.int64),
    )
    return draft, sense == "maximize"


class _Lines:
    """Lines of a file with content, read one part after another."""

    def __init__(self, path: Path, text: str) -> None:
        said = [
            (number, line)
            for number, line in enumerate(text.splitlines(), 1)
            if line.strip() and line.lstrip()[0] not in "!#%"
        ]
        self.path, self.at = path, 0
        self.numbers = [number for number, _ in said]
        self.lines = [line for _, line in said]

    def wrong(self, what: str, back: int = 1) -> FileFormatError:
        """Return the error for the latest line, or for one before it."""
        at = max(0, min(self.at - back, len(self.lines) - 1))
        return wrong(self.path, self.numbers[at] if self.numbers else 1, what)

    def word(self, what: str) -> str:
        """Return the first word of the next line."""
        if self.at >= len(self.lines):
            raise FileFormatError(
                f"{fspath(self.path)!r} ends where {what} should stand: it is no QPLIB file, or "
                "cut off; copy it again from where it came from"
            )
        self.at += 1
        return self.lines[self.at - 1].split()[0]

    def number(self, what: str) -> float:
        """Read a finite number."""
        word = self.word(what)
        try:
            value = float(word)
        except ValueError:
            value = np.nan
        if not np.isfinite(value):
            raise self.wrong(f"{word!r}: expected {what}, a number")
        return value

    def count(self, what: str) -> int:
        """Read a count of items."""
        word = self.word(f"the number of {what}")
        if not word.isdecimal() or len(word) > 15:
            raise self.wrong(f"{word!r}: expected the number of {what}")
        return int(word)

    def table(self, columns: int) -> list[str]:
        """Return the lines of a table, whose number the next line announces."""
        count = self.count("lines that follow")
        if count > len(self.lines) - self.at:
            raise self.wrong(
                f"{count:,} lines are announced and {len(self.lines) - self.at:,} are left: the "
                "file is cut off, copy it again from where it came from"
            )
        self.at += count
        return self.lines[self.at - count : self.at]

    def entries(self, sizes: tuple[int, ...]) -> FloatArray:
        """Read a sparse array: indices from 0, and values, shape (k, d + 1) for d dimensions."""
        lines = self.table(len(sizes) + 1)
        if not lines:
            return np.zeros((0, len(sizes) + 1))
        given: dict[str, Any] = {"comments": None, "ndmin": 2, "usecols": range(len(sizes) + 1)}
        try:
            found = np.loadtxt(lines, dtype=np.float64, **given)
        except ValueError:
            raise self._bad_line(lines, len(sizes)) from None
        places = found[:, :-1]
        right = (places == np.rint(places)) & (places >= 1) & (places <= np.array(sizes))
        right &= np.isfinite(found[:, -1:])
        if not right.all():
            bad = int(np.argmin(right.all(axis=1)))
            raise self.wrong(
                f"{lines[bad].strip()!r}: expected places of at most {sizes} and a number",
                len(lines) - bad,
            )
        found[:, :-1] -= 1
        return found

    def _bad_line(self, lines: list[str], places: int) -> FileFormatError:
        """Return the error for the first line of a table that is not numeric."""
        for number, line in enumerate(lines):
            words = line.split()[: places + 1]
            try:
                fine = len([float(word) for word in words]) == places + 1
            except ValueError:
                fine = False
            if not fine:
                return self.wrong(
                    f"{line.strip()[:200]!r}: expected {places} places and a number",
                    len(lines) - number,
                )
        return self.wrong("expected numbers")

    def column(self, size: int, what: str) -> FloatArray:
        """Read values with a default, shape (size,)."""
        values = np.full(size, self.number(f"the default of the {what}"))
        entries = self.entries((size,))
        values[entries[:, 0].astype(np.int64)] = entries[:, 1]
        return values

    def names(self, size: int, letter: str, what: str) -> list[str]:
        """Read names of variables or rows; unnamed ones are x1, x2, ..."""
        names = [f"{letter}{k + 1}" for k in range(size)]
        if self.at >= len(self.lines):
            return names  # older files end without names
        for number, line in enumerate(lines := self.table(2)):
            words = line.split()
            fits = len(words) > 1 and words[0].isdecimal() and 1 <= int(words[0][:15]) <= size
            if not fits:
                raise self.wrong(f"{line.strip()[:200]!r}: expected a place and a name",
                                 len(lines) - number)  # fmt: skip
            names[int(words[0]) - 1] = words[1]
        if len(set(names)) < size:
            raise self.wrong(f"two {what} have the same name; expected distinct ones")
        return names
