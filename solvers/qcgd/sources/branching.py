"""Depth-first branch and bound over a few bits under linear rows, with the others fixed."""

from __future__ import annotations

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import compiled

SLACK = 1e-9
"""Allowed violation of rows relative to their largest coefficient, for rounding."""


@compiled()
def branch(
    cost: Array,
    couplers: Array,
    starts: Array,
    rows: Array,
    data: Array,
    low: Array,
    high: Array,
    group: Array,
    first: Array,
    best: Array,
    best_value: float,
    most: int,
) -> tuple[float, int, bool]:
    """Find bits x with low <= A x <= high whose cost'x + x'Qx/2 is least; put them in ``best``.

    Bits are decided in order, with the value ``first`` tried first.  A branch ends if a row can no
    longer hold, or if a bound is no less than the best value:

        cost'x + x'Qx/2 + sum over the undecided of min(0, cost_j + (Q x)_j + sum of Q_jk < 0),
                          of a group with none decided to be 1 the least such term instead.

    Parameters
    ----------
    cost : ndarray, shape (k,)
    couplers : ndarray, shape (k, k), symmetric
    starts, rows, data : ndarray
        Columns of A.
    low, high : ndarray, shape (m,)
    group : ndarray of int, shape (k,)
        Of adjacent bits with the same number exactly one is 1; -1 for no such group.
    first : ndarray of int8, shape (k,)
    best : ndarray of int8, shape (k,)
    best_value : float
        Only a better value counts.
    most : int
        Nodes after which the search is abandoned.

    Returns
    -------
    float, int, bool
        The best value, the number of nodes, and whether the search is complete.
    """
    k, m = len(cost), len(low)
    x = np.full(k, -1, np.int8)
    tried = np.zeros(k, np.int8)
    field, value = cost.copy(), 0.0
    least, greatest, size = np.zeros(m), np.zeros(m), np.zeros(m)  # of A x, over the undecided bits
    for j in range(k):
        for e in range(starts[j], starts[j + 1]):
            least[rows[e]] += min(data[e], 0.0)
            greatest[rows[e]] += max(data[e], 0.0)
            size[rows[e]] = max(size[rows[e]], abs(data[e]))
    for r in range(m):
        if least[r] > high[r] + SLACK * size[r] or greatest[r] < low[r] - SLACK * size[r]:
            return best_value, 0, True
    pull = np.zeros(k)  # sum of the negative couplers to later bits
    for j in range(k):
        for i in range(j + 1, k):
            pull[j] += min(couplers[j, i], 0.0)
    depth, nodes = 0, 0
    while depth >= 0:
        if depth == k:
            if value < best_value - SLACK:
                best_value = value
                best[:] = x
            depth -= 1
            continue
        bit = x[depth]
        if bit >= 0:  # undo
            for e in range(starts[depth], starts[depth + 1]):
                r, a = rows[e], data[e]
                least[r] -= a * bit - min(a, 0.0)
                greatest[r] -= a * bit - max(a, 0.0)
            if bit:
                value -= field[depth]
                for i in range(depth + 1, k):
                    field[i] -= couplers[depth, i]
            x[depth] = -1
        if tried[depth] == 2:
            tried[depth] = 0
            depth -= 1
            continue
        if nodes >= most:
            return best_value, nodes, False
        nodes += 1
        bit = first[depth] if tried[depth] == 0 else 1 - first[depth]
        tried[depth] += 1
        x[depth] = bit
        holds = True
        for e in range(starts[depth], starts[depth + 1]):
            r, a = rows[e], data[e]
            least[r] += a * bit - min(a, 0.0)
            greatest[r] += a * bit - max(a, 0.0)
            slack = SLACK * size[r]
            holds &= least[r] <= high[r] + slack and greatest[r] >= low[r] - slack
        if bit:
            value += field[depth]
            for i in range(depth + 1, k):
                field[i] += couplers[depth, i]
        tail, i = 0.0, depth + 1
        taken = False
        for j in range(depth, -1, -1):
            if group[depth] < 0 or group[j] != group[depth]:
                break
            taken |= x[j] == 1
        while i < k:
            own = group[i]
            if own < 0:
                tail += min(field[i] + pull[i], 0.0)
                i += 1
                continue
            least_of = np.inf
            while i < k and group[i] == own:
                least_of = min(least_of, field[i] + pull[i])
                i += 1
            if own != group[depth] or not taken:
                tail += least_of
        if holds and value + tail < best_value - SLACK:
            depth += 1
    return best_value, nodes, True
