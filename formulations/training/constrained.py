"""Evaluation of a training problem's constraints: violations, their cost, and sparse weights."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from formulations.arrays import BitArray, IntArray
from formulations.checks import check_several, shown
from formulations.constraints.base import Cardinality, Constraint, Keeper
from formulations.constraints.tied import Tied
from formulations.errors import InvalidInputError
from formulations.network.network import Network, Weights
from formulations.network.splines import Spline
from formulations.network.weight_bits import stored_levels
from formulations.training.output_losses import OutputLosses


class Constrained(OutputLosses):
    """Constraints of a training problem of N samples.

    Attributes
    ----------
    constraints : tuple of Constraint
    network : Network
    splines : tuple of Spline
    bias_units : list of int
    X : ndarray of int, shape (N, d)
    """

    constraints: tuple[Constraint, ...]
    network: Network
    splines: tuple[Spline, ...]
    bias_units: list[int]
    X: IntArray

    @staticmethod
    def _with_ties(network: Network, constraints: object) -> tuple[Network, list[Any]]:
        """Return the network with tied weights shared, and the other constraints."""
        what = "constraints, such as formulations.constraints.FanIn(6)"
        others = []
        for constraint in check_several("constraints", constraints, what, empty=True):
            if isinstance(constraint, Tied):
                network = constraint.applied(network)
            else:
                others.append(constraint)
        return network, others

    def _check_constraints(self, constraints: object) -> tuple[Constraint, ...]:
        """Return the constraints after checking that each fits the network."""
        what = "constraints, such as formulations.constraints.FanIn(6)"
        given = tuple(check_several("constraints", constraints, what, empty=True))
        for constraint in given:
            if not isinstance(constraint, Constraint):
                raise InvalidInputError(
                    f"constraints: {shown(constraint)}: expected {what.partition(', ')[2]}"
                )
            constraint.check(self)
        return given

    def broken(self, weights: Weights) -> dict[str, int]:
        """Return the violated constraints and their amounts; empty if all hold.

        Examples
        --------
        >>> from formulations import TrainingProblem
        >>> from formulations.constraints import NonZeros
        >>> problem = TrainingProblem(
        ...     Network.dense([3, 1], weights="ternary"), [[1, 1, 1]], [1],
        ...     constraints=[NonZeros(1)],
        ... )
        >>> problem.broken(problem.weights_from_bits([1, 1, 1, 1, 0, 1]))
        {'non-zeros:1 of the network': 1}
        """
        counts = []
        if isinstance(weights, Weights):
            parts = zip(self.network.layers, weights.matrices, weights.biases, strict=False)
            counts = [layer.num_untied(matrix, bias) for layer, matrix, bias in parts]
        found = {f"shared weights of layer {n}": c for n, c in enumerate(counts, 1) if c}
        if found:
            return found
        bits = self.network.encode_bits(weights)[None]
        for constraint in self.constraints:
            amounts = constraint.amounts(self, bits)[0]
            at = np.flatnonzero(amounts)
            if len(at):
                labels = constraint.labels(self)
                found.update({labels[i]: int(amounts[i]) for i in at})
        return found

    def violations(self, full: BitArray) -> IntArray:
        """Return the total cost of violations of all weight bits, (R, n_w) -> (R,)."""
        total = np.zeros(len(full), dtype=np.int64)
        for constraint in self.constraints:
            total += constraint.cost(self, full)
        return total

    @cached_property
    def price(self) -> float:
        """Cost of one unit of violation when candidates are ranked, larger than any loss."""
        low = np.full(self.target_index.shape, self.output_low)
        high = np.full_like(low, self.output_high)
        if self.loss_kind.is_quadratic:
            most = np.maximum(self.output_losses(low), self.output_losses(high))
        else:
            most = self.loss_bounds(low, high)[1]
        return 1.0 + 2.0 * float(most.sum())

    @cached_property
    def keepers(self) -> list[Keeper]:
        """Functions that choose the weights to keep, one per constraint on nonzero weights."""
        return [c.keeper(self.network) for c in self.constraints if isinstance(c, Cardinality)]

    def sparse(self, full: BitArray, rng: np.random.Generator | None = None) -> BitArray:
        """Set weights of bits (R, n_w) to zero until no group has too many nonzero weights.

        The largest weights stay; ties are broken at random, or by position without a generator.
        """
        if not self.keepers:
            return full
        full, network = full.copy(), self.network
        old = levels = stored_levels(network, full)
        order = 1.0 - np.arange(levels.shape[1]) / levels.shape[1]
        for keep in self.keepers:
            lot = order if rng is None else rng.random(levels.shape)
            levels = levels * keep(np.where(levels != 0, np.abs(levels) + 0.5 * lot, 0.0))
        first = 0
        for layer, start in zip(network.layers, network.bit_offsets(), strict=False):
            place = start + layer.first_bits()[0][:, None] + np.arange(layer.code.bits)
            own = np.s_[:, first : first + len(place)]
            changed = (old != levels)[own][..., None]
            full[:, place] = np.where(changed, layer.code.encode(levels[own]), full[:, place])
            first += len(place)
        return full
