"""Build the penalty QUBO of an equality-constrained model in one compiled pass.

Up to rounding, the coefficients equal those of ``Lifting.of(model).qubo(y)`` with one multiplier
for all squared rows and products and zero for the others.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from formulations.arrays import Array, FloatArray
from solvers.kernels.compiled import compiled
from solvers.oracles.base import QUBO
from solvers.qcgd.lifting import plausible_scale
from solvers.restricted.rows import Rows


def penalised(rows: Rows, weight: float | None = None) -> tuple[QUBO, float]:
    """Return the objective (norm 1) plus ``weight`` per unit of violation, and the weight.

    A row's violation is measured as in :class:`solvers.qcgd.lifting.Lifting`: squared, after
    division by its largest coefficient on a variable other than the row's own.  If ``weight`` is
    None, it is the scale of :func:`solvers.qcgd.lifting.plausible_scale`, which takes longer than
    all the rest.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> from solvers.restricted.builder import RestrictedBuilder
    >>> problem = TrainingProblem(Network.dense([2, 1]), [[1, -1], [1, 1]], [1, -1])
    >>> rows, _ = RestrictedBuilder(problem).build(np.arange(2), [0, 0], np.arange(2))
    >>> qubo, weight = penalised(rows, 1.0)
    >>> qubo.num_variables == len(rows.linear), weight
    (True, 1.0)
    """
    linear, heads, tails, couplings, penalties, scaled, rhs = _squares(rows)
    n = len(linear)
    objective = np.concatenate([linear, couplings])
    objective /= float(np.linalg.norm(objective)) or 1.0
    if weight is None:
        matrix = sp.csr_array((scaled, rows.column, rows.start), shape=(len(rhs), n))
        parts = objective[:n], heads, tails, objective[n:]
        weight = plausible_scale(*parts, matrix, rhs)
    values: FloatArray = objective + weight * penalties
    return QUBO(values[:n], heads, tails, values[n:]), weight


@compiled()
def _squares(rows: Rows) -> tuple[Array, Array, Array, Array, Array, Array, Array]:
    """Return the objective's linear terms and couplers, penalties of weight 1, and scaled rows."""
    linear, q_start, q_column, q_value, start, column, value, rhs = rows[:8]
    products = rows.products
    n, m, p = len(linear), len(rhs), len(products)
    uses = np.zeros(n + 1, np.int64)
    for x in range(len(column)):
        uses[column[x]] += 1
    lines = np.zeros(n + 1, np.int64)  # start of each variable's rows
    lines[1:] = np.cumsum(uses[:n])
    of_product = np.zeros(n + 1, np.int64)
    for x in range(p):
        for c in range(3):
            uses[products[x, c]] += 1
            of_product[products[x, c] + 1] += 1
    of_product = np.cumsum(of_product)
    mine = np.empty(3 * p, np.int64)
    next_ = of_product[:n].copy()
    for x in range(p):
        for c in range(3):
            mine[next_[products[x, c]]] = x
            next_[products[x, c]] += 1
    a, b = np.empty(len(value)), np.empty(m)
    next_ = lines[:n].copy()
    place = np.empty(len(column), np.int64)  # entries of each variable, row by row
    ends = np.empty(len(column), np.int64)
    penalties = np.zeros(n)
    most = len(q_column) + 3 * p
    for r in range(m):
        largest = shared = 0.0
        for x in range(start[r], start[r + 1]):
            size = abs(value[x])
            largest = max(largest, size)
            if uses[column[x]] > 1:
                shared = max(shared, size)
        scale = shared if shared > 0.0 else largest  # never 0, since each row has its own word
        b[r], factor = rhs[r] / scale, 1.0 / scale
        for x in range(start[r], start[r + 1]):
            a[x] = factor * value[x]
            place[next_[column[x]]], ends[next_[column[x]]] = x, start[r + 1]
            next_[column[x]] += 1
            penalties[column[x]] += a[x] * (a[x] - 2.0 * b[r])
        length = start[r + 1] - start[r]
        most += length * (length - 1) // 2
    for x in range(p):
        penalties[products[x, 0]] += 3.0
    heads, tails = np.empty(most, np.int64), np.empty(most, np.int64)
    objective, penalty = np.empty(most), np.empty(most + n)
    penalty[:n] = penalties
    sums, owns = np.zeros(n), np.zeros(n)
    seen, touched = np.full(n, -1, np.int64), np.empty(n, np.int64)
    count = 0
    for i in range(n):
        found = 0
        for x in range(q_start[i], q_start[i + 1]):
            j = q_column[x]
            seen[j], touched[found], found = i, j, found + 1
            sums[j], owns[j] = 0.0, q_value[x]
        for y in range(lines[i], lines[i + 1]):
            x = place[y]
            for other in range(x + 1, ends[y]):
                j = column[other]
                if seen[j] != i:
                    seen[j], touched[found], found = i, j, found + 1
                    sums[j] = owns[j] = 0.0
                sums[j] += 2.0 * (a[x] * a[other])
        for y in range(of_product[i], of_product[i + 1]):
            u, v, w = products[mine[y], 0], products[mine[y], 1], products[mine[y], 2]
            for pair in range(3):
                one = v if pair < 2 else w
                two = w if pair == 0 else u
                if min(one, two) == i:
                    j = max(one, two)
                    if seen[j] != i:
                        seen[j], touched[found], found = i, j, found + 1
                        sums[j] = owns[j] = 0.0
                    sums[j] += 1.0 if pair == 0 else -2.0
        for x in range(1, found):  # already nearly sorted
            j, y = touched[x], x
            while y > 0 and touched[y - 1] > j:
                touched[y] = touched[y - 1]
                y -= 1
            touched[y] = j
        for x in range(found):
            j = touched[x]
            heads[count], tails[count] = i, j
            objective[count], penalty[n + count] = owns[j], sums[j]
            count += 1
    return linear, heads[:count], tails[:count], objective[:count], penalty[: n + count], a, b
