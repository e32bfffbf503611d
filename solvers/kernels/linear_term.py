"""Simulated annealing of the weights by the loss plus a linear term."""

from __future__ import annotations

import math

import numpy as np

from formulations.arrays import Array
from solvers.kernels.compiled import compiled
from solvers.kernels.incremental import Moves, State, commit, propose


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
    """Metropolis steps by the loss plus ``linear_term``; the best visited choice goes to ``best``.

    ``linear_term`` (K, L) is the linear term of every weight at each of its levels; otherwise as
    ``anneal``.  ``best`` has ``best_value`` so far; infinity: none.  Returns the best value, the
    mean |change of the value| of a flip, and the temperature that the next flip would have.
    """
    rows, levels, pieces, plan, dirty, target, table, start, losses = state
    layers, neurons, sources, firsts, num_levels, choices, choice = moves
    value, spread = 0.0, 0.0
    for c in range(losses.shape[1]):
        value += losses[0, c]
    loss = value
    for k in range(len(layers)):
        value += linear_term[k, choice[k]]
    if value < best_value:
        best[:] = choice
        best_value = value
    for _ in range(flips):
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
        rise = proposed - loss + linear_term[k, new] - linear_term[k, old]
        spread += abs(rise)
        if rise <= 0 or rng.random() < math.exp(-rise / temperature):
            commit(rows, levels, plan, dirty, losses, layer, neuron, source, change)
            choice[k] = new
            loss = proposed
            value += rise
            if value < best_value:
                best_value = value
                best[:] = choice
        temperature *= cooling
    return best_value, spread / max(1, flips), temperature
