"""A small table for the terminal and for notebooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from operator import attrgetter
from typing import Any


@dataclass(frozen=True)
class ShownTable:
    """Rows of named values, shown as text when printed and as HTML in a notebook.

    Parameters
    ----------
    rows : sequence of mappings
        Values by the names of the columns; all rows have the same names.
    title : str
    most : int
        Number of rows to show; the rest are counted.

    Examples
    --------
    >>> table = ShownTable([{"row": "capacity", "slack": 2.0}, {"row": "<time>", "slack": None}])
    >>> print(table)
    row       slack
    capacity  2
    <time>    -
    >>> table._repr_html_().count("&lt;time&gt;")
    1
    """

    rows: Sequence[Mapping[str, Any]]
    title: str = ""
    most: int = 60

    def _cells(self) -> list[list[str]]:
        names = list(self.rows[0]) if self.rows else []
        return [names, *([_said(row[name]) for name in names] for row in self.rows[: self.most])]

    def _left_out(self) -> list[str]:
        more = len(self.rows) - self.most
        return [f"{more:,} more"] if more > 0 else []

    def __str__(self) -> str:
        cells = self._cells()
        wide = [max(map(len, column)) for column in zip(*cells, strict=True)]
        lines = ["  ".join(map(str.ljust, row, wide)).rstrip() for row in cells]
        return "\n".join([*([self.title] if self.title else []), *lines, *self._left_out()])

    def _repr_html_(self) -> str:
        head, *body = self._cells()
        caption = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        top = f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>"
        lines = [f"<tr>{''.join(f'<td>{escape(v)}</td>' for v in row)}</tr>" for row in body]
        foot = "".join(f"<p>{line}</p>" for line in self._left_out())
        return f"<table>{caption}<thead>{top}</thead><tbody>{''.join(lines)}</tbody></table>{foot}"


def facts_of(**attributes: str) -> Callable[[Any], str]:
    """Make a ``_repr_html_`` that lists attributes of an object by name; None is left out.

    Examples
    --------
    >>> class Network:
    ...     bits, bound = 1024, None
    ...     _repr_html_ = facts_of(stored_bits="bits", lower_bound="bound")
    >>> Network()._repr_html_().count("<td>"), "<td>stored bits</td><td>1,024</td>" in (
    ...     Network()._repr_html_())
    (2, True)
    """

    def html(self: Any) -> str:
        found = {name.replace("_", " "): attrgetter(at)(self) for name, at in attributes.items()}
        rows = [
            {type(self).__name__: name, "": value() if callable(value) else value}
            for name, value in found.items()
            if value is not None
        ]
        return ShownTable(rows)._repr_html_()

    return html


def _said(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
