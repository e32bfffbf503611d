"""Structured sparsity: at most n non-zero weights of every m inputs in a row, such as 2 of 4."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formulations.arrays import IntArray
from formulations.checks import check_whole
from formulations.constraints.base import Cardinality
from formulations.errors import InvalidInputError
from formulations.network.network import Network


@dataclass(frozen=True)
class NofM(Cardinality):
    """At most ``most`` non-zero weights of each ``of`` inputs in a row, of every unit.

    The last inputs of a unit, if they are fewer than ``of``, are a group as well.  [2 of 4 on
    tensor cores: Mishra et al., arXiv 2104.08378.]

    Parameters
    ----------
    most, of : int
    layer : int or None
        Number of the layer, from 1; None: all layers.

    Examples
    --------
    >>> NofM(2, 4).groups(Network.dense([6, 1], weights="ternary"))[0][0].tolist()
    [[0, 0, 0, 0, 1, 1]]
    """

    most: int
    of: int
    layer: int | None = None

    def __post_init__(self) -> None:
        for name in ("most", "of"):
            check_whole(f"NofM: {name}", getattr(self, name))
        if self.most >= self.of:
            raise InvalidInputError(
                f"NofM({self.most}, {self.of}): expected fewer non-zero weights than inputs"
            )
        if self.layer is not None:
            check_whole("NofM: layer", self.layer)

    @property
    def name(self) -> str:
        """``n-of-m:MOST,OF`` or ``n-of-m:MOST,OF,LAYER``."""
        return f"n-of-m:{self.most},{self.of}" + (f",{self.layer}" if self.layer else "")

    def groups(self, network: Network) -> tuple[list[IntArray], list[str], int]:
        """A group for each unit and each ``of`` inputs."""
        groups: list[IntArray] = []
        names: list[str] = []
        for number, layer in enumerate(self.chosen(network, self.layer), start=1):
            own = np.full((layer.outputs, layer.inputs), -1)
            if self.layer in (None, number):
                parts = -(-layer.inputs // self.of)
                part = np.arange(layer.inputs) // self.of
                own[:] = len(names) + np.arange(layer.outputs)[:, None] * parts + part
                names += [
                    f"inputs {p * self.of} to {min((p + 1) * self.of, layer.inputs) - 1} of unit "
                    f"{j} of layer {number}"
                    for j in range(layer.outputs)
                    for p in range(parts)
                ]
            groups.append(own)
        return groups, names, self.most
