"""Oracles by name, including those that other packages register as entry points.

A package registers its oracles in its own ``pyproject.toml``:

    [project.entry-points."qnn.oracles"]
    my-machine = "my_package.oracles:MyMachine"

``MyMachine`` is a class or function whose arguments are the options and that returns an object with
``sample(qubo, seed)``; :mod:`solvers.oracles.testing` tests its behaviour.  An oracle is loaded
only when its name is used.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from formulations.errors import OracleError
from solvers import plugins

if TYPE_CHECKING:
    from solvers.oracles.base import Oracle

OURS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "annealer": ("here.annealing:Annealer", "simulated annealing"),
        "tempering": ("here.tempering:ParallelTempering", "parallel tempering"),
        "parallel-annealer": (
            "here.parallel:ParallelAnnealer",
            "simulated annealing of many reads and spins at once, for a GPU",
        ),
        "path-integral": ("here.path_integral:PathIntegral", "Ocean's simulated quantum annealing"),
        "tabu": ("here.tabu:Tabu", "Ocean's tabu search"),
        "steepest-descent": ("here.descent:SteepestDescent", "descent from random states"),
        "tree-decomposition": (
            "here.tree:TreeDecomposition",
            "exact, for models whose graph is close to a tree",
        ),
        "exact": ("here.exact:ExactOracle", "exact, by enumeration, up to 24 variables"),
        "bifurcation": ("here.bifurcation:SimulatedBifurcation", "simulated bifurcation"),
        "coherent-ising": ("here.coherent:CoherentIsing", "a simulated coherent Ising machine"),
        "qpu": ("cloud.qpu:QPU", "D-Wave's quantum annealer; needs an account, and is charged"),
        "hybrid": (
            "cloud.hybrid:HybridBQM",
            "D-Wave's hybrid solver; needs an account, and is charged",
        ),
        "mock-qpu": ("cloud.mock:mock_qpu", "a local stand-in for qpu, with its graph and times"),
        "mock-hybrid": ("cloud.mock:mock_hybrid", "a local stand-in for hybrid, with its times"),
    }
)
"""The toolkit's own oracles: location below :mod:`solvers.oracles` and a one-line description.

Other packages cannot replace them.  Importing this file imports none of them.
"""


def names() -> list[str]:
    """List the names of all installed oracles, the toolkit's own first.

    Examples
    --------
    >>> names()[:2]
    ['annealer', 'tempering']
    """
    return plugins.names("oracle", OURS)


def describe(name: str) -> str:
    """Describe the oracle called ``name`` in one line, without loading it.

    Examples
    --------
    >>> describe("tabu")
    "Ocean's tabu search"
    """
    return OURS[name][1] if name in OURS else plugins.describe("oracle", name)


def options(name: str) -> list[str]:
    """List the options of the oracle called ``name``.

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
    """Return the options of the oracle called ``name`` with their defaults.

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
    """Make the oracle called ``name``.

    Parameters
    ----------
    name : str
        One of :func:`names`.
    **given
        Options of the oracle.

    Raises
    ------
    InvalidInputError
        For an unknown oracle or option, naming the nearest one; or for an option out of range.
    OracleError
        If another package's entry point cannot be loaded or is not an oracle.

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
    from formulations.checks import choose
    from solvers.oracles.base import Oracle

    factory = _factory(name)
    named, others = _parameters(factory)
    for option in given:
        if not others:  # otherwise the factory checks them itself
            choose(f"option of {name}", option, [parameter.name for parameter in named])
    oracle = factory(**given)
    if not isinstance(oracle, Oracle):
        raise OracleError(
            f"oracle {name!r} is registered as {factory!r}, which gives no object with a method "
            "sample(qubo, seed): report it to the package that registers it"
        )
    return oracle


def _factory(name: str) -> Callable[..., Any]:
    """Load the class or function that makes the oracle of this name."""
    if name in OURS:  # No search through other packages is needed.
        entry = EntryPoint(name, f"solvers.oracles.{OURS[name][0]}", "qnn.oracles")
    else:
        entry = plugins.find("oracle", name, OURS)
    factory: Callable[..., Any] = plugins.load("oracle", entry)
    return factory


def _parameters(factory: Callable[..., Any]) -> tuple[list[inspect.Parameter], bool]:
    """Return the named arguments of ``factory``, and whether it takes others as well."""
    parameters = inspect.signature(factory).parameters.values()
    named = [p for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    return named, any(p.kind is p.VAR_KEYWORD for p in parameters)
