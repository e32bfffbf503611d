"""Presolve: substitution of decided bits, and removal of redundant rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from formulations.arrays import BitArray, IntArray
from formulations.errors import InfeasibleModelError
from formulations.model.qcbo import QCBO, TOLERANCE
from formulations.passes.base import canonical, entry_rows, substituted, with_inequalities
from formulations.passes.cliques import tighten_by_groups
from formulations.passes.parallel_rows import without_repeats


@dataclass(frozen=True)
class Presolve:
    """Propagate bounds through linear and product rows, and substitute the bits they decide.

    A bit is fixed if its other value would violate a row, where cliques count as one bit
    (:mod:`formulations.passes.cliques`).  A product with a factor 1 merges its two other bits, and
    two products with the same factors merge.  A product with u = 0 becomes the row v + w <= 1 of
    the group ``conflicts``.  An equality of two bits replaces one by the other or by its
    complement.  Rows that always hold and duplicate rows are removed.  The feasible points and
    their objectives stay the same.

    Examples
    --------
    >>> model = QCBO.from_arrays([1] * 5, [[3, 1, 1, 1, 0]], [4], products=[[4, 0, 1]])
    >>> smaller, inverse = Presolve().apply(model)
    >>> smaller.labels.strings(), smaller.rows.toarray().tolist(), smaller.num_products
    (['x[1]', 'x[2]', 'x[3]'], [[1.0, 1.0, 1.0]], 0)
    >>> inverse.invert([0, 1, 0]).tolist()
    [1, 0, 1, 0, 0]
    """

    def apply(self, model: QCBO) -> tuple[QCBO, Substitution]:
        """Return the smaller model and the substitution that leads to it.

        Raises
        ------
        InfeasibleModelError
            If propagation proves that no assignment satisfies the rows; the message names the row
            or the variable.
        """
        total = Substitution.identity(model.num_variables)
        while True:
            step = next(
                (step for step in _steps(model) if len(step.kept) < model.num_variables), None
            )
            if step is None:
                return without_repeats(model), total
            model = step.substitute(model)
            total = total.then(step)


@dataclass(frozen=True)
class Substitution:
    """x_i = sign_i y[source_i] + value_i: a kept variable, its complement, or a constant.

    Parameters
    ----------
    source : ndarray of int, shape (n,)
        Number of the variable of the smaller model, or -1 for none.
    sign : ndarray of int8, shape (n,)
        1, or -1 for a complement.
    value : ndarray of int8, shape (n,)
        The constant; with a source 0, or 1 for a complement.
    kept : ndarray of int, shape (n',)
        Original number of each variable of the smaller model, ascending.
    """

    source: IntArray
    sign: BitArray
    value: BitArray
    kept: IntArray

    @classmethod
    def identity(cls, num_variables: int) -> Substitution:
        """Return the substitution that changes nothing."""
        every, ones = np.arange(num_variables), np.ones(num_variables, dtype=np.int8)
        return cls(every, ones, np.zeros_like(ones), every)

    def invert(self, x: npt.ArrayLike) -> BitArray:
        """Convert samples of the smaller model to the original, shape (..., n') -> (..., n)."""
        y = np.asarray(x, dtype=np.int8)
        zero = np.zeros((*y.shape[:-1], 1), dtype=np.int8)  # read by the source -1
        return np.asarray(
            self.sign * np.concatenate([y, zero], axis=-1)[..., self.source] + self.value
        )

    def lift(self, x: npt.ArrayLike) -> BitArray:
        """Convert feasible samples of the original to the smaller model, (..., n) -> (..., n')."""
        return np.asarray(x, dtype=np.int8)[..., self.kept]

    def then(self, later: Substitution) -> Substitution:
        """Compose this substitution with a later one of the smaller model's variables."""
        source = np.append(later.source, -1)[self.source]
        sign = np.append(later.sign, np.int8(1))[self.source] * self.sign
        value = self.sign * np.append(later.value, np.int8(0))[self.source] + self.value
        return Substitution(source, sign, value, self.kept[later.kept])

    def substitute(self, model: QCBO) -> QCBO:
        """Rewrite the model in the kept variables y, where x = T y + d and Ax = b is ATy = b - Ad.

        Variables of products must be kept unchanged or be constants.
        """
        free = np.flatnonzero(self.source >= 0)
        T = sp.csr_array(
            (self.sign[free].astype(np.float64), (free, self.source[free])),
            shape=(len(self.source), len(self.kept)),
        )
        d = self.value.astype(np.float64)
        linear, quadratic, offset = substituted(model.linear, model.quadratic, model.offset, T, d)
        smaller = replace(
            model,
            linear=linear,
            quadratic=quadratic,
            offset=offset,
            rows=canonical(model.rows @ T),
            rhs=model.rhs - model.rows @ d,
            products=np.zeros((0, 3), dtype=np.int64),
            labels=model.labels.take(self.kept),
        )
        products = self.source[model.products]
        u, v, w = products.T
        alive = (products >= 0).all(axis=1) & ((u != v) | (u != w))
        apart = np.flatnonzero((u < 0) & (v >= 0) & (w >= 0))
        smaller = replace(smaller, products=products[alive])
        return _with_conflicts(smaller, products[apart, 1:], model.product_labels(apart))


def _steps(model: QCBO) -> Iterator[Substitution]:
    """Yield candidates for the next substitution, the cheapest search first."""
    n = model.num_variables
    low, high = np.zeros(n, dtype=np.int8), np.ones(n, dtype=np.int8)
    yield _decide(model, low, high)
    yield _pair(model)
    tighten_by_groups(without_repeats(model), low, high)  # names contradicting rows
    yield _decide(model, low, high)


def _decide(model: QCBO, low: BitArray, high: BitArray) -> Substitution:
    """Find the bits that propagation from these bounds fixes and merges."""
    low, high = low.copy(), high.copy()
    while True:
        free = np.count_nonzero(low < high)
        _tighten_by_rows(model, low, high)
        _tighten_by_products(model.products, low, high)
        one = _merge(model.products, low, high)
        np.maximum.at(low, one, low)
        np.minimum.at(high, one, high)
        low, high = low[one], high[one]
        if (low > high).any():
            raise InfeasibleModelError(
                f"the rows force variable {model.labels[int(np.argmax(low > high))]!r} to be 0 and "
                "1 at once: no assignment satisfies them; look for a wrong right-hand side"
            )
        if np.count_nonzero(low < high) == free:
            return _fixed(low, high, one)


def _fixed(low: BitArray, high: BitArray, one: IntArray) -> Substitution:
    """Substitute constants for fixed bits, and the variable ``one`` that they equal for others."""
    n = len(low)
    kept = np.flatnonzero((low < high) & (one == np.arange(n)))
    number = np.full(n, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    value = np.where(low == high, low, 0).astype(np.int8)
    return Substitution(number[one], np.ones(n, dtype=np.int8), value, kept)


def _pair(model: QCBO) -> Substitution:
    """Find bits that an equality of two bits makes equal or complements, at most one pair each."""
    n, indptr, indices = model.num_variables, model.rows.indptr, model.rows.indices
    step = Substitution.identity(n)
    multiplied = np.zeros(n, dtype=np.bool_)
    multiplied[model.products] = True
    used = np.zeros(n, dtype=np.bool_)
    for r in np.flatnonzero(model.equality & (np.diff(indptr) == 2)).tolist():
        entries = slice(indptr[r], indptr[r + 1])
        i, j = sorted(indices[entries].tolist(), key=lambda bit: (not multiplied[bit], bit))
        a, b = model.rows.data[entries]
        apart = a * b > 0  # a x_i + b x_j = c with both bits free: x_i + x_j = 1, or x_i = x_j
        if used[[i, j]].any() or (apart and multiplied[j]):
            continue
        used[[i, j]] = True
        step.source[j], step.sign[j], step.value[j] = i, -1 if apart else 1, int(apart)
    kept = np.flatnonzero(step.source == np.arange(n))
    number = np.full(n, -1)
    number[kept] = np.arange(len(kept))
    return Substitution(number[step.source], step.sign, step.value, kept)


def _tighten_by_rows(model: QCBO, low: BitArray, high: BitArray) -> None:
    """Fix every bit whose other value would violate one of its rows."""
    row = entry_rows(model.rows)
    j, a = model.rows.indices, model.rows.data
    up, size, rhs = a > 0, np.abs(a), model.rhs
    least = np.bincount(row, a * np.where(up, low[j], high[j]), model.num_rows)
    most = np.bincount(row, a * np.where(up, high[j], low[j]), model.num_rows)
    impossible = (least > rhs + TOLERANCE) | (model.equality & (most < rhs - TOLERANCE))
    if impossible.any():
        r = int(np.argmax(impossible))
        raise InfeasibleModelError(
            f"row {model.row_labels[r]!r} lies between {least[r]:g} and {most[r]:g}, but must be "
            f"{'=' if model.equality[r] else '<='} {rhs[r]:g}: no assignment satisfies the rows; "
            "look for a wrong right-hand side"
        )
    free = low[j] < high[j]
    at_least = free & (least[row] + size > rhs[row] + TOLERANCE)
    at_most = free & model.equality[row] & (most[row] - size < rhs[row] - TOLERANCE)
    low[j[np.where(up, at_most, at_least)]] = 1
    high[j[np.where(up, at_least, at_most)]] = 0


def _tighten_by_products(products: IntArray, low: BitArray, high: BitArray) -> None:
    """Fix bits by u = v w: u from its factors, and factors from u and the other factor."""
    u, v, w = products.T
    high[u[(high[v] == 0) | (high[w] == 0)]] = 0
    low[u[(low[v] == 1) & (low[w] == 1)]] = 1
    for one, other in ((v, w), (w, v)):
        low[one[low[u] == 1]] = 1
        high[one[(high[u] == 0) & (low[other] == 1)]] = 0


def _merge(products: IntArray, low: BitArray, high: BitArray) -> IntArray:
    """Return the first variable that products make equal to each variable, shape (n,)."""
    u, v, w = products.T
    factors = np.sort(products[:, 1:], axis=1)
    order = np.lexsort((factors[:, 1], factors[:, 0]))
    repeated = (np.diff(factors[order], axis=0) == 0).all(axis=1)
    pairs = (
        (u[low[v] == 1], w[low[v] == 1]),
        (u[low[w] == 1], v[low[w] == 1]),
        (u[v == w], v[v == w]),
        (u[order[:-1]][repeated], u[order[1:]][repeated]),
    )
    heads, tails = (np.concatenate(side) for side in zip(*pairs, strict=True))
    n = len(low)
    graph = sp.csr_array((np.ones(len(heads)), (heads, tails)), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    _, first = np.unique(component, return_index=True)
    return np.asarray(first[component], dtype=np.int64)


def _with_conflicts(model: QCBO, pairs: IntArray, labels: list[str]) -> QCBO:
    """Add a row v + w <= 1 for each pair of variables."""
    count = len(pairs)
    if not count:
        return model
    names = tuple(dict.fromkeys((*model.group_names, "conflicts")))
    added = sp.csr_array(
        (np.ones(2 * count), (np.repeat(np.arange(count), 2), pairs.ravel())),
        shape=(count, model.num_variables),
    )
    group = np.full(count, names.index("conflicts"))
    return with_inequalities(
        replace(model, group_names=names), added, np.ones(count), group, labels
    )
