"""Exact search of successive small blocks of weights by incremental forward passes.

A block's choices are visited in modular mixed-radix Gray code (each step moves one weight to its
next level, cyclically), so each costs one weight change.  The next state is drawn from all of them
with the heat-bath probability exp(-loss / temperature) / sum, by the Gumbel maximum: argmax of
-loss / temperature + g with g = -log(-log(u)).  At temperature zero it is the best one, with ties
drawn evenly: the exact solution of the restricted problem that frees this block.
"""

from __future__ import annotations

import math

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import assign, compiled
from solvers.kernels.incremental import Moves, change_of, commit, propose
from solvers.kernels.sweeps import State

TINY = 1e-280

WINDOW = 4
"""Levels of a wide integer that a block tries: its own and others, 2^e apart."""


@compiled(counts=False, inner=True)
def _change(
    firsts: Array,
    num_levels: Array,
    gaps: Array,
    levels: Array,
    k: int,
    start: int,
    step: int,
    old: int,
    new: int,
) -> int:
    """Return the change of weight k's level from one place of its window to another."""
    old, new = (start + step * old) % num_levels[k], (start + step * new) % num_levels[k]
    return int(change_of(firsts, gaps, levels, k, old, new))


@compiled()
def heat_bath(
    state: State,
    moves: Moves,
    rng: np.random.Generator,
    blocks: Array,
    temperatures: Array,
    gains: Array,
    best: Array,
    best_loss: float,
    goal: float,
) -> tuple[float, int]:
    """Solve the blocks in turn; write the best visited choice to ``best``.

    ``blocks`` (B, K) lists the weights of each block, -1 where it is shorter; ``temperatures`` (B,)
    has one for each.  ``gains`` (B,) receives the decrease of the loss by each block.  Ends early
    when the best loss is no more than ``goal``.  Returns the best loss and the number of choices
    that were evaluated.
    """
    layers, neurons, sources, firsts, num_levels, gaps, choices, choice = moves
    # For each weight of a block: digit of the code, place in its window, the window's start, step
    # and length, and the picked place.
    digits, at, start, step, counts, picked = np.zeros((6, blocks.shape[1]), np.int64)
    loss, evaluated = state.losses[0], 0
    for b in range(len(blocks)):
        if best_loss <= goal:
            break
        size = 0
        while size < blocks.shape[1] and blocks[b, size] >= 0:
            digits[size] = 0
            k = blocks[b, size]
            at[size], counts[size], start[size], step[size] = choice[k], num_levels[k], 0, 1
            if gaps[k] > 0 and num_levels[k] > WINDOW:
                powers = 0
                while (WINDOW << powers) < num_levels[k]:
                    powers += 1
                counts[size], step[size] = WINDOW, 1 << int(rng.random() * (powers + 1))
                at[size] = int(rng.random() * WINDOW)
                start[size] = (choice[k] - at[size] * step[size]) % num_levels[k]
            picked[size] = at[size]
            size += 1
        before, temperature = loss, max(temperatures[b], TINY)
        picked_loss = loss
        score = -loss / temperature - math.log(-math.log(rng.random() + TINY) + TINY)
        left = 1
        for d in range(size):
            left *= counts[d]
        # Visit all other choices, then move each weight to its picked place.  One loop does both,
        # because a proposal is much code, and each call of it is compiled again.
        for turn in range(1 - left, size):
            d, new, draws = turn, picked[max(turn, 0)], turn < 0
            if draws:
                d = 0
                while digits[d] == counts[d] - 1:
                    digits[d] = 0
                    d += 1
                digits[d] += 1
                new = at[d] + 1 if at[d] + 1 < counts[d] else 0
            k, old = blocks[b, d], at[d]
            if draws or new != old:
                change = _change(firsts, num_levels, gaps, choices, k, start[d], step[d], old, new)
                layer, neuron, source = layers[k], neurons[k], sources[k]
                loss, at[d], taken = propose(state, layer, neuron, source, change), new, True
                if draws:
                    evaluated += 1
                    rival = -loss / temperature - math.log(-math.log(rng.random() + TINY) + TINY)
                    taken = rival > score
                    if taken:
                        score, picked_loss = rival, loss
                        for i in range(size):
                            picked[i] = at[i]
                    if loss < best_loss:
                        best_loss = float(loss)
                        assign(best, choice)
                        for i in range(size):
                            j = blocks[b, i]
                            best[j] = (start[i] + step[i] * at[i]) % num_levels[j]
                if taken or turn < -1:
                    commit(state, layer, neuron, source, change)
                else:  # Nothing follows the last choice: stay at the one before.
                    at[d] = old
            if not draws:
                choice[k] = (start[d] + step[d] * new) % num_levels[k]
        loss = picked_loss
        gains[b] = before - loss
    return best_loss, evaluated


@compiled()
def visit(state: State, moves: Moves, weights: Array, places: Array, stay: bool) -> Array:
    """Compute the losses as each of some weights in turn takes the level at a place of its list.

    With ``stay`` they keep it; otherwise each returns before the next one moves.
    """
    layers, neurons, sources, firsts, _, gaps, choices, choice = moves
    out = np.zeros(len(weights))
    for i in range(len(weights)):
        k = weights[i]
        change = change_of(firsts, gaps, choices, k, choice[k], places[i])
        layer, neuron, source = layers[k], neurons[k], sources[k]
        out[i] = propose(state, layer, neuron, source, change)
        if stay:
            commit(state, layer, neuron, source, change)
            choice[k] = places[i]
    return out
