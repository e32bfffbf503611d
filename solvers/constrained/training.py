"""Default training under constraints: gradients, then a search that keeps constraints satisfied."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from solvers.run.result import Result

if TYPE_CHECKING:
    from formulations import TrainingProblem
    from solvers.run.solver import Start


def gradients_then_search(
    problem: TrainingProblem,
    gradients: Any,
    search: Any,
    start: Start | None,
    time_limit: float | None,
    shared: Mapping[str, Any],
) -> Result:
    """Train a problem with constraints on all samples.

    Gradients are projected, and train the samples that must be right.  The search first repairs
    remaining violations, and no later step violates a constraint.  Temperatures are in units of the
    loss at zero outputs.

    On Fashion 2 v 4, 49-8-1 at fan-in 6, five draws of 6,400 training samples, this was right on
    82.8 % of the other 1,600; with a start at 1e-3 on 82.4, at 1e-4 on 82.6; counting errors
    instead of the loss on 82.7; with gradients for 15 % of the time on 82.8; with gradients alone
    on 79.5.  With few samples the search does no measurable harm on held-out ones: with 285
    training samples of breast_cancer, 89 draws, accuracy on the other 95 was 96.89 % by gradients
    alone and 96.83 % with the search (standard error of the difference .12).

    Parameters
    ----------
    problem : TrainingProblem
    gradients : StraightThrough
        The shorter of two time limits applies.
    search : LargeNeighborhoodSearch
    start : solver, Result, Weights or None
        Starting point of the search in place of the gradients.
    time_limit : float or None
    shared : mapping
        Seed, callbacks and checkpoint.
    """
    if start is None:
        limits = [gradients.time_limit, time_limit and 0.4 * time_limit]
        start = replace(
            gradients,
            seed=shared["seed"],
            time_limit=min((given for given in limits if given is not None), default=None),
            callbacks=shared["callbacks"],
        )
    zero = np.zeros((problem.num_samples, problem.network.num_outputs), dtype=np.int64)
    unit = float(problem.own_losses(zero).sum()) or 1.0
    given = {"start_temperature": 3e-4 * unit, "end_temperature": 1e-5 * unit}
    result: Result = replace(
        search,
        start=start,
        time_limit=time_limit,
        **shared,
        **{name: value for name, value in given.items() if getattr(search, name) is None},
    ).solve(problem)
    result.info["recipe"] = "gradients, then search"
    return result
