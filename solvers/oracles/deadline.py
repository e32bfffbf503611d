"""Deadline for answers, kept by oracles on this machine.

A solver with a time limit calls its oracle within :func:`answer_by`; an oracle that can stop early
reads :func:`time_left` and returns the states it has by then.  The deadline belongs to the calling
thread, so it passes through every wrapper of an oracle and needs no argument.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

_DEADLINE: ContextVar[float] = ContextVar("deadline", default=np.inf)


@contextmanager
def answer_by(deadline: float | None) -> Iterator[None]:
    """Ask oracles in this block to answer by a time of ``time.perf_counter``; None sets no limit.

    The earliest of nested deadlines applies.

    Examples
    --------
    >>> with answer_by(time.perf_counter() + 60.0), answer_by(None):
    ...     50.0 < time_left() <= 60.0
    True
    >>> time_left()
    inf
    """
    token = _DEADLINE.set(min(_DEADLINE.get(), np.inf if deadline is None else deadline))
    try:
        yield
    finally:
        _DEADLINE.reset(token)


def time_left() -> float:
    """Return the seconds until this thread's deadline, at least 0; infinite without one."""
    return max(0.0, _DEADLINE.get() - time.perf_counter())
