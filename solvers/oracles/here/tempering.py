"""Parallel tempering on the local machine."""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from formulations.arrays import BitArray, BoolArray
from formulations.checks import check_whole
from solvers.kernels.tempering import temper
from solvers.oracles.answers import best_first, checked_states
from solvers.oracles.base import QUBO, Samples, check_question
from solvers.oracles.here.annealing import in_threads
from solvers.oracles.ising import Ising, Neighbours
from solvers.run.option_checks import SHARED, check_effort


class ParallelTempering:
    """Oracle: parallel tempering whose only tuning parameter is its length.

    Replicas of the model at a ladder of temperatures are swept by Metropolis flips, and states at
    neighbouring temperatures are exchanged with the probability that preserves every temperature's
    Boltzmann distribution, so a state stuck in a minimum can leave it through the hot end.
    Hukushima and Nemoto, "Exchange Monte Carlo method and application to spin glass simulations",
    Journal of the Physical Society of Japan 65, 1604 (1996).

    There is no schedule.  The ends of the ladder come from the fields on the model's own spins
    (:meth:`Ising.beta_range`).  In the first half of the sweeps the spacing between them follows
    the exchanges until all pairs exchange equally often: a gap in log beta grows where they are
    more frequent than the ladder's mean and shrinks where they are rarer, by a step that vanishes
    as 1 / sqrt(t) (Miasojedow, Moulines and Vihola, "An adaptive parallel tempering algorithm",
    Journal of Computational and Graphical Statistics 22, 649 (2013), with the ends fixed).

    Every read is a separate ladder and returns the best state of any of its replicas, including the
    given states.  A call cut off by a solver's time limit returns the best so far, and
    ``info["cut"]`` is True.

    Parameters
    ----------
    reads : int
        Independent ladders per call.
    sweeps : int
        Metropolis sweeps of each replica.
    replicas : int, optional
        Temperatures of a ladder.  None takes sqrt(n) + 8 for n variables, since the energies of
        neighbouring temperatures overlap in a width that shrinks as 1 / sqrt(n).
    threads : int, optional
        Threads that share the reads; their number affects only the time.  None uses one per
        processor if the call is long enough.

    Examples
    --------
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> samples = ParallelTempering(reads=2, sweeps=20).sample(qubo, np.random.SeedSequence(0))
    >>> samples.x.tolist(), samples.energies.tolist()
    ([[0, 1], [0, 1]], [-3.0, -3.0])
    """

    def __init__(
        self,
        reads: int = 4,
        sweeps: int = 100,
        *,
        replicas: int | None = None,
        threads: int | None = None,
    ) -> None:
        check_effort(reads, sweeps)
        if replicas is not None:
            check_whole("replicas", replicas, least=2, most=4096)
        SHARED["threads"]("threads", threads)
        self.reads, self.sweeps = int(reads), int(sweeps)
        self.replicas, self.threads = replicas, threads

    def __repr__(self) -> str:
        return f"ParallelTempering(reads={self.reads}, sweeps={self.sweeps})"

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Return samples from random initial states, best energy first."""
        started = time.perf_counter()
        check_question(qubo, seed)
        stream, seed = seed.spawn(2)
        shape = self.reads * self._replicas(qubo), qubo.num_variables
        states = np.random.default_rng(stream).integers(0, 2, shape, dtype=np.int8)
        return self._temper(qubo, states, seed, started)

    def sample_from(
        self, qubo: QUBO, states: npt.ArrayLike, seed: np.random.SeedSequence
    ) -> Samples:
        """Return samples from given states, shape (s, n), best energy first.

        Replicas take the states in turn, from the cold end of each ladder to the hot one.

        Raises
        ------
        InvalidInputError
            If the states' number of variables differs from the QUBO's.
        """
        started = time.perf_counter()
        check_question(qubo, seed)
        given = checked_states(states, qubo.num_variables)
        turns = np.arange(self.reads * self._replicas(qubo)) % len(given)
        return self._temper(qubo, given[turns], seed.spawn(1)[0], started)

    def _replicas(self, qubo: QUBO) -> int:
        ladder = min(math.isqrt(qubo.num_variables) + 8, 4096)
        return ladder if self.replicas is None else int(self.replicas)

    def _temper(
        self, qubo: QUBO, states: BitArray, seed: np.random.SeedSequence, started: float
    ) -> Samples:
        n, replicas = qubo.num_variables, self._replicas(qubo)
        ising = Ising.of(qubo)
        around = Neighbours.of(n, qubo.heads, qubo.tails)
        hot, cold = ising.beta_range()
        betas = np.tile(np.geomspace(hot, cold, replicas), (self.reads, 1))
        spins = (2 * states - 1).reshape(self.reads, replicas, n)[:, ::-1].copy()
        best = spins[:, -1].copy()
        swapped = np.zeros((self.reads, replicas - 1))
        J = ising.J[around.coupler]
        numbers = seed.generate_state(self.reads, np.uint64) | np.uint64(1)  # zero would stay zero

        def run(part: slice, stop: BoolArray) -> None:
            temper(
                ising.h, around.starts, around.others, J, betas[part], self.sweeps // 2,
                self.sweeps, numbers[part], spins[part], best[part], swapped[part], stop,
            )  # fmt: skip

        cut = in_threads(run, self.reads, spins.size * self.sweeps, self.threads)
        info: dict[str, Any] = {"beta_range": (hot, cold), "replicas": replicas}
        info |= {"exchanged": float(swapped.mean()), "dropped": ising.dropped}
        info |= {"cut": True} if cut else {}
        return best_first(qubo, (best + 1) // 2, started, info=info)
