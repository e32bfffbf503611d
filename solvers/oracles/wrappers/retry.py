"""Patience with a machine far away: calls made anew after transient errors, calls given up."""

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
    """A call that fails with a transient error is made again, after a pause that doubles.

    The same seed every time: with a :class:`~solvers.oracles.wrappers.record.Record` inside, an
    answer that came after all is not paid for again.

    Parameters
    ----------
    oracle : Oracle
    attempts : int
        Most calls in all.
    pause, longest : float
        Seconds before the second call, and most seconds before any.
    sleep : callable
        Called with the seconds.

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
        """The first answer that comes; the error of the last call if none does."""
        samples, failures = self._again(lambda: self.ask(qubo, states, same_seed(seed)))
        if not failures:
            return samples
        return replace(samples, info={**samples.info, "retries": failures})

    def _sample_many(self, qubos: Sequence[QUBO], seed: np.random.SeedSequence) -> list[Samples]:
        """The same of an oracle that answers many QUBOs in one call."""
        oracle = self.oracle
        assert isinstance(oracle, BatchOracle)
        return self._again(lambda: oracle.sample_many(qubos, same_seed(seed)))[0]

    def _again(self, call: Callable[[], Answer]) -> tuple[Answer, int]:
        """What a call returns in the end, and how often it has failed before."""
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
    """Whether an error may pass by itself.

    Examples
    --------
    >>> is_transient(ConnectionResetError()), is_transient(ValueError())
    (True, False)
    """
    # by name, so that nothing of Ocean's need be there; a refused token or a problem that does not
    # fit are not among them
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
    """A call that has not been answered in time is given up.

    It goes on by itself, since nothing can end it from here: with a
    :class:`~solvers.oracles.wrappers.record.Record` inside, its answer is kept when it comes.

    Parameters
    ----------
    oracle : Oracle
    limit : float
        Seconds.

    Raises
    ------
    OracleTimeoutError
        When asked, if the time is up.

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
        """The oracle's answer, if it comes in time."""
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
            if coming.done():  # it is the oracle's own
                raise
            raise OracleTimeoutError(
                f"the oracle has not answered within {self.limit:g} seconds: give it more, or "
                "look at its queue"
            ) from None
