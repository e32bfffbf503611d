"""The default trainer: gradients, restricted problems on the same loss, or one after the other.

Up to some thousand weight bits a search of restricted problems finds networks that are right on new
data more often than those of the best gradients; beyond, gradients do.  Where that crossing is
depends on the data, so that it is measured: each recipe trains on a part of the samples, the others
judge, and the recipe that won trains on all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.checks import check_has, check_number, check_whole
from formulations.errors import InvalidInputError
from solvers.classical.straight_through.solver import StraightThrough
from solvers.neighborhood.search import LargeNeighborhoodSearch
from solvers.run.checkpoint import Checkpoint
from solvers.run.option_checks import check_common, check_problem
from solvers.run.result import Incumbent, Result, Status
from solvers.run.run import Callback, Progress, Run, pass_on
from solvers.run.solver import Iterative, Start, check_start, start_bits

GRADIENTS, BOTH, SEARCH = "gradients", "gradients, then search", "search"
"""The recipes, in the order in which they are tried."""

SHARES: Mapping[str, float] = MappingProxyType({GRADIENTS: 0.15, BOTH: 0.3, SEARCH: 0.35})
"""Of the time limit, for the trial of each recipe; what is left trains on all samples."""

FEW_BITS = 2_000
"""Most weight bits for which a search from a random network is tried as well."""

ENOUGH = 16
"""Samples for each weight bit from which on half of them are held out."""

JUDGES = 50
"""Fewer held-out samples cannot tell one recipe from another: gradients then train on all."""

EFFORT = 6e8
"""Rounds times samples times weights of a search without a limit: some seconds."""

LEAST_ROUNDS, MOST_ROUNDS = 200, 3000
"""Of such a search: where it would get fewer it is not tried."""


@dataclass(frozen=True)
class Trainer(Iterative):
    """Gradients, then restricted problems on the same loss, whichever held-out samples prefer.

    Recipes are ``gradients``; ``gradients, then search``; and, for small networks, ``search`` from
    a random network, which counts errors where there is one output: no gradient can.  Each is tried
    on a part of the samples.  A later one is taken if it errs on fewer held-out samples than the
    best one before, by more than the standard error of their difference; it then trains on all.

    Parameters
    ----------
    gradients : solver
        Its seed and callbacks are set by this one; of two time limits the shorter one holds.
    search : LargeNeighborhoodSearch
        Likewise.
    start : solver, Result, Weights or None
        Where to go on from: then the search alone trains, on all samples.
    held_out : float
        Share of the samples that judge the recipes; half, where there are many for each bit.
    search_bits : int
        Networks of more weight bits are trained by gradients alone, without a trial; so are all
        where fewer than 50 samples would judge.
    seed, time_limit, callbacks, checkpoint, checkpoint_every
        See :class:`~solvers.run.solver.Iterative`; callbacks are called by the parts.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]] * 8, [1, -1, -1] * 8)
    >>> result = Trainer(seed=1).solve(problem)
    >>> result.loss, result.info["recipe"]
    (0.0, 'gradients')
    """

    gradients: StraightThrough = field(default_factory=StraightThrough)
    search: LargeNeighborhoodSearch = field(default_factory=LargeNeighborhoodSearch)
    start: Start | None = None
    held_out: float = 0.15
    search_bits: int = 20_000

    def __post_init__(self) -> None:
        check_common(self)
        check_has("gradients", self.gradients, "solve", "StraightThrough()")
        check_has("search", self.search, "solve", "LargeNeighborhoodSearch()")
        check_start(self.start)
        check_number("held_out", self.held_out)
        if not self.held_out < 1:
            raise InvalidInputError(f"held_out={self.held_out}: expected a share below 1")
        check_whole("search_bits", self.search_bits, least=0)

    def solve(self, problem: TrainingProblem) -> Result:
        """Train the free weight bits of ``problem``.

        Returns
        -------
        Result
            ``info["recipe"]`` is the one taken; ``info["held_out"]`` the share of held-out samples
            that each one tried got wrong, or their mean loss where targets are numbers.
        """
        check_problem(problem)
        run = Run(
            time_limit=self.time_limit,
            callbacks=self.callbacks,
            checkpoint=Checkpoint.of(self, problem),
        )
        trial = _Trial(problem, self._held_out(problem), self._rng(0))
        plan = self._plan(problem, trial)
        answer = problem.random_bits(self._rng(1), 1)  # however early it is stopped
        run.incumbent.offer(answer, problem.losses(answer))
        with run.guarded():
            if not run.resume(trial) and self.start is not None:
                trial.begun, trial.chosen = start_bits(self.start, problem, run), BOTH
            for t in run.steps(len(plan)):
                recipe, share, on_all = plan[t - 1]
                name = recipe or trial.chosen
                begun = None if on_all and trial.losses else trial.begun
                bits = self._trained(
                    name, problem if on_all else trial.training, run, t, begun, share
                )
                if not on_all:
                    trial.record(name, bits)
                loss = float(problem.losses(bits[None])[0])
                run.incumbent = Incumbent(bits, loss)
                held_out = float(trial.losses[name].mean()) if name in trial.losses else np.nan
                run.history.record(iteration=t, loss=loss, held_out=held_out)
        return run.result(
            problem,
            recipe=trial.chosen,
            held_out={name: float(losses.mean()) for name, losses in trial.losses.items()},
        )

    def _plan(
        self, problem: TrainingProblem, trial: _Trial
    ) -> list[tuple[str | None, float, bool]]:
        """Recipes, the most that each may take of the time, and whether it is on all samples.

        A recipe of None is the one that won the trial.
        """
        bits = problem.num_free_bits
        if self.start is not None:
            return [(None, 1.0, True)]
        unlimited = self.time_limit is None and self.search.rounds is None
        slow = unlimited and _rounds(problem) < LEAST_ROUNDS
        if bits > self.search_bits or len(trial.judges) < JUDGES or slow:
            return [(GRADIENTS, 1.0, True)]
        tried = [GRADIENTS, SEARCH if bits <= FEW_BITS else BOTH]
        return [*((name, SHARES[name], False) for name in tried), (None, 1.0, True)]

    def _held_out(self, problem: TrainingProblem) -> float:
        """Share of the samples that judge: few bits are trained as well on half of many samples."""
        many = problem.num_samples >= ENOUGH * problem.num_free_bits
        return max(self.held_out, 0.5) if many else self.held_out

    def _trained(
        self,
        recipe: str,
        problem: TrainingProblem,
        run: Run,
        number: int,
        begun: BitArray | None,
        share: float,
    ) -> BitArray:
        """Free bits that a recipe finds; ``begun`` is what gradients have found already."""
        left = None
        if self.time_limit is not None:
            left = max(min(self.time_limit - run.seconds, share * self.time_limit), 1e-3)
        if recipe == GRADIENTS:
            return self._part(self.gradients, problem, run, number, left)
        options: dict[str, Any] = {}
        if left is None and self.search.rounds is None:
            options["rounds"] = min(_rounds(problem), MOST_ROUNDS)
        if recipe == BOTH:
            if begun is None:
                begun = self._part(
                    self.gradients, problem, run, number, None if left is None else 0.4 * left
                )
                left = None if left is None else 0.6 * left
            # a start that is hot would forget what the gradients have found
            options |= {"start": problem.weights_from_bits(begun), "start_temperature": 0.0}
        else:
            problem = _by_errors(problem)
        return self._part(replace(self.search, **options), problem, run, number, left)

    def _part(
        self, solver: Any, problem: TrainingProblem, run: Run, number: int, limit: float | None
    ) -> BitArray:
        """Free bits of a part's result; its cost is the run's, and so is its interruption."""
        seed = int(self._rng(1 + number).integers(2**31))
        callbacks = tuple(partial(_told, callback, run) for callback in self.callbacks)
        limits = [given for given in (limit, solver.time_limit) if given is not None]
        given = replace(
            solver, seed=seed, time_limit=min(limits, default=None), callbacks=callbacks
        )
        result: Result = given.solve(problem)
        run.ledger.add(result.ledger)
        pass_on(result)
        if result.status is Status.INTERRUPTED:
            run.status = Status.INTERRUPTED
        return result.bits

    def _rng(self, number: int) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(number,)))


def _rounds(problem: TrainingProblem) -> int:
    """Rounds of a search without a limit."""
    return int(EFFORT / (problem.num_samples * problem.network.num_weights))


def _told(callback: Callback, run: Run, progress: Progress) -> bool | None:
    """Tell a callback of a part's step, by the clock of the whole run."""
    return callback(replace(progress, seconds=run.seconds))


class _Trial:
    """The samples that train and those that judge, and what each recipe came to."""

    def __init__(self, problem: TrainingProblem, held_out: float, rng: np.random.Generator) -> None:
        one_group = np.zeros(problem.num_samples, dtype=np.int64)
        groups = one_group if _is_regression(problem) else problem.classes
        self.judges = _stratified(groups, held_out, rng)
        self.training = problem
        if len(self.judges):
            others = np.setdiff1d(np.arange(problem.num_samples), self.judges)
            self.training = problem.subset(others)
            self.judging = problem.subset(self.judges)
        self.begun: BitArray | None = None
        self.losses: dict[str, FloatArray] = {}
        self.chosen = GRADIENTS

    def record(self, recipe: str, bits: BitArray) -> None:
        """Judge what a recipe has found, and choose it if it is clearly better."""
        if recipe == GRADIENTS:
            self.begun = bits
        z = self.judging.pre_activations(bits[None])[-1][0]
        if _is_regression(self.judging):
            self.losses[recipe] = self.judging.sample_losses(z)
        else:
            predicted = z.argmax(axis=1) if z.shape[1] > 1 else (z[:, 0] >= 0).astype(np.int64)
            self.losses[recipe] = (predicted != self.judging.classes).astype(float)
        gain = self.losses[self.chosen] - self.losses[recipe]
        if gain.mean() > gain.std() / len(gain) ** 0.5:
            self.chosen = recipe

    def snapshot(self) -> Mapping[str, Any]:
        """All that a recipe changes."""
        names = ("begun", "losses", "chosen")
        return {name: getattr(self, name) for name in names}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        vars(self).update(snapshot)


def _is_regression(problem: TrainingProblem) -> bool:
    """Whether the targets are numbers rather than classes."""
    one = problem.network.num_outputs == 1 and problem.loss_kind.is_quadratic
    return one and not np.isin(problem.y, (-1, 1)).all()


def _by_errors(problem: TrainingProblem) -> TrainingProblem:
    """The same problem, its errors counted, where one output tells two classes apart.

    Free bits and the values of the others stay as they are.
    """
    if problem.network.num_outputs > 1 or _is_regression(problem):
        return problem
    counted = TrainingProblem(problem.network, problem.X, problem.y, loss="zero-one")
    if problem.num_free_bits == problem.network.num_weight_bits:
        return counted
    return counted.restrict(problem.free, problem.incumbent_bits)


def _stratified(classes: IntArray, share: float, rng: np.random.Generator) -> IntArray:
    """Positions of a share of each class, at random; of a class of one sample none.

    Examples
    --------
    >>> _stratified(np.repeat([0, 1], [4, 8]), 0.25, np.random.default_rng(0)).shape
    (3,)
    """
    order = rng.permutation(len(classes))
    parts = [order[classes[order] == c] for c in np.unique(classes)]
    return np.sort(np.concatenate([part[: int(share * len(part))] for part in parts]))
