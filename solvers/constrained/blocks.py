"""Exact search of small blocks of weights in which constraints take precedence over the loss.

It works like :mod:`solvers.kernels.blocks`, but once nothing is violated, only choices of a block
without violations are candidates: no step violates a constraint again.  Until then, the next state
is drawn by its violation and its loss, each at its own temperature.  Choices are visited in
Gray-code order by their rows, which are cheap; boxes and the loss are updated only if a choice is a
candidate.
"""

from __future__ import annotations

import math

import numpy as np

from formulations.arrays import Array
from formulations.constraints.right import WRONG
from solvers.constrained.guard import BOXES, PATHS, ROWS, Guard, judge, move_boxes, move_rows
from solvers.kernels.blocks import TINY, WINDOW
from solvers.kernels.compiled import assign, compiled
from solvers.kernels.incremental import Moves, change_of, commit, propose
from solvers.kernels.sweeps import State


@compiled()
def guarded_heat_bath(
    state: State,
    moves: Moves,
    guard: Guard,
    rng: np.random.Generator,
    blocks: Array,
    temperatures: Array,
    gains: Array,
    best: Array,
    best_broken: int,
    best_loss: float,
    goal: float,
) -> tuple[int, float, int]:
    """Solve the blocks in turn; write the best visited choice to ``best``.

    Arguments are those of ``solvers.kernels.blocks.heat_bath``.  ``gains`` (B,) receives the
    decrease of the loss by each block, or 1 for each unit of violation that it removed.  Returns
    the violation and the loss of the best choice, and the number of losses evaluated.
    """
    layers, neurons, sources, firsts, num_levels, gaps, choices, choice = moves
    # For each weight of a block: digit of the code; places in its window of the code, the boxes,
    # the loss and the pick; the window's start, step and length.
    digits, at, turned, boxed, valued, start, step, counts, picked = np.zeros(
        (9, blocks.shape[1]), np.int64
    )
    totals, has_boxes = guard.totals, guard.asked.shape[1] > 0
    loss, evaluated = state.losses[0], 0
    for b in range(len(blocks)):
        if best_broken == 0 and best_loss <= goal:
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
            picked[size] = boxed[size] = valued[size] = turned[size] = at[size]
            size += 1
        before, temperature = loss, max(temperatures[b], TINY)
        begun = broken = totals[ROWS] + totals[PATHS] + totals[BOXES]
        left = 1
        for d in range(size):
            left *= counts[d]
        most = 0  # largest violation of a candidate: a tenth more than now, and three units
        if begun > 0:
            most = begun + 3 * (WRONG if has_boxes else 1) + int(0.1 * begun)
        # More choices need a lower temperature, or the many bad ones outweigh the few good ones.
        mending = guard.heat[0] / (1.0 + math.log(left))
        score = -begun / mending - loss / temperature
        score -= math.log(-math.log(rng.random() + TINY) + TINY)
        while left > 0:
            left -= 1
            if left > 0:
                d = 0
                while digits[d] == counts[d] - 1:
                    digits[d] = 0
                    d += 1
                digits[d] += 1
                turned[d] = at[d] + 1 if at[d] + 1 < counts[d] else 0
            else:  # finally, move to the pick
                for i in range(size):
                    turned[i] = picked[i]
            for i in range(size):
                if at[i] != turned[i]:
                    k = blocks[b, i]
                    old = (start[i] + step[i] * at[i]) % num_levels[k]
                    new = (start[i] + step[i] * turned[i]) % num_levels[k]
                    change = change_of(firsts, gaps, choices, k, old, new)
                    move_rows(guard, k, layers[k], old, new, change)
                    at[i] = turned[i]
            now = totals[ROWS] + totals[PATHS]
            if left > 0 and now > most:
                continue
            if has_boxes:
                for i in range(size):
                    if boxed[i] != at[i]:
                        k = blocks[b, i]
                        old = (start[i] + step[i] * boxed[i]) % num_levels[k]
                        new = (start[i] + step[i] * at[i]) % num_levels[k]
                        change = change_of(firsts, gaps, choices, k, old, new)
                        move_boxes(guard, k, layers[k], change)
                        boxed[i] = at[i]
                now += judge(guard)
                if left > 0 and now > most:
                    continue
            for i in range(size):
                if valued[i] != at[i]:
                    k = blocks[b, i]
                    old = (start[i] + step[i] * valued[i]) % num_levels[k]
                    new = (start[i] + step[i] * at[i]) % num_levels[k]
                    change = change_of(firsts, gaps, choices, k, old, new)
                    layer, neuron, source = layers[k], neurons[k], sources[k]
                    loss = propose(state, layer, neuron, source, change)
                    commit(state, layer, neuron, source, change)
                    valued[i] = at[i]
            if left == 0:
                break
            evaluated += 1
            rival = -now / mending - loss / temperature
            rival -= math.log(-math.log(rng.random() + TINY) + TINY)
            if (now == 0 and most > 0) or rival > score:
                broken, score = now, rival
                most = most if now > 0 else 0
                for i in range(size):
                    picked[i] = at[i]
            if now < best_broken or (now == best_broken and loss < best_loss):
                best_broken, best_loss = now, float(loss)
                assign(best, choice)
                for i in range(size):
                    k = blocks[b, i]
                    best[k] = (start[i] + step[i] * at[i]) % num_levels[k]
        for i in range(size):
            k = blocks[b, i]
            choice[k] = (start[i] + step[i] * picked[i]) % num_levels[k]
        gains[b] = before - loss if broken == begun else begun - broken
    return best_broken, best_loss, evaluated
