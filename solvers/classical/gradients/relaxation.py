"""A training problem with real weights: the same network, the same loss, gradients."""

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
    """Real weights of the problem's network: the best of one trained at each learning rate.

    Parameters
    ----------
    problem : TrainingProblem
    rng : Generator
    rates : sequence of float
    train : callable
        Trains the weights of an objective, in place, at a learning rate, with an order of the
        samples.
    over : callable
        Leaves out the other learning rates where it says that the time is up.

    Returns
    -------
    list of ndarray of float64, shape (n_l, n_{l-1} + 1)
        In units of the levels, thresholds last.
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
