"""Networks of one shape trained side by side: latent weights, straight-through gradients, Adam.

R networks are trained on the same batches, so that call overhead does not dominate small ones:
activations have shape (R, B, units).

In the forward pass a latent v in [-1, 1] counts as a level q(v) of its code; in the backward pass q
is the identity.  The units of a layer receive

    y = W a + b,    b = b_0 + v scale,

with b_0 = -mean of W a and scale = its spread for integer thresholds, so that v is in units of the
layer's pre-activations.  The mean is the batch's at first, and gradients pass through it.  Once the
thresholds are folded, mean and spread are frozen and b is rounded: the forward pass is that of the
problem's integer network.  Thresholds of any other code are ordinary latent weights.

[BinaryConnect, Courbariaux et al. 2015; BinaryNet, Hubara et al. 2016; Adam, Kingma and Ba 2015;
batch normalisation, Ioffe and Szegedy 2015.]
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import Array, FloatArray, IntArray
from formulations.constraints.base import Cardinality
from formulations.network.network import Weights
from formulations.network.weight_bits import stored_kernels
from solvers.classical.gradients.latent_layer import LatentLayer
from solvers.classical.gradients.optimizers import Adam
from solvers.classical.gradients.outputs import problem_loss
from solvers.classical.gradients.stack import Passed, Stack
from solvers.classical.gradients.units import unit
from solvers.classical.gradients.windows import Pooling, latent_layers
from solvers.constrained.boxes import Boxes, directions_with_boxes


class LatentStack(Stack):
    """R networks of a problem side by side: latent weights, running statistics, Adam's moments.

    Parameters
    ----------
    problem : TrainingProblem
    count : int
        Number of networks R.
    rng : Generator
        Draws the initial weights.
    rounded : bool
        If False, weights and thresholds stay real under any trainer; ``step`` keeps them in the
        range of their codes.
    rise : float
        Rise of the ramps of steps, see :func:`~solvers.classical.gradients.units.step`.
    """

    layers: list[LatentLayer | Pooling]

    def __init__(
        self,
        problem: TrainingProblem,
        count: int,
        rng: np.random.Generator,
        rounded: bool = True,
        rise: float = 0.5,
    ) -> None:
        self.problem, self.count = problem, count
        units = [*(unit(spline, rise) for spline in problem.splines), None]
        layers = problem.network.layers
        whole = problem.num_free_bits == problem.network.num_weight_bits
        free = [None] * len(layers) if whole else problem.free_layers
        parts = latent_layers(layers, free, problem.bias_units, units, rounded=rounded)
        self.trained = [part for part in parts if isinstance(part, LatentLayer)]
        super().__init__(parts, problem_loss(problem))
        counts = [rule for rule in problem.constraints if isinstance(rule, Cardinality)]
        self.keepers = list(zip(problem.keepers, (rule.begins for rule in counts), strict=True))
        self.boxes, self._share = Boxes.of(problem, count), 1.0
        # integers below 2^24 are exact in single precision
        self.kind: Any = np.float32 if self._reach() < 2**24 else np.float64
        self._allocate()
        first = np.cumsum([0, *(layer.num_stored[0] for layer in layers)])
        self._stored = np.concatenate(
            [
                start + stored_kernels(layer).ravel()
                for layer, start, part in zip(layers, first, parts, strict=False)
                if isinstance(part, LatentLayer)
            ]
        )  # index of each latent weight among the stored weights
        half, middle = self._cells() if not rounded else (1.0, 0.0)
        for part in self.trained:
            part.begin(rng)
        self.values *= half
        self.values += middle
        self.adam, self._half = Adam([self.values], 0.0), half
        ends = [np.asarray(middle + side * half, dtype=self.kind).ravel() for side in (-1, 1)]
        self._range = [end[: self.num_bounded] for end in ends]

    def _reach(self) -> float:
        """Bound the magnitude of all intermediate values up to the outputs."""
        a, most = float(np.abs(self.problem.X).max()), 0.0
        for number, part in enumerate(self.layers):
            z = part.largest(a)
            if part.unit is not None:
                low, high = self.problem.splines[number].bounds(-z, z)
                a = float(max(abs(low), abs(high)))
            most = max(most, z, a)
        return most

    def _allocate(self) -> None:
        """Allocate one vector for all trained values, with views on its parts.

        Weights come first, then thresholds that are latent weights; both stay within [-1, 1].
        Thresholds that follow a mean come last.
        """
        shapes = [(part.layer.outputs, part.layer.inputs) for part in self.trained]
        order = sorted(range(len(shapes)), key=lambda number: self.trained[number].centred)
        sizes = [m * n for m, n in shapes] + [shapes[number][0] for number in order]
        ends = np.cumsum(sizes)
        self.num_weights = int(ends[len(shapes) - 1])
        narrow = sum(
            m for (m, _), part in zip(shapes, self.trained, strict=True) if not part.centred
        )
        self.num_bounded = self.num_weights + narrow
        flat = (self.count, int(ends[-1]))
        self.values, self.gradient = (np.zeros(flat, dtype=self.kind) for _ in range(2))
        self._levels = np.zeros((self.count, self.num_weights), dtype=self.kind)
        starts = ends - sizes
        for number, (part, shape) in enumerate(zip(self.trained, shapes, strict=True)):
            place = slice(starts[number], ends[number])
            part.latent, part.weight_slopes, part.weights = (
                flat[:, place].reshape(self.count, *shape)
                for flat in (self.values, self.gradient, self._levels)
            )
        for number, start, end in zip(
            order, starts[len(shapes) :], ends[len(shapes) :], strict=True
        ):
            part = self.trained[number]
            part.soft, part.soft_slopes = self.values[:, start:end], self.gradient[:, start:end]

    def _cells(self) -> tuple[FloatArray, FloatArray]:
        """Return half-widths and middles of the ranges of all trained values, shape (1, P)."""
        found = []
        for name, soft in (("half", "reach"), ("middle", "middle")):
            for part in self.trained:
                part.latent[...] = getattr(part.quantizer, name)
                part.soft[...] = getattr(part, soft)
            found.append(self.values[:1].copy())
        return found[0], found[1]

    # -- one training step ------------------------------------------------------------------------

    def step(
        self,
        X: Array,
        samples: IntArray,
        rate: float | FloatArray,
        dropout: float = 0.0,
        rng: np.random.Generator | None = None,
        share: float = 1.0,
    ) -> None:
        """Take Adam's step along the straight-through gradient of a batch.

        Parameters
        ----------
        X : ndarray, shape (B, d)
            Inputs of the batch.
        samples : ndarray of int64, shape (B,)
            Indices of the samples in the problem.
        rate : float or ndarray, shape (R, 1)
        dropout : float
            Share of hidden units that the step drops, drawn by ``rng``; none once the thresholds
            are folded.  [Srivastava et al. 2014.]
        rng : Generator, optional
        share : float
            Finished share of the run.
        """
        self._share = share
        if self.boxes is not None and rng is not None:
            self.quantise()
            directions_with_boxes(self.trained, self.output, X, samples, self.boxes, share, rng)
        else:
            self.directions(X, samples, dropout=0.0 if self.folded else dropout, rng=rng)
        self._share = 1.0
        self.adam.rate = rate * self._half
        self.adam.step([self.gradient])
        bounded = self.values[:, : self.num_bounded]
        np.clip(bounded, *self._range, out=bounded)

    def forward(
        self,
        X: Array,
        passed: list[Passed] | None = None,
        dropout: float = 0.0,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Return the outputs of a training step, shape (R, B, C)."""
        self.quantise()
        return super().forward(X.astype(self.kind)[None], passed, dropout, rng)

    def quantise(self) -> None:
        """Round the latent weights; set those in excess of a cardinality constraint to zero."""
        for part in self.trained:
            part.quantise()
        for keep, begins in self.keepers:  # keep the largest; the others still get gradients
            if self._share < begins:
                continue
            sizes = [
                np.abs(part.latent * self.kind(part.quantizer.half) + part.quantizer.middle)
                * (part.weights != 0)
                for part in self.trained
            ]
            flat = np.concatenate([size.reshape(self.count, -1) for size in sizes], axis=1)
            stored = np.empty_like(flat)
            stored[:, self._stored] = flat
            self._levels *= keep(stored)[:, self._stored]

    # -- the integer networks ---------------------------------------------------------------------

    def fold(self, X: Array) -> None:
        """Freeze means and spreads, measured on ``X`` through the integer networks."""
        self.quantise()
        self._set_folded(True)
        a = X.astype(self.kind)[None]
        for part in self.layers:
            z = part.products(part.features.apply(a))
            if isinstance(part, LatentLayer):
                part.freeze(z)
            if part.unit is not None:
                z += part.stored()[:, None, :]
                a = part.unit.value(z)

    def unfold(self) -> None:
        """Return to batch means."""
        self._set_folded(False)

    @property
    def folded(self) -> bool:
        """True if means and spreads are frozen."""
        return self.layers[0].folded

    def _set_folded(self, folded: bool) -> None:
        for part in self.layers:
            part.folded = folded

    def outputs(self, X: Array) -> FloatArray:
        """Return outputs of the folded networks, shape (R, N, C), in exact arithmetic."""
        widest = max(self.problem.network.widths)
        rows = max(1, 2**22 // (widest * self.count))  # samples per chunk
        self.quantise()
        thresholds = [part.stored()[:, None, :] for part in self.layers]
        found = []
        for start in range(0, len(X), rows):
            a = X[start : start + rows].astype(self.kind)[None]
            for part, b in zip(self.layers, thresholds, strict=True):
                z = part.products(part.features.apply(a))
                z += b
                if part.unit is not None:
                    a = part.unit.value(z)
            found.append(z)
        return np.concatenate(found, axis=1)

    def real_weights(self, network: int) -> list[FloatArray]:
        """Return weights of a folded network, thresholds last, (n_l, n_{l-1} + 1) each."""
        self.quantise()
        return [part.matrix(network) for part in self.layers]

    def best_real_weights(self) -> tuple[float, list[FloatArray]]:
        """Return the least loss at the nearest integer outputs, and that network's weights."""
        if not self.folded:
            self.fold(self.problem.X)
        outputs = np.rint(self.outputs(self.problem.X)).astype(np.int64)
        losses = self.problem.own_losses(outputs).sum(axis=(1, 2))
        return float(losses.min()), self.real_weights(int(np.argmin(losses)))

    def weights(self, network: int) -> Weights:
        """Return the integer weights of a folded network."""
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
        return {
            "values": self.values,
            "first": self.adam.first[0],
            "second": self.adam.second[0],
            "steps": self.adam.steps,
            "folded": self.folded,
            "layers": [part.snapshot() for part in self.layers],
            "boxes": None if self.boxes is None else self.boxes.weights,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        self.values[...] = snapshot["values"]
        self.adam.first, self.adam.second = [snapshot["first"]], [snapshot["second"]]
        self.adam.steps = snapshot["steps"]
        self._set_folded(snapshot["folded"])
        if self.boxes is not None:
            self.boxes.weights = snapshot["boxes"]
        for part, saved in zip(self.layers, snapshot["layers"], strict=True):
            part.restore(saved)
