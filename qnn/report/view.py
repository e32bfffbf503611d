"""What a report is made of, before anybody says whether it becomes HTML, Markdown or JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from qnn.report.text import NONE


@dataclass(frozen=True)
class Row:
    """A line of a table; ``best`` are columns that stand out, ``minor`` a part of another line."""

    cells: Sequence[str]
    best: tuple[int, ...] = ()
    minor: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its title, its columns, its rows, and what to know when reading it.

    ``words`` columns at the left, and the last one if ``wordy_end``, are words; others figures.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]
    note: str = ""
    words: int = 1
    wordy_end: bool = True

    def wordy(self, column: int) -> bool:
        """Whether a column is words rather than figures.

        Examples
        --------
        >>> table = Table("", ["solver", "loss", "status"], [])
        >>> [table.wordy(column) for column in range(3)]
        [True, False, True]
        """
        return column < self.words or (self.wordy_end and column == len(self.columns) - 1)

    def without_empty(self) -> Table:
        """The same without columns of figures in which nothing is said.

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
    """A table of a figure a line, those left out that are not known."""
    rows = [Row([name, value]) for name, value in said.items() if value != NONE]
    return Table("", ["", ""], rows, words=words, wordy_end=words > 1)


@dataclass(frozen=True)
class Chart:
    """A picture: what it shows and how to read it in words, and how to draw it.

    Its name is unlike that of every other chart of the page. ``draw`` gives the picture as SVG,
    with the chart itself as argument; a ``wide`` one takes the page's whole width.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[Chart], str]
    wide: bool = False

    @property
    def svg(self) -> str:
        """The picture, as an element that stands inside a page."""
        return self.draw(self)


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it: tables first, then charts.

    ``line`` says in a few words what a folded section holds; ``researchers`` are charts of a
    method's own rounds, which are folded away.
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

    ``conclusions`` are sentences, those that can be drawn and those that cannot; ``verdict`` is the
    outcome in one sentence.
    """

    title: str
    line: str
    conclusions: tuple[Sequence[str], Sequence[str]]
    sections: Sequence[Section] = field(default_factory=list)
    warning: str = ""
    verdict: str = ""
