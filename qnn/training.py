"""One training run, from the words of the front door to its figures."""

from __future__ import annotations

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
    ExactSolver,
    ExplicitSoftmax,
    LargeNeighborhoodSearch,
    ManifoldNetwork,
    PenaltyMethod,
    RandomFeatures,
    RandomSearch,
    Rounding,
    StraightThrough,
    WeightAnnealing,
)
from solvers.checkpoint import EVERY
from solvers.oracles import Annealer
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
    reads, sweeps, threads : int
        Of the annealer that is their oracle.
    penalty : float
        Weight of ``penalty``.
    flips, restarts : int
        Proposals per restart, and restarts, of ``annealing``.
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
    penalty: float = 1.0
    flips: int = 20_000
    restarts: int = 1
    time_limit: float | None = None
    budget_calls: int | None = None
    budget_seconds: float | None = None
    budget_charged: float | None = None
    record: str | None = None
    replay: str | None = None


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
        o = self.options
        oracle = Annealer(reads=o.reads, sweeps=o.sweeps, threads=o.threads)
        return {
            **self.common,
            "oracle": safeguarded(oracle, o),
            "iterations": o.iterations,
            "encoding": self.encoding,
        }


SOLVERS: Mapping[str, Callable[[Setup], Solver]] = MappingProxyType(
    {
        "qcgd": lambda s: QCGD(**s.sampling),
        "qcgd-cold": lambda s: QCGD(**s.sampling, fresh=1),  # every call from random states
        "penalty": lambda s: PenaltyMethod(**s.sampling, penalty=s.options.penalty),
        "random": lambda s: RandomSearch(s.options.iterations * s.options.reads, **s.common),
        "annealing": lambda s: WeightAnnealing(
            flips=s.options.flips, restarts=s.options.restarts, **s.common
        ),
        "restricted": lambda s: LargeNeighborhoodSearch(**s.common),
        "straight-through": lambda s: StraightThrough(**s.common),
        "random-features": lambda s: RandomFeatures(**s.common),
        "explicit": lambda s: ExplicitSoftmax(**s.common),
        "manifold": lambda s: ManifoldNetwork(**s.common),
        "rounding": lambda s: Rounding(**s.common),
        "rounding-qubo": lambda s: Rounding("qubo", **s.common),
        "exact": lambda s: ExactSolver(encoding=s.encoding, **s.common),
    }
)
"""Every solver of the front door by its name."""


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
    if getattr(solver, "oracle", None) is None:
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
        "oracle_sweeps": result.ledger.reads * options.sweeps,
        "oracle_seconds": result.ledger.seconds,
        "oracle_charged": result.ledger.charged,
        "seconds": result.seconds,
        "train_samples": len(drawn.X_train),
        "test_samples": len(drawn.X_test),
    }
    return Training(task, result, figures)


def accuracy(
    network: Network, weights: Weights, X: np.ndarray[Any, Any], y: np.ndarray[Any, Any]
) -> float | None:
    """Share of the samples whose class is predicted; None where there is no sample."""
    return float(np.mean(network.predict(weights, X) == y)) if len(X) else None
