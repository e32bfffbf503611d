"""What a reproduction is: rows of published figure and ours, and what to know beside them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import starmap
from typing import Any, Literal

import numpy as np

from formulations.errors import InvalidInputError

Mapped = Callable[[Callable[..., Any], Iterable[tuple[Any, ...]]], Iterator[Any]]
"""Works out a function's answers to the arguments of each task, in their order."""


Origin = Literal["paper", "second hand", "theory", "measured"]
"""Where the figure comes from that ours stands beside: printed by the authors, in the paper or in
their public notebooks; told of the paper by others, such as a public review; follows from the
definitions; not published, but an earlier measurement of our own, with the published method."""


@dataclass(frozen=True)
class Row:
    """One figure.

    Parameters
    ----------
    what : str
        What is measured, on what, with which setting.
    ours : float or None
        Our figure; None where it could not be measured, which ``remark`` then explains.
    published : float, optional
        The figure to find again; None where there is none.
    spread : float, optional
        Standard deviation of ours over several seeds.
    form : str
        Format of the figures, with their unit: ``{:.2f} %``.
    origin : Origin
        Of ``published``.
    remark : str
        What the reader has to know about this row alone.
    baseline : float, optional
        Figure of the method that ours is held against in our own runs; the table's conditions say
        which that is.

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
        """Ours less the published figure."""
        if self.ours is None or self.published is None:
            return None
        return self.ours - self.published

    @property
    def verdict(self) -> str:
        """What became of the published figure; empty where there is none to find.

        ``found again``: ours is at most one unit of its last decimal away.  ``within the spread``:
        at most twice the standard deviation of ours over seeds.  ``not``: neither.  ``not run``:
        there is none of ours.
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
        """The row as text, in the order of :func:`qnn.reproduce.show.drawn`'s columns."""
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
            away = bare.replace("{:", "{:+").format(self.difference)
        return [self.what, *beside, ours, baseline, away, self.verdict, self.remark]


@dataclass(frozen=True)
class Table:
    """Rows that belong together, under the conditions that they share.

    Rows may be worked out as they are asked for, once: see :func:`finished`.
    """

    title: str
    rows: Iterable[Row]
    conditions: str = ""


@dataclass(frozen=True)
class Report:
    """A published table, found again.

    Parameters
    ----------
    name : str
        What ``qnn reproduce`` was asked for.
    title : str
        The method.
    source : str
        The paper: authors, title and number.
    tables : iterable of Table
        They may be made as they are asked for, once, as their rows.
    remarks : sequence of str
        Where a comparison in the paper does not hold, and what else the figures do not say.
    interrupted : bool
        Whether Ctrl-C came before the last row.
    """

    name: str
    title: str
    source: str
    tables: Iterable[Table]
    remarks: Sequence[str] = ()
    interrupted: bool = False


def finished(report: Report) -> Report:
    """The report with all its rows worked out, or those that are there when Ctrl-C comes.

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
                rows.append(row)  # one by one: those that are there are kept
    except KeyboardInterrupt:
        tables = [table for table in tables if table.rows]
        if not tables:
            raise
        return replace(report, tables=tables, interrupted=True)
    return replace(report, tables=tables)


def verdict(report: Report) -> list[str]:
    """What was found again, in five lines at most, to be read first.

    Examples
    --------
    >>> rows = (Row("a", 90.0, 90.0), Row("b", 1.0, 2.0), Row("c", 5.0, 5.3, 0.2))
    >>> for line in verdict(Report("r", "R", "paper", (Table("t", rows),))):
    ...     print(line)
    Published figures: 1 found again, 1 within the spread over seeds, 1 not.
    Furthest from it: b, 2.00 % published, 1.00 % here.
    """
    rows = [row for table in report.tables for row in table.rows if row.published is not None]
    lines = []
    for name, earlier in (("Published figures", False), ("Measured here earlier", True)):
        words = Counter(row.verdict for row in rows if (row.origin == "measured") is earlier)
        if words:
            counts = [
                f"{words[word]} {word}{' over seeds' if word == 'within the spread' else ''}"
                for word in ("found again", "within the spread", "not", "not run")
                if words[word]
            ]
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
    """What every reproduction is given.

    Parameters
    ----------
    full : bool
        The published size of everything; otherwise a form of it that takes two minutes at most.
    seed : int
        Root of every random choice; several seeds are spawned from it, see :meth:`seeds`.
    data_dirs : sequence of str
        Folders in which data sets that are not bundled are looked for, in this order; without any,
        the environment variable ``QNN_DATA`` names one.
    progress : callable
        Told in a few words what is being measured next.
    map : callable
        Works out independent parts, such as seeds: here, each when it is asked for, or as that of
        :func:`qnn.reproduce.work.processes`, for which functions and arguments have to be
        such as can be sent to another process.
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
        """Seeds of ``count`` independent repetitions; the first few stay if there are more.

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
    """A row whose figure is the mean over seeds, with the standard deviation as its spread.

    Examples
    --------
    >>> mean_row("accuracy", [90.0, 92.0], 92.5).cells()[3]
    '91.00 % ± 1.41'
    """
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Row(what, float(np.mean(values)), published, spread, **more)
