"""Conversion of models to dimod CQMs and back, and to BQMs with penalties."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from formulations.cqm.from_dimod import read_cqm
from formulations.cqm.integer_encoding import IntegerEncoding
from formulations.errors import InvalidInputError
from formulations.model.labels import canonical_order, distinct
from formulations.model.qcbo import QCBO
from formulations.passes.base import Chain
from formulations.passes.penalty import Penalty, group_penalties
from formulations.passes.product_reduction import ProductReduction
from formulations.passes.slack import Slack

if TYPE_CHECKING:
    import dimod

__all__ = ["to_cqm", "from_cqm", "to_bqm", "read_cqm", "ordered", "IntegerEncoding"]


def to_cqm(model: QCBO) -> dimod.ConstrainedQuadraticModel:
    """Convert ``model`` to a dimod CQM: linear rows, then product rows as u - v w == 0.

    Variables keep their order and labels, and rows their labels; nothing is rounded.

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
    cqm.add_variables("BINARY", n)  # numbers are quicker; labels follow at the end
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
    """Convert a dimod CQM to a model over bits; spins and integers become bits.

    Quadratic constraints become linear rows over product variables, and soft constraints become
    costs of excess bits: see :mod:`formulations.cqm.from_dimod`.  Rows keep the order of
    ``cqm.constraints``, which after ``CQM.from_file`` differs between processes, see
    :func:`ordered`.  The label of a constraint determines its row group, see
    :func:`formulations.model.labels.row_group`.  :func:`formulations.cqm.from_dimod.read_cqm` also
    returns the inverse from the model's bits to the CQM's variables.

    Raises
    ------
    InvalidInputError
        For real variables, integers with too wide a range, and soft constraints without a common
        step; the message has the name and a remedy.
    """
    return read_cqm(cqm)[0]


def ordered(
    cqm: dimod.ConstrainedQuadraticModel, labels: Iterable[Hashable] | None = None
) -> dimod.ConstrainedQuadraticModel:
    """Return the CQM with its constraints in an order that is the same in every process.

    ``CQM.from_file`` collects constraints in a set, whose order depends on Python's hash seed.

    Parameters
    ----------
    cqm : dimod.ConstrainedQuadraticModel
    labels : iterable, optional
        The order; None sorts the constraints by their content
        (:func:`formulations.model.labels.canonical_order`).

    Examples
    --------
    >>> import dimod
    >>> x, y = dimod.Binaries("xy")
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> cqm.set_objective(x - y)
    >>> _ = cqm.add_constraint(y <= 0, label=1), cqm.add_constraint(x + y <= 1, label="one")
    >>> list(ordered(cqm).constraints), ordered(cqm).is_equal(cqm)
    (['one', 1], True)
    """
    import dimod

    result = dimod.ConstrainedQuadraticModel()
    for v in cqm.variables:
        bounds = {"lower_bound": cqm.lower_bound(v), "upper_bound": cqm.upper_bound(v)}
        own = cqm.vartype(v) in (dimod.INTEGER, dimod.REAL)
        result.add_variable(cqm.vartype(v), v, **(bounds if own else {}))
    objective = cqm.objective
    terms = [*objective.iter_linear(), *objective.iter_quadratic(), (objective.offset,)]
    result.set_objective(terms)
    for label in canonical_order(cqm) if labels is None else labels:
        constraint = cqm.constraints[label]
        lhs = constraint.lhs
        soft = {"weight": lhs.weight(), "penalty": lhs.penalty()} if lhs.is_soft() else {}
        terms = [*lhs.iter_linear(), *lhs.iter_quadratic(), (lhs.offset,)]
        sense, rhs = constraint.sense.value, constraint.rhs
        result.add_constraint_from_iterable(terms, sense, rhs=rhs, label=label, **soft)
        result.constraints[label].lhs.mark_discrete(lhs.is_discrete())
    return result


def to_bqm(model: QCBO, penalty: float | Mapping[str, float]) -> dimod.BinaryQuadraticModel:
    """Convert ``model`` to a BQM: squared rows and product penalties in the objective.

    Inequality rows get slack bits, labelled ``slack[row=...,bit=...]``, after the model's
    variables.

    Parameters
    ----------
    model : QCBO
    penalty : float or mapping of str to float
        One weight for all rows, or one for each of ``model.groups``.  Above
        :func:`formulations.passes.sufficient_penalty` all ground states are constrained optima.

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
    with np.errstate(over="ignore", invalid="ignore"):
        unconstrained, _ = steps.apply(model)
    biases = (unconstrained.linear, unconstrained.quadratic.data, unconstrained.offset)
    if not all(np.isfinite(numbers).all() for numbers in biases):
        raise InvalidInputError(
            f"penalty {penalty!r} makes biases overflow double precision: expected a smaller "
            "penalty, or rows with smaller coefficients"
        )
    return _bqm(unconstrained, unconstrained.labels)


def _bqm(model: QCBO, labels: Iterable[Hashable]) -> dimod.BinaryQuadraticModel:
    """Convert the objective of ``model`` to a dimod BQM."""
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
