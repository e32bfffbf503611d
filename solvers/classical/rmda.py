"""Regularised dual averaging with momentum (RMDA), and proximal gradients (ProxSGD) beside it.

    minimise over W   mean loss(W) + strength psi(W)

by stages: at a milestone the learning rate falls and averaging begins anew.  Averaged gradients
lose their noise, so that the pattern of zeros settles after finitely many steps, which that of
stochastic proximal gradients does not.  [RMDA: arXiv 2112.02612.]
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import Array, BoolArray, FloatArray
from formulations.checks import (
    check_has,
    check_number,
    check_several,
    check_whole,
    choose,
    is_number,
)
from formulations.errors import InvalidInputError
from solvers.classical.gradients.objectives import GradientDescent, Objective, own_run
from solvers.classical.gradients.optimizers import DualAveraging, Optimizer, ProximalGradient
from solvers.classical.gradients.proximal import (
    REGULARIZERS,
    Regularizer,
    distance_to,
    settled_share,
)
from solvers.classical.gradients.relaxation import best_relaxation
from solvers.classical.rounding import Rounded
from solvers.run.result import History
from solvers.run.run import Run
from solvers.run.stopping import Over, never

STRENGTH, RATE, BATCH = 1e-3, 0.1, 128
"""Of ``fit``: the paper's."""

LEVELS_STRENGTH, RATES, SMALL_BATCH = 0.03, (1.0, 3.0, 10.0), 20
"""Of ``solve``, which tries all these learning rates for each network."""

Penalty = tuple[Regularizer, float]
"""psi and lambda."""

Watch = Callable[[int, Sequence[Array]], None]
"""Told the number of an epoch that is over and the weights that would be the answer."""


@dataclass(frozen=True)
class _Regularized(Rounded):
    """What both methods share: stages, the own game, and the game of low bits."""

    regularizer: str | Regularizer | None = None
    strength: float | None = None
    rate: float | None = None
    epochs: int = 100
    milestones: Sequence[float] = (0.2, 0.4, 0.6, 0.8)
    batch: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.regularizer, str):
            choose("regulariser", self.regularizer, [*REGULARIZERS, "levels"])
        elif self.regularizer is not None:
            check_has("regularizer", self.regularizer, "prox", "'l1' or group_lasso()")
        if self.strength is not None:
            check_number("strength", self.strength, zero=True)
        if self.rate is not None:
            check_number("rate", self.rate)
        check_whole("epochs", self.epochs)
        milestones = check_several("milestones", self.milestones, "shares", empty=True)
        shares = [0.0, *milestones, 1.0]
        if not all(map(is_number, shares)) or sorted(set(shares)) != shares:
            raise InvalidInputError(
                f"milestones={self.milestones!r}: expected ascending shares of the epochs, "
                "between 0 and 1"
            )

    # -- as in the paper ---------------------------------------------------------------------------

    def fit(self, objective: Objective, watch: Watch | None = None) -> History:
        """Train the weights of an objective, in place.

        Parameters
        ----------
        objective : Objective
            Such as :class:`~solvers.classical.gradients.objectives.NetworkObjective` or, of a torch
            module, :class:`~solvers.classical.gradients.objectives.TorchObjective`.
        watch : callable, optional
            Called after each epoch with its number, from 1, and the weights that would be the
            answer.

        Returns
        -------
        History
            A row per epoch: the learning ``rate``, the share ``settled`` of the parameters that
            are where the regulariser wants them (for the group lasso the weighted group
            sparsity), and how many parts ``changed`` in that since the epoch before.
        """
        if self.regularizer == "levels":
            raise InvalidInputError(
                "regularizer='levels' is of a weight code, which fit does not know: "
                "give distance_to((-1.0, 1.0)) of its levels"
            )
        regularizer = self.regularizer or "group-lasso"
        if isinstance(regularizer, str):
            regularizer = REGULARIZERS[regularizer]()
        rng = self._rng()
        penalty = (regularizer, STRENGTH if self.strength is None else self.strength)
        rate = RATE if self.rate is None else self.rate
        run = own_run(self, objective)
        return self._fit(objective, penalty, rate, self.batch or BATCH, rng, run, watch)

    def _fit(
        self,
        objective: Objective,
        penalty: Penalty,
        rate: float,
        batch: int,
        rng: np.random.Generator,
        run: Run,
        watch: Watch | None = None,
        over: Over = never,
    ) -> History:
        regularizer, stepper = penalty[0], self._stepper(objective.weights, penalty, rate)
        ends = [round(share * self.epochs) for share in self.milestones]
        with run.guarded():
            descent = GradientDescent(objective, stepper, batch, rng)
            run.resume(descent)
            before = _pattern(regularizer, stepper.answer())
            for epoch in run.steps(self.epochs):
                if epoch - 1 in ends:
                    stepper.restart(stepper.rate * 0.1)
                self._prepare(stepper, epoch - 1, ends[-1] if ends else 0)
                descent.epoch(over)
                answer = stepper.answer()
                pattern = _pattern(regularizer, answer)
                run.history.record(
                    iteration=epoch,
                    rate=stepper.rate,
                    settled=settled_share(regularizer, answer),
                    changed=float((pattern != before).sum()),
                )
                before = pattern
                if watch is not None:
                    watch(epoch, answer)
                if over():
                    break
        run.end()
        for W, final in zip(objective.weights, stepper.answer(), strict=True):
            W[...] = final
        return run.history

    @abstractmethod
    def _stepper(self, weights: Sequence[Array], penalty: Penalty, rate: float) -> Optimizer:
        """What steps the weights."""

    @abstractmethod
    def _prepare(self, stepper: Optimizer, epoch: int, last: int) -> None:
        """Set what changes from epoch to epoch besides the rate; ``last`` is the last milestone."""

    # -- for low bits ------------------------------------------------------------------------------

    def real_weights(
        self, problem: TrainingProblem, rng: np.random.Generator, over: Over = never
    ) -> list[FloatArray]:
        """Real weights of the problem's network in units of its levels, thresholds last."""
        penalty = self._penalty(problem)

        def train(twin: Objective, rate: float, order: np.random.Generator) -> None:
            self._fit(twin, penalty, rate, self.batch or SMALL_BATCH, order, Run(), None, over)

        return best_relaxation(
            problem, rng, RATES if self.rate is None else [self.rate], train, over
        )

    def _penalty(self, problem: TrainingProblem) -> Penalty:
        """The regulariser and its strength, for low bits."""
        regularizer = self.regularizer or "levels"
        strength = LEVELS_STRENGTH if self.strength is None else self.strength
        if regularizer == "levels":
            levels = problem.network.layers[0].code.levels
            return distance_to(levels.astype(float).tolist()), strength
        if isinstance(regularizer, str):
            regularizer = REGULARIZERS[regularizer]()
        return regularizer, strength


def _pattern(regularizer: Regularizer, weights: Sequence[Array]) -> BoolArray:
    """Which parts of all regularised weights are settled, one after another."""
    return np.concatenate([regularizer.settled(W).ravel() for W in weights if W.ndim > 1])


@dataclass(frozen=True)
class RMDA(_Regularized):
    """Regularised dual averaging: ``fit`` as in the paper, ``solve`` for low bits.

    Parameters
    ----------
    regularizer : {"group-lasso", "l1", "nuclear", "levels"} or Regularizer, optional
        psi, of every weight of two axes or more.  ``levels``, of ``solve`` alone, draws weights to
        the levels of the problem's code.  None is the group lasso in ``fit`` and ``levels`` in
        ``solve``.
    strength : float, optional
        lambda; None is 0.001 in ``fit`` and 0.03 in ``solve``.
    rate : float, optional
        Learning rate of the first stage; None is 0.1 in ``fit``, while ``solve`` tries several for
        each network.
    epochs : int
        Passes over the data.
    milestones : sequence of float
        Ends of stages, as shares of the epochs; at each the learning rate falls to a tenth.
    batch : int, optional
        Samples of a step; None is 128 in ``fit`` and 20 in ``solve``.
    inertia : float
        c of all stages but the last, where it grows to 1, as the square root of the epochs.
    seed : int
        Of ``fit`` the order of the samples.
    rounding, draws, time_limit, callbacks
        Of ``solve``, see :class:`solvers.Rounding`.
    checkpoint, checkpoint_every
        Of both: ``fit`` goes on after its last saved epoch, ``solve`` after its last saved draw.
        Of a torch module the trained weights are kept, not its buffers.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    >>> RMDA(draws=20).solve(problem).loss
    0.0
    """

    inertia: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("inertia", self.inertia, most=1.0)

    def _stepper(self, weights: Sequence[Array], penalty: Penalty, rate: float) -> DualAveraging:
        return DualAveraging(weights, rate, *penalty, self.inertia)

    def _prepare(self, stepper: Optimizer, epoch: int, last: int) -> None:
        """In the last stage c^2 grows evenly from c0^2 to 1: c = 0.1 sqrt(j + 1) in 100 epochs."""
        assert isinstance(stepper, DualAveraging)
        least, through = self.inertia**2, (epoch - last) / max(1, self.epochs - 1 - last)
        if through >= 0:
            stepper.inertia = float(np.sqrt(least + (1 - least) * through))


@dataclass(frozen=True)
class ProxSGD(_Regularized):
    """Stochastic proximal gradients, the rival: the same calls and options as :class:`RMDA`.

    Parameters
    ----------
    momentum : float
        Of the gradients.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> problem = TrainingProblem(Network.dense([2, 1]), [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    >>> ProxSGD().solve(problem).loss
    1.0
    """

    momentum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("momentum", self.momentum, zero=True)
        if self.momentum >= 1:
            raise InvalidInputError(f"momentum={self.momentum!r}: expected a number in [0, 1)")

    def _stepper(self, weights: Sequence[Array], penalty: Penalty, rate: float) -> ProximalGradient:
        return ProximalGradient(weights, rate, *penalty, self.momentum)

    def _prepare(self, stepper: Optimizer, epoch: int, last: int) -> None:
        """Nothing."""
