"""The single table of solvers: names, one-line descriptions, and constructors.

Help, completion, ``qnn list``, ``qnn train`` and ``qnn compare`` read it.  Other packages add their
solvers through the entry-point group ``qnn.solvers``.  Importing this file loads no solver.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import solvers
from formulations.errors import InvalidInputError, QnnError
from qnn.runs.solver_options import ASKING, SolverOptions, block_solver, restricted_form
from solvers import plugins

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from solvers.oracles import Oracle
    from solvers.run.run import Callback
    from solvers.run.solver import Solver


@dataclass(frozen=True)
class Setup:
    """Arguments from which a solver is built."""

    options: SolverOptions
    encoding: str | None
    seed: int
    callbacks: tuple[Callback, ...]

    @property
    def common(self) -> dict[str, Any]:
        """Arguments of every solver."""
        limit = self.options.time_limit
        return {"seed": self.seed, "time_limit": limit, "callbacks": self.callbacks}

    @property
    def sampling(self) -> dict[str, Any]:
        """Arguments of every solver that asks an oracle about the whole model."""
        return {
            **self.common,
            "oracle": self.oracle,
            "iterations": self.options.iterations,
            "encoding": self.encoding,
        }

    def unending(self, count: str, usual: int | None = None) -> dict[str, Any]:
        """Return the argument that removes the solver's own limit if no iterations are given."""
        if self.options.iterations is None:
            return {count: None}
        return {} if usual is None else {count: usual}

    def times(self, reads: int) -> int | None:
        """Return ``reads`` per iteration in total; None: until the time limit."""
        iterations = self.options.iterations
        return None if iterations is None else iterations * reads

    @property
    def oracle(self) -> Oracle:
        """The named oracle, or the annealer, with its record, timeout and budget."""
        return self.options.guarded(named_oracle(self.options))

    @property
    def named(self) -> Oracle | None:
        return self.oracle if self.options.oracle else None


Asks = Literal["always", "if named", "never"]
"""Says if a solver asks an oracle: always, only if one is named, or never."""

Entry = tuple[Asks, str, Callable[[Setup], "Solver"]]
"""Use of an oracle, a one-line description, and the constructor."""


def _hedging(s: Setup) -> Solver:
    from solvers.hedging.hedging import AnnealedBlocks, ExactIfSmall, PenaltyBlocks

    blocks = block_solver(s.options, s.encoding, lambda: s.oracle)
    if blocks is None:
        annealed = ExactIfSmall(AnnealedBlocks(s.options.flips))
        blocks = PenaltyBlocks(s.oracle) if s.options.oracle else annealed
    count = s.options.iterations
    return solvers.ProgressiveHedging(blocks, s.options.block_size, rounds=count, **s.common)


def _decomposed(s: Setup) -> Solver:
    from solvers.decomposed.lifted_blocks import LiftedBlocks
    from solvers.hedging.hedging import ExactIfSmall

    blocks = block_solver(s.options, s.encoding, lambda: s.oracle)
    if blocks is None and s.options.oracle is None:
        blocks = ExactIfSmall(LiftedBlocks(s.oracle, s.encoding))
    return solvers.DecomposedQCGD(
        s.oracle if blocks is None else None,
        s.options.level,
        s.options.block_size,
        s.options.iterations,
        blocks,
        encoding=s.encoding,
        **s.common,
    )


def _drawn(kind: str, **own: Any) -> Callable[[Setup], Solver]:
    """Return a constructor of a solver that draws starts, until the time limit by default."""
    return lambda s: getattr(solvers, kind)(**own, **s.unending("draws"), **s.common)


def _qcgd(**candidates: Any) -> Callable[[Setup], Solver]:
    """Return a constructor of QCGD with non-default candidates."""
    return lambda s: solvers.QCGD(**s.sampling, candidates=solvers.Candidates(**candidates))


SOLVERS: Mapping[str, Entry] = MappingProxyType({
    "trainer": ("never",
     "gradients, restricted problems, or both, as held-out samples prefer",
     lambda s: solvers.Trainer(**s.common)),
    "qcgd": ("always",
     "the whole training as one model, by conditional gradients; asks an oracle",
     lambda s: solvers.QCGD(**s.sampling)),
    "qcgd-cold": ("always",
     "qcgd without warm starts: every call begins from random states", _qcgd(fresh=1)),
    "qcgd-pure": ("always",
     "qcgd that scores what the oracle finds, without polish and other sources",
     _qcgd(sources=("oracle",))),
    "penalty": ("always",
     "the model with its rows as penalties of weight --penalty; asks an oracle",
     lambda s: solvers.PenaltyMethod(**s.sampling, penalty=s.options.penalty)),
    "random": ("never", "as many random networks as an oracle would have reads",
     lambda s: solvers.RandomSearch(s.times(s.options.reads), **s.common)),
    "annealing": ("never", "simulated annealing of the weights themselves, without a model",
     lambda s: solvers.WeightAnnealing(
         flips=s.options.flips, **s.unending("restarts", s.options.restarts), **s.common)),
    "restricted": ("if named",
     "a few weights at a time, by enumeration or by a named oracle",
     lambda s: solvers.LargeNeighborhoodSearch(
         s.named, **restricted_form(s.options), **s.common)),
    "hedging": ("if named",
     "blocks of samples driven to agree; small blocks exactly, with a bound", _hedging),
    "decomposed": ("always",
     "blocks of samples that agree on moments of the weights; a bound, as --level rises",
     _decomposed),
    "straight-through": ("never",
     "gradients through the rounding, the usual way to train low-bit networks",
     lambda s: solvers.StraightThrough(**s.unending("epochs"), **s.common)),
    "random-features": ("never", "random hidden layers; only the last layer is trained",
     _drawn("RandomFeatures")),
    "explicit": ("never",
     "weights as logarithms of sums over the data, in closed form; rounded",
     _drawn("ExplicitSoftmax")),
    "manifold": ("never", "every layer in closed form, from the last to the first; rounded",
     _drawn("ManifoldNetwork")),
    "rmda": ("never", "dual averaging with momentum, on real weights; rounded", _drawn("RMDA")),
    "svi": ("never", "a monotone variational inequality, on real weights; rounded",
     _drawn("MonotoneVI")),
    "rounding": ("never", "a network with real weights, rounded weight by weight",
     _drawn("Rounding")),
    "rounding-qubo": ("always", "a network with real weights, rounded together by an oracle",
     lambda s: _drawn("Rounding", method="qubo", oracle=s.oracle)(s)),
    "exact": ("never",
     "the best weights, proven: by enumeration, or by CP-SAT (extra exact)",
     lambda s: solvers.ExactSolver(
         encoding=s.encoding, workers=s.options.threads, **s.common)),
})  # fmt: skip
"""The toolkit's own solvers by name; other packages cannot replace them."""


def solver_names() -> list[str]:
    """Return the names of all installed solvers, the toolkit's own first.

    Examples
    --------
    >>> solver_names()[:3]
    ['trainer', 'qcgd', 'qcgd-cold']
    """
    return plugins.names("solver", SOLVERS)


def describe(name: str) -> str:
    """Return one line about the solver called ``name``, without loading it.

    Examples
    --------
    >>> describe("rmda")
    'dual averaging with momentum, on real weights; rounded'
    """
    return SOLVERS[name][1] if name in SOLVERS else plugins.describe("solver", name)


def solver_entry(name: str) -> Entry:
    """Return the entry of the solver called ``name``, loading that of another package."""
    if name in SOLVERS:
        return SOLVERS[name]
    return _plugin(plugins.find("solver", name, SOLVERS))


def _plugin(entry: EntryPoint) -> Entry:
    """Return the entry of another package's solver, which gets those of our options that it takes.

    A parameter ``oracle`` without a default means that the solver always asks one.
    """
    make = plugins.load("solver", entry)
    takes = inspect.signature(make).parameters
    asks: Asks = "never"
    if "oracle" in takes:
        required = takes["oracle"].default is inspect.Parameter.empty
        asks = "always" if required else "if named"

    def made(s: Setup) -> Solver:
        given: dict[str, Any] = {**s.common, "encoding": s.encoding}
        given["iterations"] = s.options.iterations
        if asks == "always" or s.options.oracle:
            given["oracle"] = s.oracle
        solver = make(**{option: value for option, value in given.items() if option in takes})
        if not callable(getattr(solver, "solve", None)):
            raise QnnError(
                f"solver {entry.name!r} is registered as {entry.value!r}, whose result has no "
                "method solve(problem): report it to the package that registers it"
            )
        checked: Solver = solver
        return checked

    return asks, plugins.describe("solver", entry.name), made


def named_oracle(options: SolverOptions) -> Oracle:
    """Return the oracle that the options name, with its options.

    Examples
    --------
    >>> named_oracle(SolverOptions(oracle="bifurcation", oracle_option=["kind=discrete"]))
    SimulatedBifurcation(reads=10, sweeps=50)
    """
    from solvers.oracles import registry

    name = options.oracle or "annealer"
    shared = {"reads": options.reads, "sweeps": options.sweeps, "threads": options.threads}
    own = registry.options(name)
    given = {option: value for option, value in shared.items() if option in own}
    return registry.make(name, **given | dict(map(_key_and_value, options.oracle_option)))


def _key_and_value(text: str) -> tuple[str, Any]:
    """Parse ``KEY=VALUE``; the value is JSON if it is valid JSON, else a word.

    Examples
    --------
    >>> _key_and_value("beta_range=[0.1, 5]"), _key_and_value("kind=discrete")
    (('beta_range', [0.1, 5]), ('kind', 'discrete'))
    """
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise InvalidInputError(f"oracle option {text!r}: expected KEY=VALUE, such as reads=100")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def asks_oracle(name: str, named: bool = True) -> bool:
    """Return True if the solver called ``name`` asks an oracle, given that one is ``named`` or not.

    Examples
    --------
    >>> asks_oracle("qcgd"), asks_oracle("restricted"), asks_oracle("restricted", named=False)
    (True, True, False)
    """
    asks = solver_entry(name)[0]
    return asks == "always" or (named and asks == "if named")


def make_solver(
    name: str,
    options: SolverOptions,
    *,
    encoding: str | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
) -> Solver:
    """Return the solver called ``name``.

    Examples
    --------
    >>> type(make_solver("annealing", SolverOptions(flips=100))).__name__
    'WeightAnnealing'
    """
    solver = solver_entry(name)[2](Setup(options, encoding, seed, tuple(callbacks)))
    if not asks_oracle(name, options.oracle is not None or options.blocks in ASKING):
        options.check_no_oracle(name)
    return solver
