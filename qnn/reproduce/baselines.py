"""``qnn reproduce baselines``: what a user would pick instead, in its own game."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from formulations import Network, TrainingProblem
from formulations.arrays import IntArray
from qnn.reproduce.data import Split, absence, available, split
from qnn.reproduce.low_bits import low_bits_table
from qnn.reproduce.manifold import ridge_accuracy
from qnn.reproduce.report import Origin, Report, ReproduceOptions, Row, Table
from solvers.classical.random_features import RandomFeatures
from solvers.classical.rounding import Rounding
from solvers.classical.straight_through.solver import StraightThrough

FEATURES = {1000: 82.7, 4000: 86.1}
"""Random units, and accuracies on the whole of Fashion-MNIST; measured earlier."""

STRAIGHT = {64: 93.17, 256: 97.81}
"""Widths of three hidden layers, and published accuracies on the whole of MNIST."""

EPOCHS = {False: {64: 8}, True: {64: 60, 256: 30}}
"""Epochs at each width, in the quick and in the full form."""

LOW_BITS = {
    "straight-through": StraightThrough(),
    "random features": RandomFeatures(),
    "gradients, nearest levels": Rounding("nearest"),
    "gradients, rounded greedily": Rounding("greedy"),
    "gradients, rounded by QUBO": Rounding("qubo"),
}

REMARKS = [
    "Straight-through: the published networks are trained on 60,000 images with batch "
    "normalisation, whose scales and shifts are real numbers, and read real pixels. Ours have one "
    "bit for every weight and an integer for every threshold, read pixels that are on or off, and "
    "learn from as many images as the brackets tell: the difference is that of the settings.",
    "Random features: hidden weights of one bit, drawn and left alone; output weights are real.",
]


def baselines(options: ReproduceOptions) -> Report:
    """All tables of the baselines."""
    title = "What a user would pick instead: straight-through, random features, rounding"
    remarks = list(REMARKS)
    remarks += [
        f"{name} was not found: digits stand in for it ({reason})."
        for spec, name in (("fashion", "Fashion-MNIST"), ("mnist", "MNIST"))
        if (reason := absence(spec, options)) is not None
    ]
    source = (
        "the table of the Brevitas examples for MNIST; networks as in M. Courbariaux, I. Hubara, "
        "D. Soudry, R. El-Yaniv, Y. Bengio, Binarized Neural Networks, arXiv 1602.02830"
    )
    return Report("baselines", title, source, _tables(options), remarks)


def _tables(options: ReproduceOptions) -> Iterator[Table]:
    yield _random_features(_first("fashion", options), options)
    yield _straight_through(_first("mnist", options), options)
    yield low_bits_table(LOW_BITS, options)


def _first(spec: str, options: ReproduceOptions) -> Split:
    return split(spec if available(spec, options) else "digits", options)


def _random_features(data: Split, options: ReproduceOptions) -> Table:
    """Ridge regression on random units, beside that on the pixels."""
    counts = [count for count in FEATURES if options.full or count == 1000]

    def rows() -> Iterator[Row]:
        published = 81.1 if data.whole else None
        ridge = ridge_accuracy(data.unit())
        yield Row("ridge on the pixels", ridge, published, origin=Origin.EARLIER)
        found = options.map(_features_accuracy, [(data, n, options.seed) for n in counts])
        for count in counts:
            options.progress(f"{data.name}, {count:,} random units")
            published = FEATURES[count] if data.whole else None
            name = f"{count:,} random units, ridge"
            yield Row(name, next(found), published, origin=Origin.EARLIER, baseline=ridge)

    conditions = "Units sign(W x) with W of +-1. Baseline: ridge regression on the pixels."
    return Table(f"{data.name}: test accuracy of random features", rows(), conditions)


def _features_accuracy(data: Split, units: int, seed: int) -> float:
    network = RandomFeatures(units=units, seed=seed).fit(data.X_train, data.y_train)
    return 100.0 * float(np.mean(network.predict(data.X_test) == data.y_test))


def _straight_through(data: Split, options: ReproduceOptions) -> Table:
    """Networks of one bit a weight and sign units."""
    inputs, epochs = data.X_train.shape[1], EPOCHS[options.full]

    def rows() -> Iterator[Row]:
        tasks = [(data, width, epochs[width], options.seed) for width in epochs]
        found = options.map(_trained, tasks)
        for width in epochs:
            options.progress(f"{data.name}, straight-through, 3 x {width} units")
            accuracy, training, bits = next(found)
            remark = f"in training {training:.2f} %; {bits:,} bits, {epochs[width]} epochs"
            yield Row(
                f"{inputs}-{width}-{width}-{width}-{data.num_classes}",
                accuracy,
                STRAIGHT[width] if inputs == 784 and data.known else None,
                remark=remark,
            )

    conditions = (
        "Weights and activations of one bit, integer thresholds, inputs of two levels, "
        "cross-entropy; the epoch with the least training loss."
    )
    return Table(f"{data.name}: test accuracy of straight-through networks", rows(), conditions)


def _trained(data: Split, width: int, epochs: int, seed: int) -> tuple[float, float, int]:
    """Accuracies in the test and the training part, and the number of weight bits."""
    middle = data.X_train.max() / 2
    X, X_test = (np.where(part > middle, 1, -1) for part in (data.X_train, data.X_test))
    network = Network.dense([X.shape[1], *[width] * 3, data.num_classes], bias="auto")
    problem = TrainingProblem(network, X, data.y_train, "cross-entropy")
    network = problem.network
    weights = StraightThrough(epochs=epochs, seed=seed).solve(problem).weights

    def accuracy(inputs: npt.ArrayLike, y: IntArray) -> float:
        return 100.0 * float(np.mean(network.predict(weights, inputs) == y))

    return accuracy(X_test, data.y_test), accuracy(X, data.y_train), network.num_weight_bits
