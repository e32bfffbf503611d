"""Stacked networks of latent weights: quantised forward pass, straight-through gradients, Adam.

R networks of one shape are trained side by side on the same batches, so that small ones are not
slowed down by the cost of a call: activations have shape (R, B, units).

Forward, a latent v in [-1, 1] counts as a level q(v) of its code; backward, q is the identity.
A pre-activation z = W a becomes, with the layer's step S,

    u = (z - t) / S,    t = mean - b * spread,

in units of levels, and the activation is the integer unit's: floor, clip.  Backward, floor is the
identity inside the range.  While the thresholds are soft, ``mean`` is the batch's, and gradients
pass through it; once they are folded, mean and spread are frozen and t is rounded, so that the
forward pass is the integer network's own.  S is a power of two where the unit has several levels,
and plays no part in the forward pass where it is the sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from integer_network import ClipUnit, IntegerLayer, IntegerNetwork
from joint_losses import JointLoss

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8
"""Adam's constants."""

MEMORY = 0.95
"""Share of a running spread that stays at each step."""

CHUNK = 2**22
"""Activations computed at a time where the whole data set passes."""


class Quantizer:
    """Levels of a weight code for latent values in [-1, 1].

    The range [-1, 1] is that of the levels, widened at both ends by half the gap to the next, so
    that the cells of equally spaced levels are equally wide.

    Examples
    --------
    >>> ternary = Quantizer([-1, 0, 1])
    >>> ternary(np.array([-1, -0.4, -0.3, 0.3, 0.4, 1], dtype=np.float32)).tolist()
    [-1.0, -1.0, 0.0, 0.0, 1.0, 1.0]
    >>> Quantizer([-4, -1, 1, 4])(np.array([-0.5, -0.4, 0.4, 0.5], dtype=np.float32)).tolist()
    [-4.0, -1.0, 1.0, 4.0]
    """

    def __init__(self, levels: Sequence[int]) -> None:
        self.levels = np.array(sorted(levels), dtype=np.float32)
        gaps = np.diff(self.levels)
        self.low = float(self.levels[0] - gaps[0] / 2)
        self.width = float(self.levels[-1] + gaps[-1] / 2) - self.low
        self.gap = float(gaps[0])
        self.even = bool((gaps == gaps[0]).all())
        middles = (self.levels[1:] + self.levels[:-1]) / 2
        self.edges = ((middles - self.low) / self.width * 2 - 1).astype(np.float32)

    def __call__(self, v: FloatArray, out: FloatArray | None = None) -> FloatArray:
        """Nearest level of each value, written into ``out`` if given."""
        if out is None:
            out = np.empty_like(v)
        n = len(self.levels)
        if n == 2 and self.levels[0] == -self.levels[1]:
            np.copysign(self.levels[1], v, out=out)
        elif self.even:
            np.multiply(v, np.float32(n / 2), out=out)
            out += np.float32(n / 2)
            np.floor(out, out=out)
            np.minimum(out, np.float32(n - 1), out=out)
            np.maximum(out, np.float32(0), out=out)
            out *= np.float32(self.gap)
            out += self.levels[0]
        else:
            out[...] = self.levels[np.searchsorted(self.edges, v, side="right")]
        return out


@dataclass(frozen=True)
class Shape:
    """What is trained: widths, levels of the weights of each layer, and the hidden units."""

    widths: tuple[int, ...]
    levels: tuple[tuple[int, ...], ...]
    unit: ClipUnit

    @property
    def pairs(self) -> list[tuple[int, int]]:
        """Inputs and outputs of each layer."""
        return list(zip(self.widths[:-1], self.widths[1:], strict=True))


class Stack:
    """R networks side by side: latent weights, running statistics, Adam's moments.

    Parameters
    ----------
    shape : Shape
    loss : JointLoss
    count : int
        Number of networks R.
    rng : Generator
        Draws the start, and the units that drop out.
    temperature : float
        The outputs are divided by this times the spread of a sum of random signs.
    dropout : float
        Share of the hidden units that a training step leaves out.
    start : float
        Latent weights of two levels start uniform in [-start, start]: near the flip, whatever the
        rate.  Those of more levels start uniform in [-1, 1], so that all levels are there.
    learned : bool
        Whether the scale of the outputs is trained, too; it is not stored, and its start is
        ``temperature``.
    shifts : sequence of int, optional
        One of each hidden layer, where the problem has fixed them; None: chosen on the way.
    window : float
        Where the sign unit lets gradients through: within so many spreads of its threshold.
    """

    def __init__(
        self,
        shape: Shape,
        loss: JointLoss,
        count: int,
        rng: np.random.Generator,
        *,
        temperature: float = 1.0,
        dropout: float = 0.0,
        start: float = 0.1,
        learned: bool = True,
        window: float = 0.5,
        shifts: Sequence[int] | None = None,
    ) -> None:
        self.shape, self.loss, self.count, self.rng = shape, loss, count, rng
        self.temperature, self.dropout = temperature, dropout
        self.quantizers = [Quantizer(levels) for levels in shape.levels]
        sizes = [n * m for n, m in shape.pairs]
        self.num_weights = sum(sizes)
        total = self.num_weights + sum(m for _, m in shape.pairs) + 1
        self.learned, self.window = learned, np.float32(window)
        self.values = np.zeros((count, total), dtype=np.float32)
        self.values[:, : self.num_weights] = rng.uniform(-1, 1, (count, self.num_weights))
        self.gradient = np.zeros_like(self.values)
        self.first, self.second = np.zeros_like(self.values), np.zeros_like(self.values)
        self.scratch = np.zeros_like(self.values)
        self.quantised = np.zeros((count, self.num_weights), dtype=np.float32)
        self.latent, self.soft = self._views(self.values)
        self.sharpness = self.values[:, -1:]
        self.slope_w, self.slope_b = self._views(self.gradient)
        self.W = self._weight_views(self.quantised)
        for latent, part in zip(self.latent, shape.levels, strict=True):
            if len(part) == 2:
                latent *= np.float32(start)
        self.steps = 0
        self.folded = False
        layers = len(sizes)
        self.spread: list[FloatArray | None] = [None] * layers
        self.mean: list[FloatArray] = [np.zeros(0, dtype=np.float32)] * layers
        self.shifts = np.zeros((layers, count), dtype=np.int64)
        self.given = shifts is not None
        if shifts is not None:
            self.shifts[: len(shifts)] = np.asarray(shifts, dtype=np.int64)[:, None]
        self.quantise()

    def _weight_views(self, flat: FloatArray) -> list[FloatArray]:
        views, at = [], 0
        for n, m in self.shape.pairs:
            views.append(flat[:, at : at + n * m].reshape(len(flat), m, n))
            at += n * m
        return views

    def _views(self, flat: FloatArray) -> tuple[list[FloatArray], list[FloatArray]]:
        thresholds, at = [], self.num_weights
        for _, m in self.shape.pairs:
            thresholds.append(flat[:, at : at + m])
            at += m
        return self._weight_views(flat), thresholds

    def quantise(self) -> None:
        """Round all latent weights to their levels."""
        for q, v, w in zip(self.quantizers, self.latent, self.W, strict=True):
            q(v, out=w)

    # -- one training step ------------------------------------------------------------------------

    def step(
        self, X: FloatArray, y: IntArray, rate: float | FloatArray, weight: FloatArray | None = None
    ) -> FloatArray:
        """Adam's step along the straight-through gradient of a batch; return its mean losses.

        Parameters
        ----------
        X : ndarray of float32, shape (B, d)
        y : ndarray of int64, shape (B,)
        rate : float or ndarray, shape (R, 1)
        weight : ndarray of float32, shape (B,), optional
            Of the samples, 1 on average.
        """
        self.quantise()
        a: FloatArray = X[None]
        inputs, windows, scales = [], [], []
        last = len(self.W) - 1
        for number, W in enumerate(self.W):
            inputs.append(a)
            z = np.matmul(a, W.swapaxes(1, 2))
            if self.folded:
                z -= self._threshold(number)[:, None, :]
            else:
                z -= z.mean(axis=1, keepdims=True)
                self._watch(number, z, a)
            step = self._step_size(number)
            scales.append(step)
            z /= step
            if not self.folded:
                spread = self.spread[number]
                assert spread is not None
                z += (self.soft[number] * (spread / step[:, 0]))[:, None, :]
            if number < last:
                a, window = self._activate(z)
                windows.append(window)
        slope = self.loss.slopes(z, y)
        if weight is not None:
            slope *= weight[None, :, None]
        slope *= np.float32(1 / len(y))
        if self.learned and not self.folded:
            np.einsum("rbc,rbc->r", slope, z, out=self.gradient[:, -1])
        else:
            self.gradient[:, -1] = 0
            self.first[:, -1] = 0
        for number in range(last, -1, -1):
            np.add.reduce(slope, axis=1, out=self.slope_b[number])
            if not self.folded:
                slope -= self.slope_b[number][:, None, :] * np.float32(1 / len(y))
            slope /= scales[number]
            np.matmul(slope.swapaxes(1, 2), inputs[number], out=self.slope_w[number])
            if number:
                slope = np.matmul(slope, self.W[number])
                slope *= windows[number - 1]
        self._adam(rate)
        return slope

    def _activate(self, u: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Activation of u, and its slope: the unit's gain inside its range."""
        unit = self.shape.unit
        if unit.name == "sign":
            window = (np.abs(u) <= self.window).astype(np.float32)
            a = np.copysign(np.float32(1), u + np.float32(0))  # -0 counts as 0
        else:
            window = ((u >= unit.low) & (u < unit.high + 1)).astype(np.float32)
            if unit.gain != 1:
                window *= np.float32(unit.gain)
            a = np.floor(u)
            np.maximum(a, np.float32(unit.low), out=a)
            np.minimum(a, np.float32(unit.high), out=a)
            if unit.gain != 1:
                a *= np.float32(unit.gain)
                a += np.float32(unit.offset)
        if self.dropout and not self.folded:
            keep = self.rng.random(a.shape, dtype=np.float32) >= self.dropout
            kept = keep * np.float32(1 / (1 - self.dropout))
            a *= kept
            window *= kept
        return a, window

    def _watch(self, number: int, z: FloatArray, a: FloatArray) -> None:
        """Update the running spread of a layer's centred pre-activations."""
        if number == len(self.W) - 1:  # of a sum of its inputs with random signs
            found = np.sqrt(a.var(axis=1).sum(axis=-1)).repeat(self.count // len(a))[:, None]
            found = found * np.float32(self.temperature * np.abs(self.quantizers[-1].levels).mean())
        elif self.shape.unit.name == "sign":
            found = np.sqrt(np.square(z).mean(axis=1))
        else:
            found = np.sqrt(np.square(z).mean(axis=(1, 2)))[:, None]
        found = np.maximum(found, np.float32(1e-3))
        old = self.spread[number]
        self.spread[number] = found if old is None else MEMORY * old + (1 - MEMORY) * found

    def _step_size(self, number: int) -> FloatArray:
        """Pre-activation of one level, shape (R, 1, units or 1)."""
        spread = self.spread[number]
        assert spread is not None
        if number == len(self.W) - 1:
            return np.asarray((spread * np.exp(-self.sharpness))[:, None, :])
        if self.shape.unit.name == "sign":
            return spread[:, None, :]
        if not self.folded and not self.given:
            unit = self.shape.unit
            wanted = np.log2(unit.reach * spread[:, 0] / unit.num_levels)
            # A shift that is in use stays until another one is better by a margin.
            far = np.abs(wanted - self.shifts[number]) > 0.6
            self.shifts[number] = np.where(far, np.rint(wanted), self.shifts[number]).clip(0)
        return np.asarray(np.exp2(self.shifts[number], dtype=np.float32)[:, None, None])

    def _threshold(self, number: int) -> FloatArray:
        """Rounded thresholds of a folded layer, shape (R, units)."""
        spread = self.spread[number]
        assert spread is not None
        return np.asarray(np.ceil(self.mean[number] - self.soft[number] * spread))

    def _adam(self, rate: float | FloatArray) -> None:
        self.steps += 1
        g, m, s, tmp = self.gradient, self.first, self.second, self.scratch
        np.subtract(g, m, out=tmp)
        tmp *= np.float32(1 - FIRST)
        m += tmp
        np.square(g, out=g)
        g -= s
        g *= np.float32(1 - SECOND)
        s += g
        np.sqrt(s, out=tmp)
        correction = (1 - SECOND**self.steps) ** 0.5
        tmp += np.float32(TINY * correction)
        np.divide(m, tmp, out=tmp)
        tmp *= np.asarray(rate * correction / (1 - FIRST**self.steps), dtype=np.float32)
        self.values -= tmp
        weights = self.values[:, : self.num_weights]
        np.clip(weights, np.float32(-1), np.float32(1), out=weights)

    # -- folding ----------------------------------------------------------------------------------

    def fold(self, X: npt.NDArray[np.generic]) -> None:
        """Freeze means and spreads, measured on ``X`` through the integer network itself."""
        self.quantise()
        self.folded = True
        parts: list[FloatArray] = [X.astype(np.float32)[None]] * self.count
        for number, W in enumerate(self.W):
            z = [np.matmul(part[0], w.T) for part, w in zip(parts, W, strict=True)]
            self.mean[number] = np.stack([part.mean(axis=0) for part in z])
            if number < len(self.W) - 1:
                parts = self._next(number, z)

    def _next(self, number: int, z: list[FloatArray]) -> list[FloatArray]:
        step, t = self._step_size(number), self._threshold(number)
        keep, self.dropout = self.dropout, 0.0
        result = [
            self._activate(((part - t[r]) / step[r if len(step) > 1 else 0])[None])[0]
            for r, part in enumerate(z)
        ]
        self.dropout = keep
        return result

    def unfold(self) -> None:
        """Go back to means of batches."""
        self.folded = False

    def networks(self) -> list[IntegerNetwork]:
        """The folded networks."""
        self.quantise()
        result = []
        for r in range(self.count):
            layers = [
                IntegerLayer(
                    W[r].astype(np.int64),
                    self._threshold(number)[r].astype(np.int64),
                    self.shape.unit if number < len(self.W) - 1 else None,
                    int(self.shifts[number, r]),
                )
                for number, W in enumerate(self.W)
            ]
            result.append(IntegerNetwork(tuple(layers)))
        return result

    def scores(self, X: npt.NDArray[np.generic], y: IntArray) -> tuple[FloatArray, FloatArray]:
        """Mean loss and share of errors of each folded network, by the exact integer pass."""
        losses, errors = [], []
        for r, network in enumerate(self.networks()):
            loss, wrong = 0.0, 0
            rows = max(1, CHUNK // max(self.shape.widths))
            spread = self._step_size(len(self.W) - 1)[:, 0]
            for at in range(0, len(X), rows):
                out, part = network.outputs(X[at : at + rows]), y[at : at + rows]
                scaled = (out / spread[r]).astype(np.float32)[None]
                loss += float(self.loss.values(scaled, part).sum(dtype=np.float64))
                told = out[:, 0] >= 0 if out.shape[1] == 1 else out.argmax(axis=1)
                wrong += int((told != part).sum())
            losses.append(loss / len(X))
            errors.append(wrong / len(X))
        return np.array(losses), np.array(errors)
