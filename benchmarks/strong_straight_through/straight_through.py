"""Straight-through training of integer networks, at full strength.

Latent weights are rounded on the way forward and trained by Adam under a one-cycle rate.  For most
of the run thresholds are soft (means of the batch); then they are folded into integers, and the
last epochs train what will be stored.  The best of those by held-out or training loss is returned.

[BinaryConnect, Courbariaux et al. 2015; BinaryNet, Hubara et al. 2016; Adam, Kingma and Ba 2015;
batch normalisation, Ioffe and Szegedy 2015; one-cycle, Smith and Topin 2018.]
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import cos, pi
from typing import Any

import numpy as np
import numpy.typing as npt
from integer_network import IntegerNetwork, unit
from joint_losses import CrossEntropy, JointLoss
from latent import Shape, Stack

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]
Augment = Callable[[np.random.Generator], npt.NDArray[Any]]

SAMPLES_OF_A_FOLD = 10_000
"""Most samples that thresholds are folded on."""


class Pace:
    """How much of a run is over, by epochs and by the clock.

    The share goes up by equal steps an epoch; where the time left will not do for the epochs left,
    by larger ones, so that a run that is short of time still goes through its whole schedule.
    """

    def __init__(self, epochs: int, time_limit: float | None) -> None:
        self.epochs, self.time_limit = epochs, time_limit
        self.began = time.perf_counter()
        self.share, self.stride, self.done = 0.0, 1.0 / epochs, 0

    def advance(self) -> bool:
        """Plan the next epoch from where the last one ended; False when the run is over."""
        if self.done:
            self.share = min(1.0, self.share + self.stride)
        if self.share > 1 - 1e-6:
            return False
        if self.time_limit is not None and self.done:
            used = time.perf_counter() - self.began
            left = 0.97 * self.time_limit - used
            affordable = left / (used / self.done)
            if affordable < 1:
                return False
            self.stride = max(1.0 / self.epochs, (1 - self.share) / affordable)
        self.done += 1
        return True


@dataclass
class Trained:
    """The best network, and how the run went."""

    network: IntegerNetwork
    loss: float
    error: float
    divisor: float
    history: list[dict[str, float]]
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StraightThrough:
    """Straight-through training of a dense integer network.

    Parameters
    ----------
    epochs : int or None
        Passes over the data; None: see :func:`default_epochs`.
    rate : float
        Largest learning rate of latent weights in [-1, 1].
    batch : int or None
        Samples of a step; None takes a tenth of all, at least 16 and at most 100.
    restarts : int or None
        Networks trained side by side, the best one kept; None: see :func:`default_restarts`.
    folded : float
        Share of the run, at its end, with folded thresholds.
    warm : float
        Share of the run over which the rate rises.
    seed : int
    time_limit : float, optional
        Seconds; the schedule is shortened to fit.
    """

    epochs: int | None = None
    rate: float = 0.02
    batch: int | None = None
    restarts: int | None = 1
    temperature: float = 1.0
    dropout: float = 0.0
    loss: JointLoss = field(default_factory=CrossEntropy)
    folded: float = 0.2
    warm: float = 0.1
    start: float = 0.1
    learned: bool = True
    window: float = 0.5
    choose_by: str = "loss"
    seed: int = 0
    time_limit: float | None = None

    def fit(
        self,
        X: npt.NDArray[Any],
        y: IntArray,
        widths: Sequence[int],
        levels: Sequence[int] | Sequence[Sequence[int]] = (-1, 1),
        activation: str = "sign",
        *,
        held_out: tuple[npt.NDArray[Any], IntArray] | None = None,
        sample_weight: npt.NDArray[Any] | None = None,
        augment: Augment | None = None,
        shifts: Sequence[int] | None = None,
    ) -> Trained:
        """Train on integer inputs X (N, d) and classes y (0 .. C-1; 0 and 1 for one output).

        Parameters
        ----------
        held_out : (X, y), optional
            What the network that is kept is chosen by; None: the training samples.
        augment : callable, optional
            Returns the inputs of an epoch, shape (N, d).
        shifts : sequence of int, optional
            Of each hidden layer; None: chosen from the spread of its pre-activations.
        """
        start_rng, order_rng, other_rng = (
            np.random.default_rng(s) for s in np.random.SeedSequence(self.seed).spawn(3)
        )
        shape = Shape(tuple(widths), _per_layer(levels, len(widths) - 1), unit(activation))
        X = compact(X)
        restarts = self.restarts or default_restarts(shape, len(X))
        stack = Stack(
            shape,
            self.loss,
            restarts,
            start_rng,
            temperature=self.temperature,
            dropout=self.dropout,
            start=self.start,
            learned=self.learned,
            window=self.window,
            shifts=shifts,
        )
        batch = self.batch or min(max(len(X) // 10, 16), 100)
        epochs = self.epochs or default_epochs(len(X))
        weight = None
        if sample_weight is not None:
            weight = (np.asarray(sample_weight) / np.mean(sample_weight)).astype(np.float32)
        judge = held_out or (X, y)
        some = order_rng.permutation(len(X))[:SAMPLES_OF_A_FOLD]
        pace = Pace(epochs, self.time_limit)
        best: Trained | None = None
        history: list[dict[str, float]] = []
        spent = 0.0
        try:
            while pace.advance():
                inputs = X if augment is None else augment(other_rng)
                if not stack.folded and pace.share >= 1 - self.folded - 1e-9:
                    stack.fold(X[some])
                self._epoch(stack, inputs, y, weight, batch, pace, order_rng)
                if stack.folded:
                    began = time.process_time()
                    best = _better(best, stack, judge, self.choose_by)
                    spent += time.process_time() - began
                    history.append(
                        {"epoch": pace.done, "loss": best.info["now"][0], "best": best.loss}
                    )
        except KeyboardInterrupt:
            pass
        if best is None:
            stack.fold(X[some])
            best = _better(None, stack, judge, self.choose_by)
        best.history = history
        best.info.update(epochs=pace.done, restarts=restarts, scoring=spent)
        return best

    def _epoch(
        self,
        stack: Stack,
        X: npt.NDArray[Any],
        y: IntArray,
        weight: FloatArray | None,
        batch: int,
        pace: Pace,
        rng: np.random.Generator,
    ) -> None:
        """One pass in random batches; the last, short batch is left out."""
        order = rng.permutation(len(X))
        batches = max(1, len(X) // batch)
        for number in range(batches):
            chosen = order[number * batch : (number + 1) * batch]
            share = pace.share + pace.stride * number / batches
            stack.step(
                X[chosen].astype(np.float32),
                y[chosen],
                self.rate * one_cycle(share, self.warm),
                None if weight is None else weight[chosen],
            )


def _per_layer(
    levels: Sequence[int] | Sequence[Sequence[int]], layers: int
) -> tuple[tuple[int, ...], ...]:
    """Levels of the weights of each layer, from those of each or of all."""
    table = np.asarray(levels, dtype=object)
    if table.ndim == 1 and not isinstance(table[0], (tuple, list)):
        return (tuple(int(v) for v in table),) * layers
    return tuple(tuple(int(v) for v in part) for part in levels)  # type: ignore[union-attr]


def compact(X: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The same integers in the narrowest type that holds them: batches are gathered faster."""
    reach = int(np.abs(X).max(initial=0))
    kind = np.int8 if reach < 128 else np.int16 if reach < 2**15 else np.int64
    return np.ascontiguousarray(X.astype(kind))


def one_cycle(share: float, warm: float) -> float:
    """Factor of the learning rate: up linearly over ``warm`` of the run, then down by a cosine."""
    if share < warm:
        return 0.1 + 0.9 * share / warm
    return 0.5 + 0.5 * cos(pi * min(1.0, (share - warm) / (1 - warm)))


def default_epochs(samples: int) -> int:
    """Passes over the data: some 100,000 steps of small sets down to 30 epochs of large ones."""
    return int(np.clip(600_000 // samples, 40, 400))


def default_restarts(shape: Shape, samples: int) -> int:
    """Networks side by side: many where one is tiny."""
    weights = sum(n * m for n, m in shape.pairs)
    return int(np.clip(20_000 // weights, 1, 16))


def _better(
    best: Trained | None, stack: Stack, judge: tuple[npt.NDArray[Any], IntArray], by: str
) -> Trained:
    losses, errors = stack.scores(*judge)
    keys = losses if by == "loss" else errors
    r = int(np.argmin(keys))
    now = (float(losses[r]), float(errors[r]))
    if best is None or keys[r] < (best.loss if by == "loss" else best.error):
        divisor = float(stack._step_size(len(stack.W) - 1)[r, 0, 0])
        best = Trained(stack.networks()[r], *now, divisor, [])
    best.info["now"] = now
    return best
