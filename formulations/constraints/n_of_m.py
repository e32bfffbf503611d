"""Structured sparsity: at most n non-zero weights of every m consecutive inputs, such as 2 of 4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from formulations.arrays import IntArray
from formulations.constraints.base import Cardinality
from formulations.errors import InvalidInputError
from formulations.network.layer import Layer


@dataclass(frozen=True)
class NofM(Cardinality):
    """At most ``most`` non-zero weights of each ``of`` consecutive inputs of every unit or filter.

    The last inputs of a unit form a group even if they are fewer than ``of``; a filter's inputs are
    ordered by channel, row and column.  [2 of 4 on tensor cores: Mishra et al., arXiv 2104.08378.]

    Parameters
    ----------
    most, of : int
    layer : int or None
        Number of the layer, from 1; None for all layers.

    Examples
    --------
    >>> from formulations import Network
    >>> NofM(2, 4).groups(Network.dense([6, 1], weights="ternary"))[1].tolist()
    [0, 0, 0, 0, 1, 1]
    """

    most: int
    of: int
    layer: int | None = None
    kind: ClassVar[str] = "n-of-m"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.most >= self.of:
            raise InvalidInputError(
                f"NofM({self.most}, {self.of}): expected fewer non-zero weights than inputs"
            )

    def split(self, number: int, layer: Layer, known: int) -> tuple[IntArray, IntArray, list[str]]:
        """Make a group for each unit or filter and each ``of`` inputs."""
        return self.of_kernels(number, layer, known, self.of)
