"""Bounds on the error of the outputs that splines cause, valid for all weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from formulations.arrays import FloatArray
from formulations.network.network import Activation, Network, Weights

if TYPE_CHECKING:
    from formulations.training.problem import TrainingProblem


@dataclass(frozen=True)
class SplineErrors:
    """Bounds on spline errors over all weights and training inputs.

    Parameters
    ----------
    splines : tuple of float
        Error of each hidden layer's spline.
    layers : tuple of float
        Error of each hidden layer's activation, including the errors of the layers below.
    output : float
        Error of an output; infinite only for unbounded activations.
    loss : float
        Largest error of the loss's spline, for one sample and output.
    """

    splines: tuple[float, ...]
    layers: tuple[float, ...]
    output: float
    loss: float


def spline_errors(problem: TrainingProblem) -> SplineErrors:
    """Propagate the errors of the splines through the layers.

    With e_0 = 0, W the largest weight magnitude of a layer, L the Lipschitz constant of its
    activation and s its scale,

        d_l = sum_i |W_i| e_{l-1} / (step_{l-1} s_l),     e_l = error_l + L_l d_l,

    since |f(z'/s) - spline(z)| <= |f(z'/s) - f(z/s)| + |f(z/s) - spline(z)|, and z is an integer in
    the range on which error_l was measured.  A jump (L infinite) adds at most the range of f.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="tanh", pieces=8, resolution=16)
    >>> spline_errors(TrainingProblem(net, [[1, 2]], [1])).output < 0.5
    True
    """
    network = problem.network
    error, step = 0.0, 1.0
    layers: list[float] = []
    for layer, spline, bounds in zip(network.layers, problem.splines, problem.bounds, strict=False):
        activation = layer.activation
        assert activation is not None
        largest = max(abs(layer.code.low), abs(layer.code.high))
        shift = layer.inputs * largest * error / step
        low, high = int(bounds.z_low.min()), int(bounds.z_high.max())
        carried = _largest_change(activation, shift, low, high, spline.scale)
        error, step = spline.error + carried, spline.step
        layers.append(error)
    last = network.layers[-1]
    weight = max(abs(last.code.low), abs(last.code.high)) * last.code.step
    return SplineErrors(
        tuple(s.error for s in problem.splines),
        tuple(layers),
        last.inputs * weight * error,
        max((s.error for s in problem.loss_splines), default=0.0),
    )


def _largest_change(
    activation: Activation, shift: float, low: int, high: int, scale: float
) -> float:
    """Bound |f((z + t)/s) - f(z/s)| for z in [low, high] and |t| <= shift."""
    if shift == 0.0:
        return 0.0
    if activation.lipschitz == inf:  # a jump changes at most the activation's range
        grid = np.linspace(low - shift, high + shift, 4097) / scale
        return float(np.ptp(activation.function(grid)))
    slope = activation.lipschitz
    if np.isnan(slope):  # the slope of a callable is estimated by the steepest chord of a grid
        grid = np.linspace(low - shift, high + shift, 65537) / scale
        chords = np.abs(np.diff(activation.function(grid)) / np.diff(grid))
        slope = 1.01 * float(chords.max())
    return slope * shift / scale


def real_outputs(problem: TrainingProblem, weights: Weights, X: npt.ArrayLike) -> FloatArray:
    """Compute outputs with the real activations in place of splines, shape (N, outputs)."""
    network: Network = problem.network
    a = np.asarray(X, dtype=float)
    step = 1.0
    for number, layer in enumerate(network.layers):
        z = a @ weights.matrices[number].T.astype(float)
        bias = weights.biases[number]
        if bias is not None:
            # the input of a threshold is an activation of 1, or one step for integer codes
            z = z + bias * (step if layer.bias_code and layer.bias_code.is_integer else 1.0)
        if layer.activation is None:
            return np.asarray(z * layer.code.step)
        spline = problem.splines[number]
        a = layer.activation.function(z / step / spline.scale)
        step = spline.step
    raise AssertionError("a network ends with an output layer")
