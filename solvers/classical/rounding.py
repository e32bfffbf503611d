"""Rounding: train a network with real weights, then round them to the levels of its code.

From the first layer to the last, the levels approximate the pre-activations of the real network on
the inputs that the rounded previous layers now produce: by the nearest level, greedily, or as the
ground state of a QUBO; see :mod:`solvers.classical.level_fit`.  The result is scored by the real
loss.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray, FloatArray
from formulations.checks import check_has, check_numbers, check_whole, choose
from formulations.network.network import Weights
from solvers.classical.gradients.latent_stack import LatentStack
from solvers.classical.level_fit import LayerFit, read_by_layer, real_pre_activations, shared
from solvers.classical.straight_through.pace import FOLDED, one_cycle
from solvers.oracles.base import Oracle, check_oracle
from solvers.oracles.here.annealing import Annealer
from solvers.run.option_checks import check_common, check_count
from solvers.run.result import Result, Status
from solvers.run.run import Run
from solvers.run.solver import Iterative
from solvers.run.stopping import Over, never


@runtime_checkable
class RealWeights(Protocol):
    """Source of real weights; an object of plain options."""

    def real_weights(
        self, problem: TrainingProblem, rng: np.random.Generator, over: Over = never
    ) -> list[FloatArray]:
        """Return real weights of the problem's network in units of its levels, thresholds last.

        Arrays have shape (n_l, n_{l-1} + 1).  A network without thresholds approximates the
        pre-activations that they give.  ``over`` says whether the time is up; long computations
        then return their current weights.
        """
        ...


@dataclass(frozen=True)
class RealTraining:
    """Real weights by gradients: straight-through training without its rounding.

    Weights stay within the code's range; activations are the network's own.

    Parameters
    ----------
    epochs : int
        Passes over the data.
    rates : sequence of float
        Peak learning rates of networks trained side by side; the one with the least loss is used.
    batch : int
        Samples per gradient step.
    """

    epochs: int = 50
    rates: tuple[float, ...] = (0.01, 0.03, 0.1)
    batch: int = 20

    def __post_init__(self) -> None:
        check_whole("epochs", self.epochs)
        check_whole("batch", self.batch)
        check_numbers("rates", self.rates, "positive learning rates")

    def real_weights(
        self, problem: TrainingProblem, rng: np.random.Generator, over: Over = never
    ) -> list[FloatArray]:
        stack = LatentStack(problem, len(self.rates), rng, rounded=False)
        rates = np.array(self.rates)[:, None]
        batch = min(self.batch, problem.num_samples)
        batches = problem.num_samples // batch
        for t in range(self.epochs * batches):
            if t % batches == 0:
                order = rng.permutation(problem.num_samples)
            share = t / (self.epochs * batches)
            if not stack.folded and share >= 1 - FOLDED:
                stack.fold(problem.X)
            chosen = order[t % batches * batch :][:batch]
            stack.step(problem.X[chosen], chosen, rates * one_cycle(share))
            if over():
                break
        return stack.best_real_weights()[1]


@dataclass(frozen=True)
class Rounding(Iterative):
    """Post-training rounding of a network with real weights.

    Parameters
    ----------
    method : {"nearest", "greedy", "qubo"}
        Method of rounding a layer.
    weights : RealWeights, optional
        Source of the real weights: an ``ExplicitSoftmax``, a ``ManifoldNetwork``, or, if None,
        ``RealTraining()``.
    oracle : Oracle, optional
        Oracle of ``qubo``; None is an annealer with 10 reads and 200 sweeps.
    draws : int or None
        Number of real networks to round, each from its own random stream; None runs until the time
        limit.
    seed, time_limit, callbacks, checkpoint, checkpoint_every
        See :class:`~solvers.run.solver.Iterative`.  The time limit is checked between draws, and no
        draw starts that would end much later.  It is also checked between neurons of ``qubo``,
        which leaves the rest to ``greedy``.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> X, y = [[1, 1, 1], [1, -1, 1], [-1, 1, -1], [-1, -1, -1]], [1, 1, -1, -1]
    >>> problem = TrainingProblem(Network.dense([3, 1]), X, y)
    >>> Rounding("greedy", seed=0).solve(problem).loss
    0.0
    """

    method: str = "greedy"
    weights: RealWeights | None = None
    oracle: Oracle | None = None
    draws: int | None = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        choose("rounding method", self.method, ["nearest", "greedy", "qubo"])
        check_count("draws", self.draws, self.time_limit)
        if self.weights is not None:
            check_has("weights", self.weights, "real_weights", "RealTraining() or RMDA()")
        if self.oracle is not None:
            check_oracle(self.oracle)

    def solve(self, problem: TrainingProblem) -> Result:
        """Round real weights to the free weight bits of ``problem``.

        Returns
        -------
        Result
            ``history`` has a row per draw: its ``loss`` and the ``best_loss`` so far;
            ``info["draws"]`` is their number.
        """
        run = self.begun(problem, self.oracle or Annealer(reads=10, sweeps=200))
        source = self.weights or RealTraining()
        anything = problem.random_bits(self._rng(0), 1)  # an answer for runs that stop early
        run.incumbent.offer(anything, problem.losses(anything))
        cut = False

        def over() -> bool:
            nonlocal cut
            cut = cut or run.late()
            return cut

        with run.guarded():
            run.resume()
            for t in run.steps(self.draws):
                if self._too_late(t, run.seconds):
                    run.status = Status.TIME_LIMIT
                    run.save()
                    break
                seed, oracle_seed = np.random.SeedSequence(self.seed, spawn_key=(t,)).spawn(2)
                real = source.real_weights(problem, np.random.default_rng(seed), over)
                bits = self._rounded(problem, real, run, oracle_seed, over)
                loss = float(problem.losses(bits)[0])
                run.incumbent.offer(bits[None], [loss])
                if cut and run.exhausted():
                    run.save()  # discard this draw: a longer run repeats it
                run.history.record(iteration=t, loss=loss, best_loss=run.incumbent.loss)
                if cut:
                    break
        return run.result(problem, draws=len(run.history))

    def _too_late(self, t: int, seconds: float) -> bool:
        """Return whether draw t, as long as the previous ones, would end well after the limit."""
        if self.time_limit is None or t == 1:
            return False
        return seconds * t / (t - 1) > 1.1 * self.time_limit

    def _rounded(
        self,
        problem: TrainingProblem,
        real: list[FloatArray],
        run: Run,
        seed: np.random.SeedSequence,
        over: Over,
    ) -> BitArray:
        """Round real weights from the first layer to the last; return the free weight bits."""
        targets = real_pre_activations(problem, real)
        a: FloatArray = problem.X.astype(float)
        matrices, biases = [], []
        for number, layer in enumerate(problem.network.layers):
            inputs = read_by_layer(problem, number, a)
            fit = LayerFit.of(problem, number, inputs, real[number], targets[number])
            last = number == len(problem.splines)
            levels = self._layer(problem, fit, inputs, last, run, seed, over).astype(np.int64)
            levels = shared(layer, levels)
            matrices.append(levels[:, :-1])
            biases.append(levels[:, -1] if layer.bias_code else None)
            if not last:
                a = problem.splines[number].units(inputs @ levels.T)
        return problem.bits_from_weights(Weights(tuple(matrices), tuple(biases), problem.splines))

    def _layer(
        self,
        problem: TrainingProblem,
        fit: LayerFit,
        inputs: FloatArray,
        last: bool,
        run: Run,
        seed: np.random.SeedSequence,
        over: Over,
    ) -> FloatArray:
        """Return one layer's levels, each neuron at its best scale, shape (n_out, m).

        In the last layer, the best scale has the least real loss.  In all others, its
        pre-activations are most similar to the real ones up to a factor.
        """

        def worth(levels: FloatArray) -> FloatArray:
            """Rate each (scale, neuron); larger is better."""
            if not last:
                return fit.likeness(levels)
            z = (inputs @ levels.swapaxes(-1, -2)).astype(np.int64)
            return np.asarray(-problem.one_vs_rest_losses(z).sum(axis=-2))

        scales = fit.scales()
        levels = fit.nearest(scales)
        if self.method != "nearest":
            levels = fit.descended(levels, scales, over)
        neurons = np.arange(levels.shape[1])
        best = np.argmax(worth(levels), axis=0)
        chosen = levels[best, neurons]
        if self.method == "qubo":
            for j in neurons[fit.free.any(axis=1)]:
                if over():
                    break
                found = self._sampled(fit, j, float(scales[best[j], j]), run, seed)
                sampled = np.repeat(chosen[None], len(found), axis=0)
                sampled[:, j] = found
                chosen = sampled[np.argmax(worth(sampled)[:, j])]
        return np.asarray(chosen)

    def _sampled(
        self, fit: LayerFit, neuron: int, scale: float, run: Run, seed: np.random.SeedSequence
    ) -> FloatArray:
        """Return levels of one neuron from the oracle, shape (R, m)."""
        qubo, levels = fit.qubo(neuron, scale)
        return levels(run.ask(qubo, seed.spawn(1)[0]).x)


@dataclass(frozen=True, kw_only=True)
class Rounded(Iterative):
    """Base class of methods that train real weights and round them by :class:`Rounding`.

    Parameters
    ----------
    rounding : {"nearest", "greedy", "qubo"}
        Method by which ``solve`` rounds the weights to levels.
    draws : int or None
        Number of networks that ``solve`` trains and rounds.
    """

    rounding: str = "greedy"
    draws: int | None = 4

    def __post_init__(self) -> None:
        check_common(self)
        self._solver(None)  # validates the other options

    def solve(self, problem: TrainingProblem) -> Result:
        """Train the free weight bits of ``problem``: real weights, then rounded.

        See :meth:`solvers.Rounding.solve`.
        """
        source: Any = replace(self, draws=1, time_limit=None, callbacks=(), checkpoint=None)
        return self._solver(source).solve(problem)

    def _solver(self, source: RealWeights | None) -> Rounding:
        shared = {field.name: getattr(self, field.name) for field in fields(Iterative)}
        return Rounding(self.rounding, source, draws=self.draws, **shared)
