"""Comparison of real-weight solvers on the same low-bit network, by its true loss."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from formulations import Network, TrainingProblem
from qnn.data.datasets import Dataset, load
from qnn.reproduce.report import ReproduceOptions, Row, Table


def three_or_eight(
    seed: int, weights: str = "bipolar", inputs: int = 16, samples: int = 100
) -> tuple[Dataset, Network]:
    """Return digits 3 against 8 on ``inputs`` two-level inputs, and a network of sign units.

    Examples
    --------
    >>> data, network = three_or_eight(0)
    >>> data.X_train.shape, network.widths
    ((100, 16), (16, 5, 1))
    """
    data = load("digits:3,8", samples=samples, inputs=inputs, seed=seed)
    return data, Network.dense([inputs, 5, 1], weights=weights)


def low_bits_table(solvers: Mapping[str, Any], options: ReproduceOptions) -> Table:
    """Table of the median true losses of solvers, dataclasses with a ``seed``, on low-bit networks.

    Each solver runs with its own budget, which is shown.
    """
    seeds = options.seeds(10 if options.full else 3)
    conditions = (
        "Digits 3 against 8, 16-5-1 sign units, N = 100, hinge: the loss of the network with its "
        f"weights on the levels, median over {len(seeds)} draws of samples."
    )
    return Table("The identical low-bit network", _rows(solvers, seeds, options), conditions)


def _rows(
    solvers: Mapping[str, Any], seeds: Sequence[int], options: ReproduceOptions
) -> Iterator[Row]:
    cases = [(weights, name) for weights in ("bipolar", "ternary") for name in solvers]
    found = options.map(
        _loss_and_seconds,
        [(solvers[name], weights, seed) for weights, name in cases for seed in seeds],
    )
    for weights, name in cases:
        options.progress(f"low bits, {name}, {weights}")
        losses, seconds = zip(*islice(found, len(seeds)), strict=True)
        least, low, middle, high = np.quantile(losses, [0, 0.25, 0.5, 0.75])
        yield Row(
            f"{name}, {weights}",
            float(middle),
            form="{:g}",
            remark=f"quartiles {low:g}-{high:g}, least {least:g}, {np.median(seconds):.1f} s",
        )


def _loss_and_seconds(solver: Any, weights: str, seed: int) -> tuple[float, float]:
    """Return a solver's loss on a draw, and its time."""
    data, network = three_or_eight(seed, weights)
    problem = TrainingProblem(network, data.X_train, data.y_train)
    result = replace(solver, seed=seed).solve(problem)
    return result.loss, result.seconds
