"""Oracle over any ``dimod.Sampler``.

The conversion handles these pitfalls: samplers often ignore unknown options silently; the same seed
with another variable order gives other samples; a sample set may come back in spins, with its
variables in any order and equal reads counted instead of listed; and timings come in nanoseconds or
in microseconds.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
import numpy.typing as npt

from formulations.arrays import BitArray
from formulations.checks import check_has, choose, shown
from formulations.errors import InvalidInputError, OracleError
from solvers.oracles.answers import best_first, checked_states
from solvers.oracles.base import QUBO, Samples, check_question
from solvers.oracles.deadline import time_left


class DimodOracle:
    """Oracle over a dimod sampler.

    Use :func:`from_dimod`, which checks whether the sampler can start from given states.

    Parameters
    ----------
    sampler : dimod.Sampler
    **options
        Arguments of its ``sample``, checked against ``sampler.parameters``.

    Raises
    ------
    InvalidInputError
        For an option that the sampler does not know or that the oracle sets itself; from
        ``sample``, for coefficients that are not finite.
    OracleError
        From ``sample``, if the sampler does not return samples of the QUBO.

    Examples
    --------
    >>> import dimod
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> oracle = DimodOracle(dimod.ExactSolver())
    >>> oracle.sample(qubo, np.random.SeedSequence(0)).x[0].tolist()
    [0, 1]
    """

    exact = False
    """True if the sampler's best read is a proven minimum."""

    def __init__(self, sampler: Any, **options: Any) -> None:
        check_parameters(sampler, options)
        check_has("sampler", sampler, "sample", "dwave.samplers.TabuSampler()")
        self.sampler, self.options = sampler, options

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"{type(self).__name__}({type(self.sampler).__name__}(){options})"

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Return samples of ``qubo``, best energy first."""
        return self._ask(qubo, seed)

    def _ask(self, qubo: QUBO, seed: np.random.SeedSequence, **given: Any) -> Samples:
        """Send the QUBO with the options and this call's arguments."""
        started = time.perf_counter()
        check_question(qubo, seed)
        if not qubo.num_variables:
            return best_first(qubo, np.zeros((self.reads, 0)), started, exact=self.exact)
        if "seed" in self.sampler.parameters:  # 31 bits, as all of Ocean's samplers accept them
            given["seed"] = int(seed.spawn(1)[0].generate_state(1)[0] >> 1)
        sample_set = self._send(to_bqm(qubo), self._arguments(qubo) | given)
        x = bits_of(sample_set, qubo.num_variables)
        plain = {k: v for k, v in sample_set.info.items() if isinstance(v, (str, int, float))}
        seconds = timings(sample_set.info)
        charged = seconds.get("charge_time", seconds.get("qpu_access_time", 0.0))
        info = {**plain, "timing": seconds, "charged": charged}
        record = sample_set.record
        if "chain_break_fraction" in record.dtype.names:
            shares, counts = record.chain_break_fraction, record.num_occurrences
            info["chain_breaks"] = float(np.average(shares, weights=counts))
        return best_first(qubo, x, started, exact=self.exact, info=info)

    @property
    def reads(self) -> int:
        return int(self.options.get("num_reads") or 1)

    def _arguments(self, qubo: QUBO) -> dict[str, Any]:
        """Return the arguments for this QUBO; here the options, whatever the QUBO."""
        return dict(self.options)

    def _send(self, bqm: Any, arguments: dict[str, Any]) -> Any:
        """Call the sampler, on its own thread if it can be interrupted.

        Ctrl-C and the deadline interrupt it; at the deadline it returns the finished reads.
        """
        if "interrupt_function" not in self.sampler.parameters:
            return self.sampler.sample(bqm, **arguments)
        stop = threading.Event()
        arguments["interrupt_function"] = stop.is_set
        with ThreadPoolExecutor(1) as pool:
            try:
                answer = pool.submit(self.sampler.sample, bqm, **arguments)
                left = time_left()
                if wait([answer], None if left == np.inf else left).not_done:
                    stop.set()
                return answer.result()
            except KeyboardInterrupt:
                stop.set()
                raise


class WarmDimodOracle(DimodOracle):
    """Oracle over a dimod sampler that can start from given states.

    Examples
    --------
    >>> from dwave.samplers import SteepestDescentSampler
    >>> none = np.zeros(0, dtype=np.int64)
    >>> oracle = WarmDimodOracle(SteepestDescentSampler())
    >>> flat = QUBO(np.zeros(2), none, none, np.zeros(0))
    >>> oracle.sample_from(flat, [[0, 1]], np.random.SeedSequence(0)).x.tolist()
    [[0, 1]]
    """

    def sample_from(
        self, qubo: QUBO, states: npt.ArrayLike, seed: np.random.SeedSequence
    ) -> Samples:
        """Return samples from given states, shape (s, n), which the reads take in turn."""
        import dimod

        given = checked_states(states, qubo.num_variables)
        initial = dimod.SampleSet.from_samples(
            (given, range(qubo.num_variables)), vartype="BINARY", energy=np.zeros(len(given))
        )
        return self._ask(qubo, seed, initial_states=initial, initial_states_generator="tile")


def from_dimod(sampler: Any, **options: Any) -> DimodOracle:
    """Make an oracle over a dimod sampler, with ``sample_from`` if it takes initial states.

    Parameters
    ----------
    sampler : dimod.Sampler
        Any sampler: local, composite or remote.
    **options
        Arguments of its ``sample``, checked against ``sampler.parameters``.

    Raises
    ------
    InvalidInputError
        For an option that the sampler does not know, or that the oracle sets itself.

    Examples
    --------
    >>> from dwave.samplers import TabuSampler
    >>> from_dimod(TabuSampler(), num_read=3)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: unknown option of TabuSampler 'num_read': expected ...
    >>> from_dimod(TabuSampler(), num_reads=3)
    WarmDimodOracle(TabuSampler(), num_reads=3)
    """
    check_parameters(sampler, options)
    warm = "initial_states" in sampler.parameters
    return (WarmDimodOracle if warm else DimodOracle)(sampler, **options)


# -- the parts, for oracles that need some of them -------------------------------------------------


def check_parameters(sampler: Any, options: Mapping[str, Any]) -> None:
    """Refuse options that ``sampler.parameters`` does not list, or that the oracle sets itself.

    Raises
    ------
    InvalidInputError
        Naming the option and the nearest existing one.
    """
    kind = type(sampler).__name__
    named = isinstance(getattr(sampler, "parameters", None), Mapping)
    if isinstance(sampler, type) or not named:
        raise InvalidInputError(
            f"sampler={shown(sampler)}: expected a dimod sampler, an object with its parameters, "
            "such as dwave.samplers.TabuSampler()"
        )
    ours = ("seed", "initial_states", "initial_states_generator", "interrupt_function")
    known = [name for name in sampler.parameters if name not in ours]
    for name in options:
        if name in ours:
            raise InvalidInputError(
                f"option {name!r} of {kind}: the oracle sets it itself, from the seed and the "
                "states that it is called with; leave it out"
            )
        choose(f"option of {kind}", name, known)


def to_bqm(qubo: QUBO) -> Any:
    """Convert ``qubo`` to a dimod model with variables 0, 1, ... in order, keeping zero couplers.

    Examples
    --------
    >>> to_bqm(QUBO(np.array([1.0]), np.zeros(0, int), np.zeros(0, int), np.zeros(0))).linear
    {0: 1.0}
    """
    import dimod

    return dimod.BinaryQuadraticModel.from_numpy_vectors(
        qubo.linear, (qubo.heads, qubo.tails, qubo.couplings), 0.0, "BINARY"
    )


def bits_of(sample_set: Any, n: int) -> BitArray:
    """Return a sample set's reads of variables 0 .. n - 1, shape (reads, n), equal ones repeated.

    Parameters
    ----------
    sample_set : dimod.SampleSet
        In bits or spins, its variables in any order.
    n : int

    Raises
    ------
    OracleError
        If it has no reads, other variables, or values other than bits.

    Examples
    --------
    >>> import dimod
    >>> found = dimod.SampleSet.from_samples(([[1, -1]], [1, 0]), "SPIN", 0.0, num_occurrences=2)
    >>> bits_of(found, 2).tolist()
    [[0, 1], [0, 1]]
    """
    variables = list(sample_set.variables)
    if not len(sample_set) or set(variables) != set(range(n)):
        raise OracleError(
            f"the sampler returned {len(sample_set)} reads of {len(variables)} variables: expected "
            f"at least one read of the variables 0 to {n - 1} that were sent"
        )
    record = sample_set.record
    x = np.empty(record.sample.shape, dtype=np.int8)
    x[:, variables] = record.sample
    if sample_set.vartype.name == "SPIN":
        x = (x + 1) // 2
    if not ((x == 0) | (x == 1)).all():
        raise OracleError("the sampler returned values that are no bits")
    return np.repeat(x, record.num_occurrences, axis=0)


def timings(info: Mapping[str, Any]) -> dict[str, float]:
    """Return all durations in a sample set's ``info`` in seconds, by name without unit.

    Ocean's local samplers count nanoseconds and say so in the name; its QPU and hybrid solvers
    count microseconds and do not.  Durations with a name in the ledger also appear under that name.

    Parameters
    ----------
    info : mapping
        The ``info`` of a ``dimod.SampleSet``.

    Examples
    --------
    >>> timings({"timing": {"sampling_ns": 2e9, "qpu_access_time": 5e3}, "charge_time": 3e6})
    {'sampling': 2.0, 'qpu_access_time': 0.005, 'charge_time': 3.0}
    >>> timings({"timing": {"qpu_programming_time": 1.5e4}})
    {'qpu_programming_time': 0.015, 'programming': 0.015}
    """
    # Hybrid solvers give these beside ``timing``.
    hybrid = ("run_time", "charge_time", "qpu_access_time")
    beside = [(name, info[name]) for name in hybrid if name in info]
    seconds = dict(_in_seconds([*info.get("timing", {}).items(), *beside]))
    kinds = {  # the ledger's names
        "qpu_sampling_time": "sampling",
        "qpu_programming_time": "programming",
        "run_time": "sampling",
    }
    return seconds | {kind: seconds[name] for name, kind in kinds.items() if name in seconds}


def _in_seconds(durations: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, float]]:
    """Convert timings by the suffix of their names; without one they are in microseconds."""
    units = {"_ns": 1e-9, "_us": 1e-6, "_ms": 1e-3, "_s": 1.0}
    for name, value in durations:
        if isinstance(value, (int, float, np.number)) and math.isfinite(value):
            unit = next((end for end in units if name.endswith(end)), "")
            yield name.removesuffix(unit), float(value) * units.get(unit, 1e-6)
