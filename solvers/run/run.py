"""Loop that every solver's run shares: budget, callbacks and Ctrl-C."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray
from formulations.errors import BudgetExhaustedError, OracleError
from formulations.files.schema import number, whole
from solvers.oracles.base import QUBO, Oracle, Samples
from solvers.oracles.deadline import answer_by
from solvers.oracles.ledger import Ledger as Ledger
from solvers.oracles.wrappers.audit import Audited
from solvers.oracles.wrappers.budget import budgets
from solvers.oracles.wrappers.record import unrecorded
from solvers.run.checkpoint import Checkpoint, Resumable, check_alike
from solvers.run.compiling import compiled_since
from solvers.run.option_checks import SHARED
from solvers.run.result import History, Incumbent, Result, Status

log = logging.getLogger(__name__)

CTRL_C = "Ctrl-C"
"""``info["reason"]`` of a run that Ctrl-C interrupted."""


def pass_on(run: Run | Result) -> None:
    """Interrupt the enclosing run if Ctrl-C interrupted a part of it.

    Raises
    ------
    KeyboardInterrupt
    """
    reason = run.reason if isinstance(run, Run) else run.info.get("reason")
    if run.status is Status.INTERRUPTED and reason == CTRL_C:
        raise KeyboardInterrupt


@dataclass(frozen=True)
class Progress:
    """Progress passed to a callback after each step.

    Parameters
    ----------
    iteration, iterations : int
        Steps taken and the most to take; None runs until a limit.
    loss : float
        Loss of the best candidate so far.
    seconds : float
        Seconds since the run began.
    feasible : bool
        Whether that candidate satisfies all rows; ``loss`` includes the price of violations.
    bound : float, optional
        Proven lower bound on the loss, if any.
    source : str, optional
        Source of the candidate, if the solver has several.
    """

    iteration: int
    iterations: int | None
    loss: float
    seconds: float
    feasible: bool = True
    bound: float | None = None
    source: str | None = None

    def __str__(self) -> str:
        of = "" if self.iterations is None else f" of {self.iterations}"
        best = f"best {self.loss:g}" if self.feasible else "no feasible point yet"
        bound = "" if self.bound is None else f", bound {self.bound:g}"
        by = "" if self.source is None else f", by {self.source}"
        return f"step {self.iteration}{of}, {self.seconds:.3g} s: {best}{bound}{by}"


Callback = Callable[[Progress], bool | None]
"""Called after each step; returning True stops the solver."""


@dataclass
class Run:
    """Run of a solver: incumbent, history, ledger, clock and reason to stop.

    The loop of every solver reads

    >>> run = Run(time_limit=60.0)
    >>> with run.guarded():
    ...     for t in run.steps(2):
    ...         _ = run.incumbent.offer(np.array([[t]]), np.array([5.0 - t]))
    >>> run.status, run.incumbent.loss
    (<Status.FINISHED: 'finished'>, 3.0)

    With a checkpoint, the block begins with ``run.resume(loop)``: ``loop`` carries the state from
    one step to the next.  With an oracle, ``run.ask(qubo, seed)`` asks it.
    """

    time_limit: float | None = None
    call_limit: int | None = None
    callbacks: tuple[Callback, ...] = ()
    checkpoint: Checkpoint | None = None
    oracle: Oracle | None = None
    started: float = field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        for name in ("time_limit", "call_limit", "callbacks"):
            SHARED[name](name, getattr(self, name))
        self.incumbent, self.ledger = Incumbent(), Ledger()
        self.history, self.trace = History(), History()
        self.status, self.iteration = Status.FINISHED, 0
        self.reason: str | None = None
        self.ended: float | None = None
        self.tells: Callable[[], Mapping[str, Any]] = dict  # more data for callbacks
        self._loop: Resumable | None = None
        self._asked_to_stop = False
        self._iterations: int | None = None
        compiled_since(self.started)  # starts the compilation timer

    def ask(
        self, qubo: QUBO, seed: np.random.SeedSequence, states: BitArray | None = None
    ) -> Samples:
        """Ask the oracle, from ``states`` if any; check and book its answer.

        Call it before the step changes the loop's state, which is saved if the oracle fails.

        Raises
        ------
        OracleError, BudgetExhaustedError
            See :class:`solvers.oracles.wrappers.audit.Audited`.
        """
        assert self.oracle is not None
        try:
            with answer_by(self.deadline):
                return Audited(self.oracle, self.ledger).answer(qubo, states, seed)
        except (OracleError, BudgetExhaustedError):
            if self.incumbent.bits is not None:
                self.save()
            raise

    @property
    def seconds(self) -> float:
        """Seconds since the run began, without the pauses between its parts."""
        return time.perf_counter() - self.started if self.ended is None else self.ended

    @property
    def deadline(self) -> float | None:
        """Time at which the limit is reached, by ``time.perf_counter``; None without a limit.

        Compiling inner loops on their first use extends it.
        """
        if self.time_limit is None:
            return None
        return self.started + self.time_limit + compiled_since(self.started)

    def late(self) -> bool:
        """Return whether the time limit is over; long steps call it while they run."""
        if self.time_limit is None or self.seconds < self.time_limit:
            return False
        return self.ended is not None or time.perf_counter() >= (self.deadline or 0.0)

    def exhausted(self) -> bool:
        """Return whether a budget is used up, and set the status that names it."""
        if self.late():
            self.status = Status.TIME_LIMIT
            return True
        if self.call_limit is not None and self.ledger.calls >= self.call_limit:
            self.status = Status.CALL_LIMIT
            return True
        return False

    def steps(self, iterations: int | None) -> Iterator[int]:
        """Yield numbers 1, 2, ... until the iterations, a budget or a callback end the run.

        Without an incumbent, the first step runs whatever the budget, so there is always an answer.
        """
        self._iterations = iterations
        while self.ended is None and (iterations is None or self.iteration < iterations):
            answered = self.iteration > 0 or self.incumbent.bits is not None
            if answered and self.exhausted():
                self.save()
                return
            yield self.iteration + 1
            self.iteration += 1
            stopped = self.told_to_stop(self.iteration, iterations)
            if stopped or (self.checkpoint and self.checkpoint.due):
                self.save()
            if stopped:
                return

    def told_to_stop(self, iteration: int, iterations: int | None = None) -> bool:
        """Trace the step and call the callbacks; set the status if one asks to stop.

        It may also be called within a step when the incumbent improves.  The step still completes,
        so that the run can resume as if it had never stopped.
        """
        better = not len(self.trace) or self.incumbent.loss < self.trace.columns["loss"][-1]
        if better:
            self.trace.record(seconds=self.seconds, loss=self.incumbent.loss)
        if iterations is None:
            iterations = self._iterations
        progress = Progress(
            iteration, iterations, self.incumbent.loss, self.seconds, **self.tells()
        )
        log.log(logging.INFO if better else logging.DEBUG, "%s", progress)
        self._asked_to_stop |= any([callback(progress) for callback in self.callbacks])
        if self._asked_to_stop:
            self.status = Status.INTERRUPTED
            return True
        return False

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Turn Ctrl-C and oracle errors into a status once there is an incumbent."""
        try:
            yield
        except BaseException as error:
            if self.checkpoint is not None:
                self.checkpoint.close()
            status = Status.after(error)
            if status is None or self.incumbent.bits is None:
                raise
            ctrl_c = status is Status.INTERRUPTED
            self.status, self.reason = status, CTRL_C if ctrl_c else str(error) or None

    # -- checkpoints -------------------------------------------------------------------------------

    def resume(self, loop: Resumable | None = None) -> bool:
        """Keep ``loop`` in the checkpoint from now on, and resume from an existing one.

        Parameters
        ----------
        loop : Resumable, optional
            State carried from one step to the next besides this run's own.

        Returns
        -------
        bool
            Whether there was a checkpoint; if so, ``loop`` and this run have the saved state.

        Raises
        ------
        FileAccessError, FileFormatError, InvalidInputError
            See :class:`solvers.run.checkpoint.Checkpoint`.
        """
        if self.checkpoint is None:
            return False
        self._loop = loop
        self.checkpoint.open()
        saved = self.checkpoint.load()
        if saved is None:
            return False
        self.checkpoint.understood(lambda: check_alike(self._fresh(), saved))
        self.checkpoint.understood(lambda: self._restore(saved))
        return True

    def _fresh(self) -> dict[str, Any]:
        """Return this run's snapshot before its first step, as far as it exists already."""
        loop, self._loop = self._loop, None
        try:
            fresh = self._snapshot(ended=False)
        finally:
            self._loop = loop
        with suppress(AttributeError):  # a loop that begins only if there is nothing to resume
            fresh["loop"] = loop and loop.snapshot()
        return fresh

    def _snapshot(self, ended: bool) -> dict[str, Any]:
        return {
            "iteration": self.iteration,
            "seconds": self.seconds,
            "status": self.status.value if ended else None,
            "reason": self.reason if ended else None,
            "incumbent": vars(self.incumbent),
            "ledger": vars(self.ledger),
            "budgets": [vars(budget.ledger) for budget in budgets(self.oracle)],
            "history": self.history.arrays(),
            "trace": self.trace.arrays(),
            "loop": self._loop and self._loop.snapshot(),
        }

    def _restore(self, saved: Mapping[str, Any]) -> None:
        whole(0)(saved["iteration"], "the snapshot.iteration")
        number(0)(saved["seconds"], "the snapshot.seconds")
        self.iteration = saved["iteration"]
        self.started = time.perf_counter() - saved["seconds"]
        if saved["status"] is not None:
            self.status, self.ended = Status(saved["status"]), saved["seconds"]
            self.reason = saved.get("reason")
        self.incumbent = Incumbent(**saved["incumbent"])
        self.ledger = Ledger(**saved["ledger"])
        for budget, spent in zip(budgets(self.oracle), saved.get("budgets", ()), strict=False):
            budget.ledger.at_least(Ledger(**spent))
        self.history = History.of(saved["history"])
        self.trace = History.of(saved.get("trace", {}))  # added by a later release
        if self._loop is not None:
            self._loop.restore(saved["loop"])

    def save(self, *, ended: bool = False) -> None:
        """Save the run's state between two steps; only needed before an error."""
        if self.checkpoint is not None:
            self.checkpoint.save(self._snapshot(ended))

    def end(self) -> dict[str, Any]:
        """Save the end of the run, if it has ended, and release the checkpoint.

        Returns
        -------
        dict
            Entries for a result's ``info``: why the run ended early, and why it or an oracle's
            answer could not be saved, if so.
        """
        log.info(
            "%s after %d steps, %.3g s and %d oracle calls: best %g",
            *(self.reason or self.status.value, self.iteration, self.seconds),
            *(self.ledger.calls, self.incumbent.loss),
        )
        about = {} if self.reason is None else {"reason": self.reason}
        failure = unrecorded(self.oracle)
        if failure is not None:
            about["record_failure"] = failure
        if self.checkpoint is None:
            return about
        if self.ended is None and self.status in (Status.FINISHED, Status.OPTIMAL):
            self.ended = self.seconds
            with suppress(KeyboardInterrupt):  # too late to stop; the previous one suffices
                self.save(ended=True)
        self.checkpoint.close()
        failure = self.checkpoint.failure
        return about if failure is None else {**about, "checkpoint_failure": failure}

    # -- the result --------------------------------------------------------------------------------

    def result(
        self, problem: TrainingProblem, *, lower_bound: float | None = None, **info: Any
    ) -> Result:
        """Return the result, with the incumbent as weights of ``problem``."""
        info |= self.end()
        assert self.incumbent.bits is not None
        weights, loss = problem.weights_from_bits(self.incumbent.bits), self.incumbent.loss
        if problem.constraints:
            info["broken"] = problem.broken(weights)
            if info["broken"]:  # Loss excludes their price; no optimality.
                loss = problem.loss(weights)
                if self.status is Status.OPTIMAL:
                    self.status = Status.FINISHED
        self.trace.record(seconds=self.seconds, loss=loss)
        return Result(
            weights=weights,
            loss=loss,
            status=self.status,
            lower_bound=lower_bound,
            history=self.history,
            ledger=self.ledger,
            seconds=self.seconds,
            bits=self.incumbent.bits,
            info=info,
            trace=self.trace,
        )
