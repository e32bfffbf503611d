"""Random trained networks of every kind."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from formulations import Network, TrainingProblem
from qnn.data.levels import level_values
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
    bits = problem.repair_bits(rng.integers(0, 2, (1, problem.network.num_weight_bits)))[0]
    return TrainedModel(
        problem.network,
        problem.weights_from_bits(bits),
        None if levels is None else np.sort(rng.normal(size=(levels - 1, widths[0])), axis=0),
        span=(-9, 9, 1) if levels is None else None,
    )


def drawn_model(seed: int) -> TrainedModel:
    """A network of random depth, codes, thresholds, activation and raw inputs: nothing is usual."""
    rng = np.random.default_rng(seed)
    levels = int(rng.choice([2, 3, 4, 8, 16]))
    raw = ["real", "whole", "pixels", "image", "thermometer"][seed % 5]
    columns = 16 if raw == "image" else 4 * int(rng.integers(1, 9))
    widths = (columns, *rng.integers(1, 40, rng.integers(0, 4)).tolist(), int(rng.integers(1, 5)))
    activation = str(rng.choice(["sign", "relu:4", "hard-tanh:4", "relu:2", "hard-tanh:1", "tanh"]))
    code = str(rng.choice([*CODES, "integer:3"]))
    bias = rng.choice(np.array(["auto", "integer:7", "same", "none"]))
    levels = 2 if raw == "thermometer" else levels
    chosen = {"same": True, "none": False}.get(str(bias), str(bias))
    model = random_model(widths, activation, code, chosen, levels, seed)
    rows = levels - 1
    if raw == "real":
        return model
    if raw == "image":  # in blocks, with and without a border around them
        thresholds = np.linspace(100, 1400, rows)[:, None] * np.ones(columns)
        image = (14, 18) if seed % 2 else (12, 8)
        return replace(model, thresholds=thresholds, raw_span=(0, 255), image=image)
    if raw == "pixels":  # equal widths
        thresholds = np.linspace(0, 255, levels + 1)[1:-1, None] * np.ones(columns)
        return replace(model, thresholds=thresholds, raw_span=(0, 255))
    span = (-40_000, 40_000) if seed % 2 else (-99, 200)
    thresholds = np.sort(rng.uniform(*span, (rows, columns)), axis=0)
    return replace(
        model, thresholds=thresholds, raw_span=span, repeat=4 if raw == "thermometer" else 1
    )


def random_inputs(model: TrainedModel, count: int = 1000, seed: int = 1) -> np.ndarray:
    """Inputs on the lattice of a model."""
    assert model.span is not None
    low, high, step = model.span
    values = np.arange(low, high + 1, step)
    return np.random.default_rng(seed).choice(values, (count, model.num_inputs))
