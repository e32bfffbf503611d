"""Sweeps over rows of samples, and changes of a weight that stands in several places.

A shared weight, as those of a convolution, changes all the units of its layer that have it,

    z_l[j] += d sum_i a_{l-1}[i]    over the places (j, i) of the weight,

on all samples; the layers above follow as after any change of activations.

``ties`` holds, for each place of the flat levels, where its list begins, and one end more; then the
lists: pairs of neuron and source, by neuron, at the first place of each weight, and nothing at the
others.  A single zero stands for a network in which every weight has one place.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from formulations.arrays import Array, IntArray
from formulations.model.assembly import ragged
from formulations.network.layer import Layer
from solvers.kernels.compiled import compiled, u64
from solvers.kernels.output_losses import SAMPLES, apply_pieces, joint_losses, separable_change

FAN_IN, SOURCE, Z, PART, DELTA, LEVEL, PIECE, NUM_DIRTY = range(8)
"""Columns of ``plan``, a line per layer: number of inputs; first row of the inputs in ``rows``, of
the pre-activations in ``z``, of their new values and of the activations' changes in ``part``; first
weight; first piece; length of the list of dirty neurons.  The line after the last layer ends the
lists; its first entry is the number of samples that the proposal changes, its last one the last
layer that it touches."""

LOW, HIGH, LIFT, SHIFT, GAIN, OFFSET = range(6)
"""Columns of ``clips``: an activation OFFSET + GAIN ((clip(z, LOW, HIGH) + LIFT) >> SHIFT); where
GAIN is 0 it has no such form and is read from its pieces."""

SHORT, DENSE = 16, 8
"""The list of changed samples is padded to a multiple of SHORT, so that no loop ends in a slow
remainder; with more than one sample in DENSE all are taken, since a plain sweep is faster then."""


@compiled(inline="always")
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
    """out[o + k] = activation at the pre-activation x[z + k], k < count."""
    o, z, number = u64(o), u64(z), u64(count)
    low, high, lift = clips[layer, LOW], clips[layer, HIGH], clips[layer, LIFT]
    shift, gain, offset = clips[layer, SHIFT], clips[layer, GAIN], clips[layer, OFFSET]
    if gain == 0:
        first, last = plan[layer, PIECE], plan[layer + 1, PIECE]
        apply_pieces(out, o, x, z, count, pieces, first, last)
    elif shift == 0:  # on its own, since shifts of short integers are slow on most processors
        offset += gain * lift
        for k in range(number):
            out[o + k] = offset + gain * min(max(x[z + k], low), high)
    else:
        for k in range(number):
            out[o + k] = offset + gain * ((min(max(x[z + k], low), high) + lift) >> shift)


@compiled(inline="always")
def take(out: Array, o: int, x: Array, z: int, count: int, samples: Array, all_: bool) -> None:
    """out[o + k] = x[z + samples[k]], or of all samples in order."""
    o, z = u64(o), u64(z)
    if all_:
        for k in range(u64(count)):
            out[o + k] = x[z + k]
    else:
        for k in range(u64(count)):
            out[o + k] = x[z + samples[k]]


@compiled(inline="always")
def put(out: Array, o: int, x: Array, z: int, count: int, samples: Array, all_: bool) -> None:
    """out[o + samples[k]] = x[z + k], or of all samples in order."""
    o, z = u64(o), u64(z)
    if all_:
        for k in range(u64(count)):
            out[o + k] = x[z + k]
    else:
        for k in range(u64(count)):
            out[o + samples[k]] = x[z + k]


@compiled(inline="always")
def propagate(
    rows: Array,
    z: Array,
    part: Array,
    samples: Array,
    levels: Array,
    clips: Array,
    pieces: Array,
    plan: Array,
    dirty: Array,
    layer: int,
    count: int,
    all_: bool,
) -> None:
    """z + W D of one layer on the changed samples, its changes of activations, its dirty list."""
    found, width, number = 0, len(samples), u64(count)
    for j in range(plan[layer + 1, Z] - plan[layer, Z]):
        new = u64((plan[layer, PART] + j) * count)
        old = u64((plan[layer, Z] + j) * width)
        at = new  # where the old pre-activations go: the loss needs those of the outputs as well
        if layer == plan.shape[0] - 2:
            at = u64((plan[layer + 1, DELTA] + j) * count)
        take(part, at, z, old, count, samples, all_)
        for d in range(plan[layer - 1, NUM_DIRTY]):
            i = dirty[layer - 1, d]
            delta = u64((plan[layer - 1, DELTA] + i) * count)
            weight = levels[plan[layer, LEVEL] + j * plan[layer, FAN_IN] + i]
            if weight == 0 and at == new:
                continue  # most weights of a convolution
            for k in range(number):
                part[new + k] = part[at + k] + weight * part[delta + k]
            at = new
        if layer < plan.shape[0] - 2:
            delta, rest = u64((plan[layer, DELTA] + j) * count), 0
            a = u64((plan[layer + 1, SOURCE] + j) * width)
            activate(part, delta, part, new, count, clips, pieces, plan, layer)
            kept = u64(plan[plan.shape[0] - 1, DELTA] * count)
            take(part, kept, rows, a, count, samples, all_)
            for k in range(number):
                part[delta + k] -= part[kept + k]
                rest |= part[delta + k]
            if rest != 0:
                dirty[layer, found] = j
                found += 1
    plan[layer, NUM_DIRTY] = found


# -- shared weights --------------------------------------------------------------------------------


def lists_of_ties(layers: Sequence[Layer], fan_in: IntArray) -> IntArray:
    """The places of shared weights, as ``ties`` holds them."""
    counts, pairs = [], []
    for layer, width in zip(layers, fan_in, strict=True):
        count = np.zeros((layer.outputs, layer.inputs + 1), dtype=np.int64)
        if layer.ties is not None:
            numbers = layer.ties.numbers.ravel()
            at = np.flatnonzero(numbers >= 0)
            at = at[np.argsort(numbers[at], kind="stable")]  # by weight, then by neuron
            count.ravel()[layer.ties.first] = 2 * np.bincount(numbers[at])
            # lists stand in the order of the first places, which is that of the numbers
            pairs.append(np.stack(np.divmod(at, layer.inputs + 1), axis=1).ravel())
        counts.append(count[:, :width].ravel())
    sizes = np.concatenate(counts)
    starts = np.append(0, np.cumsum(sizes)) + len(sizes) + 1
    return np.concatenate([starts, *pairs])


def set_shared(levels: Array, ties: IntArray, plan: Array, layers: IntArray, at: IntArray) -> None:
    """Write the levels of weights, which stand at ``at``, to their other places."""
    if len(ties) > 1:
        owner, entry = ragged(ties[at], ties[at + 1] - ties[at])
        (neuron, source), owner = ties[entry].reshape(-1, 2).T, owner[::2]
        layer = layers[owner]
        levels[plan[layer, LEVEL] + neuron * plan[layer, FAN_IN] + source] = levels[at[owner]]


@compiled(inline="always")
def is_shared(ties: Array, plan: Array, layer: int, neuron: int, source: int) -> bool:
    """Whether a weight stands in more places than one."""
    if len(ties) == 1:
        return False
    at = plan[layer, LEVEL] + neuron * plan[layer, FAN_IN] + source
    return bool(ties[at + 1] > ties[at] + 2)


@compiled()
def propose_shared(
    rows: Array,
    z: Array,
    part: Array,
    samples: Array,
    levels: Array,
    clips: Array,
    pieces: Array,
    plan: Array,
    dirty: Array,
    form: Array,
    table: Array,
    reals: Array,
    labels: Array,
    losses: Array,
    sample_losses: Array,
    sums: Array,
    ties: Array,
    layer: int,
    neuron: int,
    source: int,
    change: int,
) -> int:
    """As ``propose``, of a weight that stands in several places."""
    last, width, count = plan.shape[0] - 2, len(samples), form[SAMPLES]
    at = plan[layer, LEVEL] + neuron * plan[layer, FAN_IN] + source
    outputs, found = plan[last + 1, Z] - plan[last, Z], 0
    if layer == last:  # the loss compares all outputs with the old ones
        for j in range(outputs):
            old = (plan[last, Z] + j) * width
            take(part, (plan[last, PART] + j) * count, z, old, count, samples, True)
            take(part, (plan[last + 1, DELTA] + j) * count, z, old, count, samples, True)
    before = -1
    for pair in range(ties[at], ties[at + 1], 2):
        j = ties[pair]
        new = u64((plan[layer, PART] + j) * count)
        x = u64((plan[layer, SOURCE] + ties[pair + 1]) * width)
        if j != before and layer < last:
            take(part, new, z, (plan[layer, Z] + j) * width, count, samples, True)
        before = j
        for k in range(u64(count)):
            part[new + k] += change * rows[x + k]
        if layer < last and (pair + 2 == ties[at + 1] or ties[pair + 2] != j):
            delta, rest = u64((plan[layer, DELTA] + j) * count), 0
            a = u64((plan[layer + 1, SOURCE] + j) * width)
            activate(part, delta, part, new, count, clips, pieces, plan, layer)
            for k in range(u64(count)):
                part[delta + k] -= rows[a + k]
                rest |= part[delta + k]
            if rest != 0:
                dirty[layer, found] = j
                found += 1
    plan[layer, NUM_DIRTY] = found
    reach, loss = layer, losses[0]
    while reach < last and plan[reach, NUM_DIRTY] > 0:
        reach += 1
        propagate(rows, z, part, samples, levels, clips, pieces, plan, dirty, reach, count, True)
    if reach == last:
        scratch, fresh = plan[last + 1, DELTA] * count, plan[last, PART]
        if sample_losses.shape[1] > 0:
            loss += joint_losses(
                part, fresh * count, count, -1, 0, count, outputs,
                form, reals, labels, 0, part, scratch, sample_losses, sums,
            )  # fmt: skip
            for k in range(count):
                loss -= sample_losses[0, k]
        else:
            loss += separable_change(
                part, fresh * count, scratch, count, 0, outputs, outputs, form, table, reals,
                pieces, labels, 0, part, scratch + outputs * count,
            )  # fmt: skip
    plan[last + 1, FAN_IN] = count
    plan[last + 1, NUM_DIRTY] = reach
    losses[1] = loss
    return int(loss)


@compiled()
def commit_shared(
    rows: Array,
    z: Array,
    part: Array,
    samples: Array,
    levels: Array,
    plan: Array,
    dirty: Array,
    form: Array,
    losses: Array,
    sample_losses: Array,
    ties: Array,
    layer: int,
    neuron: int,
    source: int,
    change: int,
) -> None:
    """As ``commit``, of a weight that stands in several places."""
    last, width, count = plan.shape[0] - 2, len(samples), form[SAMPLES]
    at = plan[layer, LEVEL] + neuron * plan[layer, FAN_IN] + source
    reach = plan[last + 1, NUM_DIRTY]
    for pair in range(ties[at], ties[at + 1], 2):
        j = ties[pair]
        levels[plan[layer, LEVEL] + j * plan[layer, FAN_IN] + ties[pair + 1]] += change
        new = (plan[layer, PART] + j) * count
        put(z, (plan[layer, Z] + j) * width, part, new, count, samples, True)
    for m in range(layer, reach + 1):
        if m > layer:
            for j in range(plan[m + 1, Z] - plan[m, Z]):
                new = (plan[m, PART] + j) * count
                put(z, (plan[m, Z] + j) * width, part, new, count, samples, True)
        if m < last:
            for d in range(plan[m, NUM_DIRTY]):
                a = u64((plan[m + 1, SOURCE] + dirty[m, d]) * width)
                delta = u64((plan[m, DELTA] + dirty[m, d]) * count)
                for k in range(u64(count)):
                    rows[a + k] += part[delta + k]
    if reach == last and sample_losses.shape[1] > 0:
        for k in range(count):
            sample_losses[0, k] = sample_losses[1, k]
    losses[0] = losses[1]
