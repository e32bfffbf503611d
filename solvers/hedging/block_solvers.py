"""Blocks solved through their model: by CP-SAT, an oracle's penalty QUBO, or QCGD."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from formulations.arrays import BitArray, FloatArray
from formulations.checks import check_number, check_whole, choose, shown
from formulations.errors import InvalidInputError
from formulations.model.qcbo import QCBO
from formulations.neurons import ENCODINGS
from formulations.passes import Slack
from solvers.cp_sat import import_cp_model, solve_qcbo
from solvers.hedging.blocks import Answer, ranked
from solvers.hedging.products import Products
from solvers.kernels.loss_form import LossForm
from solvers.oracles.base import QUBO, BatchOracle, Oracle, WarmOracle, check_oracle
from solvers.oracles.here.exact import is_exact
from solvers.oracles.together import Asking
from solvers.qcgd.lifting import Lifting
from solvers.qcgd.qcgd import QCGD
from solvers.qcgd.scoring import MET
from solvers.run.option_checks import check_common
from solvers.run.result import Status
from solvers.run.run import Ledger, pass_on

if TYPE_CHECKING:
    from formulations import TrainingProblem


GRID = 2**-12
"""CP-SAT gets the linear term in whole multiples of this share of its largest coefficient: numbers
of many digits cost it time.  The largest possible effect of the rounding is subtracted."""


def changed(model: QCBO, linear: FloatArray, products: Products | None) -> QCBO:
    """The model with terms in its weight bits added to the objective; products of at most two."""
    places = model.weight_variables
    objective, quadratic = model.linear.copy(), model.quadratic
    objective[places] += linear
    if products is not None:
        own, upper = products.pairs(len(places))
        objective[places] += own
        pairs = upper.tocoo()
        shape = (model.num_variables, model.num_variables)
        placed = sp.csr_array((pairs.data, (places[pairs.row], places[pairs.col])), shape=shape)
        quadratic = sp.csr_array(quadratic + placed)
    return replace(model, linear=objective, quadratic=quadratic)


@dataclass(frozen=True)
class CpSatBlocks:
    """CP-SAT on the block's model; exact, or with a lower bound if the time limit cuts in.

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

    def __post_init__(self) -> None:
        check_common(self)
        check_whole("workers", self.workers)
        _check_encoding(self.encoding)

    @property
    def certifies(self) -> bool:
        """CP-SAT proves a bound even if it does not finish."""
        return True

    @property
    def max_level(self) -> int:
        """Products of two bits."""
        return 2

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
        self,
        linear: FloatArray,
        starts: BitArray,
        seed: np.random.SeedSequence,
        seconds: float | None = None,
        products: Products | None = None,
    ) -> Answer:
        """The minimum, or the best point and bound at the time limit."""
        problem, options = self.problem, self.options
        values = np.zeros(0) if products is None else products.coefficients
        terms = np.concatenate([linear, values])
        grid = GRID * float(np.abs(terms).max(initial=0.0)) or 1.0
        grid = float(2.0 ** np.round(np.log2(grid)))
        whole = np.rint(terms / grid) * grid
        rounded = None if products is None else replace(products, coefficients=whole[len(linear) :])
        solution = solve_qcbo(
            changed(self.model, whole[: len(linear)], rounded),
            time_limit=_least(options.time_limit, seconds),
            seed=int(seed.generate_state(1)[0]),
            workers=options.workers,
            hint=problem.complete_bits(starts[0], options.encoding) if len(starts) else None,
        )
        if solution.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        points = starts
        if solution.x is not None:
            points = np.concatenate([starts, solution.x[None, self.model.weight_variables]])
        bits, values, losses = ranked(problem, points, linear, 1, products)
        off = float(np.maximum(whole - terms, 0.0).sum())  # (terms - whole)'x >= -off
        return Answer(bits, values, losses, min(solution.bound - off, float(values[0])))


@dataclass(frozen=True)
class PenaltyBlocks:
    """A penalty QUBO of the block's model, sampled by an oracle; proves nothing.

    Every sample's weight bits are scored by the real forward pass on the block.  An oracle that can
    start from given states spends a second call on the completed points of the starts; one that
    answers many QUBOs in a call is asked about all blocks at once instead.

    Parameters
    ----------
    oracle : Oracle
    penalty : float
        Weight of every row, in the units of ``PenaltyMethod``.
    encoding : {"twos-complement", "one-hot"} or None
    points : int
        Most points returned to a question.
    """

    oracle: Oracle
    penalty: float = 1.0
    encoding: str | None = None
    points: int = 4

    def __post_init__(self) -> None:
        check_oracle(self.oracle)
        check_whole("points", self.points)
        check_number("penalty", self.penalty)
        _check_encoding(self.encoding)

    @property
    def certifies(self) -> bool:
        """A sampler proves nothing."""
        return False

    @property
    def asks_together(self) -> bool:
        """Whether one call of the oracle answers the QUBOs of all blocks."""
        return isinstance(self.oracle, BatchOracle)

    def prepare(self, problem: TrainingProblem) -> PenaltyBlock:
        """Build the block's QUBO; only linear coefficients change from question to question."""
        model = Slack().apply(problem.qcbo(self.encoding))[0]
        lifting = Lifting.of(model)
        _, squares, products = lifting.kinds
        multipliers = np.zeros(lifting.num_multipliers)
        multipliers[squares] = multipliers[products] = self.penalty * lifting.plausible_scale()
        return PenaltyBlock(self, problem, lifting.qubo(multipliers), lifting.unit)


@dataclass(frozen=True)
class PenaltyBlock:
    """A block's QUBO, in units of ``unit``."""

    options: PenaltyBlocks
    problem: TrainingProblem
    qubo: QUBO
    unit: float

    def minimise(
        self, linear: FloatArray, starts: BitArray, seed: np.random.SeedSequence
    ) -> Asking[Answer]:
        """The best of the samples' weight bits and of the starts."""
        options, problem = self.options, self.problem
        places = problem.qcbo(options.encoding).weight_variables
        coefficients = self.qubo.linear.copy()
        coefficients[places] += linear / self.unit
        qubo = replace(self.qubo, linear=coefficients)
        cold, warm = seed.spawn(2)
        ledger = Ledger()
        samples = [(yield qubo, None, cold, ledger)]
        warms = isinstance(options.oracle, WarmOracle) and not options.asks_together
        if warms and len(starts):
            states = np.zeros((len(starts), qubo.num_variables), dtype=np.int8)
            for state, start in zip(states, starts, strict=True):
                complete = problem.complete_bits(start, options.encoding)
                state[: len(complete)] = complete  # slack bits come after all others
            samples.append((yield qubo, states, warm, ledger))
        points = np.concatenate([*(part.x[:, places] for part in samples), starts])
        bits, values, losses = ranked(problem, points, linear, options.points)
        return Answer(bits, values, losses, -np.inf, ledger)


@dataclass(frozen=True)
class QcgdBlocks:
    """QCGD on the block's model with its linear coefficients changed.

    Parameters
    ----------
    solver : QCGD
        Its oracle and iterations; seed, limits and checkpoint are those of the hedging.
    points : int
        Most points returned to a question.
    """

    solver: QCGD
    points: int = 4

    def __post_init__(self) -> None:
        if not isinstance(self.solver, QCGD):
            raise InvalidInputError(
                f"solver={shown(self.solver)}: expected a QCGD, such as QCGD(iterations=20)"
            )
        check_whole("points", self.points)

    @property
    def oracle(self) -> Oracle | None:
        """The oracle of the solver."""
        return self.solver.oracle

    @property
    def certifies(self) -> bool:
        """Only an exact oracle's answers prove anything."""
        return is_exact(self.oracle)

    @property
    def max_level(self) -> int:
        """Products of two bits."""
        return 2

    def prepare(self, problem: TrainingProblem) -> QcgdBlock:
        """Build the block's model."""
        return QcgdBlock(self, problem, problem.qcbo(self.solver.encoding))


@dataclass(frozen=True)
class QcgdBlock:
    """A block's model for QCGD."""

    options: QcgdBlocks
    problem: TrainingProblem
    model: QCBO

    def minimise(
        self,
        linear: FloatArray,
        starts: BitArray,
        seed: np.random.SeedSequence,
        seconds: float | None = None,
        products: Products | None = None,
    ) -> Answer:
        """The best of QCGD's pool and of the starts."""
        target = _Tilted(self, changed(self.model, linear, products), linear, products)
        solver = replace(
            self.options.solver,
            seed=int(seed.generate_state(1)[0]),
            time_limit=_least(self.options.solver.time_limit, seconds),
            callbacks=(),
            checkpoint=None,
        )
        run, descent = solver.descend(target, self.problem)
        pass_on(run)
        points = np.concatenate([descent.pool.bits, starts])
        most = self.options.points
        bits, values, losses = ranked(self.problem, points, linear, most, products)
        bound = -np.inf if descent.bound is None else min(descent.bound, float(values[0]))
        return Answer(bits, values, losses, bound, run.ledger)


@dataclass(frozen=True)
class _Tilted:
    """Samples of the changed model: weight bits, worth the block's real loss plus the new terms."""

    block: QcgdBlock
    model: QCBO
    linear: FloatArray
    products: Products | None
    relaxation: None = None
    floor_kind: None = None

    @property
    def floor(self) -> float:
        terms = (
            [self.linear] if self.products is None else [self.linear, self.products.coefficients]
        )
        least = float(np.minimum(np.concatenate(terms), 0.0).sum())
        return LossForm.of(self.block.problem).floor + least

    @property
    def tolerance(self) -> float:
        return MET

    def candidates(self, x: BitArray) -> tuple[BitArray, FloatArray]:
        return self.score(x[:, self.model.weight_variables])

    def score(self, points: BitArray) -> tuple[BitArray, FloatArray]:
        bits = self.block.problem.repair_bits(points)
        more = 0.0 if self.products is None else self.products.at(bits)
        return bits, self.block.problem.losses(bits) + bits @ self.linear + more

    def local_search(self) -> None:
        """None: blocks are solved by the oracle alone."""

    def guesses(self, rng: np.random.Generator, count: int) -> tuple[BitArray, FloatArray]:
        return self.score(self.block.problem.random_bits(rng, count))

    def complete(self, candidate: BitArray) -> BitArray:
        return self.block.problem.complete_bits(candidate, self.block.options.solver.encoding)


def _least(*limits: float | None) -> float | None:
    """The shortest of several limits, and at least a millisecond, as CP-SAT and runs require."""
    given = [limit for limit in limits if limit is not None]
    return max(1e-3, min(given)) if given else None


def _check_encoding(encoding: str | None) -> None:
    if encoding is not None:
        choose("encoding", encoding, list(ENCODINGS))
