"""Conversion of inequality rows to equalities by slack words that cover their range exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.arrays import BitArray, BoolArray, FloatArray, IntArray
from formulations.errors import InvalidInputError
from formulations.model.labels import Family, Labels
from formulations.model.qcbo import QCBO, TOLERANCE, times
from formulations.passes.base import (
    Appended,
    canonical,
    entry_rows,
    row_range,
    scaled_rows,
    take_rows,
    widened,
    with_inequalities,
)
from formulations.passes.coefficient_step import common_steps, lattice


@dataclass(frozen=True)
class Slack:
    """Replace every row a'x <= b by a'x + g sum_k c_k s_k = b' with slack bits s_k.

    The coefficients of a row are multiples of its step g, so that a'x lies on a lattice: b' is b
    rounded down to the lattice, and the word counts up to R = (b' - min a'x) / g steps.  With S
    bits for R, the coefficients are c_k = 2^k and the last one is R - (2^(S-1) - 1), so that the
    word takes the values 0 .. R and no others.  A value may have two such words; the objective does
    not depend on the choice.  Rows that always hold are removed.  Fractional coefficients need a
    common denominator of at most 1,000,000.

    Parameters
    ----------
    most_bits : int, optional
        Rows that have no step or need a longer word stay inequalities; None refuses them.

    Examples
    --------
    >>> model = QCBO.from_arrays(np.zeros(3), [[2, 3, 4]], [5], equality=[False])
    >>> rewritten, inverse = Slack().apply(model)
    >>> rewritten.rows.toarray().tolist(), rewritten.rhs.tolist()
    ([[2.0, 3.0, 4.0, 1.0, 2.0, 2.0]], [5.0])
    >>> inverse.lift([1, 1, 0]).tolist()
    [1, 1, 0, 0, 0, 0]
    """

    most_bits: int | None = None

    def apply(self, model: QCBO) -> tuple[QCBO, Appended]:
        """Return the model with equality rows, except those that ``most_bits`` leaves; slack last.

        Raises
        ------
        InvalidInputError
            If a row's coefficients have no common step, or need a word of more than 40 bits.
        """
        least, most = row_range(model.rows)
        redundant = ~model.equality & (most <= model.rhs + TOLERANCE)
        model = take_rows(model, np.flatnonzero(~redundant))
        least = least[~redundant]
        ranged = np.flatnonzero(~model.equality)
        if self.most_bits is not None:
            ranged = ranged[_fit(model, ranged, least, self.most_bits)]
        steps = lattice(model, ranged)
        bound = steps.floor(model.rhs[ranged])
        span = np.maximum(bound - np.rint(steps.units(least[ranged])), 0)
        word = SlackWord.of_rows(span, model.row_labels.take(ranged))
        n, count = model.num_variables, len(word.row)
        slack = sp.csr_array(
            (steps.value(word.coefficient, word.row), (ranged[word.row], np.arange(count))),
            shape=(model.num_rows, count),
        )
        rhs, equality = model.rhs.copy(), model.equality.copy()
        rhs[ranged], equality[ranged] = steps.value(bound), True
        name = model.labels.fresh("slack")
        family = Family(name, ("row", "bit"), np.stack([ranged[word.row], word.place], axis=1))
        rewritten = replace(
            model,
            linear=np.concatenate([model.linear, np.zeros(count)]),
            quadratic=widened(model.quadratic, n + count),
            rows=sp.csr_array(sp.hstack([model.rows, slack], format="csr")),
            rhs=rhs,
            equality=equality,
            labels=model.labels + Labels((family,)),
        )
        units = scaled_rows(model.rows[ranged], 1 / steps.step)
        return rewritten, Appended(n, partial(_left, units=units, bound=bound, word=word))


def _fit(model: QCBO, rows: IntArray, least: FloatArray, most_bits: int) -> BoolArray:
    """Return a mask of the rows with a step and a word of at most ``most_bits`` bits."""
    steps, fits = common_steps(model.rows[rows])
    span = steps.units(model.rhs[rows] - least[rows])
    return np.asarray(fits & (span < 2.0**most_bits))


@dataclass(frozen=True)
class SlackWord:
    """Slack words of several rows, row by row, least significant bit first.

    Parameters
    ----------
    bits : ndarray of int, shape (r,)
        Length S of the word of each row.
    row, place : ndarray of int, shape (count,)
        Row of each bit and its place k in the word.
    coefficient : ndarray of int, shape (count,)
        Coefficient c_k of each bit.
    """

    bits: IntArray
    row: IntArray
    place: IntArray
    coefficient: IntArray

    @classmethod
    def covering(cls, span: IntArray) -> SlackWord:
        """Make words with the values 0 .. span[r], shape (r,)."""
        bits = np.frexp(span.astype(np.float64))[1].astype(np.int64)  # frexp(2^k) = (0.5, k + 1)
        row = np.repeat(np.arange(len(span)), bits)
        place = np.arange(len(row)) - np.repeat(np.cumsum(bits) - bits, bits)
        coefficient = 1 << place
        last = place == bits[row] - 1
        coefficient[last] = span[row[last]] - (coefficient[last] - 1)
        return cls(bits, row, place, coefficient)

    @classmethod
    def of_rows(cls, span: FloatArray, names: Labels, most_bits: int = 40) -> SlackWord:
        """Make the words of rows as ``covering`` does, and refuse words that are too long.

        Raises
        ------
        InvalidInputError
            Naming a row that needs more than ``most_bits`` bits.
        """
        longest = float(span.max(initial=0.0))
        if not longest < 2.0**most_bits:
            raise InvalidInputError(
                f"row {names[int(np.argmax(span))]!r} needs a slack word of "
                f"{int(np.frexp(longest)[1])} bits: expected {most_bits} at most; round its "
                "coefficients to multiples of a larger step"
            )
        return cls.covering(span.astype(np.int64))

    def within(self, values: FloatArray) -> BitArray:
        """Spell values clipped to the range of the words, shape (..., r) -> (..., count)."""
        most = np.bincount(self.row, self.coefficient, len(self.bits))
        return self.spell(np.minimum(values, most).astype(np.int64))

    def spell(self, values: IntArray) -> BitArray:
        """Spell values within the range of the words, shape (..., r) -> (..., count)."""
        last = self.place == self.bits[self.row] - 1
        top = np.zeros(len(self.bits), dtype=np.int64)
        top[self.row[last]] = self.coefficient[last]
        reach = (1 << np.maximum(self.bits - 1, 0)) - 1  # largest value without the last bit
        high = values > reach
        rest = values - np.where(high, top, 0)
        digits = (rest[..., self.row] >> self.place) & 1
        return np.where(last, high[..., self.row], digits).astype(np.int8)


@dataclass(frozen=True)
class OwnSlack:
    """Turn rows that have a slack word of the model's own back into inequalities.

    A word is two bits or more that occur in one equality only, a'x + g sum_k c_k s_k = b, and cost
    the same per unit, a whole number p: f(x) + p g sum_k c_k s_k.  If its values are 0 .. R and all
    else in the row are multiples of g, then b - g R <= a'x <= b says the same, and the cost is
    f(x) + p (b - a'x).  Local search moves in fewer steps without it: 7 + 1 = 8 changes four bits.
    Words that cost something stay in models without couplers.

    Examples
    --------
    >>> model = QCBO.from_arrays([-3, -4, 0, 0], [[2, 3, 1, 2]], [4])
    >>> smaller, inverse = OwnSlack().apply(model)
    >>> smaller.rows.toarray().tolist(), smaller.rhs.tolist(), smaller.equality.tolist()
    ([[2.0, 3.0], [-2.0, -3.0]], [4.0, -1.0], [False, False])
    >>> inverse.invert([0, 1]).tolist()
    [0, 1, 1, 0]
    """

    def apply(self, model: QCBO) -> tuple[QCBO, Refilled]:
        """Return the model without the words, and the inverse that spells them again."""
        words = _own_words(model)
        gone = np.concatenate([np.zeros(0, dtype=np.int64), *(bits for _, bits in words)])
        n, rows = model.num_variables, np.array([r for r, _ in words], dtype=np.int64)
        kept = np.setdiff1d(np.arange(n), gone)
        those = sp.csr_array(model.rows[rows])
        rest, taken = sp.csr_array(those[:, kept]), sp.csr_array(those[:, gone])
        inverse = Refilled(gone, kept, rest, model.rhs[rows], taken)
        if not len(gone):
            return model, inverse
        number = np.full(n, -1, dtype=np.int64)
        number[kept] = np.arange(len(kept))
        price = np.array([model.linear[bits[0]] for _, bits in words])
        price /= np.array([model.rows[[r]][:, bits[:1]].data[0] for r, bits in words])
        least, most = row_range(taken)
        rhs, equality = model.rhs.copy(), model.equality.copy()
        rhs[rows], equality[rows] = model.rhs[rows] - least, False
        smaller = replace(
            model,
            linear=model.linear[kept] - rest.T @ price,
            quadratic=canonical(model.quadratic[kept][:, kept]),
            offset=model.offset + float(price @ model.rhs[rows]),
            rows=canonical(model.rows[:, kept]),
            rhs=rhs,
            equality=equality,
            products=number[model.products],
            labels=model.labels.take(kept),
        )
        labels = [f"{model.row_labels[int(r)]} from below" for r in rows]
        group = model.row_group[rows]
        low = most - model.rhs[rows]
        return with_inequalities(smaller, sp.csr_array(-rest), low, group, labels), inverse


@dataclass(frozen=True)
class Refilled:
    """The inverse of an elimination of words: they take what their rows leave.

    Parameters
    ----------
    gone, kept : ndarray of int
        Bits of the words, word by word, largest first; and the others, ascending.
    rest, taken : csr_array, shapes (r, n') and (r, g)
        The rows in both; rows hold if rest y + taken s = rhs.
    rhs : ndarray, shape (r,)
    """

    gone: IntArray
    kept: IntArray
    rest: sp.csr_array
    rhs: FloatArray
    taken: sp.csr_array

    def invert(self, x: npt.ArrayLike) -> BitArray:
        """Convert samples of the smaller model to the original, shape (..., n') -> (..., n)."""
        y = np.asarray(x, dtype=np.int8)
        full = np.empty((*y.shape[:-1], len(self.gone) + len(self.kept)), dtype=np.int8)
        full[..., self.kept] = y
        size = np.zeros(len(self.gone))
        size[self.taken.indices] = self.taken.data
        row = entry_rows(self.taken)[np.argsort(self.taken.indices)]
        left = self.rhs - times(self.rest, y.astype(np.float64))
        left -= np.minimum(row_range(self.taken)[0], 0.0)  # Negative bits count from their sum.
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        for k in range(rank.max(initial=-1) + 1):  # largest first within each row
            at = np.flatnonzero(rank == k)
            value = left[..., row[at]] >= np.abs(size[at]) - TOLERANCE
            full[..., self.gone[at]] = value == (size[at] > 0.0)
            left[..., row[at]] -= np.where(value, np.abs(size[at]), 0.0)
        return full

    def lift(self, x: npt.ArrayLike) -> BitArray:
        """Convert feasible samples of the original to the smaller model, (..., n) -> (..., n')."""
        return np.asarray(x, dtype=np.int8)[..., self.kept]


def _own_words(model: QCBO) -> list[tuple[int, IntArray]]:
    """Find equalities with a word of their own, and its bits, largest first."""
    Q, rows, found = model.quadratic, model.rows, []
    # In a linear model a word at its least value makes an equality, which a search solves exactly.
    coupled = Q.nnz > 0
    alone = np.diff(sp.csc_array(rows).indptr) == 1
    alone &= (np.diff(Q.indptr) == 0) & (np.bincount(Q.indices, minlength=len(alone)) == 0)
    alone[model.products] = False
    per_row = np.bincount(entry_rows(rows), alone[rows.indices], rows.shape[0])
    for r in np.flatnonzero(model.equality & (per_row > 1)).tolist():
        part = slice(rows.indptr[r], rows.indptr[r + 1])
        bits, size = rows.indices[part].astype(np.int64), rows.data[part]
        price = model.linear[bits] / size
        able = alone[bits] & (price == np.rint(price)) & (size == np.rint(size))
        able &= (price == 0.0) | coupled
        for p in np.unique(price[able]).tolist():
            own = able & (price == p)
            unit = np.abs(size[own]).min()
            order = np.argsort(np.abs(size[own]), kind="stable")
            ranked = np.abs(size[own])[order]
            reach = np.append(0.0, np.cumsum(ranked)[:-1]) + unit
            steps = np.append(size, model.rhs[r]) / unit
            whole = (steps == np.rint(steps)).all() and (ranked <= reach).all()
            if whole and ranked[0] < ranked[-1] and not own.all():
                found.append((r, bits[own][order[::-1]]))
                break
    return found


def _left(x: BitArray, units: sp.csr_array, bound: FloatArray, word: SlackWord) -> BitArray:
    """Spell the slack that rows leave to samples (..., n) of the original model."""
    left = np.rint(bound - times(units, x.astype(np.float64)))
    return word.spell(np.maximum(left, 0).astype(np.int64))
