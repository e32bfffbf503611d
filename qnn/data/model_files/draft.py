"""A model as arrays, as file readers build it, and its conversion to a dimod CQM.

minimise  sum of the objective's terms + offset
such that lower_r <= sum of the terms of row r <= upper_r
          and each variable is an integer between its bounds
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike, fspath
from typing import TYPE_CHECKING

import numpy as np

from formulations.arrays import BoolArray, FloatArray, IntArray
from formulations.errors import FileFormatError
from formulations.model.assembly import Terms
from formulations.model.labels import distinct

if TYPE_CHECKING:
    import dimod

Path = str | PathLike[str]


@dataclass(frozen=True)
class Draft:
    """A model in integer variables.

    Parameters
    ----------
    labels : sequence of str
        Names of the n variables, starting with those of the file.
    low, high : ndarray, shape (n,)
        Bounds of the variables; infinite if there is none.
    objective : Terms
        Its owners are ignored.
    offset : float
    rows : Terms
        Owned by the rows 0 .. m - 1.
    lower, upper : ndarray, shape (m,)
        Infinite if a side has no bound.
    row_labels : sequence of str
    products : ndarray of int, shape (p, 3)
        Added variables u = v w, with their factors.
    complements : ndarray of int, shape (k, 2), optional
        Variables v, and added variables w = 1 - v.
    """

    labels: Sequence[str]
    low: FloatArray
    high: FloatArray
    objective: Terms
    offset: float
    rows: Terms
    lower: FloatArray
    upper: FloatArray
    row_labels: Sequence[str]
    products: IntArray
    complements: IntArray | None = None

    @property
    def bits(self) -> BoolArray:
        """Mask of the variables that are 0 or 1, shape (n,)."""
        return np.asarray((self.low == 0) & (self.high == 1))

    def cqm(self) -> dimod.ConstrainedQuadraticModel:
        """Return the model as a dimod CQM, to be minimised.

        A row with two different sides becomes two constraints.

        Examples
        --------
        >>> none = Terms.linear(np.array([], int), np.array([], int), [])
        >>> row = Terms.linear(np.array([0, 0]), np.array([0, 1]), [1.0, 2.0])
        >>> draft = Draft(["x", "i"], np.zeros(2), np.array([1.0, 9.0]), row, 0.5, row,
        ...               np.array([1.0]), np.array([7.0]), ["r"], np.zeros((0, 3), int))
        >>> print(draft.cqm().objective.to_polystring(), list(draft.cqm().constraints))
        0.5 + x + 2*i ['r', 'r, upper']
        """
        import dimod

        cqm = dimod.ConstrainedQuadraticModel()
        bits, n = self.bits, len(self.labels)
        if bits.all():  # Adding by number is faster; labels follow at the end.
            cqm.add_variables("BINARY", n)
        else:
            widest = 2.0**53 - 1  # dimod's default bound of an integer variable
            low, high = np.maximum(self.low, -widest), np.minimum(self.high, widest)
            for v, bit, least, most in zip(
                range(n), bits.tolist(), low.tolist(), high.tolist(), strict=True
            ):
                bounds = {} if bit else {"lower_bound": least, "upper_bound": most}
                cqm.add_variable("BINARY" if bit else "INTEGER", v, **bounds)
        self._set_objective(cqm, bits)
        self._add_rows(cqm, bits)
        names = [f"{self.labels[u]} = {self.labels[v]} * {self.labels[w]}"
                 for u, v, w in self.products.tolist()]  # fmt: skip
        taken = map(str, cqm.constraints)
        for (u, v, w), name in zip(
            self.products.tolist(), distinct(names, list(taken)), strict=True
        ):
            cqm.add_constraint_from_iterable([(u, 1.0), (v, w, -1.0)], "==", rhs=0, label=name)
        cqm.relabel_variables(dict(enumerate(self.labels)))
        return cqm

    def _set_objective(self, cqm: dimod.ConstrainedQuadraticModel, bits: BoolArray) -> None:
        import dimod

        n, terms = len(self.labels), folded(self.objective, bits)
        single = terms.second < 0
        linear = np.bincount(terms.variable[single], terms.coefficient[single], minlength=n)
        pairs = terms.take(~single)
        if bits.all():
            couplers = (pairs.variable, pairs.second, pairs.coefficient)
            cqm.set_objective(
                dimod.BinaryQuadraticModel.from_numpy_vectors(
                    linear, couplers, self.offset, "BINARY", variable_order=list(range(n))
                )
            )
            return
        couplers = (pairs.variable.tolist(), pairs.second.tolist(), pairs.coefficient.tolist())
        cqm.set_objective(
            [*enumerate(linear.tolist()), *zip(*couplers, strict=True), (self.offset,)]
        )

    def _add_rows(self, cqm: dimod.ConstrainedQuadraticModel, bits: BoolArray) -> None:
        terms, m = folded(self.rows, bits), len(self.lower)
        parts = []
        for pairs in (False, True):
            some = terms.take((terms.second >= 0) == pairs)
            some = some.take(np.argsort(some.owner, kind="stable"))
            ends = np.cumsum(np.bincount(some.owner, minlength=m)).tolist()
            columns = [some.variable.tolist(), some.coefficient.tolist()]
            if pairs:
                columns.insert(1, some.second.tolist())
            parts.append((list(zip(*columns, strict=True)), [0, *ends]))
        (linear, at), (quadratic, and_at) = parts
        sides = []
        for r, (least, most) in enumerate(
            zip(self.lower.tolist(), self.upper.tolist(), strict=True)
        ):
            label = self.row_labels[r]
            if least == most:
                sides.append((r, "==", least, label))
                continue
            if np.isfinite(least):
                sides.append((r, ">=", least, label))
            if np.isfinite(most):
                upper = f"{label}, upper" if np.isfinite(least) else label
                sides.append((r, "<=", most, upper))
        names = distinct([name for *_, name in sides], [])
        for (r, sense, rhs, _), name in zip(sides, names, strict=True):
            inner = linear[at[r] : at[r + 1]] + quadratic[and_at[r] : and_at[r + 1]]
            cqm.add_constraint_from_iterable(inner, sense, rhs=rhs, label=name)


def folded(terms: Terms, bits: BoolArray) -> Terms:
    """Return sorted terms with squares of bits reduced and each pair of an owner merged."""
    second = np.where((terms.second == terms.variable) & bits[terms.variable], -1, terms.second)
    low = np.where(second < 0, terms.variable, np.minimum(terms.variable, second))
    high = np.where(second < 0, -1, np.maximum(terms.variable, second))
    order = np.lexsort((high, low, terms.owner))
    owner, low, high = terms.owner[order], low[order], high[order]
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(owner) != 0) | (np.diff(low) != 0) | (np.diff(high) != 0)
    number = np.cumsum(new) - 1
    total = np.bincount(number, terms.coefficient[order], minlength=int(new.sum()))
    return Terms(owner[new], low[new], total.astype(float), high[new]).nonzero()


def terms_of(entries: FloatArray, *, owned: bool = False, sign: float = 1.0) -> Terms:
    """Return the terms of a table: owners if ``owned``, one or two variables, coefficients.

    Examples
    --------
    >>> found = terms_of(np.array([[2.0, 0.0, 1.0, 5.0]]), owned=True)
    >>> found.owner.tolist(), found.variable.tolist(), found.second.tolist(), found.coefficient
    ([2], [0], [1], array([5.]))
    """
    places = list(entries[:, :-1].astype(np.int64).T)
    owner = places.pop(0) if owned else np.zeros(len(entries), dtype=np.int64)
    coefficient = sign * entries[:, -1]
    if len(places) == 1:
        return Terms.linear(owner, places[0], coefficient)
    return Terms(owner, places[0], coefficient, places[1])


def unbounded(low: FloatArray, high: FloatArray, infinity: float) -> tuple[FloatArray, FloatArray]:
    """Return bounds in which values that stand for infinity are infinite."""
    return np.where(low <= -infinity, -np.inf, low), np.where(high >= infinity, np.inf, high)


def whole_bounds(
    path: Path, labels: Sequence[str], low: FloatArray, high: FloatArray, continuous: BoolArray
) -> tuple[FloatArray, FloatArray]:
    """Round bounds of integer variables inwards."""
    names = [labels[v] for v in np.flatnonzero(continuous & (low != high)).tolist()]
    if names:
        raise FileFormatError(
            f"{fspath(path)!r}: {len(names)} of its variables are continuous, the first is "
            f"{names[0]!r}; expected bits and integers, round or scale it to an integer"
        )
    least, most = np.ceil(low - 1e-9), np.floor(high + 1e-9)
    for v in np.flatnonzero(~(least <= most)).tolist():
        raise FileFormatError(
            f"{fspath(path)!r}: {labels[v]!r} is to be a whole number between {low[v]:g} and "
            f"{high[v]:g}, and there is none; correct its bounds"
        )
    return least, most
