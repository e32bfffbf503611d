"""Tighter bounds of a CQM's variables, or a proof that it has no solution.

``dwave.preprocessing.Presolver`` propagates the bounds through the rows.  It gets only the hard
linear rows, loosened by the violation that dimod tolerates, because it treats soft rows as hard
and squares of integers as new variables.  Rows too wide for double precision are left out.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import numpy as np

from formulations.cqm.exactness import ATOL, RTOL, precision
from formulations.errors import InfeasibleModelError
from formulations.model.labels import canonical_order

if TYPE_CHECKING:
    import dimod


def domains(cqm: dimod.ConstrainedQuadraticModel) -> dict[Hashable, tuple[float, float]]:
    """Compute the least and the greatest value of each variable that the linear rows allow.

    Raises
    ------
    InfeasibleModelError
        If the rows allow no value.

    Examples
    --------
    >>> import dimod
    >>> i, j = dimod.Integers("ij")
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> _ = cqm.add_constraint(2 * i + 3 * j <= 12)
    >>> domains(cqm)
    {'i': (0.0, 6.0), 'j': (0.0, 4.0)}
    """
    from dwave.preprocessing import Feasibility, Presolver, TechniqueFlags

    rows = _linear_rows(cqm)
    if not rows.num_constraints():
        return {}
    presolver = Presolver(rows)
    presolver.set_techniques(TechniqueFlags.DomainPropagation)
    presolver.apply()
    if presolver.feasibility() is Feasibility.Infeasible:
        raise InfeasibleModelError(
            "the bounds of the variables and the linear constraints contradict each other: no "
            "assignment satisfies them; look for a wrong bound or right-hand side"
        )
    reduced = presolver.detach_model()  # variables are numbers here, and fixed ones are gone
    corners = [
        [bound(v) for v in reduced.variables]
        for bound in (reduced.lower_bound, reduced.upper_bound)
    ]
    numbers = range(reduced.num_variables())
    values, names = presolver.restore_samples((np.array(corners).reshape(2, -1), numbers))
    low = (np.ceil(values.min(axis=0) - RTOL) + 0.0).tolist()  # + 0.0 avoids -0.0
    high = np.floor(values.max(axis=0) + RTOL).tolist()
    return dict(zip(names, zip(low, high, strict=True), strict=True))


def _linear_rows(cqm: dimod.ConstrainedQuadraticModel) -> dimod.ConstrainedQuadraticModel:
    """Return the variables and hard linear rows of ``cqm``, loosened by dimod's tolerance."""
    import dimod

    rows = dimod.ConstrainedQuadraticModel()
    reach = dict.fromkeys(cqm.variables, 1.0)
    for v in cqm.variables:
        if cqm.vartype(v) is dimod.INTEGER:
            low, high = cqm.lower_bound(v), cqm.upper_bound(v)
            rows.add_variable("INTEGER", v, lower_bound=low, upper_bound=high)
            reach[v] = min(abs(low), abs(high))  # the larger may be a default to be tightened
        else:
            rows.add_variable(cqm.vartype(v), v)
    for label in canonical_order(cqm):
        constraint = cqm.constraints[label]
        lhs, sense = constraint.lhs, constraint.sense.value
        if lhs.is_soft() or any(bias for _, _, bias in lhs.iter_quadratic()):
            continue
        if precision(constraint, reach) == "wide":
            continue
        slack = ATOL + RTOL * abs(constraint.rhs)
        terms, rhs = list(lhs.iter_linear()), constraint.rhs - lhs.offset
        if sense != ">=":
            rows.add_constraint_from_iterable(terms, "<=", rhs=rhs + slack)
        if sense != "<=":
            rows.add_constraint_from_iterable(terms, ">=", rhs=rhs - slack)
    return rows
