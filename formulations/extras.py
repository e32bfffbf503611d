"""Optional dependencies, imported where they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from formulations.errors import MissingExtraError


def load_extra(module: str, extra: str, what: str, instead: str = "") -> Any:
    """Import ``module``, which an extra brings.

    Parameters
    ----------
    module : str
    extra : str
        The extra of this package.
    what : str
        What needs it, as the message begins.
    instead : str
        What to do without it, as the message ends.

    Raises
    ------
    MissingExtraError
        If it is not installed.

    Examples
    --------
    >>> load_extra("json", "ocean", "a D-Wave machine").dumps([1])
    '[1]'
    >>> load_extra("no.such", "ocean", "a D-Wave machine")
    Traceback (most recent call last):
    formulations.errors.MissingExtraError: a D-Wave machine needs no.such: pip install ...
    """
    try:
        return import_module(module)
    except ImportError as error:
        raise MissingExtraError(
            f"{what} needs {module}: pip install 'qnn-ising[{extra}]'{instead}"
        ) from error
