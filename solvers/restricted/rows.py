"""Build a restricted model's rows, objective and products from records of undecided neurons.

Everything is ordered as in :class:`formulations.training.builder.ModelBuilder`.  Variables come as
beta, s, u and w, each sorted by index.  Rows are sorted by layer (outputs by target), then by word
length, then by sample and neuron.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import compiled
from solvers.restricted.bounds import (
    ABOVE,
    BELOW,
    BREAK,
    FIRST_ROW,
    HIGH,
    INPUTS,
    LAYER,
    LOW,
    NEURON,
    TARGET,
    TIME,
    UNIT,
    Plan,
    weight_at,
    word_bits,
)


class Rows(NamedTuple):
    """Arrays of a model in the canonical order of its variables; all rows are equalities.

    Parameters
    ----------
    linear : ndarray, shape (n,)
    q_start, q_column, q_value : ndarray
        Couplers of the objective in compressed sparse rows.
    start, column, value : ndarray
        Linear rows in compressed sparse rows.
    rhs : ndarray, shape (m,)
    length : ndarray of int64, shape (E,)
        Bits S of each record's word; -1 without a word.
    products : ndarray of int64, shape (p, 3)
        Columns u, v, w of each product.
    """

    linear: Array
    q_start: Array
    q_column: Array
    q_value: Array
    start: Array
    column: Array
    value: Array
    rhs: Array
    length: Array
    products: Array


@compiled()
def assemble(
    plan: Plan,
    free: Array,
    slot: Array,
    bits: Array,
    samples: Array,
    z: Array,
    records: Array,
    counts: Array,
) -> Rows:
    """Build the model from records (6, E) sorted by sample; TIME is a position in ``samples``."""
    X, layers, table, coefficient, splines = plan[:5]
    depth, E = len(layers), records.shape[1]
    num_beta, num_s, num_u = counts
    first_u = num_beta + num_s
    first_w = first_u + num_u
    n, targets = first_w + len(free), len(plan.breaks)
    first = np.searchsorted(table[free, 0], np.arange(1, depth + 2))
    length, beta = np.full(E, -1, np.int64), np.full(E, -1, np.int64)
    word, constant, states = np.zeros(E, np.int64), np.zeros(E), np.zeros(E, np.int64)
    products = np.empty((num_u, 3), np.int64)
    longest = 64  # bits of a word, at most
    # terms of all pre-activations, record by record, sorted by column
    at = np.zeros(E + 1, np.int64)
    column, value = np.empty(64 + 16 * E, np.int64), np.empty(64 + 16 * E)
    of_key = np.zeros((depth - 1 + targets) * longest + 1, np.int64)
    next_beta, next_s, next_u = 0, num_beta, first_u
    begin = end = 0  # records of the layer below for the same sample
    entries = 0
    for e in range(E):
        layer, j, k = records[LAYER, e], records[NEURON, e], samples[records[TIME, e]]
        low, high, target = records[LOW, e], records[HIGH, e], records[TARGET, e]
        if e == 0 or records[TIME, e] != records[TIME, e - 1] or layer != records[LAYER, e - 1]:
            begin, end = end, e
            same = begin < e and records[TIME, begin] == records[TIME, e]
            if not same or records[LAYER, begin] != layer - 1:
                begin = e
        start = plan.breaks[target] if target >= 0 else splines[layer, BREAK]
        if low < start and start <= high:
            length[e] = word_bits(low, high, start)
            beta[e], word[e] = next_beta, next_s
            next_beta, next_s = next_beta + 1, next_s + length[e]
        f, last = first[layer], first[layer + 1]
        while f < last and table[free[f], 1] < j:
            f += 1
        g = f
        while g < last and table[free[g], 1] == j:
            g += 1
        t = at[e]
        if t + end - begin + 2 * (g - f) > len(column):
            size = 2 * len(column) + end - begin + 2 * (g - f)
            columns, values = np.empty(size, np.int64), np.empty(size)
            columns[:t], values[:t] = column[:t], value[:t]
            column, value = columns, values
        total = float(z[layers[layer, FIRST_ROW] + j, k])
        below = above = start_below = row_below = 0
        if layer:
            below, above = splines[layer - 1, BELOW], splines[layer - 1, ABOVE]
            start_below, row_below = splines[layer - 1, BREAK], layers[layer - 1, FIRST_ROW]
        for r in range(begin, end):
            i = records[NEURON, r]
            _, _, fixed, here, _ = weight_at(layers, coefficient, slot, bits, layer, j, i)
            total += fixed * below - here * (above if z[row_below + i, k] >= start_below else below)
            if fixed != 0:
                column[t], value[t] = beta[r], fixed * (above - below)
                t += 1
        states[e] = t - at[e]
        r = begin
        for h in range(f, g):  # products of an undecided input with the bits of its weight
            i = table[free[h], 2]
            while r < end and records[NEURON, r] < i:
                r += 1
            if i < layers[layer, INPUTS] and r < end and records[NEURON, r] == i:
                column[t], value[t] = next_u, coefficient[free[h]] * (above - below)
                p = next_u - first_u
                products[p, 0], products[p, 1], products[p, 2] = next_u, first_w + h, beta[r]
                t, next_u = t + 1, next_u + 1
        r = begin
        for h in range(f, g):  # the constant part of the input
            i = table[free[h], 2]
            while r < end and records[NEURON, r] < i:
                r += 1
            if i == layers[layer, INPUTS]:
                x = layers[layer, UNIT]
            elif layer == 0:
                x = np.int64(X[i, k])
            elif r < end and records[NEURON, r] == i:
                x = below
            else:
                x = above if z[row_below + i, k] >= start_below else below
            if layer == 0 or i == layers[layer, INPUTS] or r == end or records[NEURON, r] != i:
                total -= bits[free[h]] * coefficient[free[h]] * x
            if coefficient[free[h]] * x != 0:
                column[t], value[t] = first_w + h, coefficient[free[h]] * x
                t += 1
        at[e + 1], constant[e] = t, total
        if length[e] >= 0:
            key = (layer if target < 0 else depth - 1 + target) * longest + length[e]
            of_key[key + 1] += 1
            entries += t - at[e] + 1 + length[e]
    of_key = np.cumsum(of_key)
    m = of_key[-1]
    # position of each row, and start of its entries
    record, line = np.empty(m, np.int64), np.empty(E, np.int64)
    for e in range(E):
        if length[e] >= 0:
            layer, target = records[LAYER, e], records[TARGET, e]
            key = (layer if target < 0 else depth - 1 + target) * longest + length[e]
            line[e] = of_key[key]
            record[of_key[key]] = e
            of_key[key] += 1
    row_start = np.zeros(m + 1, np.int32)
    for r in range(m):
        e = record[r]
        row_start[r + 1] = row_start[r] + at[e + 1] - at[e] + 1 + length[e]
    row_column, row_value, rhs = np.empty(entries, np.int32), np.empty(entries), np.empty(m)
    for r in range(m):
        e = record[r]
        t, layer, target, S = row_start[r], records[LAYER, e], records[TARGET, e], length[e]
        for x in range(at[e], at[e] + states[e]):
            row_column[t], row_value[t] = column[x], value[x]
            t += 1
        row_column[t], row_value[t] = beta[e], -(2.0**S)
        t += 1
        for b in range(S):
            row_column[t], row_value[t] = word[e] + b, -(2.0**b)
            t += 1
        for x in range(at[e] + states[e], at[e + 1]):
            row_column[t], row_value[t] = column[x], value[x]
            t += 1
        start = plan.breaks[target] if target >= 0 else splines[layer, BREAK]
        rhs[r] = start - 2.0**S - constant[e]
    # the objective
    linear, q_start = np.zeros(n), np.zeros(n + 1, np.int32)
    q_column, q_value = np.empty(num_s, np.int32), np.empty(num_s)
    q = 0
    for e in range(E):
        target, S = records[TARGET, e], length[e]
        if target >= 0 and S >= 0:
            start, slopes = plan.breaks[target], plan.slopes[target]
            constant_part = slopes[0] * (start - 2.0**S) + plan.intercepts[target, 0]
            linear[beta[e]] = (slopes[1] * start + plan.intercepts[target, 1]) - constant_part
            change = slopes[1] - slopes[0]
            for b in range(S):
                linear[word[e] + b] = slopes[0] * 2.0**b
                if change != 0.0:
                    q_column[q], q_value[q] = word[e] + b, change * 2.0**b
                    q += 1
        if beta[e] >= 0:
            q_start[beta[e] + 1] = q
    for b in range(num_beta, n):
        q_start[b + 1] = q
    for target in range(targets):
        for e in range(E):
            if records[TARGET, e] == target and length[e] < 0:
                p = 0 if records[HIGH, e] < plan.breaks[target] else 1
                slope = plan.slopes[target, p]
                for x in range(at[e], at[e + 1]):
                    linear[column[x]] += slope * value[x]
    return Rows(
        linear, q_start, q_column[:q], q_value[:q], row_start, row_column, row_value, rhs,
        length, products,
    )  # fmt: skip
