"""Shared weights: several weights of a layer are one and share its bits."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from formulations.array_checks import check_integers
from formulations.arrays import IntArray
from formulations.checks import check_several, shown
from formulations.errors import InvalidInputError
from formulations.network.network import Network
from formulations.network.ties import Ties


@dataclass(frozen=True)
class Tied:
    """Groups of weights that are one.

    They need no rows: the problem's network stores one weight for each group, so its model has
    fewer variables, and every solver keeps the ties.

    Parameters
    ----------
    groups : sequence of sequences
        Weights of each group, as labels ``w[LAYER,NEURON,INPUT]`` or as triples, layers counted
        from 1; the input of a threshold is the number of inputs.  A group lies in one layer.

    Examples
    --------
    >>> from formulations import TrainingProblem
    >>> net = Network.dense([3, 2, 1])
    >>> problem = TrainingProblem(
    ...     net, [[1, -1, 1]], [1], constraints=[Tied([["w[1,0,0]", "w[1,1,2]"]])]
    ... )
    >>> net.num_weight_bits, problem.network.num_weight_bits
    (8, 7)
    >>> matrix = problem.weights_from_bits([1, 0, 0, 0, 0, 1, 1]).matrices[0]
    >>> bool(matrix[0, 0] == matrix[1, 2])
    True
    """

    groups: Sequence[Sequence[str | Sequence[int]]]

    def __post_init__(self) -> None:
        for group in check_several("Tied: groups", self.groups, "groups of weights"):
            check_several("Tied: a group", group, "labels or triples of weights")

    @property
    def name(self) -> str:
        return "tied"

    def applied(self, network: Network) -> Network:
        """Return the network with these weights shared.

        Raises
        ------
        InvalidInputError
            For weights that do not exist, and for groups across layers or of both weights and
            thresholds.
        """
        by_layer: dict[int, list[IntArray]] = {}
        for group in self.groups:
            members = np.array([self._place(weight) for weight in group])
            number = int(members[0, 0])
            if len(np.unique(members[:, 0])) > 1 or not 1 <= number <= len(network.layers):
                raise InvalidInputError(
                    f"Tied: {shown(list(group))}: expected weights of one layer, from 1 to "
                    f"{len(network.layers)}"
                )
            layer = network.layers[number - 1]
            inputs = layer.inputs + (layer.bias_code is not None)
            if (members[:, 1] >= layer.outputs).any() or (members[:, 2] >= inputs).any():
                raise InvalidInputError(
                    f"Tied: {shown(list(group))}: expected neurons below {layer.outputs} and "
                    f"inputs below {inputs} in layer {number}"
                )
            by_layer.setdefault(number, []).append(members[:, 1:])
        layers = list(network.layers)
        for number, groups in by_layer.items():
            layer = layers[number - 1]
            layers[number - 1] = replace(layer, ties=Ties.of_groups(layer.free_ties, groups))
        return Network(tuple(layers))

    @staticmethod
    def _place(weight: str | Sequence[int]) -> IntArray:
        """Parse layer, neuron and input of a weight."""
        label = r"w\[(\d+),(\d+),(\d+)\]"
        if isinstance(weight, str) and (match := re.fullmatch(label, weight)) is not None:
            return np.array([int(word) for word in match.groups()])
        found = np.zeros(0) if isinstance(weight, str) else np.asarray(weight)
        if found.shape != (3,) or found.dtype.kind not in "iu" or found.min() < 0:
            raise InvalidInputError(
                f"Tied: {shown(weight)}: expected w[LAYER,NEURON,INPUT], or these three numbers"
            )
        return check_integers("Tied: a weight", found)
