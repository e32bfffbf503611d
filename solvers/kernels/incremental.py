"""The loss of a network after a change of one weight, from what the change touches only.

Every row holds one number per sample, in the smallest integer type that fits, so that each step is
one vectorised sweep.  Changing weight (j, i) of layer l by d levels makes

    z_l[j] += d a_{l-1}[i],    D_l[j] = act(z_l[j]) - a_l[j],
    z_m    += W_m D_{m-1},     D_m    = act(z_m) - a_m           for m > l,

and a D that is zero on all samples ends its branch.  :func:`propose` writes new values to scratch
rows and returns the new loss; :func:`commit` makes them the state.  A rejected proposal therefore
costs nothing to undo, and no error builds up: the loss is summed over the samples every time.

Arrays go from function to function one by one, rows by number, and everything is inlined: counting
the references of tuples and views would take longer than the sweeps.  All compiled functions are in
this one file, since a cached one is compiled again only when its own file changes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import compiled

FAN_IN, A, Z, Z_NEW, DELTA, LEVEL, PIECE, NUM_DIRTY = range(8)
"""Columns of ``plan``, a line per layer: number of inputs; first row of the inputs, of the
pre-activations, of their scratch and of the activations' change; first weight; first piece; length
of the list of dirty neurons (in the line after the last layer: last layer that was touched)."""


class State(NamedTuple):
    """A network on all samples; T is int16, int32 or int64, L the number of layers, C of outputs.

    The losses in here are in units of their own, see ``Landscape``.  The form of the loss is told
    by which of ``target`` and ``table`` is not empty: (z - target)^2, a table, or, if both are,
    pieces of the margin shift + sign * z.

    Parameters
    ----------
    rows : ndarray of T, shape (R, N)
        Everything that has a value per sample.  The inputs of a layer with thresholds end in a
        constant row.  Last come C rows of sign, C rows of shift and two of scratch.
    levels : ndarray of T
        Weight levels, each layer's matrix (outputs, inputs) row-major.
    pieces : ndarray of T, shape (3, P)
        Start of each piece of each activation, and by how much slope and intercept change there;
        those of the loss come last.
    plan : ndarray of int64, shape (L + 1, 8)
        Where things are, see the columns above; the last line ends the lists.
    dirty : ndarray of int64, shape (L, widest layer)
        Scratch: neurons of each layer whose activation the proposal changes.
    target : ndarray of float64, shape (C, samples) or (C, 0)
    table : ndarray of float64, shape (T,) or (0,)
        Loss tables, one after the other.
    start : ndarray of int64, shape (C, samples) or (C, 0)
        Where in ``table`` the loss at z = 0 is.
    losses : ndarray of float64, shape (2, C)
        Loss of each output in the state, and after the proposal.
    """

    rows: Array
    levels: Array
    pieces: Array
    plan: Array
    dirty: Array
    target: Array
    table: Array
    start: Array
    losses: Array


class Moves(NamedTuple):
    """The weights that may change, and to which levels.

    Weight k is (neuron[k], source[k]) of layer[k]; its levels are
    ``levels[first[k] : first[k] + num_levels[k]]``, of which number ``choice[k]`` is set.
    """

    layer: Array
    neuron: Array
    source: Array
    first: Array
    num_levels: Array
    levels: Array
    choice: Array


# -- sweeps over the samples ----------------------------------------------------------------------


@compiled(inline="always")
def _add(rows: Array, out: int, x: int, factor: int, y: int) -> None:
    """out = x + factor y."""
    for s in range(rows.shape[1]):
        rows[out, s] = rows[x, s] + factor * rows[y, s]


@compiled(inline="always")
def _apply_pieces(rows: Array, z: int, pieces: Array, first: int, last: int, out: int) -> None:
    """out = sum over the pieces p that z has reached of slope_p z + intercept_p."""
    slope, intercept = pieces[1, first], pieces[2, first]
    for s in range(rows.shape[1]):
        rows[out, s] = slope * rows[z, s] + intercept
    for p in range(first + 1, last):
        start, slope, intercept = pieces[0, p], pieces[1, p], pieces[2, p]
        for s in range(rows.shape[1]):
            reached = 1 if rows[z, s] >= start else 0
            rows[out, s] += reached * (slope * rows[z, s] + intercept)


@compiled(inline="always")
def _subtract(rows: Array, out: int, y: int) -> bool:
    """out -= y; return whether anything is left."""
    rest = 0
    for s in range(rows.shape[1]):
        rows[out, s] -= rows[y, s]
        rest |= rows[out, s]
    return rest != 0


@compiled(inline="always")
def _margin_loss(rows: Array, z: int, sign: int, shift: int, pieces: Array, first: int) -> float:
    """Sum of the pieces of shift + sign * z."""
    margin, value, total = rows.shape[0] - 2, rows.shape[0] - 1, 0
    for s in range(rows.shape[1]):
        rows[margin, s] = rows[shift, s] + rows[sign, s] * rows[z, s]
    _apply_pieces(rows, margin, pieces, first, pieces.shape[1], value)
    for s in range(rows.shape[1]):
        total += rows[value, s]
    return float(total)


@compiled(fastmath={"reassoc"})
def _table_loss(rows: Array, z: int, table: Array, start: Array, output: int) -> float:
    """Sum of table[start + z]."""
    total = 0.0
    for s in range(start.shape[1]):
        total += table[start[output, s] + rows[z, s]]
    return total


@compiled(fastmath={"reassoc"})
def _squared_loss(rows: Array, z: int, target: Array, output: int) -> float:
    """Sum of (z - target)^2."""
    total = 0.0
    for s in range(target.shape[1]):
        rest = float(rows[z, s]) - target[output, s]
        total += rest * rest
    return total


# -- one change of a weight -----------------------------------------------------------------------


@compiled(inline="always")
def _activate(rows: Array, pieces: Array, plan: Array, layer: int, neuron: int) -> bool:
    """Write the change of one hidden neuron's activation; return whether there is any."""
    delta = plan[layer, DELTA] + neuron
    first, last = plan[layer, PIECE], plan[layer + 1, PIECE]
    _apply_pieces(rows, plan[layer, Z_NEW] + neuron, pieces, first, last, delta)
    return bool(_subtract(rows, delta, plan[layer + 1, A] + neuron))


@compiled(inline="always")
def _propagate(
    rows: Array, levels: Array, pieces: Array, plan: Array, dirty: Array, layer: int
) -> None:
    """z_new = z + W D of one layer from the dirty neurons before it, then its own dirty list."""
    count = 0
    for j in range(plan[layer + 1, Z] - plan[layer, Z]):
        z, z_new = plan[layer, Z] + j, plan[layer, Z_NEW] + j
        for k in range(plan[layer - 1, NUM_DIRTY]):
            i = dirty[layer - 1, k]
            weight = levels[plan[layer, LEVEL] + j * plan[layer, FAN_IN] + i]
            _add(rows, z_new, z if k == 0 else z_new, weight, plan[layer - 1, DELTA] + i)
        if layer < plan.shape[0] - 2 and _activate(rows, pieces, plan, layer, j):
            dirty[layer, count] = j
            count += 1
    plan[layer, NUM_DIRTY] = count


@compiled(inline="always")
def _measure(
    rows: Array,
    pieces: Array,
    plan: Array,
    target: Array,
    table: Array,
    start: Array,
    losses: Array,
    first: int,
    stop: int,
) -> None:
    """Write the losses of outputs first .. stop - 1 that follow from z_new."""
    last = plan.shape[0] - 2
    shift = rows.shape[0] - 2 - losses.shape[1]
    sign, piece = shift - losses.shape[1], plan[last, PIECE]
    for c in range(first, stop):
        z = plan[last, Z_NEW] + c
        if target.shape[1] > 0:
            losses[1, c] = _squared_loss(rows, z, target, c)
        elif len(table) > 0:
            losses[1, c] = _table_loss(rows, z, table, start, c)
        else:
            losses[1, c] = _margin_loss(rows, z, sign + c, shift + c, pieces, piece)


@compiled(inline="always")
def propose(
    rows: Array,
    levels: Array,
    pieces: Array,
    plan: Array,
    dirty: Array,
    target: Array,
    table: Array,
    start: Array,
    losses: Array,
    layer: int,
    neuron: int,
    source: int,
    change: int,
) -> float:
    """Loss after weight (neuron, source) of ``layer`` has changed by ``change`` levels."""
    last, outputs, reach = plan.shape[0] - 2, losses.shape[1], layer
    z, z_new = plan[layer, Z] + neuron, plan[layer, Z_NEW] + neuron
    _add(rows, z_new, z, change, plan[layer, A] + source)
    if layer < last:
        dirty[layer, 0] = neuron
        plan[layer, NUM_DIRTY] = 1 if _activate(rows, pieces, plan, layer, neuron) else 0
        while reach < last and plan[reach, NUM_DIRTY] > 0:
            reach += 1
            _propagate(rows, levels, pieces, plan, dirty, reach)
    plan[last + 1, NUM_DIRTY] = reach
    for c in range(outputs):
        losses[1, c] = losses[0, c]
    first = neuron if layer == last else 0
    stop = neuron + 1 if layer == last else outputs * (reach == last)
    _measure(rows, pieces, plan, target, table, start, losses, first, stop)
    total = 0.0
    for c in range(outputs):
        total += losses[1, c]
    return total


@compiled(inline="always")
def commit(
    rows: Array,
    levels: Array,
    plan: Array,
    dirty: Array,
    losses: Array,
    layer: int,
    neuron: int,
    source: int,
    change: int,
) -> None:
    """Make the latest proposal, which had these arguments, the state."""
    last = plan.shape[0] - 2
    levels[plan[layer, LEVEL] + neuron * plan[layer, FAN_IN] + source] += change
    for m in range(layer, plan[last + 1, NUM_DIRTY] + 1):
        first = neuron if m == layer else 0
        stop = neuron + 1 if m == layer else plan[m + 1, Z] - plan[m, Z]
        for j in range(first, stop):
            _add(rows, plan[m, Z] + j, plan[m, Z_NEW] + j, 0, plan[m, Z_NEW] + j)
        if m < last:
            for k in range(plan[m, NUM_DIRTY]):
                a = plan[m + 1, A] + dirty[m, k]
                _add(rows, a, a, 1, plan[m, DELTA] + dirty[m, k])
    for c in range(losses.shape[1]):
        losses[0, c] = losses[1, c]


# -- walks ----------------------------------------------------------------------------------------


@compiled()
def refresh(state: State) -> float:
    """Compute everything from the weights and the inputs; return the loss."""
    rows, levels, pieces, plan, _, target, table, start, losses = state
    last, total = plan.shape[0] - 2, 0.0
    for m in range(last + 1):
        for j in range(plan[m + 1, Z] - plan[m, Z]):
            z = plan[m, Z] + j
            _add(rows, z, z, -1, z)
            for i in range(plan[m, FAN_IN]):
                weight = levels[plan[m, LEVEL] + j * plan[m, FAN_IN] + i]
                _add(rows, z, z, weight, plan[m, A] + i)
            _add(rows, plan[m, Z_NEW] + j, z, 0, z)
            if m < last:
                first, stop = plan[m, PIECE], plan[m + 1, PIECE]
                _apply_pieces(rows, z, pieces, first, stop, plan[m + 1, A] + j)
    _measure(rows, pieces, plan, target, table, start, losses, 0, losses.shape[1])
    for c in range(losses.shape[1]):
        losses[0, c] = losses[1, c]
        total += losses[0, c]
    return total


@compiled()
def anneal(
    state: State,
    moves: Moves,
    rng: np.random.Generator,
    flips: int,
    temperature: float,
    cooling: float,
    best: Array,
    best_loss: float,
    goal: float,
) -> tuple[float, int, float]:
    """Metropolis steps at a falling temperature; the best visited choice goes to ``best``.

    One flip moves one weight, drawn uniformly, to another of its levels, drawn uniformly, and is
    kept with probability min(1, exp(-change of the loss / temperature)).  Ends early when the best
    loss is no more than ``goal``.  Returns the best loss, the number of flips proposed, and the sum
    of their |change of the loss|.
    """
    rows, levels, pieces, plan, dirty, target, table, start, losses = state
    layers, neurons, sources, firsts, num_levels, choices, choice = moves
    loss, spread, proposals = 0.0, 0.0, 0
    for c in range(losses.shape[1]):
        loss += losses[0, c]
    for _ in range(flips):
        if best_loss <= goal:
            break
        k = int(rng.random() * len(layers))
        old, new = choice[k], 1 - choice[k]
        if num_levels[k] > 2:
            new = (old + 1 + int(rng.random() * (num_levels[k] - 1))) % num_levels[k]
        change = choices[firsts[k] + new] - choices[firsts[k] + old]
        layer, neuron, source = layers[k], neurons[k], sources[k]
        proposed = propose(
            rows, levels, pieces, plan, dirty, target, table, start, losses,
            layer, neuron, source, change,
        )  # fmt: skip
        proposals += 1
        rise = proposed - loss
        spread += abs(rise)
        if rise <= 0 or rng.random() < math.exp(-rise / temperature):
            commit(rows, levels, plan, dirty, losses, layer, neuron, source, change)
            choice[k] = new
            loss = proposed
            if loss < best_loss:
                best_loss = loss
                best[:] = choice
        temperature *= cooling
    return best_loss, proposals, spread


@compiled()
def enumerate_choices(
    state: State,
    moves: Moves,
    focus: Array,
    direction: Array,
    steps: int,
    best: Array,
    best_loss: float,
    goal: float,
) -> tuple[float, bool]:
    """Visit up to ``steps`` choices, each one level away from the one before.

    Reflected mixed-radix Gray code by focus pointers (Knuth, TAOCP 4A, 7.2.1.1, algorithm H), from
    the choice 0 everywhere; weight 0 changes most often.  ``focus`` (K + 1,) starts as 0 .. K and
    ``direction`` (K,) as ones.  Returns the best loss, and whether all choices have been visited.
    """
    rows, levels, pieces, plan, dirty, target, table, start, losses = state
    layers, neurons, sources, firsts, num_levels, choices, choice = moves
    for _ in range(steps):
        if best_loss <= goal:
            break
        k = focus[0]
        if k == len(layers):
            return best_loss, True
        focus[0] = 0
        new = choice[k] + direction[k]
        change = choices[firsts[k] + new] - choices[firsts[k] + choice[k]]
        layer, neuron, source = layers[k], neurons[k], sources[k]
        loss = propose(
            rows, levels, pieces, plan, dirty, target, table, start, losses,
            layer, neuron, source, change,
        )  # fmt: skip
        commit(rows, levels, plan, dirty, losses, layer, neuron, source, change)
        choice[k] = new
        if new == 0 or new == num_levels[k] - 1:
            direction[k] = -direction[k]
            focus[k] = focus[k + 1]
            focus[k + 1] = k + 1
        if loss < best_loss:
            best_loss = loss
            best[:] = choice
    return best_loss, False
