"""Regularised dual averaging with momentum (RMDA), and its baseline ProxSGD.

    minimise over W   mean loss(W) + strength psi(W)

in stages: at a milestone the learning rate falls and averaging restarts.  Averaging removes noise
from the gradients, so the pattern of zeros settles after finitely many steps.  With stochastic
proximal gradients it does not.  [RMDA: arXiv 2112.02612.]
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
"""Defaults of ``fit``, from the paper."""

LEVELS_STRENGTH, RATES, SMALL_BATCH = 0.03, (1.0, 3.0, 10.0), 20
"""Defaults of ``solve``, which tries all these learning rates for each network."""

Penalty = tuple[Regularizer, float]
"""psi and lambda."""

Watch = Callable[[int, Sequence[Array]], None]
"""Called with the number of each finished epoch and the weights to return at that point."""


@dataclass(frozen=True)
class _Regularized(Rounded):
    """Common base of both methods: stages, ``fit`` and ``solve``."""

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
            Such as :class:`~solvers.classical.gradients.objectives.NetworkObjective` or, for a
            torch module, :class:`~solvers.classical.gradients.objectives.TorchObjective`.
        watch : callable, optional
            Called after each epoch with its number, from 1, and the weights to return at that
            point.

        Returns
        -------
        History
            A row per epoch: the learning ``rate``; the share ``settled`` of parameters at the
            regulariser's targets (for the group lasso, the weighted group sparsity); and the number
            of parts whose status ``changed`` since the previous epoch.
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
        """Return the optimizer of the weights."""

    @abstractmethod
    def _prepare(self, stepper: Optimizer, epoch: int, last: int) -> None:
        """Update options other than the rate for an epoch; ``last`` is the last milestone."""

    # -- for low bits ------------------------------------------------------------------------------

    def real_weights(
        self, problem: TrainingProblem, rng: np.random.Generator, over: Over = never
    ) -> list[FloatArray]:
        """Return real weights of the problem's network in units of its levels, thresholds last."""
        penalty = self._penalty(problem)

        def train(twin: Objective, rate: float, order: np.random.Generator) -> None:
            self._fit(twin, penalty, rate, self.batch or SMALL_BATCH, order, Run(), None, over)

        return best_relaxation(
            problem, rng, RATES if self.rate is None else [self.rate], train, over
        )

    def _penalty(self, problem: TrainingProblem) -> Penalty:
        """Return the regulariser and its strength for ``solve``."""
        regularizer = self.regularizer or "levels"
        strength = LEVELS_STRENGTH if self.strength is None else self.strength
        if regularizer == "levels":
            levels = problem.network.layers[0].code.levels
            return distance_to(levels.astype(float).tolist()), strength
        if isinstance(regularizer, str):
            regularizer = REGULARIZERS[regularizer]()
        return regularizer, strength


def _pattern(regularizer: Regularizer, weights: Sequence[Array]) -> BoolArray:
    """Mark the settled parts of all regularised weights in one array."""
    return np.concatenate([regularizer.settled(W).ravel() for W in weights if W.ndim > 1])


@dataclass(frozen=True)
class RMDA(_Regularized):
    """Regularised dual averaging: ``fit`` as in the paper, ``solve`` for low-bit weights.

    Parameters
    ----------
    regularizer : {"group-lasso", "l1", "nuclear", "levels"} or Regularizer, optional
        psi, for every weight array with two or more axes.  ``levels``, only for ``solve``, pulls
        weights to the levels of the problem's code.  None is the group lasso in ``fit`` and
        ``levels`` in ``solve``.
    strength : float, optional
        lambda; None is 0.001 in ``fit`` and 0.03 in ``solve``.
    rate : float, optional
        Learning rate of the first stage; None is 0.1 in ``fit``, while ``solve`` tries several for
        each network.
    epochs : int
        Passes over the data.
    milestones : sequence of float
        Ends of stages as shares of the epochs; at each the learning rate falls to a tenth.
    batch : int, optional
        Samples per step; None is 128 in ``fit`` and 20 in ``solve``.
    inertia : float
        c of all stages but the last, in which it grows to 1 as the square root of the epochs.
    seed : int
        Seed; in ``fit``, of the order of the samples.
    rounding, draws, time_limit, callbacks
        Options of ``solve``, see :class:`solvers.Rounding`.
    checkpoint, checkpoint_every
        Options of both: ``fit`` resumes after its last saved epoch, ``solve`` after its last saved
        draw.  For a torch module the weights are saved, but not its buffers.

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
        """Raise c^2 evenly from c0^2 to 1 in the last stage: c = 0.1 sqrt(j + 1) in 100 epochs."""
        assert isinstance(stepper, DualAveraging)
        least, through = self.inertia**2, (epoch - last) / max(1, self.epochs - 1 - last)
        if through >= 0:
            stepper.inertia = float(np.sqrt(least + (1 - least) * through))


@dataclass(frozen=True)
class ProxSGD(_Regularized):
    """Stochastic proximal gradients, the baseline: same calls and options as :class:`RMDA`.

    Parameters
    ----------
    momentum : float
        Momentum of the gradients.

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
        """Change nothing between epochs."""
