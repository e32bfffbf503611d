"""``qnn reproduce baselines``: alternative methods, measured on their own terms."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from formulations import Network, TrainingProblem
from formulations.arrays import IntArray
from qnn.reproduce.data import Split, first_of
from qnn.reproduce.low_bits import low_bits_table
from qnn.reproduce.manifold import ridge_accuracy
from qnn.reproduce.report import Report, ReproduceOptions, Row, Table
from solvers.classical.random_features import RandomFeatures
from solvers.classical.rounding import Rounding
from solvers.classical.straight_through.solver import StraightThrough


def baselines(options: ReproduceOptions) -> Report:
    data, missing = first_of({"fashion": "Fashion-MNIST", "mnist": "MNIST"}, options)
    title = "What a user would pick instead: straight-through, random features, rounding"
    source = (
        "Brevitas, README of the example bnn_pynq, its only table (Experiments: TFC_1W1A and "
        "SFC_1W1A); networks as in M. Courbariaux, I. Hubara, D. Soudry, R. El-Yaniv, Y. Bengio, "
        "Binarized Neural Networks, arXiv 1602.02830"
    )
    remarks = [
        "Straight-through: both sides have one bit for every weight, activation and pixel. The "
        "published networks are trained for 1,000 epochs on 60,000 images, with dropout and with "
        "batch normalisation between layers; ours for far fewer epochs, on as many images as the "
        "brackets say, with an integer threshold for every unit and no dropout.",
        "Random features: hidden weights of one bit, drawn and left alone; output weights are "
        "real.",
    ]
    return Report("baselines", title, source, _tables(data, options), [*remarks, *missing])


def _tables(data: dict[str, Split], options: ReproduceOptions) -> Iterator[Table]:
    yield _random_features(data["fashion"], options)
    yield _straight_through(data["mnist"], options)
    solvers = {
        "straight-through": StraightThrough(),
        "random features": RandomFeatures(),
        "gradients, nearest levels": Rounding("nearest"),
        "gradients, rounded greedily": Rounding("greedy"),
        "gradients, rounded by QUBO": Rounding("qubo"),
    }
    yield low_bits_table(solvers, options)


def _random_features(data: Split, options: ReproduceOptions) -> Table:
    """Table of ridge regression on random units and on the pixels."""
    earlier = {1000: 82.7, 4000: 86.1} if options.full else {1000: 82.7}  # all of Fashion-MNIST

    def rows() -> Iterator[Row]:
        published = 81.1 if data.whole else None
        ridge = ridge_accuracy(data.unit())
        yield Row("ridge on the pixels", ridge, published, origin="measured")
        found = options.map(_features_accuracy, [(data, n, options.seed) for n in earlier])
        for count, accuracy in earlier.items():
            options.progress(f"{data.name}, {count:,} random units")
            published = accuracy if data.whole else None
            name = f"{count:,} random units, ridge"
            yield Row(name, next(found), published, origin="measured", baseline=ridge)

    conditions = "Units sign(W x) with W of +-1. Baseline: ridge regression on the pixels."
    return Table(f"{data.name}: test accuracy of random features", rows(), conditions)


def _features_accuracy(data: Split, units: int, seed: int) -> float:
    network = RandomFeatures(units=units, seed=seed).fit(data.X_train, data.y_train)
    return 100.0 * float(np.mean(network.predict(data.X_test) == data.y_test))


def _straight_through(data: Split, options: ReproduceOptions) -> Table:
    """Table of networks with one-bit weights and sign units."""
    inputs, epochs = data.X_train.shape[1], {64: 60, 256: 30} if options.full else {64: 8}
    accuracies = {64: 93.17, 256: 97.81}  # figures for all of MNIST

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
                accuracies[width] if inputs == 784 and data.known else None,
                remark=remark,
            )

    conditions = (
        "Weights and activations of one bit, integer thresholds, inputs of two levels, "
        "cross-entropy; the epoch with the least training loss."
    )
    return Table(f"{data.name}: test accuracy of straight-through networks", rows(), conditions)


def _trained(data: Split, width: int, epochs: int, seed: int) -> tuple[float, float, int]:
    """Return training and test accuracy, and the number of weight bits."""
    middle = data.X_train.max() / 2
    X, X_test = (np.where(part > middle, 1, -1) for part in (data.X_train, data.X_test))
    network = Network.dense([X.shape[1], *[width] * 3, data.num_classes], bias="auto")
    problem = TrainingProblem(network, X, data.y_train, "cross-entropy")
    network = problem.network
    weights = StraightThrough(epochs=epochs, seed=seed).solve(problem).weights

    def accuracy(inputs: npt.ArrayLike, y: IntArray) -> float:
        return 100.0 * float(np.mean(network.predict(weights, inputs) == y))

    return accuracy(X_test, data.y_test), accuracy(X, data.y_train), network.num_weight_bits
