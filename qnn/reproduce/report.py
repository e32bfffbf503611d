"""What a reproduction is: rows of published figure and ours, and what to know beside them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np

from formulations.errors import InvalidInputError


class Origin(Enum):
    """Where the figure comes from that ours stands beside."""

    PAPER = "paper"
    """Printed by the authors, in the paper or in their public notebooks."""
    SECOND_HAND = "second hand"
    """Told of the paper by others, such as a public review."""
    THEORY = "theory"
    """Follows from the definitions."""
    EARLIER = "measured"
    """Not published: an earlier measurement of our own, with the published method."""


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
    ['test accuracy, K = 30', '90.4 %', '90.3 %', '-', '-0.1', 'paper', '']
    """

    what: str
    ours: float | None
    published: float | None = None
    spread: float | None = None
    form: str = "{:.2f} %"
    origin: Origin = Origin.PAPER
    remark: str = ""
    baseline: float | None = None

    @property
    def difference(self) -> float | None:
        """Ours less the published figure."""
        if self.ours is None or self.published is None:
            return None
        return self.ours - self.published

    def cells(self) -> list[str]:
        """The row as text, in the order of ``COLUMNS``."""
        return [
            self.what,
            self._text(self.published),
            self._text(self.ours)
            + (f" ± {self._bare(self.spread)}" if self.spread is not None else ""),
            self._text(self.baseline),
            "-" if self.difference is None else self._bare(self.difference, sign="+"),
            "-" if self.published is None else self.origin.value,
            self.remark,
        ]

    def _text(self, value: float | None) -> str:
        return "-" if value is None else self.form.format(value)

    def _bare(self, value: float, sign: str = "") -> str:
        """A figure without its unit, with its sign if asked for."""
        number = self.form[: self.form.index("}") + 1].replace("{:", "{:" + sign)
        return number.format(value)


COLUMNS = ["", "published", "ours", "baseline", "difference", "origin", "remark"]


@dataclass(frozen=True)
class Table:
    """Rows that belong together, under the conditions that they share."""

    title: str
    rows: Sequence[Row]
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
        The paper.
    tables : sequence of Table
    remarks : sequence of str
        Where a comparison in the paper does not hold, and what else the figures do not say.
    """

    name: str
    title: str
    source: str
    tables: Sequence[Table]
    remarks: Sequence[str] = ()


def _silent(what: str) -> None:
    """Tell nobody."""


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
    """

    full: bool = False
    seed: int = 0
    data_dirs: Sequence[str] = ()
    progress: Callable[[str], None] = _silent

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


Reproduction = Callable[[ReproduceOptions], Report]
"""A published table as a function."""


def mean_row(
    what: str, values: Sequence[float], published: float | None = None, **more: Any
) -> Row:
    """A row whose figure is the mean over seeds, with the standard deviation as its spread.

    Examples
    --------
    >>> mean_row("accuracy", [90.0, 92.0], 92.5).cells()[1:3]
    ['92.50 %', '91.00 % ± 1.41']
    """
    spread = float(np.std(values, ddof=1)) if len(values) > 1 else None
    return Row(what, float(np.mean(values)), published, spread, **more)
