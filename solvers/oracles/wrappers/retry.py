"""Retries after transient errors, and timeouts, for remote machines."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from formulations.arrays import BitArray
from formulations.checks import check_seconds, check_whole, shown
from formulations.errors import InvalidInputError, OracleTimeoutError
from solvers.oracles.base import QUBO, BatchOracle, Samples
from solvers.oracles.wrappers.base import Transparent, same_seed

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Retry(Transparent):
    """Wrapper that repeats a call after a transient error, with a pause that doubles.

    Every attempt has the same seed, so with a :class:`~solvers.oracles.wrappers.record.Record`
    inside, a late answer is not paid for again.

    Parameters
    ----------
    oracle : Oracle
    attempts : int
        Most attempts in total.
    pause, longest : float
        Seconds before the second attempt, and most seconds before any.
    sleep : callable
        Called with the seconds to wait.

    Examples
    --------
    >>> from solvers.oracles import ExactOracle
    >>> class Flaky(ExactOracle):
    ...     calls = []
    ...     def sample(self, qubo, seed):
    ...         self.calls.append(1)
    ...         if len(self.calls) < 3:
    ...             raise ConnectionResetError
    ...         return super().sample(qubo, seed)
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> pauses = []
    >>> samples = Retry(Flaky(), sleep=pauses.append).sample(qubo, np.random.SeedSequence(0))
    >>> samples.info["retries"], pauses
    (2, [1.0, 2.0])
    """

    attempts: int = 5
    pause: float = 1.0
    longest: float = 60.0
    sleep: Callable[[float], object] = time.sleep

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("attempts", self.attempts)
        for name in ("pause", "longest"):
            check_seconds(name, getattr(self, name))
        if isinstance(self.sleep, type) or not callable(self.sleep):
            raise InvalidInputError(
                f"sleep={shown(self.sleep)}: expected a function of seconds, such as time.sleep"
            )
        if isinstance(self.oracle, BatchOracle):
            object.__setattr__(self, "sample_many", self._sample_many)

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return the first answer; raise the last attempt's error if there is none."""
        samples, failures = self._again(lambda: self.ask(qubo, states, same_seed(seed)))
        if not failures:
            return samples
        return replace(samples, info={**samples.info, "retries": failures})

    def _sample_many(self, qubos: Sequence[QUBO], seed: np.random.SeedSequence) -> list[Samples]:
        """Do the same for many QUBOs in one call."""
        oracle = self.oracle
        assert isinstance(oracle, BatchOracle)
        return self._again(lambda: oracle.sample_many(qubos, same_seed(seed)))[0]

    def _again(self, call: Callable[[], Answer]) -> tuple[Answer, int]:
        """Return the result of a call and its number of failed attempts."""
        failures = 0
        while True:
            try:
                return call(), failures
            except Exception as error:
                if failures + 1 == self.attempts or not is_transient(error):
                    raise
                self.sleep(min(self.longest, self.pause * 2.0**failures))
                failures += 1


def is_transient(error: BaseException) -> bool:
    """Return whether an error may resolve itself.

    Examples
    --------
    >>> is_transient(ConnectionResetError()), is_transient(ValueError())
    (True, False)
    """
    # Compared by name, so that Ocean need not be installed.  A refused token or a problem that does
    # not fit is not transient.
    transient = {
        "builtins.ConnectionError",
        "dwave.cloud.api.exceptions.InternalServerError",
        "dwave.cloud.api.exceptions.RequestTimeout",
        "dwave.cloud.api.exceptions.ResourceLimitsExceededError",
        "dwave.cloud.exceptions.PollingTimeout",
        "dwave.cloud.exceptions.ProblemUploadError",
        "dwave.cloud.exceptions.SolverOfflineError",
        "dwave.cloud.exceptions.Timeout",
        "formulations.errors.OracleTimeoutError",
        "requests.exceptions.ConnectionError",
        "requests.exceptions.Timeout",
    }
    kinds = {f"{kind.__module__}.{kind.__qualname__}" for kind in type(error).__mro__}
    return not kinds.isdisjoint(transient)


@dataclass(frozen=True)
class Timeout(Transparent):
    """Wrapper that abandons a call that is not answered in time.

    The call keeps running, since it cannot be ended from here.  With a
    :class:`~solvers.oracles.wrappers.record.Record` inside, its late answer is kept.

    Parameters
    ----------
    oracle : Oracle
    limit : float
        Seconds.

    Raises
    ------
    OracleTimeoutError
        From a call, if the time is up.

    Examples
    --------
    >>> from solvers.oracles import ExactOracle
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> Timeout(ExactOracle(), limit=60).sample(qubo, np.random.SeedSequence(0)).x.tolist()
    [[0, 1]]
    """

    limit: float

    def __post_init__(self) -> None:
        super().__post_init__()
        check_seconds("limit", self.limit)

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return the oracle's answer if it arrives in time."""
        coming: Future[Samples] = Future()

        def work() -> None:
            try:
                coming.set_result(self.ask(qubo, states, seed))
            except BaseException as error:
                coming.set_exception(error)

        threading.Thread(target=work, name="oracle", daemon=True).start()
        try:
            return coming.result(self.limit)
        except TimeoutError:
            if coming.done():  # the oracle's own error
                raise
            raise OracleTimeoutError(
                f"the oracle has not answered within {self.limit:g} seconds: give it more, or "
                "look at its queue"
            ) from None
