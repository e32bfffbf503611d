"""D-Wave's hybrid solver for constrained models as a solver: the whole model in one call.

It accepts constraint rows directly, so there are no penalty weights or multipliers; its method is
proprietary.  It is not an oracle, which would take a QUBO, and it runs in no loop.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from formulations.arrays import BitArray
from formulations.errors import InvalidInputError, OracleError
from formulations.model.qcbo import QCBO
from solvers.oracles.base import Samples, rebuilt
from solvers.oracles.cloud.connection import (
    Connection,
    Factory,
    check_mapping,
    costs,
    presentably,
)
from solvers.oracles.dimod_sampler import check_parameters, timings
from solvers.qcgd.scoring import TrainingScoring
from solvers.run.option_checks import check_common, check_problem
from solvers.run.result import Result
from solvers.run.run import Callback, Ledger, Run

if TYPE_CHECKING:
    import dimod

    from formulations import TrainingProblem


@dataclass(frozen=True)
class HybridCQM:
    """D-Wave's hybrid solver for constrained models, configured by Ocean.

    Parameters
    ----------
    time_limit : float, optional
        Seconds that the solver may run and charges; None takes its minimum for the model
        (:func:`~solvers.oracles.cloud.estimates.cqm_seconds`).
    encoding : str, optional
        Encoding of a training problem's model.
    seed : int
        Seed for a mock; the real solver takes none.
    callbacks : tuple of callable
        Called once the answer arrives.
    options : mapping
        Other parameters of the sampler, checked against those it supports.
    sampler : callable, optional
        Makes the sampler when it is needed; None makes a ``dwave.system.LeapHybridCQMSampler``.

    Raises
    ------
    InvalidInputError
        For options out of range.
    OracleError
        From a call without credentials, or if the answer does not fit the model.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> from solvers.oracles.cloud.mock import MockHybridCQM
    >>> net = Network.dense([2, 2, 1], activation="sign")
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    >>> result = HybridCQM(sampler=MockHybridCQM).solve(problem)
    >>> result.loss, result.ledger.calls, result.ledger.charged
    (0.0, 1, 5.0)
    """

    time_limit: float | None = None
    encoding: str | None = None
    seed: int = 0
    callbacks: tuple[Callback, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    sampler: Factory | None = field(default=None, repr=False)
    _connection: Connection = field(init=False, repr=False, compare=False)

    __reduce__ = rebuilt

    def __post_init__(self) -> None:
        check_common(self)
        check_mapping("options", self.options)
        connection = Connection(self.sampler, "LeapHybridCQMSampler", "the hybrid solver")
        object.__setattr__(self, "_connection", connection)

    def solve(self, problem: TrainingProblem) -> Result:
        """Train the free weight bits of ``problem``.

        Every sample is scored by the real loss of its weight bits, even if it breaks rows.

        Returns
        -------
        Result
            ``lower_bound`` is None: the solver proves nothing.  ``info`` has ``num_variables``,
            ``samples`` and ``feasible_samples``.
        """
        check_problem(problem)
        run = Run(callbacks=tuple(self.callbacks))
        target = TrainingScoring(problem, self.encoding)
        model, feasible, number = target.model, 0, 0
        with run.guarded():
            for t in run.steps(1):
                found, seconds = self._ask(model.to_cqm(), run.ledger)
                x = _bits(found, model)
                run.incumbent.offer(*target.candidates(x))
                feasible, number = int(np.count_nonzero(model.is_feasible(x))), len(x)
                run.history.record(iteration=t, loss=run.incumbent.loss, oracle_seconds=seconds)
        return run.result(
            problem,
            num_variables=model.num_variables,
            samples=number,
            feasible_samples=feasible,
        )

    def sample_cqm(self, cqm: dimod.ConstrainedQuadraticModel) -> dimod.SampleSet:
        """Solve any dimod CQM that the solver accepts.

        Returns
        -------
        dimod.SampleSet
            Feasible samples first, each group best first; ``info`` has ``oracle_calls``,
            ``oracle_seconds`` and ``charged`` besides the solver's own entries.
        """
        ledger = Ledger()
        found, seconds = self._ask(cqm, ledger)
        order = np.lexsort((found.record.energy, ~found.record.is_feasible))
        info = {"oracle_calls": 1, "oracle_seconds": seconds, "charged": ledger.charged}
        return type(found)(
            found.record[order], found.variables, {**found.info, **info}, found.vartype
        )

    def _ask(self, cqm: Any, ledger: Ledger) -> tuple[Any, float]:
        """Ask the solver for samples of ``cqm``, book the call, and return them and the seconds."""
        sampler = self._connection()
        check_parameters(sampler, self.options)
        given = dict(self.options)
        least = getattr(sampler, "min_time_limit", lambda _: 0.0)(cqm)
        if self.time_limit is not None and self.time_limit < least:
            raise InvalidInputError(
                f"time_limit={self.time_limit:g}: the least time limit is {least:g} s for this "
                "model; give as much, or None for the least"
            )
        if self.time_limit is not None:
            given["time_limit"] = self.time_limit
        if "seed" in sampler.parameters:
            given["seed"] = self.seed
        started = time.perf_counter()
        try:
            found = presentably(lambda: _resolved(sampler.sample_cqm(cqm, **given)))
        except Exception:
            ledger.failures += 1
            raise
        seconds = time.perf_counter() - started
        x = np.zeros((len(found), 0), dtype=np.int8)
        info = costs(timings(found.info), seconds)
        ledger.count(Samples(x, np.zeros(len(x)), seconds, info=info), seconds)
        return found, seconds


def _bits(found: dimod.SampleSet, model: QCBO) -> BitArray:
    """Return the samples in the model's variable order, shape (samples, n)."""
    place = {label: number for number, label in enumerate(model.labels.strings())}
    if not len(found) or set(found.variables) != place.keys():
        raise OracleError(
            f"the solver returned {len(found)} samples of {len(found.variables)} variables: "
            f"expected one or more of the {model.num_variables} that were sent"
        )
    x = np.empty((len(found), model.num_variables), dtype=np.int8)
    x[:, [place[label] for label in found.variables]] = np.rint(found.record.sample)
    return x


def _resolved(found: dimod.SampleSet) -> dimod.SampleSet:
    """Wait for the samples and return them."""
    found.resolve()
    return found
