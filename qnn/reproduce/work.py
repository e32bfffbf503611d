"""Compute independent parts of a report in parallel processes."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, ProcessPoolExecutor
from contextlib import contextmanager
from itertools import starmap
from typing import Any

from threadpoolctl import threadpool_limits

from formulations.checks import check_whole
from formulations.errors import QnnError
from qnn.reproduce.report import Mapped
from solvers.run.executors import available_cores, dismiss
from solvers.run.workers import begin_worker


@contextmanager
def processes(workers: int = 1) -> Iterator[Mapped]:
    """Return a function that computes independent parts in parallel; one process means this one.

    Each process computes on its share of the cores.  Results come in the order of the tasks, so
    that a report does not depend on the number of processes, except for times.

    Examples
    --------
    >>> with processes() as mapped:
    ...     list(mapped(divmod, [(7, 2), (9, 4)]))
    [(3, 1), (2, 1)]
    """
    check_whole("workers", workers)
    if workers == 1:
        yield starmap
        return
    threads = max(1, available_cores() // workers)
    context = multiprocessing.get_context("spawn")  # a fork would copy this process's threads
    pool = ProcessPoolExecutor(workers, context, begin_worker)

    def mapped(function: Callable[..., Any], tasks: Iterable[tuple[Any, ...]]) -> Iterator[Any]:
        futures = [pool.submit(_worked, threads, function, task) for task in tasks]
        return (future.result() for future in futures)

    try:
        yield mapped
    except BrokenExecutor as error:
        raise QnnError(
            "a process died: killed, or out of memory; try again with fewer workers"
        ) from error
    finally:
        dismiss(pool)


def _worked(threads: int, function: Callable[..., Any], task: tuple[Any, ...]) -> Any:
    """Compute one task on the process's share of threads."""
    with threadpool_limits(threads):
        return function(*task)
