"""Problems of the tests of hedging."""

from __future__ import annotations

import numpy as np

from formulations import Network, TrainingProblem


def noisy(seed: int, widths: tuple[int, ...] = (4, 2, 1), samples: int = 20) -> TrainingProblem:
    """A random teacher's labels, one in ten of them wrong; inputs can cancel."""
    rng = np.random.default_rng(seed)
    network = Network.dense(widths, activation="sign")
    X = rng.integers(-2, 3, (samples, widths[0]))
    teacher = TrainingProblem(network, X, np.ones(samples))
    out = teacher.pre_activations(rng.integers(0, 2, (1, network.num_weight_bits)))[-1][0, :, 0]
    y = np.where(out >= 0, 1, -1) * np.where(rng.random(samples) < 0.1, -1, 1)
    return TrainingProblem(network, X, y)
