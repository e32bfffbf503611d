"""Straight-through estimator: gradient training of latent weights that are rounded on the way.

Forward, a latent weight v counts as the nearest level q(v) of its code, and activations are those
of the lattice; backward, rounding is the identity where |v| is within the code's range, and an
activation is a ramp as wide as its pre-activations spread.  [BinaryConnect, Courbariaux et al.
2015; BinaryNet, Hubara et al. 2016; Adam, Kingma and Ba 2015.]
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from formulations.arrays import FloatArray, IntArray
from formulations.checks import check_numbers, check_whole
from formulations.network.network import Weights
from solvers.classical.level_fit import nearest
from solvers.run.checkpoint import EVERY, Checkpoint, Folder
from solvers.run.option_checks import check_common, check_count, check_problem
from solvers.run.result import History, Result
from solvers.run.run import Callback, Run
from solvers.run.stopping import Over, never

if TYPE_CHECKING:
    from formulations import TrainingProblem
    from formulations.network.codes import WeightCode


RATES = (0.01, 0.03, 0.1, 0.3)
"""Learning rates of the sweep, for latent weights in [-1, 1]."""

FALL = 0.95
"""Share of a learning rate that it has lost, linearly, when its time is over."""

FEW, MANY, STEPS = 20, 100, 100
"""Samples of a gradient step where nothing else is said: so many that an epoch has this many steps,
within these limits."""

FIRST, SECOND, TINY = 0.9, 0.999, 1e-8
"""Adam's constants."""


FORESEEN, LONG = 2.0, 60.0
"""Seconds after which the end is foreseen, and how far it may be without a warning."""


class LongRunWarning(UserWarning):
    """A run without a time limit will take more than a minute."""


@dataclass(frozen=True)
class StraightThrough:
    """Latent real weights trained by gradients, rounded to the code; the best rounding is kept.

    Parameters
    ----------
    epochs : int or None
        Passes over the data for each learning rate; None shares the time limit out among them.
    rates : sequence of float
        Learning rates, each tried from its own random start.
    batch : int, optional
        Samples of a gradient step.  None takes a hundredth of all, at least 20 and at most 100.
    seed : int
        Same seed, same result, unless the clock rules.
    time_limit : float, optional
        Seconds.  Without one a run of more than a minute warns of it, and says how long it takes.
    callbacks : tuple of callable
        Called after each epoch with a ``Progress``; one that returns True stops the run.
    checkpoint : path-like, optional
        Folder for a checkpoint, from which the same call goes on: see
        :mod:`solvers.run.checkpoint`.
    checkpoint_every : float
        Seconds between two checkpoints; 0 saves after every step.

    Raises
    ------
    InvalidInputError
        For values out of range.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    >>> StraightThrough(epochs=50, seed=1).solve(problem).loss
    0.0
    """

    epochs: int | None = 200
    rates: Sequence[float] = RATES
    batch: int | None = None
    seed: int = 0
    time_limit: float | None = None
    callbacks: tuple[Callback, ...] = ()
    checkpoint: Folder | None = None
    checkpoint_every: float = EVERY

    def __post_init__(self) -> None:
        check_common(self)
        check_numbers("rates", self.rates, "positive learning rates")
        if self.batch is not None:
            check_whole("batch", self.batch)
        check_count("epochs", self.epochs, self.time_limit)

    def solve(self, problem: TrainingProblem) -> Result:
        """Train the free weight bits of ``problem``.

        Returns
        -------
        Result
            ``info["rate"]`` is the learning rate of the incumbent, ``history`` has a row per epoch.
        """
        check_problem(problem)
        run = Run(
            time_limit=self.time_limit,
            callbacks=tuple(self.callbacks),
            checkpoint=Checkpoint.of(self, problem),
        )
        latent = Latent(problem, self._rng(0))
        latent.offer(run)  # so that there is an answer however early it is stopped
        total = None if self.epochs is None else self.epochs * len(self.rates)
        batch = self.batch or min(max(problem.num_samples // STEPS, FEW), MANY)
        told = self.time_limit is not None
        with run.guarded():
            run.resume(latent)
            for t in run.steps(total):
                number, share = self._phase(t, run.seconds)
                if number != latent.number:
                    latent.begin(number, self._rng(number))
                rate = self.rates[number]
                before = copy.deepcopy(latent.snapshot()) if run.checkpoint else None
                latent.epoch(batch, rate * (1.0 - FALL * share), run.late)
                loss = latent.offer(run)
                if before is not None and run.exhausted():  # where a longer run would go on from
                    latent.restore(before)
                    run.save()
                run.history.record(iteration=t, rate=rate, loss=loss, best_loss=run.incumbent.loss)
                if run.exhausted():
                    break
                if not told and total is not None and run.seconds >= FORESEEN:
                    told = True
                    _foretell(run, t, total)
        return run.result(problem, rate=_best_rate(run.history), epochs=len(run.history))

    def _phase(self, t: int, seconds: float) -> tuple[int, float]:
        """Number of the learning rate of epoch t, and the share of its time that will be over."""
        if self.epochs is not None:
            number, done = divmod(t - 1, self.epochs)
            return number, (done + 1) / self.epochs
        assert self.time_limit is not None
        over = len(self.rates) * min(1.0, seconds / self.time_limit)
        number = min(int(over), len(self.rates) - 1)
        return number, over - number

    def _rng(self, number: int) -> np.random.Generator:
        """Random stream of a learning rate."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number,)))


def _foretell(run: Run, done: int, total: int) -> None:
    """Warn of a run that will take long, while it can still be given a limit."""
    expected = run.seconds * total / done
    if expected > LONG:
        warnings.warn(
            f"{total} epochs will take about {expected:.0f} s: give a time_limit, or fewer epochs "
            "or rates; Ctrl-C returns the best weights so far",
            LongRunWarning,
            stacklevel=3,
        )


def _best_rate(history: History) -> float:
    """Learning rate of the first epoch with the least loss; NaN if there was none."""
    return float(history["rate"][np.argmin(history["loss"])]) if len(history) else float("nan")


def _nearest(code: WeightCode, latent: FloatArray) -> FloatArray:
    """Nearest levels of latent weights, which are in units of the largest magnitude."""
    return nearest(code, latent * np.abs(code.levels).max())


class Latent:
    """Latent weights of a network, their Adam averages, and one epoch of training."""

    def __init__(self, problem: TrainingProblem, rng: np.random.Generator) -> None:
        self.problem = problem
        self.fixed = [layer.fixed for layer in problem.free_layers]
        self.free = [layer.free_bits > 0 for layer in problem.free_layers]
        self.begin(0, rng)

    def begin(self, number: int, rng: np.random.Generator) -> None:
        """Draw the random start of a learning rate."""
        self.number, self.rng, self.steps = number, rng, 0
        self.values = [
            rng.uniform(-1, 1, (layer.outputs, layer.inputs + 1))
            for layer in self.problem.network.layers
        ]
        self.first = [np.zeros_like(v) for v in self.values]
        self.second = [np.zeros_like(v) for v in self.values]

    def snapshot(self) -> Mapping[str, Any]:
        """All that an epoch changes."""
        names = ["number", "rng", "steps", "values", "first", "second"]
        return {name: getattr(self, name) for name in names}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        vars(self).update(snapshot)

    def levels(self) -> list[FloatArray]:
        """Rounded weights, thresholds last, of every layer."""
        rounded = []
        for number, layer in enumerate(self.problem.network.layers):
            matrix = _nearest(layer.code, self.values[number])
            if layer.bias_code:
                matrix[:, -1] = _nearest(layer.bias_code, self.values[number][:, -1])
            else:
                matrix[:, -1] = 0.0
            rounded.append(np.where(self.free[number], matrix, self.fixed[number]))
        return rounded

    def weights(self) -> Weights:
        """Rounded weights as the problem's."""
        levels = [matrix.astype(np.int64) for matrix in self.levels()]
        layers = self.problem.network.layers
        return Weights(
            tuple(matrix[:, :-1] for matrix in levels),
            tuple(
                matrix[:, -1] if layer.bias_code else None
                for matrix, layer in zip(levels, layers, strict=True)
            ),
            self.problem.splines,
        )

    def offer(self, run: Run) -> float:
        """Offer the rounded weights to the incumbent; return their loss."""
        bits = self.problem.bits_from_weights(self.weights())
        loss = float(self.problem.losses(bits[None])[0])
        run.incumbent.offer(bits[None], [loss])
        return loss

    def epoch(self, batch: int, rate: float, over: Over = never) -> None:
        """One pass over the samples in random batches; a part of one if the time is over."""
        order = self.rng.permutation(self.problem.num_samples)
        for start in range(0, len(order), batch):
            if over():
                return
            self._step(order[start : start + batch], rate)

    def _step(self, samples: IntArray, rate: float) -> None:
        """Adam's step along the straight-through gradient of the mean loss."""
        problem, levels = self.problem, self.levels()
        inputs, z = [], []
        a: FloatArray = problem.X[samples].astype(float)
        for number, matrix in enumerate(levels):
            unit = np.full((len(samples), 1), float(problem.units[number]))
            inputs.append(np.concatenate([a, unit], axis=1))
            z.append(inputs[-1] @ matrix.T)
            if number < len(problem.splines):
                a = problem.splines[number].units(z[-1])
        slope = self._output_slopes(z[-1], samples) / len(samples)
        self.steps += 1
        for number in range(len(levels) - 1, -1, -1):
            gradient = slope.T @ inputs[number]
            if number:
                slope = slope @ levels[number][:, :-1]
                slope = slope * _ramp(z[number - 1])
            self._adam(number, gradient, rate)

    def _output_slopes(self, z: FloatArray, samples: IntArray) -> FloatArray:
        """Slope of the loss at each output, by the difference across two lattice steps.

        The zero-one loss, flat almost everywhere, is replaced by hinge.
        """
        problem = self.problem
        if problem.loss_kind.name == "zero-one":
            y = problem.targets[problem.target_index[samples]]
            return np.where(y * z * problem.out_step < 1.0, -y * problem.out_step, 0.0)
        part = problem.subset(samples)
        return np.asarray(0.5 * (part.output_losses(z + 1) - part.output_losses(z - 1)))

    def _adam(self, number: int, gradient: FloatArray, rate: float) -> None:
        first, second, values = self.first[number], self.second[number], self.values[number]
        gradient = gradient * self.free[number]
        first += (1 - FIRST) * (gradient - first)
        second += (1 - SECOND) * (gradient**2 - second)
        move = first / (1 - FIRST**self.steps)
        move /= np.sqrt(second / (1 - SECOND**self.steps)) + TINY
        values -= rate * move
        np.clip(values, -1.0, 1.0, out=values)


def _ramp(z: FloatArray) -> FloatArray:
    """Slope of the ramp that stands for an activation: 1 where |z| is within its spread."""
    spread = np.sqrt((z**2).mean()) + TINY
    return np.asarray((np.abs(z) <= 1.5 * spread) / spread)
