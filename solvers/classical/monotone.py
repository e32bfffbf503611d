"""Training by a stochastic monotone variational inequality (SVI).

For one layer with predictions phi(eta(X) Theta), find Theta where the operator

    F(Theta) = (1/n) eta'(phi(eta Theta) - Y)

is zero.  It is monotone for any monotone phi, whatever the loss, and steps along it do not need the
slope of phi.  With strong monotonicity kappa, steps of 1 / (kappa (t + 1)) reduce the squared error
as 1/t.  In deeper networks each layer omits its own slope but uses the exact derivatives of all
later layers: see :meth:`solvers.classical.gradients.stack.Stack.directions`.  [SVI: arXiv
2202.08876; one layer: Juditsky and Nemirovski 2019.]
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
import numpy.typing as npt

from formulations import TrainingProblem
from formulations.arrays import Array, FloatArray
from formulations.checks import check_flag, check_number, check_whole, choose
from formulations.errors import InvalidInputError
from solvers.classical.gradients.objectives import GradientDescent, NetworkObjective, own_run
from solvers.classical.gradients.optimizers import Adam, Harmonic, Momentum, Optimizer
from solvers.classical.gradients.relaxation import best_relaxation
from solvers.classical.gradients.stack import Rule, Stack
from solvers.classical.rounding import Rounded
from solvers.run.run import Run
from solvers.run.stopping import Over, never

RATE, BATCH = 0.15, 100
"""Defaults of ``fit``, from the paper."""

RATES, SMALL_BATCH = (0.01, 0.03, 0.1), 20
"""Defaults of ``solve``, which tries all these learning rates for each network."""

Watch = Callable[[int], None]
"""Called with the number of each finished epoch."""


@dataclass(frozen=True)
class MonotoneVI(Rounded):
    """Stochastic variational inequality: ``fit`` as in the paper, ``solve`` for low-bit weights.

    Parameters
    ----------
    rule : {"full", "small", "last", "gradient"}
        Directions to follow: without the hidden layers' own slopes; the same, with hidden layers'
        steps divided by the batch size; only those of the last layer; or exact gradients, the
        baseline.
    warm : int, optional
        Epochs after which exact gradients take over from the rule.
    frozen : int
        Number of first layers that are not trained.
    optimizer : {"momentum", "adam"}
        Optimizer for the directions.  Adam undoes any scale, so it makes ``small`` equal to
        ``full``.
    rate : float, optional
        Learning rate; None is 0.15 in ``fit``, while ``solve`` tries several for each network.
    kappa : float, optional
        Strong monotonicity; replaces the rate by steps of 1 / (kappa (t + 1)), without momentum.
    epochs : int
        Passes over the data.
    batch : int, optional
        Samples per step; None is 100 in ``fit`` and 20 in ``solve``.
    shuffled : bool
        If True, each epoch draws new batches; otherwise the samples keep their order.
    seed : int
        Seed; in ``fit``, of the order of the samples.
    rounding, draws, time_limit, callbacks
        Options of ``solve``, see :class:`solvers.Rounding`.
    checkpoint, checkpoint_every
        Options of both: ``fit`` resumes after its last saved epoch, ``solve`` after its last saved
        draw.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    >>> MonotoneVI(draws=10).solve(problem).loss
    0.0
    """

    rule: Rule = "full"
    warm: int | None = None
    frozen: int = 0
    optimizer: str = "momentum"
    rate: float | None = None
    kappa: float | None = None
    epochs: int = 100
    batch: int | None = None
    shuffled: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        choose("rule", self.rule, list(get_args(Rule)))
        choose("optimizer", self.optimizer, ["momentum", "adam"])
        for name in ("rate", "kappa"):
            value = getattr(self, name)
            if value is not None:
                check_number(name, value)
        check_flag("shuffled", self.shuffled)
        check_whole("epochs", self.epochs)
        check_whole("frozen", self.frozen, least=0)
        if self.warm is not None:
            check_whole("warm", self.warm, least=0)

    # -- as in the paper ---------------------------------------------------------------------------

    def fit(
        self, network: Stack, X: npt.ArrayLike, Y: npt.ArrayLike, watch: Watch | None = None
    ) -> Stack:
        """Train a network's weights in place, from their current values.

        Parameters
        ----------
        network : Stack
            Dense layers, graph filters.
        X, Y : array, shape (N, ...)
            Inputs, and targets of the network's output.
        watch : callable, optional
            Called after each epoch with its number, from 1.

        Returns
        -------
        Stack
            The same network.
        """
        objective = NetworkObjective(network, np.asarray(X), np.asarray(Y))
        rng = self._rng()
        rate = RATE if self.rate is None else self.rate
        run = own_run(self, objective)
        self._train(objective, rate, self.batch or BATCH, rng, run, watch)
        return network

    def _train(
        self,
        objective: NetworkObjective,
        rate: float,
        batch: int,
        rng: np.random.Generator,
        run: Run,
        watch: Watch | None = None,
        over: Over = never,
    ) -> None:
        layers = len(objective.network.layers)
        if self.frozen >= layers:
            raise InvalidInputError(
                f"frozen={self.frozen}: of {layers} layers one at least must move"
            )
        objective.frozen = self.frozen
        stepper = self._stepper(objective.weights, rate)
        with run.guarded():
            descent = GradientDescent(objective, stepper, batch, rng if self.shuffled else None)
            run.resume(descent)
            for epoch in run.steps(self.epochs):
                warmed = self.warm is not None and epoch > self.warm
                objective.rule = "gradient" if warmed else self.rule
                descent.epoch(over)
                if watch is not None:
                    watch(epoch)
                if over():
                    break
        run.end()

    def _stepper(self, weights: Sequence[Array], rate: float) -> Optimizer:
        if self.kappa is not None:
            return Harmonic(weights, 1.0 / self.kappa)
        return Adam(weights, rate) if self.optimizer == "adam" else Momentum(weights, rate, 0.9)

    # -- for low bits ------------------------------------------------------------------------------

    def real_weights(
        self, problem: TrainingProblem, rng: np.random.Generator, over: Over = never
    ) -> list[FloatArray]:
        """Return real weights of the problem's network in units of its levels, thresholds last."""

        def train(twin: NetworkObjective, rate: float, order: np.random.Generator) -> None:
            self._train(twin, rate, self.batch or SMALL_BATCH, order, Run(), None, over)

        return best_relaxation(
            problem, rng, RATES if self.rate is None else [self.rate], train, over
        )
