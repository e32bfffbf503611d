"""The other game: a solver of real weights on the identical low-bit network, by the true loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from formulations import Network, TrainingProblem
from qnn.datasets import Dataset, load
from qnn.reproduce.report import ReproduceOptions, Row, Table

WIDTHS = (16, 5, 1)
SAMPLES = 100


def three_or_eight(
    seed: int, weights: str = "bipolar", inputs: int = 16, samples: int = SAMPLES
) -> tuple[Dataset, Network]:
    """Digits 3 against 8, pooled to ``inputs`` inputs of two levels, and a network of sign units.

    Examples
    --------
    >>> data, network = three_or_eight(0)
    >>> data.X_train.shape, network.widths
    ((100, 16), (16, 5, 1))
    """
    data = load("digits:3,8", samples=samples, inputs=inputs, seed=seed)
    return data, Network.dense([inputs, *WIDTHS[1:]], weights=weights)


def low_bits_table(solvers: Mapping[str, Any], options: ReproduceOptions) -> Table:
    """Median true losses of solvers on the same low-bit networks.

    Parameters
    ----------
    solvers : mapping of str to solver
        Each a dataclass with a ``seed``; all are run with their own budget, which is shown.
    options : ReproduceOptions
    """
    seeds = options.seeds(10 if options.full else 3)
    rows = []
    for weights in ("bipolar", "ternary"):
        drawn = [three_or_eight(seed, weights) for seed in seeds]
        problems = [TrainingProblem(net, data.X_train, data.y_train) for data, net in drawn]
        for name, solver in solvers.items():
            options.progress(f"low bits, {name}, {weights}")
            results = [
                replace(solver, seed=seed).solve(problem)
                for seed, problem in zip(seeds, problems, strict=True)
            ]
            least, low, middle, high = np.quantile([r.loss for r in results], [0, 0.25, 0.5, 0.75])
            seconds = np.median([r.seconds for r in results])
            rows.append(
                Row(
                    f"{name}, {weights}",
                    float(middle),
                    form="{:g}",
                    remark=f"quartiles {low:g}-{high:g}, least {least:g}, {seconds:.1f} s",
                )
            )
    shape = "-".join(map(str, WIDTHS))
    conditions = (
        f"Digits 3 against 8, {shape} sign units, N = {SAMPLES}, hinge: the loss of the network "
        f"with its weights on the levels, median over {len(seeds)} draws of samples."
    )
    return Table("The identical low-bit network", rows, conditions)
