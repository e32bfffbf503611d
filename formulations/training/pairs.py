"""Gaps between the right output and a wrong one, whose losses multi-hinge adds up.

The integer gap g = z_right - z_c is encoded like the pre-activation of a neuron, and its loss is
hinge of g; in the threshold encoding the word is the epigraph variable of the loss.  In labels the
gaps are layer L + 1 of a network of L layers, with the wrong class c as the unit.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formulations.arrays import IntArray
from formulations.errors import InvalidInputError
from formulations.model.assembly import Terms, ragged
from formulations.neurons.base import Neurons, Sketch
from formulations.training.instance import Instance


def refuse_without_model(problem: Instance) -> None:
    """Refuse a loss that has no quadratic model.

    Raises
    ------
    InvalidInputError
        Naming losses to use instead.
    """
    if problem.loss_kind.is_joint and not problem.loss_splines:
        raise InvalidInputError(
            f"the {problem.loss_kind.name} loss over {problem.network.num_outputs} outputs has no "
            "quadratic binary model: take loss='multi-hinge' or 'squared:auto' where a model is "
            "needed, or a solver that scores weights without one, such as StraightThrough, "
            "LargeNeighborhoodSearch or WeightAnnealing"
        )


@dataclass(frozen=True)
class Pairs:
    """The E pairs (sample, wrong class) whose loss the bounds of the outputs leave undecided.

    Parameters
    ----------
    sample, wrong : ndarray of int, shape (E,)
        Sample and wrong class.
    low, high : ndarray of int, shape (E,)
        Bounds of the gap.
    right_output, wrong_output : ndarray of int, shape (E,)
        Positions of the two outputs among the outputs with states.
    """

    sample: IntArray
    wrong: IntArray
    low: IntArray
    high: IntArray
    right_output: IntArray
    wrong_output: IntArray

    @classmethod
    def of(cls, problem: Instance, sample: IntArray, unit: IntArray) -> Pairs:
        """Find the undecided pairs, given sample and unit of the outputs with states."""
        outputs = problem.bounds[-1]
        least, greatest = problem.loss_bounds(outputs.z_low, outputs.z_high)
        k, c = np.nonzero(least < greatest)
        low, high = problem.gap_bounds(outputs.z_low, outputs.z_high)
        position = np.full(low.shape, -1, dtype=np.int64)
        position[sample, unit] = np.arange(len(sample))
        return cls(k, c, low[k, c], high[k, c], position[k, problem.classes[k]], position[k, c])

    def neurons(self, outputs: Neurons) -> Neurons:
        """Return the gaps as neurons of the layer after the outputs."""
        order = np.argsort(outputs.terms.owner, kind="stable")
        terms = outputs.terms.take(order)
        count = np.bincount(terms.owner, minlength=len(outputs))
        start = np.cumsum(count) - count
        parts = []
        for output, sign in ((self.right_output, 1.0), (self.wrong_output, -1.0)):
            owner, entry = ragged(start[output], count[output])
            parts.append(
                Terms.linear(owner, terms.variable[entry], sign * terms.coefficient[entry])
            )
        return Neurons(
            outputs.layer + 1,
            self.sample,
            self.wrong,
            outputs.number[self.right_output],
            self.low,
            self.high,
            outputs.constant[self.right_output] - outputs.constant[self.wrong_output],
            Terms.join(parts),
            outputs.digits,
        )

    def sketch(self, outputs: Sketch) -> Sketch:
        """Return the sketch of the gaps, from which their sizes follow."""
        right, wrong = outputs.take(self.right_output), outputs.take(self.wrong_output)
        return Sketch(
            self.low, self.high, right.constant - wrong.constant, right.entries + wrong.entries
        )
