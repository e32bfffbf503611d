"""Round real weights to levels layer by layer: to the nearest level, greedily, or by QUBO.

A layer with inputs A, shape (N, n + 1), whose last column is the constant input of thresholds,
should reproduce the pre-activations t_j of a real network.  At scale s, the levels q of neuron j
minimise

    |A q - s t_j|^2  =  q'Gq - 2 s q'c_j + s^2 |t_j|^2,    G = A'A,  c_j = A't_j.

Rounding s v_j to the nearest levels ignores this objective.  Coordinate descent moves one weight at
a time to its best level.  Since q is affine in its bits, the optimal q is a QUBO's ground state.
[Optimal brain quantization: Frantar and Alistarh 2022; rounding as a QUBO: Nagel et al. 2020.]
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray, BoolArray, FloatArray, IntArray
from formulations.network.codes import WeightCode
from formulations.network.layer import Layer
from solvers.oracles.base import QUBO
from solvers.run.stopping import Over, never

QUANTILES = (0.5, 0.7, 0.85, 0.95, 1.0)
"""Quantiles of a neuron's |v| that scales map to the code's largest level."""


def nearest(code: WeightCode, wanted: FloatArray) -> FloatArray:
    """Return the nearest levels of a code; ties go to the higher level.

    Examples
    --------
    >>> from formulations.network.codes import ternary
    >>> nearest(ternary(), np.array([-3.0, -0.2, 0.5])).tolist()
    [-1.0, 0.0, 1.0]
    """
    levels = code.levels.astype(float)
    middles = (levels[1:] + levels[:-1]) / 2
    return np.asarray(levels[np.searchsorted(middles, wanted, side="right")])


def shared(layer: Layer, levels: IntArray) -> IntArray:
    """Set shared weights in levels (outputs, inputs + 1) to the level nearest their mean.

    Examples
    --------
    >>> from formulations import Network
    >>> layer = Network.conv((1, 1, 3), ["conv:1:2"], 1).layers[0]
    >>> shared(layer, np.array([[1, -1, 0, 0], [0, 1, 1, 0]])).tolist()
    [[1, 1, 0, 0], [0, 1, 1, 0]]
    """
    if layer.ties is None:
        return levels
    numbers, last = layer.ties.numbers, layer.ties.is_threshold
    free = numbers >= 0
    mean = np.bincount(numbers[free], levels[free]) / np.bincount(numbers[free])
    stored = np.zeros(len(mean), dtype=np.int64)
    for code, chosen in ((layer.code, ~last), (layer.bias_code, last)):
        if code is not None:
            stored[chosen] = nearest(code, mean[chosen])
    return layer.ties.expand(stored)


def class_targets(problem: TrainingProblem) -> FloatArray:
    """Mark where outputs should be large (targets above their midrange), 0 or 1, shape (N, C).

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> class_targets(TrainingProblem(Network.dense([1, 1]), [[1], [2]], [-1, 1])).tolist()
    [[0.0], [1.0]]
    """
    middle = (problem.targets.min() + problem.targets.max()) / 2
    return np.asarray(problem.targets[problem.target_index] > middle, dtype=float)


def read_by_layer(problem: TrainingProblem, number: int, a: FloatArray) -> FloatArray:
    """Append the thresholds' constant input of layer ``number`` (from 0) to activations (N, n)."""
    return np.concatenate([a, np.full((len(a), 1), float(problem.bias_units[number]))], axis=1)


def real_pre_activations(problem: TrainingProblem, weights: list[FloatArray]) -> list[FloatArray]:
    """Return z of every layer for real weights (n_l, n_{l-1} + 1), in units of the lattice.

    Activations are the network's own, also evaluated between integers.
    """
    a: FloatArray = problem.X.astype(float)
    result = []
    for number, matrix in enumerate(weights):
        result.append(read_by_layer(problem, number, a) @ matrix.T)
        if number < len(problem.splines):
            a = problem.splines[number].units(result[-1])
    return result


@dataclass(frozen=True)
class LayerFit:
    """Least-squares problem of one layer's levels.

    Parameters
    ----------
    codes : (WeightCode, WeightCode or None)
        Codes of weights and of thresholds.
    real : ndarray, shape (n_out, m)
        Real weights v_j, thresholds last.
    gram : ndarray, shape (m, m)
        G = A'A.
    cross : ndarray, shape (n_out, m)
        c_j = A't_j.
    free : ndarray of bool, shape (n_out, m)
        True for weights that may change.
    fixed : ndarray, shape (n_out, m)
        Levels of the fixed weights.
    """

    codes: tuple[WeightCode, WeightCode | None]
    real: FloatArray
    gram: FloatArray
    cross: FloatArray
    free: BoolArray
    fixed: FloatArray

    @classmethod
    def of(
        cls,
        problem: TrainingProblem,
        number: int,
        inputs: FloatArray,
        real: FloatArray,
        targets: FloatArray,
    ) -> LayerFit:
        """Build layer ``number`` (from 0) from inputs (N, m), real weights and pre-activations."""
        layer, free = problem.network.layers[number], problem.free_layers[number]
        may_change = np.asarray((free.slot >= 0).any(axis=2))
        fixed = free.fixed.astype(float)
        if layer.bias_code is None:
            may_change[:, -1], fixed[:, -1] = False, 0.0
        return cls(
            (layer.code, layer.bias_code),
            real,
            inputs.T @ inputs,
            targets.T @ inputs,
            may_change,
            fixed,
        )

    def _code(self, column: int) -> WeightCode:
        """Return the code of a column that may change."""
        weights, thresholds = self.codes
        code = weights if column < len(self.gram) - 1 else thresholds
        assert code is not None
        return code

    def scales(self) -> FloatArray:
        """Return the scales to try for each neuron, shape (S, n_out)."""
        largest = float(np.abs(self.codes[0].levels).max())
        sizes = np.quantile(np.abs(self.real[:, :-1]), QUANTILES, axis=1)
        floor = 1e-9 * np.abs(self.real).max(initial=1e-290)
        scales = largest / np.maximum(sizes, floor)
        # The last three map the largest |v| to fractions of that level: opposite weights on units
        # that agree can make an output small even without a small level.
        return np.concatenate([scales, np.multiply.outer((0.5, 0.25, 0.125), scales[-1])])

    def nearest(self, scales: FloatArray) -> FloatArray:
        """Return the nearest levels of s v, shape (S, n_out) -> (S, n_out, m)."""
        code, bias_code = self.codes
        wanted = scales[..., None] * self.real
        levels = nearest(code, wanted)
        if bias_code is not None:
            levels[..., -1] = nearest(bias_code, wanted[..., -1])
        return np.where(self.free, levels, self.fixed)

    def descended(self, levels: FloatArray, scales: FloatArray, over: Over = never) -> FloatArray:
        """Improve levels (S, n_out, m) by coordinate descent on |A q - s t|^2 to a local optimum.

        Stop early when ``over`` says that the time is up.
        """
        levels = levels.copy()
        slope = levels @ self.gram - scales[..., None] * self.cross
        for _ in range(20):  # passes over the weights
            moved = False
            for i in np.flatnonzero(self.free.any(axis=0)).tolist():
                if over():
                    return levels
                step = self._code(i).levels - levels[..., i, None]
                change = step * (step * self.gram[i, i] + 2.0 * slope[..., i, None])
                best = np.argmin(change, axis=-1)[..., None]
                gain = np.take_along_axis(change, best, -1)[..., 0]
                better = self.free[:, i] & (gain < -1e-9 * max(1.0, self.gram[i, i]))
                if better.any():
                    moved = True
                    move = np.where(better, np.take_along_axis(step, best, -1)[..., 0], 0.0)
                    levels[..., i] += move
                    slope += move[..., None] * self.gram[i]
            if not moved:
                break
        return levels

    def likeness(self, levels: FloatArray) -> FloatArray:
        """Return the cosine between A q and t times |t|, shape (S, n_out, m) -> (S, n_out)."""
        size = np.sqrt(np.maximum(((levels @ self.gram) * levels).sum(axis=-1), 1e-300))
        return np.asarray((levels * self.cross).sum(axis=-1) / size)

    def qubo(self, neuron: int, scale: float) -> tuple[QUBO, Callable[[BitArray], FloatArray]]:
        """Return the QUBO of one neuron's levels at a scale, and the decoder of its samples.

        Levels are q = offset + matrix x of bits x.  Samples (R, bits) are decoded to levels (R, m);
        a broken one-hot word keeps its first set bit.
        """
        offset = self.fixed[neuron].copy()
        rows: list[int] = []
        coefficients: list[int] = []
        one_hot = []
        for i in np.flatnonzero(self.free[neuron]).tolist():
            code = self._code(i)
            if code.one_hot:
                one_hot.append(np.arange(len(rows), len(rows) + code.bits))
            offset[i] = code.offset
            rows += [i] * code.bits
            coefficients += code.coefficients
        matrix = np.zeros((len(offset), len(rows)))
        matrix[rows, np.arange(len(rows))] = coefficients
        quadratic = matrix.T @ self.gram @ matrix
        linear = 2.0 * matrix.T @ (self.gram @ offset - scale * self.cross[neuron])
        # exceeds any single weight's gain
        price = 2.0 * float(np.abs(linear).sum() + np.abs(quadratic).sum())
        for word in one_hot:  # price (1 - sum of the word's bits)^2
            quadratic[np.ix_(word, word)] += price
            linear[word] -= 2.0 * price

        def levels(x: BitArray) -> FloatArray:
            x = x.copy()
            for word in one_hot:
                x[:, word] = np.arange(len(word)) == np.argmax(x[:, word], axis=1)[:, None]
            return np.asarray(offset + x @ matrix.T)

        heads, tails = np.triu_indices(len(linear), 1)
        qubo = QUBO(linear + np.diag(quadratic), heads, tails, 2.0 * quadratic[heads, tails])
        return qubo, levels
