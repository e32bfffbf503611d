"""What a solver returns, and what every solver's loop has in common: budget, callbacks, Ctrl-C."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from formulations.errors import InvalidInputError

if TYPE_CHECKING:
    from formulations import TrainingProblem
    from formulations.network import Weights

BitArray = npt.NDArray[np.int8]


class Status(Enum):
    """Why a solver stopped, and what its answer is worth."""

    OPTIMAL = "optimal"
    """The loss is proven to be the least possible."""
    FINISHED = "finished"
    """All iterations ran; nothing is proven."""
    TIME_LIMIT = "time limit"
    """The time limit came first; the incumbent is returned."""
    CALL_LIMIT = "call limit"
    """The budget of oracle calls came first; the incumbent is returned."""
    INTERRUPTED = "interrupted"
    """Ctrl-C, or a callback asked to stop; the incumbent is returned."""


@dataclass
class Incumbent:
    """Best weight bits so far, by the real loss.

    Examples
    --------
    >>> best = Incumbent()
    >>> best.offer(np.array([[0, 1], [1, 1]]), np.array([3.0, 2.0]))
    True
    >>> best.loss, best.bits.tolist()
    (2.0, [1, 1])
    """

    bits: BitArray | None = None
    loss: float = float("inf")

    def offer(self, bits: npt.ArrayLike, losses: npt.ArrayLike) -> bool:
        """Take the best of many candidates, shapes (R, n) and (R,), if it beats the incumbent."""
        losses = np.asarray(losses, dtype=float)
        best = int(np.argmin(losses))
        if not losses[best] < self.loss:
            return False
        self.bits, self.loss = np.asarray(bits, dtype=np.int8)[best].copy(), float(losses[best])
        return True


@dataclass
class Ledger:
    """What the oracle was asked and what it cost."""

    calls: int = 0
    reads: int = 0
    seconds: float = 0.0

    def add(self, other: Ledger) -> None:
        """Take in what another run cost."""
        self.calls += other.calls
        self.reads += other.reads
        self.seconds += other.seconds


@dataclass
class History:
    """One row of numbers per recorded step, kept as columns.

    Examples
    --------
    >>> history = History()
    >>> history.record(iteration=1, loss=4.0)
    >>> history["loss"].tolist()
    [4.0]
    """

    columns: dict[str, list[float]] = field(default_factory=dict)

    def record(self, **values: float) -> None:
        """Append one row; every row has the same names."""
        for name, value in values.items():
            self.columns.setdefault(name, []).append(float(value))

    def __getitem__(self, name: str) -> npt.NDArray[np.float64]:
        return np.array(self.columns[name])

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))


@dataclass
class Result:
    """What ``solve`` returns.

    Parameters
    ----------
    weights : Weights
        The incumbent.
    loss : float
        Its real loss on all training samples.
    status : Status
    lower_bound : float or None
        A proven bound on the least loss, or None if none is certified.
    history : History
    ledger : Ledger
    seconds : float
        Wall-clock time of the whole call.
    bits : ndarray of int8
        The incumbent's free weight bits.
    info : dict
        Numbers of the solver's own, such as ``num_variables`` of its model.
    """

    weights: Weights
    loss: float
    status: Status
    lower_bound: float | None
    history: History
    ledger: Ledger
    seconds: float
    bits: BitArray
    info: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """What a callback is given after each step."""

    iteration: int
    iterations: int | None
    loss: float
    seconds: float


Callback = Callable[[Progress], bool | None]
"""Called after each step; returning True asks the solver to stop."""


@dataclass
class Run:
    """One solver's run: incumbent, history, ledger, clock, and the reason to stop.

    The loop of every solver reads

    >>> run = Run(time_limit=60.0)
    >>> with run.guarded():
    ...     for t in run.steps(2):
    ...         _ = run.incumbent.offer(np.array([[t]]), np.array([5.0 - t]))
    >>> run.status, run.incumbent.loss
    (<Status.FINISHED: 'finished'>, 3.0)
    """

    time_limit: float | None = None
    call_limit: int | None = None
    callbacks: tuple[Callback, ...] = ()
    incumbent: Incumbent = field(default_factory=Incumbent)
    history: History = field(default_factory=History)
    ledger: Ledger = field(default_factory=Ledger)
    status: Status = Status.FINISHED
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        for name, limit in (("time_limit", self.time_limit), ("call_limit", self.call_limit)):
            if limit is not None and not limit > 0:
                raise InvalidInputError(f"{name}={limit!r}: expected a positive number or None")

    @property
    def seconds(self) -> float:
        """Seconds since the run began."""
        return time.perf_counter() - self.started

    def exhausted(self) -> bool:
        """Whether a budget is used up; sets the status that says which."""
        if self.time_limit is not None and self.seconds >= self.time_limit:
            self.status = Status.TIME_LIMIT
            return True
        if self.call_limit is not None and self.ledger.calls >= self.call_limit:
            self.status = Status.CALL_LIMIT
            return True
        return False

    def steps(self, iterations: int | None) -> Iterator[int]:
        """Iteration numbers 1, 2, ... until the iterations, a budget or a callback end the run."""
        t = 0
        while (iterations is None or t < iterations) and not self.exhausted():
            t += 1
            yield t
            if self.told_to_stop(t, iterations):
                return

    def told_to_stop(self, iteration: int, iterations: int | None = None) -> bool:
        """Call the callbacks; whether one asked to stop, which sets the status."""
        progress = Progress(iteration, iterations, self.incumbent.loss, self.seconds)
        if any([callback(progress) for callback in self.callbacks]):
            self.status = Status.INTERRUPTED
            return True
        return False

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn Ctrl-C into the status INTERRUPTED, once there is an incumbent to return."""
        try:
            yield
        except KeyboardInterrupt:
            if self.incumbent.bits is None:
                raise
            self.status = Status.INTERRUPTED

    def result(
        self, problem: TrainingProblem, *, lower_bound: float | None = None, **info: Any
    ) -> Result:
        """The result, with the incumbent as weights of ``problem``."""
        assert self.incumbent.bits is not None
        return Result(
            weights=problem.weights_from_bits(self.incumbent.bits),
            loss=self.incumbent.loss,
            status=self.status,
            lower_bound=lower_bound,
            history=self.history,
            ledger=self.ledger,
            seconds=self.seconds,
            bits=self.incumbent.bits,
            info=info,
        )
