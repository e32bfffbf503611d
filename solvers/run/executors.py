"""Blocks of a problem on any ``concurrent.futures.Executor``: threads, processes, a cluster.

A block's model is sent to a worker once and kept there under a digest of its content; later tasks
are a digest and a few arrays.  Our own processes get all models when they start.  Other executors
do not tell which worker takes a task, when it joined, or what it has discarded: a worker without
the model says so, and the task is sent again with it.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass
from math import inf
from typing import Any, Generic, Self, TypeVar

from formulations.checks import choose, shown
from formulations.errors import InvalidInputError, OracleError, QnnError
from solvers.run.option_checks import SHARED
from solvers.run.workers import Missing, PackedModel, begin_with, serve

Model = TypeVar("Model")
Argument = TypeVar("Argument")
Answer = TypeVar("Answer")

ExecutorChoice = str | Executor | Callable[[], Executor] | None
"""None or "serial", "threads", "processes", an executor, or a function that makes one."""


def check_executor(choice: object) -> None:
    """Refuse an invalid executor, or one that is shut down.

    Raises
    ------
    InvalidInputError

    Examples
    --------
    >>> check_executor("treads")
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: unknown executor 'treads': ... Did you mean 'threads'?
    """
    if choice is None:
        return
    if isinstance(choice, Executor):
        ended = getattr(choice, "_shutdown", False) or getattr(choice, "_shutdown_thread", False)
        if ended is True:
            raise _shut_down(choice)
    elif not callable(choice):
        choose("executor", choice, ["serial", "threads", "processes"])


def _shut_down(executor: Executor) -> InvalidInputError:
    return InvalidInputError(
        f"executor={type(executor).__name__}: it is shut down; give one that is open, or a "
        "function that makes one, such as executor=lambda: ThreadPoolExecutor(4)"
    )


class OutOfTimeError(Exception):
    """The time for a round ran out before every block had answered."""


class Team(Generic[Model]):
    """Team of workers that hold models and run tasks on them.

    Parameters
    ----------
    models : sequence
        One per block.  Sent to other processes by pickle.
    executor : {None, "serial", "threads", "processes"}, Executor, or function returning one
        A given executor is used and left open.  One that is named or made by a function is closed
        at the end, and replaced if the death of a worker breaks it.
    workers : int, optional
        Threads or processes; None takes one per core that this process may use.  For a given
        executor: its number of workers, so that it does not get all tasks of a round at once.
    name : callable, optional
        Maps a block's number to its name in errors.

    Attributes
    ----------
    shipments : int
        Models sent to other processes so far.
    failures : int
        Failed attempts at tasks so far.

    Raises
    ------
    InvalidInputError
        For an unknown name, or a model that cannot be sent to another process.

    Examples
    --------
    >>> with Team([10, 20], executor="threads", workers=2) as team:
    ...     team.ask(divmod, [(0, 3), (1, 3), (0, 5)])
    [(3, 1), (6, 2), (2, 0)]
    """

    def __init__(
        self,
        models: Sequence[Model],
        executor: ExecutorChoice = None,
        workers: int | None = None,
        name: Callable[[int], str] = "block {}".format,
    ) -> None:
        check_executor(executor)
        SHARED["workers"]("workers", workers)
        self.models, self.name = list(models), name
        self.shipments, self.failures = 0, 0
        self._workers = workers or available_cores()
        known = workers is not None or executor is None or isinstance(executor, str)
        self._window = 4 * self._workers if known else inf  # most tasks in flight at once
        self._given = executor if isinstance(executor, Executor) else None
        self._make = self._maker(executor)
        self._executor = self._given
        self._ready: list[PackedModel] | None = None
        self._shipped: set[int] = set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._dismiss()

    def ask(
        self,
        function: Callable[[Model, Argument], Answer],
        tasks: Sequence[tuple[int, Argument]],
        seconds: float | None = None,
    ) -> list[Answer]:
        """Return ``function(models[k], argument)`` for every task (k, argument), in order.

        Parameters
        ----------
        function : callable
            Module-level function that several threads may call at once.
        tasks : sequence of (int, object)
        seconds : float, optional
            Time for all tasks together.

        Raises
        ------
        OracleError
            If one block has failed three times, or the given executor is broken.
        OutOfTimeError
            If the time is up; waiting tasks are cancelled.
        """
        until = None if seconds is None else time.perf_counter() + seconds
        jobs = [_Job(number, k, argument) for number, (k, argument) in enumerate(tasks)]
        if self._make is None and self._executor is None:
            return [self._here(function, job, until) for job in jobs]
        answers: dict[int, Answer] = {}
        waiting = jobs
        try:
            while waiting:
                suspects, waiting = self._together(function, waiting, answers, until)
                # A dead worker takes all tasks in flight with it; running them one by one
                # identifies the culprit.
                for job in suspects:
                    while job.number not in answers:
                        self._together(function, [job], answers, until)
        except BaseException:
            self._dismiss()
            raise
        return [answers[job.number] for job in jobs]

    # -- one round ---------------------------------------------------------------------------------

    def _here(
        self, function: Callable[[Model, Any], Answer], job: _Job, until: float | None
    ) -> Answer:
        """Run a task in the calling thread."""
        while True:
            _check(until)
            try:
                return function(self.models[job.block], job.argument)
            except Exception as error:
                self._failed(job, error)

    def _together(
        self,
        function: Callable[[Model, Any], Answer],
        jobs: Sequence[_Job],
        answers: dict[int, Answer],
        until: float | None,
    ) -> tuple[list[_Job], list[_Job]]:
        """Run tasks in parallel; return those a broken executor lost or never received."""
        waiting, running = deque(jobs), dict[Future[Any], _Job]()
        lost: list[_Job] = []
        try:
            while running or (waiting and not lost):
                while waiting and not lost and len(running) < self._window:
                    job = waiting.popleft()
                    try:
                        running[self._submit(function, job)] = job
                    except BrokenExecutor as error:
                        lost.append(job)
                        self._failed(job, error)
                    except RuntimeError as error:  # shut down during the run
                        if self._executor is self._given and self._given is not None:
                            raise _shut_down(self._given) from error
                        raise
                left = None if until is None else max(0.0, until - time.perf_counter())
                done, _ = wait(running, timeout=left, return_when=FIRST_COMPLETED)
                if running and not done:
                    raise OutOfTimeError
                for future in sorted(done, key=lambda future: running[future].number):
                    job = running.pop(future)
                    try:
                        answer = future.result()
                    except BrokenExecutor as error:
                        lost.append(job)
                        self._failed(job, error)
                    except Exception as error:
                        waiting.append(job)
                        self._failed(job, error)
                    else:
                        if isinstance(answer, Missing):
                            self._shipped.discard(job.block)
                            waiting.appendleft(job)
                        else:
                            answers[job.number] = answer
        finally:
            for future in running:
                future.cancel()
        if lost:
            self._renew()
        return sorted(lost, key=lambda job: job.number), list(waiting)

    def _failed(self, job: _Job, error: BaseException) -> None:
        """Count a failure; three failures of one task, or invalid input, end the run."""
        refused = isinstance(error, InvalidInputError) or not isinstance(error, OracleError)
        if isinstance(error, QnnError) and refused:
            raise error
        self.failures += 1
        job.failures += 1
        if job.failures >= 3:
            raise OracleError(
                f"{self.name(job.block)} has failed 3 times in a row, the last time by "
                f"{type(error).__name__}: {error or 'no message'}. What was found before is kept "
                "in the state of the last finished round; look at this block's samples and the "
                "worker's memory"
            ) from error

    # -- workers -----------------------------------------------------------------------------------

    def _maker(self, choice: ExecutorChoice) -> Callable[[], Executor] | None:
        """Return a function that makes the executor, unless one was given."""
        if isinstance(choice, ProcessPoolExecutor):
            return self._processes  # fallback in case the given one breaks
        if isinstance(choice, Executor):
            return None
        if callable(choice):
            return choice
        kinds = {"serial": None, "threads": self._threads, "processes": self._processes}
        return kinds[choice or "serial"]

    def _threads(self) -> Executor:
        return ThreadPoolExecutor(self._workers, thread_name_prefix="block")

    def _processes(self) -> Executor:
        """Start worker processes that hold all models."""
        packed = self._packed()
        self.shipments += self._workers * len(packed)
        self._shipped.update(range(len(packed)))
        return ProcessPoolExecutor(self._workers, initializer=begin_with, initargs=(packed,))

    def _packed(self) -> list[PackedModel]:
        """Pack the models for sending, once."""
        if self._ready is None:
            self._ready = [PackedModel.of(model) for model in self.models]
        return self._ready

    def _submit(self, function: Callable[[Model, Any], Any], job: _Job) -> Future[Any]:
        """Submit a task to the executor, with the model if it is the first of its block."""
        if self._executor is None:
            assert self._make is not None
            made: object = self._make()
            if not isinstance(made, Executor):
                raise InvalidInputError(
                    f"executor: the function that was given has made {shown(made)}; expected a "
                    "concurrent.futures.Executor, such as ThreadPoolExecutor(4)"
                )
            self._executor = made
        if isinstance(self._executor, ThreadPoolExecutor):
            return self._executor.submit(function, self.models[job.block], job.argument)
        packed = self._packed()[job.block]
        content = None if job.block in self._shipped else packed.content
        self.shipments += content is not None
        self._shipped.add(job.block)
        return self._executor.submit(serve, function, packed.digest, content, job.argument)

    def _renew(self) -> None:
        """Replace a broken executor by a new one."""
        if self._make is None:
            raise OracleError(
                f"the executor that was given ({type(self._given).__name__}) is broken, because a "
                "worker has died: give a function that makes it, such as "
                "executor=lambda: ProcessPoolExecutor(4), and it will be made anew"
            )
        if self._executor is self._given:
            self._executor = self._given = None
        self._dismiss()

    def _dismiss(self) -> None:
        """Close an executor of our own without waiting for its running tasks."""
        executor, self._executor = self._executor, self._given
        self._shipped.clear()
        if executor is None or executor is self._given:
            return
        dismiss(executor)


def dismiss(executor: Executor) -> None:
    """Close an executor at once, without letting processes finish their tasks."""
    workers = list((getattr(executor, "_processes", None) or {}).values())
    executor.shutdown(wait=False, cancel_futures=True)
    for worker in workers:  # Otherwise they would finish their tasks before they notice.
        worker.terminate()


@dataclass
class _Job:
    """A task and its number of failures."""

    number: int
    block: int
    argument: Any
    failures: int = 0


def _check(until: float | None) -> None:
    if until is not None and time.perf_counter() >= until:
        raise OutOfTimeError


def available_cores() -> int:
    """Count the cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # unavailable on some systems
        return os.cpu_count() or 1
