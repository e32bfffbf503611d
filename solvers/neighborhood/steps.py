"""Two ways to solve a restricted problem and move to its answer: enumeration, and an oracle."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from formulations.arrays import BitArray, IntArray
from solvers.kernels.blocks import heat_bath, visit
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.neighborhood.neighborhoods import Draw, Policy, WeightTable, first_order_gains
from solvers.oracles.base import Oracle
from solvers.qcgd.penalty import PenaltyMethod
from solvers.run.run import Ledger, pass_on

if TYPE_CHECKING:
    from formulations import TrainingProblem


WORK = 3e7
"""Sample updates of one step of enumeration: some milliseconds, so that limits are kept closely."""

FIRST_SAMPLES, GROWTH, FILL, ENOUGH = 64, 8, 0.93, 0.85
"""Samples that a limited model is first tried on, the most that their number grows by at a time,
the share of the limit that is aimed at, and the share that is enough."""


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
        """Add the effort of a segment."""
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


class Walk(ABC):
    """A walk over the weights by restricted problems.

    Parameters
    ----------
    problem : TrainingProblem

    Attributes
    ----------
    loss : float
        Loss of the present weights.
    floor : float
        A loss that no weights can fall below.
    """

    def __init__(self, problem: TrainingProblem) -> None:
        self.problem, self.landscape = problem, IncrementalLoss(problem)
        moves = self.landscape.moves
        self.weights = WeightTable(moves.layer, moves.neuron, moves.source, moves.num_levels)
        self.loss, self.floor = np.inf, self.landscape.floor
        self._goal = self.landscape.value(self.floor + 1e-9 * max(1.0, abs(self.floor)))
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
    ) -> float:
        """Solve at most ``limit`` restricted problems; return the gain in loss per effort."""

    @property
    def at_floor(self) -> bool:
        """Whether no weights can beat the best loss met so far."""
        return self._best_value <= self._goal

    def begin(self, bits: BitArray) -> None:
        """Start at free weight bits, shape (num_free_bits,)."""
        self.loss = self.landscape.set_bits(bits)
        self._best_value = self.landscape.value(self.loss)
        self._best[:] = self.landscape.moves.choice
        self._guide_age = 0

    def mean_change(self, rng: np.random.Generator) -> float:
        """Mean |change of the loss| of moving one weight to its next level."""
        landscape, moves = self.landscape, self.landscape.moves
        moved = rng.integers(0, len(self.weights), 64)
        following = (moves.choice[moved] + 1) % moves.num_levels[moved]
        found = visit(landscape.state, moves, moved, following, False)
        return float(np.abs(landscape.unit * found + landscape.offset - self.loss).mean()) or 1.0

    def draw(self, policy: Policy, count: int, size: int, rng: np.random.Generator) -> IntArray:
        """Blocks of weights to free, padded by -1; gains are renewed after many of the steps."""
        if policy.guided:
            if self._guide_age <= 0:
                self._guide = first_order_gains(self.problem, self.weights, self.bits)
                self._guide_age = 16  # steps that share the gains
            self._guide_age -= 1
        return policy.blocks(Draw(self.weights, self._guide, count, size, rng))

    @property
    def bits(self) -> BitArray:
        """Free weight bits of the present weights."""
        return self.landscape.bits(self.landscape.moves.choice)

    def best(self) -> tuple[BitArray, float]:
        """Best free weight bits met so far; their loss is exact, summed over all samples."""
        return self.landscape.bits(self._best), self.landscape.loss(self._best_value)

    def snapshot(self) -> Mapping[str, Any]:
        """Everything that a step changes."""
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


class EnumeratedWalk(Walk):
    """Restricted problems solved exactly: all choices of the free weights, in Gray-code order."""

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
        landscape, levels = self.landscape, float(np.median(self.weights.num_levels))
        while size > 1 and levels**size * self.problem.num_samples > 1e9:
            size -= 1  # eight weights of sixteen levels would take forever
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


class OracleWalk(Walk):
    """Restricted problems as QUBOs for an oracle; its answer is scored on all samples.

    Parameters
    ----------
    problem : TrainingProblem
    oracle : Oracle
    batch : int, optional
        Samples that a model is built on.
    variables : int, optional
        Largest model; only as many samples are taken as fit.
    """

    def __init__(
        self, problem: TrainingProblem, oracle: Oracle, batch: int | None, variables: int | None
    ) -> None:
        super().__init__(problem)
        self.oracle, self.variables = oracle, variables
        self.batch = min(batch or problem.num_samples, problem.num_samples)
        self._fitted: dict[str, int] = {}

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
        landscape = self.landscape
        block = self.draw(policy, 1, size, rng)[0]
        block = block[block >= 0]
        restricted = self._restricted(
            landscape.some_bits_of(block, rng), f"{policy.name}:{size}", rng
        )
        tally.rounds += 1
        if not restricted.layout.states[-1].any():
            return 0.0  # nothing that is free can change a loss
        seed = int(rng.integers(2**31))
        answer = PenaltyMethod(oracle=self.oracle, iterations=1, seed=seed).solve(restricted)
        tally.ledger.add(answer.ledger)
        pass_on(answer)
        tally.sizes.append(int(answer.info["num_variables"]))
        bits = restricted.full_bits(answer.bits)[self.problem.free]
        old, new = landscape.moves.choice[block], landscape.choice(bits)[block]
        loss = landscape.loss(float(visit(landscape.state, landscape.moves, block, new, True)[-1]))
        gain = self.loss - loss
        if gain >= 0 or rng.random() < np.exp(gain / temperature):
            self.loss = loss
            if landscape.value(loss) < self._best_value:
                self._best[:], self._best_value = landscape.moves.choice, landscape.value(loss)
        else:
            visit(landscape.state, landscape.moves, block, old, True)
        return max(gain, 0.0)

    def _restricted(self, free: IntArray, kind: str, rng: np.random.Generator) -> TrainingProblem:
        """The problem with some free bits (positions) free, on as many samples as fit.

        How many that are is found from as many as the last time for free bits of this kind, and
        from few the first time: the work is in proportion to what is built, not to all there are.
        """
        full = self.problem.full_bits(self.bits)
        samples = rng.permutation(self.problem.num_samples)[: self.batch]
        first = len(samples) if self.variables is None else FIRST_SAMPLES
        count, grows = min(self._fitted.get(kind, first), len(samples)), True
        while True:
            chosen = np.sort(samples[:count])
            part = self.problem.subset(chosen)
            z = self.landscape.pre_activations(chosen)
            restricted = part.restrict(self.problem.free[free], full, z)
            if self.variables is None:
                return restricted
            size = restricted.size().num_variables
            fits = size <= self.variables
            full_enough = size >= ENOUGH * self.variables or count == len(samples)
            wanted = int(count * FILL * self.variables / max(size, 1))
            if count == 1 or (fits and (full_enough or not grows)):
                self._fitted[kind] = max(1, wanted)
                return restricted
            grows = grows and fits
            count = min(wanted, GROWTH * count, len(samples)) if fits else max(1, wanted)

    def snapshot(self) -> Mapping[str, Any]:
        """All that a step changes."""
        return {**super().snapshot(), "fitted": self._fitted}

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Go back to a snapshot."""
        super().restore(snapshot)
        self._fitted = dict(snapshot["fitted"])
