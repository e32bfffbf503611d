"""Readable labels such as ``w[1,3,0]`` and ``beta[k=7,l=1,j=2]``, made only on demand.

A model of 30,000 bits stores a few integer arrays; strings exist only where users see them.  Each
number is padded with zeros to the width of the largest one at its position, so that sorting the
labels gives the canonical order of the variables, on which reproducibility with a seed relies.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast, overload

import numpy as np
import numpy.typing as npt

from formulations.arrays import IntArray
from formulations.errors import InvalidInputError

if TYPE_CHECKING:
    import dimod


@dataclass(frozen=True, eq=False)
class Family:
    """Labels with the same name: one row of indices per label.

    Parameters
    ----------
    name : str
        Name before the bracket.
    fields : tuple of str
        Name of each index; an index with an empty name is printed alone (``w[1,3,0]``).
    indices : ndarray of int64, shape (size, len(fields))
        One row per label.
    widths : tuple of int, optional
        Digits of each index; None takes those of the largest index in the family.
    """

    name: str
    fields: tuple[str, ...]
    indices: IntArray
    widths: tuple[int, ...] | None = None

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def digits(self) -> tuple[int, ...]:
        """Number of digits to print for each index."""
        if self.widths is not None:
            return self.widths
        if not len(self.indices):
            return (1,) * len(self.fields)
        return tuple(len(str(largest)) for largest in self.indices.max(axis=0).tolist())

    def strings(self) -> list[str]:
        """Return all labels of the family, in the order of the rows of ``indices``."""
        parts = [
            f"{f}=%0{w}d" if f else f"%0{w}d" for f, w in zip(self.fields, self.digits, strict=True)
        ]
        template = f"{self.name}[" + ",".join(parts) + "]"
        return [template % tuple(row) for row in self.indices.tolist()]

    def take(self, positions: IntArray) -> Family:
        """Return some labels of the family, spelled as before."""
        return Family(self.name, self.fields, self.indices[positions], self.digits)


@dataclass(frozen=True)
class Names:
    """Labels that the user gave: strings, or any other hashable objects."""

    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    def strings(self) -> list[str]:
        return list(self.names)

    def take(self, positions: IntArray) -> Names:
        return Names(tuple(self.names[i] for i in positions.tolist()))


@dataclass(frozen=True, eq=False)
class Labels(Sequence[str]):
    """Labels of a model's variables or rows, by family.

    Two objects are equal if they spell the same labels in the same order.

    Examples
    --------
    >>> labels = Labels((Family("w", ("", "", ""), np.array([[1, 0, 0], [1, 0, 10]])),))
    >>> list(labels)
    ['w[1,0,00]', 'w[1,0,10]']
    >>> labels.index("w[1,0,10]")
    1
    >>> list(labels.take(np.array([0])) + Labels.of(["free"]))
    ['w[1,0,00]', 'free']
    """

    families: tuple[Family | Names, ...] = ()
    _cache: dict[str, object] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, names: Iterable[Hashable]) -> Labels:
        """Make labels from strings or other hashable objects, given one by one."""
        return cls((Names(cast("tuple[str, ...]", tuple(names))),))

    def strings(self) -> list[str]:
        """Return all labels in the model's order (cached)."""
        if "strings" not in self._cache:
            self._cache["strings"] = [s for f in self.families for s in f.strings()]
        return cast("list[str]", self._cache["strings"])

    def positions(self) -> dict[str, int]:
        """Return the position of every label (cached)."""
        if "positions" not in self._cache:
            self._cache["positions"] = {s: i for i, s in enumerate(self.strings())}
        return cast("dict[str, int]", self._cache["positions"])

    def index(self, value: str, start: int = 0, stop: int | None = None) -> int:
        """Return the position of a label; ``ValueError`` if there is no such label."""
        try:
            return self.positions()[value]
        except KeyError:
            raise ValueError(f"no label {value!r}") from None

    def __len__(self) -> int:
        return sum(len(f) for f in self.families)

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

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labels) and self.strings() == other.strings()

    def __add__(self, other: Labels) -> Labels:
        return Labels(self.families + other.families)

    def take(self, positions: npt.ArrayLike) -> Labels:
        """Return the labels at ``positions`` (ascending), spelled as before."""
        positions = np.asarray(positions, dtype=np.int64)
        starts = np.cumsum([0, *(len(f) for f in self.families)])
        cuts = np.searchsorted(positions, starts).tolist()
        return Labels(
            tuple(
                family.take(positions[low:high] - start)
                for family, start, low, high in zip(
                    self.families, starts.tolist(), cuts[:-1], cuts[1:], strict=False
                )
                if low < high
            )
        )

    def of_kind(self, name: str) -> IntArray:
        """Return the positions of all labels that start with ``name[``, ascending."""
        found, start = [], 0
        for family in self.families:
            if isinstance(family, Family):
                inside = np.arange(len(family) if family.name == name else 0)
            else:
                inside = np.flatnonzero([kind(label) == name for label in family.names])
            found.append(inside.astype(np.int64) + start)
            start += len(family)
        return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)

    def fresh(self, name: str) -> str:
        """Return ``name``, ``name2``, ``name3``, ...: the first that no label starts with."""
        used = {
            kind(label)
            for family in self.families
            for label in ([f"{family.name}["] if isinstance(family, Family) else family.names)
        }
        candidates = (name if i == 1 else f"{name}{i}" for i in range(1, len(used) + 2))
        return next(c for c in candidates if c not in used)


def kind(label: Hashable) -> str | None:
    """Return the name before the bracket of ``name[...]``; None for other labels.

    Examples
    --------
    >>> kind("w[1,3,0]")
    'w'
    """
    name, bracket, _ = label.partition("[") if isinstance(label, str) else ("", "", "")
    return name if bracket else None


def row_group(label: Hashable) -> str:
    """Return the row group of a label: the layer of a pre-activation, else the label's name.

    Examples
    --------
    >>> row_group("z[k=07,l=2,j=0]"), row_group("width[k=07,l=2,j=0]"), row_group("cap")
    ('layer 2', 'width', 'rows')
    """
    name = kind(label) or "rows"
    layer = re.search(r"[\[,]l=(\d+)", str(label)) if name == "z" else None
    return f"layer {int(layer[1])}" if layer else name


def distinct(labels: Iterable[str], taken: Iterable[str]) -> list[str]:
    """Add primes to labels until each differs from ``taken`` and from those before it.

    Examples
    --------
    >>> distinct(["a", "b", "b"], taken=["a"])
    ["a'", 'b', "b'"]
    """
    used = set(taken)
    result = []
    for label in labels:
        while label in used:
            label = f"{label}'"
        used.add(label)
        result.append(label)
    return result


def unique_labels(name: str, given: Iterable[Hashable]) -> Labels:
    """Make labels from given objects, and refuse duplicates.

    Raises
    ------
    InvalidInputError
        If a label occurs twice or is not hashable.

    Examples
    --------
    >>> unique_labels("labels of rows", ["a", 1]).strings()
    ['a', 1]
    """
    try:
        labels = Labels.of(given)
        count = len(labels.positions())
    except TypeError:
        raise InvalidInputError(
            f"{name}: expected a sequence of hashable labels, such as strings"
        ) from None
    if count != len(labels):
        places = labels.positions()
        again = next(label for place, label in enumerate(labels) if places[label] != place)
        raise InvalidInputError(f"{name} must be distinct: {again!r} occurs twice")
    return labels


def canonical_order(cqm: dimod.ConstrainedQuadraticModel) -> list[Hashable]:
    """Return the labels of the constraints, sorted by the constraints' content.

    The result depends neither on the order of the constraints nor on their labels: dimod draws a
    random label for a constraint without one.

    Examples
    --------
    >>> import dimod
    >>> x, y = dimod.Binaries("xy")
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> cqm.set_objective(x - y)
    >>> _ = cqm.add_constraint(y <= 0, label=1), cqm.add_constraint(x + y <= 1, label="one")
    >>> canonical_order(cqm)
    ['one', 1]
    """
    number = {v: i for i, v in enumerate(cqm.variables)}
    said: dict[Hashable, tuple[bytes, ...]] = {}
    for label, constraint in cqm.constraints.items():
        lhs = constraint.lhs
        linear = sorted((number[v], bias) for v, bias in lhs.iter_linear() if bias)
        ends = (((number[u], number[v]), bias) for u, v, bias in lhs.iter_quadratic() if bias)
        quadratic = sorted((*sorted(pair), bias) for pair, bias in ends)
        places, biases = zip(*linear, strict=True) if linear else ((), ())
        soft = (lhs.weight(), lhs.penalty() == "quadratic") if lhs.is_soft() else ()
        said[label] = (
            np.array(places, dtype=">i8").tobytes(),
            np.array(biases, dtype=">f8").tobytes(),
            np.array(quadratic, dtype=">f8").tobytes(),
            constraint.sense.value.encode(),
            np.array([constraint.rhs, lhs.offset, *soft], dtype=">f8").tobytes(),
        )
    return sorted(said, key=said.__getitem__)
