"""D-Wave's machines as oracles, by Ocean's own configuration and nothing else.

Which account and which solver comes from ``dwave.conf`` and the variables ``DWAVE_*``; nothing of
it is kept here.  A client is made for the first call, so that an oracle can be made, shown,
compared and sent elsewhere without an account, and belongs to this process alone.  Each has a mock
to try things with: :mod:`solvers.oracles.mock`.

``Samples.info`` says what a call cost:

    timing    seconds by kind: ``sampling``, ``programming`` and ``waiting`` (queue, network, and
              work on the way), beside Ocean's own by their names, such as ``qpu_access_time``;
    charged   seconds that are charged: a QPU's access time, a hybrid solver's charge time.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, TypeVar

import numpy as np

from formulations.errors import InvalidInputError, OracleError, QnnError, choose, shown
from solvers.options import check_effort, is_finite, is_number
from solvers.oracles.answers import best_first
from solvers.oracles.base import QUBO, IntArray, Samples, check_question
from solvers.oracles.dimod_sampler import DimodOracle, from_dimod
from solvers.oracles.embedding import METHODS, Chains, best_embedding
from solvers.oracles.secrets import redacted

Answer = TypeVar("Answer")

Factory = Callable[[], Any]
"""Makes a sampler, such as the class ``dwave.system.DWaveSampler``."""

REMEDY = (
    "run `dwave config create`, or set DWAVE_API_TOKEN; `dwave ping` says whether it works.  "
    "Without an account, try mock-qpu, mock-hybrid or solvers.oracles.mock.MockHybridCQM"
)


class Connection:
    """A sampler that is made when it is first needed; copies make their own.

    Parameters
    ----------
    make : callable
        Makes the sampler.

    Raises
    ------
    InvalidInputError
        If that cannot be called, or holds a token.
    """

    def __init__(self, make: Factory) -> None:
        if not callable(make):
            raise InvalidInputError(
                f"sampler={type(make).__name__}(...): expected a function that makes a sampler, so "
                "that none is made before it is needed; put `lambda:` before it"
            )
        if isinstance(make, functools.partial) and "token" in make.keywords:
            raise InvalidInputError(
                "sampler holds a token, which would be kept with the oracle: leave it out, and "
                + REMEDY
            )
        self._make, self._sampler, self._lock = make, None, threading.Lock()

    def __call__(self) -> Any:
        """The sampler.

        Raises
        ------
        OracleError
            If there are no credentials, or they are refused; the message says what to do.
        """
        with self._lock:
            if self._sampler is None:
                self._sampler = presentably(self._make, connecting=True)
            return self._sampler


def presentably(call: Callable[[], Answer], *, connecting: bool = False) -> Answer:
    """What ``call`` returns; no error comes out of it that could show a token.

    Ocean's errors carry the request that failed, and that carries the token.  They keep their
    types, by which a caller knows whether to try again, and lose what is attached to them.

    Raises
    ------
    OracleError
        If access is refused, or nothing is configured while ``connecting``.
    """
    try:
        return call()
    except Exception as error:
        failure = _without_credentials(error, connecting)
    raise failure  # out here, where the error that it came from is not attached to it


def _without_credentials(error: Exception, connecting: bool) -> Exception:
    """The error to raise instead: what to do if access is refused, else itself with less in it."""
    if isinstance(error, QnnError):
        return error
    kinds = {kind.__name__ for kind in type(error).__mro__}
    refused = kinds & {"ResourceAuthenticationError", "ResourceAccessForbiddenError"}
    unset = connecting and kinds & {"ValueError", "ConfigFileError"}
    if refused or unset:
        why = redacted(" ".join(str(error).split()))
        return OracleError(f"no access to D-Wave's machines ({why}): {REMEDY}")
    link: BaseException | None = error
    while link is not None:
        link.args = tuple(redacted(a) if isinstance(a, str) else a for a in link.args)
        for name in ("request", "response"):
            if hasattr(link, name):
                setattr(link, name, None)
        link = link.__cause__ or link.__context__
    return error


def booked(samples: Samples) -> Samples:
    """The samples with what they cost: see this module's ``timing`` and ``charged``.

    Examples
    --------
    >>> ocean = {"qpu_programming_time": 0.01, "qpu_sampling_time": 0.02, "qpu_access_time": 0.03}
    >>> none = Samples(np.zeros((1, 0), np.int8), np.zeros(1), 1.0, info={"timing": ocean})
    >>> info = booked(none).info
    >>> info["charged"], info["timing"]["sampling"], round(info["timing"]["waiting"], 2)
    (0.03, 0.02, 0.97)
    """
    return replace(samples, info={**samples.info, **costs(samples.info["timing"], samples.seconds)})


def costs(timing: Mapping[str, float], seconds: float) -> dict[str, Any]:
    """``timing`` and ``charged`` of a call that took so many seconds, from Ocean's timings."""
    programming = timing.get("qpu_programming_time", 0.0)
    sampling = timing.get("run_time", timing.get("qpu_sampling_time", 0.0))
    kinds = {
        "programming": programming,
        "sampling": sampling,
        "waiting": max(0.0, seconds - programming - sampling),
    }
    charged = timing.get("charge_time", timing.get("qpu_access_time", 0.0))
    return {"timing": {**timing, **kinds}, "charged": charged}


class Cloud:
    """What has a connection: copies, here and in other processes, are made anew without it."""

    def __reduce__(self) -> tuple[Any, ...]:
        items = [item for item in fields(self) if item.init]  # type: ignore[arg-type]
        return type(self), tuple(getattr(self, item.name) for item in items)


@dataclass(frozen=True)
class QPU(Cloud):
    """Oracle: a D-Wave quantum computer, with an embedding that is kept while the pattern stays.

    An iterative solver such as QCGD sends the same couplers again and again with new numbers: the
    embedding is found for the first call and used for all of them.  Other couplers get a new one;
    restricted problems have others every time, and ``embedding="clique"`` then saves the search.

    Parameters
    ----------
    reads : int
        Samples of a call.
    annealing_time : float, optional
        Microseconds of a read; None: the machine's own.
    chain_strength : float or callable, optional
        As in Ocean's ``EmbeddingComposite``: a number in the QUBO's units or a function of the
        model and the embedding, such as ``functools.partial(uniform_torque_compensation,
        prefactor=2)`` of ``dwave.embedding.chain_strength``; None: that function with its default.
    embedding : {"best", "clique", "search"}
        ``clique`` takes milliseconds and any couplers, if there are few variables; ``search`` finds
        shorter chains for sparse ones; ``best`` takes whichever has the shorter ones.
    search : float
        Most seconds of a search.
    options : mapping
        Other parameters of the sampler, checked against those it has.
    sampler : callable, optional
        Makes the sampler; None: ``dwave.system.DWaveSampler``, by Ocean's configuration.

    Raises
    ------
    InvalidInputError
        For options out of range; by ``sample``, for a QUBO that is not finite, or that no embedding
        was found for.
    OracleError
        By ``sample``, without credentials.

    Examples
    --------
    >>> from solvers.oracles.mock import MockQPU
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> samples = QPU(reads=5, sampler=MockQPU("P2")).sample(qubo, np.random.SeedSequence(0))
    >>> samples.x[0].tolist(), samples.info["qubits"], samples.info["charged"] > 0
    ([0, 1], 2, True)
    """

    reads: int = 100
    annealing_time: float | None = None
    chain_strength: float | Callable[..., Any] | None = None
    embedding: str = "best"
    search: float = 60.0
    options: Mapping[str, Any] = field(default_factory=dict)
    sampler: Factory | None = field(default=None, repr=False)
    _connection: Connection = field(init=False, repr=False, compare=False)
    _lock: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False, compare=False
    )
    _kept: list[_Embedded] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_effort(self.reads)
        choose("embedding", self.embedding, list(METHODS))
        check_positive("annealing_time", self.annealing_time, "microseconds")
        check_positive("search", self.search, "seconds")
        if not callable(self.chain_strength) or isinstance(self.chain_strength, type):
            check_positive("chain_strength", self.chain_strength, "energy")
        check_mapping("options", self.options)
        make = _qpu_sampler if self.sampler is None else self.sampler
        object.__setattr__(self, "_connection", Connection(make))

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Samples of ``qubo``, best first.

        ``info`` has ``timing``, ``charged``, ``problem_id``, ``qubits``, ``longest_chain`` and
        ``chain_breaks``, the mean share of chains that were broken.  A real QPU takes no seed.
        """
        check_question(qubo, seed)
        if not qubo.num_variables:
            return best_first(qubo, np.zeros((self.reads, 0)), time.perf_counter())
        with self._lock:
            embedded = self._embedded(qubo)
        return booked(presentably(lambda: embedded.sample(qubo, seed)))

    def _embedded(self, qubo: QUBO) -> _Embedded:
        """The embedding of the last call if it is for the same couplers, else a new one."""
        if self._kept and self._kept[0].is_for(qubo):
            return self._kept[0]
        from dwave.system import FixedEmbeddingComposite

        sampler = self._connection()
        chains = best_embedding(
            qubo.num_variables,
            qubo.heads,
            qubo.tails,
            sampler.to_networkx_graph(),
            method=self.embedding,
            timeout=self.search,
        )
        if chains is None:
            raise InvalidInputError(
                f"a QUBO of {qubo.num_variables:,} variables and {len(qubo.couplings):,} couplers: "
                f"no embedding was found on this QPU; take a smaller problem (qnn size says what "
                f"fits), restricted problems, or a longer search than {self.search:g} s"
            )
        given = {"annealing_time": self.annealing_time, "chain_strength": self.chain_strength}
        options = {name: value for name, value in given.items() if value is not None}
        oracle = _ChainOracle(
            FixedEmbeddingComposite(sampler, chains),
            num_reads=self.reads,
            **options,
            **self.options,
        )
        self._kept[:] = [_Embedded(qubo.num_variables, qubo.heads, qubo.tails, chains, oracle)]
        return self._kept[0]


@dataclass(frozen=True)
class _Embedded:
    """An oracle for one pattern of couplers."""

    num_variables: int
    heads: IntArray
    tails: IntArray
    chains: Chains
    oracle: DimodOracle

    def is_for(self, qubo: QUBO) -> bool:
        """Whether ``qubo`` has these couplers; at once if they are the same arrays."""
        if qubo.heads is self.heads and qubo.tails is self.tails:
            return qubo.num_variables == self.num_variables
        return (
            qubo.num_variables == self.num_variables
            and np.array_equal(qubo.heads, self.heads)
            and np.array_equal(qubo.tails, self.tails)
        )

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """The oracle's samples, with the size of the embedding."""
        samples = self.oracle.sample(qubo, seed)
        lengths = [len(chain) for chain in self.chains.values()]
        size = {"qubits": sum(lengths), "longest_chain": max(lengths)}
        return replace(samples, info={**samples.info, **size})


class _ChainOracle(DimodOracle):
    """Tells how many chains were broken."""

    def _send(self, bqm: Any, arguments: dict[str, Any]) -> Any:
        found = super()._send(bqm, arguments)
        record = found.record
        breaks = np.average(record.chain_break_fraction, weights=record.num_occurrences)
        found.info["chain_breaks"] = float(breaks)
        return found


@dataclass(frozen=True)
class HybridBQM(Cloud):
    """Oracle: D-Wave's hybrid solver for QUBOs of up to a million variables, one sample a call.

    Parameters
    ----------
    time_limit : float, optional
        Seconds that it may work, and charges; None: the least that it takes for the QUBO's size
        (:func:`~solvers.oracles.estimates.hybrid_bqm_seconds`).
    options : mapping
        Other parameters of the sampler, checked against those it has.
    sampler : callable, optional
        Makes the sampler; None: ``dwave.system.LeapHybridSampler``, by Ocean's configuration.

    Raises
    ------
    InvalidInputError
        For options out of range; by ``sample``, for a QUBO that is not finite.
    OracleError
        By ``sample``, without credentials.

    Examples
    --------
    >>> from solvers.oracles.mock import MockHybridBQM
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> samples = HybridBQM(sampler=MockHybridBQM).sample(qubo, np.random.SeedSequence(0))
    >>> samples.x.tolist(), samples.info["charged"]
    ([[0, 1]], 3.0)
    """

    time_limit: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    sampler: Factory | None = field(default=None, repr=False)
    _connection: Connection = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_positive("time_limit", self.time_limit, "seconds")
        check_mapping("options", self.options)
        make = _hybrid_sampler if self.sampler is None else self.sampler
        object.__setattr__(self, "_connection", Connection(make))

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """A sample of ``qubo``; ``info`` has ``timing``, ``charged`` and ``problem_id``."""
        check_question(qubo, seed)
        if not qubo.num_variables:
            return best_first(qubo, np.zeros((1, 0)), time.perf_counter())
        limit = {} if self.time_limit is None else {"time_limit": self.time_limit}
        oracle = from_dimod(self._connection(), **limit, **self.options)
        return booked(presentably(lambda: oracle.sample(qubo, seed)))


def check_mapping(name: str, value: object) -> None:
    """Refuse anything but a mapping from texts.

    Examples
    --------
    >>> check_mapping("options", 3)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: options=3: expected a mapping from parameters of the ...
    """
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise InvalidInputError(
            f"{name}={shown(value)}: expected a mapping from parameters of the sampler to values"
        )


def check_positive(name: str, value: object, what: str) -> None:
    """Refuse anything but a positive number, or None.

    Raises
    ------
    InvalidInputError
        Naming the option and what was expected.

    Examples
    --------
    >>> check_positive("time_limit", -1.0, "seconds")
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: time_limit=-1.0: expected a positive number of seconds
    """
    if value is not None and not (is_number(value) and is_finite(value) and value > 0):  # type: ignore[operator]
        raise InvalidInputError(f"{name}={shown(value)}: expected a positive number of {what}")


def _qpu_sampler() -> Any:
    from dwave.system import DWaveSampler

    return DWaveSampler()


def _hybrid_sampler() -> Any:
    from dwave.system import LeapHybridSampler

    return LeapHybridSampler()
