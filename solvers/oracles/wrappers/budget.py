"""Budget wrapper: hard limits on calls, seconds and charged time."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np

from formulations.arrays import BitArray
from formulations.checks import check_seconds, check_whole
from formulations.errors import BudgetExhaustedError
from solvers.oracles.base import QUBO, Samples
from solvers.oracles.ledger import Ledger
from solvers.oracles.wrappers.base import Transparent, layers


@dataclass(frozen=True)
class Budget(Transparent):
    """Wrapper that makes calls as long as the budget lasts.

    A call is made if no limit is reached before it: calls never exceed their limit, and times
    exceed theirs by at most the calls in flight.  Failed calls count.  Copies share the budget, so
    that it is spent only once; other processes cannot share it.

    Parameters
    ----------
    oracle : Oracle
    calls : int, optional
        Most calls.
    seconds, charged : float, optional
        Most seconds of the oracle's own time, and of charged time.

    Attributes
    ----------
    ledger : Ledger
        Amounts spent so far.

    Raises
    ------
    InvalidInputError
        For a limit out of range.
    BudgetExhaustedError
        From a call once a limit is reached.

    Examples
    --------
    >>> from solvers.oracles import Annealer
    >>> oracle = Budget(Annealer(reads=1, sweeps=1), calls=1)
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> _ = oracle.sample(qubo, np.random.SeedSequence(0))
    >>> oracle.sample(qubo, np.random.SeedSequence(1))
    Traceback (most recent call last):
    formulations.errors.BudgetExhaustedError: the budget of 1 calls is used up
    """

    calls: int | None = None
    seconds: float | None = None
    charged: float | None = None
    ledger: Ledger = field(default_factory=Ledger, init=False, compare=False)
    _in_flight: list[int] = field(default_factory=list, init=False, repr=False, compare=False)
    _lock: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.calls is not None:
            check_whole("calls", self.calls, 0)
        for name in ("seconds", "charged"):
            if getattr(self, name) is not None:
                check_seconds(name, getattr(self, name), zero=True)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        raise pickle.PicklingError(
            "a budget cannot be shared between processes: take executor='threads', or give every "
            "process a budget of its own"
        )

    def used_up(self) -> str | None:
        """Name the limit that has been reached, if any."""
        spent = self.ledger
        if self.calls is not None:
            made = spent.calls + spent.failures + len(self._in_flight)
            if made >= self.calls:
                return f"{self.calls} calls"
        if self.seconds is not None and spent.seconds >= self.seconds:
            return f"{self.seconds:g} seconds of the oracle"
        if self.charged is not None and spent.charged >= self.charged:
            return f"{self.charged:g} seconds charged"
        return None

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return the oracle's answer if the budget allows a call."""
        with self._lock:
            limit = self.used_up()
            if limit is not None:
                raise BudgetExhaustedError(f"the budget of {limit} is used up")
            self._in_flight.append(1)
        started = time.perf_counter()
        try:
            samples = self.ask(qubo, states, seed)
        except BaseException as error:
            with self._lock:
                self._in_flight.pop()
                self.ledger.fail(error)
            raise
        with self._lock:
            self._in_flight.pop()
            self.ledger.count(samples, time.perf_counter() - started)
        return samples


def budgets(oracle: object) -> Iterator[Budget]:
    """List the budgets among an oracle's layers."""
    return (layer for layer in layers(oracle) if isinstance(layer, Budget))
