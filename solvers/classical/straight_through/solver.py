"""Straight-through training: gradients of latent weights, rounded in the forward pass.

Networks are trained side by side by Adam with a one-cycle rate, see
:class:`solvers.classical.gradients.latent_stack.LatentStack`.  For most of a run thresholds follow
batch means.  For its last fifth they are folded into integers, so the trained network is the stored
one, and every epoch is scored by the problem's own loss in exact arithmetic.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from formulations import TrainingProblem
from formulations.checks import (
    check_number,
    check_numbers,
    check_share,
    check_whole,
    shown,
)
from formulations.deprecation import renamed
from formulations.errors import InvalidInputError
from solvers.classical.straight_through.training import Training
from solvers.run.result import Result, Status, is_interrupt
from solvers.run.solver import Iterative

FORESEEN, LONG = 2.0, 60.0
"""Seconds after which the run time is predicted, and predicted seconds that trigger a warning."""


class LongRunWarning(UserWarning):
    """Warning that a run without a time limit will take more than a minute."""


@renamed(rates="rate")
@dataclass(frozen=True)
class StraightThrough(Iterative):
    """Low-bit networks trained by gradients, keeping the best of the last epochs.

    Supports any weight code, activation, depth and loss, and thresholds of any code or none.

    Parameters
    ----------
    epochs : int or None
        Passes over the data; None derives the number from samples and width, see
        :func:`~solvers.classical.straight_through.pace.default_epochs`.
    restarts : int or None
        Networks trained side by side, of which the best is kept.  None is 16 for a tiny network,
        and 1 above 10,000 weights or if there are few samples for the weights.
    rate : float or sequence of float
        Peak learning rate of latent weights in [-1, 1].  Several rates are assigned to networks in
        turn, with at least one network per rate.
    batch : int, optional
        Samples per gradient step.  None is a tenth of all, at least 16 and at most 100.
    held_out : float
        Share of the samples held out of training; their loss selects the epoch to keep.  With 0,
        the training loss does.
    dropout : float or None
        Share of hidden units dropped at random per step until the thresholds are folded.  None is 0
        unless there are fewer samples than half the weights; then 0.3, or 0.8 for the squared loss.
    augment : callable, optional
        Called with a random generator before each epoch; returns the epoch's inputs, shape (N, d),
        in place of the problem's, such as shifted images.
    seed, time_limit, callbacks, checkpoint, checkpoint_every
        See :class:`~solvers.run.solver.Iterative`.  A run that is short of time completes its
        schedule in fewer epochs.  A run without a limit warns if it will take more than a minute,
        and says how long.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    >>> StraightThrough(epochs=50, seed=1).solve(problem).loss
    0.0
    """

    epochs: int | None = None
    restarts: int | None = None
    rate: float | Sequence[float] = 0.02
    batch: int | None = None
    held_out: float = 0.0
    dropout: float | None = None
    augment: Callable[[np.random.Generator], npt.ArrayLike] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, most in (("epochs", 10**9), ("restarts", 1000)):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), most=most)
        for rate in check_numbers("rate", _several(self.rate), "positive learning rates"):
            check_number("rate", rate, most=2.0)  # width of the latent range
        check_share("held_out", self.held_out)
        if self.dropout is not None:
            check_share("dropout", self.dropout)
        if self.dropout == 1:
            raise InvalidInputError("dropout=1 leaves no unit: expected a share below 1")
        if self.held_out == 1:
            raise InvalidInputError("held_out=1 leaves nothing to train on: expected a share below")
        called = callable(self.augment) and not isinstance(self.augment, type)
        if self.augment is not None and not called:
            raise InvalidInputError(
                f"augment={shown(self.augment)}: expected a function of a random generator that "
                "returns the inputs of an epoch"
            )

    def solve(self, problem: TrainingProblem) -> Result:
        """Train the free weight bits of ``problem``.

        Returns
        -------
        Result
            ``history`` has a row per epoch; until the thresholds are folded the loss is computed
            only ten times per run.  ``info``: ``epochs``, ``restarts``, ``rate`` of the incumbent,
            and ``held_out_loss``, its mean loss on held-out samples, if any.
        """
        run = self.begun(problem)
        training = Training(
            problem,
            np.random.SeedSequence(self.seed),
            rates=_several(self.rate),
            epochs=self.epochs,
            restarts=self.restarts,
            batch=self.batch,
            held_out=self.held_out,
            dropout=self.dropout,
            augment=self.augment,
            time_limit=self.time_limit,
        )
        epochs, told = training.epochs, self.time_limit is not None
        with run.guarded():
            run.resume(training)
            try:
                for t in run.steps(epochs):
                    if training.share >= 1:
                        break
                    training.epoch(t, run)
                    if not told and run.seconds >= FORESEEN:
                        told = True
                        _foretell(run.seconds, t / epochs)
            except BaseException as error:
                if is_interrupt(error):
                    training.offer(run)
                raise
            if run.status is Status.INTERRUPTED:
                training.offer(run)
            elif training.share >= 1 and run.iteration < epochs and run.ended is None:
                run.status = Status.TIME_LIMIT
                run.save()
        return run.result(problem, epochs=len(run.history), **training.info)


def _several(rate: float | Sequence[float]) -> Sequence[float]:
    """Return rates as a list, also for a single rate."""
    return rate if isinstance(rate, Sequence | np.ndarray) else [rate]


def _foretell(seconds: float, share: float) -> None:
    """Warn early that a run will take long, so that it can be given a limit."""
    if seconds / share > LONG:
        warnings.warn(
            f"the run will take about {seconds / share:.0f} s: give a time_limit, or fewer epochs "
            "or restarts; Ctrl-C returns the best weights so far",
            LongRunWarning,
            stacklevel=3,
        )
