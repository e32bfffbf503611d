"""What every constraint on the weights of a network knows, and what it may use to say it.

A constraint is exact on integer weights: its *amounts* are whole numbers, zero where it holds.  In
a model it is rows; a search keeps it by never raising what they cost.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from formulations.arrays import BitArray, BoolArray, FloatArray, IntArray
from formulations.errors import InvalidInputError
from formulations.network.network import Layer, Network

if TYPE_CHECKING:
    from formulations.constraints.parts import Parts, Subject


Keeper = Callable[[Sequence[FloatArray]], list[BoolArray]]


class Constraint(ABC):
    """A demand on the weights of a network.

    Constraints are small frozen objects; ``TrainingProblem(..., constraints=[...])`` takes them.
    """

    @property
    @abstractmethod
    def name(self) -> str:
        """The constraint as the command line names it, such as ``fan-in:6``."""

    @abstractmethod
    def check(self, subject: Subject) -> None:
        """Refuse a network that the constraint does not fit.

        Raises
        ------
        InvalidInputError
            Naming the layer, the code or the shape.
        InfeasibleModelError
            If no weights of the network can satisfy it.
        """

    @abstractmethod
    def labels(self, subject: Subject) -> list[str]:
        """Each thing that may be broken, in words."""

    @abstractmethod
    def amounts(self, subject: Subject, bits: BitArray) -> IntArray:
        """By how much each of these is broken, weight bits (R, n_w) -> (R, len(labels))."""

    def cost(self, subject: Subject, bits: BitArray) -> IntArray:
        """What that counts for where searches compare weights, (R, n_w) -> (R,)."""
        return np.asarray(self.amounts(subject, bits).sum(axis=1))

    def states(self, subject: Subject, bits: BitArray) -> list[IntArray]:
        """Pre-activations of each layer that the rows have words for, of one vector (n_w,)."""
        return []

    @abstractmethod
    def add_rows(self, parts: Parts, number: int) -> None:
        """Add the rows of constraint ``number`` to a model under construction."""


class Cardinality(Constraint):
    """At most so many non-zero weights in each of some groups; a weight is in one group at most."""

    @abstractmethod
    def groups(self, network: Network) -> tuple[list[IntArray], list[str], int]:
        """Group of each weight of each layer, -1 for none; what to call the groups; the limit."""

    @staticmethod
    def chosen(network: Network, layer: int | None) -> tuple[Layer, ...]:
        """The layers of a network that has one of this number."""
        if layer is not None and layer > len(network.layers):
            raise InvalidInputError(
                f"a constraint on layer {layer}: the network has {len(network.layers)}"
            )
        return network.layers

    def check(self, subject: Subject) -> None:
        """Refuse layers whose weights cannot be zero."""
        groups, _, limit = self.groups(subject.network)
        for number, (layer, own) in enumerate(zip(subject.network.layers, groups, strict=True), 1):
            sizes = np.bincount(own[own >= 0]) if (own >= 0).any() else np.zeros(1, dtype=int)
            if sizes.max() > limit and 0 not in layer.code.levels:
                raise InvalidInputError(
                    f"{self.name} needs weights that can be zero, and layer {number} of code "
                    f"{layer.code.name!r} has none: take ternary or a codebook with 0"
                )

    def labels(self, subject: Subject) -> list[str]:
        """The groups."""
        return [f"{self.name} of {group}" for group in self.groups(subject.network)[1]]

    def counts(self, network: Network, bits: BitArray) -> IntArray:
        """Non-zero weights of each group, (R, n_w) -> (R, G)."""
        groups, names, _ = self.groups(network)
        counts = np.zeros((len(bits), len(names)), dtype=np.int64)
        for own, (matrix, _) in zip(groups, batch_levels(network, bits), strict=True):
            member = own.ravel() >= 0
            nonzero = (matrix != 0).reshape(len(bits), -1)[:, member]
            place = np.arange(len(bits))[:, None] * len(names) + own.ravel()[member]
            found = np.bincount(place.ravel(), nonzero.ravel(), minlength=counts.size)
            counts += found.reshape(counts.shape).astype(np.int64)
        return counts

    def amounts(self, subject: Subject, bits: BitArray) -> IntArray:
        """Non-zero weights beyond the limit."""
        limit = self.groups(subject.network)[2]
        return np.maximum(self.counts(subject.network, bits) - limit, 0)

    def add_rows(self, parts: Parts, number: int) -> None:
        """sum of the non-zero indicators of a group <= limit."""
        groups, names, limit = self.groups(parts.subject.network)
        parts.add_counts(self.name, number, groups, len(names), limit)

    def keeper(self, network: Network) -> Keeper:
        """The function that says which weights to keep: the largest ones of each group.

        It takes magnitudes (R, n_l, n_{l-1}) of each layer and returns True for as many of a group
        as it may have, and for all that are in none.

        Examples
        --------
        >>> from formulations.constraints import FanIn
        >>> keep = FanIn(1).keeper(Network.dense([3, 1], weights="ternary"))
        >>> keep([np.array([[[0.1, 0.9, 0.5]]])])[0].tolist()
        [[[False, True, False]]]
        """
        groups, names, limit = self.groups(network)
        of = np.concatenate([own.ravel() for own in groups])
        member = np.flatnonzero(of >= 0)
        member = member[np.argsort(of[member], kind="stable")]
        sizes = np.bincount(of[member], minlength=len(names))
        column = np.arange(len(member)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        table = np.full((len(names), int(sizes.max(initial=0))), -1, dtype=np.int64)
        table[of[member], column] = member
        surplus = table.shape[1] - limit

        def keep(magnitudes: Sequence[FloatArray]) -> list[BoolArray]:
            flat = np.concatenate([m.reshape(len(m), -1) for m in magnitudes], axis=1)
            kept = np.ones(flat.shape, dtype=bool)
            if surplus > 0:
                size = np.where(table >= 0, flat[:, table], -1.0)
                least = np.argpartition(size, surplus, axis=-1)[..., :surplus]
                rows = np.broadcast_to(table, size.shape)
                dropped = np.take_along_axis(rows, least, axis=-1).reshape(len(flat), -1)
                row, place = np.nonzero(dropped >= 0)
                kept[row, dropped[row, place]] = False
            ends = np.cumsum([m[0].size for m in magnitudes])[:-1]
            parts = np.split(kept, ends, axis=1)
            return [part.reshape(m.shape) for part, m in zip(parts, magnitudes, strict=True)]

        return keep


def batch_levels(network: Network, bits: BitArray) -> list[tuple[IntArray, IntArray | None]]:
    """Weights (R, n_l, n_{l-1}) and thresholds (R, n_l) of each layer, of bits (R, n_w)."""
    offsets = network.bit_offsets()
    return [
        layer.decode(bits[:, offsets[number] : offsets[number + 1]])
        for number, layer in enumerate(network.layers)
    ]
