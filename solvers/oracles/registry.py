"""Oracles by name, for the front door; those of other packages by an entry point.

A package registers its oracles in its own ``pyproject.toml``:

    [project.entry-points."qnn.oracles"]
    my-machine = "my_package.oracles:MyMachine"

``MyMachine`` is a class or function whose arguments are the options, and that gives an object with
``sample(qubo, seed)``; :mod:`solvers.oracles.testing` tells whether that is right.  Nothing is
loaded before it is asked for by name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

from formulations.errors import InvalidInputError, OracleError, choose
from solvers.oracles.base import Oracle

GROUP = "qnn.oracles"
"""The group of entry points."""

OURS: Mapping[str, str] = MappingProxyType(
    {
        "annealer": "solvers.oracles.here.annealing:Annealer",
        "path-integral": "solvers.oracles.here.path_integral:PathIntegral",
        "tabu": "solvers.oracles.here.tabu:Tabu",
        "steepest-descent": "solvers.oracles.here.descent:SteepestDescent",
        "tree-decomposition": "solvers.oracles.here.tree:TreeDecomposition",
        "exact": "solvers.oracles.here.exact:ExactOracle",
        "bifurcation": "solvers.oracles.here.bifurcation:SimulatedBifurcation",
        "coherent-ising": "solvers.oracles.here.coherent:CoherentIsing",
        "qpu": "solvers.oracles.cloud.qpu:QPU",
        "hybrid": "solvers.oracles.cloud.hybrid:HybridBQM",
        "mock-qpu": "solvers.oracles.cloud.mock:mock_qpu",
        "mock-hybrid": "solvers.oracles.cloud.mock:mock_hybrid",
    }
)
"""The toolkit's own, which nobody can replace."""


def names() -> list[str]:
    """Names of all oracles that are installed here, the toolkit's own first.

    Examples
    --------
    >>> names()[:2]
    ['annealer', 'path-integral']
    """
    return [*OURS, *sorted({entry.name for entry in _others()} - set(OURS))]


def options(name: str) -> list[str]:
    """Names of the options that the oracle called ``name`` takes.

    Raises
    ------
    InvalidInputError, OracleError
        As :func:`make`.

    Examples
    --------
    >>> options("steepest-descent")
    ['reads']
    """
    return [parameter.name for parameter in parameters(name)]


def parameters(name: str) -> list[inspect.Parameter]:
    """The options that the oracle called ``name`` takes, with their defaults.

    Raises
    ------
    InvalidInputError, OracleError
        As :func:`make`.

    Examples
    --------
    >>> [f"{p.name}={p.default}" for p in parameters("steepest-descent")]
    ['reads=10']
    """
    named, _ = _parameters(_factory(name))
    return named


def make(name: str, **given: Any) -> Oracle:
    """The oracle called ``name``.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    **given
        Its options.

    Raises
    ------
    InvalidInputError
        If there is no oracle or no option of that name, naming the nearest one; or for an option
        that is out of range.
    OracleError
        If another package registered something that cannot be loaded or is no oracle.

    Examples
    --------
    >>> make("annealer", reads=10)
    Annealer(reads=10, sweeps=500)
    >>> make("anealer")
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: unknown oracle 'anealer': ... Did you mean 'annealer'?
    >>> make("tabu", read=3)
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: unknown option of tabu 'read': ... Did you mean 'reads'?
    """
    factory = _factory(name)
    named, others = _parameters(factory)
    for option in given:
        if not others:  # else the factory checks them itself
            choose(f"option of {name}", option, [parameter.name for parameter in named])
    oracle = factory(**given)
    if not isinstance(oracle, Oracle):
        raise OracleError(
            f"oracle {name!r} is registered as {factory!r}, which gives no object with a method "
            "sample(qubo, seed): report it to the package that registers it"
        )
    return oracle


def _others() -> Iterable[EntryPoint]:
    return entry_points(group=GROUP)


def _factory(name: str) -> Callable[..., Any]:
    """What makes the oracle of this name, loaded now."""
    if name in OURS:  # then other packages need not be looked through
        entry = EntryPoint(name, OURS[name], GROUP)
    else:
        choose("oracle", name, names())
        found = {entry.value: entry for entry in _others() if entry.name == name}
        if len(found) > 1:
            raise InvalidInputError(
                f"oracle {name!r} is registered as {' and as '.join(found)}: uninstall one of the "
                "packages, or import the class that you mean"
            )
        (entry,) = found.values()
    try:
        factory: Callable[..., Any] = entry.load()
    except (ImportError, AttributeError) as error:
        raise OracleError(
            f"oracle {name!r} is registered as {entry.value!r}, which cannot be loaded ({error}): "
            "install or mend the package that registers it"
        ) from error
    return factory


def _parameters(factory: Callable[..., Any]) -> tuple[list[inspect.Parameter], bool]:
    """The named arguments of ``factory``, and whether it takes others as well."""
    parameters = inspect.signature(factory).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)
