"""Training under constraints by default: gradients, then a search that keeps what holds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from formulations.constraints.base import Cardinality
from solvers.run.checkpoint import Folder
from solvers.run.result import Result

if TYPE_CHECKING:
    from formulations import TrainingProblem
    from solvers.run.solver import Start

GRADIENTS_SHARE = 0.4
"""Of the time limit, for the gradients."""

HOT, COLD = 3e-4, 1e-5
"""First and last temperature of the search, in units of the loss of outputs that are all zero."""

LEAST_ROUNDS, MOST_ROUNDS, EFFORT = 1000, 20_000, 2e9
"""Of a search without a limit: rounds, and rounds times samples times weights."""


class Options(Protocol):
    """Those of :class:`solvers.trainer.Trainer`."""

    @property
    def gradients(self) -> Any: ...
    @property
    def search(self) -> Any: ...
    @property
    def start(self) -> Start | None: ...
    @property
    def seed(self) -> int: ...
    @property
    def time_limit(self) -> float | None: ...
    @property
    def callbacks(self) -> tuple[Callable[..., bool | None], ...]: ...
    @property
    def checkpoint(self) -> Folder | None: ...
    @property
    def checkpoint_every(self) -> float: ...


def gradients_then_search(options: Options, problem: TrainingProblem) -> Result:
    """Train a problem with constraints on all samples.

    Gradients project where they can; what they break is mended first, and no step of the search
    breaks a constraint after that.  Where there are fewer samples than bits, on which a search
    would only fit more closely, gradients that project have all the time.
    """
    limit, search = options.time_limit, options.search
    start = options.start
    projects = all(isinstance(rule, Cardinality) for rule in problem.constraints)
    alone = projects and start is None and problem.num_samples < problem.num_free_bits
    start_solver: Any = start
    if start is None:
        share = 1.0 if alone else GRADIENTS_SHARE
        limits = [options.gradients.time_limit, limit and share * limit]
        start_solver = replace(
            options.gradients,
            seed=options.seed,
            time_limit=min((given for given in limits if given is not None), default=None),
            callbacks=options.callbacks,
        )
    if alone:
        kept = replace(
            start_solver, checkpoint=options.checkpoint, checkpoint_every=options.checkpoint_every
        )
        result: Result = kept.solve(problem)
        result.info["recipe"] = "gradients"
        return result
    zero = np.zeros((problem.num_samples, problem.network.num_outputs), dtype=np.int64)
    unit = float(problem.own_losses(zero).sum()) or 1.0
    if limit is None and search.rounds is None:
        rounds = EFFORT / (problem.num_samples * problem.network.num_weights)
        search = replace(search, rounds=int(np.clip(rounds, LEAST_ROUNDS, MOST_ROUNDS)))
    given = {"start_temperature": HOT * unit, "end_temperature": COLD * unit}
    search = replace(
        search,
        start=start_solver,
        seed=options.seed,
        time_limit=limit,
        callbacks=options.callbacks,
        checkpoint=options.checkpoint,
        checkpoint_every=options.checkpoint_every,
        **{name: value for name, value in given.items() if getattr(search, name) is None},
    )
    result = search.solve(problem)
    result.info["recipe"] = "gradients, then search"
    return result
