"""Soft rows: what a violation costs, in the objective."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.errors import InvalidInputError
from formulations.labels import Family, Labels
from formulations.passes.base import row_range, take_rows
from formulations.passes.lattice import common_steps
from formulations.passes.slack import SlackWord
from formulations.qcbo import QCBO, BitArray, FloatArray, IntArray, fold


@dataclass(frozen=True)
class Soft:
    """Rows that may be violated at a cost of w |violation| or w violation^2.

    An equality with squared cost is the objective term w (a'x - b)^2.  Any other row gets words of
    excess bits that say by how much it is violated,

        a'x - over <= b      or      a'x - over + under = b,

    with the cost of ``over`` and ``under`` in the objective, so that its least value over the
    excess bits is the cost.  Where b lies off the lattice of a'x, the first step of ``over`` is the
    bit that reaches beyond b, and less than a step long.

    Parameters
    ----------
    weight : ndarray, shape (m,)
        w of each row; infinite for a hard one, which stays as it is.
    square : ndarray of bool, shape (m,)
        Whether the violation is squared.
    tolerance : ndarray, shape (m,)
        A violation that costs nothing.

    Examples
    --------
    >>> model = QCBO.from_arrays([-3, -3], [[2, 2]], [1], equality=[False])
    >>> hard, _ = Soft(np.array([1.0]), np.array([False]), np.array([1e-6])).apply(model)
    >>> hard.rows.toarray().tolist(), hard.rhs.tolist(), hard.linear.tolist()
    ([[2.0, 2.0, -2.0, -2.0]], [0.0], [-3.0, -3.0, 1.0, 2.0])
    """

    weight: FloatArray
    square: npt.NDArray[np.bool_]
    tolerance: FloatArray

    def accepts(self, model: QCBO) -> bool:
        """Whether every soft row that needs excess bits has a step."""
        return bool((common_steps(model.rows)[1] | ~self._in_words(model)).all())

    def _in_words(self, model: QCBO) -> npt.NDArray[np.bool_]:
        """The soft rows that need excess bits."""
        return np.isfinite(self.weight) & ~(self.square & model.equality)

    def apply(self, model: QCBO) -> tuple[QCBO, Hardened]:
        """The model with hard rows only, excess bits last.

        Raises
        ------
        InvalidInputError
            If the coefficients of a row that needs excess bits have no common step, by name.
        """
        worded = np.flatnonzero(self._in_words(model))
        steps, fits = common_steps(model.rows[worded])
        if not fits.all():
            label = model.row_labels[int(worded[np.argmin(fits)])]
            raise InvalidInputError(
                f"soft constraint {label!r}: expected coefficients that are multiples of one step "
                "1/d with d <= 10000; round them, or give an equality a quadratic penalty"
            )
        rhs = model.rhs.copy()
        excess: list[_Excess] = []
        least, most = (steps.units(side[worded]) for side in row_range(model.rows))
        edge = np.floor(steps.units(model.rhs[worded] + self.tolerance[worded]))
        constant = 0.0
        for i, r in enumerate(worded.tolist()):
            step = float(steps.step[i])
            beyond = model.rhs[r] - step * edge[i]  # how far b lies beyond the last step below it
            beyond = beyond if beyond > self.tolerance[r] else 0.0
            rhs[r] = step * edge[i]
            over = int(max(np.rint(most[i]) - edge[i], 0))
            under = int(max(edge[i] - np.rint(least[i]), 0)) if model.equality[r] else 0
            both = 2.0 if model.equality[r] else 1.0  # |violation| grows where it would shrink
            excess.append(_Excess.of(r, -step, step, over, both * beyond))
            excess.append(_Excess.of(r, step, step, under, 0.0))
            constant += self.weight[r] * beyond if model.equality[r] else 0.0
        part = _Excess.all(excess)
        in_objective = np.isfinite(self.weight) & self.square & model.equality
        linear, quadratic, offset = self._squared_rows(model, np.flatnonzero(in_objective))
        n, count = model.num_variables, len(part.row)
        costs, couplers = self._costs(part)
        entries = sp.csr_array(
            (part.coefficient, (part.row, np.arange(count))), shape=(model.num_rows, count)
        )
        family = Family(
            model.labels.fresh("excess"), ("row", "bit"), np.stack([part.row, part.place], axis=1)
        )
        always = np.zeros(model.num_rows, dtype=np.bool_)
        always[worded] = ~model.equality[worded] & (np.rint(most) <= edge)
        kept = np.flatnonzero(~in_objective & ~always)
        hard = replace(
            model,
            linear=np.concatenate([model.linear + linear, costs]),
            quadratic=sp.csr_array(
                sp.block_diag([model.quadratic + quadratic, couplers], format="csr")
            ),
            offset=model.offset + offset + constant,
            rows=sp.csr_array(sp.hstack([model.rows, entries], format="csr")),
            rhs=rhs,
            labels=model.labels + Labels((family,)),
        )
        return take_rows(hard, kept), Hardened(n, kept)

    def _squared_rows(
        self, model: QCBO, positions: IntArray
    ) -> tuple[FloatArray, sp.csr_array, float]:
        """The sum of w (a'x - b)^2 = w (x'aa'x - 2b a'x + b^2) over some rows: c, Q, offset."""
        a, b, w = model.rows[positions], model.rhs[positions], self.weight[positions]
        diagonal, quadratic = fold(sp.csr_array(a.T @ sp.diags_array(w) @ a))
        return diagonal - 2.0 * (a.T @ (w * b)), quadratic, float(w @ b**2)

    def _costs(self, part: _Excess) -> tuple[FloatArray, sp.csr_array]:
        """What the excess bits cost: w value, or w (sum of the row's values)^2."""
        w, square = self.weight[part.row], self.square[part.row]
        count = len(w)
        values = sp.csr_array(
            (np.where(square, np.sqrt(w) * part.value, 0.0), (part.row, np.arange(count))),
            shape=(len(self.weight), count),
        )
        diagonal, quadratic = fold(sp.csr_array(values.T @ values))
        return np.where(square, 0.0, w * part.value) + diagonal, quadratic


@dataclass(frozen=True)
class _Excess:
    """Excess bits: row, place among the row's bits, coefficient, and the violation it says."""

    row: IntArray
    place: IntArray
    coefficient: FloatArray
    value: FloatArray

    @classmethod
    def of(cls, row: int, coefficient: float, step: float, span: int, beyond: float) -> _Excess:
        """Bits that count 0 .. ``span`` steps, the first of them shorter by ``beyond``."""
        first = beyond > 0.0 and span > 0
        word = SlackWord.covering(np.array([span - first], dtype=np.int64)).coefficient
        units = np.concatenate([np.ones(int(first)), word.astype(np.float64)])
        value = step * units
        value[: int(first)] -= beyond
        every = np.arange(len(units))
        return cls(np.full(len(units), row), every, coefficient * units, value)

    @classmethod
    def all(cls, parts: list[_Excess]) -> _Excess:
        """All bits, numbered by place within their row."""
        row, coefficient, value = (
            np.concatenate([getattr(part, name) for part in parts] or [np.zeros(0)])
            for name in ("row", "coefficient", "value")
        )
        row = row.astype(np.int64)
        first = np.searchsorted(row, row)  # rows come in order
        return cls(row, np.arange(len(row)) - first, coefficient, value)


@dataclass(frozen=True)
class Hardened:
    """Drops the excess bits.

    Parameters
    ----------
    num_variables : int
        Variables of the original model.
    kept : ndarray of int
        The rows that are left.
    """

    num_variables: int
    kept: IntArray

    def invert(self, x: npt.ArrayLike) -> BitArray:
        """The variables of the original model."""
        return np.asarray(x, dtype=np.int8)[..., : self.num_variables]
