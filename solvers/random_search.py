"""Random search: draw random weight bits and keep the best.

Oracle samples are scored by the real forward pass, and a few thousand random guesses scored the
same way already give a passable small network.  An oracle is worth what it finds beyond as many
guesses as it had reads.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formulations import TrainingProblem
from solvers.run.option_checks import check_common, check_count, check_problem
from solvers.run.result import Result
from solvers.run.run import Callback, Run


@dataclass(frozen=True)
class RandomSearch:
    """Random search over independent, uniform weight bits, by the real loss.

    Parameters
    ----------
    guesses : int or None
        Number of guesses; None continues until the time limit.
    seed : int
        Seed of the draws.
    time_limit : float, optional
        Seconds.
    callbacks : sequence of callable
        Called with a ``Progress`` after every 100 guesses; returning True stops the search.

    Examples
    --------
    >>> from formulations import Network
    >>> net = Network.dense([2, 1])
    >>> problem = TrainingProblem(net, [[1, -1], [1, 1]], [1, -1], loss="zero-one")
    >>> RandomSearch(guesses=50, seed=0).solve(problem).loss
    0.0
    """

    guesses: int | None = 1000
    seed: int = 0
    time_limit: float | None = None
    callbacks: tuple[Callback, ...] = ()

    def __post_init__(self) -> None:
        check_common(self)
        check_count("guesses", self.guesses, self.time_limit)

    def solve(self, problem: TrainingProblem) -> Result:
        """Return the best of the guesses on ``problem``."""
        check_problem(problem)
        rng = np.random.default_rng(np.random.SeedSequence(self.seed))
        run = Run(time_limit=self.time_limit, callbacks=tuple(self.callbacks))
        # Activations of one guess; 2^23 of them are scored between two checks of the clock.
        work = problem.num_samples * sum(problem.network.widths)
        batch, guesses = 100, self.guesses
        with run.guarded():
            for step in run.steps(None if guesses is None else -(-guesses // batch)):
                count = batch if guesses is None else min(batch, guesses - (step - 1) * batch)
                bits = problem.random_bits(rng, count)
                for part in np.array_split(bits, -(-count * work // 2**23)):
                    if len(part) and (run.incumbent.bits is None or not run.late()):
                        run.incumbent.offer(part, problem.losses(part))
                run.history.record(iteration=step, loss=run.incumbent.loss)
        return run.result(problem)
