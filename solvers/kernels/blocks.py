"""Exact search of small blocks of weights, one after the other, by incremental forward passes.

A block's choices are visited in modular mixed-radix Gray code (each step moves one weight to its
next level, cyclically), so that each costs one change of a weight.  The next state is drawn from
all of them with the heat-bath probability exp(-loss / temperature) / sum, by the Gumbel maximum:
argmax of -loss / temperature + g with g = -log(-log(u)).  At temperature zero it is the best one,
ties drawn evenly, which is the exact answer of the restricted problem that frees this block.
"""

from __future__ import annotations

import math

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import compiled
from solvers.kernels.incremental import Moves, State, commit, propose

TINY = 1e-300


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
    """Solve block after block; the best visited choice goes to ``best``.

    ``blocks`` (B, K) lists the weights of each block, -1 where it is shorter; ``temperatures`` (B,)
    is one for each.  ``gains`` (B,) receives by how much each block lowered the loss.  Ends early
    when the best loss is no more than ``goal``.  Returns the best loss and the number of choices
    that were evaluated.
    """
    rows, levels, pieces, plan, dirty, target, table, start, losses = state
    layers, neurons, sources, firsts, counts, choices, choice = moves
    widest = blocks.shape[1]
    digits, at = np.zeros(widest, np.int64), np.zeros(widest, np.int64)
    picked = np.zeros(widest, np.int64)
    loss, evaluated = 0.0, 0
    for c in range(losses.shape[1]):
        loss += losses[0, c]
    for b in range(len(blocks)):
        if best_loss <= goal:
            break
        size = 0
        while size < widest and blocks[b, size] >= 0:
            digits[size] = 0
            at[size] = choice[blocks[b, size]]
            picked[size] = at[size]
            size += 1
        before, temperature = loss, max(temperatures[b], TINY)
        picked_loss = loss
        score = -loss / temperature - math.log(-math.log(rng.random() + TINY) + TINY)
        left = 1
        for d in range(size):
            left *= counts[blocks[b, d]]
        while left > 1:
            left -= 1
            d = 0
            while digits[d] == counts[blocks[b, d]] - 1:
                digits[d] = 0
                d += 1
            digits[d] += 1
            k = blocks[b, d]
            new = at[d] + 1 if at[d] + 1 < counts[k] else 0
            change = choices[firsts[k] + new] - choices[firsts[k] + at[d]]
            layer, neuron, source = layers[k], neurons[k], sources[k]
            loss = propose(
                rows, levels, pieces, plan, dirty, target, table, start, losses,
                layer, neuron, source, change,
            )  # fmt: skip
            evaluated += 1
            old, at[d] = at[d], new
            rival = -loss / temperature - math.log(-math.log(rng.random() + TINY) + TINY)
            taken = rival > score
            if taken:
                score, picked_loss = rival, loss
                for i in range(size):
                    picked[i] = at[i]
            if loss < best_loss:
                best_loss = loss
                best[:] = choice
                for i in range(size):
                    best[blocks[b, i]] = at[i]
            if left > 1 or taken:
                commit(rows, levels, plan, dirty, losses, layer, neuron, source, change)
            else:  # nothing follows from the last choice: stay at the one before
                at[d] = old
        for d in range(size):
            k = blocks[b, d]
            if picked[d] != at[d]:
                change = choices[firsts[k] + picked[d]] - choices[firsts[k] + at[d]]
                layer, neuron, source = layers[k], neurons[k], sources[k]
                propose(
                    rows, levels, pieces, plan, dirty, target, table, start, losses,
                    layer, neuron, source, change,
                )  # fmt: skip
                commit(rows, levels, plan, dirty, losses, layer, neuron, source, change)
            choice[k] = picked[d]
        loss = picked_loss
        gains[b] = before - loss
    return best_loss, evaluated


@compiled()
def visit(state: State, moves: Moves, weights: Array, places: Array, stay: bool) -> Array:
    """Losses as some weights, one after the other, take the level at a place of their list.

    With ``stay`` they keep it; without it each goes back before the next one moves.
    """
    rows, levels, pieces, plan, dirty, target, table, start, losses = state
    layers, neurons, sources, firsts, _, choices, choice = moves
    out = np.zeros(len(weights))
    for i in range(len(weights)):
        k = weights[i]
        change = choices[firsts[k] + places[i]] - choices[firsts[k] + choice[k]]
        layer, neuron, source = layers[k], neurons[k], sources[k]
        out[i] = propose(
            rows, levels, pieces, plan, dirty, target, table, start, losses,
            layer, neuron, source, change,
        )  # fmt: skip
        if stay:
            commit(rows, levels, plan, dirty, losses, layer, neuron, source, change)
            choice[k] = places[i]
    return out
