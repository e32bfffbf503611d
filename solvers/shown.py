"""Output of a running solver: its log, shown on request, and a progress bar.

Each package logs under its own name: ``formulations``, ``solvers`` and ``qnn``.  INFO has a run's
improvements and how it ended; DEBUG has each step.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from formulations.checks import check_whole

if TYPE_CHECKING:
    from solvers.run.run import Progress


@contextmanager
def verbosely(verbose: int | bool) -> Iterator[None]:
    """Log to standard error in this block: 0 nothing, 1 improvements and ends, 2 each step.

    Adds nothing if your own handlers already show the log at that level.

    Examples
    --------
    >>> with verbosely(0):
    ...     pass
    """
    wanted = check_whole("verbose", int(verbose) if isinstance(verbose, bool) else verbose, least=0)
    level = logging.DEBUG if wanted > 1 else logging.INFO
    shown = []
    for name in ("formulations", "solvers", "qnn") if wanted else ():
        logger = logging.getLogger(name)
        if not (logger.hasHandlers() and logger.isEnabledFor(level)):
            shown.append((logger, logger.level, logging.StreamHandler()))
    for logger, _, handler in shown:
        handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
        logger.addHandler(handler)
        logger.setLevel(level)
    try:
        yield
    finally:
        for logger, before, handler in shown:
            logger.removeHandler(handler)
            logger.setLevel(before)


@contextmanager
def moving_bar(description: str) -> Iterator[Callable[[int, int | None, str], None]]:
    """Make a bar, on standard error or in a notebook, and the function that moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    columns = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[note]}", markup=False),
        TimeElapsedColumn(),
    ]
    seen = console.is_terminal or console.is_jupyter
    with Progress(*columns, console=console, transient=True, disable=not seen) as bar:
        task = bar.add_task(description, total=None, note="")
        yield lambda done, total, note: bar.update(task, completed=done, total=total, note=note)


@contextmanager
def progress_bar(description: str = "solving") -> Iterator[Callable[[Progress], None]]:
    """Make a callback for any solver that shows a bar in a terminal or a notebook.

    Examples
    --------
    >>> from solvers import QCGD, progress_bar
    >>> with progress_bar("training") as show:
    ...     solver = QCGD(callbacks=[show], iterations=20)
    """
    with moving_bar(description) as move:
        yield lambda progress: move(
            progress.iteration, progress.iterations, str(progress).partition(": ")[2]
        )
