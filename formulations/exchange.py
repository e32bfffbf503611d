"""Models to and from dimod: CQM both ways, BQM with penalties."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.errors import InvalidInputError
from formulations.labels import distinct
from formulations.passes.base import Chain, substituted
from formulations.passes.penalty import Penalty, group_penalties
from formulations.passes.product_reduction import ProductReduction
from formulations.passes.slack import Slack, SlackWord
from formulations.qcbo import QCBO, BitArray, FloatArray, times

if TYPE_CHECKING:
    import dimod

WIDEST_INTEGER = 2**26


def to_cqm(model: QCBO) -> dimod.ConstrainedQuadraticModel:
    """``model`` as a dimod CQM: linear rows, then product rows as u - v w == 0.

    Variables keep their order and labels, rows their labels; nothing is rounded.

    Examples
    --------
    >>> model = QCBO.from_arrays([1, 2, 0], [[1, 1, 0]], [1], products=[[2, 0, 1]])
    >>> print(to_cqm(model).constraints["rows[0]"].to_polystring())
    x[0] + x[1] == 1.0
    >>> from_cqm(to_cqm(model)).equals(model)
    True
    """
    import dimod

    n = model.num_variables
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variables("BINARY", n)  # by number, which is quicker; labelled in the end
    cqm.set_objective(_bqm(model, range(n)))
    a = model.rows
    terms = list(zip(a.indices.tolist(), a.data.tolist(), strict=True))
    for start, stop, equality, rhs, label in zip(
        a.indptr[:-1].tolist(),
        a.indptr[1:].tolist(),
        model.equality.tolist(),
        model.rhs.tolist(),
        model.row_labels,
        strict=True,
    ):
        sense = dimod.sym.Sense.Eq if equality else dimod.sym.Sense.Le
        cqm.add_constraint_from_iterable(terms[start:stop], sense, rhs=rhs, label=label)
    names = distinct(model.product_labels(), model.row_labels)
    for (u, v, w), label in zip(model.products.tolist(), names, strict=True):
        product = [(v, -1.0)] if v == w else [(v, w, -1.0)]
        cqm.add_constraint_from_iterable([(u, 1.0), *product], "==", rhs=0, label=label)
    cqm.relabel_variables(dict(enumerate(model.labels)))
    return cqm


def from_cqm(cqm: dimod.ConstrainedQuadraticModel) -> QCBO:
    """The model of a dimod CQM over bits; spins and integers become bits.

    Quadratic constraints of the form u - v w == 0 over bits become product rows.  The row group of
    a constraint is read off its label, see :func:`formulations.labels.row_group`.  Use
    :func:`read_cqm` to get the CQM's own variables back from the model's bits.

    Raises
    ------
    InvalidInputError
        Before any work: for real variables, integers of too wide a range, soft constraints and
        other quadratic constraints, each by name with a remedy.
    """
    return read_cqm(cqm)[0]


def to_bqm(model: QCBO, penalty: float | Mapping[str, float]) -> dimod.BinaryQuadraticModel:
    """``model`` without constraints: squared rows and product penalties in the objective.

    Inequality rows get slack bits, labelled ``slack[row=...,bit=...]``, after the model's own
    variables.

    Parameters
    ----------
    model : QCBO
    penalty : float or mapping of str to float
        One weight for all rows, or one for each of ``model.groups``.  Above
        :func:`formulations.passes.sufficient_penalty` the ground states are the constrained optima.

    Raises
    ------
    InvalidInputError
        For a group without a weight, an unknown group, a weight that is not positive, or an
        inequality whose coefficients have no common step.

    Examples
    --------
    >>> model = QCBO.from_arrays([-1, -2], [[1, 1]], [1], equality=[False])
    >>> bqm = to_bqm(model, penalty=5.0)
    >>> import dimod
    >>> {k: int(v) for k, v in sorted(dimod.ExactSolver().sample(bqm).first.sample.items())}
    {'slack[row=0,bit=0]': 0, 'x[0]': 0, 'x[1]': 1}
    """
    weights = group_penalties(model, penalty)
    steps = Chain(
        (
            Slack(),
            ProductReduction(weights.get("products", 1.0)),
            Penalty({name: weights[name] for name in model.group_names}),
        )
    )
    unconstrained, _ = steps.apply(model)
    return _bqm(unconstrained, unconstrained.labels)


def _bqm(model: QCBO, labels: Iterable[Hashable]) -> dimod.BinaryQuadraticModel:
    """The objective of ``model`` as a dimod BQM."""
    import dimod

    couplers = sp.coo_array(model.quadratic)
    heads, tails = couplers.coords
    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        model.linear,
        (heads, tails, couplers.data),
        model.offset,
        "BINARY",
        variable_order=list(labels),
    )


@dataclass(frozen=True)
class Readout:
    """A CQM's own variables as functions of a model's bits: value = low + unit * word of bits.

    Parameters
    ----------
    variables : tuple
        The CQM's variables, in its order.
    low, unit : ndarray, shape (V,)
        Least value of each variable, and the distance of two values: 2 for a spin, else 1.
    word : SlackWord
        The bits of each variable's word.

    Examples
    --------
    >>> import dimod
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> cqm.add_variables("INTEGER", ["i"], lower_bound=-1, upper_bound=5)
    >>> model, readout = read_cqm(cqm)
    >>> model.labels.strings(), readout.sample([1, 1, 0])
    (['i[bit=0]', 'i[bit=1]', 'i[bit=2]'], {'i': 2})
    """

    variables: tuple[Hashable, ...]
    low: FloatArray
    unit: FloatArray
    word: SlackWord

    @property
    def matrix(self) -> sp.csr_array:
        """Matrix T of values = low + T bits, shape (V, n)."""
        count = len(self.word.row)
        return sp.csr_array(
            (self.unit[self.word.row] * self.word.coefficient, (self.word.row, np.arange(count))),
            shape=(len(self.variables), count),
        )

    def values(self, x: npt.ArrayLike) -> FloatArray:
        """Values of the CQM's variables, shape (..., n) -> (..., V)."""
        return self.low + times(self.matrix, np.asarray(x, dtype=np.float64))

    def sample(self, x: npt.ArrayLike) -> dict[Hashable, int]:
        """One sample as dimod wants it, shape (n,)."""
        values = self.values(x).astype(np.int64).tolist()
        return dict(zip(self.variables, values, strict=True))

    def bits(self, values: npt.ArrayLike) -> BitArray:
        """Bits of values within their bounds, shape (..., V) -> (..., n)."""
        steps = (np.asarray(values, dtype=np.float64) - self.low) / self.unit
        return self.word.spell(np.rint(steps).astype(np.int64))


def read_cqm(cqm: dimod.ConstrainedQuadraticModel) -> tuple[QCBO, Readout]:
    """The model of a CQM as in :func:`from_cqm`, and the way back to the CQM's variables."""
    readout = _readout(cqm)
    rows, products = _constraints(cqm)
    number = {v: i for i, v in enumerate(cqm.variables)}
    n = len(number)
    T = readout.matrix
    first_bit = np.searchsorted(readout.word.row, np.arange(n))
    linear = np.zeros(n)
    for v, bias in cqm.objective.iter_linear():
        linear[number[v]] = bias
    couplers = [(number[u], number[v], bias) for u, v, bias in cqm.objective.iter_quadratic()]
    linear, quadratic, offset = substituted(
        linear, _matrix(couplers, n, n), float(cqm.objective.offset), T, readout.low
    )
    a = _matrix(
        [(r, number[v], k) for r, row in enumerate(rows) for v, k in row.terms], len(rows), n
    )
    model = QCBO.from_arrays(
        linear,
        sp.csr_array(a @ T),
        np.array([row.rhs for row in rows]) - a @ readout.low,
        equality=[row.equality for row in rows],
        quadratic=quadratic,
        offset=offset,
        products=[[first_bit[number[v]] for v in product] for product in products],
        labels=_bit_labels(cqm, readout),
        row_labels=[row.label for row in rows],
    )
    return model, readout


@dataclass(frozen=True)
class _Row:
    """A linear constraint of a CQM: terms == rhs or terms <= rhs."""

    label: Hashable
    terms: list[tuple[Hashable, float]]
    equality: bool
    rhs: float


def _constraints(
    cqm: dimod.ConstrainedQuadraticModel,
) -> tuple[list[_Row], list[tuple[Hashable, Hashable, Hashable]]]:
    """The linear constraints and the product rows (u, v, w) of ``cqm``; others are refused."""
    import dimod

    binary = {v for v in cqm.variables if cqm.vartype(v) is dimod.BINARY}
    rows, products = [], []
    for label, constraint in cqm.constraints.items():
        lhs, sense = constraint.lhs, constraint.sense.value
        if lhs.is_soft():
            raise InvalidInputError(
                f"constraint {label!r} is soft: expected hard constraints only; put its penalty "
                "into the objective, or make it hard"
            )
        sign = -1.0 if sense == ">=" else 1.0  # a'x >= b is -a'x <= -b
        terms = [(v, sign * bias) for v, bias in lhs.iter_linear() if bias]
        row = _Row(label, terms, sense == "==", float(sign * (constraint.rhs - lhs.offset)))
        couplers = [term for term in lhs.iter_quadratic() if term[2]]
        if couplers:
            products.append(_product(row, couplers, binary))
        else:
            rows.append(row)
    return rows, products


def _product(
    row: _Row, couplers: list[tuple[Hashable, Hashable, float]], binary: set[Hashable]
) -> tuple[Hashable, Hashable, Hashable]:
    """(u, v, w) of the constraint c (u - v w) == 0 over bits."""
    v, w, bias = couplers[0]
    if len(couplers) == len(row.terms) == 1 and row.equality and row.rhs == 0:
        u, coefficient = row.terms[0]
        if coefficient == -bias and {u, v, w} <= binary:
            return u, v, w
    raise InvalidInputError(
        f"constraint {row.label!r} is quadratic: expected a linear one, or u - v*w == 0 over "
        "binary variables; give each product v*w a binary variable u with that constraint, and "
        "write u in its place"
    )


def _readout(cqm: dimod.ConstrainedQuadraticModel) -> Readout:
    """The words of bits that stand for the variables of ``cqm``; reals are refused."""
    import dimod

    low, span, unit = [], [], []
    for v in cqm.variables:
        vartype, least, most = cqm.vartype(v), cqm.lower_bound(v), cqm.upper_bound(v)
        if vartype is dimod.Vartype.REAL:
            raise InvalidInputError(
                f"variable {v!r} is real: expected binary, spin or integer variables; make it an "
                "integer number of steps"
            )
        if most - least > WIDEST_INTEGER:
            raise InvalidInputError(
                f"integer variable {v!r} ranges from {least:g} to {most:g}: expected a range of "
                f"{WIDEST_INTEGER:,} at most; set its bounds to what it can need"
            )
        low.append(ceil(least))
        unit.append(2 if vartype is dimod.SPIN else 1)
        span.append((floor(most) - ceil(least)) // unit[-1])
    word = SlackWord.covering(np.array(span, dtype=np.int64))
    return Readout(
        tuple(cqm.variables),
        np.array(low, dtype=np.float64),
        np.array(unit, dtype=np.float64),
        word,
    )


def _bit_labels(cqm: dimod.ConstrainedQuadraticModel, readout: Readout) -> list[Hashable]:
    """The variable's own label for a bit or a spin, ``label[bit=k]`` for the bits of an integer."""
    import dimod

    names = readout.variables
    return [
        f"{names[v]}[bit={k}]" if cqm.vartype(names[v]) is dimod.INTEGER else names[v]
        for v, k in zip(readout.word.row.tolist(), readout.word.place.tolist(), strict=True)
    ]


def _matrix(entries: list[tuple[int, int, float]], height: int, width: int) -> sp.csr_array:
    """A sparse matrix from its entries (row, column, value)."""
    i, j, values = zip(*entries, strict=True) if entries else ((), (), ())
    return sp.csr_array(
        (np.array(values, dtype=np.float64), (np.array(i, np.int64), np.array(j, np.int64))),
        shape=(height, width),
    )
