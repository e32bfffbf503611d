"""Squared penalties of equality rows in the objective, with a weight per row group."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from formulations.arrays import FloatArray
from formulations.checks import check_number, choose
from formulations.errors import InvalidInputError
from formulations.model.qcbo import QCBO, fold
from formulations.passes.base import Composed, scaled_rows, take_rows
from formulations.passes.coefficient_step import lattice


@dataclass(frozen=True)
class Penalty:
    """Replace every equality row by the objective term P (a'x - b)^2.

    Parameters
    ----------
    weight : float or mapping of str to float
        The weight P of all rows, or of each row group by name.

    Examples
    --------
    >>> model = QCBO.from_arrays([-1, -1], [[1, 1]], [1])
    >>> unconstrained, _ = Penalty(10.0).apply(model)
    >>> unconstrained.objective([[0, 0], [0, 1], [1, 1]]).tolist()
    [10.0, -1.0, 8.0]
    """

    weight: float | Mapping[str, float]

    def apply(self, model: QCBO) -> tuple[QCBO, Composed]:
        """Return the model without linear rows.

        Raises
        ------
        InvalidInputError
            If there are inequality rows, a group has no weight, or a weight is not positive.
        """
        if not model.equality.all():
            label = model.row_labels[int(np.argmin(model.equality))]
            raise InvalidInputError(
                f"row {label!r} is an inequality: expected equalities only; apply Slack first"
            )
        by_group = group_penalties(model, self.weight)
        weights = np.array([by_group[name] for name in model.group_names])[model.row_group]
        linear, quadratic, constant = squared(model.rows, model.rhs, weights)
        rewritten = replace(
            take_rows(model, np.zeros(0, dtype=np.int64)),
            linear=model.linear + linear,
            quadratic=sp.csr_array(model.quadratic + quadratic),
            offset=model.offset + constant,
        )
        return rewritten, Composed()


def squared(
    rows: sp.csr_array, rhs: FloatArray, weights: FloatArray
) -> tuple[FloatArray, sp.csr_array, float]:
    """Expand sum_r P_r (a_r'x - b_r)^2 = b'Pb - 2 (A'Pb)'x + x'(A'PA)x: c, Q and constant.

    Couplers that are only the rounding error of cancelled terms are dropped: one of them would set
    the scale of an annealer's schedule.
    """
    weighted = scaled_rows(rows, weights)
    diagonal, quadratic = fold(sp.csr_array(rows.T @ weighted))
    largest = np.abs(rows.data * weighted.data).max(initial=0.0)
    quadratic.data[np.abs(quadratic.data) <= 1e-14 * largest] = 0.0  # cancelled up to rounding
    quadratic.eliminate_zeros()
    return diagonal - 2 * (weighted.T @ rhs), quadratic, float(weights @ rhs**2)


def group_penalties(model: QCBO, penalty: float | Mapping[str, float]) -> dict[str, float]:
    """Return the weight of every row group of ``model``, including the products.

    Raises
    ------
    InvalidInputError
        If a group has no weight, a name is unknown, or a weight is not a positive number.
    """
    groups = list(model.groups)
    if not isinstance(penalty, Mapping):
        weight = check_number("penalty for all rows", penalty)
        return dict.fromkeys(groups, weight)
    for name in penalty:
        choose("row group", name, groups)
    if missing := [name for name in groups if name not in penalty]:
        raise InvalidInputError(
            f"no penalty for the row groups {missing}: give one for each of {groups}, or one number"
        )
    return {n: check_number(f"penalty for row group {n!r}", penalty[n]) for n in groups}


def sufficient_penalty(model: QCBO) -> float:
    """Return a penalty above which every ground state of ``to_bqm`` is a constrained optimum.

    The objective changes by at most sum |c| + sum |Q|, and a violated row costs at least the square
    of its step.  The penalty is rarely necessary: samplers do better with smaller ones.

    Raises
    ------
    InvalidInputError
        If the coefficients of a row have no common step, or the penalty overflows.

    Examples
    --------
    >>> sufficient_penalty(QCBO.from_arrays([-1, -2], [[1, 1]], [1]))
    4.0
    """
    least = min(1.0, float(lattice(model, np.arange(model.num_rows)).step.min(initial=1.0)) ** 2)
    with np.errstate(over="ignore", divide="ignore"):
        spread = np.abs(model.linear).sum() + np.abs(model.quadratic.data).sum()
        penalty = float((spread + 1.0) / np.float64(least))
    if penalty == np.inf:
        raise InvalidInputError(
            "the sufficient penalty overflows double precision: expected an objective with "
            "smaller coefficients"
        )
    return penalty
