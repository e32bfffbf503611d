"""Conversion of inequality rows to equalities by slack words that cover their range exactly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import scipy.sparse as sp

from formulations.arrays import BitArray, BoolArray, FloatArray, IntArray
from formulations.errors import InvalidInputError
from formulations.model.labels import Family, Labels
from formulations.model.qcbo import QCBO, TOLERANCE, times
from formulations.passes.base import Appended, row_range, scaled_rows, take_rows, widened
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


def _left(x: BitArray, units: sp.csr_array, bound: FloatArray, word: SlackWord) -> BitArray:
    """Spell the slack that rows leave to samples (..., n) of the original model."""
    left = np.rint(bound - times(units, x.astype(np.float64)))
    return word.spell(np.maximum(left, 0).astype(np.int64))
