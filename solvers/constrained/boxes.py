"""Gradients of samples or input boxes that must be right: ``Right`` and ``Robust``.

Boxes pass through a stack as their centres c and radii r >= 0,

    z_c = W c + b,    z_r = |W| r,    a_c -+ a_r = phi(z_c -+ z_r),

with non-decreasing phi, and the loss is that of the worst outputs: the low end of the output that
must be large, the high end of the rest.  [Interval bound propagation: Gowal et al., arXiv
1810.12715.]  A box counts more the longer it has been wrong: its weight grows by a factor at each
step in which it is wrong, and falls otherwise.  [Multiplicative weights: Arora, Hazan and Kale
2012.]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from formulations.arrays import Array, FloatArray, IntArray
from formulations.constraints.right import Right

if TYPE_CHECKING:
    from formulations import TrainingProblem
    from solvers.classical.gradients.latent_layer import LatentLayer
    from solvers.classical.gradients.outputs import Output


class Boxes:
    """Boxes of a problem's constraints and their weights in each of R networks.

    Parameters
    ----------
    problem : TrainingProblem
    count : int
        Number of networks R.
    """

    def __init__(self, problem: TrainingProblem, count: int) -> None:
        rules = [rule for rule in problem.constraints if isinstance(rule, Right)]
        ends = [rule.box(problem) for rule in rules]
        self.low, self.high = (np.concatenate(side) for side in zip(*ends, strict=True))
        self.y = np.concatenate([np.asarray(rule.y) for rule in rules])
        self.margin = np.concatenate([np.full(len(np.asarray(r.y)), r.margin) for r in rules])
        self.problem = problem.on(self.low, self.y)
        self.share = problem.num_samples / len(self.y)
        self.weights, self.least = np.zeros((count, len(self.y))), 0.0

    @staticmethod
    def of(problem: TrainingProblem, count: int) -> Boxes | None:
        """Make a problem's boxes; None without any, with falling activations or shared weights."""
        asked = any(isinstance(rule, Right) for rule in problem.constraints)
        rise = all(spline.rises for spline in problem.splines)
        dense = all(layer.ties is None for layer in problem.network.layers)
        return Boxes(problem, count) if asked and rise and dense else None

    def draw(
        self, most: int, share: float, rng: np.random.Generator
    ) -> tuple[IntArray, FloatArray, FloatArray]:
        """Draw at most ``most`` boxes at a share of a run: their numbers, centres and radii.

        The radii grow to the required ones until the middle of the run.
        """
        count = min(most, len(self.y))
        drawn = rng.choice(len(self.y), count, replace=False, shuffle=False)
        if not self.least:  # weight of a box as an ordinary sample
            self.least = min(1.0, most / count / self.share)
            self.weights = np.maximum(self.weights, self.least)
        low, high = self.low[drawn].astype(float), self.high[drawn].astype(float)
        return drawn, (low + high) / 2, min(1.0, 2 * share) * (high - low) / 2

    def slopes(self, drawn: IntArray, z: FloatArray, r: FloatArray) -> tuple[Array, Array]:
        """Compute derivatives of the worst outputs' loss at centres and radii, shapes (R, B, C)."""
        y, margin = self.y[drawn], self.margin[drawn][:, None]
        if z.shape[2] == 1:
            rising = y[:, None] > 0
            worst = np.where(rising, z - r - (margin - 1), z + r + margin)
        else:
            rising = y[:, None] == np.arange(z.shape[2])
            worst = np.where(rising, z - r - margin, z + r)
        wrong = _wrong(worst, y)
        weights = self.weights[:, drawn]
        slope = self.problem.sample_slopes(worst, drawn) * weights[..., None]
        moved = weights * np.where(wrong, 1.1, 0.97)
        self.weights[:, drawn] = np.clip(moved, self.least, 1.0)
        slope = slope.astype(z.dtype)
        return slope, np.where(rising, -slope, slope)


def _wrong(worst: FloatArray, y: IntArray) -> Array:
    if worst.shape[2] == 1:
        return np.where(y > 0, worst[..., 0] < 0, worst[..., 0] > 0)
    own = np.take_along_axis(worst, y[None, :, None], axis=2)
    other = np.where(y[:, None] == np.arange(worst.shape[2]), -np.inf, worst).max(axis=2)
    return np.asarray(other >= own[..., 0])


def directions_with_boxes(
    layers: Sequence[LatentLayer],
    output: Output,
    X: Array,
    samples: IntArray,
    boxes: Boxes,
    share: float,
    rng: np.random.Generator,
) -> None:
    """Store the gradient of a batch and as many boxes in rounded layers.

    The boxes' centres pass as rows after the samples; thresholds follow only the samples' means.
    """
    count, kind = len(samples), layers[0].latent.dtype.type
    drawn, centres, radii = boxes.draw(count, share, rng)
    a = np.concatenate([X, centres]).astype(kind)[None]
    r = radii.astype(kind)[None]
    passed: list[tuple[Array, Array, list[Array]]] = []
    for part in layers:
        part.followed = count
        z, spread = part.pre_activations(a), r @ np.abs(part.weights).swapaxes(1, 2)
        if part.unit is None:
            passed.append((a, r, []))
            break
        ends = [z[:, :count], z[:, count:] - spread, z[:, count:] + spread]
        passed.append((a, r, [part.slope(end) for end in ends]))
        samples_a, low, high = (part.unit.value(end) for end in ends)
        a = np.concatenate([samples_a, (low + high) / 2], axis=1)
        r = (high - low) / 2
    own = output.slope(z[:, :count], samples)
    found, spread_slope = boxes.slopes(drawn, z[:, count:], spread)
    slope = np.concatenate([own, found / kind(count)], axis=1)
    spread_slope /= kind(count)
    for number in range(len(passed) - 1, -1, -1):
        part, (a, r, _) = layers[number], passed[number]
        part.directions(a, slope)
        part.weight_slopes += np.matmul(spread_slope.swapaxes(1, 2), r) * np.sign(part.weights)
        part.followed = None
        if number:
            at_samples, at_low, at_high = passed[number - 1][2]
            after, around = part.back(slope), spread_slope @ np.abs(part.weights)
            low = (after[:, count:] - around) / 2 * at_low
            high = (after[:, count:] + around) / 2 * at_high
            slope = np.concatenate([after[:, :count] * at_samples, low + high], axis=1)
            spread_slope = high - low
