"""Structure of a reproduction: rows of published and own figures, with remarks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import Any, Literal

import numpy as np

from formulations.errors import InvalidInputError

Mapped = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], Iterator[Any]]
"""Function that applies another one to each task's arguments, yielding results in order."""


Origin = Literal["paper", "second hand", "theory", "measured"]
"""Origin of the published figure: printed by the authors, in the paper or their public notebooks;
reported by others, such as a public review; implied by the definitions; or not published but
measured by us earlier, with the published method."""


@dataclass(frozen=True)
class Row:
    """One figure.

    Parameters
    ----------
    what : str
        The measured quantity, its data and setting.
    ours : float or None
        Our figure; None if it could not be measured, which ``remark`` then explains.
    published : float, optional
        The figure to reproduce; None if there is none.
    spread : float, optional
        Standard deviation of ours over several seeds.
    form : str
        Format of the figures, with their unit: ``{:.2f} %``.
    origin : Origin
        Origin of ``published``.
    remark : str
        Remark on this row alone.
    baseline : float, optional
        Figure of the method that ours is compared with in our own runs; the table's conditions name
        the method.

    Examples
    --------
    >>> row = Row("test accuracy, K = 30", ours=90.31, published=90.4, form="{:.1f} %")
    >>> row.cells()
    ['test accuracy, K = 30', '90.4 %', '-', '90.3 %', '-', '-0.1', 'found again', '']
    """

    what: str
    ours: float | None
    published: float | None = None
    spread: float | None = None
    form: str = "{:.2f} %"
    origin: Origin = "paper"
    remark: str = ""
    baseline: float | None = None

    @property
    def difference(self) -> float | None:
        """Our figure minus the published one."""
        if self.ours is None or self.published is None:
            return None
        return self.ours - self.published

    @property
    def verdict(self) -> str:
        """Outcome for the published figure; empty if there is none to reproduce.

        ``found again``: ours differs by at most one unit of its last decimal.  ``within the
        spread``: at most twice the standard deviation of ours over seeds.  ``not``: neither.  ``not
        run``: our figure is missing.
        """
        if self.published is None:
            return ""
        if self.difference is None:
            return "not run"
        digits = repr(float(self.published)).partition(".")[2]
        unit = 10.0 ** -len(digits)
        if abs(self.difference) < unit * (1 + 1e-6):
            return "found again"
        near = self.spread is not None and abs(self.difference) <= 2 * self.spread
        return "within the spread" if near else "not"

    def cells(self) -> list[str]:
        """Cells of the row as text, in the column order of :func:`qnn.reproduce.show.drawn`."""
        known, ours, baseline = (
            "-" if value is None else self.form.format(value)
            for value in (self.published, self.ours, self.baseline)
        )
        bare, earlier = self.form.partition("}")[0] + "}", self.origin == "measured"
        if self.published is not None and self.origin in ("second hand", "theory"):
            known = f"{known} ({self.origin})"
        beside = ["-", known] if earlier else [known, "-"]
        ours += f" ± {bare.format(self.spread)}" if self.spread is not None else ""
        away = "-"
        if self.difference is not None:
            away = bare.replace("{:", "{:+z").format(self.difference)
        return [self.what, *beside, ours, baseline, away, self.verdict, self.remark]


@dataclass(frozen=True)
class Table:
    """Rows that belong together, under shared conditions.

    Rows may be computed lazily, once: see :func:`finished`.
    """

    title: str
    rows: Iterable[Row]
    conditions: str = ""


@dataclass(frozen=True)
class Report:
    """Reproduction of a published table.

    Parameters
    ----------
    name : str
        The name given to ``qnn reproduce``.
    title : str
        The method.
    source : str
        The paper: authors, title and number, and where in it the figures stand, if we could read
        that.
    tables : iterable of Table
        Tables, which may be computed lazily, once, like their rows.
    remarks : sequence of str
        Comparisons in the paper that do not hold, and other limits of the figures.
    interrupted : bool
        True if Ctrl-C came before the last row.
    """

    name: str
    title: str
    source: str
    tables: Iterable[Table]
    remarks: Sequence[str] = ()
    interrupted: bool = False


def finished(report: Report) -> Report:
    """Return the report with all rows computed, or those finished before Ctrl-C.

    Raises
    ------
    KeyboardInterrupt
        If it comes before the first row.

    Examples
    --------
    >>> tables = (Table(name, (Row(str(n), n) for n in range(2))) for name in "ab")
    >>> [len(table.rows) for table in finished(Report("r", "R", "paper", tables)).tables]
    [2, 2]
    """
    tables: list[Table] = []
    rows: list[Row] = []
    try:
        for table in report.tables:
            rows = []
            tables.append(replace(table, rows=rows))
            for row in table.rows:
                rows.append(row)  # one by one, so that finished rows are kept
    except KeyboardInterrupt:
        tables = [table for table in tables if table.rows]
        if not tables:
            raise
        return replace(report, tables=tables, interrupted=True)
    return replace(report, tables=tables)


def verdict(report: Report) -> list[str]:
    """Summarise what was reproduced, in at most five lines to read first.

    Examples
    --------
    >>> rows = (Row("a", 90.0, 90.0), Row("b", 1.0, 2.0), Row("c", 5.0, 5.3, 0.2))
    >>> for line in verdict(Report("r", "R", "paper", (Table("t", rows),))):
    ...     print(line)
    Published figures: 1 found again, 1 within the spread over seeds, 1 not found again.
    Furthest from it: b, 2.00 % published, 1.00 % here.
    """
    rows = [row for table in report.tables for row in table.rows if row.published is not None]
    lines = []
    told_as = {
        "found again": "found again",
        "within the spread": "within the spread over seeds",
        "not": "not found again",
        "not run": "not run",
    }
    for name, origins in (
        ("Published figures", ("paper", "second hand")),
        ("Implied by theory", ("theory",)),
        ("Measured here earlier", ("measured",)),
    ):
        words = Counter(row.verdict for row in rows if row.origin in origins)
        if words:
            counts = [f"{words[word]} {told}" for word, told in told_as.items() if words[word]]
            lines.append(f"{name}: {', '.join(counts)}.")
    away = [row for row in rows if row.verdict == "not" and row.origin != "measured"]
    if away:
        far = max(away, key=lambda row: abs(row.difference or 0) / max(abs(row.published or 0), 1))
        lines.append(
            f"Furthest from it: {far.what}, {far.form.format(far.published)} published, "
            f"{far.form.format(far.ours)} here."
        )
    if not rows:
        lines.append("No published figure could be looked for with the data at hand.")
    if report.interrupted:
        lines.append("Interrupted: the rows that are missing were not run.")
    return lines


@dataclass(frozen=True)
class ReproduceOptions:
    """Options of every reproduction.

    Parameters
    ----------
    full : bool
        True for the published sizes; otherwise a reduced form that takes at most two minutes.
    seed : int
        Root of all random choices; :meth:`seeds` spawns several seeds from it.
    data_dirs : sequence of str
        Folders to search for data sets that are not bundled, in this order; by default the one that
        the environment variable ``QNN_DATA`` names.
    progress : callable
        Called with a short description of the next measurement.
    map : callable
        Computes independent parts, such as seeds: lazily in this process, or by
        :func:`qnn.reproduce.work.processes`, whose functions and arguments must be picklable.
    """

    full: bool = False
    seed: int = 0
    data_dirs: Sequence[str] = ()
    progress: Callable[[str], object] = lambda what: None
    map: Mapped = starmap

    def __post_init__(self) -> None:
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or self.seed < 0:
            raise InvalidInputError(f"seed={self.seed!r}: expected an integer of at least 0")

    def seeds(self, count: int) -> list[int]:
        """Return seeds of ``count`` independent repetitions; a larger count keeps the first ones.

        Examples
        --------
        >>> ReproduceOptions().seeds(3)[:2] == ReproduceOptions().seeds(2)
        True
        """
        children = np.random.SeedSequence(self.seed).spawn(count)
        return [int(child.generate_state(1)[0]) for child in children]


def mean_row(
    what: str, values: Sequence[float], published: float | None = None, **more: Any
) -> Row:
    """Return a row with the mean over seeds, and the standard deviation as its spread.

    Examples
    --------
    >>> mean_row("accuracy", [90.0, 92.0], 92.5).cells()[3]
    '91.00 % ± 1.41'
    """
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Row(what, float(np.mean(values)), published, spread, **more)
