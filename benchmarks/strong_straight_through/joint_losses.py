"""Losses of all outputs together, and their slopes, for batches of stacked networks.

Outputs have shape (R, B, C): R networks, B samples, C outputs.  One output means two classes, the
target 1 where it is to be positive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]


class JointLoss(Protocol):
    """A loss of all outputs of a sample."""

    def values(self, out: FloatArray, y: IntArray) -> FloatArray:
        """Loss of every sample, shape (R, B)."""
        ...

    def slopes(self, out: FloatArray, y: IntArray) -> FloatArray:
        """Derivative at every output, shape (R, B, C)."""
        ...


@dataclass(frozen=True)
class CrossEntropy:
    """Softmax cross-entropy, logistic for one output.

    Parameters
    ----------
    smoothing : float
        Share of the target that is spread evenly over all classes (label smoothing).
    """

    smoothing: float = 0.0

    def values(self, out: FloatArray, y: IntArray) -> FloatArray:
        """Loss of every sample."""
        if out.shape[-1] == 1:
            margin = out[..., 0] * (2 * y - 1)
            return np.asarray(np.logaddexp(np.float32(0), -margin))
        top = out.max(axis=-1)
        total = np.log(np.exp(out - top[..., None]).sum(axis=-1)) + top
        return np.asarray(total - np.take_along_axis(out, y[None, :, None], axis=-1)[..., 0])

    def slopes(self, out: FloatArray, y: IntArray) -> FloatArray:
        """Probability minus target."""
        if out.shape[-1] == 1:
            target = (1 - self.smoothing) * y + 0.5 * self.smoothing
            p = 0.5 + 0.5 * np.tanh(0.5 * out)
            return np.asarray(p - target[None, :, None], dtype=np.float32)
        p = out - out.max(axis=-1, keepdims=True)
        np.exp(p, out=p)
        p /= p.sum(axis=-1, keepdims=True)
        if self.smoothing:
            p -= self.smoothing / p.shape[-1]
        p[:, np.arange(len(y)), y] -= 1 - self.smoothing
        return np.asarray(p, dtype=np.float32)


@dataclass(frozen=True)
class Hinge:
    """Weston-Watkins hinge: sum over the wrong classes of max(0, margin - (out_y - out_c))."""

    margin: float = 1.0

    def _gaps(self, out: FloatArray, y: IntArray) -> FloatArray:
        if out.shape[-1] == 1:
            return np.asarray(self.margin - out * (2 * y - 1)[None, :, None], dtype=np.float32)
        right = np.take_along_axis(out, y[None, :, None], axis=-1)
        gaps = self.margin - right + out
        gaps[:, np.arange(len(y)), y] = 0
        return np.asarray(gaps, dtype=np.float32)

    def values(self, out: FloatArray, y: IntArray) -> FloatArray:
        """Loss of every sample."""
        return np.asarray(np.maximum(self._gaps(out, y), 0).sum(axis=-1))

    def slopes(self, out: FloatArray, y: IntArray) -> FloatArray:
        """1 for each class within the margin, and their negated number for the right one."""
        slope = (self._gaps(out, y) > 0).astype(np.float32)
        if out.shape[-1] == 1:
            return np.asarray(-slope * (2 * y - 1)[None, :, None], dtype=np.float32)
        slope[:, np.arange(len(y)), y] = -slope.sum(axis=-1)
        return slope


@dataclass(frozen=True)
class Squared:
    """Half the squared distance to +1 for the right class and -1 for the others."""

    def _target(self, out: FloatArray, y: IntArray) -> FloatArray:
        if out.shape[-1] == 1:
            return np.asarray((2 * y - 1)[None, :, None], dtype=np.float32)
        target = np.full((1, *out.shape[1:]), -1, dtype=np.float32)
        target[:, np.arange(len(y)), y] = 1
        return target

    def values(self, out: FloatArray, y: IntArray) -> FloatArray:
        """Loss of every sample."""
        return np.asarray(0.5 * np.square(out - self._target(out, y)).sum(axis=-1))

    def slopes(self, out: FloatArray, y: IntArray) -> FloatArray:
        """Output minus target."""
        return np.asarray(out - self._target(out, y))
