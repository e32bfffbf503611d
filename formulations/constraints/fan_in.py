"""Limit on the inputs of each unit: six fit a lookup table of an FPGA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from formulations.arrays import IntArray
from formulations.constraints.base import Cardinality
from formulations.network.layer import Layer


@dataclass(frozen=True)
class FanIn(Cardinality):
    """At most ``most`` non-zero weights of every unit, or of every filter of a convolution.

    Parameters
    ----------
    most : int
    layer : int or None
        Number of the layer, from 1; None for all layers.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([3, 1], weights="ternary")
    >>> problem = TrainingProblem(net, [[1, 1, 1]], [1], constraints=[FanIn(2)])
    >>> problem.broken(problem.weights_from_bits([1, 1, 1, 1, 0, 0]))
    {'fan-in:2 of unit 0 of layer 1': 1}
    """

    most: int
    layer: int | None = None
    kind: ClassVar[str] = "fan-in"

    def split(self, number: int, layer: Layer, known: int) -> tuple[IntArray, IntArray, list[str]]:
        """Make a group for each unit or filter."""
        return self.of_kernels(number, layer, known)
