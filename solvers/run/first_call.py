"""Check whether a run can get its first oracle answer on the whole model in time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from formulations import TrainingProblem
from solvers.oracles import Annealer
from solvers.random_search import RandomSearch
from solvers.run.result import Result


def without_a_call(solver: Any, problem: TrainingProblem, sampled: int) -> Result | None:
    """Return the best of random networks if the oracle's first answer would come far too late.

    The time for the model and its first annealing is estimated from the model's size, which is
    known before it is built.

    Parameters
    ----------
    solver : QCGD or PenaltyMethod
    problem : TrainingProblem
    sampled : int
        Reads times sweeps of a call if ``solver.oracle`` is None.

    Returns
    -------
    Result or None
        ``info["reason"]`` gives the estimate.  None if the run should proceed.

    Examples
    --------
    >>> from formulations import Network, TrainingProblem
    >>> from solvers import QCGD
    >>> problem = TrainingProblem(Network.dense([2, 1]), [[1, -1], [1, 1]], [1, -1])
    >>> without_a_call(QCGD(time_limit=1.0), problem, 1000) is None
    True
    """
    if solver.time_limit is None:
        return None
    started = time.perf_counter()
    count = problem.num_samples
    part = problem.subset(np.arange(100)) if count > 100 else problem  # gives the size of all
    size = part.size(solver.encoding)
    # Rows of equal lengths have the fewest pairs.
    pairs = size.nonzeros**2 / (2 * max(size.num_rows, 1)) * count / part.num_samples
    oracle = solver.oracle
    if isinstance(oracle, Annealer):
        sampled = oracle.reads * oracle.sweeps
    elif oracle is not None:
        sampled = 0
    # A coupler takes 1e-6 s to make from a pair of entries of a row, and 8e-9 s per sweep and read
    # of an annealing: measured on models of 50,000 to 900,000 variables.
    needed = pairs * (1e-6 + 8e-9 * sampled)
    if needed <= 3.0 * solver.time_limit:  # no later than three times the limit
        return None
    variables = round(size.num_variables * count / part.num_samples)
    left = max(1e-3, solver.time_limit - (time.perf_counter() - started))
    result = RandomSearch(None, solver.seed, left, tuple(solver.callbacks)).solve(problem)
    result.info["num_variables"] = variables
    result.info.setdefault(
        "reason",
        f"a model of about {variables:,} variables, whose first answer would take about "
        f"{needed:,.0f} s: the best random network is returned; give more time, train on fewer "
        "samples, or take a solver without a model",
    )
    return result
