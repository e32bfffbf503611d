"""At most so many inputs a unit: six of them fit a lookup table of an FPGA."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formulations.arrays import IntArray
from formulations.checks import check_whole
from formulations.constraints.base import Cardinality
from formulations.network.network import Network


@dataclass(frozen=True)
class FanIn(Cardinality):
    """At most ``most`` non-zero weights of every unit; thresholds are not counted.

    Parameters
    ----------
    most : int
    layer : int or None
        Number of the layer, from 1; None: all layers.

    Examples
    --------
    >>> from formulations import TrainingProblem
    >>> net = Network.dense([3, 1], weights="ternary")
    >>> problem = TrainingProblem(net, [[1, 1, 1]], [1], constraints=[FanIn(2)])
    >>> problem.broken(problem.weights_from_bits([1, 1, 1, 1, 0, 0]))
    {'fan-in:2 of unit 0 of layer 1': 1}
    """

    most: int
    layer: int | None = None

    def __post_init__(self) -> None:
        check_whole("FanIn: most", self.most)
        if self.layer is not None:
            check_whole("FanIn: layer", self.layer)

    @property
    def name(self) -> str:
        """``fan-in:MOST`` or ``fan-in:MOST,LAYER``."""
        return f"fan-in:{self.most}" + (f",{self.layer}" if self.layer else "")

    def groups(self, network: Network) -> tuple[list[IntArray], list[str], int]:
        """A group for each unit."""
        groups: list[IntArray] = []
        names: list[str] = []
        for number, layer in enumerate(self.chosen(network, self.layer), start=1):
            units = np.full((layer.outputs, layer.inputs), -1)
            if self.layer in (None, number):
                units[:] = len(names) + np.arange(layer.outputs)[:, None]
                names += [f"unit {j} of layer {number}" for j in range(layer.outputs)]
            groups.append(units)
        return groups, names, self.most
