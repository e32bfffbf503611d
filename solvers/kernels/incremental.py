"""The loss of a network after a change of one weight, from the samples that it changes only.

Changing weight (j, i) of layer l by d levels makes, on every sample,

    z_l[j] += d a_{l-1}[i],    D_l[j] = act(z_l[j]) - a_l[j],

which is one sweep over two rows of narrow integers.  Samples with D_l[j] = 0 are done with.  The
few others are listed, and for each layer above

    z_m    += W_m D_{m-1},     D_m    = act(z_m) - a_m

is computed for these alone, side by side in short rows, and so is the change of the loss.
:func:`propose` writes new values to scratch rows and returns the new loss; :func:`commit` makes
them the state.  A rejected proposal therefore costs nothing to undo.  Losses are whole numbers, so
that their sums are exact in whatever order, and no error builds up.

Arrays go from function to function one by one: counting the references of tuples and views would
take longer than the sweeps.
"""

from __future__ import annotations

from typing import NamedTuple

from formulations.arrays import Array
from solvers.kernels.compiled import compiled, list_unequal, u64
from solvers.kernels.output_losses import SAMPLES, joint_losses, separable_change
from solvers.kernels.sweeps import (
    DELTA,
    DENSE,
    FAN_IN,
    LEVEL,
    NUM_DIRTY,
    PART,
    SHORT,
    SOURCE,
    Z,
    activate,
    commit_shared,
    is_shared,
    propagate,
    propose_shared,
    put,
    take,
)


class State(NamedTuple):
    """A network on all samples; L is the number of layers, C of outputs, N of samples.

    Rows have one number per sample, padded to a multiple of ``LANES`` by samples that are zero
    everywhere, and stand one after the other in a flat array.  T is int16, int32 or int64; A is
    int8 where all inputs and activations fit, else T.  For columns see
    :mod:`solvers.kernels.sweeps`.

    Parameters
    ----------
    rows : ndarray of A, shape (R * N,)
        Inputs of each layer, a constant row after them where there are thresholds; one scratch row.
    z : ndarray of T, shape ((sum of widths + 1) * N,)
        Pre-activations of each layer; one scratch row.
    part : ndarray of T, shape (P * N,)
        Scratch, its rows as short as the list of changed samples: new pre-activations above the
        first layer, changes of activations, old outputs, and room for the loss.
    samples : ndarray of uint32, shape (N,)
        Scratch: the changed samples.
    levels : ndarray of T
        Weight levels, each layer's matrix (outputs, inputs) row-major.
    clips : ndarray of T, shape (L, 6)
        Activations that are a clip and a shift, see the columns above.
    pieces : ndarray of T, shape (3, P)
        Start of each piece of each activation, and by how much slope and intercept change there;
        those of the loss come last.
    plan : ndarray of int64, shape (L + 1, 8)
    dirty : ndarray of int64, shape (L, widest layer)
        Scratch: neurons of each layer whose activation the proposal changes.
    form, table, reals : ndarray of int64, int64 and float64
        The loss, see :mod:`solvers.kernels.output_losses`.
    labels : ndarray of T, shape (2 * N,)
        Label of each sample, and of each changed one.
    losses : ndarray of int64, shape (2,)
        Loss of the state, and after the proposal.
    sample_losses, sums : ndarray of int64, shape (2, N), and of float64, shape (N,), or empty
        Joint losses: of each sample in the state, and of each changed one after it; scratch.
    ties : ndarray of int64
        Weights that are one, see
        :mod:`solvers.kernels.sweeps`; of a dense network a single zero.
    """

    rows: Array
    z: Array
    part: Array
    samples: Array
    levels: Array
    clips: Array
    pieces: Array
    plan: Array
    dirty: Array
    form: Array
    table: Array
    reals: Array
    labels: Array
    losses: Array
    sample_losses: Array
    sums: Array
    ties: Array


class Moves(NamedTuple):
    """The weights that may change, and to which levels.

    Weight k is (neuron[k], source[k]) of layer[k], and of its ``num_levels[k]`` levels number
    ``choice[k]`` is set.  Number c is ``levels[first[k] + c]`` where ``gap[k]`` is 0; else, so that
    wide integers need no list, it is ``first[k] + gap[k] c``.
    """

    layer: Array
    neuron: Array
    source: Array
    first: Array
    num_levels: Array
    gap: Array
    levels: Array
    choice: Array


@compiled(inline="always")
def change_of(firsts: Array, gaps: Array, levels: Array, k: int, old: int, new: int) -> int:
    """Change of weight k's level from its level number ``old`` to number ``new``."""
    if gaps[k] > 0:
        return int(gaps[k] * (new - old))
    return int(levels[firsts[k] + new] - levels[firsts[k] + old])


@compiled(forceinline=True)
def propose(
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
    """Loss after weight (neuron, source) of ``layer`` has changed by ``change`` levels."""
    if is_shared(ties, plan, layer, neuron, source):
        return int(
            propose_shared(
                rows, z, part, samples, levels, clips, pieces, plan, dirty,
                form, table, reals, labels, losses, sample_losses, sums, ties,
                layer, neuron, source, change,
            )
        )  # fmt: skip
    last, width, joint = plan.shape[0] - 2, len(samples), sample_losses.shape[1] > 0
    outputs, first, fresh = plan[last + 1, Z] - plan[last, Z], plan[last, Z], plan[last, PART]
    old, new = u64((plan[layer, Z] + neuron) * width), u64(len(z) - width)
    x, reach, loss = u64((plan[layer, SOURCE] + source) * width), layer, losses[0]
    for s in range(u64(width)):
        z[new + s] = z[old + s] + change * rows[x + s]
    if layer == last and joint:
        loss = joint_losses(
            z, first * width, width, neuron, new, form[SAMPLES], outputs,
            form, reals, labels, 0, part, 0, sample_losses, sums,
        )  # fmt: skip
    elif layer == last:
        loss += separable_change(
            z, new, old, form[SAMPLES], neuron, neuron + 1, outputs,
            form, table, reals, pieces, labels, 0, part, 0,
        )  # fmt: skip
    else:
        a = u64((plan[layer + 1, SOURCE] + neuron) * width)
        out = u64(len(rows) - width)
        activate(rows, out, z, new, form[SAMPLES], clips, pieces, plan, layer)
        delta, side, found = plan[layer, DELTA] + neuron, width, form[SAMPLES]
        count = list_unequal(rows, a, out, width, found // DENSE, samples)
        all_ = count > found // DENSE
        if all_:
            delta, side, count = u64(delta * found), 0, found
            for k in range(u64(count)):
                part[delta + k] = rows[out + k] - rows[a + k]
        else:
            found, count = count, -(-count // SHORT) * SHORT
            delta = u64(delta * count)
            for k in range(u64(found)):
                part[delta + k] = rows[out + samples[k]] - rows[a + samples[k]]
            for k in range(u64(found), u64(count)):  # the first sample again, unchanged
                samples[k] = 0
                part[delta + k] = 0
        dirty[layer, 0] = neuron
        plan[layer, NUM_DIRTY] = min(found, 1)
        while reach < last and plan[reach, NUM_DIRTY] > 0:
            reach += 1
            propagate(
                rows, z, part, samples, levels, clips, pieces, plan, dirty, reach, count, all_
            )
        plan[last + 1, FAN_IN] = found
        if reach == last:
            scratch = plan[last + 1, DELTA] * count
            if not all_:
                take(labels, side, labels, 0, count, samples, all_)
            if joint:
                loss += joint_losses(
                    part, fresh * count, count, -1, 0, found, outputs,
                    form, reals, labels, side, part, scratch, sample_losses, sums,
                )  # fmt: skip
                for k in range(found):
                    loss -= sample_losses[0, k if all_ else samples[k]]
            else:
                loss += separable_change(
                    part, fresh * count, scratch, count, 0, outputs, outputs, form, table, reals,
                    pieces, labels, side, part, scratch + outputs * count,
                )  # fmt: skip
    plan[last + 1, NUM_DIRTY] = reach
    losses[1] = loss
    return int(loss)


@compiled(forceinline=True)
def commit(
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
    """Make the latest proposal, which had these arguments, the state."""
    if is_shared(ties, plan, layer, neuron, source):
        commit_shared(
            rows, z, part, samples, levels, plan, dirty, form, losses, sample_losses, ties,
            layer, neuron, source, change,
        )  # fmt: skip
        return
    last, width, joint = plan.shape[0] - 2, len(samples), sample_losses.shape[1] > 0
    found, reach = plan[last + 1, FAN_IN], plan[last + 1, NUM_DIRTY]
    all_ = found > form[SAMPLES] // DENSE
    count = found if all_ else -(-found // SHORT) * SHORT
    levels[plan[layer, LEVEL] + neuron * plan[layer, FAN_IN] + source] += change
    row, new = u64((plan[layer, Z] + neuron) * width), u64(len(z) - width)
    for s in range(u64(width)):
        z[row + s] = z[new + s]
    if layer == last and joint:
        for s in range(width):
            sample_losses[0, s] = sample_losses[1, s]
    elif layer < last:
        a = u64((plan[layer + 1, SOURCE] + neuron) * width)
        out = u64(len(rows) - width)
        for s in range(u64(width)):
            rows[a + s] = rows[out + s]
        if joint and reach == last:
            for k in range(found):
                sample_losses[0, k if all_ else samples[k]] = sample_losses[1, k]
    for m in range(layer + 1, reach + 1):
        for j in range(plan[m + 1, Z] - plan[m, Z]):
            new = (plan[m, PART] + j) * count
            put(z, (plan[m, Z] + j) * width, part, new, found, samples, all_)
        if m < last:
            for d in range(plan[m, NUM_DIRTY]):
                a = u64((plan[m + 1, SOURCE] + dirty[m, d]) * width)
                delta = u64((plan[m, DELTA] + dirty[m, d]) * count)
                for k in range(u64(found)):
                    s = k if all_ else u64(samples[k])
                    rows[a + s] += part[delta + k]
    losses[0] = losses[1]


@compiled()
def refresh(state: State) -> int:
    """Compute everything from the weights and the inputs; return the loss."""
    rows, z, part, samples, levels, clips, pieces, plan, _ = state[:9]
    form, table, reals, labels, losses, sample_losses, sums, _ = state[9:]
    last, width = plan.shape[0] - 2, len(samples)
    outputs, first = plan[last + 1, Z] - plan[last, Z], plan[last, Z]
    for m in range(last + 1):
        for j in range(plan[m + 1, Z] - plan[m, Z]):
            row = u64((plan[m, Z] + j) * width)
            for s in range(u64(width)):
                z[row + s] = 0
            for i in range(plan[m, FAN_IN]):
                weight = levels[plan[m, LEVEL] + j * plan[m, FAN_IN] + i]
                x = u64((plan[m, SOURCE] + i) * width)
                for s in range(u64(width)):
                    z[row + s] += weight * rows[x + s]
            if m < last:
                a = (plan[m + 1, SOURCE] + j) * width
                activate(rows, a, z, row, form[SAMPLES], clips, pieces, plan, m)
    if sample_losses.shape[1] > 0:
        losses[0] = joint_losses(
            z, first * width, width, -1, 0, form[SAMPLES], outputs,
            form, reals, labels, 0, part, 0, sample_losses, sums,
        )  # fmt: skip
        for s in range(u64(width)):
            sample_losses[0, s] = sample_losses[1, s]
    else:
        losses[0] = 0
        for c in range(outputs):
            losses[0] += separable_change(
                z, (first + c) * width, -1, form[SAMPLES], c, c + 1, outputs,
                form, table, reals, pieces, labels, 0, part, 0,
            )  # fmt: skip
    return int(losses[0])
