"""Where a search begins: another solver's answer, weights that are given, or nowhere yet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from formulations.arrays import BitArray
from formulations.checks import check_has
from formulations.network.network import Weights
from solvers.run.result import Result
from solvers.run.run import Run, pass_on

if TYPE_CHECKING:
    from formulations import TrainingProblem


class Solver(Protocol):
    """From a problem to a result."""

    def solve(self, problem: TrainingProblem) -> Result:
        """The best weights that were found, and how."""
        ...


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
    """Free weight bits to begin with, which become the run's incumbent; None if there is no start.

    A solver is run first, and what its oracle cost counts.

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
