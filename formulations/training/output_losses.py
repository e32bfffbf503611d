"""The loss of integer outputs: its values, slopes and bounds, with every output known."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import numpy.typing as npt

from formulations.arrays import Array, BoolArray, FloatArray, IntArray
from formulations.errors import InvalidInputError
from formulations.network.losses import JointLoss, Loss
from formulations.network.splines import Spline, refuse_if_too_long


class OutputLosses:
    """Losses of the outputs of N samples: what a training problem knows of them.

    Attributes
    ----------
    loss_kind : Loss
        With numbers only.
    loss_splines : list of Spline
        The loss of each target as a function of the integer output; none of squared and
        cross-entropy; of multi-hinge the loss of the right output minus a wrong one.
    targets, target_index : ndarray, shapes (K,) and (N, C)
        Distinct targets of an output, and which one each sample and output has.
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
        """Class of every sample, shape (N,): an index, 0 or 1 (target +1) for one output.

        Raises
        ------
        InvalidInputError
            For real targets, which are no classes.
        """
        if self.target_index.shape[1] > 1:
            return np.asarray(np.argmax(self.target_index, axis=1), dtype=np.int64)
        if not np.isin(self.y, (-1, 1)).all():
            raise InvalidInputError(
                "the targets are numbers other than -1 and +1: expected classes, as a "
                "classification has"
            )
        return np.asarray(self.y > 0, dtype=np.int64)

    def sample_losses(self, z: npt.ArrayLike) -> FloatArray:
        """Loss of every sample at integer outputs z, shape (..., N, C) -> (..., N)."""
        z = np.asarray(z)
        if isinstance(self.loss_kind, JointLoss):
            return self.loss_kind.values(self.out_step * z, self.classes)
        return np.asarray(self.output_losses(z).sum(axis=-1))

    def sample_slopes(self, z: npt.ArrayLike, samples: npt.ArrayLike | None = None) -> FloatArray:
        """Derivative of the samples' losses with respect to their outputs z, shape (..., N, C).

        That of the loss itself, not of a spline that carries it; of hinge in place of zero-one,
        which has none; of a callable the difference between the two neighbours of z.

        Parameters
        ----------
        z : array, shape (..., N, C)
            Outputs in steps of the lattice, of the samples given.
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
        """Losses that add up to a sample's: of every output, or of all together as one.

        Shape (..., N, C) -> (..., N, C) or (..., N, 1).
        """
        if self.loss_kind.is_joint:
            return self.sample_losses(z)[..., None]
        return self.output_losses(z)

    def output_losses(self, z: npt.ArrayLike) -> FloatArray:
        """Loss of integer outputs z, shape (..., N, C) -> (..., N, C).

        Raises
        ------
        InvalidInputError
            For a loss of all outputs together, see :meth:`sample_losses`.
        """
        self._refuse_joint("a loss of its own for every output")
        z = np.asarray(z)
        if self.loss_kind.is_quadratic:
            target = self.targets[np.broadcast_to(self.target_index, z.shape)]
            return np.asarray((self.out_step * z - target) ** 2)
        return self._spline_losses(z, self.target_index)

    def one_vs_rest_losses(self, z: npt.ArrayLike) -> FloatArray:
        """Losses that tell every class from the rest, shape (..., N, C) -> (..., N, C).

        The loss itself where it is one of single outputs, else its own function of each margin: for
        methods that fit one output at a time.
        """
        if not self.loss_kind.is_joint:
            return self.output_losses(z)
        margin = self.targets[self.target_index] * self.out_step * np.asarray(z)
        return np.asarray(self.loss_kind.function(margin))

    def _refuse_joint(self, what: str) -> None:
        """Refuse to split a loss of all outputs together."""
        if self.loss_kind.is_joint:
            raise InvalidInputError(
                f"the {self.loss_kind.name} loss is one of all outputs together and has not "
                f"{what}: use sample_losses, or a loss of single outputs, such as hinge"
            )

    def _spline_losses(self, z: IntArray, target_index: IntArray) -> FloatArray:
        index = np.broadcast_to(target_index, z.shape)
        values = np.empty(z.shape)
        for number, spline in enumerate(self.loss_splines):
            chosen = index == number
            values[chosen] = spline(z[chosen])
        return values

    def loss_table(self) -> tuple[int, FloatArray]:
        """Least output and the loss of every target at every output: (z_low, table (K, R)).

        Raises
        ------
        InvalidInputError
            For a loss of all outputs together.
        """
        self._refuse_joint("a table for every output")
        refuse_if_too_long(self.output_low, self.output_high, len(self.targets))
        z = np.arange(self.output_low, self.output_high + 1)
        if self.loss_kind.is_quadratic:
            return self.output_low, (self.out_step * z - self.targets[:, None]) ** 2
        return self.output_low, np.stack([spline(z) for spline in self.loss_splines])

    # -- bounds -----------------------------------------------------------------------------------

    def output_undecided(self, low: IntArray, high: IntArray) -> BoolArray:
        """Outputs that a loss not yet constant depends on, given their bounds, shape (N, C)."""
        least, greatest = self.loss_bounds(low, high)
        undecided = np.broadcast_to(least < greatest, low.shape)
        if not self.loss_kind.is_joint:
            return undecided
        return undecided | (self._is_right & undecided.any(axis=1, keepdims=True))

    def decided_loss(self, low: IntArray, high: IntArray) -> float:
        """Sum of the losses that bounds of the outputs decide."""
        least, greatest = self.loss_bounds(low, high)
        return float(least[least >= greatest].sum())

    def gap_bounds(self, low: IntArray, high: IntArray) -> tuple[IntArray, IntArray]:
        """Bounds of right output minus output c, from those of the outputs, shape (N, C)."""
        right = self.classes[:, None]
        right_low, right_high = (np.take_along_axis(z, right, axis=1) for z in (low, high))
        return right_low - high, right_high - low

    def gaps(self, z: IntArray) -> IntArray:
        """Right output minus output c, of outputs z, shape (N, C)."""
        return self.gap_bounds(z, z)[0]

    @property
    def _is_right(self) -> BoolArray:
        """Where output c is the sample's class, shape (N, C)."""
        return np.asarray(self.classes[:, None] == np.arange(self.target_index.shape[1]))

    def loss_bounds(self, low: IntArray, high: IntArray) -> tuple[FloatArray, FloatArray]:
        """Least and greatest of the losses that add up, given bounds of the outputs.

        Shape (N, C): of every output, of multi-hinge of every wrong class (0 for the right one);
        of cross-entropy (N, 1).
        """
        if self.loss_kind.is_quadratic:  # only a decided output decides the loss
            at_low = self.output_losses(low)
            return at_low, np.where(low < high, np.inf, at_low)
        if isinstance(self.loss_kind, JointLoss):
            if not self.loss_splines:  # falls in the right output, rises in all others
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
