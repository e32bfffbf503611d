"""Neurons left undecided by a few free weights, sample by sample.

Bounds are propagated around a known forward pass.  Only changeable inputs and free weights are
visited, so the cost of a sample depends on how much of it is undecided.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import compiled

INPUTS, OUTPUTS, BITS, BIAS_BITS, FIRST_BIT, NEURON_BITS, FIRST_ROW, UNIT, OFFSET, BIAS_OFFSET = (
    range(10)
)
"""Columns of ``Plan.layers``: widths; bits per weight and per threshold; index of the layer's first
bit; bits per neuron; first row of the pre-activations; constant input of thresholds; level of a
weight and of a threshold with all bits at zero."""

BREAK, BELOW, ABOVE = range(3)
"""Columns of ``Plan.splines``: the breakpoint of an activation and its values below and above."""

TIME, LAYER, NEURON, LOW, HIGH, TARGET = range(6)
"""Rows of the records of undecided neurons: position of the sample, layer (from 0), neuron, bounds
of the pre-activation, and the target (-1 for hidden neurons)."""


class Plan(NamedTuple):
    """Immutable arrays that describe a training problem.

    Parameters
    ----------
    X : ndarray of int16 or int64, shape (inputs, N)
    layers : ndarray of int64, shape (L, 10)
    table : ndarray of int64, shape (n_w, 4)
        Layer (from 1), neuron, input and bit number of every weight bit.
    coefficient : ndarray of int64, shape (n_w,)
        Contribution of each bit to its weight's level.
    splines : ndarray of int64, shape (L - 1, 3)
    breaks, slopes, intercepts : ndarray, shapes (K,), (K, 2) and (K, 2)
        Loss of each target as a two-piece linear function of the output.
    target : ndarray of int16, shape (N, C)
    """

    X: Array
    layers: Array
    table: Array
    coefficient: Array
    splines: Array
    breaks: Array
    slopes: Array
    intercepts: Array
    target: Array


@compiled(inline="always")
def weight_at(
    layers: Array, coefficient: Array, slot: Array, bits: Array, layer: int, j: int, i: int
) -> tuple[int, int, int, int, bool]:
    """Return a weight's least and greatest level, fixed part, current level, and if it is free."""
    threshold = i == layers[layer, INPUTS]
    first = layers[layer, FIRST_BIT] + j * layers[layer, NEURON_BITS] + i * layers[layer, BITS]
    count = layers[layer, BIAS_BITS] if threshold else layers[layer, BITS]
    fixed = layers[layer, BIAS_OFFSET] if threshold else layers[layer, OFFSET]
    low, high, here, free = 0, 0, 0, False
    for bit in range(first, first + count):
        part = coefficient[bit] * bits[bit]
        if slot[bit] >= 0:
            free = True
            here += part
            low += min(coefficient[bit], 0)
            high += max(coefficient[bit], 0)
        else:
            fixed += part
    return fixed + low, fixed + high, fixed, fixed + here, free


@compiled(inline="always")
def word_bits(low: int, high: int, start: int) -> int:
    """Return the bits S of a two's-complement word offset by ``start`` that covers [low, high]."""
    largest, length = max(start - low, high - start + 1) - 1, 0
    while largest >> length > 0:
        length += 1
    return length


@compiled(inline="always")
def loss_range(plan: Plan, target: int, low: int, high: int) -> tuple[float, float]:
    """Return the least and greatest loss of outputs between two bounds."""
    least, greatest = np.inf, -np.inf
    for p in range(2):
        a = low if p == 0 else max(low, plan.breaks[target])
        b = min(high, plan.breaks[target] - 1) if p == 0 else high
        if a <= b:
            va = plan.slopes[target, p] * a + plan.intercepts[target, p]
            vb = plan.slopes[target, p] * b + plan.intercepts[target, p]
            least, greatest = min(least, min(va, vb)), max(greatest, max(va, vb))
    return least, greatest


@compiled()
def undecided(
    plan: Plan, free: Array, slot: Array, bits: Array, samples: Array, z: Array, most: int
) -> tuple[Array, Array, Array]:
    """Find the neurons that need variables, sample by sample, until the model is full.

    Parameters
    ----------
    plan : Plan
    free : ndarray of int64
        Indices of the free bits, ascending.
    slot : ndarray of int64, shape (n_w,)
        Position of each free bit in ``free``; -1 for fixed bits.
    bits : ndarray of int8, shape (n_w,)
    samples : ndarray of int64
    z : ndarray of int, shape (neurons, N)
        Pre-activations of ``bits``.
    most : int
        Maximum number of variables in the model; the first sample is always included.

    Returns
    -------
    records : ndarray of int64, shape (6, E)
    starts : ndarray of int64, shape (T + 1,)
        Start of the records of each of the T samples that fit.
    counts : ndarray of int64, shape (3,)
        Numbers of sign bits, word bits and products.
    """
    X, layers, table, coefficient, splines = plan[:5]
    depth, widest = len(layers), layers[:, OUTPUTS].max()
    first = np.searchsorted(table[free, 0], np.arange(1, depth + 2))
    columns, units = table[free, 2], table[free, 1]
    outputs, count = layers[depth - 1, OUTPUTS], len(samples)
    records = np.empty((6, 64 + 4 * count), np.int64)
    starts = np.zeros(count + 1, np.int64)
    open_ = np.empty(outputs, np.bool_)
    low, high = np.zeros((2, depth, widest), np.int64)
    mask = np.zeros((depth, widest), np.bool_)  # undecided neurons, later the needed ones
    moving, moved = np.zeros((depth, widest), np.int64), np.zeros(depth, np.int64)
    counts, size = np.zeros(3, np.int64), np.zeros(3, np.int64)
    found = 0
    for t in range(count):
        k = samples[t]
        for layer in range(depth):
            for q in range(moved[layer]):
                mask[layer, moving[layer, q]] = False
            moved[layer] = 0
            row, inputs = layers[layer, FIRST_ROW], layers[layer, INPUTS]
            f, end = first[layer], first[layer + 1]
            movers = moved[layer - 1] if layer else 0
            last = layer == depth - 1
            j = 0
            while j < layers[layer, OUTPUTS]:
                if movers == 0 and not last:  # only neurons with a free weight
                    if f == end:
                        break
                    j = units[f]
                lo = hi = np.int64(z[row + j, k])
                for q in range(movers):
                    i = moving[layer - 1, q]
                    wl, wh, _, here, _ = weight_at(layers, coefficient, slot, bits, layer, j, i)
                    below, above = splines[layer - 1, BELOW], splines[layer - 1, ABOVE]
                    up = z[layers[layer - 1, FIRST_ROW] + i, k] >= splines[layer - 1, BREAK]
                    now = here * (above if up else below)
                    c0, c1, c2, c3 = wl * below, wl * above, wh * below, wh * above
                    lo += min(min(c0, c1), min(c2, c3)) - now
                    hi += max(max(c0, c1), max(c2, c3)) - now
                while f < end and units[f] == j:
                    i = columns[f]
                    if i == inputs:
                        x = layers[layer, UNIT]
                    elif layer == 0:
                        x = np.int64(X[i, k])
                    else:
                        up = z[layers[layer - 1, FIRST_ROW] + i, k] >= splines[layer - 1, BREAK]
                        x = splines[layer - 1, ABOVE if up else BELOW]
                    if layer == 0 or i == inputs or not mask[layer - 1, i]:
                        change = coefficient[free[f]] * x
                        now = change * bits[free[f]]
                        lo += min(change, 0) - now
                        hi += max(change, 0) - now
                    f += 1
                low[layer, j], high[layer, j] = lo, hi
                if not last:
                    start = splines[layer, BREAK]
                    differ = splines[layer, BELOW] != splines[layer, ABOVE]
                    if lo < start and start <= hi and differ:
                        mask[layer, j] = True
                        moving[layer, moved[layer]] = j
                        moved[layer] += 1
                j += 1
        any_open = False
        for c in range(outputs):
            least, greatest = loss_range(
                plan, plan.target[k, c], low[depth - 1, c], high[depth - 1, c]
            )
            open_[c] = least < greatest
            if open_[c]:
                any_open = True
                moving[depth - 1, moved[depth - 1]] = c
                moved[depth - 1] += 1
        size[:] = 0
        begin = found
        if any_open:
            for c in range(outputs):
                mask[depth - 1, c] = open_[c]
            for layer in range(depth - 2, -1, -1):
                for q in range(moved[layer]):
                    i, needed = moving[layer, q], False
                    for p in range(moved[layer + 1]):
                        j = moving[layer + 1, p]
                        if mask[layer + 1, j] and not needed:
                            _, _, fixed, _, loose = weight_at(
                                layers, coefficient, slot, bits, layer + 1, j, i
                            )
                            needed = loose or fixed != 0
                    mask[layer, i] = needed
            for layer in range(depth):
                last = layer == depth - 1
                f = first[layer]
                for q in range(moved[layer]):
                    j = moving[layer, q]
                    if not mask[layer, j]:
                        continue
                    if found == records.shape[1]:
                        grown = np.empty((6, 2 * found), np.int64)
                        grown[:, :found] = records
                        records = grown
                    target = plan.target[k, j] if last else -1
                    start = plan.breaks[target] if last else splines[layer, BREAK]
                    lo, hi = low[layer, j], high[layer, j]
                    records[TIME, found], records[LAYER, found] = t, layer
                    records[NEURON, found], records[TARGET, found] = j, target
                    records[LOW, found], records[HIGH, found] = lo, hi
                    found += 1
                    if lo < start and start <= hi:
                        size[0] += 1
                        size[1] += word_bits(lo, hi, start)
                    if layer > 0:
                        while f < first[layer + 1] and units[f] < j:
                            f += 1
                        while f < first[layer + 1] and units[f] == j:
                            i = columns[f]
                            size[2] += i < layers[layer, INPUTS] and mask[layer - 1, i]
                            f += 1
        if t > 0 and len(free) + counts.sum() + size.sum() > most:
            found, count = begin, t
            break
        counts += size
        starts[t + 1] = found
    return records[:, :found], starts[: count + 1], counts
