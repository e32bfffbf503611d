"""The twin of a training problem with real weights: the same network, the same loss, gradients.

Activations are the network's own, read between the integers too.  Where the slope of one is zero
almost everywhere, it is that of a ramp as wide as the pre-activations spread [BinaryNet, Hubara et
al. 2016]; rules that drop a layer's own slope do not need it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from formulations.arrays import Array, BoolArray, FloatArray, IntArray
from formulations.network.losses import JointLoss
from formulations.network.splines import Spline
from solvers.classical.gradients.network import RealLayer, RealNetwork
from solvers.classical.gradients.objectives import NetworkObjective
from solvers.run.stopping import Over, never

if TYPE_CHECKING:
    from formulations import TrainingProblem


WIDTH = 1.5
"""Half the width of a step's ramp, in units of the pre-activations' root mean square."""


@dataclass(frozen=True)
class LatticeUnit:
    """An activation of the network, in units of its lattice."""

    spline: Spline

    def value(self, Z: Array) -> Array:
        """The spline."""
        return self.spline.units(Z)

    def slope(self, Z: Array) -> Array:
        """Its own slopes, or those of a ramp for one of constant pieces."""
        if self.spline.order:
            return np.asarray(self.spline.slopes[self.spline.piece(Z)])
        half = WIDTH * (np.sqrt(np.square(Z).mean()) + 1e-12)
        height = np.ptp(self.spline.intercepts) / 2
        return np.asarray(np.where(np.abs(Z) <= half, height / half, 0.0))


@dataclass(frozen=True)
class LatticeOutput:
    """The problem's outputs and their loss; targets are rows of its ``target_index``."""

    problem: TrainingProblem

    def value(self, Z: Array) -> Array:
        """Z itself, in lattice steps."""
        return Z

    def loss(self, Z: Array, Y: Array) -> float:
        """Mean over the samples of the sum over the outputs."""
        return float(self._losses(Z, Y).sum() / len(Z))

    def slope(self, Z: Array, Y: Array) -> Array:
        """Difference across two lattice steps; of hinge for zero-one, which has no slope."""
        if self.problem.loss_kind.name == "zero-one":
            towards = self.problem.targets[Y] * self.problem.out_step
            return np.asarray(np.where(towards * Z < 1.0, -towards, 0.0) / len(Z))
        loss, step = self.problem.loss_kind, self.problem.out_step
        if isinstance(loss, JointLoss):
            return np.asarray(step * loss.slopes(step * Z, Y.argmax(axis=1)) / len(Z))
        return np.asarray((self._losses(Z + 1, Y) - self._losses(Z - 1, Y)) / (2 * len(Z)))

    residual = slope

    def _losses(self, Z: Array, Y: Array) -> FloatArray:
        problem = self.problem
        if isinstance(problem.loss_kind, JointLoss):
            return problem.loss_kind.values(problem.out_step * Z, Y.argmax(axis=1))
        if problem.loss_kind.is_quadratic:
            return np.asarray((problem.out_step * Z - problem.targets[Y]) ** 2)
        values = np.empty(Z.shape)
        for number, spline in enumerate(problem.loss_splines):
            chosen = np.equal(Y, number)
            values[chosen] = spline(Z[chosen])
        return values


class RealRelaxation(NetworkObjective):
    """A problem as an objective of real weights, in units of its levels.

    Weights that are not free are held at their levels.

    Parameters
    ----------
    problem : TrainingProblem
    rng : Generator
        Draws the free weights uniformly within the range of their code.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> problem = TrainingProblem(Network.dense([2, 1]), [[1, -1], [1, 1]], [1, -1])
    >>> twin = RealRelaxation(problem, np.random.default_rng(0))
    >>> twin.levels(twin.weights)[0].shape
    (1, 3)
    """

    def __init__(self, problem: TrainingProblem, rng: np.random.Generator) -> None:
        layers: list[RealLayer] = []
        self._held: list[tuple[BoolArray, Array]] = []
        for number, layer in enumerate(problem.network.layers):
            held = np.asarray((problem.free_layers[number].slot < 0).all(axis=2))
            fixed = problem.free_layers[number].fixed
            drawn = rng.uniform(-1, 1, held.shape) * np.abs(layer.code.levels).max()
            values = np.where(held, fixed, drawn)
            unit = LatticeUnit(problem.splines[number]) if number < len(problem.splines) else None
            b = None
            constant = float(problem.bias_units[number])
            if layer.bias_code is not None:
                b = values[:, -1] * constant  # so that it adds to Z as it is
            layers.append(RealLayer(values[:, :-1].copy(), b, unit))
            parts = [(held[:, :-1], fixed[:, :-1]), (held[:, -1], fixed[:, -1] * constant)]
            self._held += parts[: len(layers[-1].arrays)]
        self.problem = problem
        network = RealNetwork(layers, LatticeOutput(problem))
        super().__init__(network, problem.X.astype(float), problem.target_index)

    def directions(self, samples: IntArray) -> list[Array]:
        """By the rule, zero for what is held, from some of the samples."""
        self._hold(self.weights)
        found = super().directions(samples)
        for G, (held, _) in zip(found, self._held[-len(found) :], strict=True):
            G[held] = 0.0
        return found

    def _hold(self, weights: list[Array]) -> None:
        for W, (held, fixed) in zip(weights, self._held[-len(weights) :], strict=True):
            W[held] = fixed[held]

    def levels(self, weights: list[Array]) -> list[FloatArray]:
        """Weights such as ``self.weights`` as one array per layer, thresholds last."""
        self._hold(weights)
        remaining, result = iter(weights), []
        for number, layer in enumerate(self.problem.network.layers):
            W = next(remaining)
            b = np.zeros(len(W))
            if layer.bias_code is not None:
                b = next(remaining) / self.problem.bias_units[number]
            result.append(np.column_stack([W, b]))
        return result


def best_relaxation(
    problem: TrainingProblem,
    rng: np.random.Generator,
    rates: Sequence[float],
    train: Callable[[RealRelaxation, float, np.random.Generator], None],
    over: Over = never,
) -> list[FloatArray]:
    """Real weights of the twin with the least loss, of one that is trained at each learning rate.

    Parameters
    ----------
    problem : TrainingProblem
    rng : Generator
    rates : sequence of float
    train : callable
        Trains a twin's weights, in place, at a learning rate, with an order of the samples.
    over : callable
        Leaves out the other learning rates where it says that the time is up.

    Returns
    -------
    list of ndarray of float64, shape (n_l, n_{l-1} + 1)
        In units of the levels, thresholds last.
    """
    best, least = None, np.inf
    for rate, stream in zip(rates, rng.spawn(len(rates)), strict=True):
        twin = RealRelaxation(problem, stream)
        train(twin, rate, stream)
        levels = twin.levels([a for layer in twin.network.layers for a in layer.arrays])
        loss = twin.loss()
        if best is None or loss < least:
            best, least = levels, loss
        if over():
            break
    assert best is not None
    return best
