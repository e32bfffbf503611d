"""Samples that must be right: regression tests of a network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from formulations.arrays import BitArray, IntArray
from formulations.checks import check_whole
from formulations.constraints.base import Constraint
from formulations.constraints.boxes import (
    add_box_rows,
    check_fit,
    check_samples,
    deficits,
    output_bounds,
)
from formulations.constraints.parts import Parts, Subject

WRONG = 8
"""Cost of a wrong sample, where a unit of another constraint costs 1."""


@dataclass(frozen=True, eq=False)
class Right(Constraint):
    """Constraint that every one of these samples is right.

    Parameters
    ----------
    X : array of int, shape (S, d)
        Inputs on the lattice of the problem's inputs.
    y : array of int, shape (S,)
        -1 and +1 for one output, else class indices.
    margin : int
        1: right by ``Network.predict``; each further unit requires one more step of the integer
        output, see :mod:`formulations.constraints.boxes`.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> must = Right([[1, 1, -1]], [-1])
    >>> problem = TrainingProblem(Network.dense([3, 1]), [[1, 1, 1]], [1], constraints=[must])
    >>> problem.broken(problem.weights_from_bits([1, 1, 1]))
    {'right: sample 0': 2}
    """

    X: npt.ArrayLike
    y: npt.ArrayLike
    margin: int = 1

    def __post_init__(self) -> None:
        X, y = check_samples(type(self).__name__, self.X, self.y)
        object.__setattr__(self, "X", X)
        object.__setattr__(self, "y", y)
        check_whole(f"{type(self).__name__}: margin", self.margin)

    @property
    def name(self) -> str:
        return "right"

    def box(self, subject: Subject) -> tuple[IntArray, IntArray]:
        """Return the least and greatest inputs (S, d); the same array twice for points."""
        X = np.asarray(self.X)
        return X, X

    def check(self, subject: Subject) -> None:
        """Refuse samples that do not fit the network."""
        check_fit(type(self).__name__, subject, np.asarray(self.X), np.asarray(self.y))

    def labels(self, subject: Subject) -> list[str]:
        return [f"{self.name}: sample {k}" for k in range(len(np.asarray(self.y)))]

    def amounts(self, subject: Subject, bits: BitArray) -> IntArray:
        """Count the output steps that each sample lacks."""
        y = np.asarray(self.y)
        ends = output_bounds(subject, bits, *self.box(subject))
        short = [deficits(*layers[-1], y, self.margin) for layers in ends]
        return np.array(short, dtype=np.int64).reshape(len(bits), len(y))

    def cost(self, subject: Subject, bits: BitArray) -> IntArray:
        """Return ``WRONG`` per wrong sample plus the number of binary digits of its missing steps.

        If the steps themselves counted, a network with small outputs would beat one that is right
        more often.
        """
        short = self.amounts(subject, bits)
        return np.asarray((WRONG * (short > 0) + np.frexp(short)[1]).sum(axis=1), dtype=np.int64)

    def states(self, subject: Subject, bits: BitArray) -> list[IntArray]:
        """Return pre-activations of layers with words in the model, of one vector (n_w,)."""
        low, high = self.box(subject)
        layers = next(iter(output_bounds(subject, bits[None], low, high)))
        if low is high:
            return [z for z, _ in layers]
        return [np.concatenate(ends) for ends in layers]

    def add_rows(self, parts: Parts, number: int) -> None:
        """Add states of the samples in hidden layers, and a row for each output or pair."""
        add_box_rows(
            parts, self.name, number, *self.box(parts.subject), np.asarray(self.y), self.margin
        )
