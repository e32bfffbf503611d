"""Loss of a network after a change of one weight, from the changed samples only.

Changing weight (j, i) of layer l by d levels makes, on every sample,

    z_l[j] += d a_{l-1}[i],    D_l[j] = act(z_l[j]) - a_l[j],

which is one sweep over two rows of narrow integers.  Samples with D_l[j] = 0 need no more work.
The few others are listed, and for each layer above

    z_m    += W_m D_{m-1},     D_m    = act(z_m) - a_m

is computed for these alone.  Above the first layer, all units of a sample are adjacent in a line,
so a changed sample costs a few adjacent numbers, and so does its loss.  :func:`propose` writes new
values to scratch lines and returns the new loss; :func:`commit` makes them the state.  Undoing a
rejected proposal is therefore free.  Losses are whole numbers, so their sums are exact in any
order, and no error accumulates.
"""

from __future__ import annotations

from typing import NamedTuple

from formulations.arrays import Array
from solvers.kernels.compiled import add_line, compiled, list_unequal, u64
from solvers.kernels.output_losses import (
    FIRST,
    KIND,
    PIECES,
    SAMPLES,
    SHIFT,
    SOFTMAX,
    add_output_losses,
    change_margin_losses,
    line_losses,
)
from solvers.kernels.sweeps import (
    DELTA,
    FAN_IN,
    LEVEL,
    LINE,
    NEW,
    SIZE,
    SOURCE,
    UNITS,
    State,
    activate,
    add_unit_to_next_layer,
    add_units_to_layer,
    change_units,
    commit_sweep,
    list_changed_samples,
    sweep,
    take_row,
)


class Moves(NamedTuple):
    """Movable weights and their levels.

    Weight k is (neuron[k], source[k]) of layer[k], and is set to level number ``choice[k]`` of
    ``num_levels[k]``.  Level number c is ``levels[first[k] + c]`` if ``gap[k]`` is 0, else
    ``first[k] + gap[k] c``, so that wide integers need no list.
    """

    layer: Array
    neuron: Array
    source: Array
    first: Array
    num_levels: Array
    gap: Array
    levels: Array
    choice: Array


@compiled(counts=False, inner=True)
def change_of(firsts: Array, gaps: Array, levels: Array, k: int, old: int, new: int) -> int:
    """Return the change of weight k's level from level number ``old`` to number ``new``."""
    if gaps[k] > 0:
        return int(gaps[k] * (new - old))
    return int(levels[firsts[k] + new] - levels[firsts[k] + old])


@compiled(inline="always")
def _line_losses(state: State, x: Array, at: int, found: int) -> int:
    """Write the losses of the changed samples, whose outputs start at x[at]; return the change."""
    samples, plan, sample_losses, total = state.samples, state.plan, state.sample_losses, 0
    last = plan.shape[0] - 2
    line_losses(
        x, at, plan[last, SIZE], plan[last, UNITS], found, samples, state.form, state.table,
        state.reals, state.pieces, state.labels, sample_losses,
    )  # fmt: skip
    for k in range(u64(found)):
        total += sample_losses[1, k] - sample_losses[0, samples[k]]
    return int(total)


@compiled(counts=False, inner=True)
def _change_output(state: State, neuron: int, source: int, change: int) -> int:
    """Return the change of the loss by a last-layer weight: one output of all samples."""
    rows, z, lines, part = state.rows, state.z, state.lines, state.part
    samples, pieces, plan, form = state.samples, state.pieces, state.plan, state.form
    table, reals, labels, sample_losses = (
        state.table,
        state.reals,
        state.labels,
        state.sample_losses,
    )
    last, width, count = plan.shape[0] - 2, len(rows) // plan[-1, SOURCE], form[SAMPLES]
    x, at, size = (plan[last, SOURCE] + source) * width, plan[last, LINE], plan[last, SIZE]
    for s in range(u64(count)):
        samples[s] = s
    if form[KIND] >= SOFTMAX:
        new = plan[last, NEW]
        for s in range(count):
            add_line(part, new + s * size, lines, at + s * size, 0, lines, at, size)
            part[u64(new + s * size + neuron)] += change * rows[u64(x + s)]
        return int(_line_losses(state, part, new, count))
    old, new, total = u64(len(z) - width), u64(len(z) - 2 * width), 0
    place, step = u64(at + neuron), u64(size)
    for s in range(u64(count)):
        z[old + s] = lines[place + s * step]
        z[new + s] = z[old + s] + change * rows[u64(x) + s]
    output = neuron if plan[last, UNITS] > 1 else -1
    if form[KIND] == PIECES and pieces.shape[1] - form[FIRST] == 2:
        change_margin_losses(z, old, new, count, output, form, pieces, labels, sample_losses)
    else:
        for s in range(u64(count)):
            sample_losses[1, s] = sample_losses[0, s]
        for sign, row in ((-1, old), (1, new)):
            add_output_losses(
                sign, z, row, 1, count, samples, output,
                form, table, reals, pieces, labels, sample_losses,
            )  # fmt: skip
    for s in range(u64(count)):
        total += sample_losses[1, s] - sample_losses[0, s]
    return int(total)


@compiled(inline="always")
def _follow(state: State, reach: int, found: int) -> int:
    """Return the change of the loss from ``found`` new lines of the layer ``reach``."""
    plan, last = state.plan, state.plan.shape[0] - 2
    while reach < last and change_units(state, reach, found):
        reach += 1
        add_units_to_layer(state, reach, found)
    plan[last + 1, FAN_IN], plan[last + 1, UNITS] = found, reach
    return int(_line_losses(state, state.part, plan[last, NEW], found)) if reach == last else 0


@compiled(counts=False, inner=True)
def _propose_shared(
    ties: Array | None, state: State, layer: int, neuron: int, source: int, change: int
) -> tuple[bool, int]:
    """Return whether a weight is shared, and the change of the loss by all its places at once.

    It changes all units that use it, z_l[j] += d sum_i a_{l-1}[i], on all samples; the layers above
    follow as after any change of activations.
    """
    if ties is None:
        return False, 0
    rows, z, lines, part = state.rows, state.z, state.lines, state.part
    samples, levels, clips, pieces = state.samples, state.levels, state.clips, state.pieces
    plan, form = state.plan, state.form
    place = plan[layer, LEVEL] + source * plan[layer, SIZE] + neuron
    first, end = ties[place], ties[place + 1]
    if end <= first + 2:
        return False, 0
    last, count = plan.shape[0] - 2, form[SAMPLES]
    width, reach = len(rows) // plan[last + 1, SOURCE], min(layer + 1, last)
    size, at, lift = plan[reach, SIZE], plan[reach, LINE], plan[reach, NEW]
    row, out = len(z) - width, len(rows) - width
    for s in range(count):
        add_line(part, lift + s * size, lines, at + s * size, 0, lines, at, size)
    for pair in range(first, end, 2):
        j, x = ties[pair], u64((plan[layer, SOURCE] + ties[pair + 1]) * width)
        if layer == last:
            for s in range(u64(count)):
                part[u64(lift + j) + s * u64(size)] += change * rows[x + s]
            continue
        if pair == first or ties[pair - 2] != j:
            take_row(state, layer, j, row)
        for s in range(u64(count)):
            z[u64(row) + s] += change * rows[x + s]
        if pair + 2 == end or ties[pair + 2] != j:
            a, w = (plan[layer + 1, SOURCE] + j) * width, plan[reach, LEVEL] + j * size
            activate(rows, out, z, row, count, clips, pieces, plan, layer)
            for k in range(list_unequal(rows, a, out, width, samples)):
                s = int(samples[u64(k)])
                delta, line = rows[u64(out + s)] - rows[u64(a + s)], lift + s * size
                add_line(part, line, part, line, delta, levels, w, size)
    for s in range(u64(count)):
        samples[s] = s
    return True, int(_follow(state, reach, count))


@compiled(counts=False, inner=True)
def _commit_shared(
    ties: Array | None, state: State, layer: int, neuron: int, source: int, change: int
) -> bool:
    """Change a shared weight and the units that use it; return False if it is not shared."""
    if ties is None:
        return False
    place = state.plan[layer, LEVEL] + source * state.plan[layer, SIZE] + neuron
    first, end = ties[place], ties[place + 1]
    if end <= first + 2:
        return False
    rows, z, lines, levels = state.rows, state.z, state.lines, state.levels
    clips, pieces, plan, form = state.clips, state.pieces, state.plan, state.form
    last, count = plan.shape[0] - 2, u64(form[SAMPLES])
    width, size = len(rows) // plan[last + 1, SOURCE], plan[layer, SIZE]
    for pair in range(first, end, 2):
        j, source = ties[pair], ties[pair + 1]
        levels[plan[layer, LEVEL] + source * size + j] += change
        x, row = u64((plan[layer, SOURCE] + source) * width), len(z) - width
        if layer == 0 and last > 0:
            row = j * width
            for s in range(count):
                z[u64(row) + s] += change * rows[x + s]
        else:
            at = u64(plan[layer, LINE] + j)
            for s in range(count):
                lines[at + s * u64(size)] += change * rows[x + s]
        if layer < last and (pair + 2 == end or ties[pair + 2] != j):
            if layer > 0:
                take_row(state, layer, j, row)
            a = (plan[layer + 1, SOURCE] + j) * width
            activate(rows, a, z, row, form[SAMPLES], clips, pieces, plan, layer)
    return True


@compiled(counts=False, inner=True, forceinline=True)
def _visit(
    samples: Array | None, state: State, layer: int, neuron: int, source: int, change: int
) -> int:
    """Return the change of the loss by a weight, from the changed samples, which are listed."""
    if samples is None:
        return 0
    plan, last = state.plan, state.plan.shape[0] - 2
    shared, total = _propose_shared(state.ties, state, layer, neuron, source, change)
    if shared:
        return int(total)
    if layer == last:
        plan[last + 1, FAN_IN], plan[last + 1, UNITS] = 0, last
        return int(_change_output(state, neuron, source, change))
    found = list_changed_samples(state, layer, neuron, source, change)
    plan[last + 1, FAN_IN], plan[last + 1, UNITS] = found, layer
    if found == 0:
        return 0
    add_unit_to_next_layer(state, layer, neuron, found)
    return int(_follow(state, layer + 1, found))


@compiled(counts=False, inner=True, forceinline=True)
def propose(state: State, layer: int, neuron: int, source: int, change: int) -> int:
    """Return the loss after weight (neuron, source) of ``layer`` changes by ``change`` levels."""
    losses = state.losses
    total = sweep(state.samples, state, layer, neuron, source, change)  # One of the two is 0.
    total += _visit(state.samples, state, layer, neuron, source, change)
    losses[1] = losses[0] + total
    return int(losses[1])


@compiled(inline="always")
def _commit_one(state: State, layer: int, neuron: int, source: int, change: int) -> None:
    """Change a weight and its unit."""
    rows, z, lines, samples = state.rows, state.z, state.lines, state.samples
    deltas, levels, plan, form = state.deltas, state.levels, state.plan, state.form
    last = plan.shape[0] - 2
    width, count = len(rows) // plan[last + 1, SOURCE], u64(form[SAMPLES])
    levels[plan[layer, LEVEL] + source * plan[layer, SIZE] + neuron] += change
    x = u64((plan[layer, SOURCE] + source) * width)
    if layer == 0 and last > 0:
        row = u64(neuron * width)
        for s in range(u64(width)):
            z[row + s] += change * rows[x + s]
    else:
        at, size = u64(plan[layer, LINE] + neuron), u64(plan[layer, SIZE])
        for s in range(count):
            lines[at + s * size] += change * rows[x + s]
    if layer < last:
        a = u64((plan[layer + 1, SOURCE] + neuron) * width)
        for k in range(u64(plan[last + 1, FAN_IN])):
            rows[a + samples[k]] += deltas[k]
    else:
        for s in range(count):
            state.sample_losses[0, s] = state.sample_losses[1, s]


@compiled(counts=False, inner=True, forceinline=True)
def _commit_visit(
    samples: Array | None, state: State, layer: int, neuron: int, source: int, change: int
) -> None:
    """Make the latest proposal of ``_visit`` the state."""
    if samples is None:
        return
    rows, lines, part, plan = state.rows, state.lines, state.part, state.plan
    sample_losses, last = state.sample_losses, plan.shape[0] - 2
    found, reach = plan[last + 1, FAN_IN], plan[last + 1, UNITS]
    width = len(rows) // plan[last + 1, SOURCE]
    if not _commit_shared(state.ties, state, layer, neuron, source, change):
        _commit_one(state, layer, neuron, source, change)
    for m in range(layer + 1, reach + 1):
        size, at, new = plan[m, SIZE], plan[m, LINE], plan[m, NEW]
        for k in range(found):
            s = at + int(samples[u64(k)]) * size
            add_line(lines, s, part, new + k * size, 0, part, new, size)
        if m < last:
            for k in range(found):
                for j in range(plan[m, UNITS]):
                    a = (plan[m + 1, SOURCE] + j) * width
                    rows[u64(a + samples[u64(k)])] += part[u64(plan[m, DELTA] + k * size + j)]
    if reach == last:
        for k in range(u64(found)):
            sample_losses[0, samples[k]] = sample_losses[1, k]


@compiled(counts=False, inner=True, forceinline=True)
def commit(state: State, layer: int, neuron: int, source: int, change: int) -> None:
    """Make the latest proposal, with the same arguments, the state."""
    commit_sweep(state.samples, state, layer, neuron, source, change)
    _commit_visit(state.samples, state, layer, neuron, source, change)
    state.losses[0] = state.losses[1]


@compiled(counts=False, inner=True)
def _all_losses(samples: Array | None, state: State) -> int:
    """Compute the loss from the outputs, and that of each sample if samples are listed."""
    lines, plan, form, pieces = state.lines, state.plan, state.form, state.pieces
    last, count, total = plan.shape[0] - 2, form[SAMPLES], 0
    if samples is None:
        first, at = form[FIRST], plan[last, LINE]
        for s in range(count):
            margin = lines[at + s] if state.labels[s] == 1 else form[SHIFT] - lines[at + s]
            for p in range(first, pieces.shape[1]):
                if p == first or margin >= pieces[0, p]:
                    total += pieces[1, p] * margin + pieces[2, p]
        return int(total)
    sample_losses = state.sample_losses
    for s in range(u64(count)):
        samples[s], sample_losses[0, s] = s, 0
    total = _line_losses(state, lines, plan[last, LINE], count)
    for s in range(u64(count)):
        sample_losses[0, s] = sample_losses[1, s]
    return int(total)


@compiled(counts=False)
def refresh(state: State) -> int:
    """Compute everything from the weights and the inputs; return the loss."""
    rows, z, lines, part = state.rows, state.z, state.lines, state.part
    levels, clips, pieces, plan = state.levels, state.clips, state.pieces, state.plan
    losses, last, count = state.losses, plan.shape[0] - 2, state.form[SAMPLES]
    width = len(rows) // plan[last + 1, SOURCE]
    for m in range(last + 1):
        size, units, w = plan[m, SIZE], plan[m, UNITS], plan[m, LEVEL]
        if m == 0 and last > 0:
            for j in range(units):
                row = u64(j * width)
                for s in range(u64(width)):
                    z[row + s] = 0
                for i in range(plan[m, FAN_IN]):
                    weight, x = levels[w + i * size + j], u64((plan[m, SOURCE] + i) * width)
                    for s in range(u64(width)):
                        z[row + s] += weight * rows[x + s]
                a = (plan[m + 1, SOURCE] + j) * width
                activate(rows, a, z, row, count, clips, pieces, plan, m)
            continue
        at = plan[m, LINE]
        for k in range(u64(count * size)):
            lines[u64(at) + k] = 0
        for i in range(plan[m, FAN_IN]):
            x = (plan[m, SOURCE] + i) * width
            for s in range(count):
                line = at + s * size
                add_line(lines, line, lines, line, rows[u64(x + s)], levels, w + i * size, size)
        if m < last:
            activate(part, 0, lines, at, count * size, clips, pieces, plan, m)
            for j in range(units):
                a = u64((plan[m + 1, SOURCE] + j) * width)
                for s in range(u64(count)):
                    rows[a + s] = part[s * u64(size) + u64(j)]
    losses[0] = _all_losses(state.samples, state)
    return int(losses[0])
