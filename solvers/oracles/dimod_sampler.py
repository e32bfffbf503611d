"""Any ``dimod.Sampler`` as an oracle.

What has to be watched on the way: options that a sampler does not know are often ignored in
silence; the same seed with another order of the variables gives other samples; a sample set may
come back in spins, with its variables in any order and equal reads counted instead of listed; and
timings are in nanoseconds here and in microseconds there.
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

OURS = ("seed", "initial_states", "initial_states_generator", "interrupt_function")
"""Parameters that the oracle sets itself: from the seed and the states of each call."""

UNITS = {"_ns": 1e-9, "_us": 1e-6, "_ms": 1e-3, "_s": 1.0}
"""Seconds in the units that a timing's name ends in; without an end it is in microseconds."""


class DimodOracle:
    """Oracle: the samples of a dimod sampler.

    Use :func:`from_dimod`, which sees whether the sampler can start from given states.

    Parameters
    ----------
    sampler : dimod.Sampler
    **options
        Arguments of its ``sample``, checked against ``sampler.parameters``.

    Raises
    ------
    InvalidInputError
        For an option that the sampler does not know, or that the oracle sets itself; by
        ``sample``, for coefficients that are not finite.
    OracleError
        By ``sample``, if what comes back is no set of samples of the QUBO.

    Examples
    --------
    >>> import dimod
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> oracle = DimodOracle(dimod.ExactSolver())
    >>> oracle.sample(qubo, np.random.SeedSequence(0)).x[0].tolist()
    [0, 1]
    """

    exact = False
    """Whether the best read of the sampler is a proven minimum."""

    def __init__(self, sampler: Any, **options: Any) -> None:
        check_parameters(sampler, options)
        check_has("sampler", sampler, "sample", "dwave.samplers.TabuSampler()")
        self.sampler, self.options = sampler, options

    def __repr__(self) -> str:
        options = "".join(f", {name}={value!r}" for name, value in self.options.items())
        return f"{type(self).__name__}({type(self.sampler).__name__}(){options})"

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Samples of ``qubo``, best energy first."""
        return self._ask(qubo, seed)

    def _ask(self, qubo: QUBO, seed: np.random.SeedSequence, **given: Any) -> Samples:
        """Send the QUBO with the options and what is given for this call alone."""
        started = time.perf_counter()
        check_question(qubo, seed)
        if not qubo.num_variables:
            return best_first(qubo, np.zeros((self.reads, 0)), started, exact=self.exact)
        if "seed" in self.sampler.parameters:  # 31 bits, as all of Ocean's samplers take them
            given["seed"] = int(seed.spawn(1)[0].generate_state(1)[0] >> 1)
        sample_set = self._send(to_bqm(qubo), self._arguments(qubo) | given)
        x = bits_of(sample_set, qubo.num_variables)
        plain = {k: v for k, v in sample_set.info.items() if isinstance(v, (str, int, float))}
        seconds = timings(sample_set.info)
        charged = seconds.get("charge_time", seconds.get("qpu_access_time", 0.0))
        info = {**plain, "timing": seconds, "charged": charged}
        return best_first(qubo, x, started, exact=self.exact, info=info)

    @property
    def reads(self) -> int:
        """Reads of a call."""
        return int(self.options.get("num_reads") or 1)

    def _arguments(self, qubo: QUBO) -> dict[str, Any]:
        """Arguments for this QUBO; the options, where they do not depend on it."""
        return dict(self.options)

    def _send(self, bqm: Any, arguments: dict[str, Any]) -> Any:
        """Call the sampler, on a thread of its own if it can be told to stop.

        It is told at Ctrl-C, and at the deadline: then it returns the reads that are finished.
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
    """Oracle: the samples of a dimod sampler that can start from given states.

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
        """Samples from given states, shape (s, n), which the reads take in turn; best first."""
        import dimod

        given = checked_states(states, qubo.num_variables)
        initial = dimod.SampleSet.from_samples(
            (given, range(qubo.num_variables)), vartype="BINARY", energy=np.zeros(len(given))
        )
        return self._ask(qubo, seed, initial_states=initial, initial_states_generator="tile")


def from_dimod(sampler: Any, **options: Any) -> DimodOracle:
    """The oracle over a dimod sampler, with ``sample_from`` if it takes initial states.

    Parameters
    ----------
    sampler : dimod.Sampler
        Any: local, a composite, or one that asks a machine elsewhere.
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
        Naming the option and the nearest one that there is.
    """
    kind = type(sampler).__name__
    named = isinstance(getattr(sampler, "parameters", None), Mapping)
    if isinstance(sampler, type) or not named:
        raise InvalidInputError(
            f"sampler={shown(sampler)}: expected a dimod sampler, an object with its parameters, "
            "such as dwave.samplers.TabuSampler()"
        )
    known = [name for name in sampler.parameters if name not in OURS]
    for name in options:
        if name in OURS:
            raise InvalidInputError(
                f"option {name!r} of {kind}: the oracle sets it itself, from the seed and the "
                "states that it is called with; leave it out"
            )
        choose(f"option of {kind}", name, known)


def to_bqm(qubo: QUBO) -> Any:
    """``qubo`` as a dimod model, its variables 0, 1, ... in order, zero couplers kept.

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
    """The reads of a sample set over variables 0 .. n - 1, shape (reads, n), equal ones repeated.

    Parameters
    ----------
    sample_set : dimod.SampleSet
        In bits or spins, its variables in any order.
    n : int

    Raises
    ------
    OracleError
        If it has no reads, other variables, or values that are no bits.

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
    """Every duration that a sample set's ``info`` gives, in seconds, by its name without unit.

    Ocean's local samplers count nanoseconds and say so in the name; its QPU and hybrid solvers
    count microseconds and do not.  What the ledger has a name for is there under that as well.

    Parameters
    ----------
    info : mapping
        Of a ``dimod.SampleSet``.

    Examples
    --------
    >>> timings({"timing": {"sampling_ns": 2e9, "qpu_access_time": 5e3}, "charge_time": 3e6})
    {'sampling': 2.0, 'qpu_access_time': 0.005, 'charge_time': 3.0}
    >>> timings({"timing": {"qpu_programming_time": 1.5e4}})
    {'qpu_programming_time': 0.015, 'programming': 0.015}
    """
    # hybrid solvers give these beside ``timing``
    hybrid = ("run_time", "charge_time", "qpu_access_time")
    beside = [(name, info[name]) for name in hybrid if name in info]
    seconds = dict(_in_seconds([*info.get("timing", {}).items(), *beside]))
    kinds = {  # as the ledger calls them
        "qpu_sampling_time": "sampling",
        "qpu_programming_time": "programming",
        "run_time": "sampling",
    }
    return seconds | {kind: seconds[name] for name, kind in kinds.items() if name in seconds}


def _in_seconds(durations: Iterable[tuple[str, Any]]) -> Iterable[tuple[str, float]]:
    for name, value in durations:
        if isinstance(value, (int, float, np.number)) and math.isfinite(value):
            unit = next((end for end in UNITS if name.endswith(end)), "")
            yield name.removesuffix(unit), float(value) * UNITS.get(unit, 1e-6)
