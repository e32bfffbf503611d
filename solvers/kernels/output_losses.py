"""Losses of the outputs in whole numbers, per sample.

A separable loss is a sum over the outputs; a joint loss takes all outputs of a sample together.
``form`` names the kind and holds its whole numbers, which :mod:`solvers.kernels.loss_form` makes.
"""

from __future__ import annotations

import math

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import compiled, two_pieces_of_8, two_pieces_of_16, u64

KIND, SAMPLES, FIRST, SHIFT, EXPONENT, MARGIN, SLOPE = range(7)
"""Entries of ``form``: a kind below; number of samples; first piece of the loss; SHIFT - z is the
margin of target 0, and a table starts at the output SHIFT; losses are in units of 2^-EXPONENT; then
the numbers of PAIRS."""

PIECES, TABLE, SQUARED, SOFTMAX, PAIRS = range(5)
"""Pieces of the margin; a table over the outputs; (z - target)^2; and, of all outputs together,
log sum_c exp((z_c - z_y) / T) and sum_{c != y} max(0, MARGIN - SLOPE (z_y - z_c))."""


@compiled(counts=False, inner=True)
def apply_pieces(
    out: Array, o: int, x: Array, z: int, count: int, pieces: Array, first: int, last: int
) -> None:
    """Set out[o + k] to the sum of slope x[z + k] + intercept over the pieces it has reached."""
    o, z, count = u64(o), u64(z), u64(count)
    slope, intercept = pieces[1, first], pieces[2, first]
    for k in range(count):
        out[o + k] = slope * x[z + k] + intercept
    for p in range(first + 1, last):
        start, slope, intercept = pieces[0, p], pieces[1, p], pieces[2, p]
        for k in range(count):
            reached = 1 if x[z + k] >= start else 0
            out[o + k] += reached * (slope * x[z + k] + intercept)


@compiled(counts=False, inner=True)
def change_margin_losses(
    x: Array,
    old: int,
    new: int,
    count: int,
    output: int,
    form: Array,
    pieces: Array,
    labels: Array,
    losses: Array,
) -> None:
    """Set losses[1, s] to losses[0, s] after an output changes from x[old + s] to x[new + s].

    For a loss of two pieces of the margin; ``output`` as in ``add_output_losses``.
    """
    first, shift, right = form[FIRST], form[SHIFT], 1 if output < 0 else output
    start, slope = pieces[0, first + 1], pieces[1, first]
    more, added = pieces[1, first + 1], pieces[2, first + 1]
    for s in range(u64(count)):
        own = labels[s] == right
        before = x[old + s] if own else shift - x[old + s]
        after = x[new + s] if own else shift - x[new + s]
        gain = slope * (after - before)
        gain += more * after + added if after >= start else 0
        gain -= more * before + added if before >= start else 0
        losses[1, s] = losses[0, s] + gain


@compiled(counts=False, inner=True)
def add_output_losses(
    sign: int,
    x: Array,
    at: int,
    size: int,
    count: int,
    samples: Array,
    output: int,
    form: Array,
    table: Array | None,
    reals: Array | None,
    pieces: Array,
    labels: Array,
    losses: Array,
) -> None:
    """Add sign * separable loss of the output x[at + k size] of samples[k] to losses[1, k].

    A single ``output`` has number -1 and the label as target; otherwise the target is whether label
    and output are equal.
    """
    at, size, shift, alone = u64(at), u64(size), form[SHIFT], output < 0
    if table is not None:
        for k in range(u64(count)):
            label = labels[samples[k]]
            target = label if alone else (1 if label == output else 0)
            losses[1, k] += sign * table[target, u64(x[at + k * size] - shift)]
    elif reals is not None:
        scale = 2.0 ** form[EXPONENT]
        for k in range(u64(count)):
            label = labels[samples[k]]
            target = label if alone else (1 if label == output else 0)
            rest = float(x[at + k * size]) - reals[0, target]
            losses[1, k] += sign * int(np.rint(scale * (rest * rest)))
    else:
        first = form[FIRST]
        for p in range(first, pieces.shape[1]):
            start, slope, intercept = pieces[0, p], pieces[1, p], pieces[2, p]
            for k in range(u64(count)):
                label, margin = labels[samples[k]], x[at + k * size]
                if label != (1 if alone else output):
                    margin = shift - margin
                if p == first or margin >= start:
                    losses[1, k] += sign * (slope * margin + intercept)


@compiled(counts=False, inner=True, forceinline=True)
def line_losses(
    x: Array,
    at: int,
    size: int,
    outputs: int,
    count: int,
    samples: Array,
    form: Array,
    table: Array | None,
    reals: Array | None,
    pieces: Array,
    labels: Array,
    losses: Array,
) -> None:
    """Set losses[1, k] to the loss of samples[k], whose outputs start at x[at + k size]."""
    line, step, shift = u64(at), u64(size), form[SHIFT]
    if table is not None:
        if outputs > 1:
            for k in range(u64(count)):
                total, own = 0, u64(x[line + u64(labels[samples[k]])] - shift)
                for c in range(u64(outputs)):
                    total += table[0, u64(x[line + c] - shift)]
                losses[1, k] = total + table[1, own] - table[0, own]
                line += step
            return
    elif reals is not None:
        if form[KIND] == SOFTMAX:
            scale, most, per = 2.0 ** form[EXPONENT], reals.shape[1] - 1, reals[1, 0]
            for k in range(u64(count)):
                best, shares, own = x[line], 0.0, x[line + u64(labels[samples[k]])]
                for c in range(u64(outputs)):
                    best = max(best, x[line + c])
                for c in range(u64(outputs)):
                    shares += reals[0, min(best - x[line + c], most)]
                losses[1, k] = int(np.rint(scale * (math.log(shares) + per * (best - own))))
                line += step
            return
    elif form[KIND] == PAIRS:
        margin, slope = form[MARGIN], form[SLOPE]
        for k in range(u64(count)):
            total, own = -margin, x[line + u64(labels[samples[k]])]  # excludes the label's own pair
            for c in range(u64(outputs)):
                total += max(margin - slope * (own - x[line + c]), 0)
            losses[1, k] = total
            line += step
        return
    elif pieces.shape[1] - form[FIRST] == 2:
        first, start = form[FIRST], pieces[0, form[FIRST] + 1]
        slope, more, added = pieces[1, first], pieces[1, first + 1], pieces[2, first + 1]
        pad = slope * shift + (more * shift + added if shift >= start else 0)
        whole = outputs * pieces[2, first] - (size - outputs) * pad  # padded outputs are zero
        if size == 1:
            for k in range(u64(count)):
                margin = x[line + k] if labels[samples[k]] == 1 else shift - x[line + k]
                reached = more * margin + added if margin >= start else 0
                losses[1, k] = whole + slope * margin + reached
            return
        for k in range(count):
            own, i, total = int(labels[samples[u64(k)]]), at + k * size, whole
            if size == 8:
                total += two_pieces_of_8(x, i, own, shift, slope, start, more, added)
            else:
                for c in range(0, size, 16):
                    total += two_pieces_of_16(x, i + c, own - c, shift, slope, start, more, added)
            losses[1, u64(k)] = total
        return
    for k in range(u64(count)):
        losses[1, k] = 0
    for c in range(outputs):
        output = c if outputs > 1 else -1
        add_output_losses(
            1, x, at + c, size, count, samples, output,
            form, table, reals, pieces, labels, losses,
        )  # fmt: skip
