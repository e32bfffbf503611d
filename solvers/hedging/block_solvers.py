"""Solve blocks through their model: by CP-SAT, an oracle's penalty QUBO, or QCGD."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import scipy.sparse as sp

from formulations import TrainingProblem
from formulations.arrays import BitArray, FloatArray
from formulations.checks import check_number, check_whole, shown
from formulations.errors import InvalidInputError
from formulations.model.qcbo import QCBO
from formulations.passes import Slack
from solvers.cp_sat import import_cp_model, solve_qcbo
from solvers.hedging.blocks import Answer, Minimise, ranked
from solvers.hedging.products import Products
from solvers.kernels.loss_form import LossForm
from solvers.oracles.base import BatchOracle, Oracle, WarmOracle, check_oracle
from solvers.oracles.here.exact import is_exact
from solvers.oracles.together import Asking
from solvers.qcgd.lifting import Lifting
from solvers.qcgd.qcgd import QCGD
from solvers.qcgd.scoring import MET
from solvers.run.option_checks import check_common
from solvers.run.result import Status
from solvers.run.run import Ledger, pass_on


def changed(model: QCBO, linear: FloatArray, products: Products | None) -> QCBO:
    """Add terms in the weight bits, with products of at most two, to a model's objective."""
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
    """CP-SAT on the block's model; exact, or with a lower bound if the time limit is reached.

    Parameters
    ----------
    time_limit : float, optional
        Seconds per question.  With a limit, equal seeds need not give equal results.
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
    certifies = True  # a bound even without finishing
    max_level = 2  # products of two bits

    def __post_init__(self) -> None:
        check_common(self)
        check_whole("workers", self.workers)

    def prepare(self, problem: TrainingProblem) -> Minimise:
        """Build the block's model."""
        import_cp_model()
        model = problem.qcbo(self.encoding)

        def minimise(
            linear: FloatArray,
            starts: BitArray,
            seed: np.random.SeedSequence,
            seconds: float | None = None,
            products: Products | None = None,
        ) -> Answer:
            """Return the minimum, or the best point and bound at the time limit."""
            values = np.zeros(0) if products is None else products.coefficients
            terms = np.concatenate([linear, values])
            # Long numbers slow CP-SAT down: coefficients are rounded to multiples of a fraction of
            # the largest, and the largest possible rounding error is subtracted from the bound.
            grid = 2**-12 * float(np.abs(terms).max(initial=0.0)) or 1.0
            grid = float(2.0 ** np.round(np.log2(grid)))
            whole = np.rint(terms / grid) * grid
            own, others = whole[: len(linear)], whole[len(linear) :]
            rounded = None if products is None else replace(products, coefficients=others)
            solution = solve_qcbo(
                changed(model, own, rounded),
                time_limit=_least(self.time_limit, seconds),
                seed=int(seed.generate_state(1)[0]),
                workers=self.workers,
                hint=problem.complete_bits(starts[0], self.encoding) if len(starts) else None,
            )
            if solution.status is Status.INTERRUPTED:
                raise KeyboardInterrupt
            points = starts
            if solution.x is not None:
                points = np.concatenate([starts, solution.x[None, model.weight_variables]])
            bits, values, losses = ranked(problem, points, linear, 1, products)
            off = float(np.maximum(whole - terms, 0.0).sum())  # (terms - whole)'x >= -off
            return Answer(bits, values, losses, min(solution.bound - off, float(values[0])))

        return minimise


@dataclass(frozen=True)
class PenaltyBlocks:
    """A penalty QUBO of the block's model, sampled by an oracle, without a bound.

    Every sample's weight bits are scored by the real forward pass on the block.  An oracle that
    accepts initial states gets a second call, started at the completed starting points.  An oracle
    that answers many QUBOs per call is asked about all blocks at once instead.

    Parameters
    ----------
    oracle : Oracle
    penalty : float
        Penalty weight of every row, in the units of ``PenaltyMethod``.
    encoding : {"twos-complement", "one-hot"} or None
    points : int
        Most points returned to a question.
    """

    oracle: Oracle
    penalty: float = 1.0
    encoding: str | None = None
    points: int = 4
    certifies = False

    def __post_init__(self) -> None:
        check_common(self)
        check_oracle(self.oracle)
        check_whole("points", self.points)
        check_number("penalty", self.penalty)

    @property
    def asks_together(self) -> bool:
        """True if one call of the oracle answers the QUBOs of all blocks."""
        return isinstance(self.oracle, BatchOracle)

    def prepare(self, problem: TrainingProblem) -> Minimise:
        """Build the block's QUBO; only linear coefficients change from question to question."""
        model = Slack().apply(problem.qcbo(self.encoding))[0]
        lifting, places = Lifting.of(model), model.weight_variables
        _, squares, products = lifting.kinds
        multipliers = np.zeros(lifting.num_multipliers)
        multipliers[squares] = multipliers[products] = self.penalty * lifting.plausible_scale()
        qubo = lifting.qubo(multipliers)

        def minimise(
            linear: FloatArray, starts: BitArray, seed: np.random.SeedSequence
        ) -> Asking[Answer]:
            """Return the best of the samples' weight bits and of the starting points."""
            coefficients = qubo.linear.copy()
            coefficients[places] += linear / lifting.unit
            asked = replace(qubo, linear=coefficients)
            cold, warm = seed.spawn(2)
            ledger = Ledger()
            samples = [(yield asked, None, cold, ledger)]
            if isinstance(self.oracle, WarmOracle) and not self.asks_together and len(starts):
                states = completed(problem, starts, self.encoding, qubo.num_variables)
                samples.append((yield asked, states, warm, ledger))
            points = np.concatenate([*(part.x[:, places] for part in samples), starts])
            found = ranked(problem, points, linear, self.points)
            return Answer(*found, -np.inf, ledger)

        return minimise


def completed(
    problem: TrainingProblem, starts: BitArray, encoding: str | None, size: int
) -> BitArray:
    """Complete starting points to states of the model; slack bits come last and are zero."""
    states = np.zeros((len(starts), size), dtype=np.int8)
    complete = [problem.complete_bits(start, encoding) for start in starts]
    states[:, : len(complete[0])] = complete
    return states


@dataclass(frozen=True)
class QcgdBlocks:
    """QCGD on the block's model with changed linear coefficients.

    Parameters
    ----------
    solver : QCGD
        Sets the oracle and iterations; seed, limits and checkpoint come from the hedging.
    points : int
        Most points returned to a question.
    """

    solver: QCGD
    points: int = 4
    max_level = 2  # products of two bits

    def __post_init__(self) -> None:
        if not isinstance(self.solver, QCGD):
            raise InvalidInputError(
                f"solver={shown(self.solver)}: expected a QCGD, such as QCGD(iterations=20)"
            )
        check_whole("points", self.points)

    @property
    def oracle(self) -> Oracle | None:
        """Oracle of the QCGD solver."""
        return self.solver.oracle

    @property
    def certifies(self) -> bool:
        """True if the oracle is exact, so that its answers carry bounds."""
        return is_exact(self.oracle)

    def prepare(self, problem: TrainingProblem) -> Minimise:
        """Build the block's model."""
        model = problem.qcbo(self.solver.encoding)

        def minimise(
            linear: FloatArray,
            starts: BitArray,
            seed: np.random.SeedSequence,
            seconds: float | None = None,
            products: Products | None = None,
        ) -> Answer:
            """Return the best of QCGD's pool and of the starting points."""
            target = changed(model, linear, products)
            solver = replace(
                self.solver,
                seed=int(seed.generate_state(1)[0]),
                time_limit=_least(self.solver.time_limit, seconds),
                callbacks=(),
                checkpoint=None,
            )
            scoring = _Tilted(problem, self.solver.encoding, target, linear, products)
            run, descent = solver.descend(scoring, problem)
            pass_on(run)
            points = np.concatenate([descent.pool.bits, starts])
            bits, values, losses = ranked(problem, points, linear, self.points, products)
            bound = -np.inf if descent.bound is None else min(descent.bound, float(values[0]))
            return Answer(bits, values, losses, bound, run.ledger)

        return minimise


@dataclass(frozen=True)
class _Tilted:
    """Scoring of the changed model's samples: the block's real loss plus the added terms."""

    problem: TrainingProblem
    encoding: str | None
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
        return LossForm.of(self.problem).floor + least

    @property
    def tolerance(self) -> float:
        return MET

    def candidates(self, x: BitArray) -> tuple[BitArray, FloatArray]:
        return self.score(x[:, self.model.weight_variables])

    def score(self, points: BitArray) -> tuple[BitArray, FloatArray]:
        bits = self.problem.repair_bits(points)
        more = 0.0 if self.products is None else self.products.at(bits)
        return bits, self.problem.losses(bits) + bits @ self.linear + more

    def local_search(self) -> None:
        """Skip local search: the oracle alone solves blocks."""

    def guesses(self, rng: np.random.Generator, count: int) -> tuple[BitArray, FloatArray]:
        return self.score(self.problem.random_bits(rng, count))

    def complete(self, candidate: BitArray) -> BitArray:
        return self.problem.complete_bits(candidate, self.encoding)


def _least(*limits: float | None) -> float | None:
    """Return the shortest limit, at least the millisecond that CP-SAT and runs require."""
    given = [limit for limit in limits if limit is not None]
    return max(1e-3, min(given)) if given else None
