"""Two ways to solve a restricted problem and move to its answer: enumeration, and an oracle."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
import numpy.typing as npt

from solvers.free_sets import Policy, WeightTable, first_order_gains
from solvers.kernels.blocks import changes, heat_bath
from solvers.kernels.landscape import Landscape
from solvers.oracles.base import Oracle
from solvers.penalty import PenaltyMethod
from solvers.result import Ledger

if TYPE_CHECKING:
    from formulations import TrainingProblem

BitArray = npt.NDArray[np.int8]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

WORK = 3e7
"""Sample updates of one step of enumeration: some milliseconds, so that limits are kept closely."""

MOST_BLOCKS = 1024
"""Blocks of one step at most."""

GUIDE_LASTS = 16
"""Steps of enumeration that share one computation of the first-order gains."""

PROBES = 64
"""Moves that measure the mean change of the loss."""


@dataclass
class Tally:
    """Effort of a walk.

    Parameters
    ----------
    rounds : int
        Restricted problems.
    evaluated : int
        Choices of free weights, where they are enumerated.
    sizes : list of int
        Variables of each model that an oracle was asked.
    ledger : Ledger
        What the oracle cost.

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
        """Take in the effort of a part of the way."""
        self.rounds += other.rounds
        self.evaluated += other.evaluated
        self.sizes += other.sizes
        self.ledger.add(other.ledger)

    def info(self) -> dict[str, Any]:
        """Numbers for the result."""
        if not self.sizes:
            return {"rounds": self.rounds, "evaluated": self.evaluated}
        return {
            "rounds": self.rounds,
            "num_variables": int(np.median(self.sizes)),
            "largest_model": max(self.sizes),
        }

    def snapshot(self) -> Mapping[str, Any]:
        """For a checkpoint; the run's own ledger has the costs."""
        sizes = np.array(self.sizes, dtype=np.int64)
        return {"rounds": self.rounds, "evaluated": self.evaluated, "sizes": sizes}

    @classmethod
    def of(cls, snapshot: Mapping[str, Any]) -> Self:
        """From a checkpoint."""
        return cls(snapshot["rounds"], snapshot["evaluated"], snapshot["sizes"].tolist())


class Walk(Protocol):
    """A walk over the weights by restricted problems."""

    loss: float
    floor: float

    @property
    def at_floor(self) -> bool:
        """Whether no weights can beat the best loss met so far."""
        ...

    def begin(self, bits: BitArray) -> None:
        """Start at free weight bits, shape (num_free_bits,)."""
        ...

    def mean_change(self, rng: np.random.Generator) -> float:
        """Mean |change of the loss| of moving one weight of the present state."""
        ...

    def step(
        self,
        policy: Policy,
        size: int,
        temperature: float,
        limit: int | None,
        rng: np.random.Generator,
        tally: Tally,
    ) -> float:
        """Solve some restricted problems, at most ``limit``; return the loss gained per effort."""
        ...

    def best(self) -> tuple[BitArray, float]:
        """Best free weight bits met so far, and their loss."""
        ...

    def snapshot(self) -> Mapping[str, Any]:
        """All that a step changes."""
        ...

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        ...


class EnumeratedWalk:
    """Restricted problems solved exactly: all choices of the free weights, in Gray-code order.

    Parameters
    ----------
    problem : TrainingProblem
    """

    def __init__(self, problem: TrainingProblem) -> None:
        self.problem, self.landscape = problem, Landscape(problem)
        moves = self.landscape.moves
        self.weights = WeightTable(moves.layer, moves.neuron, moves.source, moves.num_levels)
        self.loss, self.floor = np.inf, self.landscape.floor
        self._goal = self.landscape.value(self.floor + 1e-9 * max(1.0, abs(self.floor)))
        self._best, self._best_value = moves.choice.copy(), np.inf
        self._guide, self._guide_age = np.zeros(len(self.weights)), 0

    @property
    def at_floor(self) -> bool:
        """Whether no weights can beat the best loss met so far."""
        return self._best_value <= self._goal

    def begin(self, bits: BitArray) -> None:
        """Start at free weight bits."""
        self.loss = self.landscape.set_bits(bits)
        self._best_value = self.landscape.value(self.loss)
        self._best[:] = self.landscape.moves.choice
        self._guide_age = 0

    def mean_change(self, rng: np.random.Generator) -> float:
        """Mean |change of the loss| of moving one weight to its next level."""
        landscape = self.landscape
        moved = rng.integers(0, len(self.weights), PROBES)
        found = changes(landscape.state, landscape.moves, moved)
        return float(landscape.unit * np.abs(found).mean()) or 1.0

    def step(
        self,
        policy: Policy,
        size: int,
        temperature: float,
        limit: int | None,
        rng: np.random.Generator,
        tally: Tally,
    ) -> float:
        """Solve a batch of blocks of one policy, each drawn from its heat bath."""
        landscape = self.landscape
        choices = float(np.median(self.weights.num_levels)) ** size
        count = int(np.clip(WORK / (choices * self.problem.num_samples), 1, MOST_BLOCKS))
        count = count if limit is None else min(count, limit)
        if policy.guided:
            self._refresh_guide()
        blocks = policy.blocks(self.weights, self._guide, count, size, rng)
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

    def _refresh_guide(self) -> None:
        """First-order gains at the present weights, renewed when many choices have been made."""
        if self._guide_age <= 0:
            bits = self.landscape.bits(self.landscape.moves.choice)
            self._guide = first_order_gains(self.problem, self.weights, bits)
            self._guide_age = GUIDE_LASTS
        self._guide_age -= 1

    def best(self) -> tuple[BitArray, float]:
        """The best choice; its loss is exact, summed over all samples at each proposal."""
        return self.landscape.bits(self._best), self.landscape.loss(self._best_value)

    def snapshot(self) -> Mapping[str, Any]:
        """All that a step changes."""
        return {
            "landscape": self.landscape.snapshot(),
            "loss": self.loss,
            "best": self._best,
            "best_value": self._best_value,
            "guide": self._guide,
            "guide_age": self._guide_age,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        self.landscape.restore(snapshot["landscape"])
        self.loss = snapshot["loss"]
        self._best[:], self._best_value = snapshot["best"], snapshot["best_value"]
        self._guide, self._guide_age = snapshot["guide"], snapshot["guide_age"]


class OracleWalk:
    """Restricted problems as QUBOs for an oracle; its answer is scored on all samples.

    Parameters
    ----------
    problem : TrainingProblem
    oracle : Oracle
    batch : int, optional
        Samples that a model is built on.
    variables : int, optional
        Largest model; samples are left out until it fits.
    """

    def __init__(
        self, problem: TrainingProblem, oracle: Oracle, batch: int | None, variables: int | None
    ) -> None:
        self.problem, self.oracle = problem, oracle
        self.batch = min(batch or problem.num_samples, problem.num_samples)
        self.variables = variables
        self._landscape = Landscape(problem)  # for its table of weights and its floor
        moves = self._landscape.moves
        self.weights = WeightTable(moves.layer, moves.neuron, moves.source, moves.num_levels)
        self.loss, self.floor = np.inf, self._landscape.floor
        self._bits = self._best = np.zeros(problem.num_free_bits, dtype=np.int8)
        self._best_loss = np.inf

    @property
    def at_floor(self) -> bool:
        """Whether no weights can beat the best loss met so far."""
        return self._best_loss <= self.floor + 1e-9 * max(1.0, abs(self.floor))

    def begin(self, bits: BitArray) -> None:
        """Start at free weight bits."""
        self._best_loss = np.inf
        self._move(bits, float(self.problem.losses(bits[None])[0]))

    def _move(self, bits: BitArray, loss: float) -> None:
        self._bits, self.loss = bits, loss
        if loss < self._best_loss:
            self._best, self._best_loss = bits, loss

    def mean_change(self, rng: np.random.Generator) -> float:
        """Mean |change of the loss| of flipping one bit."""
        flips = rng.integers(0, len(self._bits), PROBES)
        others = np.tile(self._bits, (PROBES, 1))
        others[np.arange(PROBES), flips] ^= 1
        return float(np.abs(self.problem.losses(others) - self.loss).mean()) or 1.0

    def step(
        self,
        policy: Policy,
        size: int,
        temperature: float,
        limit: int | None,
        rng: np.random.Generator,
        tally: Tally,
    ) -> float:
        """Solve one restricted problem; accept its answer by the Metropolis rule."""
        guide = np.zeros(len(self.weights))
        if policy.guided:
            guide = first_order_gains(self.problem, self.weights, self._bits)
        block = policy.blocks(self.weights, guide, 1, size, rng)[0]
        restricted = self._restricted(self._landscape.bits_of(block[block >= 0]), rng)
        tally.rounds += 1
        if not restricted.layout.states[-1].any():
            return 0.0  # nothing that is free can change a loss
        seed = int(rng.integers(2**31))
        answer = PenaltyMethod(oracle=self.oracle, iterations=1, seed=seed).solve(restricted)
        tally.ledger.add(answer.ledger)
        tally.sizes.append(int(answer.info["num_variables"]))
        bits = restricted.full_bits(answer.bits)[self.problem.free]
        loss = float(self.problem.losses(bits[None])[0])
        gain = self.loss - loss
        if gain >= 0 or rng.random() < np.exp(gain / temperature):
            self._move(bits, loss)
        return max(gain, 0.0)

    def _restricted(self, free: IntArray, rng: np.random.Generator) -> TrainingProblem:
        """The problem with some free bits (positions) free, on as many samples as fit."""
        full = self.problem.full_bits(self._bits)
        samples = rng.permutation(self.problem.num_samples)[: self.batch]
        while True:
            problem = self.problem
            if len(samples) < problem.num_samples:
                problem = problem.subset(np.sort(samples))
            restricted = problem.restrict(self.problem.free[free], full)
            if self.variables is None or len(samples) == 1:
                return restricted
            size = restricted.size().num_variables
            if size <= self.variables:
                return restricted
            samples = samples[: max(1, int(len(samples) * 0.95 * self.variables / size))]

    def best(self) -> tuple[BitArray, float]:
        """Best free weight bits met so far, and their loss."""
        return self._best, self._best_loss

    def snapshot(self) -> Mapping[str, Any]:
        """All that a step changes."""
        return {
            "bits": self._bits,
            "loss": self.loss,
            "best": self._best,
            "best_loss": self._best_loss,
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        self._bits, self.loss = snapshot["bits"], snapshot["loss"]
        self._best, self._best_loss = snapshot["best"], snapshot["best_loss"]
