"""At most so many non-zero weights in all, or in a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formulations.arrays import IntArray
from formulations.checks import check_whole
from formulations.constraints.base import Cardinality
from formulations.network.network import Network


@dataclass(frozen=True)
class NonZeros(Cardinality):
    """At most ``most`` non-zero weights; thresholds are not counted.

    Parameters
    ----------
    most : int
    layer : int or None
        Number of the layer, from 1; None: the whole network.

    Examples
    --------
    >>> NonZeros(20).name, NonZeros(20, layer=1).name
    ('non-zeros:20', 'non-zeros:20,1')
    """

    most: int
    layer: int | None = None

    def __post_init__(self) -> None:
        check_whole("NonZeros: most", self.most)
        if self.layer is not None:
            check_whole("NonZeros: layer", self.layer)

    @property
    def name(self) -> str:
        """``non-zeros:MOST`` or ``non-zeros:MOST,LAYER``."""
        return f"non-zeros:{self.most}" + (f",{self.layer}" if self.layer else "")

    def groups(self, network: Network) -> tuple[list[IntArray], list[str], int]:
        """One group."""
        groups = [
            np.full((layer.outputs, layer.inputs), 0 if self.layer in (None, number) else -1)
            for number, layer in enumerate(self.chosen(network, self.layer), start=1)
        ]
        where = "the network" if self.layer is None else f"layer {self.layer}"
        return groups, [where], self.most
