"""Cost of a run's oracle calls, computed before anything is sent.

The first QUBO of a run is captured by starting the run with an oracle that never answers.  The
solver does all its preparation, and nothing leaves the machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from formulations.checks import check_whole
from formulations.errors import InvalidInputError
from formulations.model.qcbo import QCBO
from solvers.oracles.base import QUBO, Oracle, Samples
from solvers.oracles.cloud.embedding import (
    GRAPHS,
    Fit,
    clique_fit,
    expected_fit,
    searched_fit,
    unsearched_fit,
)
from solvers.oracles.cloud.estimates import TIMINGS, hybrid_bqm_seconds, qpu_seconds
from solvers.oracles.ising import NEGLIGIBLE
from solvers.qcgd.lifting import Lifting

MOST_PAIRS = 10_000_000
"""Most pairs of entries of equality rows that are multiplied out to count couplers: about 1 GB."""


class _Asked(BaseException):
    """Signal that ends a run at its first QUBO; no error handler should catch it."""

    def __init__(self, qubo: QUBO) -> None:
        super().__init__("a dry run ends at the first question")
        self.qubo = qubo


class DryOracle:
    """Oracle that ends the run at its first QUBO and never answers."""

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Raise instead of returning samples."""
        raise _Asked(qubo)


def first_qubo(ask: Callable[[Oracle], object]) -> QUBO | None:
    """Return the first QUBO that a run would send, or None if it ends without sending any.

    Parameters
    ----------
    ask : callable
        Starts the run with the oracle it is given.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> from solvers import QCGD
    >>> problem = TrainingProblem(Network.dense([2, 2, 1]), [[1, -1], [1, 1]], [1, -1])
    >>> qubo = first_qubo(lambda oracle: QCGD(oracle=oracle).solve(problem))
    >>> qubo.num_variables, len(qubo.couplings)
    (28, 109)
    """
    try:
        ask(DryOracle())
    except _Asked as asked:
        return asked.qubo
    return None


def coefficient_bits(qubo: QUBO) -> float:
    """Return log2(largest / least |coefficient|), leaving out zeros and negligible ones.

    Examples
    --------
    >>> pair = np.array([0]), np.array([1])
    >>> coefficient_bits(QUBO(np.array([1.0, -8.0]), *pair, np.array([1e-12])))
    3.0
    """
    size = np.abs(np.concatenate([qubo.linear, qubo.couplings]))
    size = size[size > NEGLIGIBLE * size.max(initial=0.0)]
    return float(np.log2(size.max() / size.min())) if len(size) else 0.0


def num_pairs(model: QCBO) -> int:
    """Count the pairs of entries in the equality rows, which :meth:`Lifting.of` multiplies out."""
    length = np.diff(model.rows.indptr)[model.equality].astype(np.int64)
    return int((length * (length - 1) // 2).sum())


def couplers_by_formula(model: QCBO, samples: int) -> int | None:
    """Count the couplers of a lifted model of ``samples`` samples from the model of one sample.

    c_w + N c_s: all samples share the c_w couplers between weight bits; each adds c_s of its own.
    Exact if every sample's model has the same pattern, as with inputs -1 and +1.  None if even one
    sample has too many to count.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> one = TrainingProblem(Network.dense([2, 2, 1]), [[1, -1]], [1]).qcbo()
    >>> couplers_by_formula(one, 2)
    109
    """
    if num_pairs(model) > MOST_PAIRS:
        return None
    lifting = Lifting.of(model)
    weight = np.zeros(model.num_variables, dtype=np.bool_)
    weight[model.weight_variables] = True
    shared = int(np.count_nonzero(weight[lifting.heads] & weight[lifting.tails]))
    return shared + samples * (len(lifting.heads) - shared)


@dataclass(frozen=True)
class Calls:
    """Oracle calls of a run: their number, reads per call and time per read."""

    calls: int
    reads: int
    annealing_time: float | None = None
    """Microseconds of a read; None takes the machine's default."""

    def __post_init__(self) -> None:
        check_whole("calls", self.calls)
        check_whole("reads", self.reads)


@dataclass(frozen=True)
class Footprint:
    """Size of a QUBO on a machine and the time its calls would take.

    Parameters
    ----------
    variables : int
    couplers : int or None
        None if there are too many to count.
    coefficient_bits : float or None
        See :func:`coefficient_bits`; None if the QUBO was not built.
    fits : tuple of Fit
        For each graph: as a clique, by search and by expectation.
    calls : Calls
        The run's calls.
    qpu_seconds : dict of str to float or None
        QPU access time of the run on each graph, from the smallest known embedding or else from the
        expected number of qubits; None if it is not expected to fit.
    hybrid_bqm_seconds : float
        Least seconds of the whole run on a hybrid BQM solver.
    hybrid_cqm_seconds : float or None
        Least seconds of one call to a hybrid CQM solver with the whole model.
    """

    variables: int
    couplers: int | None
    coefficient_bits: float | None
    fits: tuple[Fit, ...]
    calls: Calls
    qpu_seconds: dict[str, float | None]
    hybrid_bqm_seconds: float
    hybrid_cqm_seconds: float | None

    @property
    def density(self) -> float | None:
        """Couplers as a share of all pairs of variables."""
        pairs = self.variables * (self.variables - 1) // 2
        return None if self.couplers is None else self.couplers / max(1, pairs)

    @classmethod
    def of(
        cls,
        qubo: QUBO,
        calls: Calls,
        *,
        cqm_seconds: float | None = None,
        search: float | None = None,
        graphs: Sequence[str] = tuple(GRAPHS),
        seed: int = 0,
    ) -> Footprint:
        """Compute the footprint of calls with ``qubo``.

        Parameters
        ----------
        qubo : QUBO
        calls : Calls
        cqm_seconds : float, optional
            See :func:`solvers.oracles.cloud.estimates.cqm_seconds`.
        search : float, optional
            Seconds to search for an embedding on each graph; None skips it.
        graphs : sequence of str
            See :data:`solvers.oracles.cloud.embedding.GRAPHS`.
        seed : int
            Seed of the search.

        Examples
        --------
        >>> qubo = QUBO(np.ones(3), np.array([0, 1]), np.array([1, 2]), np.ones(2))
        >>> footprint = Footprint.of(qubo, Calls(calls=10, reads=100))
        >>> round(footprint.qpu_seconds["P16"], 2), footprint.hybrid_bqm_seconds
        (0.25, 30.0)
        """
        if search is not None and not 0 < search < np.inf:
            raise InvalidInputError(f"search={search!r}: expected a positive number of seconds")
        n = qubo.num_variables
        searched = [
            searched_fit(n, qubo.heads, qubo.tails, name, timeout=search, seed=seed)
            for name in graphs
        ]
        return cls._of(n, len(qubo.couplings), coefficient_bits(qubo), searched, calls, cqm_seconds)

    @classmethod
    def by_formula(
        cls,
        variables: int,
        couplers: int | None,
        calls: Calls,
        *,
        cqm_seconds: float | None = None,
        graphs: Sequence[str] = tuple(GRAPHS),
    ) -> Footprint:
        """Compute the footprint from counts alone, for a QUBO that is too large to build.

        Examples
        --------
        >>> footprint = Footprint.by_formula(32_073, None, Calls(calls=1, reads=100))
        >>> print(footprint.fits[0])
        does not fit: 180 variables at most
        >>> round(footprint.hybrid_bqm_seconds)
        212
        """
        searched = [unsearched_fit(variables, name) for name in graphs]
        return cls._of(variables, couplers, None, searched, calls, cqm_seconds)

    @classmethod
    def _of(
        cls,
        variables: int,
        couplers: int | None,
        bits: float | None,
        searched: Sequence[Fit],
        calls: Calls,
        cqm_seconds: float | None,
    ) -> Footprint:
        graphs = [fit.graph for fit in searched]
        cliques = [clique_fit(variables, name) for name in graphs]
        expected = [expected_fit(variables, couplers, name) for name in graphs if couplers]
        fits = (*cliques, *searched, *expected)
        return cls(
            variables,
            couplers,
            bits,
            fits,
            calls,
            {name: _qpu_seconds(name, fits, calls) for name in graphs},
            calls.calls * hybrid_bqm_seconds(variables),
            cqm_seconds,
        )


def _qpu_seconds(graph: str, fits: Sequence[Fit], calls: Calls) -> float | None:
    """Return the access time on a graph by the smallest known or else the expected embedding."""
    fitting = [fit for fit in fits if fit.graph == graph and fit.fits]
    known = [fit.qubits for fit in fitting if fit.method != "expected"]
    qubits = min(known or [fit.qubits for fit in fitting], default=None)  # type: ignore[type-var]
    if qubits is None:
        return None
    return qpu_seconds(
        qubits,
        calls.reads,
        calls.calls,
        timing=TIMINGS[graph[0]],
        annealing_time=calls.annealing_time,
    )
