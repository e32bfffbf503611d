"""Walks over the weights by restricted problems: the base class and enumeration."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray, IntArray
from solvers.kernels.blocks import heat_bath, visit
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.neighborhood.neighborhoods import Policy, WeightTable, first_order_gains
from solvers.oracles.together import Asking
from solvers.run.checkpoint import Carried
from solvers.run.result import reach
from solvers.run.run import Ledger

WORK = 3e7
"""Sample updates per step of enumeration: a few milliseconds, so that limits are kept closely."""


@dataclass
class Tally:
    """Effort of a walk.

    Parameters
    ----------
    rounds : int
        Number of restricted problems.
    evaluated : int
        Number of choices of free weights, if enumerated.
    sizes : list of int
        Number of variables of each model sent to an oracle.
    ledger : Ledger
        Cost of the oracle calls.

    Examples
    --------
    >>> tally = Tally(rounds=1, sizes=[40])
    >>> tally.add(Tally(rounds=2, sizes=[30, 60]))
    >>> tally.info()
    {'rounds': 3, 'num_variables': 40, 'largest_model': 60}
    """

    rounds: int = 0
    evaluated: int = 0
    sizes: list[int] = field(default_factory=list)
    ledger: Ledger = field(default_factory=Ledger)

    def add(self, other: Tally) -> None:
        """Add the effort of a segment."""
        self.rounds += other.rounds
        self.evaluated += other.evaluated
        self.sizes += other.sizes
        self.ledger.add(other.ledger)

    def info(self) -> dict[str, Any]:
        """Return the numbers for the result."""
        if not self.sizes:
            return {"rounds": self.rounds, "evaluated": self.evaluated}
        return {
            "rounds": self.rounds,
            "num_variables": int(np.median(self.sizes)),
            "largest_model": max(self.sizes),
        }

    def snapshot(self) -> Mapping[str, Any]:
        """Return the numbers for a checkpoint; costs are in the run's own ledger."""
        sizes = np.array(self.sizes, dtype=np.int64)
        return {"rounds": self.rounds, "evaluated": self.evaluated, "sizes": sizes}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        self.rounds, self.evaluated = snapshot["rounds"], snapshot["evaluated"]
        self.sizes = snapshot["sizes"].tolist()


class Walk(Carried, ABC):
    """Walk over the weights by restricted problems.

    Attributes
    ----------
    loss : float
        Loss of the current weights.
    floor : float
        Lower bound on the loss of all weights.
    """

    CARRIED: ClassVar[tuple[str, ...]] = (
        "landscape",
        "loss",
        "_best",
        "_best_value",
        "_guide",
        "_guide_age",
    )

    def __init__(self, problem: TrainingProblem) -> None:
        self.problem, self.landscape = problem, IncrementalLoss(problem)
        moves = self.landscape.moves
        self.weights = WeightTable(moves.layer, moves.neuron, moves.source, moves.num_levels)
        self.loss, self.floor = np.inf, self.landscape.floor
        self._goal = self.landscape.value(reach(self.floor))
        self._best, self._best_value = moves.choice.copy(), np.inf
        self._guide, self._guide_age = np.zeros(len(self.weights)), 0

    @abstractmethod
    def step(
        self,
        policy: Policy,
        size: int,
        temperature: float,
        limit: int | None,
        rng: np.random.Generator,
        tally: Tally,
    ) -> float | Asking[float]:
        """Solve at most ``limit`` restricted problems; return the gain in loss per effort.

        A walk that asks an oracle yields its questions: see :mod:`solvers.oracles.together`.
        """

    @property
    def at_floor(self) -> bool:
        """True if no weights can beat the best loss so far."""
        return self._best_value <= self._goal

    def begin(self, bits: BitArray) -> None:
        """Start at free weight bits (num_free_bits,); zero some weights if too many are nonzero."""
        problem = self.problem
        kept = problem.sparse(problem.full_bits(bits)[None])[0, problem.free]
        self.loss = self.landscape.set_bits(kept)
        self._best_value = self.landscape.value(self.loss)
        self._best[:] = self.landscape.moves.choice
        self._guide_age = 0

    def mean_change(self, rng: np.random.Generator) -> float:
        """Return the mean |change of the loss| when one weight moves to its next level."""
        landscape, moves = self.landscape, self.landscape.moves
        moved = rng.integers(0, len(self.weights), 64)
        following = (moves.choice[moved] + 1) % moves.num_levels[moved]
        found = visit(landscape.state, moves, moved, following, False)
        return float(np.abs(landscape.unit * found + landscape.offset - self.loss).mean()) or 1.0

    def draw(self, policy: Policy, count: int, size: int, rng: np.random.Generator) -> IntArray:
        """Draw blocks of weights to free, padded with -1; gains are renewed now and then."""
        if policy.guided:
            if self._guide_age <= 0:
                self._guide = first_order_gains(self.problem, self.weights, self.bits)
                self._guide_age = 16  # steps between updates of the gains
            self._guide_age -= 1
        return policy.blocks(self.weights, self._guide, count, size, rng)

    @property
    def bits(self) -> BitArray:
        """Free weight bits of the current weights."""
        return self.landscape.bits(self.landscape.moves.choice)

    def best(self) -> tuple[BitArray, float]:
        """Return the best free weight bits so far, and their exact loss over all samples."""
        return self.landscape.bits(self._best), self.landscape.loss(self._best_value)


class EnumeratedWalk(Walk):
    """Exact solution of restricted problems: all choices of the free weights in Gray-code order."""

    def step(
        self,
        policy: Policy,
        size: int,
        temperature: float,
        limit: int | None,
        rng: np.random.Generator,
        tally: Tally,
    ) -> float:
        """Solve a batch of blocks of one policy, each by a heat-bath draw."""
        landscape, levels = self.landscape, float(np.median(self.weights.num_levels))
        while size > 1 and levels**size * self.problem.num_samples > 1e9:
            size -= 1  # eight weights of sixteen levels have 4e9 choices
        choices = levels**size
        count = int(np.clip(WORK / (choices * self.problem.num_samples), 1, 1024))
        count = count if limit is None else min(count, limit)
        blocks = self.draw(policy, count, size, rng)
        gains = np.zeros(len(blocks))
        self._best_value, evaluated = heat_bath(
            landscape.state,
            landscape.moves,
            rng,
            blocks,
            np.full(len(blocks), temperature / landscape.unit),
            gains,
            self._best,
            self._best_value,
            self._goal,
        )
        self.loss -= landscape.unit * float(gains.sum())
        tally.rounds += len(blocks)
        tally.evaluated += evaluated
        return float(landscape.unit * np.maximum(gains, 0).sum() / max(1, evaluated))
