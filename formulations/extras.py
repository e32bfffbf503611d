"""Optional dependencies, imported when they are needed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from formulations.errors import MissingExtraError


def load_extra(module: str, extra: str, what: str, instead: str = "") -> Any:
    """Import ``module``, which the extra ``extra`` installs.

    Parameters
    ----------
    module : str
    extra : str
        Name of the extra of this package.
    what : str
        Feature that needs the module; the message begins with it.
    instead : str
        Advice on doing without the module; the message ends with it.

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
