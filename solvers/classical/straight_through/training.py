"""Run of straight-through training: its data, its stack of networks, and its best network."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from formulations import TrainingProblem
from formulations.array_checks import check_integers
from formulations.arrays import Array, FloatArray, IntArray
from formulations.errors import InvalidInputError
from solvers.classical.gradients.latent_stack import LatentStack
from solvers.classical.straight_through.pace import (
    FOLDED,
    default_batch,
    default_dropout,
    default_epochs,
    default_restarts,
    one_cycle,
    share_over,
)
from solvers.run.checkpoint import Carried
from solvers.run.result import Incumbent
from solvers.run.run import Run

MEASURED = 10_000
"""Maximum number of samples used to fold thresholds."""


class Training(Carried):
    """State that a run carries from one epoch to the next.

    Parameters
    ----------
    problem : TrainingProblem
    seed : SeedSequence
    rates, epochs, restarts, batch, held_out, dropout, augment, time_limit
        Options of :class:`~solvers.classical.straight_through.solver.StraightThrough`.

    Attributes
    ----------
    share : float
        Finished share of the schedule.
    """

    CARRIED = ("rng", "other_rng", "share", "latest", "number", "best_judged", "stack")

    def __init__(
        self,
        problem: TrainingProblem,
        seed: np.random.SeedSequence,
        *,
        rates: Sequence[float],
        epochs: int | None,
        restarts: int | None,
        batch: int | None,
        held_out: float,
        dropout: float | None,
        augment: Callable[[np.random.Generator], npt.ArrayLike] | None,
        time_limit: float | None,
    ) -> None:
        self.problem, self.augment = problem, augment
        start, order, other = (np.random.default_rng(s) for s in seed.spawn(3))
        self.rng, self.other_rng = order, other
        count = max(restarts or default_restarts(problem.network, len(problem.X)), len(rates))
        self.rates = np.resize(np.array(rates, dtype=float), count)
        self.X = _compact(problem.X)
        shuffled = order.permutation(len(self.X))
        kept = min(int(np.ceil(held_out * len(self.X))), len(self.X) - 1)
        self.judges, self.samples = np.sort(shuffled[:kept]), shuffled[kept:]
        self.dropout = (
            default_dropout(problem.network, len(self.samples), problem.loss_kind.is_quadratic)
            if dropout is None
            else dropout
        )
        self.batch = min(batch or default_batch(len(self.samples)), len(self.samples))
        self.epochs = epochs or default_epochs(
            problem.network, len(self.samples), count, self.batch
        )
        self.time_limit = time_limit
        self.stack = LatentStack(problem, count, start)
        self.share, self.latest, self.number = 0.0, float("nan"), 0
        self.best_judged = float("inf")
        self._scoring = 0.0

    # -- an epoch ---------------------------------------------------------------------------------

    def epoch(self, t: int, run: Run) -> None:
        """Pass over the data in random batches, without a last, short one.

        Stops early if the time, and thus the schedule, is over.
        """
        before, stack = self.share, self.stack
        X = self.X if self.augment is None else self._augmented(self.augment)
        order = self.rng.permutation(self.samples)
        batches = len(order) // self.batch
        for number in range(batches):
            share = self._share(t - 1 + number / batches, run)
            if share >= 1 and stack.adam.steps:
                break
            if not stack.folded and share >= 1 - FOLDED - 1e-9:
                stack.fold(self.X[self.samples[:MEASURED]])
            chosen = order[number * self.batch : (number + 1) * self.batch]
            rate = self.rates[:, None] * one_cycle(share)
            stack.step(X[chosen], chosen, rate, self.dropout, self.other_rng, share)
        share = self._share(t, run)
        # score ten times per run while thresholds are still soft
        if stack.folded or t == 1 or int(10 * share) > int(10 * before):
            self.offer(run)
        run.history.record(
            iteration=t,
            rate=float(self.rates.max()) * one_cycle(before),
            loss=self.latest,
            best_loss=run.incumbent.loss,
        )

    def _share(self, epoch: float, run: Run) -> float:
        """Return the finished share, which never decreases; it reserves time for scoring."""
        seconds = run.seconds + self._scoring
        self.share = max(self.share, share_over(epoch, self.epochs, seconds, self.time_limit))
        return self.share

    def _augmented(self, augment: Callable[[np.random.Generator], npt.ArrayLike]) -> Array:
        """Return the validated inputs of an epoch."""
        X = check_integers("the inputs that augment returns", augment(self.other_rng))
        if X.shape != self.X.shape:
            raise InvalidInputError(
                f"augment returns inputs of shape {X.shape}: expected {self.X.shape}, as the "
                "problem's"
            )
        return X

    # -- the best network -------------------------------------------------------------------------

    def offer(self, run: Run) -> None:
        """Fold the networks if needed, and keep the best of them if it beats the incumbent.

        Networks are compared by the loss of the held-out samples, if any, else of all samples.
        """
        began, stack, soft = time.perf_counter(), self.stack, not self.stack.folded
        if soft:
            stack.fold(self.X[self.samples[:MEASURED]])
        outputs = stack.outputs(self.X).astype(np.int64)
        losses = self.problem.own_losses(outputs).sum(axis=2)
        price = self._price() if self.problem.constraints else np.zeros(len(losses))
        totals = losses.sum(axis=1) + price
        judged = losses[:, self.judges].sum(axis=1) + price if len(self.judges) else totals
        best = int(np.argmin(judged))
        self.latest = float(totals[best])
        if judged[best] < self.best_judged:
            bits = self.problem.bits_from_weights(stack.weights(best))
            # Sum in the problem's own order, so that the last bit agrees.  The problem may read
            # another level from a partly free word, so it is scored anew.
            loss = float(self.problem.own_losses(outputs[best : best + 1]).sum(axis=(1, 2))[0])
            loss += float(price[best])
            if len(bits) < self.problem.network.num_weight_bits:
                loss = float(self.problem.losses(bits[None])[0])
            if len(self.judges) or loss < run.incumbent.loss:
                run.incumbent = Incumbent(bits, loss)
                self.best_judged, self.number = float(judged[best]), best
        if soft:
            stack.unfold()
        self._scoring = time.perf_counter() - began

    def _price(self) -> FloatArray:
        """Return the price of each network's constraint violations, for ranking, shape (R,)."""
        problem, count = self.problem, self.stack.count
        networks = [problem.network.encode_bits(self.stack.weights(r)) for r in range(count)]
        return np.asarray(problem.price * problem.violations(np.array(networks)), dtype=np.float64)

    @property
    def info(self) -> dict[str, Any]:
        """Numbers for the result."""
        found = {"restarts": len(self.rates), "rate": float(self.rates[self.number])}
        if len(self.judges):
            found["held_out_loss"] = self.best_judged / len(self.judges)
        return found


def _compact(X: IntArray) -> Array:
    """Convert to the narrowest type that holds the integers, to gather batches faster."""
    reach = int(np.abs(X).max())
    kind = np.int8 if reach < 128 else np.int16 if reach < 2**15 else np.int64
    return np.ascontiguousarray(X.astype(kind))
