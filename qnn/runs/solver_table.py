"""Which solver is meant: its name and options at the front door, and the solver made of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from formulations.errors import InvalidInputError, choose
from qnn.runs.safeguards import check_no_safeguards, safeguarded
from qnn.runs.solver_options import SolverOptions
from solvers import (
    QCGD,
    RMDA,
    ExactSolver,
    ExplicitSoftmax,
    LargeNeighborhoodSearch,
    ManifoldNetwork,
    MonotoneVI,
    PenaltyMethod,
    ProgressiveHedging,
    RandomFeatures,
    RandomSearch,
    Rounding,
    StraightThrough,
    WeightAnnealing,
)
from solvers.hedging.hedging import AnnealedBlocks, ExactIfSmall, PenaltyBlocks
from solvers.oracles import Oracle, registry
from solvers.run.run import Callback
from solvers.run.solver import Solver


@dataclass(frozen=True)
class Setup:
    """What a solver is made from."""

    options: SolverOptions
    encoding: str | None
    seed: int
    callbacks: tuple[Callback, ...]

    @property
    def common(self) -> dict[str, Any]:
        """Arguments of every solver."""
        return {
            "seed": self.seed,
            "time_limit": self.options.time_limit,
            "callbacks": self.callbacks,
        }

    @property
    def sampling(self) -> dict[str, Any]:
        """Arguments of every solver that asks an oracle about the whole model."""
        return {
            **self.common,
            "oracle": self.oracle,
            "iterations": self.options.iterations,
            "encoding": self.encoding,
        }

    def unending(self, count: str) -> dict[str, Any]:
        """The argument that makes a solver go on until its time limit, if it is to."""
        return {count: None} if self.options.iterations is None else {}

    @property
    def guesses(self) -> int | None:
        """As many as the oracle of the others has reads; None: until the time limit."""
        iterations = self.options.iterations
        return None if iterations is None else iterations * self.options.reads

    @property
    def restarts(self) -> int | None:
        """Of annealing; None: until the time limit."""
        return None if self.options.iterations is None else self.options.restarts

    @property
    def oracle(self) -> Oracle:
        """The oracle that was named, or the annealer."""
        return safeguarded(named_oracle(self.options), self.options)


SOLVERS: Mapping[str, Callable[[Setup], Solver]] = MappingProxyType(
    {
        "qcgd": lambda s: QCGD(**s.sampling),
        "qcgd-cold": lambda s: QCGD(**s.sampling, fresh=1),  # every call from random states
        "penalty": lambda s: PenaltyMethod(**s.sampling, penalty=s.options.penalty),
        "random": lambda s: RandomSearch(s.guesses, **s.common),
        "annealing": lambda s: WeightAnnealing(
            flips=s.options.flips, restarts=s.restarts, **s.common
        ),
        "restricted": lambda s: LargeNeighborhoodSearch(
            oracle=s.oracle if s.options.oracle else None, **s.common
        ),
        "hedging": lambda s: ProgressiveHedging(
            PenaltyBlocks(s.oracle)
            if s.options.oracle
            else ExactIfSmall(AnnealedBlocks(s.options.flips)),
            rounds=s.options.iterations,
            **s.common,
        ),
        "straight-through": lambda s: StraightThrough(**s.unending("epochs"), **s.common),
        "random-features": lambda s: RandomFeatures(**s.unending("draws"), **s.common),
        "explicit": lambda s: ExplicitSoftmax(**s.unending("draws"), **s.common),
        "manifold": lambda s: ManifoldNetwork(**s.unending("draws"), **s.common),
        "rmda": lambda s: RMDA(**s.unending("draws"), **s.common),
        "svi": lambda s: MonotoneVI(**s.unending("draws"), **s.common),
        "rounding": lambda s: Rounding(**s.unending("draws"), **s.common),
        "rounding-qubo": lambda s: Rounding(
            "qubo", oracle=s.oracle, **s.unending("draws"), **s.common
        ),
        "exact": lambda s: ExactSolver(encoding=s.encoding, workers=s.options.threads, **s.common),
    }
)
"""Every solver of the front door by its name."""


ASK_ALWAYS = frozenset({"qcgd", "qcgd-cold", "penalty", "rounding-qubo"})


ASK_IF_NAMED = frozenset({"restricted", "hedging"})
"""Solvers that ask an oracle: in any case, and those that take one but need none."""


def named_oracle(options: SolverOptions) -> Oracle:
    """The oracle that the options name, with its options.

    Raises
    ------
    InvalidInputError
        If there is no oracle or no option of that name, or a value is out of range.

    Examples
    --------
    >>> named_oracle(SolverOptions(oracle="bifurcation", oracle_option=["kind=discrete"]))
    SimulatedBifurcation(reads=10, sweeps=50)
    """
    name = options.oracle or "annealer"
    shared = {"reads": options.reads, "sweeps": options.sweeps, "threads": options.threads}
    own = registry.options(name)
    given = {option: value for option, value in shared.items() if option in own}
    return registry.make(name, **given | dict(map(_key_and_value, options.oracle_option)))


def _key_and_value(text: str) -> tuple[str, Any]:
    """``KEY=VALUE``, the value as JSON says it if it is JSON: a number, true, a list; else a word.

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
    """Whether the solver called ``name`` asks an oracle, if one is ``named`` or if none is.

    Examples
    --------
    >>> asks_oracle("qcgd"), asks_oracle("restricted"), asks_oracle("restricted", named=False)
    (True, True, False)
    """
    return name in ASK_ALWAYS or (named and name in ASK_IF_NAMED)


def make_solver(
    name: str,
    options: SolverOptions,
    *,
    encoding: str | None = None,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
) -> Solver:
    """The solver called ``name``.

    Raises
    ------
    InvalidInputError
        If there is none of that name, or an option is out of range.

    Examples
    --------
    >>> type(make_solver("annealing", SolverOptions(flips=100))).__name__
    'WeightAnnealing'
    """
    make = SOLVERS[choose("solver", name, list(SOLVERS))]
    solver = make(Setup(options, encoding, seed, tuple(callbacks)))
    if not asks_oracle(name, options.oracle is not None):
        check_no_safeguards(name, options)
    return solver
