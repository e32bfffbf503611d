"""All states of a small QUBO in Gray-code order, each one bit flip from the last."""

from __future__ import annotations

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import compiled


@compiled()
def least_states(
    linear: Array, symmetric: Array, first: int, stop: int, tolerance: float, found: Array
) -> tuple[float, int]:
    """Find the least linear'x + x'symmetric x / 2 over states number ``first`` ..  ``stop`` - 1.

    State number t has bit i of t xor (t >> 1) as x_i.  The numbers of the states within
    ``tolerance`` of the least energy are written to ``found``, as many as it holds.  Returns the
    least energy and their number.
    """
    n = len(linear)
    x, fields = np.zeros(n), np.zeros(n)  # fields: change of the energy per change of x_i
    energy, least, count = 0.0, np.inf, 0
    for t in range(first, stop):
        if t == first or t % 4096 == 0:  # stops rounding errors from accumulating
            energy = 0.0
            for i in range(n):
                x[i] = float(((t ^ (t >> 1)) >> i) & 1)
            for i in range(n):
                fields[i] = linear[i]
                for j in range(n):
                    fields[i] += symmetric[i, j] * x[j]
                energy += 0.5 * (linear[i] + fields[i]) * x[i]
        else:
            i = 0  # The step to state t flips the bit of t's lowest set bit.
            while (t >> i) & 1 == 0:
                i += 1
            change = 1.0 - 2.0 * x[i]
            energy += change * fields[i]
            x[i] += change
            for j in range(n):
                fields[j] += change * symmetric[i, j]
        if energy <= least + tolerance:
            if energy < least - tolerance:
                count = 0
            if count < len(found):
                found[count] = t
                count += 1
            least = min(least, energy)
    return least, count
