"""Networks of one shape side by side: latent weights, straight-through gradients, Adam.

R networks are trained on the same batches, so that small ones are not slowed down by the cost of a
call: activations have shape (R, B, units).

Forward, a latent v in [-1, 1] counts as a level q(v) of its code; backward, q is the identity.  The
units of a layer read

    y = W a + b,    b = b_0 + v scale,

with b_0 = -mean of W a and scale = its spread where thresholds are integers, so that v is in units
of what the layer sees.  The mean is the batch's at first, and gradients pass through it.  Once the
thresholds are folded, mean and spread are frozen and b is rounded: the forward pass is that of the
problem's integer network.  Thresholds of any other code are latent weights like all others.

[BinaryConnect, Courbariaux et al. 2015; BinaryNet, Hubara et al. 2016; Adam, Kingma and Ba 2015;
batch normalisation, Ioffe and Szegedy 2015.]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from formulations.arrays import Array, FloatArray, IntArray
from formulations.network.network import Weights
from solvers.classical.gradients.latent_layer import LatentLayer
from solvers.classical.gradients.units import Step, unit

if TYPE_CHECKING:
    from formulations import TrainingProblem

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8
"""Adam's constants."""

EXACT = 2**24
"""Integers below this are exact in float32."""

CHUNK = 2**22
"""Activations computed at a time where many samples pass."""


class Stack:
    """R networks side by side: latent weights, running statistics, Adam's moments.

    Parameters
    ----------
    problem : TrainingProblem
    count : int
        Number of networks R.
    rng : Generator
        Draws the start.
    rounded : bool
        False: weights and thresholds stay real numbers in the range of their codes.
    """

    def __init__(
        self, problem: TrainingProblem, count: int, rng: np.random.Generator, rounded: bool = True
    ) -> None:
        self.problem, self.count = problem, count
        self.units = [unit(spline) for spline in problem.splines]
        layers = problem.network.layers
        whole = problem.num_free_bits == problem.network.num_weight_bits
        free = [None] * len(layers) if whole else problem.free_layers
        steps = [isinstance(part, Step) for part in self.units]
        self.layers = [
            LatentLayer(layer, part, factor, is_step=is_step, rounded=rounded)
            for layer, part, factor, is_step in zip(
                layers, free, problem.bias_units, [*steps, False], strict=True
            )
        ]
        self.kind: Any = np.float32 if self._reach() < EXACT else np.float64
        self._allocate()
        for part in self.layers:
            part.begin(rng)
        self.steps, self.folded = 0, False

    def _reach(self) -> float:
        """Largest magnitude that anything can have on the way to the outputs."""
        a, most = float(np.abs(self.problem.X).max()), 0.0
        for number, part in enumerate(self.layers):
            level = float(np.abs(part.quantizer.levels).max())
            z = part.layer.inputs * level * a + part.largest_threshold
            if number < len(self.units):
                low, high = self.problem.splines[number].bounds(-z, z)
                a = float(max(abs(low), abs(high)))
            most = max(most, z, a)
        return most

    def _allocate(self) -> None:
        """One vector for all that is trained, and views on its parts.

        First the weights, then the thresholds that are latent weights, too, which all stay within
        [-1, 1]; then those that follow a mean.
        """
        shapes = [(part.layer.outputs, part.layer.inputs) for part in self.layers]
        order = sorted(range(len(shapes)), key=lambda number: self.layers[number].centred)
        sizes = [m * n for m, n in shapes] + [shapes[number][0] for number in order]
        ends = np.cumsum(sizes)
        self.num_weights = int(ends[len(shapes) - 1])
        narrow = sum(
            m for (m, _), part in zip(shapes, self.layers, strict=True) if not part.centred
        )
        self.num_bounded = self.num_weights + narrow
        flat = (self.count, int(ends[-1]))
        self.values, self.gradient, self.first, self.second, self._scratch = (
            np.zeros(flat, dtype=self.kind) for _ in range(5)
        )
        levels = np.zeros((self.count, self.num_weights), dtype=self.kind)
        starts = ends - sizes
        for number, (part, shape) in enumerate(zip(self.layers, shapes, strict=True)):
            place = slice(starts[number], ends[number])
            part.latent, part.weight_slopes, part.weights = (
                flat[:, place].reshape(self.count, *shape)
                for flat in (self.values, self.gradient, levels)
            )
        for number, start, end in zip(
            order, starts[len(shapes) :], ends[len(shapes) :], strict=True
        ):
            part = self.layers[number]
            part.soft, part.soft_slopes = self.values[:, start:end], self.gradient[:, start:end]

    # -- one training step ------------------------------------------------------------------------

    def step(
        self,
        X: Array,
        samples: IntArray,
        rate: float | FloatArray,
        dropout: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> None:
        """Take Adam's step along the straight-through gradient of a batch.

        Parameters
        ----------
        X : ndarray, shape (B, d)
            Inputs of the batch.
        samples : ndarray of int64, shape (B,)
            Their numbers in the problem.
        rate : float or ndarray, shape (R, 1)
        dropout : float
            Share of the hidden units that the step leaves out, drawn by ``rng``; none once the
            thresholds are folded.  [Srivastava et al. 2014.]
        rng : Generator, optional
        """
        self._quantise()
        a: FloatArray = X.astype(self.kind)[None]
        inputs, ramps = [], []
        for number, part in enumerate(self.layers):
            inputs.append(a)
            y = np.matmul(a, part.weights.swapaxes(1, 2))
            part.shift(y, self.folded)
            if number < len(self.units):
                ramps.append(self.units[number].slopes(y, part.window))
                a = self.units[number].levels(y)
                if dropout and rng is not None and not self.folded:
                    kept = (rng.random(a.shape, dtype=np.float32) >= dropout).astype(self.kind)
                    kept *= self.kind(1 / (1 - dropout))
                    a = a * kept
                    ramps[-1] = ramps[-1] * kept
        slope = self._output_slopes(y, samples)
        for number in range(len(self.layers) - 1, -1, -1):
            part = self.layers[number]
            slope = part.backward(slope, inputs[number], self.folded)
            if number:
                slope = np.matmul(slope, part.weights)
                slope *= ramps[number - 1]
        self._adam(rate)

    def _output_slopes(self, y: FloatArray, samples: IntArray) -> FloatArray:
        """Slopes of the problem's mean loss at the outputs, shape (R, B, C)."""
        slope = self.problem.sample_slopes(y, samples).astype(self.kind)
        slope *= self.kind(1 / len(samples))
        return slope

    def _quantise(self) -> None:
        for part in self.layers:
            part.quantise()

    def _adam(self, rate: float | FloatArray) -> None:
        self.steps += 1
        kind = self.kind
        g, m, s, tmp = self.gradient, self.first, self.second, self._scratch
        np.subtract(g, m, out=tmp)
        tmp *= kind(1 - FIRST)
        m += tmp
        np.square(g, out=g)
        g -= s
        g *= kind(1 - SECOND)
        s += g
        np.sqrt(s, out=tmp)
        correction = (1 - SECOND**self.steps) ** 0.5
        tmp += kind(TINY * correction)
        np.divide(m, tmp, out=tmp)
        tmp *= np.asarray(rate * correction / (1 - FIRST**self.steps), dtype=kind)
        self.values -= tmp
        bounded = self.values[:, : self.num_bounded]
        np.clip(bounded, kind(-1), kind(1), out=bounded)

    # -- the integer networks ---------------------------------------------------------------------

    def fold(self, X: Array) -> None:
        """Freeze means and spreads, measured on ``X`` through the integer networks themselves."""
        self._quantise()
        self.folded = True
        a = X.astype(self.kind)[None]
        for number, part in enumerate(self.layers):
            y = np.matmul(a, part.weights.swapaxes(1, 2))
            part.freeze(y)
            if number < len(self.units):
                y += part.stored()[:, None, :]
                a = self.units[number].levels(y)

    def unfold(self) -> None:
        """Go back to means of batches."""
        self.folded = False

    def outputs(self, X: Array) -> FloatArray:
        """Outputs of the folded networks, shape (R, N, C), in exact arithmetic."""
        self._quantise()
        widest = max(self.problem.network.widths)
        rows = max(1, CHUNK // (widest * self.count))
        thresholds = [part.stored()[:, None, :] for part in self.layers]
        found = []
        for start in range(0, len(X), rows):
            a = X[start : start + rows].astype(self.kind)[None]
            for number, part in enumerate(self.layers):
                y = np.matmul(a, part.weights.swapaxes(1, 2))
                y += thresholds[number]
                if number < len(self.units):
                    a = self.units[number].levels(y)
            found.append(y)
        return np.concatenate(found, axis=1)

    def real_weights(self, network: int) -> list[FloatArray]:
        """Weights of a folded network, thresholds last, (n_l, n_{l-1} + 1) each."""
        self._quantise()
        return [
            np.concatenate(
                [part.weights[network], part.stored()[network, :, None] / part.unit], axis=1
            ).astype(float)
            for part in self.layers
        ]

    def weights(self, network: int) -> Weights:
        """The weights of a folded network."""
        matrices = [matrix.astype(np.int64) for matrix in self.real_weights(network)]
        return Weights(
            tuple(matrix[:, :-1] for matrix in matrices),
            tuple(
                matrix[:, -1] if part.layer.bias_code else None
                for matrix, part in zip(matrices, self.layers, strict=True)
            ),
            self.problem.splines,
        )

    # -- checkpoints ------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """All that a step changes."""
        return {
            "values": self.values,
            "first": self.first,
            "second": self.second,
            "steps": self.steps,
            "folded": self.folded,
            "layers": [part.snapshot() for part in self.layers],
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        for name in ("values", "first", "second"):
            getattr(self, name)[...] = snapshot[name]
        self.steps, self.folded = snapshot["steps"], snapshot["folded"]
        for part, saved in zip(self.layers, snapshot["layers"], strict=True):
            part.restore(saved)
