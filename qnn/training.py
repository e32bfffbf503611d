"""One training run, from the words of the front door to its figures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError, choose
from formulations.network import Weights
from qnn.datasets import Dataset, load
from qnn.safeguards import check_no_safeguards, safeguarded
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
from solvers.checkpoint import EVERY
from solvers.hedging import AnnealedBlocks, PenaltyBlocks
from solvers.oracles import Oracle, registry
from solvers.oracles.wrapper import layers
from solvers.result import Callback, Result
from solvers.starts import Solver


@dataclass(frozen=True)
class DataOptions:
    """Arguments of :func:`qnn.datasets.load`, without the seed."""

    spec: str
    samples: int | None = 100
    inputs: int | None = None
    levels: int | None = 2
    target: str | None = None
    data_dir: str | None = None

    def load(self, seed: int) -> Dataset:
        """The data set that ``seed`` draws."""
        return load(
            self.spec,
            samples=self.samples,
            inputs=self.inputs,
            levels=self.levels,
            seed=seed,
            target=self.target,
            data_dir=self.data_dir,
        )


@dataclass(frozen=True)
class ModelOptions:
    """The network's hidden part, the loss, and the encoding; the data give the other widths."""

    hidden: tuple[int, ...] = (5,)
    activation: str = "sign"
    weights: str = "bipolar"
    bias: bool | str = False
    loss: str = "hinge"
    encoding: str | None = None

    def network(self, data: Dataset) -> Network:
        """The network for ``data``."""
        widths = [data.num_inputs, *self.hidden, data.num_outputs]
        return Network.dense(widths, self.activation, self.weights, self.bias)


@dataclass(frozen=True)
class SolverOptions:
    """What can be said about a solver at the front door.

    Parameters
    ----------
    iterations : int
        Oracle calls of ``qcgd``, ``qcgd-cold`` and ``penalty``; ``random`` makes as many guesses as
        these have reads.
    oracle : str, optional
        Who answers QUBOs, a name of :mod:`solvers.oracles.registry`.  None: the annealer, and none
        for ``restricted``.
    oracle_option : sequence of str
        Its options, each as ``KEY=VALUE``.
    reads, sweeps, threads : int
        Options of the oracle that need no ``oracle_option``, wherever it has them.
    penalty : float
        Weight of ``penalty``.
    flips, restarts : int
        Proposals per restart, and restarts, of ``annealing``; proposals per block of ``hedging``.
    time_limit : float, optional
        Seconds.
    budget_calls, budget_seconds, budget_charged : int, float, float, optional
        Most calls of the oracle, seconds of its own time, and seconds that are charged.
    record, replay : str, optional
        Folder that every answer is kept in, and folder that all of them are taken from.
    """

    iterations: int = 100
    reads: int = 10
    sweeps: int = 50
    threads: int = 2
    oracle: str | None = None
    oracle_option: Sequence[str] = ()
    penalty: float = 1.0
    flips: int = 20_000
    restarts: int = 1
    time_limit: float | None = None
    budget_calls: int | None = None
    budget_seconds: float | None = None
    budget_charged: float | None = None
    record: str | None = None
    replay: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "oracle_option", tuple(self.oracle_option))  # a list in a file


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

    @property
    def oracle(self) -> Oracle:
        """The oracle that was named, or the annealer."""
        return safeguarded(named_oracle(self.options), self.options)


SOLVERS: Mapping[str, Callable[[Setup], Solver]] = MappingProxyType(
    {
        "qcgd": lambda s: QCGD(**s.sampling),
        "qcgd-cold": lambda s: QCGD(**s.sampling, fresh=1),  # every call from random states
        "penalty": lambda s: PenaltyMethod(**s.sampling, penalty=s.options.penalty),
        "random": lambda s: RandomSearch(s.options.iterations * s.options.reads, **s.common),
        "annealing": lambda s: WeightAnnealing(
            flips=s.options.flips, restarts=s.options.restarts, **s.common
        ),
        "restricted": lambda s: LargeNeighborhoodSearch(
            oracle=s.oracle if s.options.oracle else None, **s.common
        ),
        "hedging": lambda s: ProgressiveHedging(
            PenaltyBlocks(s.oracle) if s.options.oracle else AnnealedBlocks(s.options.flips),
            rounds=s.options.iterations,
            **s.common,
        ),
        "straight-through": lambda s: StraightThrough(**s.common),
        "random-features": lambda s: RandomFeatures(**s.common),
        "explicit": lambda s: ExplicitSoftmax(**s.common),
        "manifold": lambda s: ManifoldNetwork(**s.common),
        "rmda": lambda s: RMDA(**s.common),
        "svi": lambda s: MonotoneVI(**s.common),
        "rounding": lambda s: Rounding(**s.common),
        "rounding-qubo": lambda s: Rounding("qubo", oracle=s.oracle, **s.common),
        "exact": lambda s: ExactSolver(encoding=s.encoding, **s.common),
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


@dataclass(frozen=True)
class Task:
    """A data set, the network for it, and the problem of training it."""

    data: Dataset
    network: Network
    problem: TrainingProblem

    @classmethod
    def of(cls, data: DataOptions, model: ModelOptions, seed: int) -> Task:
        """The task that ``seed`` draws; bad data and bad names are refused here."""
        drawn = data.load(seed)
        network = model.network(drawn)
        problem = TrainingProblem(network, drawn.X_train, drawn.y_train, loss=model.loss)
        problem.size(model.encoding)
        return cls(drawn, network, problem)


@dataclass(frozen=True)
class Training:
    """A run: what was trained, the solver's result, and the figures to report."""

    task: Task
    result: Result
    figures: dict[str, Any]


def with_checkpoint(solver: Any, name: str, folder: str, every: float = EVERY) -> Solver:
    """The same solver, its state kept in a folder, from which it goes on.

    Raises
    ------
    InvalidInputError
        If the solver keeps no checkpoints.
    """
    if not hasattr(solver, "checkpoint"):
        raise InvalidInputError(
            f"solver {name!r} keeps no checkpoints: leave out --checkpoint, or take a solver that "
            "works step by step, such as annealing or qcgd"
        )
    kept: Solver = replace(solver, checkpoint=folder, checkpoint_every=every)
    return kept


def train(
    data: DataOptions,
    model: ModelOptions,
    solver: str,
    options: SolverOptions,
    *,
    seed: int = 0,
    callbacks: Sequence[Callback] = (),
    checkpoint: str | None = None,
    checkpoint_every: float = EVERY,
) -> Training:
    """Load, build, solve and score.  The seed draws the training part and starts the solver.

    With a folder as ``checkpoint`` a run that was stopped goes on from there, when it is called
    again with the same arguments.

    Examples
    --------
    >>> run = train(DataOptions("iris:0,1", samples=20), ModelOptions(hidden=(2,)), "annealing",
    ...             SolverOptions(flips=2000))
    >>> run.figures["train_accuracy"]
    1.0
    """
    chosen = make_solver(solver, options, encoding=model.encoding, seed=seed, callbacks=callbacks)
    if checkpoint is not None:
        chosen = with_checkpoint(chosen, solver, checkpoint, checkpoint_every)
    task = Task.of(data, model, seed)
    drawn, network, problem = task.data, task.network, task.problem
    result = chosen.solve(problem)
    figures = {
        "solver": solver,
        "oracle": _oracle_name(chosen, options),
        "seed": seed,
        "status": result.status.value,
        "reason": result.info.get("reason"),
        "train_loss": result.loss,
        "lower_bound": result.lower_bound,
        "train_accuracy": accuracy(network, result.weights, drawn.X_train, drawn.y_train),
        "test_accuracy": accuracy(network, result.weights, drawn.X_test, drawn.y_test),
        "widths": network.widths,
        "weight_bits": network.num_weight_bits,
        "num_variables": problem.size(model.encoding).num_variables,
        "oracle_calls": result.ledger.calls,
        "oracle_sweeps": result.ledger.reads * _sweeps(chosen),
        "oracle_seconds": result.ledger.seconds,
        "oracle_charged": result.ledger.charged,
        "seconds": result.seconds,
        "train_samples": len(drawn.X_train),
        "test_samples": len(drawn.X_test),
    }
    return Training(task, result, figures)


def _oracle_name(solver: Solver, options: SolverOptions) -> str | None:
    return None if getattr(solver, "oracle", None) is None else options.oracle or "annealer"


def _sweeps(solver: Solver) -> int:
    """Sweeps of a read of the solver's oracle; 0 if it has no such thing."""
    counts = (getattr(layer, "sweeps", None) for layer in layers(getattr(solver, "oracle", None)))
    return next((count for count in counts if count is not None), 0)


def accuracy(
    network: Network, weights: Weights, X: np.ndarray[Any, Any], y: np.ndarray[Any, Any]
) -> float | None:
    """Share of the samples whose class is predicted; None where there is no sample."""
    return float(np.mean(network.predict(weights, X) == y)) if len(X) else None
