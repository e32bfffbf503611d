"""Violations of a network's constraints, updated one weight at a time.

There are two kinds, each with its own copy of the weights, so that the expensive kind may lag
behind the cheap one:

- *rows*: sums over the weights of a number for each level, each with a limit (non-zero counts,
  linear rows of bits), and numbers of paths of a wrong sign;
- *boxes*: samples, or boxes of inputs, that must be right by interval propagation.

Every amount is a whole number, as in :meth:`formulations.constraints.base.Constraint.amounts`.
"""

from __future__ import annotations

from typing import NamedTuple

from formulations.arrays import Array
from formulations.constraints.right import WRONG
from solvers.kernels.compiled import compiled

INPUTS, LEVEL, UNIT, BIAS, PIECE, HIDDEN = range(6)
"""Columns of ``plan``, a line per layer and one after the last: number of inputs including the
threshold; first weight; first unit; factor of the threshold; first piece of the activation; first
hidden unit, counted after the inputs."""

ROWS, PATHS, BOXES = range(3)
"""Entries of ``totals``."""

LISTED, NONZERO, BITS = range(3)
"""Kinds of an entry: a listed number for each level; whether an integer is nonzero; a number for
each bit of an integer."""


class Guard(NamedTuple):
    """Constraints on K movable weights; G rows, M pairs of feature and output, S boxes.

    Parameters
    ----------
    plan : ndarray of int64, shape (L + 1, 6)
    levels, box_levels : ndarray of int64
        Weights, each layer's matrix row-major with the thresholds last: those known to rows and
        paths, and those known to boxes.
    begins : ndarray of int64, shape (K + 1,)
        First place of each movable weight.
    places : ndarray of int64, shape (P, 2)
        Neuron and input, by neurons; all of them for a shared weight.
    starts : ndarray of int64, shape (K + 1,)
        First entry of each movable weight.
    entries : ndarray of int64, shape (E, 3)
        Row, kind, and place of the first number in ``values``.
    values, sums, limits : ndarray of int64
    pairs : ndarray of int64, shape (M, 4)
        Feature, direction, output, and number of wrong paths.
    paths : ndarray of int64, shape (4, widest)
        Scratch.
    a_low, a_high : ndarray of int64, shape (inputs and hidden units, S)
        Bounds of the inputs of each layer.
    z_low, z_high : ndarray of int64, shape (units, S)
    pieces : ndarray of int64, shape (3, P)
        Start, slope and intercept of each piece of each activation.
    asked : ndarray of int64, shape (2, S)
        Class, or -1 and +1, and margin.
    totals : ndarray of int64, shape (3,)
        Violations of rows, paths and boxes.
    dirty : ndarray of int64, shape (2, widest)
        Scratch.
    heat : ndarray of float64, shape (1,)
        Temperature of a single choice while anything is violated, in units of violation.
    """

    plan: Array
    levels: Array
    box_levels: Array
    begins: Array
    places: Array
    starts: Array
    entries: Array
    values: Array
    sums: Array
    limits: Array
    pairs: Array
    paths: Array
    a_low: Array
    a_high: Array
    z_low: Array
    z_high: Array
    pieces: Array
    asked: Array
    totals: Array
    dirty: Array
    heat: Array


@compiled(counts=False)
def count_paths(guard: Guard) -> int:
    """Recount the paths of wrong sign of all pairs; return their sum."""
    plan, levels, pairs, paths = guard.plan, guard.levels, guard.pairs, guard.paths
    last, total = len(plan) - 2, 0
    for m in range(len(pairs)):
        feature, direction, output = pairs[m, 0], pairs[m, 1], pairs[m, 2]
        for j in range(plan[1, UNIT]):
            w = levels[plan[0, LEVEL] + j * plan[0, INPUTS] + feature]
            paths[0, j], paths[1, j] = 1 if w > 0 else 0, 1 if w < 0 else 0
        here = 0
        for layer in range(1, last + 1):
            there = 2 - here
            for j in range(plan[layer + 1, UNIT] - plan[layer, UNIT]):
                if layer == last and j != output:
                    continue
                up, down = 0, 0
                for i in range(plan[layer, UNIT] - plan[layer - 1, UNIT]):
                    w = levels[plan[layer, LEVEL] + j * plan[layer, INPUTS] + i]
                    if w > 0:
                        up += paths[here, i]
                        down += paths[here + 1, i]
                    elif w < 0:
                        up += paths[here + 1, i]
                        down += paths[here, i]
                paths[there, j], paths[there + 1, j] = up, down
            here = there
        pairs[m, 3] = paths[here + 1 if direction > 0 else here, output]
        total += pairs[m, 3]
    guard.totals[PATHS] = total
    return total


@compiled(inline="always")
def number_at(values: Array, kind: int, first: int, place: int, level: int) -> int:
    """Return an entry's contribution to its row if its weight has level number ``place``."""
    if kind == LISTED:
        return int(values[first + place])
    if kind == NONZERO:
        return 1 if level != 0 else 0
    total, b = 0, 0
    while place >> b > 0:
        total += values[first + b] * ((place >> b) & 1)
        b += 1
    return int(total)


@compiled(counts=False, inner=True)
def move_rows(guard: Guard, k: int, layer: int, old: int, new: int, change: int) -> int:
    """Move weight k from level ``old`` to ``new``; return the violations of rows and paths."""
    before, totals = 0, guard.totals
    for p in range(guard.begins[k], guard.begins[k + 1]):
        at = guard.plan[layer, LEVEL] + guard.places[p, 0] * guard.plan[layer, INPUTS]
        at += guard.places[p, 1]
        before = guard.levels[at]
        guard.levels[at] = before + change
    after = before + change
    for e in range(guard.starts[k], guard.starts[k + 1]):
        row, kind, first = guard.entries[e, 0], guard.entries[e, 1], guard.entries[e, 2]
        sum_, limit = guard.sums[row], guard.limits[row]
        moved = sum_ + number_at(guard.values, kind, first, new, after)
        moved -= number_at(guard.values, kind, first, old, before)
        guard.sums[row] = moved
        totals[ROWS] += max(moved - limit, 0) - max(sum_ - limit, 0)
    if len(guard.pairs) > 0 and (before > 0) - (before < 0) != (after > 0) - (after < 0):
        count_paths(guard)
    return int(totals[ROWS] + totals[PATHS])


@compiled(inline="always")
def _activation(pieces: Array, first: int, last: int, z: int) -> int:
    """Evaluate a piecewise linear activation."""
    p = last - 1
    while p > first and z < pieces[0, p]:
        p -= 1
    return int(pieces[1, p] * z + pieces[2, p])


@compiled(counts=False)
def judge(guard: Guard) -> int:
    """Compute the cost of the boxes from the bounds of the outputs: see ``Right.cost``."""
    plan, asked, total = guard.plan, guard.asked, 0
    first, stop = plan[len(plan) - 2, UNIT], plan[len(plan) - 1, UNIT]
    for s in range(asked.shape[1]):
        margin, short = asked[1, s], 0
        if stop - first == 1:
            if asked[0, s] > 0:
                short = margin - 1 - guard.z_low[first, s]
            else:
                short = guard.z_high[first, s] + margin
        else:
            y = asked[0, s]
            for c in range(stop - first):
                if c != y:
                    needed = margin - 1 if c > y else margin
                    lack = needed - guard.z_low[first + y, s] + guard.z_high[first + c, s]
                    short = max(short, lack)
        if short > 0:
            total += WRONG
        while short > 0:
            short >>= 1
            total += 1
    guard.totals[BOXES] = total
    return int(total)


@compiled(counts=False, inner=True)
def move_boxes(guard: Guard, k: int, layer: int, change: int) -> None:
    """Change a weight of the boxes by some levels; :func:`judge` then gives their violation."""
    plan, levels, pieces, dirty = guard.plan, guard.box_levels, guard.pieces, guard.dirty
    a_low, a_high, z_low, z_high = guard.a_low, guard.a_high, guard.z_low, guard.z_high
    last, samples = len(plan) - 2, guard.asked.shape[1]
    count, side = 0, 0
    for p in range(guard.begins[k], guard.begins[k + 1]):
        neuron, source = guard.places[p, 0], guard.places[p, 1]
        at = plan[layer, LEVEL] + neuron * plan[layer, INPUTS] + source
        before = levels[at]
        after = before + change
        levels[at] = after
        unit = plan[layer, UNIT] + neuron
        if source == plan[layer, INPUTS] - 1:
            for s in range(samples):
                z_low[unit, s] += plan[layer, BIAS] * change
                z_high[unit, s] += plan[layer, BIAS] * change
        else:
            x = plan[layer, HIDDEN] + source
            up, down = max(after, 0) - max(before, 0), min(after, 0) - min(before, 0)
            for s in range(samples):
                z_low[unit, s] += up * a_low[x, s] + down * a_high[x, s]
                z_high[unit, s] += up * a_high[x, s] + down * a_low[x, s]
        if count == 0 or dirty[0, count - 1] != neuron:
            dirty[0, count] = neuron
            count += 1
    while layer < last and count > 0:
        first, stop = plan[layer, PIECE], plan[layer + 1, PIECE]
        units = plan[layer + 2, UNIT] - plan[layer + 1, UNIT]
        touched = False
        for d in range(count):
            i = dirty[side, d]
            z, a = plan[layer, UNIT] + i, plan[layer + 1, HIDDEN] + i
            for s in range(samples):
                low = _activation(pieces, first, stop, z_low[z, s])
                high = _activation(pieces, first, stop, z_high[z, s])
                rise, rise_high = low - a_low[a, s], high - a_high[a, s]
                if rise == 0 and rise_high == 0:
                    continue
                touched = True
                a_low[a, s], a_high[a, s] = low, high
                for j in range(units):
                    w = levels[plan[layer + 1, LEVEL] + j * plan[layer + 1, INPUTS] + i]
                    above = plan[layer + 1, UNIT] + j
                    if w > 0:
                        z_low[above, s] += w * rise
                        z_high[above, s] += w * rise_high
                    elif w < 0:
                        z_low[above, s] += w * rise_high
                        z_high[above, s] += w * rise
        layer, side, count = layer + 1, 1 - side, 0
        if touched:
            count = units
            for j in range(units):
                dirty[side, j] = j
