"""Time spent on compiling inner loops, which no time limit includes."""

from __future__ import annotations

import time
from functools import cache
from typing import Any


@cache
def _spans() -> list[tuple[float, float]]:
    """Start and end of every compilation from now on, by ``time.perf_counter``."""
    from numba.core import event

    spans: list[tuple[float, float]] = []

    class Watch(event.Listener):  # type: ignore[misc]
        """Records the outermost of nested compilations."""

        depth, begun = 0, 0.0

        def on_start(self, event: Any) -> None:
            if self.depth == 0:
                self.begun = time.perf_counter()
            self.depth += 1

        def on_end(self, event: Any) -> None:
            self.depth -= 1
            if self.depth == 0:
                spans.append((self.begun, time.perf_counter()))

    event.register("numba:compile", Watch())
    return spans


def compiled_since(moment: float) -> float:
    """Return the seconds this process has spent compiling since a time of ``time.perf_counter``.

    Compilations before the first call of this function are not counted.

    Examples
    --------
    >>> import numba
    >>> before = time.perf_counter()
    >>> compiled_since(before)
    0.0
    >>> numba.njit(lambda x: x + 1)(1)
    2
    >>> 0 < compiled_since(before) <= time.perf_counter() - before
    True
    """
    return sum((end - max(begun, moment) for begun, end in _spans() if end > moment), 0.0)
