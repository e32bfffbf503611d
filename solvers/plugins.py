"""Solvers and oracles that other packages register as entry points.

A package registers a name in its own ``pyproject.toml``:

    [project.entry-points."qnn.solvers"]
    my-solver = "my_package:MySolver"

Listing the names loads nothing; a package is imported only when its name is used.
"""

from __future__ import annotations

from collections.abc import Collection
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from formulations.errors import InvalidInputError, OracleError, QnnError


def names(kind: str, ours: Collection[str]) -> list[str]:
    """List the toolkit's own solvers or oracles, then those of other installed packages.

    Parameters
    ----------
    kind : {"solver", "oracle"}
        Reads entry points of the group ``qnn.solvers`` or ``qnn.oracles``.
    ours : collection of str
        The toolkit's own names, which no other package can replace.
    """
    return [*ours, *sorted({entry.name for entry in entry_points(group=_group(kind))} - set(ours))]


def find(kind: str, name: str, ours: Collection[str]) -> EntryPoint:
    """Find the entry point of another package's solver or oracle without loading it.

    Raises
    ------
    InvalidInputError
        If the name is unknown, naming the nearest one, or if several packages register it.
    """
    from formulations.checks import choose  # Imported here, because help lists names without NumPy.

    choose(kind, name, names(kind, ours))
    found = {entry.value: entry for entry in entry_points(group=_group(kind)) if entry.name == name}
    if len(found) > 1:
        raise InvalidInputError(
            f"{kind} {name!r} is registered as {' and as '.join(found)}: uninstall one of the "
            "packages, or import the class that you mean"
        )
    (entry,) = found.values()
    return entry


def load(kind: str, entry: EntryPoint) -> Any:
    """Load the class or function that an entry point names.

    Raises
    ------
    OracleError, QnnError
        If an oracle or a solver cannot be imported.
    """
    try:
        return entry.load()
    except (ImportError, AttributeError) as error:
        raise (OracleError if kind == "oracle" else QnnError)(
            f"{kind} {entry.name!r} is registered as {entry.value!r}, which cannot be loaded "
            f"({error}): install or repair the package that registers it"
        ) from error


def describe(kind: str, name: str) -> str:
    """Describe another package's solver or oracle in one line from its metadata.

    >>> describe("solver", "unheard-of")
    'of another package'
    """
    for entry in entry_points(group=_group(kind)):
        if entry.name == name and entry.dist is not None:
            return f"of the package {entry.dist.name}"
    return "of another package"


def _group(kind: str) -> str:
    return f"qnn.{kind}s"
