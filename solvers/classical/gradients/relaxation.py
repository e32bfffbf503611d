"""Real relaxation of a training problem: same network and loss, trained by gradients."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import FloatArray
from solvers.classical.gradients.latent_stack import LatentStack
from solvers.classical.gradients.objectives import NetworkObjective
from solvers.run.stopping import Over, never


def best_relaxation(
    problem: TrainingProblem,
    rng: np.random.Generator,
    rates: Sequence[float],
    train: Callable[[NetworkObjective, float, np.random.Generator], None],
    over: Over = never,
) -> list[FloatArray]:
    """Train the network with real weights once per learning rate; return the best weights.

    Parameters
    ----------
    problem : TrainingProblem
    rng : Generator
    rates : sequence of float
    train : callable
        Trains an objective's weights in place at a learning rate, with a generator for the order of
        the samples.
    over : callable
        Says if the time is up; the remaining learning rates are then skipped.

    Returns
    -------
    list of ndarray of float64, shape (n_l, n_{l-1} + 1)
        Weights in units of the levels, thresholds last.
    """
    best: list[FloatArray] = []
    least = np.inf
    for rate, stream in zip(rates, rng.spawn(len(rates)), strict=True):
        stack = LatentStack(problem, 1, stream, rounded=False, rise=1.0)
        train(NetworkObjective(stack, problem.X, np.arange(problem.num_samples)), rate, stream)
        loss, weights = stack.best_real_weights()
        if not best or loss < least:
            best, least = weights, loss
        if over():
            break
    return best
