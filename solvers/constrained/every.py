"""Enumeration of all weight vectors of a small problem that satisfy its constraints."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from formulations.errors import InfeasibleModelError
from solvers.constrained.watch import Watch
from solvers.kernels.blocks import WINDOW
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.run.result import Status, reach
from solvers.run.run import Run

if TYPE_CHECKING:
    from formulations import TrainingProblem


def every_choice(problem: TrainingProblem, landscape: IncrementalLoss, run: Run) -> bool:
    """Offer the best weights that satisfy the constraints; return whether all were visited.

    Raises
    ------
    InfeasibleModelError
        If it is proven that no weights do.
    """
    moves, watch = landscape.moves, Watch(problem, landscape)
    floor = landscape.floor
    goal = landscape.value(reach(floor))
    narrow = (moves.gap == 0) | (moves.num_levels <= WINDOW)
    order = np.argsort(~narrow, kind="stable")
    # A block takes as many narrow weights as can be enumerated between two checks of the clock.
    choices = np.cumprod(moves.num_levels[order[: int(narrow.sum())]].astype(float))
    inside = int((choices <= 2**14).sum())
    block, outside = np.sort(order[:inside]), np.sort(order[inside:])
    sizes = moves.num_levels[outside]
    rng, gains = np.random.default_rng(0), np.zeros(1)
    best, broken, value = np.zeros_like(moves.choice), 2**60, np.inf
    settings = prod(sizes.tolist())
    for t in run.steps(settings):
        choice, rest = np.zeros_like(moves.choice), t - 1
        for place, size in zip(outside.tolist(), sizes.tolist(), strict=True):
            rest, choice[place] = divmod(rest, size)
        landscape.set_choice(choice)
        here = watch.refresh(), float(landscape.state.losses[0])
        if here < (broken, value):
            (broken, value), best = here, choice.copy()
        if inside:
            broken, value, _ = watch.heat_bath(
                rng, block[None], np.zeros(1), gains, best, broken, value, goal
            )
        bits = landscape.bits(best)[None]
        run.incumbent.offer(bits, problem.losses(bits))
        run.history.record(iteration=t, loss=run.incumbent.loss)
        if broken == 0 and value <= goal:
            break
    done = run.iteration >= settings or (broken == 0 and value <= goal)
    if done and broken:
        raise InfeasibleModelError(
            f"none of the {landscape.num_choices:,} weight vectors satisfies the constraints "
            f"{', '.join(c.name for c in problem.constraints)}, which is proven: each was visited"
        )
    if done:
        run.status = Status.OPTIMAL
    return bool(run.iteration >= settings)
