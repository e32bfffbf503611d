"""Elements of a report, independent of the output format: HTML, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from qnn.report.text import NONE


@dataclass(frozen=True)
class Row:
    """Row of a table; ``best`` columns are highlighted, a ``minor`` row belongs to another one."""

    cells: Sequence[str]
    best: tuple[int, ...] = ()
    minor: bool = False


@dataclass(frozen=True)
class Table:
    """Table with title, columns, rows, and a note for its readers.

    The first ``words`` columns, and the last one if ``wordy_end``, are words; the others are
    figures.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    note: str = ""
    words: int = 1
    wordy_end: bool = True

    def wordy(self, column: int) -> bool:
        """Return True if a column holds words rather than figures.

        Examples
        --------
        >>> table = Table("", ["solver", "loss", "status"], [])
        >>> [table.wordy(column) for column in range(3)]
        [True, False, True]
        """
        return column < self.words or (self.wordy_end and column == len(self.columns) - 1)

    def without_empty(self) -> Table:
        """Return the table without empty columns of figures.

        Examples
        --------
        >>> table = Table("", ["solver", "loss", "bound"], [Row(["qcgd", "2", "-"], best=(1,))])
        >>> replace(table, wordy_end=False).without_empty().columns
        ['solver', 'loss']
        """
        kept = [
            column
            for column in range(len(self.columns))
            if self.wordy(column) or any(row.cells[column] != NONE for row in self.rows)
        ]
        rows = [
            Row(
                [row.cells[column] for column in kept],
                tuple(kept.index(column) for column in row.best if column in kept),
                row.minor,
            )
            for row in self.rows
        ]
        return replace(self, columns=[self.columns[column] for column in kept], rows=rows)


def figures(said: Mapping[str, str], words: int = 1) -> Table:
    """Return a table with one figure per row, leaving out unknown ones."""
    rows = [Row([name, value]) for name, value in said.items() if value != NONE]
    return Table("", ["", ""], rows, words=words, wordy_end=words > 1)


@dataclass(frozen=True)
class Chart:
    """Chart: its content, a guide for reading it, and the function that draws it.

    Its name is unique on the page. ``draw`` takes the chart and returns it as SVG; a ``wide`` chart
    spans the page.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Chart], str]
    wide: bool = False

    @property
    def svg(self) -> str:
        """Return the chart as an element to place inside a page."""
        return self.draw(self)


@dataclass(frozen=True)
class Section:
    """Heading with content below it: tables first, then charts.

    ``line`` summarises a folded section; ``researchers`` are charts of a method's own rounds, which
    are folded away.
    """

    title: str
    line: str = ""
    tables: Sequence[Table] = ()
    charts: Sequence[Chart] = ()
    researchers: Sequence[Chart] = ()
    folded: bool = False


@dataclass(frozen=True)
class Part:
    """Everything about one run: a comparison, or the training of one network.

    ``conclusions`` holds two lists of sentences: what follows and what does not. ``verdict`` is the
    outcome in one sentence.
    """

    title: str
    line: str
    conclusions: tuple[Sequence[str], Sequence[str]]
    sections: Sequence[Section] = field(default_factory=list)
    warning: str = ""
    verdict: str = ""
