"""Effects of a changed weight or changed units on the layer above, for the changed samples.

A row has one number per sample, a line one number per unit of a layer; see :class:`State`.  Other
changes of units, such as those of shared weights, use the same functions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from formulations.arrays import Array, IntArray
from formulations.model.assembly import ragged
from formulations.network.layer import Layer
from formulations.network.splines import Spline
from solvers.kernels.compiled import (
    LANES,
    add_line,
    add_new_steps,
    compiled,
    list_new_steps,
    list_unequal,
    two_pieces_apart,
    u64,
)
from solvers.kernels.output_losses import FIRST, SAMPLES, SHIFT, apply_pieces

FAN_IN, SOURCE, UNITS, SIZE, LINE, NEW, DELTA, LEVEL, PIECE = range(9)
"""Columns of ``plan``, a line per layer: number of inputs; first row of the inputs in ``rows``;
number of units, and of numbers in a line of them; start of the lines in ``lines``, of their new
values and of the activations' changes in ``part``, and of the weights in ``levels``; and first
piece.  The line after the last layer ends the pieces; its SOURCE is the number of rows, and its
FAN_IN and UNITS are the number of samples that the proposal changes and the last layer that it
affects."""

LOW, HIGH, LIFT, STEP, GAIN, OFFSET = range(6)
"""Columns of ``clips``: an activation OFFSET + GAIN ((clip(z, LOW, HIGH) + LIFT) >> STEP); with
GAIN 0 it has no such form and is evaluated by pieces."""


class State(NamedTuple):
    """A network on all samples; L is the number of layers, N of samples.

    A row has one number per sample, padded to a multiple of ``LANES`` by samples that are zero
    everywhere; a line has one number per unit of a layer, padded to a multiple of ``GROUP`` by
    units that are zero unless the layer has only one unit.  Both are stored consecutively in flat
    arrays.  T is int16, int32 or int64; A is int8 if all inputs and activations fit, else T.

    Parameters
    ----------
    rows : ndarray of A, shape (R * N,)
        Inputs of each layer, followed by a constant row if there are thresholds; one scratch row.
    z : ndarray of T, shape ((n + 2) * N,)
        Pre-activations of the first layer, unless it is the only one; two scratch rows.
    lines : ndarray of T
        Pre-activations of the layers above the first one, and of the outputs.
    part : ndarray of T
        Scratch, a line for each changed sample: new pre-activations, changes of activations.
    samples, deltas : ndarray of uint32 and of T, shape (N + 3,)
        Scratch: the changed samples, and the change of the changed unit's activation.  ``samples``
        is None if all samples are swept over.
    levels : ndarray of T
        Weight levels of each layer, a line for each input.
    clips : ndarray of T, shape (L, 6)
        Activations that are a clip and a shift, see the columns above.
    pieces : ndarray of T, shape (3, P)
        Start of each piece of each activation, and the changes of slope and intercept there; those
        of the loss come last.
    plan : ndarray of int64, shape (L + 1, 9)
    form, table, reals : ndarray of int64, int64 and float64
        The loss, see :mod:`solvers.kernels.output_losses`; a missing table or reals are None.  Code
        for an array that is None is not compiled.
    labels : ndarray of T, shape (N,)
        Label of each sample.
    losses : ndarray of int64, shape (2,)
        Loss of the state, and after the proposal.
    sample_losses : ndarray of int64, shape (2, N)
        Loss of each sample in the state, and of each changed one after the proposal; None if all
        samples are swept over.
    ties : ndarray of int64
        For each place of ``levels`` the start of its list, and one end more; then the lists: pairs
        of neuron and source, by neuron, at the first place of each shared weight, empty at the
        others.  None if every weight has one place.
    """

    rows: Array
    z: Array
    lines: Array
    part: Array
    samples: Any
    deltas: Array
    levels: Array
    clips: Array
    pieces: Array
    plan: Array
    form: Array
    table: Any
    reals: Any
    labels: Array
    losses: Array
    sample_losses: Any
    ties: Any


@compiled(counts=False, inner=True)
def activate(
    out: Array,
    o: int,
    x: Array,
    z: int,
    count: int,
    clips: Array,
    pieces: Array,
    plan: Array,
    layer: int,
) -> None:
    """Set out[o + k] to the activation at the pre-activation x[z + k], k < count."""
    o, z, number = u64(o), u64(z), u64(count)
    low, high, lift = clips[layer, LOW], clips[layer, HIGH], clips[layer, LIFT]
    shift, gain, offset = clips[layer, STEP], clips[layer, GAIN], clips[layer, OFFSET]
    if gain == 0:
        first, last = plan[layer, PIECE], plan[layer + 1, PIECE]
        apply_pieces(out, o, x, z, count, pieces, first, last)
    elif shift == 0:  # separate, since shifts of short integers are slow on most processors
        offset += gain * lift
        for k in range(number):
            out[o + k] = offset + gain * min(max(x[z + k], low), high)
    else:
        for k in range(number):
            out[o + k] = offset + gain * ((min(max(x[z + k], low), high) + lift) >> shift)


@compiled(inline="always")
def list_changed_samples(state: State, layer: int, neuron: int, source: int, change: int) -> int:
    """List the samples on which a hidden unit changes, and the changes; return their number."""
    rows, z, samples = state.rows, state.z, state.samples
    deltas, clips, pieces, plan = state.deltas, state.clips, state.pieces, state.plan
    form = state.form
    width = len(rows) // plan[plan.shape[0] - 1, SOURCE]
    x, old = (plan[layer, SOURCE] + source) * width, neuron * width
    if layer > 0:  # Copy the unit's numbers out of the lines.
        old = len(z) - width
        take_row(state, layer, neuron, old)
    a = (plan[layer + 1, SOURCE] + neuron) * width
    low, high, lift = clips[layer, LOW], clips[layer, HIGH], clips[layer, LIFT]
    shift, gain, offset = clips[layer, STEP], clips[layer, GAIN], clips[layer, OFFSET]
    if gain != 0:
        found = list_new_steps(z, old, rows, x, change, low, high, shift, width, samples)
        if high - low == 1 << shift:  # two steps: it is in the other one
            both = 2 * offset + gain
            for k in range(u64(found)):
                deltas[k] = both - 2 * rows[u64(a) + samples[k]]
        else:
            for k in range(u64(found)):
                s = u64(samples[k])
                after = z[u64(old) + s] + change * rows[u64(x) + s]
                value = offset + gain * ((min(max(after, low), high) + lift) >> shift)
                deltas[k] = value - rows[u64(a) + s]
    else:
        new, out = u64(len(z) - 2 * width), len(rows) - width
        for s in range(u64(form[SAMPLES])):
            z[new + s] = z[u64(old) + s] + change * rows[u64(x) + s]
        activate(rows, out, z, new, form[SAMPLES], clips, pieces, plan, layer)
        found = list_unequal(rows, a, out, width, samples)
        for k in range(u64(found)):
            s = u64(samples[k])
            deltas[k] = rows[u64(out) + s] - rows[u64(a) + s]
    return int(found)


@compiled(inline="always")
def add_unit_to_next_layer(state: State, layer: int, neuron: int, found: int) -> None:
    """Write new lines of the layer above one changed unit: z + w D."""
    lines, part, samples, deltas = state.lines, state.part, state.samples, state.deltas
    levels, plan = state.levels, state.plan
    size, at, new = plan[layer + 1, SIZE], plan[layer + 1, LINE], plan[layer + 1, NEW]
    w = plan[layer + 1, LEVEL] + neuron * size
    for k in range(found):
        s = at + int(samples[u64(k)]) * size
        add_line(part, new + k * size, lines, s, deltas[u64(k)], levels, w, size)


@compiled(counts=False, inner=True)
def add_units_to_layer(state: State, layer: int, found: int) -> None:
    """Write new lines of a layer above all changed units of the one before: z + W D."""
    lines, part, samples, levels, plan = (
        state.lines,
        state.part,
        state.samples,
        state.levels,
        state.plan,
    )
    size, before, w = plan[layer, SIZE], plan[layer - 1, SIZE], plan[layer, LEVEL]
    for k in range(found):
        at = plan[layer, LINE] + int(samples[u64(k)]) * size
        new, delta = plan[layer, NEW] + k * size, plan[layer - 1, DELTA] + k * before
        add_line(part, new, lines, at, 0, lines, at, size)
        for i in range(plan[layer - 1, UNITS]):
            change = part[u64(delta + i)]
            if change != 0:
                add_line(part, new, part, new, change, levels, w + i * size, size)


@compiled(counts=False, inner=True)
def change_units(state: State, layer: int, found: int) -> bool:
    """Write a hidden layer's activation changes from new lines; return whether there are any."""
    lines, part, samples, clips = state.lines, state.part, state.samples, state.clips
    pieces, plan = state.pieces, state.plan
    size, new, delta = plan[layer, SIZE], plan[layer, NEW], plan[layer, DELTA]
    scratch, rest = plan[plan.shape[0] - 1, NEW], 0
    for k in range(found):
        at = plan[layer, LINE] + int(samples[u64(k)]) * size
        add_line(part, scratch + k * size, lines, at, 0, lines, at, size)
    activate(part, delta, part, scratch, found * size, clips, pieces, plan, layer)
    activate(part, scratch, part, new, found * size, clips, pieces, plan, layer)
    delta, scratch = u64(delta), u64(scratch)
    for k in range(u64(found * size)):
        part[delta + k] = part[scratch + k] - part[delta + k]
        rest |= part[delta + k]
    return rest != 0


@compiled(counts=False, inner=True)
def take_row(state: State, layer: int, neuron: int, row: int) -> None:
    """Copy a unit's pre-activations on all samples to z from ``row`` on."""
    z, lines, plan, count = state.z, state.lines, state.plan, u64(state.form[SAMPLES])
    out, size = u64(row), u64(plan[layer, SIZE])
    if layer == 0 and plan.shape[0] > 2:
        at = u64(neuron * (len(state.rows) // plan[plan.shape[0] - 1, SOURCE]))
        for s in range(count):
            z[out + s] = z[at + s]
    else:
        at = u64(plan[layer, LINE] + neuron)
        for s in range(count):
            z[out + s] = lines[at + s * size]


@compiled(counts=False, inner=True, forceinline=True)
def sweep(
    samples: Array | None, state: State, layer: int, neuron: int, source: int, change: int
) -> int:
    """Return the change by a weight of a two-piece loss of one output, in sweeps over all samples.

    There is at most one hidden layer, and its activation is a clip and a shift.
    """
    if samples is not None:
        return 0
    rows, z, lines, part, labels = state.rows, state.z, state.lines, state.part, state.labels
    clips, pieces, plan, form, total = state.clips, state.pieces, state.plan, state.form, 0
    last, first, shift = plan.shape[0] - 2, form[FIRST], form[SHIFT]
    width = len(rows) // plan[last + 1, SOURCE]
    x, row, at = (plan[layer, SOURCE] + source) * width, neuron * width, plan[last, LINE]
    if layer == last:
        for s in range(u64(width)):
            part[s] = lines[u64(at) + s] + change * rows[u64(x) + s]
    else:
        weight = clips[0, GAIN] * state.levels[plan[1, LEVEL] + neuron]
        low, high, step = clips[0, LOW], clips[0, HIGH], clips[0, STEP]
        for s in range(0, width, LANES):
            add_new_steps(
                part, s, lines, at + s, weight, z, row + s, rows, x + s, change, low, high, step
            )
    slope, start = pieces[1, first], pieces[0, first + 1]
    more, added = pieces[1, first + 1], pieces[2, first + 1]
    for s in range(0, width, LANES):
        total += two_pieces_apart(
            part, s, lines, at + s, labels, s, shift, slope, start, more, added
        )
    return int(total)


@compiled(counts=False, inner=True, forceinline=True)
def commit_sweep(
    samples: Array | None, state: State, layer: int, neuron: int, source: int, change: int
) -> None:
    """Make the latest proposal of ``sweep`` the state."""
    if samples is not None:
        return
    rows, z, lines, part = state.rows, state.z, state.lines, state.part
    clips, plan, last = state.clips, state.plan, state.plan.shape[0] - 2
    width = len(rows) // plan[last + 1, SOURCE]
    x, row, at = (plan[layer, SOURCE] + source) * width, neuron * width, plan[last, LINE]
    state.levels[plan[layer, LEVEL] + source * plan[layer, SIZE] + neuron] += change
    if layer < last:
        a, gain = (plan[1, SOURCE] + neuron) * width, clips[0, GAIN]
        low, high, step = clips[0, LOW], clips[0, HIGH], clips[0, STEP]
        for s in range(0, width, LANES):
            add_new_steps(
                rows, a + s, rows, a + s, gain, z, row + s, rows, x + s, change, low, high, step
            )
        for s in range(u64(width)):
            z[u64(row) + s] += change * rows[u64(x) + s]
    for s in range(u64(width)):
        lines[u64(at) + s] = part[s]


def lists_of_ties(layers: Sequence[Layer], fan_in: IntArray, sizes: IntArray) -> IntArray | None:
    """Build the lists of places of shared weights in the format of ``State.ties``."""
    if all(layer.ties is None for layer in layers):
        return None
    counts, pairs = [], []
    for layer, width, size in zip(layers, fan_in, sizes, strict=True):
        count = np.zeros((width, size), dtype=np.int64)
        if layer.ties is not None:
            numbers = layer.ties.numbers[:, :width]
            neuron, source = np.nonzero(numbers >= 0)
            number = numbers[neuron, source]
            first = np.divmod(layer.ties.first, layer.inputs + 1)
            count[first[1], first[0]] = 2 * np.bincount(number)
            rank = np.argsort(np.lexsort(first))  # lists in the order of their first places
            at = np.lexsort((source, neuron, rank[number]))
            pairs.append(np.stack([neuron[at], source[at]], axis=1).ravel())
        counts.append(count.ravel())
    lengths = np.concatenate(counts)
    starts = np.append(0, np.cumsum(lengths)) + len(lengths) + 1
    return np.concatenate([starts, *pairs])


def set_shared(
    levels: Array, ties: IntArray | None, plan: Array, layers: IntArray, at: IntArray
) -> None:
    """Copy the levels of weights at ``at`` to their other places."""
    if ties is not None:
        owner, entry = ragged(ties[at], ties[at + 1] - ties[at])
        (neuron, source), owner = ties[entry].reshape(-1, 2).T, owner[::2]
        layer = layers[owner]
        levels[plan[layer, LEVEL] + source * plan[layer, SIZE] + neuron] = levels[at[owner]]


NO_CLIP = (0, 0, 0, 0, 0, 0)
"""Entry of ``State.clips`` for an activation that is evaluated by pieces."""


def clip_and_shift(spline: Spline) -> tuple[int, ...]:
    """Return LOW, HIGH, LIFT, STEP, GAIN and OFFSET of a spline of equal steps, 2^STEP apart.

    Examples
    --------
    >>> from formulations.network.splines import sign
    >>> clip_and_shift(sign())
    (-1, 0, 1, 0, 2, -1)
    """
    gaps, gains = np.diff(spline.breakpoints), np.diff(np.rint(spline.intercepts).astype(np.int64))
    gap = int(gaps[0]) if len(gaps) else 1
    if spline.order or not len(gains) or gap & (gap - 1):
        return NO_CLIP
    if (gaps != gap).any() or (gains != gains[0]).any():
        return NO_CLIP
    low, offset = int(spline.breakpoints[0]) - gap, int(np.rint(spline.intercepts[0]))
    return low, low + gap * len(gains), -low, gap.bit_length() - 1, int(gains[0]), offset


def increments(spline: Spline) -> IntArray:
    """Return each piece's start and its changes of slope and intercept, shape (3, P)."""
    starts = np.concatenate([[np.iinfo(np.int64).min], spline.breakpoints])
    coefficients = [np.rint(c).astype(np.int64) for c in (spline.slopes, spline.intercepts)]
    return np.stack([starts, *(np.diff(c, prepend=0) for c in coefficients)])
