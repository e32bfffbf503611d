"""Walks over the weights of a network by its incremental loss: annealing and enumeration."""

from __future__ import annotations

import math

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import assign, compiled
from solvers.kernels.incremental import Moves, change_of, commit, propose
from solvers.kernels.sweeps import State

FEW = 4
"""Up to this many levels of an integer are drawn evenly."""


@compiled(counts=False, inner=True)
def another_place(rng: np.random.Generator, place: int, num_levels: int, gap: int) -> int:
    """Draw another level's number: any, or for a wide integer one that is 2^e away.

    ``gap`` is that of :class:`Moves`.  The power and the direction are drawn evenly, and levels are
    cyclic, so a move and its reverse are equally likely.
    """
    if num_levels == 2:
        return 1 - place
    if gap == 0 or num_levels <= FEW:
        return (place + 1 + int(rng.random() * (num_levels - 1))) % num_levels
    powers = 0
    while (1 << powers) < num_levels:
        powers += 1
    drawn = int(rng.random() * (2 * powers))
    step = 1 << (drawn >> 1)
    return (place + (step if drawn & 1 else num_levels - step)) % num_levels


@compiled(counts=False, inner=True)
def _term(linear_term: Array, k: int, place: int, gap: int) -> float:
    """Return the linear term of a weight at one of its levels."""
    if gap == 0:
        return float(linear_term[k, place])
    total, b = 0.0, 0
    while place >> b > 0:
        total += linear_term[k, b] * ((place >> b) & 1)
        b += 1
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
    """Run Metropolis steps at a falling temperature; write the best visited choice to ``best``.

    One flip moves one weight, drawn uniformly, to another of its levels, drawn uniformly, and is
    kept with probability min(1, exp(-change of the loss / temperature)).  Ends early when the best
    loss is no more than ``goal``.  Returns the best loss, the number of flips proposed, and the sum
    of their |change of the loss|.
    """
    layers, neurons, sources, firsts, num_levels, gaps, choices, choice = moves
    loss, spread, proposals = state.losses[0], 0.0, 0
    for _ in range(flips):
        if best_loss <= goal:
            break
        k = int(rng.random() * len(layers))
        old = choice[k]
        new = another_place(rng, old, num_levels[k], gaps[k])
        change = change_of(firsts, gaps, choices, k, old, new)
        layer, neuron, source = layers[k], neurons[k], sources[k]
        proposed = propose(state, layer, neuron, source, change)
        proposals += 1
        rise = float(proposed - loss)
        spread += abs(rise)
        if rise <= 0 or rng.random() < math.exp(-rise / temperature):
            commit(state, layer, neuron, source, change)
            choice[k] = new
            loss = proposed
            if loss < best_loss:
                best_loss = float(loss)
                assign(best, choice)
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
    """Visit up to ``steps`` choices, each one level from the previous one.

    Reflected mixed-radix Gray code by focus pointers (Knuth, TAOCP 4A, 7.2.1.1, algorithm H), from
    choice 0 for every weight; weight 0 changes most often.  ``focus`` (K + 1,) starts as 0 ..  K
    and ``direction`` (K,) as ones.  Returns the best loss, and whether all choices have been
    visited.
    """
    layers, neurons, sources, firsts, num_levels, gaps, choices, choice = moves
    for _ in range(steps):
        if best_loss <= goal:
            break
        k = focus[0]
        if k == len(layers):
            return best_loss, True
        focus[0] = 0
        new = choice[k] + direction[k]
        change = change_of(firsts, gaps, choices, k, choice[k], new)
        layer, neuron, source = layers[k], neurons[k], sources[k]
        loss = propose(state, layer, neuron, source, change)
        commit(state, layer, neuron, source, change)
        choice[k] = new
        if new == 0 or new == num_levels[k] - 1:
            direction[k] = -direction[k]
            focus[k] = focus[k + 1]
            focus[k + 1] = k + 1
        if loss < best_loss:
            best_loss = float(loss)
            assign(best, choice)
    return best_loss, False


@compiled()
def anneal_with_linear_term(
    state: State,
    moves: Moves,
    linear_term: Array,
    rng: np.random.Generator,
    flips: int,
    temperature: float,
    cooling: float,
    best: Array,
    best_value: float,
) -> tuple[float, float, float]:
    """Run Metropolis steps by the loss plus ``linear_term``; write the best choice to ``best``.

    ``linear_term`` (K, L) is the linear term of every weight at each of its levels, for an integer
    that of each of its bits; otherwise like ``anneal``.  ``best`` has ``best_value`` so far,
    infinity for none.  Returns the best value, the mean |change of the value| of a flip, and the
    temperature of the next flip.
    """
    layers, neurons, sources, firsts, num_levels, gaps, choices, choice = moves
    loss, spread = state.losses[0], 0.0
    value = float(loss)
    for k in range(len(layers)):
        value += _term(linear_term, k, choice[k], gaps[k])
    if value < best_value:
        assign(best, choice)
        best_value = value
    for _ in range(flips):
        k = int(rng.random() * len(layers))
        old = choice[k]
        new = another_place(rng, old, num_levels[k], gaps[k])
        change = change_of(firsts, gaps, choices, k, old, new)
        layer, neuron, source = layers[k], neurons[k], sources[k]
        proposed = propose(state, layer, neuron, source, change)
        rise = (
            proposed
            - loss
            + _term(linear_term, k, new, gaps[k])
            - _term(linear_term, k, old, gaps[k])
        )
        spread += abs(rise)
        if rise <= 0 or rng.random() < math.exp(-rise / temperature):
            commit(state, layer, neuron, source, change)
            choice[k] = new
            loss = proposed
            value += rise
            if value < best_value:
                best_value = value
                assign(best, choice)
        temperature *= cooling
    return best_value, spread / max(1, flips), temperature
