"""Solve blocks as lifted problems: one oracle call per question, multipliers on the rows."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import numpy as np
import scipy.sparse as sp

from formulations import TrainingProblem
from formulations.arrays import BitArray, FloatArray, IntArray
from formulations.checks import check_whole
from formulations.model.qcbo import QCBO
from formulations.passes import Slack
from solvers.hedging.block_solvers import completed
from solvers.hedging.blocks import Answer, Minimise, ranked
from solvers.hedging.products import Products
from solvers.oracles.base import BatchOracle, Oracle, WarmOracle, check_oracle
from solvers.oracles.here.exact import is_exact
from solvers.oracles.together import Asking
from solvers.qcgd.multipliers import LiftedRows, Multipliers
from solvers.run.option_checks import check_common
from solvers.run.run import Ledger


@dataclass(frozen=True)
class LiftedBlocks:
    """A block's model with multipliers on its rows, sampled by an oracle once per question.

    The multipliers are those of QCGD (:mod:`solvers.qcgd.multipliers`); a block carries them from
    question to question.  If the oracle is exact, the minimum of the QUBO bounds that of the block,
    and equals it once the minimiser satisfies all rows.

    Parameters
    ----------
    oracle : Oracle
    encoding : {"twos-complement", "one-hot", "threshold"} or None
    points : int
        Most points returned to a question.
    """

    oracle: Oracle
    encoding: str | None = None
    points: int = 4
    max_level = 2  # products of two bits

    def __post_init__(self) -> None:
        check_common(self)
        check_oracle(self.oracle)
        check_whole("points", self.points)

    @property
    def certifies(self) -> bool:
        """True if the oracle is exact, so that its answers carry bounds."""
        return is_exact(self.oracle)

    @property
    def asks_together(self) -> bool:
        """True if one oracle call answers the QUBOs of all blocks, without starting points."""
        return isinstance(self.oracle, BatchOracle)

    def prepare(self, problem: TrainingProblem) -> Minimise:
        """Build the block's model now, and its lifting at the first question."""
        model = Slack().apply(problem.qcbo(self.encoding))[0]
        places = model.weight_variables

        @cache
        def lifted(paired: bool) -> Multipliers:
            """Return multipliers; ``paired`` adds a coupler for every pair of weight bits."""
            return Multipliers(_with_pairs(model) if paired else model, LiftedRows())

        def minimise(
            linear: FloatArray,
            starts: BitArray,
            seed: np.random.SeedSequence,
            products: Products | None = None,
            memory: Any = None,
        ) -> Asking[Answer]:
            """Return the best of samples and starting points, with a bound if exact."""
            rows, t = _with_terms(lifted(products is not None), places, linear, products), 1
            if memory is not None:
                rows.restore(memory)
                rows.r = rows.r.copy()  # the step below changes it
                t = int(memory["t"]) + 1
            p = rows.multipliers(t)
            states, ledger = None, Ledger()
            warms = isinstance(self.oracle, WarmOracle) and not self.asks_together
            if warms and len(starts) and t > 1 and t % 10:
                states = completed(problem, starts, self.encoding, model.num_variables)
            samples = yield rows.lifting.qubo(p), states, seed, ledger
            rows.bound = None  # the old bound belongs to other terms
            rows.certify(samples, p)
            rows.step(samples.x[0], t)
            held = np.atleast_1d(model.is_feasible(samples.x))
            if samples.exact:  # raise the multipliers if the minimum breaks a row
                rows.rescale(1.0 if held[0] else 4.0)
            else:  # or no read is feasible; lower them if over half are
                rows.rescale(1.1 if not held.any() else 1 / 1.05 if held.mean() > 0.5 else 1.0)
            points = np.concatenate([samples.x[:, places], starts])
            bits, values, losses = ranked(problem, points, linear, self.points, products)
            bound = -np.inf if rows.bound is None else min(rows.bound, float(values[0]))
            left = {**rows.snapshot(), "t": t, "bound": None}
            return Answer(bits, values, losses, bound, ledger, left)

        return minimise


def _with_pairs(model: QCBO) -> QCBO:
    """Return the model with a coupler for every pair of weight bits, zero if it had none."""
    places, held = model.weight_variables, model.quadratic.tocoo()
    first, second = np.triu_indices(len(places), 1)
    row = np.concatenate([held.row, places[first]])
    column = np.concatenate([held.col, places[second]])
    data = np.concatenate([held.data, np.zeros(len(first))])  # zeros stay in the sparsity pattern
    return replace(model, quadratic=sp.csr_array((data, (row, column)), shape=held.shape))


def _with_terms(
    lifted: Multipliers, places: IntArray, linear: FloatArray, products: Products | None
) -> Multipliers:
    """Return fresh multipliers of the lifted model plus terms in the weight bits."""
    rows = copy(lifted)
    rows.r = rows.r.copy()
    lifting = rows.lifting
    objective = lifting.objective.copy()
    objective[places] += linear / lifting.unit
    if products is not None:
        own, pairs = products.pairs(len(places))
        objective[places] += own / lifting.unit
        upper, n = pairs.tocoo(), lifting.model.num_variables
        keys = places[upper.row] * n + places[upper.col]
        at = n + np.searchsorted(lifting.heads * n + lifting.tails, keys)
        objective[at] += upper.data / lifting.unit
    rows.lifting = replace(lifting, objective=objective)
    return rows
