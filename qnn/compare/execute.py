"""Execution of a comparison's cells, one after another or in parallel processes."""

from __future__ import annotations

import multiprocessing
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import closing, nullcontext
from dataclasses import replace

from threadpoolctl import threadpool_limits

from formulations.checks import check_whole
from formulations.errors import QnnError
from qnn.compare.cells import Cell, Outcome
from qnn.compare.store import Store
from qnn.runs.output import plain
from qnn.runs.solver_options import SolverOptions
from qnn.runs.training import DataOptions
from solvers.run.executors import available_cores, dismiss
from solvers.run.result import Status
from solvers.run.workers import begin_worker

OnOutcome = Callable[[Cell, Outcome], None]
Job = tuple[int, Cell]


def run(
    cells: Sequence[Cell],
    *,
    keep: str | Store | None = None,
    workers: int = 1,
    on_outcome: OnOutcome | None = None,
) -> tuple[list[Outcome], bool]:
    """Return the outcomes in the order of their cells, and True if Ctrl-C cut the run short.

    Parameters
    ----------
    cells : sequence of Cell
    keep : str or Store, optional
        Folder of finished cells: these are not run again, and every other cell is written to it as
        soon as it finishes.
    workers : int
        Number of processes; 1 uses this one.  Each computes on its share of the cores.  The
        outcomes do not depend on their number unless a time limit intervenes.
    on_outcome : callable, optional
        Called with each cell and its outcome as soon as it is known.

    Raises
    ------
    InvalidInputError
        If something would fail in every cell; raised before any work.
    KeyboardInterrupt
        If it comes before the first outcome.

    Examples
    --------
    >>> from qnn.compare import plan
    >>> from qnn.runs.training import ModelOptions
    >>> data, model = DataOptions("iris:1,2", samples=20), ModelOptions(hidden=(2,))
    >>> cells = plan(data, model, SolverOptions(iterations=1, flips=100, time_limit=0.2),
    ...              solvers=["random", "annealing"], seeds=[0, 1], penalties=[1.0])
    >>> outcomes, interrupted = run(cells)
    >>> [outcome["seed"] for outcome in outcomes], interrupted
    ([0, 0, 1, 1], False)
    """
    check_whole("workers", workers)
    _check(cells)
    store = Store(keep) if isinstance(keep, str) else keep
    outcomes: dict[int, Outcome] = {}
    interrupted = False
    try:
        with (
            nullcontext() if store is None else store.claimed(),
            closing(_outcomes(cells, store, workers)) as arriving,
        ):
            for number, outcome in arriving:
                outcomes[number] = outcome
                if on_outcome is not None:
                    on_outcome(cells[number], outcome)
                if outcome["status"] == Status.INTERRUPTED.value:
                    interrupted = True
                    break
    except KeyboardInterrupt:
        if not outcomes:
            raise
        interrupted = True
    return [outcomes[number] for number in sorted(outcomes)], interrupted


def threads(workers: int) -> int:
    """Return the threads of each worker: its share of the cores, at least one."""
    return max(1, available_cores() // workers)


def _check(cells: Sequence[Cell]) -> None:
    """Refuse, before any work, errors common to all cells of a solver, a data set or a seed."""
    first: dict[tuple[str, ...], Cell] = {}
    for cell in cells:
        first.setdefault(("variant", cell.variant), cell)
        first.setdefault(("data", cell.data.spec), cell)
    for cell in {id(cell): cell for cell in first.values()}.values():
        cell.check()


def _outcomes(
    cells: Sequence[Cell], store: Store | None, workers: int
) -> Generator[tuple[int, Outcome]]:
    """Yield cell numbers and outcomes: first the stored ones, then the computed ones."""
    todo = []
    for number, cell in enumerate(cells):
        known = store.get(cell) if store else None
        if known is None:
            todo.append(number)
        else:
            yield number, known
    jobs = [(number, _on_threads(cells[number], threads(workers))) for number in todo]
    with closing(_here(jobs) if workers == 1 else _apart(jobs, workers)) as arriving:
        for number, outcome in arriving:
            if store is not None:
                store.keep(cells[number], outcome)
            yield number, outcome


def _on_threads(cell: Cell, count: int) -> Cell:
    """Limit a cell's oracle to the threads of its worker.

    ``exact`` is exempt, since its answer depends on their number.
    """
    if cell.solver == "exact" or cell.options.threads <= count:
        return cell
    return replace(cell, options=replace(cell.options, threads=count))


def _here(jobs: Sequence[Job]) -> Generator[tuple[int, Outcome]]:
    """Run cells in this process, one after another."""
    _warm_up(_warming(jobs))
    for number, cell in jobs:
        yield number, _work(cell)


def _work(cell: Cell) -> Outcome:
    """Run a cell on its number of threads; return its outcome as if read from a file."""
    with threadpool_limits(cell.options.threads):
        outcome: Outcome = plain(cell.run())
    return outcome


def _warming(jobs: Sequence[Job]) -> list[Cell]:
    """Make a tiny run of every solver, so that timings exclude just-in-time compilation.

    The classes overlap, so that no run ends at once, and no oracle that may cost money is asked.
    """
    data = DataOptions("iris:1,2", samples=20)
    tiny = SolverOptions(iterations=1, reads=1, sweeps=1, threads=1, flips=100, time_limit=0.2)
    cells = {cell.solver: cell for _, cell in jobs}
    return [replace(cell, data=data, options=tiny, seed=0) for cell in cells.values()]


def _warm_up(cells: Sequence[Cell], tries: int = 10, long: float = 1.0) -> None:
    """Run cells until all is compiled, that is until each takes less than ``long`` seconds."""
    for cell in cells:
        for _ in range(tries):  # compilation may use up one try's time limit
            began = time.perf_counter()
            if _work(cell)["status"] == Status.INTERRUPTED.value:
                raise KeyboardInterrupt
            if time.perf_counter() - began < long:
                break


def _begin_worker(cells: Sequence[Cell]) -> None:
    begin_worker()
    _warm_up(cells)


def _apart(jobs: Sequence[Job], workers: int) -> Generator[tuple[int, Outcome]]:
    """Run cells in processes; a cell whose process dies is retried once."""
    warming = _warming(jobs)
    waiting, suspects = deque(jobs), deque[Job]()
    arrived = died = 0
    while waiting or suspects:
        # Each cell in flight when a process died is run alone, to find the one that kills it.
        alone = bool(suspects)
        lost: list[Job] = []
        queue = deque([suspects.popleft()]) if alone else waiting
        for arrival in _together(queue, 1 if alone else workers, lost, warming):
            arrived += 1
            yield arrival
        if not alone:
            suspects.extend(lost)
        for number, cell in lost if alone else ():
            died += 1
            if died == 3 and not arrived:
                raise QnnError(
                    "no process stays alive: there may be too little memory for a run; in a "
                    "script, call run below if __name__ == '__main__', or take workers=1"
                )
            yield number, cell.failed("its process died twice: killed, or out of memory")


def _together(
    queue: deque[Job], workers: int, lost: list[Job], warming: Sequence[Cell]
) -> Generator[tuple[int, Outcome]]:
    """Run cells in parallel until done or a process dies; ``lost`` gets those in flight."""
    context = multiprocessing.get_context("spawn")  # a fork would copy this process's threads
    pool = ProcessPoolExecutor(workers, context, _begin_worker, (warming,))
    running: dict[Future[Outcome], Job] = {}
    try:
        while (queue and not lost) or running:
            while queue and not lost and len(running) <= workers:  # one is held in reserve
                job = queue.popleft()
                try:
                    running[pool.submit(_work, job[1])] = job
                except BrokenExecutor:
                    lost.append(job)
            finished, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in finished:
                job = running.pop(future)
                try:
                    outcome = future.result()
                except BrokenExecutor:
                    lost.append(job)
                else:
                    yield job[0], outcome
    finally:
        dismiss(pool)
