"""Assembly of a model from variables, rows, products and objective terms.

Builders number variables as they create them; ``finish`` sorts them into the canonical order, by
family and then by index, and returns the model with the steps that complete weight bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import BitArray, BoolArray, FloatArray, IntArray
from formulations.model.labels import Family, Labels
from formulations.model.qcbo import QCBO


def ragged(starts: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
    """Return owner and position of the elements of the ranges starts[e] .. starts[e]+counts[e]-1.

    Examples
    --------
    >>> owner, position = ragged(np.array([5, 0]), np.array([2, 1]))
    >>> owner.tolist(), position.tolist()
    ([0, 0, 1], [5, 6, 0])
    """
    owner = np.repeat(np.arange(len(counts)), counts)
    first = np.cumsum(counts) - counts
    return owner, np.arange(len(owner)) - np.repeat(first - starts, counts)


@dataclass(frozen=True)
class Terms:
    """Sparse forms, one per owner: the sum over its entries of coefficient * variable.

    ``second`` is -1 for a linear entry, else the second factor of a quadratic one.
    """

    owner: IntArray
    variable: IntArray
    coefficient: FloatArray
    second: IntArray

    @classmethod
    def linear(cls, owner: IntArray, variable: IntArray, coefficient: npt.ArrayLike) -> Terms:
        coefficient = np.broadcast_to(np.asarray(coefficient, dtype=float), np.shape(owner))
        return cls(owner, variable, coefficient, np.full(np.shape(owner), -1, dtype=np.int64))

    @classmethod
    def join(cls, parts: Sequence[Terms]) -> Terms:
        """Join the entries of several forms, leaving out zero coefficients."""
        # Large models are mostly one part without zeros, which is not copied.
        kept = [p.nonzero() for p in parts if p.owner.size]
        if not kept:
            return cls.linear(np.zeros(0, np.int64), np.zeros(0, np.int64), 0.0)
        if len(kept) == 1:
            return kept[0]
        return cls(
            np.concatenate([p.owner for p in kept]),
            np.concatenate([p.variable for p in kept]),
            np.concatenate([p.coefficient for p in kept]),
            np.concatenate([p.second for p in kept]),
        )

    def nonzero(self) -> Terms:
        """Return the entries with nonzero coefficients, flattened."""
        flat = Terms(
            self.owner.ravel(), self.variable.ravel(), self.coefficient.ravel(), self.second.ravel()
        )
        keep = flat.coefficient != 0
        return flat if keep.all() else flat.take(keep)

    def take(self, selection: BoolArray | IntArray) -> Terms:
        """Return the selected entries."""
        return Terms(
            self.owner[selection],
            self.variable[selection],
            self.coefficient[selection],
            self.second[selection],
        )


@dataclass(frozen=True)
class StateStep:
    """Bits ``variables`` (E, bits) of neurons (sample, unit) of a layer: the ``word`` of their z.

    ``word`` maps pre-activations (..., E) to bits (..., E, bits).
    """

    layer: int
    sample: IntArray
    unit: IntArray
    variables: IntArray
    word: Callable[[IntArray], BitArray]


@dataclass(frozen=True)
class IndicatorStep:
    """Bits ``variables`` (E,) that are 1 where affine forms are positive."""

    variables: IntArray
    constant: FloatArray
    terms: Terms


Step = StateStep | IndicatorStep | IntArray
"""A step that completes bits; an array (p, 3) has the columns u, v, w of products x_u = x_v x_w."""


@dataclass
class Assembly:
    """A model under construction."""

    count: int = 0
    _families: dict[str, list[tuple[IntArray, IntArray]]] = field(default_factory=dict)
    _fields: dict[str, tuple[tuple[str, ...], tuple[int, ...]]] = field(default_factory=dict)
    _rows: list[tuple[Terms, FloatArray, str, bool]] = field(default_factory=list)
    _row_families: list[Family] = field(default_factory=list)
    _objective: list[Terms] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    offset: float = 0.0

    def variables(
        self,
        name: str,
        fields: tuple[str, ...],
        widths: tuple[int, ...],
        indices: Sequence[npt.ArrayLike],
    ) -> IntArray:
        """Add variables to a family, one per element of the broadcast ``indices``."""
        grids = np.broadcast_arrays(*[np.asarray(i, dtype=np.int64) for i in indices])
        table = np.stack([g.ravel() for g in grids], axis=1)
        ids = np.arange(self.count, self.count + len(table))
        self.count += len(table)
        self._families.setdefault(name, []).append((table, ids))
        self._fields[name] = (fields, widths)
        return ids.reshape(grids[0].shape)

    def products(self, u: IntArray, v: IntArray, w: IntArray) -> None:
        """Add product rows x_u = x_v x_w; the arrays have one shape."""
        if u.size:
            self.steps.append(np.stack([u.ravel(), v.ravel(), w.ravel()], axis=1))

    def indicators(
        self,
        x: IntArray,
        constant: FloatArray,
        terms: Terms,
        low: npt.ArrayLike,
        high: npt.ArrayLike,
        group: str,
        labels: IntArray,
    ) -> None:
        """Add rows by which bits x (E,) are 1 where integer forms in [low, high] are positive.

        The rows are form <= high x and form >= low + (1 - low) x, for low <= 0 < high.  The labels
        of the rows of form e are row e of ``labels`` followed by 0 or 1.
        """
        least: FloatArray = np.asarray(low, dtype=np.float64)
        most: FloatArray = np.asarray(high, dtype=np.float64)
        for side, (factor, bound) in enumerate(((-most, 0.0 * most), (1.0 - least, -least))):
            sign = 1.0 - 2.0 * side
            body = Terms.linear(terms.owner, terms.variable, sign * terms.coefficient)
            table = np.concatenate([labels, np.full((len(x), 1), side)], axis=1)
            self.rows(
                Terms.join([body, Terms.linear(np.arange(len(x)), x, factor)]),
                bound - sign * constant,
                group,
                Family(group, ("",) * table.shape[1], table),
                equality=False,
            )
        self.steps.append(IndicatorStep(x, constant, terms))

    def rows(
        self, terms: Terms, rhs: FloatArray, group: str, labels: Family, *, equality: bool = True
    ) -> None:
        """Add rows: the forms of owners 0 .. len(rhs) - 1 are equal to rhs, or at most rhs."""
        self._rows.append((terms, rhs, group, equality))
        self._row_families.append(labels)

    def objective(self, terms: Terms) -> None:
        """Add terms to the objective; owners are ignored."""
        self._objective.append(terms)

    def counts(self) -> tuple[int, int, int, int]:
        """Count variables, rows, products and entries of the rows added so far."""
        triples = [len(step) for step in self.steps if isinstance(step, np.ndarray)]
        rows = sum(len(rhs) for _, rhs, _, _ in self._rows)
        entries = sum(int(np.count_nonzero(terms.coefficient)) for terms, _, _, _ in self._rows)
        return self.count, rows, sum(triples), entries

    def finish(self) -> tuple[QCBO, list[Step]]:
        """Return the model in canonical order, and the steps that complete weight bits."""
        families: list[Family] = []
        new = np.empty(self.count, dtype=np.int64)
        position = 0
        for name in sorted(self._families):
            parts = self._families[name]
            table = np.concatenate([t for t, _ in parts])
            ids = np.concatenate([i for _, i in parts])
            order = np.lexsort(table.T[::-1])
            new[ids[order]] = np.arange(position, position + len(ids))
            position += len(ids)
            fields, widths = self._fields[name]
            families.append(Family(name, fields, table[order], widths))
        steps = [_renumbered(step, new) for step in self.steps]
        rows, rhs, equality, group, names = self._collect_rows(new)
        linear, quadratic = self._collect_objective(new)
        triples = [step for step in steps if isinstance(step, np.ndarray)]
        products = np.concatenate(triples) if triples else np.zeros((0, 3), dtype=np.int64)
        model = QCBO(
            linear=linear,
            quadratic=quadratic,
            offset=self.offset,
            rows=rows,
            rhs=rhs,
            equality=equality,
            row_group=group,
            group_names=names,
            products=products[np.argsort(products[:, 0])],
            labels=Labels(tuple(families)),
            row_labels=Labels(tuple(self._row_families)),
        )
        return model, steps

    def _collect_rows(
        self, new: IntArray
    ) -> tuple[sp.csr_array, FloatArray, BoolArray, IntArray, tuple[str, ...]]:
        names = tuple(dict.fromkeys(group for _, _, group, _ in self._rows))
        sizes = [len(rhs) for _, rhs, _, _ in self._rows]
        first = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        terms = Terms.join([t for t, _, _, _ in self._rows])
        shift = [
            np.full(np.count_nonzero(t.coefficient), s)
            for (t, _, _, _), s in zip(self._rows, first[:-1], strict=True)
        ]
        owner = terms.owner + (np.concatenate(shift) if shift else 0)
        rows = sp.csr_array(
            (terms.coefficient, (owner.astype(np.int32), new.astype(np.int32)[terms.variable])),
            shape=(int(first[-1]), self.count),
        )
        rows.sum_duplicates()
        rhs = np.concatenate([rhs for _, rhs, _, _ in self._rows]) if sizes else np.zeros(0)
        group = np.repeat([names.index(g) for _, _, g, _ in self._rows], sizes).astype(np.int64)
        equality = np.repeat([e for _, _, _, e in self._rows], sizes).astype(bool)
        return rows, rhs.astype(float), equality, group, names

    def _collect_objective(self, new: IntArray) -> tuple[FloatArray, sp.csr_array]:
        terms = Terms.join(self._objective)
        first = new[terms.variable]
        second = np.where(terms.second < 0, first, new[terms.second])  # x^2 = x on bits
        single = first == second
        linear = np.bincount(first[single], terms.coefficient[single], minlength=self.count)
        low, high = np.minimum(first, second)[~single], np.maximum(first, second)[~single]
        quadratic = sp.csr_array(
            (terms.coefficient[~single], (low, high)), shape=(self.count, self.count)
        )
        quadratic.sum_duplicates()
        quadratic.eliminate_zeros()
        return linear.astype(float), quadratic


def _renumbered(step: Step, new: IntArray) -> Step:
    if isinstance(step, np.ndarray):
        return new[step]
    if isinstance(step, IndicatorStep):
        t = step.terms
        terms = Terms.linear(t.owner, new[t.variable], t.coefficient)
        return IndicatorStep(new[step.variables], step.constant, terms)
    return StateStep(step.layer, step.sample, step.unit, new[step.variables], step.word)
