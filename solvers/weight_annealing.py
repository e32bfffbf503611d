"""Simulated annealing of the weights by the true loss: the baseline of every Ising route.

All states of a network are functions of its weights, so no constraints are needed: flip a weight,
update the forward pass where it changes, and keep the flip with the Metropolis probability
min(1, exp(-change of the loss / temperature)) [Kirkpatrick, Gelatt, Vecchi 1983].
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import IntArray
from formulations.checks import check_number, check_whole
from formulations.errors import InvalidInputError
from solvers.constrained.watch import Watch
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.kernels.walks import anneal
from solvers.run.checkpoint import Carried
from solvers.run.option_checks import check_count
from solvers.run.result import Result, Status, reach
from solvers.run.run import Run
from solvers.run.solver import Iterative


@dataclass(frozen=True)
class WeightAnnealing(Iterative):
    """Simulated annealing directly on the weights.

    A flip moves one weight or threshold, drawn uniformly, to another level of its code; an
    incremental forward pass gives the exact change of the training loss.  The temperature falls
    geometrically from the first flip of a restart to the last.  Returns the best weights visited,
    not the last.

    Parameters
    ----------
    flips : int
        Proposed flips of each restart.
    restarts : int or None
        Independent restarts from random weights; None continues until the time limit.
    start_temperature, end_temperature : float, optional
        In units of the loss.  None takes 0.5 and 0.005 times the mean |change of the loss| of a
        flip at random weights.
    seed, time_limit, callbacks, checkpoint, checkpoint_every
        See :class:`~solvers.run.solver.Iterative`.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    >>> result = WeightAnnealing(flips=500, seed=0).solve(problem)
    >>> result.loss, result.status
    (0.0, <Status.OPTIMAL: 'optimal'>)
    """

    flips: int = 20_000
    restarts: int | None = 1
    start_temperature: float | None = None
    end_temperature: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("flips", self.flips)
        check_count("restarts", self.restarts, self.time_limit)
        start, end = self.start_temperature, self.end_temperature
        for name, limit in (("start_temperature", start), ("end_temperature", end)):
            if limit is not None:
                check_number(name, limit)
        if start is not None and end is not None and end > start:
            raise InvalidInputError(
                f"end_temperature={end!r} is above start_temperature={start!r}: "
                "the temperature falls, so swap them"
            )

    def solve(self, problem: TrainingProblem) -> Result:
        """Anneal the free weight bits of ``problem``.

        Returns
        -------
        Result
            Its status is OPTIMAL, with a lower bound, if the loss reaches the least that any
            outputs in range could have (zero for the hinge loss).  ``history`` has a row per step;
            ``info`` has the ``flips`` proposed, ``flips_per_second`` and both temperatures.
        """
        run = self.begun(problem)
        walk = (_GuardedWalk if problem.constraints else _Walk)(problem, self._rng(0))
        walk.offer_best(run)
        hot, cold = self._temperatures(walk)
        cooling = (cold / hot) ** (1 / max(1, self.flips - 1))
        # Limits and callbacks are checked between two steps of some ten milliseconds at most.
        steps = max(20, int(self.flips * _updates_per_flip(problem) / 3e8) + 1)
        size = -(-self.flips // steps)
        steps = -(-self.flips // size)
        with run.guarded():
            run.resume(walk)
            for t in run.steps(None if self.restarts is None else self.restarts * steps):
                if walk.at_floor:
                    break
                restart, step = divmod(t - 1, steps)
                done = step * size
                if done == 0:
                    walk.restart(self._rng(1 + restart))
                temperature = hot * cooling**done
                walk.flip(min(size, self.flips - done), temperature, cooling)
                walk.offer_best(run)
                run.history.record(
                    iteration=t,
                    flips=walk.flips,
                    temperature=temperature,
                    loss=walk.loss,
                    best_loss=run.incumbent.loss,
                )
        if walk.at_floor:
            run.status = Status.OPTIMAL
        return run.result(
            problem,
            lower_bound=walk.landscape.floor if walk.at_floor else None,
            flips=walk.flips,
            flips_per_second=walk.flips / walk.seconds if walk.seconds else 0.0,
            start_temperature=hot,
            end_temperature=cold,
        )

    def _temperatures(self, walk: _Walk) -> tuple[float, float]:
        """Return the first and last temperature, by default from the scale of a flip.

        The scale is the mean |change of the loss| of a flip at random weights.

        If only one is given, the other is clipped to it rather than crossing it.
        """
        start, end = self.start_temperature, self.end_temperature
        scale = 1.0 if start and end else walk.mean_change()
        hot, cold = start or 0.5 * scale, end or 0.005 * scale
        return (hot, min(hot, cold)) if end is None else (max(hot, cold), cold)


class _Walk(Carried):
    """Walk over the weights of a problem that keeps the best weights it has visited."""

    CARRIED = ("landscape", "_rng", "_best", "_best_value", "_offered", "flips", "seconds")

    def __init__(self, problem: TrainingProblem, rng: np.random.Generator) -> None:
        self.problem, self.landscape = problem, IncrementalLoss(problem)
        self.flips, self.seconds = 0, 0.0
        self._best_value = self._offered = np.inf
        floor = self.landscape.floor
        self._goal = self.landscape.value(reach(floor))
        self.restart(rng)

    def restart(self, rng: np.random.Generator) -> None:
        """Move to random weights."""
        self._rng = rng
        choice = self.landscape.random_choice(rng)
        value = self.landscape.value(self.landscape.set_choice(choice))
        if value < self._best_value:
            self._best, self._best_value = choice, value

    @property
    def loss(self) -> float:
        """Training loss at the walk's position."""
        return self.landscape.loss(float(self.landscape.state.losses[0]))

    @property
    def at_floor(self) -> bool:
        """True if no weights can be better than the best ones visited."""
        return self._best_value <= self._goal

    def flip(self, count: int, temperature: float, cooling: float) -> None:
        """Propose ``count`` flips."""
        clock = time.perf_counter()
        self._best_value, proposals, _ = self._anneal(
            count, temperature / self.landscape.unit, cooling, self._best, self._best_value
        )
        self.seconds += time.perf_counter() - clock
        self.flips += proposals

    def mean_change(self) -> float:
        """Return the mean |change of the loss| of flips, all of them kept; 1 if it is always 0."""
        _, proposals, spread = self._anneal(256, np.inf, 1.0, self._best.copy(), np.inf)
        return self.landscape.unit * spread / max(1, proposals) or 1.0

    def _anneal(
        self, count: int, temperature: float, cooling: float, best: IntArray, best_value: float
    ) -> tuple[float, int, float]:
        state, moves = self.landscape.state, self.landscape.moves
        found: tuple[float, int, float] = anneal(
            state, moves, self._rng, count, temperature, cooling, best, best_value, self._goal
        )
        return found

    def offer_best(self, run: Run) -> None:
        """Score a new best choice by the problem's own forward pass."""
        if self._best_value < self._offered:
            bits = self.landscape.bits(self._best)[None]
            run.incumbent.offer(bits, self.problem.losses(bits))
            self._offered = self._best_value


class _GuardedWalk(_Walk):
    """Walk that respects the problem's constraints by exact searches of small blocks.

    A block is one weight; half of the blocks add a nonzero weight, which can make room.
    """

    def __init__(self, problem: TrainingProblem, rng: np.random.Generator) -> None:
        self.watch: Watch | None = None
        self._found: tuple[int, float] = (2**60, np.inf)  # violation of the best, and its value
        super().__init__(problem, rng)

    def restart(self, rng: np.random.Generator) -> None:
        """Move to random weights, with as many zeros as the constraints require."""
        landscape, problem = self.landscape, self.problem
        if self.watch is None:
            self.watch = Watch(problem, landscape)
        self._rng = rng
        bits = problem.full_bits(landscape.bits(landscape.random_choice(rng))[None])
        landscape.set_bits(problem.sparse(bits, rng)[0, problem.free])
        here = self.watch.refresh(), float(landscape.state.losses[0])
        if here < self._found:
            self._best, self._found = landscape.moves.choice.copy(), here
            self._best_value = self._priced(here)

    def _priced(self, found: tuple[int, float]) -> float:
        """Return the value of a point including the price of its violations."""
        return found[1] + found[0] * self.problem.price / self.landscape.unit

    def _anneal(
        self, count: int, temperature: float, cooling: float, best: IntArray, best_value: float
    ) -> tuple[float, int, float]:
        assert self.watch is not None
        probing = not np.isfinite(temperature)
        blocks = self._rng.integers(0, len(self.landscape.moves.layer), (count, 1))
        blocks = np.concatenate([blocks, np.full_like(blocks, -1)], axis=1)
        paired = self.watch.exchanging(blocks, 2, self._rng)
        blocks[1::2] = paired[1::2]
        gains = np.zeros(count)
        found: tuple[int, float] = (2**60, np.inf) if probing else self._found
        with np.errstate(over="ignore"):
            temperatures = temperature * cooling ** np.arange(count)
        broken, least, _ = self.watch.heat_bath(
            self._rng, blocks, temperatures, gains, best, *found, self._goal
        )
        if probing:
            return np.inf, count, float(np.abs(gains).sum())
        self._found = broken, least
        return self._priced(self._found), count, 0.0

    @property
    def loss(self) -> float:
        """Training loss at the walk's position, including the price of violations."""
        assert self.watch is not None
        return super().loss + self.problem.price * self.watch.broken

    @property
    def at_floor(self) -> bool:
        return self._found[0] == 0 and super().at_floor

    def snapshot(self) -> dict[str, Any]:
        return {**super().snapshot(), "found": list(self._found)}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        super().restore(snapshot)
        self._found = (int(snapshot["found"][0]), float(snapshot["found"][1]))
        assert self.watch is not None
        self.watch.refresh()


def _updates_per_flip(problem: TrainingProblem) -> int:
    """Count the numbers updated by a flip in the first layer: one neuron, then all layers above."""
    above = problem.network.widths[2:]
    return problem.num_samples * (8 + sum(above[:1]) + sum(n * m for n, m in pairwise(above)))
