"""Parallel tempering of the spins of an Ising model, as compiled loops over sorted neighbours."""

from __future__ import annotations

import math

import numpy as np

from formulations.arrays import Array
from solvers.kernels.annealing import NEVER
from solvers.kernels.compiled import compiled


@compiled()
def temper(
    h: Array,
    starts: Array,
    neighbours: Array,
    J: Array,
    betas: Array,
    adapting: int,
    sweeps: int,
    seeds: Array,
    spins: Array,
    best: Array,
    swapped: Array,
    stop: Array,
) -> None:
    """Run the ladders of replicas ``spins`` (reads, K, n) in place; best states go to ``best``.

    Every read is a ladder of K replicas at the inverse temperatures ``betas`` (reads, K), hot
    first.  Each sweep proposes every flip of every replica once (Metropolis), then exchanges of the
    states at neighbouring temperatures, alternating even and odd pairs, which are accepted with
    probability min(1, exp((beta_k - beta_l) (E_k - E_l))).  During the first ``adapting`` sweeps
    the ladder's spacing in ``betas`` follows the exchanges (see
    :mod:`solvers.oracles.here.tempering`).  ``best`` (reads, n) receives the best state at the end
    of any sweep, the first ones included; ``swapped`` (reads, K - 1) the share of accepted
    exchanges of each pair after that; ``spins`` are in order of temperature at the end.  Random
    numbers as in :mod:`solvers.kernels.annealing`.
    """
    n, replicas = len(h), betas.shape[1]
    change = np.empty((replicas, n))  # of the energy if spin i flips: -2 s_i (h_i + sum_j J_ij s_j)
    energy, slots = np.empty(replicas), np.empty(replicas, np.int64)
    gaps, rates = np.empty(replicas - 1), np.empty(replicas - 1)
    tried = np.empty(replicas - 1)
    scale = np.uint64(2685821657736338717)
    for read in range(len(spins)):
        beta, state, least = betas[read], seeds[read], np.inf
        for k in range(replicas):
            s, slots[k], energy[k] = spins[read, k], k, 0.0
            for i in range(n):
                field = h[i]
                for e in range(starts[i], starts[i + 1]):
                    field += J[e] * s[neighbours[e]]
                change[k, i] = -2.0 * s[i] * field
                energy[k] += 0.5 * h[i] * s[i] - 0.25 * change[k, i]
            if energy[k] < least:
                least = energy[k]
                best[read] = s
        for k in range(replicas - 1):
            gaps[k] = math.log(beta[k + 1] / beta[k])
            swapped[read, k], tried[k] = 0.0, 0.0
        width = gaps.sum()
        for sweep in range(sweeps):
            for k in range(replicas):
                if stop[0]:
                    return
                r = slots[k]
                s, costs, now, most = spins[read, r], change[r], energy[r], NEVER / beta[k]
                for i in range(n):
                    cost = costs[i]
                    if cost >= most:
                        continue
                    if cost > 0.0:
                        state ^= state >> np.uint64(12)
                        state ^= state << np.uint64(25)
                        state ^= state >> np.uint64(27)
                        drawn = (state * scale) >> np.uint64(11)
                        if drawn * 2.0**-53 >= np.exp(-beta[k] * cost):
                            continue
                    now += cost
                    costs[i] = -cost
                    pull = 4.0 * s[i]
                    for e in range(starts[i], starts[i + 1]):
                        j = neighbours[e]
                        costs[j] += pull * J[e] * s[j]
                    s[i] = -s[i]
                energy[r] = now
                if now < least:
                    least = now
                    best[read] = s
            mean, pairs = 0.0, 0
            for k in range(sweep % 2, replicas - 1, 2):
                low, high = slots[k], slots[k + 1]
                exponent = (beta[k] - beta[k + 1]) * (energy[low] - energy[high])
                rates[k] = 1.0 if exponent >= 0.0 else math.exp(exponent)
                mean += rates[k]
                pairs += 1
                if sweep >= adapting:
                    tried[k] += 1.0
                    swapped[read, k] += rates[k]
                state ^= state >> np.uint64(12)
                state ^= state << np.uint64(25)
                state ^= state >> np.uint64(27)
                drawn = (state * scale) >> np.uint64(11)
                if drawn * 2.0**-53 < rates[k]:
                    slots[k], slots[k + 1] = high, low
            if sweep < adapting and pairs > 1 and width > 0.0:
                gain, total = 2.0 / math.sqrt(sweep + 1.0), 0.0
                for k in range(sweep % 2, replicas - 1, 2):
                    gaps[k] *= math.exp(gain * (rates[k] - mean / pairs))
                for k in range(replicas - 1):
                    total += gaps[k]
                for k in range(replicas - 1):
                    gaps[k] *= width / total
                for k in range(replicas - 2):  # Both ends stay fixed.
                    beta[k + 1] = beta[k] * math.exp(gaps[k])
        ordered = spins[read][slots]
        spins[read] = ordered
        for k in range(replicas - 1):
            swapped[read, k] /= max(tried[k], 1.0)
