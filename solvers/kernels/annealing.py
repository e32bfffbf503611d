"""Compiled loops over sorted neighbours: Metropolis sweeps over spins, and colours of variables."""

from __future__ import annotations

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import compiled

NEVER = 44.0
"""A flip that costs this many temperatures has probability below 2^-63 and is not even drawn."""


@compiled()
def anneal(
    h: Array,
    starts: Array,
    neighbours: Array,
    J: Array,
    betas: Array,
    seeds: Array,
    spins: Array,
    stop: Array,
) -> None:
    """Anneal every row of ``spins`` (reads, n) in place, one sweep at each inverse temperature.

    Spin i has the neighbours ``neighbours[starts[i]:starts[i + 1]]`` and couplings ``J`` beside
    them.  Each read has its own random stream, seeded by its entry of ``seeds`` (reads,) of uint64,
    so results do not depend on how threads share the reads.  All end early once ``stop[0]`` is set.

    Random numbers are xorshift64* [Vigna, ACM TOMS 42(4), 2016].
    """
    n = len(h)
    change = np.empty(n)  # change of the energy if spin i flips: -2 s_i (h_i + sum_j J_ij s_j)
    for read in range(len(spins)):
        s, state = spins[read], seeds[read]
        for i in range(n):
            field = h[i]
            for e in range(starts[i], starts[i + 1]):
                field += J[e] * s[neighbours[e]]
            change[i] = -2.0 * s[i] * field
        for beta in betas:
            if stop[0]:
                return
            most = NEVER / beta
            for i in range(n):
                cost = change[i]
                if cost >= most:
                    continue
                if cost > 0.0:
                    state ^= state >> np.uint64(12)
                    state ^= state << np.uint64(25)
                    state ^= state >> np.uint64(27)
                    drawn = (state * np.uint64(2685821657736338717)) >> np.uint64(11)
                    if drawn * 2.0**-53 >= np.exp(-beta * cost):
                        continue
                change[i] = -cost
                pull = 4.0 * s[i]
                for e in range(starts[i], starts[i + 1]):
                    j = neighbours[e]
                    change[j] += pull * J[e] * s[j]
                s[i] = -s[i]


@compiled()
def colours(starts: Array, neighbours: Array, order: Array) -> Array:
    """Give each variable in turn the first colour that no neighbour has, shape (n,).

    Variable i has the neighbours ``neighbours[starts[i]:starts[i + 1]]``.  In an ``order`` of
    falling degrees this is the heuristic of Welsh and Powell, The Computer Journal 10, 85 (1967),
    which needs at most one colour more than the largest degree.
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
