"""Labels that explain themselves: ``w[1,3,0]``, ``beta[k=7,l=1,j=2]``, made only when asked for.

A model of 30,000 bits keeps a few integer arrays; the strings exist only at the edge.  Numbers are
padded with zeros to the width of the largest one in their place, so that the sorted labels are
the canonical order of the variables, which is part of the seed contract.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True)
class Family:
    """Labels of one kind: a name and one row of indices per label.

    Parameters
    ----------
    name : str
        What stands before the bracket.
    fields : tuple of str
        Name of each index; an empty name is printed bare (``w[1,3,0]``).
    indices : ndarray of int64, shape (size, len(fields))
        One row per label.
    """

    name: str
    fields: tuple[str, ...]
    indices: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.indices)

    def strings(self) -> list[str]:
        """All labels of the family, in the order of the rows of ``indices``."""
        if not len(self.indices):
            return []
        widths = [len(str(m)) for m in self.indices.max(axis=0)]
        parts = [f"{f}=%0{w}d" if f else f"%0{w}d" for f, w in zip(self.fields, widths, strict=True)]
        template = f"{self.name}[" + ",".join(parts) + "]"
        return [template % tuple(row) for row in self.indices.tolist()]


@dataclass(frozen=True)
class Labels(Sequence[str]):
    """Labels of a model's variables or rows: families, or strings that a user brought.

    Examples
    --------
    >>> labels = Labels((Family("w", ("", "", ""), np.array([[1, 0, 0], [1, 0, 10]])),))
    >>> list(labels)
    ['w[1,0,00]', 'w[1,0,10]']
    >>> labels.index("w[1,0,10]")
    1
    """

    families: tuple[Family, ...] = ()
    names: tuple[str, ...] | None = None
    _cache: dict[str, object] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def of(cls, names: Iterable[str]) -> Labels:
        """Labels given as plain strings."""
        return cls(names=tuple(names))

    def strings(self) -> list[str]:
        """All labels as strings, in the model's order (made once, then kept)."""
        if "strings" not in self._cache:
            if self.names is not None:
                self._cache["strings"] = list(self.names)
            else:
                self._cache["strings"] = [s for f in self.families for s in f.strings()]
        return self._cache["strings"]  # type: ignore[return-value]

    def positions(self) -> dict[str, int]:
        """Position of every label (made once, then kept)."""
        if "positions" not in self._cache:
            self._cache["positions"] = {s: i for i, s in enumerate(self.strings())}
        return self._cache["positions"]  # type: ignore[return-value]

    def index(self, value: str, start: int = 0, stop: int | None = None) -> int:
        """Position of one label; ``ValueError`` if there is none."""
        try:
            return self.positions()[value]
        except KeyError:
            raise ValueError(f"no label {value!r}") from None

    def __len__(self) -> int:
        return len(self.names) if self.names is not None else sum(len(f) for f in self.families)

    @overload
    def __getitem__(self, item: int) -> str: ...
    @overload
    def __getitem__(self, item: slice) -> list[str]: ...
    def __getitem__(self, item: int | slice) -> str | list[str]:
        return self.strings()[item]

    def __iter__(self) -> Iterator[str]:
        return iter(self.strings())

    def __contains__(self, value: object) -> bool:
        return value in self.positions()

    def span(self, name: str) -> slice:
        """Positions of the family called ``name`` (empty if there is none)."""
        start = 0
        for family in self.families:
            if family.name == name:
                return slice(start, start + len(family))
            start += len(family)
        return slice(0, 0)
