"""Solvers of blocks too large to enumerate: CP-SAT, and a penalty QUBO for an oracle."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from formulations.errors import InvalidInputError
from formulations.passes import Chain, Penalty, ProductReduction, Slack
from formulations.passes.penalty import group_penalties
from formulations.qcbo import QCBO
from solvers.cp_sat import import_cp_model, solve_qcbo
from solvers.hedging_blocks import Answer, ranked
from solvers.kernels.landscape import Landscape
from solvers.kernels.tilted import anneal_tilted
from solvers.oracles.base import QUBO, Oracle

if TYPE_CHECKING:
    from formulations import TrainingProblem

BitArray = npt.NDArray[np.int8]
FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

GRID = 2**-12
"""CP-SAT gets the linear term in whole multiples of this share of its largest coefficient: numbers
of many digits cost it time, and what the rounding could change is taken off the bound."""


PROBES = 128
"""Flips at infinite temperature that measure the scale of a walk."""


@dataclass(frozen=True)
class CpSatBlocks:
    """CP-SAT on the block's model; exact, or bounded below where the time limit cuts in.

    Parameters
    ----------
    time_limit : float, optional
        Seconds a question.  With one, the same seed need not give the same result.
    encoding : {"twos-complement", "one-hot"} or None
    workers : int
        Threads of CP-SAT for each question.

    Raises
    ------
    MissingExtraError
        By ``prepare``, without ortools (extra ``exact``).
    """

    time_limit: float | None = None
    encoding: str | None = None
    workers: int = 1

    @property
    def certifies(self) -> bool:
        """CP-SAT proves a bound, whether it finishes or not."""
        return True

    def prepare(self, problem: TrainingProblem) -> CpSatBlock:
        """Build the block's model."""
        import_cp_model()
        return CpSatBlock(self, problem, problem.qcbo(self.encoding))


@dataclass(frozen=True)
class CpSatBlock:
    """A block's model for CP-SAT."""

    options: CpSatBlocks
    problem: TrainingProblem
    model: QCBO

    def minimise(
        self, linear: FloatArray, starts: BitArray, seed: np.random.SeedSequence
    ) -> Answer:
        """The minimum, or the best point and the bound of the time limit."""
        problem, options = self.problem, self.options
        grid = GRID * float(np.abs(linear).max(initial=0.0)) or 1.0
        grid = float(2.0 ** np.round(np.log2(grid)))
        whole = np.rint(linear / grid) * grid
        objective = self.model.linear.copy()
        objective[self.model.weight_variables] += whole
        solution = solve_qcbo(
            replace(self.model, linear=objective),
            time_limit=options.time_limit,
            seed=int(seed.generate_state(1)[0]),
            workers=options.workers,
            hint=problem.complete_bits(starts[0], options.encoding) if len(starts) else None,
        )
        points = starts
        if solution.x is not None:
            points = np.concatenate([starts, solution.x[None, self.model.weight_variables]])
        bits, values, losses = ranked(problem, points, linear, 1)
        off = float(np.maximum(whole - linear, 0.0).sum())  # x'(linear - whole) >= -off
        return Answer(bits, values, losses, min(solution.bound - off, float(values[0])))


@dataclass(frozen=True)
class PenaltyBlocks:
    """A penalty QUBO of the block's model, sampled by an oracle; proves nothing.

    Every sample's weight bits are scored by the real forward pass on the block.

    Parameters
    ----------
    oracle : Oracle
    penalty : float or mapping of str to float
        Penalty weight of all row groups, or of each by its name.
    encoding : {"twos-complement", "one-hot"} or None
    points : int
        Most points returned to a question.
    """

    oracle: Oracle
    penalty: float = 1.0
    encoding: str | None = None
    points: int = 4

    def __post_init__(self) -> None:
        if not isinstance(self.oracle, Oracle):
            raise InvalidInputError(
                f"oracle={self.oracle!r}: expected an object with sample(qubo, seed), such as "
                "Annealer()"
            )

    @property
    def certifies(self) -> bool:
        """A sampler proves nothing."""
        return False

    def prepare(self, problem: TrainingProblem) -> PenaltyBlock:
        """Build the block's QUBO; only linear coefficients change from question to question."""
        model = problem.qcbo(self.encoding)
        weights = group_penalties(model, self.penalty)
        rows = Penalty({name: weights[name] for name in model.group_names})
        steps = Chain((Slack(), ProductReduction(weights.get("products", 1.0)), rows))
        unconstrained, _ = steps.apply(model)
        quadratic = sp.coo_array(unconstrained.quadratic)
        heads, tails = (part.astype(np.int64) for part in quadratic.coords)
        order = np.lexsort((tails, heads))
        qubo = QUBO(unconstrained.linear, heads[order], tails[order], quadratic.data[order])
        return PenaltyBlock(self, problem, qubo, model.weight_variables)


@dataclass(frozen=True)
class PenaltyBlock:
    """A block's QUBO."""

    options: PenaltyBlocks
    problem: TrainingProblem
    qubo: QUBO
    weight_variables: IntArray

    def minimise(
        self, linear: FloatArray, starts: BitArray, seed: np.random.SeedSequence
    ) -> Answer:
        """The best of the samples' weight bits and of the starts."""
        coefficients = self.qubo.linear.copy()
        coefficients[self.weight_variables] += linear
        samples = self.options.oracle.sample(replace(self.qubo, linear=coefficients), seed)
        points = np.concatenate([samples.x[:, self.weight_variables], starts])
        bits, values, losses = ranked(self.problem, points, linear, self.options.points)
        reads = len(samples.x)
        return Answer(bits, values, losses, -np.inf, 1, reads, samples.seconds)


@dataclass(frozen=True)
class AnnealedBlocks:
    """Simulated annealing of the weights by the block's true loss plus the linear term.

    It needs no model and no Ising machine: the honest rival of those that do.

    Parameters
    ----------
    flips : int
        Proposed flips of each restart.
    restarts : int
        The first one begins at the first start, the others at random weights.
    start_temperature, end_temperature : float
        In units of the mean |change of the value| of a flip at the beginning.
    """

    flips: int = 10_000
    restarts: int = 2
    start_temperature: float = 0.15
    end_temperature: float = 0.005

    @property
    def certifies(self) -> bool:
        """A search proves nothing."""
        return False

    def prepare(self, problem: TrainingProblem) -> AnnealedBlock:
        """Nothing is kept but the problem: the arrays of a walk change as it goes."""
        return AnnealedBlock(self, problem)


@dataclass(frozen=True)
class AnnealedBlock:
    """A block to be annealed."""

    options: AnnealedBlocks
    problem: TrainingProblem

    def minimise(
        self, linear: FloatArray, starts: BitArray, seed: np.random.SeedSequence
    ) -> Answer:
        """The best point of each restart."""
        options, rng = self.options, np.random.default_rng(seed)
        landscape = Landscape(self.problem)
        moves, unit = landscape.moves, landscape.unit
        tilt = _tilt(landscape, linear) / unit
        cooling = (options.end_temperature / options.start_temperature) ** (1 / options.flips)
        points = [*starts]
        for restart in range(options.restarts):
            at = rng.integers(moves.num_levels)
            if restart == 0 and len(starts):
                at = landscape.choice(starts[0])
            best = at.copy()
            landscape.set_choice(at)
            scale = anneal_tilted(landscape.state, moves, tilt, rng, PROBES, np.inf, 1.0, best)[1]
            landscape.set_choice(at)
            hot = options.start_temperature * (scale or 1.0)
            anneal_tilted(landscape.state, moves, tilt, rng, options.flips, hot, cooling, best)
            points.append(landscape.bits(best))
        bits, values, losses = ranked(self.problem, np.array(points), linear, len(points))
        return Answer(bits, values, losses, -np.inf)


def _tilt(landscape: Landscape, linear: FloatArray) -> FloatArray:
    """The linear term of each movable weight at each of its levels, shape (K, L)."""
    last = landscape.moves.num_levels - 1
    owner = np.zeros(len(linear), dtype=np.int64)
    for k in range(len(last)):
        owner[landscape.bits_of(np.array([k]))] = k
    words = [landscape.bits(np.minimum(level, last)) for level in range(int(last.max()) + 1)]
    return np.stack([np.bincount(owner, linear * w, len(last)) for w in words], axis=1)
