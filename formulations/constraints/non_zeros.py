"""Limit on the non-zero weights of the network or of a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from formulations.arrays import IntArray
from formulations.constraints.base import Cardinality
from formulations.network.layer import Layer


@dataclass(frozen=True)
class NonZeros(Cardinality):
    """At most ``most`` non-zero weights; shared ones count once.

    Parameters
    ----------
    most : int
    layer : int or None
        Number of the layer, from 1; None for the whole network.

    Examples
    --------
    >>> NonZeros(20).name, NonZeros(20, layer=1).name
    ('non-zeros:20', 'non-zeros:20,1')
    """

    most: int
    layer: int | None = None
    kind: ClassVar[str] = "non-zeros"
    begins: ClassVar[float] = 0.0

    def split(self, number: int, layer: Layer, known: int) -> tuple[IntArray, IntArray, list[str]]:
        """Make one group for all."""
        where = "the network" if self.layer is None else f"layer {self.layer}"
        weights = np.arange(layer.num_stored[0])
        return weights, np.zeros_like(weights), [] if known else [where]
