"""Colours of the variables of a model, so that no two coupled ones share one."""

from __future__ import annotations

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import compiled


@compiled()
def colours(starts: Array, neighbours: Array, order: Array) -> Array:
    """The first colour that no neighbour has, for one variable after the other, shape (n,).

    Variable i has the neighbours ``neighbours[starts[i]:starts[i + 1]]``.  In an ``order`` of
    falling degrees this is the heuristic of Welsh and Powell, The Computer Journal 10, 85 (1967),
    with at most one colour more than the largest degree.
    """
    n = len(order)
    colour = np.full(n, -1)
    taken = np.full(n + 1, -1)  # by a neighbour of this variable
    for i in order:
        for e in range(starts[i], starts[i + 1]):
            if colour[neighbours[e]] >= 0:
                taken[colour[neighbours[e]]] = i
        first = 0
        while taken[first] == i:
            first += 1
        colour[i] = first
    return colour
