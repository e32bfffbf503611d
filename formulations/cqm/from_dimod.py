"""Conversion of a dimod CQM to bits: words for its variables, products for its quadratic rows.

    v = low_v + sum_k c_k x_k                      a word of bits for every variable
    sum_uv q_uv u v + sum_v a_v v <= b             becomes, with words for u and v and x_j^2 = x_j,
    sum_jk p_jk z_jk + sum_j a_j x_j <= b'         with one product row z_jk = x_j x_k for each pair

Each pair of bits has one product variable for all rows; a constraint z - x y == 0 of the CQM over
bits provides one.  The conversion of every row is exact.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import BitArray, BoolArray, FloatArray, IntArray
from formulations.cqm.exactness import ATOL, RTOL, ExactRow, precision, too_wide
from formulations.cqm.integer_encoding import Bounds, IntegerEncoding
from formulations.model.labels import canonical_order, distinct
from formulations.model.qcbo import QCBO
from formulations.passes.base import Appended, substituted
from formulations.passes.coefficient_step import common_steps
from formulations.passes.soft import soften

if TYPE_CHECKING:
    import dimod

NARROW = 1e-7
"""Tolerance of rows in exact integers."""

Couplers = list[tuple[Hashable, Hashable, float]]
Pair = tuple[int, int]
Number = TypeVar("Number", float, Fraction)


@dataclass(frozen=True)
class BinaryForm:
    """The model that :func:`read` makes of a CQM, with its inverse.

    Parameters
    ----------
    model : QCBO
        Hard rows only; the costs of soft ones are in the objective.
    readout : IntegerEncoding
        The inverse to the CQM's variables.
    tolerance : ndarray, shape (m,)
        Violation of each linear row that dimod tolerates.
    pairs : ndarray of int, shape (k, 2)
        Pairs of bits whose products follow the words of the variables.
    hardened : Appended, optional
        Inverse that computes the excess bits of soft rows, which come last.
    rough : ndarray of bool, shape (m,)
        Rows for which dimod accepts violations of half a step or more.
    """

    model: QCBO
    readout: IntegerEncoding
    tolerance: FloatArray
    pairs: IntArray
    hardened: Appended | None
    rough: BoolArray

    @property
    def tells(self) -> bool:
        """True if proofs about the integer rows hold for all points that dimod calls feasible."""
        return not self.rough.any()

    @property
    def strict(self) -> FloatArray:
        """Tolerances below half a step of each row, shape (m,)."""
        steps, whole = common_steps(self.model.rows)
        within = np.where(self.rough & whole, 1e-3 * steps.step, np.inf)
        return np.minimum(self.tolerance, within)

    @property
    def strict_only(self) -> BoolArray:
        """Mask (m,) of rows in exact integers that dimod's tolerance would loosen."""
        return np.asarray(self.rough & (self.tolerance == NARROW))

    def settled(self, x: npt.ArrayLike) -> BitArray:
        """Return samples with the products and excess bits that their words imply, (..., n)."""
        words = np.asarray(x, dtype=np.int8)[..., : self.readout.num_bits]
        products = words[..., self.pairs[:, 0]] * words[..., self.pairs[:, 1]]
        settled = np.concatenate([words, products], axis=-1)
        return settled if self.hardened is None else self.hardened.lift(settled)


def read_cqm(cqm: dimod.ConstrainedQuadraticModel) -> tuple[QCBO, IntegerEncoding]:
    """Return the model of a CQM, and the inverse from its bits to the CQM's variables.

    Examples
    --------
    >>> import dimod
    >>> x, y, s = dimod.Binary("x"), dimod.Binary("y"), dimod.Spin("s")
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> _ = cqm.add_constraint(3 * x * y + s <= 1, label="row")
    >>> model, _ = read_cqm(cqm)
    >>> model.labels.strings(), model.rows.toarray().tolist(), model.rhs.tolist()
    (['x', 'y', 's', 'x * y'], [[0.0, 0.0, 2.0, 3.0]], [2.0])
    >>> model.products.tolist()
    [[3, 0, 1]]
    """
    reading = read(cqm)
    return reading.model, reading.readout


def read(
    cqm: dimod.ConstrainedQuadraticModel,
    bounds: Bounds | None = None,
    *,
    canonical: bool = False,
) -> BinaryForm:
    """Convert a CQM as :func:`read_cqm`, and keep dimod's tolerance of each row.

    Parameters
    ----------
    cqm : dimod.ConstrainedQuadraticModel
    bounds : mapping, optional
        Tighter bounds of some variables, from
        :func:`formulations.cqm.bound_tightening.domains`.
    canonical : bool
        Sort the rows by their content.  Otherwise they keep the order of ``cqm.constraints``,
        which after ``CQM.from_file`` differs between processes.

    Raises
    ------
    InvalidInputError
        For real variables, integers with too wide a range, and soft constraints whose coefficients
        have no common step; the message has the name.
    InfeasibleModelError
        If an integer has no value.
    """
    readout = IntegerEncoding.of(cqm, bounds)
    rows, products = _constraints(cqm, readout, canonical=canonical)
    number = {v: i for i, v in enumerate(cqm.variables)}
    count, n, T = len(number), readout.num_bits, readout.matrix
    space = _Bits(readout, products, number)
    spelt = [
        space.spelt(row.couplers) if row.wide is None else space.narrow(row) for row in rows
    ]  # fmt: skip
    total = n + len(space.products) - len(products)

    outer = _matrix(((r, number[v], a) for r, row in enumerate(rows)
                     for v, a in (row.linear if row.wide is None else [])),
                    len(rows), count)  # fmt: skip
    inner = _matrix(((r, j, a) for r, part in enumerate(spelt) for j, a in part.bits.items()),
                    len(rows), total)  # fmt: skip
    a = sp.csr_array(_padded(sp.csr_array(outer @ T), total) + inner)
    constants = zip(rows, spelt, strict=True)
    rhs = np.array([
        (row.rhs if row.wide is None else 0.0) - part.constant for row, part in constants
    ])  # fmt: skip
    linear, quadratic, offset = _objective(cqm, readout, number)
    labels = readout.labels(cqm)
    added = [f"{labels[j]} * {labels[k]}" for j, k in space.pairs_made]
    model = QCBO.from_arrays(
        np.pad(linear, (0, total - n)),
        a,
        rhs - outer @ readout.low,
        equality=[row.equality for row in rows],
        quadratic=sp.csr_array(sp.block_diag([quadratic, sp.csr_array((total - n,) * 2)])),
        offset=offset,
        products=space.products,
        labels=[*labels, *distinct(added, map(str, labels))],
        row_labels=[row.label for row in rows],
    )
    told = list(zip(rows, spelt, strict=True))
    tolerance = np.array(
        [row.tolerance if part.rough is None else NARROW for row, part in told], dtype=np.float64
    )
    rough = np.array([
        row.rough if part.rough is None else part.rough
        for row, part in told
    ], dtype=np.bool_)  # fmt: skip
    weight = np.array([row.weight for row in rows], dtype=np.float64)
    square = np.array([row.square for row in rows], dtype=np.bool_)
    pairs = np.array(space.pairs_made, dtype=np.int64).reshape(-1, 2)
    if not np.isfinite(weight).any():
        return BinaryForm(model, readout, tolerance, pairs, None, rough)
    model, hardened, kept = soften(model, weight, square, tolerance)
    return BinaryForm(model, readout, tolerance[kept], pairs, hardened, rough[kept])


@dataclass(frozen=True)
class _Row:
    """A constraint: linear and quadratic terms == rhs or <= rhs; a finite weight makes it soft.

    ``wide`` is the exact right-hand side if double precision does not suffice, else None.
    """

    label: Hashable
    linear: list[tuple[Hashable, float]]
    couplers: Couplers
    equality: bool
    rhs: float
    tolerance: float
    weight: float
    square: bool
    rough: bool
    wide: Fraction | None


def _constraints(
    cqm: dimod.ConstrainedQuadraticModel, readout: IntegerEncoding, *, canonical: bool
) -> tuple[list[_Row], list[tuple[Hashable, Hashable, Hashable]]]:
    """Return the constraints of ``cqm`` that become rows, and its product rows (u, v, w)."""
    import dimod

    single = set(np.flatnonzero(readout.word.bits == 1).tolist())
    binary = {
        v for i, v in enumerate(cqm.variables) if i in single and cqm.vartype(v) is dimod.BINARY
    }
    reach = readout.reach
    rows, products = [], []
    order = canonical_order(cqm) if canonical else list(cqm.constraints)
    for label in order:
        constraint = cqm.constraints[label]
        lhs, sense = constraint.lhs, constraint.sense.value
        sign = -1.0 if sense == ">=" else 1.0  # a'x >= b is -a'x <= -b
        told = precision(constraint, reach)
        wide = told == "wide"
        if wide and lhs.is_soft():
            biases = [*lhs.iter_linear(), *lhs.iter_quadratic()]
            raise too_wide(label, [abs(float(term[-1])) for term in biases if term[-1]])
        exact = int(sign) * (Fraction(float(constraint.rhs)) - Fraction(float(lhs.offset)))
        row = _Row(
            label,
            [(v, sign * bias) for v, bias in lhs.iter_linear() if bias],
            [(u, v, sign * bias) for u, v, bias in lhs.iter_quadratic() if bias],
            sense == "==",
            float(sign * (constraint.rhs - lhs.offset)),
            ATOL + RTOL * abs(float(constraint.rhs)),
            float(lhs.weight()) if lhs.is_soft() else np.inf,
            lhs.is_soft() and lhs.penalty() == "quadratic",
            told != "tells" and not lhs.is_soft(),
            exact if wide else None,
        )
        product = _product(row, binary)
        if product:
            products.append(product)
        else:
            rows.append(row)
    return rows, products


def _product(row: _Row, binary: set[Hashable]) -> tuple[Hashable, Hashable, Hashable] | None:
    """Return (u, v, w) of a hard constraint c (u - v w) == 0 over bits; None for others."""
    if len(row.couplers) == len(row.linear) == 1 and row.equality and row.rhs == 0:
        (u, coefficient), (v, w, bias) = row.linear[0], row.couplers[0]
        if coefficient == -bias and {u, v, w} <= binary and not np.isfinite(row.weight):
            return u, v, w
    return None


@dataclass(frozen=True)
class _Spelt:
    """A quadratic form as a constant and coefficients of bits, including product bits.

    ``rough`` is None except for constraints whose numbers are too wide for doubles.
    """

    constant: float
    bits: dict[int, float]
    rough: bool | None = None


class _Bits:
    """The bits of a readout, and products of two of them, each created once."""

    def __init__(
        self,
        readout: IntegerEncoding,
        products: list[tuple[Hashable, Hashable, Hashable]],
        number: dict[Hashable, int],
    ) -> None:
        self._low = readout.low.tolist()
        T = readout.matrix
        self._words = [
            list(zip(T.indices[i:j].tolist(), T.data[i:j].tolist(), strict=True))
            for i, j in zip(T.indptr[:-1], T.indptr[1:], strict=True)
        ]
        self._number = number
        self._first_new = readout.num_bits
        self.products = [[self._words[number[v]][0][0] for v in product] for product in products]
        self._of_pair: dict[Pair, int] = {}
        for u, v, w in self.products:
            self._of_pair.setdefault((min(v, w), max(v, w)), u)
        self.pairs_made: list[Pair] = []

    def _parts(
        self, couplers: Couplers, exact: Callable[[float], Number]
    ) -> Iterator[tuple[int | Pair | None, Number]]:
        """Expand sum q u v in bits: amounts for the constant (None), for bits and for pairs."""
        for u, v, q in couplers:
            i, j = self._number[u], self._number[v]
            bias, low_u, low_v = exact(q), exact(self._low[i]), exact(self._low[j])
            yield None, bias * low_u * low_v
            for k, c in self._words[i]:
                yield k, bias * low_v * exact(c)
            for k, c in self._words[j]:
                yield k, bias * low_u * exact(c)
            for k, c in self._words[i]:
                for m, d in self._words[j]:
                    both = bias * exact(c) * exact(d)
                    yield (k if k == m else (min(k, m), max(k, m))), both

    def spelt(self, couplers: Couplers) -> _Spelt:
        """Write the form sum q u v in bits; terms that cancel need no product."""
        constant, bits, pairs = 0.0, defaultdict[int, float](float), defaultdict[Pair, float](float)
        for key, amount in self._parts(couplers, float):
            if key is None:
                constant += amount
            elif isinstance(key, int):
                bits[key] += amount
            else:
                pairs[key] += amount
        for pair, p in pairs.items():
            if p:
                bits[self._product(pair)] += p
        return _Spelt(constant, bits)

    def narrow(self, row: _Row) -> _Spelt:
        """Write a row of numbers too wide for doubles as an equivalent one of narrow numbers."""
        assert row.wide is not None
        exact = ExactRow(row.label, row.equality, row.tolerance)
        exact.rhs = row.wide
        for v, a in row.linear:
            i = self._number[v]
            exact.rhs -= Fraction(a) * Fraction(self._low[i])
            for k, c in self._words[i]:
                exact.add(k, Fraction(a) * Fraction(c))
        for key, amount in self._parts(row.couplers, Fraction):
            if key is None:
                exact.rhs -= amount
            else:
                exact.add(key, amount)
        terms, rhs = exact.narrow()
        bits = defaultdict[int, float](float)
        for key, a in terms.items():
            bits[key if isinstance(key, int) else self._product(key)] += a
        return _Spelt(-rhs, bits, exact.rough)

    def _product(self, pair: Pair) -> int:
        if pair not in self._of_pair:
            bit = self._of_pair[pair] = self._first_new + len(self.pairs_made)
            self.pairs_made.append(pair)
            self.products.append([bit, *pair])
        return self._of_pair[pair]


def _objective(
    cqm: dimod.ConstrainedQuadraticModel, readout: IntegerEncoding, number: dict[Hashable, int]
) -> tuple[FloatArray, sp.csr_array, float]:
    """Return the objective in the bits of the words: c, Q and offset."""
    linear = np.zeros(len(number))
    for v, bias in cqm.objective.iter_linear():
        linear[number[v]] = bias
    terms = ((number[u], number[v], bias) for u, v, bias in cqm.objective.iter_quadratic())
    return substituted(
        linear,
        _matrix(terms, len(number), len(number)),
        float(cqm.objective.offset),
        readout.matrix,
        readout.low,
    )


def _padded(matrix: sp.csr_array, width: int) -> sp.csr_array:
    """Widen a matrix to ``width`` columns with zeros."""
    return sp.csr_array(
        (matrix.data, matrix.indices, matrix.indptr), shape=(matrix.shape[0], width)
    )


def _matrix(entries: Iterable[tuple[int, int, float]], height: int, width: int) -> sp.csr_array:
    """Make a sparse matrix from an iterator of entries (row, column, value)."""
    table = np.fromiter(entries, dtype=np.dtype([("i", "i8"), ("j", "i8"), ("value", "f8")]))
    return sp.csr_array((table["value"], (table["i"], table["j"])), shape=(height, width))
