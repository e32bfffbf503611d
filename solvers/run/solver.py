"""Protocol of a solver, options that solvers share, and starting points of a search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from formulations import TrainingProblem
from formulations.arrays import BitArray
from formulations.checks import check_has
from formulations.network.network import Weights
from solvers.oracles.base import Oracle
from solvers.run.checkpoint import EVERY, Checkpoint, Folder
from solvers.run.executors import ExecutorChoice, check_executor
from solvers.run.option_checks import check_common, check_problem
from solvers.run.result import Result
from solvers.run.run import Callback, Run, pass_on


class Solver(Protocol):
    """Solver: finds a result for a problem."""

    def solve(self, problem: TrainingProblem) -> Result:
        """Return the best weights found and a record of the run."""
        ...


@dataclass(frozen=True, kw_only=True)
class Iterative:
    """The options that all iterative solvers share.

    Parameters
    ----------
    seed : int
        The same seed reproduces the result unless a time limit cuts the run short.
    time_limit : float, optional
        Seconds.
    callbacks : tuple of callable
        Called after each step with a ``Progress``; returning True stops the run.
    checkpoint : path-like, optional
        Folder for a checkpoint, from which the same call resumes: see
        :mod:`solvers.run.checkpoint`.
    checkpoint_every : float
        Seconds between two checkpoints; 0 saves after every step.
    """

    seed: int = 0
    time_limit: float | None = None
    callbacks: tuple[Callback, ...] = ()
    checkpoint: Folder | None = None
    checkpoint_every: float = EVERY

    def __post_init__(self) -> None:
        check_common(self)

    def _rng(self, *key: int) -> np.random.Generator:
        """Return the run's random stream with these numbers."""
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))

    def begun(self, problem: TrainingProblem, oracle: Oracle | None = None) -> Run:
        """Check the problem and start a run with these options."""
        check_problem(problem)
        return Run(
            time_limit=self.time_limit,
            callbacks=tuple(self.callbacks),
            checkpoint=Checkpoint.of(self, problem),
            oracle=oracle,
        )


@dataclass(frozen=True, kw_only=True)
class Parallel(Iterative):
    """The options of iterative solvers that distribute their work; no result depends on them.

    Parameters
    ----------
    executor : None, "serial", "threads", "processes", Executor, or function that returns one
        Where the parts run: see :class:`solvers.run.executors.Team`.  None uses this thread.
    workers : int, optional
        Threads or processes.
    """

    executor: ExecutorChoice = None
    workers: int | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        check_executor(self.executor)


Start = Solver | Result | Weights


def check_start(start: object) -> None:
    """Refuse a start that is neither None, a solver, a result nor weights.

    Examples
    --------
    >>> check_start("qcgd")
    Traceback (most recent call last):
    formulations.errors.InvalidInputError: start='qcgd': expected an object with solve(...), ...
    """
    if start is not None and not isinstance(start, (Result, Weights)):
        check_has("start", start, "solve", "WeightAnnealing(), or a Result, Weights or None")


def start_bits(start: Start | None, problem: TrainingProblem, run: Run) -> BitArray | None:
    """Return the starting free weight bits as the run's incumbent; None if there is no start.

    A solver given as start is run first, and its oracle's cost counts.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> problem = TrainingProblem(Network.dense([2, 1]), [[1, -1]], [1])
    >>> run = Run()
    >>> start_bits(problem.weights_from_bits([1, 0]), problem, run).tolist(), run.incumbent.loss
    ([1, 0], 0.0)
    """
    if start is None:
        return None
    solved = None
    if not isinstance(start, (Result, Weights)):
        start = solved = start.solve(problem)
        run.ledger.add(start.ledger)
    bits = problem.bits_from_weights(start if isinstance(start, Weights) else start.weights)
    run.incumbent.offer(bits[None], problem.losses(bits))
    if solved is not None:
        pass_on(solved)
    return bits
