"""Monotonicity of an output in a feature, by the signs of the paths between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.checks import check_whole, shown
from formulations.constraints.base import Constraint
from formulations.constraints.parts import Forms, Parts, Subject
from formulations.errors import InvalidInputError
from formulations.model.assembly import Terms
from formulations.model.labels import Family
from formulations.network.weight_bits import batch_levels


@dataclass(frozen=True)
class Monotone(Constraint):
    """Monotonicity: no path of weights from a feature to an output has the wrong sign.

    With non-decreasing activations, the output then moves in only one direction as the feature
    rises.  The condition is sufficient, not necessary; its amount is the number of wrong paths.

    Parameters
    ----------
    feature : int
        Number of the input.
    direction : {1, -1}
        1: the output never falls as the feature rises; -1: it never rises.
    output : int

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> problem = TrainingProblem(
    ...     Network.dense([2, 2, 1]), [[1, 1]], [1], constraints=[Monotone(0)]
    ... )
    >>> problem.broken(problem.weights_from_bits([1, 1, 0, 1, 1, 1]))
    {'monotone:0,1: paths from feature 0 to output 0': 1}
    """

    feature: int
    direction: int = 1
    output: int = 0

    def __post_init__(self) -> None:
        check_whole("Monotone: feature", self.feature, least=0)
        check_whole("Monotone: output", self.output, least=0)
        if self.direction not in (1, -1):
            raise InvalidInputError(
                f"Monotone: direction={shown(self.direction)}: expected 1 or -1"
            )

    @property
    def name(self) -> str:
        """``monotone:FEATURE,DIRECTION`` or ``monotone:FEATURE,DIRECTION,OUTPUT``."""
        last = f",{self.output}" if self.output else ""
        return f"monotone:{self.feature},{self.direction}{last}"

    def check(self, subject: Subject) -> None:
        """Refuse features and outputs that do not exist, and activations that fall."""
        widths = subject.network.widths
        for what, number, count in (
            ("feature", self.feature, widths[0]),
            ("output", self.output, widths[-1]),
        ):
            if number >= count:
                raise InvalidInputError(f"{self.name}: {what} {number} of a network with {count}")
        for layer, spline in enumerate(subject.splines, start=1):
            if not spline.rises:
                raise InvalidInputError(
                    f"{self.name}: the activation of layer {layer} falls somewhere: expected one "
                    "that never does, such as sign or relu"
                )

    def labels(self, subject: Subject) -> list[str]:
        return [f"{self.name}: paths from feature {self.feature} to output {self.output}"]

    def amounts(self, subject: Subject, bits: BitArray) -> IntArray:
        """Count the paths of the wrong sign."""
        rising: FloatArray = np.zeros((len(bits), subject.network.widths[0]))
        rising[:, self.feature] = 1.0
        falling = np.zeros_like(rising)
        for matrix, _ in batch_levels(subject.network, bits):
            up, down = (matrix > 0).astype(float), (matrix < 0).astype(float)
            rising, falling = (
                np.einsum("rji,ri->rj", up, one) + np.einsum("rji,ri->rj", down, other)
                for one, other in ((rising, falling), (falling, rising))
            )
        wrong = falling if self.direction > 0 else rising
        return wrong[:, [self.output]].astype(np.int64)

    def add_rows(self, parts: Parts, number: int) -> None:
        """Add rows against each wrong sign in the last layer, and bits for the paths below.

        Two bits per unit say whether it has a rising and a falling path from the feature.
        """
        depth = len(parts.subject.network.layers)
        positive, negative = parts.signs(0)
        rising, falling = (form[:, self.feature] for form in (positive, negative))
        for layer in range(1, depth):
            positive, negative = parts.signs(layer)
            if layer == depth - 1:
                positive, negative = (form[self.output] for form in (positive, negative))
                wrong = [(rising, negative), (falling, positive)]
                if self.direction < 0:
                    wrong = [(rising, positive), (falling, negative)]
                for side, (one, other) in enumerate(wrong):  # not both
                    self._rows(parts, number, side, one + other, 1.0)
                return
            rising, falling = (
                self._paths(parts, number, layer, side, pairs)
                for side, pairs in enumerate(
                    (
                        ((rising, positive), (falling, negative)),
                        ((rising, negative), (falling, positive)),
                    )
                )
            )
        wrong_sign = falling if self.direction > 0 else rising
        self._rows(parts, number, 0, wrong_sign[[self.output]], 0.0)

    def _rows(self, parts: Parts, number: int, side: int, form: Forms, limit: float) -> None:
        """Add rows form <= limit at each place of the form."""
        size = form.constant.size
        every = np.arange(size)
        table = np.stack([np.full(size, number), np.full(size, side), every], axis=1)
        parts.assembly.rows(
            form.terms,
            limit - form.constant.ravel(),
            "monotone",
            Family("monotone", ("c", "s", "j"), table, (2, 1, parts.digits[2])),
            equality=False,
        )

    def _paths(
        self,
        parts: Parts,
        number: int,
        layer: int,
        side: int,
        pairs: tuple[tuple[Forms, Forms], ...],
    ) -> Forms:
        """Add a layer's unit bits: whether any pair of indicators (unit below, weight) is set."""
        here = parts.subject.network.layers[layer]
        outputs, inputs = here.outputs, here.inputs
        total = Forms(np.zeros(outputs), Terms.join([]))
        for which, (below, weight) in enumerate(pairs):
            x = self._bits(parts, "path", (number, layer, 2 * side + which), outputs * inputs)
            both = below.constant + weight.constant  # x = [below + weight - 1 > 0]
            spread = below.take(np.tile(np.arange(inputs), outputs)).terms
            self._indicate(parts, x, Forms(both.ravel() - 1.0, Terms.join(
                [spread, weight.terms])), -1, 1)  # fmt: skip
            owner = np.repeat(np.arange(outputs), inputs)
            total = total + Forms(np.zeros(outputs), Terms.linear(owner, x, 1.0))
        y = self._bits(parts, "paths", (number, layer, side), outputs)
        self._indicate(parts, y, total, 0, 2 * inputs)
        return Forms(np.zeros(outputs), Terms.linear(np.arange(outputs), y, 1.0))

    def _bits(self, parts: Parts, name: str, about: tuple[int, int, int], count: int) -> IntArray:
        every = np.arange(count)
        return parts.assembly.variables(name, ("c", "l", "s", "n"), (2, 2, 1, 9), (*about, every))

    def _indicate(self, parts: Parts, x: IntArray, form: Forms, low: int, high: int) -> None:
        table = x[:, None].astype(np.int64)
        parts.assembly.indicators(
            x, form.constant.ravel(), form.terms, low, high, "monotone-path", table
        )
