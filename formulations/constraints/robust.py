"""Samples that must stay right for all inputs near them, by interval propagation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formulations.arrays import IntArray
from formulations.checks import check_whole
from formulations.constraints.parts import Subject
from formulations.constraints.right import Right


@dataclass(frozen=True, eq=False)
class Robust(Right):
    """Constraint that every sample is right for every input within ``radius`` levels of it.

    Sound: if interval propagation confirms it, no such input is wrong.  Exact for one layer with
    one output; with hidden layers or several outputs it may be stricter than necessary.  Inputs
    stay within the range of the problem's inputs, where their levels end.  [Interval bound
    propagation: Gowal et al., arXiv 1810.12715.]

    Parameters
    ----------
    X, y, margin
        As in :class:`~formulations.constraints.right.Right`.
    radius : int
        Radius in levels.
    step : int or None
        Distance of two levels; None takes that of the problem's inputs, 2 if all of them are odd.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> near = Robust([[2, 2, 0]], [1], radius=1)
    >>> problem = TrainingProblem(
    ...     Network.dense([3, 1]), [[0, 1, 2], [2, 2, 0]], [1, 1], constraints=[near]
    ... )
    >>> problem.broken(problem.weights_from_bits([1, 0, 1]))
    {'robust:1: sample 0': 1}
    """

    radius: int = 1
    step: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("Robust: radius", self.radius)
        if self.step is not None:
            check_whole("Robust: step", self.step)

    @property
    def name(self) -> str:
        """``robust:RADIUS``."""
        return f"robust:{self.radius}"

    def box(self, subject: Subject) -> tuple[IntArray, IntArray]:
        """Return the inputs within the radius and within the range of the problem's inputs."""
        X, step = np.asarray(self.X), self.step
        if step is None:
            step = 2 if (subject.X % 2 == 1).all() else 1
        low, high = min(subject.X.min(), X.min()), max(subject.X.max(), X.max())
        reach = self.radius * step
        return np.maximum(X - reach, low), np.minimum(X + reach, high)
