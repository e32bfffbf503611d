"""Losses of outputs, in whole numbers, as sweeps over some samples.

A separable loss is a sum over the outputs; it is evaluated for one output at a time.  A joint loss
takes all outputs of a sample together.  ``form`` says which one it is, and holds its whole numbers:
see :mod:`solvers.kernels.loss_form`, which makes them.

Rows of samples stand one after the other in flat arrays, and an index is an offset plus a counter.
"""

from __future__ import annotations

import math

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import compiled, u64

KIND, SAMPLES, FIRST, SHIFT, EXPONENT, MARGIN, SLOPE = range(7)
"""Entries of ``form``: a kind below; number of samples; first piece of the loss; SHIFT - z is the
margin of target -1, and a table starts at the output SHIFT; losses are in units of 2^-EXPONENT; the
numbers of PAIRS."""

PIECES, TABLE, SQUARED, SOFTMAX, PAIRS = range(5)
"""Pieces of the margin; a table over the outputs; (z - target)^2; and, of all outputs together,
log sum_c exp((z_c - z_y) / T) and sum_{c != y} max(0, MARGIN - SLOPE (z_y - z_c))."""


@compiled(inline="always")
def apply_pieces(
    out: Array, o: int, x: Array, z: int, count: int, pieces: Array, first: int, last: int
) -> None:
    """out[o + k] = sum over the pieces that x[z + k] has reached of slope x[z + k] + intercept."""
    o, z, count = u64(o), u64(z), u64(count)
    slope, intercept = pieces[1, first], pieces[2, first]
    for k in range(count):
        out[o + k] = slope * x[z + k] + intercept
    for p in range(first + 1, last):
        start, slope, intercept = pieces[0, p], pieces[1, p], pieces[2, p]
        for k in range(count):
            reached = 1 if x[z + k] >= start else 0
            out[o + k] += reached * (slope * x[z + k] + intercept)


@compiled(inline="always")
def separable_change(
    x: Array,
    new: int,
    old: int,
    count: int,
    first: int,
    stop: int,
    outputs: int,
    form: Array,
    table: Array,
    reals: Array,
    pieces: Array,
    labels: Array,
    side: int,
    part: Array,
    scratch: int,
) -> int:
    """Change of the loss of outputs ``first`` .. ``stop`` - 1 on ``count`` samples.

    They stand one after the other, after the change at x[new] and before it at x[old]; ``old`` = -1
    gives the loss itself.  The samples' labels are at labels[side].  Scratch from part[scratch] on:
    twice as much as one of them.
    """
    kind, total, shift, size = form[KIND], 0, form[SHIFT], (stop - first) * count
    side, number = u64(side), u64(count)
    for c in range(first, stop):
        at, mine = (c - first) * count, c if outputs > 1 else 1
        y, z = u64(new + at), u64(max(old, 0) + at)
        if kind == PIECES:
            after, before = u64(scratch + at), u64(scratch + size + at)
            mine = labels.dtype.type(mine)
            for k in range(number):
                positive = labels[side + k] == mine
                part[after + k] = x[y + k] if positive else shift - x[y + k]
                part[before + k] = x[z + k] if positive else shift - x[z + k]
            if old < 0:
                for k in range(number):
                    part[before + k] = 0
        elif kind == TABLE:
            for k in range(number):
                positive = 1 if labels[side + k] == mine else 0
                total += table[positive, x[y + k] - shift]
                if old >= 0:
                    total -= table[positive, x[z + k] - shift]
        else:
            scale = 2.0 ** form[EXPONENT]
            for k in range(number):
                target = labels[side + k]
                if outputs > 1:
                    target = 1 if target == mine else 0
                rest = float(x[y + k]) - reals[0, target]
                total += int(np.rint(scale * (rest * rest)))
                if old >= 0:
                    rest = float(x[z + k]) - reals[0, target]
                    total -= int(np.rint(scale * (rest * rest)))
    if kind == PIECES:  # all outputs in one go, since each has few samples
        after, before = u64(scratch), u64(scratch + size)
        moved, narrow = 0, part.dtype.type  # as narrow as it is stored: more lanes at a time
        for k in range(u64(size)):
            moved += narrow(part[after + k] - part[before + k])
        total = pieces[1, form[FIRST]] * moved
        for p in range(form[FIRST] + 1, pieces.shape[1]):
            start, slope, intercept = pieces[0, p], pieces[1, p], pieces[2, p]
            for k in range(u64(size)):
                gain = slope * part[after + k] + intercept if part[after + k] >= start else 0
                loss = slope * part[before + k] + intercept if part[before + k] >= start else 0
                total += narrow(gain - loss)
    return total


@compiled(inline="always")
def joint_losses(
    x: Array,
    at: int,
    stride: int,
    replaced: int,
    replacement: int,
    count: int,
    outputs: int,
    form: Array,
    reals: Array,
    labels: Array,
    side: int,
    part: Array,
    best: int,
    sample_losses: Array,
    sums: Array,
) -> int:
    """Joint losses of ``count`` samples to ``sample_losses[1]``; return their sum.

    Output c of sample k is x[at + c * stride + k], but number ``replaced`` is at ``replacement``.
    Scratch: ``count`` from part[best] on.
    """
    total, side, best, count = 0, u64(side), u64(best), u64(count)
    if form[KIND] == SOFTMAX:
        scale, most, per = 2.0 ** form[EXPONENT], reals.shape[1] - 1, reals[1, 0]
        for c in range(outputs):
            z = u64(replacement if c == replaced else at + c * stride)
            if c == 0:
                for k in range(count):
                    part[best + k] = x[z + k]
                    sums[k] = 0.0
            else:
                for k in range(count):
                    part[best + k] = max(part[best + k], x[z + k])
        for c in range(outputs):
            z = u64(replacement if c == replaced else at + c * stride)
            for k in range(count):
                sums[k] += reals[0, min(part[best + k] - x[z + k], most)]
        for k in range(count):
            c = labels[side + k]
            z = u64(replacement if c == replaced else at + c * stride)
            loss = math.log(sums[k]) + per * (part[best + k] - x[z + k])
            sample_losses[1, k] = int(np.rint(scale * loss))
            total += sample_losses[1, k]
    else:
        margin, slope = form[MARGIN], form[SLOPE]
        for k in range(count):
            c = labels[side + k]
            z = u64(replacement if c == replaced else at + c * stride)
            part[best + k] = x[z + k]
            sample_losses[1, k] = -margin  # the pair of the label with itself, which is none
        for c in range(outputs):
            z = u64(replacement if c == replaced else at + c * stride)
            for k in range(count):
                gap = margin - slope * (part[best + k] - x[z + k])
                sample_losses[1, k] += max(gap, 0)
        for k in range(count):
            total += sample_losses[1, k]
    return total
