"""Reader of MPS files, fixed and free, with integers, ranges, and quadratic parts.

    quadratic objectives    QUADOBJ (lower or upper triangle) and QMATRIX (both): x'Q x / 2
    quadratic constraints   QCMATRIX row (both triangles): x'Q x

Names must not contain blanks.  Integers between markers without a bound are bits, as in HiGHS and
CPLEX.
"""

from __future__ import annotations

from collections.abc import Iterator
from os import fspath

import numpy as np

from formulations.arrays import FloatArray
from formulations.errors import FileFormatError
from formulations.model.assembly import Terms
from qnn.data.model_files.draft import Draft, Path, terms_of, unbounded, whole_bounds
from qnn.data.model_files.text import wrong

Entry = tuple[int, int, float]


class _Parts:
    """Contents of the sections read so far."""

    def __init__(self, path: Path) -> None:
        self.path, self.line = path, 0
        self.maximise, self.objective, self.offset = False, "", 0.0
        self.rows: dict[str, int] = {}
        self.kinds: list[str] = []
        self.ignored: set[str] = set()
        self.columns: dict[str, int] = {}
        self.integer: list[bool] = []
        self.marked = False
        self.cost: list[tuple[int, float]] = []
        self.entries: list[Entry] = []
        self.rhs: dict[int, float] = {}
        self.ranges: dict[int, float] = {}
        self.low: dict[int, float] = {}
        self.high: dict[int, float] = {}
        self.quadratic: list[Entry] = []
        self.in_rows: list[tuple[int, int, int, float]] = []

    def wrong(self, what: str) -> FileFormatError:
        """Return the error for the current line."""
        return wrong(self.path, self.line, what)

    def number(self, word: str) -> float:
        """Parse a number, infinity included."""
        try:
            value = float(word)
        except ValueError:
            value = np.nan
        if np.isnan(value):
            raise self.wrong(f"{word[:200]!r}: expected a number")
        return value

    def column(self, name: str) -> int:
        """Return the index of a known column."""
        if name not in self.columns:
            raise self.wrong(f"{name!r} is no column; expected one of the section COLUMNS")
        return self.columns[name]

    def row(self, name: str) -> int | None:
        """Return the index of a row: -1 for the objective, None for an ignored row."""
        if name == self.objective:
            return -1
        if name in self.ignored:
            return None
        if name not in self.rows:
            raise self.wrong(f"{name!r} is no row; expected one of the section ROWS")
        return self.rows[name]


def read_mps(path: Path, text: str) -> tuple[Draft, bool]:
    """Read the model of an MPS file, to be minimised, and True if the file maximises.

    Raises
    ------
    FileFormatError
        Naming the line if the file is not MPS, cut off, or of an unsupported kind (SOS,
        semi-continuous variables, indicators); naming any continuous variable.

    Examples
    --------
    >>> text = '''NAME one
    ... OBJSENSE MAX
    ... ROWS
    ...  N gain
    ...  L weight
    ... COLUMNS
    ...  M1 'MARKER' 'INTORG'
    ...  x gain 3 weight 2
    ...  y gain 4 weight 3
    ...  M2 'MARKER' 'INTEND'
    ... RHS
    ...  rhs weight 4
    ... BOUNDS
    ...  UP b y 2
    ... ENDATA'''
    >>> draft, maximise = read_mps("one.mps", text)
    >>> print(draft.cqm().objective.to_polystring(), draft.high.tolist(), maximise)
    -3*x - 4*y [1.0, 2.0] True
    """
    parts, section, head = _Parts(path), "", list[str]()
    for line in _lines(parts, text):
        words = line.split()
        if not line[0].isspace():
            head, section = words, words[0].upper()
            if section == "ENDATA":
                return _draft(parts), parts.maximise
            if section == "OBJSENSE" and len(words) > 1:
                _objsense(parts, words[1:], head)
            elif section not in SECTIONS:
                raise parts.wrong(
                    f"section {section[:200]!r} is not read; expected {', '.join(SECTIONS)}"
                )
            continue
        if section not in SECTIONS:
            raise parts.wrong("expected an MPS file, which begins with NAME or ROWS")
        SECTIONS[section](parts, words, head)
    raise FileFormatError(
        f"{fspath(path)!r} ends without ENDATA: it is no MPS file, or cut off; copy it again from "
        "where it came from"
    )


def _lines(parts: _Parts, text: str) -> Iterator[str]:
    """Yield the lines with content."""
    for parts.line, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.startswith("*"):
            yield line


# -- sections --------------------------------------------------------------------------------------


def _nothing(parts: _Parts, words: list[str], head: list[str]) -> None:
    """Refuse a line of NAME, which has none."""
    raise parts.wrong(f"{head[0]} is to be followed by a section")


def _objsense(parts: _Parts, words: list[str], head: list[str]) -> None:
    if words[0].upper()[:3] not in ("MIN", "MAX"):
        raise parts.wrong(f"{words[0][:200]!r}: expected MIN or MAX")
    parts.maximise = words[0].upper().startswith("MAX")


def _rows(parts: _Parts, words: list[str], head: list[str]) -> None:
    if len(words) != 2 or words[0].upper() not in ("N", "L", "G", "E"):
        raise parts.wrong("expected N, L, G or E, and the name of a row without blanks")
    kind, name = words[0].upper(), words[1]
    if name in parts.rows or name in parts.ignored or name == parts.objective:
        raise parts.wrong(f"row {name!r} is there twice; expected distinct names")
    if kind != "N":
        parts.rows[name] = len(parts.rows)
        parts.kinds.append(kind)
    elif not parts.objective:
        parts.objective = name
    else:
        parts.ignored.add(name)


def _columns(parts: _Parts, words: list[str], head: list[str]) -> None:
    if len(words) == 3 and words[1].strip("'").upper() == "MARKER":
        mark = words[2].strip("'").upper()
        if mark not in ("INTORG", "INTEND"):
            raise parts.wrong(f"marker {mark!r}: expected INTORG or INTEND")
        parts.marked = mark == "INTORG"
        return
    if len(words) not in (3, 5):
        raise parts.wrong("expected a column and one or two rows with a number each, no blanks")
    j = parts.columns.setdefault(words[0], len(parts.columns))
    if j == len(parts.integer):
        parts.integer.append(parts.marked)
    for name, word in zip(words[1::2], words[2::2], strict=True):
        r, value = parts.row(name), parts.number(word)
        if r == -1:
            parts.cost.append((j, value))
        elif r is not None:
            parts.entries.append((r, j, value))


def _pairs(parts: _Parts, words: list[str]) -> Iterator[tuple[int | None, float]]:
    """Return rows and numbers of a line, which may begin with the name of a set."""
    if len(words) < 2 or len(words) > 5:
        raise parts.wrong("expected one or two rows with a number each, no blanks in names")
    given = words[len(words) % 2 :]
    for name, word in zip(given[::2], given[1::2], strict=True):
        yield parts.row(name), parts.number(word)


def _rhs(parts: _Parts, words: list[str], head: list[str]) -> None:
    for r, value in _pairs(parts, words):
        if r == -1:
            parts.offset = -value
        elif r is not None:
            parts.rhs[r] = value


def _ranges(parts: _Parts, words: list[str], head: list[str]) -> None:
    for r, value in _pairs(parts, words):
        if r is not None and r >= 0:
            parts.ranges[r] = value


def _bounds(parts: _Parts, words: list[str], head: list[str]) -> None:
    kind = words[0].upper()
    valued = kind in ("UP", "LO", "FX", "LI", "UI")
    if not valued and kind not in ("BV", "FR", "MI", "PL"):
        raise parts.wrong(f"bound {kind[:200]!r} is not read; expected UP, LO, FX, BV, FR, MI, PL")
    rest = words[1:-1] if valued else words[1:]
    if not valued and len(rest) == 3:  # an ignored number
        rest = rest[:2]
    if len(rest) not in (1, 2):
        raise parts.wrong("expected a column, and a number where the bound has one")
    j, low, high = parts.column(rest[-1]), parts.low, parts.high
    if valued:
        value = parts.number(words[-1])
        if kind in ("LO", "LI", "FX"):
            low[j] = value
        if kind in ("UP", "UI", "FX"):
            high[j] = value
            if value < 0 and kind != "FX" and j not in low:
                low[j] = -np.inf
    else:
        if kind in ("FR", "MI"):
            low[j] = -np.inf
        if kind in ("FR", "PL"):
            high[j] = np.inf
        elif kind == "MI":
            high.setdefault(j, np.inf)
        if kind == "BV":
            low[j], high[j] = 0.0, 1.0
    if kind in ("LI", "UI", "BV"):
        parts.integer[j] = True


def _entry(parts: _Parts, words: list[str]) -> Entry:
    if len(words) != 3:
        raise parts.wrong("expected two columns and a number")
    return parts.column(words[0]), parts.column(words[1]), parts.number(words[2])


def _quadratic(parts: _Parts, words: list[str], head: list[str]) -> None:
    j, k, value = _entry(parts, words)
    halved = j == k or head[0].upper() == "QMATRIX"
    parts.quadratic.append((j, k, value / 2 if halved else value))


def _qcmatrix(parts: _Parts, words: list[str], head: list[str]) -> None:
    r = parts.row(head[1]) if len(head) == 2 else None
    if r is None or r < 0:
        raise parts.wrong("expected QCMATRIX and the name of a constraint")
    parts.in_rows.append((r, *_entry(parts, words)))


SECTIONS = {
    "NAME": _nothing,
    "OBJSENSE": _objsense,
    "ROWS": _rows,
    "COLUMNS": _columns,
    "RHS": _rhs,
    "RANGES": _ranges,
    "BOUNDS": _bounds,
    "QUADOBJ": _quadratic,
    "QMATRIX": _quadratic,
    "QCMATRIX": _qcmatrix,
}
"""Function that reads a line of each section."""


# -- the model -------------------------------------------------------------------------------------


def _draft(parts: _Parts) -> Draft:
    """Build the model from all sections."""
    n, m = len(parts.columns), len(parts.rows)
    labels, integer = list(parts.columns), np.array(parts.integer, dtype=bool)
    low, high = np.zeros(n), np.where(integer, 1.0, np.inf)
    high[[j for j in parts.low if j not in parts.high]] = np.inf
    for bounds, given in ((low, parts.low), (high, parts.high)):
        bounds[list(given)] = list(given.values())
    low, high = unbounded(low, high, 1e20)
    low, high = whole_bounds(parts.path, labels, low, high, ~integer)
    lower, upper = _sides(parts, m)
    sign = -1.0 if parts.maximise else 1.0
    tables = [
        np.array(entries, dtype=np.float64).reshape(-1, width)
        for entries, width in (
            (parts.cost, 2), (parts.quadratic, 3), (parts.entries, 3), (parts.in_rows, 4)
        )
    ]  # fmt: skip
    if not all(np.isfinite(table).all() for table in tables):
        raise FileFormatError(f"{fspath(parts.path)!r}: expected finite coefficients")
    return Draft(
        labels,
        low,
        high,
        Terms.join([terms_of(table, sign=sign) for table in tables[:2]]),
        sign * parts.offset,
        Terms.join([terms_of(table, owned=True) for table in tables[2:]]),
        lower,
        upper,
        list(parts.rows),
        np.zeros((0, 3), dtype=np.int64),
    )


def _sides(parts: _Parts, m: int) -> tuple[FloatArray, FloatArray]:
    """Return both sides of each row; the sign of an equality's range gives its direction."""
    kind = np.array(parts.kinds, dtype="U1")
    rhs, width = np.zeros(m), np.zeros(m)
    rhs[list(parts.rhs)] = list(parts.rhs.values())
    width[list(parts.ranges)] = list(parts.ranges.values())
    ranged = np.zeros(m, dtype=bool)
    ranged[list(parts.ranges)] = True
    lower, upper = np.where(kind == "L", -np.inf, rhs), np.where(kind == "G", np.inf, rhs)
    lower = np.where(ranged & (kind == "L"), rhs - np.abs(width), lower)
    upper = np.where(ranged & (kind == "G"), rhs + np.abs(width), upper)
    lower = np.where(ranged & (kind == "E"), rhs + np.minimum(width, 0.0), lower)
    upper = np.where(ranged & (kind == "E"), rhs + np.maximum(width, 0.0), upper)
    return lower, upper
