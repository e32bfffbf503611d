"""How the inner loops are compiled: without the interpreter's lock, and kept on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit


def compiled(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Compile a function by numba, cached on disk where there is a folder that can be written.

    A cached function is compiled again when its own file changes, not when a function that it
    calls from another file does: in development, remove ``__pycache__`` then.

    Parameters
    ----------
    **options
        Of ``numba.njit``.

    Examples
    --------
    >>> @compiled()
    ... def double(x):
    ...     return 2 * x
    >>> double(4)
    8
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        try:
            decorated = njit(nogil=True, cache=True, **options)(function)
        except RuntimeError:  # no place for the cache: neither beside the file nor at home
            decorated = njit(nogil=True, **options)(function)
        return decorated  # type: ignore[no-any-return]

    return decorate
