"""The loss of integer outputs: values, slopes and bounds."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from formulations.arrays import Array, BoolArray, FloatArray, IntArray
from formulations.errors import InvalidInputError
from formulations.network.losses import JointLoss, Loss
from formulations.network.splines import Spline, refuse_if_too_long


class OutputLosses:
    """Losses of the outputs of N samples, a base class of the training problem.

    Attributes
    ----------
    loss_kind : Loss
        The loss with ``auto`` replaced by a number.
    loss_splines : list of Spline
        The loss of each target as a function of the integer output; empty for squared and
        cross-entropy; for multi-hinge a function of the right output minus a wrong one.
    targets, target_index : ndarray, shapes (K,) and (N, C)
        Distinct targets of an output, and the index of the target of each sample and output.
    y : ndarray, shape (N,)
    out_step : float
        Real value of one step of an output.
    output_low, output_high : int
        Bounds of all outputs.
    """

    loss_kind: Loss
    loss_splines: list[Spline]
    targets: FloatArray
    target_index: IntArray
    y: Array
    out_step: float
    output_low: int
    output_high: int

    @cached_property
    def classes(self) -> IntArray:
        """Class index of every sample, shape (N,); for one output 1 means target +1.

        Raises
        ------
        InvalidInputError
            For real targets, which are not classes.
        """
        if self.target_index.shape[1] > 1:
            return np.asarray(np.argmax(self.target_index, axis=1), dtype=np.int64)
        if not np.isin(self.y, (-1, 1)).all():
            raise InvalidInputError(
                "the targets are numbers other than -1 and +1: expected classes"
            )
        return np.asarray(self.y > 0, dtype=np.int64)

    def sample_losses(self, z: npt.ArrayLike) -> FloatArray:
        """Compute the loss of every sample at integer outputs z, (..., N, C) -> (..., N)."""
        z = np.asarray(z)
        if isinstance(self.loss_kind, JointLoss):
            return self.loss_kind.values(self.out_step * z, self.classes)
        return np.asarray(self.output_losses(z).sum(axis=-1))

    def sample_slopes(self, z: npt.ArrayLike, samples: npt.ArrayLike | None = None) -> FloatArray:
        """Compute the derivative of the samples' losses by their outputs z, shape (..., N, C).

        The loss itself is differentiated, not its spline; zero-one has no derivative and uses that
        of hinge; a callable uses the central difference at the neighbours of z.

        Parameters
        ----------
        z : array, shape (..., N, C)
            Outputs of the given samples, in steps of the lattice.
        samples : array of int, shape (N,), optional
            Positions of the samples; None for all.
        """
        z = np.asarray(z)
        chosen = np.arange(len(self.y)) if samples is None else np.asarray(samples)
        loss, out = self.loss_kind, self.out_step * z
        if isinstance(loss, JointLoss):
            return self.out_step * loss.slopes(out, self.classes[chosen])
        index = self.target_index[chosen]
        target = np.broadcast_to(self.targets[index], z.shape)
        if loss.is_quadratic:
            return np.asarray(2 * self.out_step * (out - target))
        slope = loss.margin_slopes(target * out)
        if slope is not None:
            return np.asarray(self.out_step * target * slope)
        ends = (self._spline_losses(z + side, index) for side in (1, -1))
        return np.asarray(0.5 * np.subtract(*ends))

    def own_losses(self, z: npt.ArrayLike) -> FloatArray:
        """Compute losses that add up to the loss of a sample.

        A joint loss gives shape (..., N, 1), any other loss (..., N, C).
        """
        if self.loss_kind.is_joint:
            return self.sample_losses(z)[..., None]
        return self.output_losses(z)

    def output_losses(self, z: npt.ArrayLike) -> FloatArray:
        """Compute the loss of integer outputs z, shape (..., N, C) -> (..., N, C).

        Raises
        ------
        InvalidInputError
            For a joint loss, see :meth:`sample_losses`.
        """
        self._refuse_joint("separate loss for each output")
        z = np.asarray(z)
        if self.loss_kind.is_quadratic:
            target = self.targets[np.broadcast_to(self.target_index, z.shape)]
            return np.asarray((self.out_step * z - target) ** 2)
        return self._spline_losses(z, self.target_index)

    def one_vs_rest_losses(self, z: npt.ArrayLike) -> FloatArray:
        """Compute losses of every class against the rest, shape (..., N, C) -> (..., N, C).

        A joint loss is replaced by its function of each margin, for methods that fit one output at
        a time.
        """
        if not self.loss_kind.is_joint:
            return self.output_losses(z)
        margin = self.targets[self.target_index] * self.out_step * np.asarray(z)
        return np.asarray(self.loss_kind.function(margin))

    def _refuse_joint(self, what: str) -> None:
        """Refuse to split a joint loss."""
        if self.loss_kind.is_joint:
            raise InvalidInputError(
                f"the {self.loss_kind.name} loss is joint over all outputs and has no {what}: use "
                "sample_losses, or a loss of single outputs, such as hinge"
            )

    def _spline_losses(self, z: IntArray, target_index: IntArray) -> FloatArray:
        index = np.broadcast_to(target_index, z.shape)
        values = np.empty(z.shape)
        for number, spline in enumerate(self.loss_splines):
            chosen = index == number
            values[chosen] = spline(z[chosen])
        return values

    def loss_table(self) -> tuple[int, FloatArray]:
        """Return the least output, and the loss of every target at every output, shape (K, R).

        Raises
        ------
        InvalidInputError
            For a joint loss.
        """
        self._refuse_joint("table for each output")
        refuse_if_too_long(self.output_low, self.output_high, len(self.targets))
        z = np.arange(self.output_low, self.output_high + 1)
        if self.loss_kind.is_quadratic:
            return self.output_low, (self.out_step * z - self.targets[:, None]) ** 2
        return self.output_low, np.stack([spline(z) for spline in self.loss_splines])

    # -- bounds -----------------------------------------------------------------------------------

    def output_undecided(self, low: IntArray, high: IntArray) -> BoolArray:
        """Return a mask (N, C) of the outputs on which an undecided loss depends, given bounds."""
        least, greatest = self.loss_bounds(low, high)
        undecided = np.broadcast_to(least < greatest, low.shape)
        if not self.loss_kind.is_joint:
            return undecided
        return undecided | (self._is_right & undecided.any(axis=1, keepdims=True))

    def decided_loss(self, low: IntArray, high: IntArray) -> float:
        """Return the sum of the losses that the bounds of the outputs decide."""
        least, greatest = self.loss_bounds(low, high)
        return float(least[least >= greatest].sum())

    def gap_bounds(self, low: IntArray, high: IntArray) -> tuple[IntArray, IntArray]:
        """Bound right output minus output c by the bounds of the outputs, shape (N, C)."""
        right = self.classes[:, None]
        right_low, right_high = (np.take_along_axis(z, right, axis=1) for z in (low, high))
        return right_low - high, right_high - low

    def gaps(self, z: IntArray) -> IntArray:
        """Return right output minus output c of outputs z, shape (N, C)."""
        return self.gap_bounds(z, z)[0]

    @property
    def _is_right(self) -> BoolArray:
        """Mask (N, C), True where output c is the sample's class."""
        return np.asarray(self.classes[:, None] == np.arange(self.target_index.shape[1]))

    def loss_bounds(self, low: IntArray, high: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return the least and the greatest of the summed losses, given bounds of the outputs.

        The shape is (N, C), with a loss for every output, or for multi-hinge for every wrong class
        (0 for the right one); for cross-entropy it is (N, 1).
        """
        if self.loss_kind.is_quadratic:  # open unless the output is decided
            at_low = self.output_losses(low)
            return at_low, np.where(low < high, np.inf, at_low)
        if isinstance(self.loss_kind, JointLoss):
            if not self.loss_splines:  # falling in the right output, rising in all others
                ends = ((high, low), (low, high))
                least, greatest = (
                    self.sample_losses(np.where(self._is_right, *end))[:, None] for end in ends
                )
                return least, greatest
            least, greatest = (
                np.where(self._is_right, 0.0, self.loss_splines[0].step * bound)
                for bound in self.loss_splines[0].bounds(*self.gap_bounds(low, high))
            )
            return least, greatest
        least, greatest = np.empty(low.shape), np.empty(low.shape)
        for number, spline in enumerate(self.loss_splines):
            chosen = self.target_index == number
            least[chosen], greatest[chosen] = spline.bounds(low[chosen], high[chosen])
        return least, greatest
