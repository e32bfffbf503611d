"""Random trained networks of every kind."""

from __future__ import annotations

import numpy as np

from formulations import Network, TrainingProblem
from qnn.data.datasets import level_values
from qnn.export import TrainedModel

ACTIVATIONS = ["sign", "hard-tanh", "relu", "tanh", "sigmoid"]
CODES = ["bipolar", "ternary", "uniform:2", "uniform:3", "codebook:-4,-1,1,4", "codebook:-0.5,0,2"]
KINDS = [(a, w, b) for a in ACTIVATIONS for w in CODES for b in (False, True, "uniform:3")]


def random_model(
    widths: tuple[int, ...],
    activation: str = "sign",
    weights: str = "bipolar",
    bias: bool | str = True,
    levels: int | None = 2,
    seed: int = 0,
) -> TrainedModel:
    """A network with random weights, and thresholds where there are levels."""
    rng = np.random.default_rng(seed)
    network = Network.dense(widths, activation, weights, bias)
    values = np.arange(-9, 10) if levels is None else level_values(levels)
    X = rng.choice(values, (200, widths[0]))
    y = rng.integers(0, widths[-1], 200) if widths[-1] > 1 else rng.choice([-1, 1], 200)
    problem = TrainingProblem(network, X, y)
    bits = problem.repair_bits(rng.integers(0, 2, (1, network.num_weight_bits)))[0]
    return TrainedModel(
        network,
        problem.weights_from_bits(bits),
        None if levels is None else np.sort(rng.normal(size=(levels - 1, widths[0])), axis=0),
        span=(-9, 9, 1) if levels is None else None,
    )


def random_inputs(model: TrainedModel, count: int = 1000, seed: int = 1) -> np.ndarray:
    """Inputs on the lattice of a model."""
    assert model.span is not None
    low, high, step = model.span
    values = np.arange(low, high + 1, step)
    return np.random.default_rng(seed).choice(values, (count, model.num_inputs))
