"""Simulated annealing on the local machine.

The sweeps dominate the cost of a call: an iterative solver's couplers never change, so their sorted
neighbours are set up once, and the temperatures come from sums over the coefficients.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from formulations.arrays import BitArray, BoolArray, FloatArray, IntArray
from formulations.checks import choose, is_number, shown
from formulations.errors import InvalidInputError
from solvers.kernels.annealing import anneal
from solvers.oracles.answers import best_first, checked_states
from solvers.oracles.base import QUBO, Samples, check_question
from solvers.oracles.deadline import time_left
from solvers.oracles.ising import Ising, Neighbours
from solvers.run.option_checks import SHARED, check_effort

SHORT, LONG = 2**22, 2**24
"""Proposed flips of a call: up to SHORT, about 20 ms, it runs without a thread that could be
stopped; from LONG on, threads share it by default."""


class Annealer:
    """Oracle: simulated annealing with temperatures from each QUBO's own scale.

    A call cut off by a solver's time limit returns the states reached so far, and ``info["cut"]``
    is True.

    Parameters
    ----------
    reads : int
        Independent annealing runs of each call.
    sweeps : int
        Metropolis sweeps over all variables in each run, one for each temperature.
    beta_range : (float, float), optional
        Inverse temperatures, hot and cold, in units of 1 / energy.  None: chosen for every QUBO,
        see :meth:`Ising.beta_range`.
    schedule : {"geometric", "linear"}
        Spacing of the inverse temperatures.
    reheat : (float, float)
        Runs from given states start at a share of the hot temperature between these two, drawn
        log-uniformly for each call: the best share depends on the model, and a mixture suits all.
    threads : int, optional
        Threads that share the reads.  Every read has its own random numbers, so the number of
        threads affects only the time.  None uses one per processor if the call is long enough.

    Examples
    --------
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> samples = Annealer(reads=2, sweeps=20).sample(qubo, np.random.SeedSequence(0))
    >>> samples.x.tolist(), samples.energies.tolist()
    ([[0, 1], [0, 1]], [-3.0, -3.0])
    """

    OPTIONS = ("reads", "sweeps", "beta_range", "schedule", "reheat", "threads")

    def __init__(
        self,
        reads: int = 10,
        sweeps: int = 500,
        *,
        beta_range: tuple[float, float] | None = None,
        schedule: str = "geometric",
        reheat: tuple[float, float] = (0.03, 0.08),
        threads: int | None = None,
        **unknown: Any,
    ) -> None:
        for name in unknown:
            choose("option of Annealer", name, list(self.OPTIONS))
        check_effort(reads, sweeps)
        SHARED["threads"]("threads", threads)
        self.reads, self.sweeps, self.threads = int(reads), int(sweeps), threads
        self.beta_range = None
        if beta_range is not None:
            self.beta_range = _checked("beta_range", beta_range, "two inverse temperatures")
        self.schedule = choose("schedule", schedule, ["geometric", "linear"])
        self.reheat = _checked("reheat", reheat, "two shares", most=1.0)
        self._kept: tuple[IntArray, IntArray, Neighbours] | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}(reads={self.reads}, sweeps={self.sweeps})"

    def changed(self, **options: Any) -> Self:
        """Return a copy with some options changed.

        Examples
        --------
        >>> Annealer(reads=7, schedule="linear").changed(sweeps=9)
        Annealer(reads=7, sweeps=9)
        """
        return type(self)(**{name: getattr(self, name) for name in self.OPTIONS} | options)

    def __getstate__(self) -> dict[str, Any]:
        return vars(self) | {"_kept": None}  # rebuilt when needed

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        """Return samples from random initial states, best energy first."""
        started = time.perf_counter()
        check_question(qubo, seed)
        stream, seed = seed.spawn(2)
        random = np.random.default_rng(stream)
        states = random.integers(0, 2, (self.reads, qubo.num_variables), dtype=np.int8)
        return self._anneal(qubo, states, seed, 1.0, started)

    def sample_from(
        self, qubo: QUBO, states: npt.ArrayLike, seed: np.random.SeedSequence
    ) -> Samples:
        """Return samples from given states, shape (s, n), partly reheated, best energy first.

        The reads take the states in turn.

        Raises
        ------
        InvalidInputError
            If the states' number of variables differs from the QUBO's.
        """
        started = time.perf_counter()
        check_question(qubo, seed)
        given = checked_states(states, qubo.num_variables)
        turns = np.arange(self.reads) % len(given)
        stream, seed = seed.spawn(2)
        least, most = self.reheat
        heat = least * (most / least) ** np.random.default_rng(stream).random()
        return self._anneal(qubo, given[turns], seed, float(heat), started)

    def _anneal(
        self,
        qubo: QUBO,
        states: BitArray,
        seed: np.random.SeedSequence,
        heat: float,
        started: float,
    ) -> Samples:
        ising, around = Ising.of(qubo), self._neighbours(qubo)
        hot, cold = self.beta_range or ising.beta_range()
        betas = self._betas(min(hot / heat, cold), cold)
        spins = 2 * states - 1
        cut = self._run(ising.h, around, ising.J[around.coupler], betas, spins, seed)
        info = {"beta_range": (betas[0], betas[-1]), "dropped": ising.dropped}
        info |= {"cut": True} if cut else {}
        return best_first(qubo, (spins + 1) // 2, started, info=info)

    def _betas(self, hot: float, cold: float) -> FloatArray:
        spacing = np.geomspace if self.schedule == "geometric" else np.linspace
        return np.asarray(spacing(hot, cold, self.sweeps) if self.sweeps > 1 else [cold])

    def _neighbours(self, qubo: QUBO) -> Neighbours:
        """Return the neighbours, cached for recurring couplers."""
        kept = self._kept
        if kept is None or kept[0] is not qubo.heads or kept[1] is not qubo.tails:
            around = Neighbours.of(qubo.num_variables, qubo.heads, qubo.tails)
            self._kept = kept = (qubo.heads, qubo.tails, around)
        return kept[2]

    def _run(
        self,
        h: FloatArray,
        around: Neighbours,
        J: FloatArray,
        betas: FloatArray,
        spins: BitArray,
        seed: np.random.SeedSequence,
    ) -> bool:
        """Anneal the spins in place, and return whether the deadline came first."""
        numbers = seed.generate_state(len(spins), np.uint64) | np.uint64(1)  # zero would stay zero

        def run(part: slice, stop: BoolArray) -> None:
            anneal(h, around.starts, around.others, J, betas, numbers[part], spins[part], stop)

        return in_threads(run, len(spins), spins.size * self.sweeps, self.threads)


def in_threads(
    run: Callable[[slice, BoolArray], None], reads: int, proposals: int, threads: int | None
) -> bool:
    """Share the reads of a call among threads, and return whether the deadline came first.

    A long call runs on its own threads, so that Ctrl-C and the deadline take effect.

    Parameters
    ----------
    run : callable
        Runs a slice of the reads without the interpreter lock until the given flag is set.
    reads, proposals : int
        Reads and proposed flips of the call.
    threads : int, optional
        None uses one per processor if the call is long enough.

    Examples
    --------
    >>> done = np.zeros(3)
    >>> def run(part, stop):
    ...     done[part] = 1.0
    >>> in_threads(run, 3, 30, 2), done.tolist()
    (False, [1.0, 1.0, 1.0])
    """
    stop = np.zeros(1, dtype=np.bool_)
    if threads is None and proposals >= LONG:
        threads = min(os.cpu_count() or 1, reads)
    threads = threads or 1
    if threads == 1 and proposals <= SHORT:
        run(slice(None), stop)
        return False
    run(slice(0), stop)  # compiles if necessary, uninterrupted
    ends = np.linspace(0, reads, threads + 1).astype(int)
    with ThreadPoolExecutor(threads) as pool:
        try:
            parts = [pool.submit(run, part, stop) for part in map(slice, ends[:-1], ends[1:])]
            left = time_left()
            unfinished = wait(parts, None if left == np.inf else left).not_done
            stop[0] = bool(unfinished)
            for part in parts:
                part.result()
        except KeyboardInterrupt:
            stop[0] = True
            raise
    return bool(unfinished)


def _checked(name: str, value: Any, what: str, most: float = np.inf) -> tuple[float, float]:
    """Check a pair of finite numbers with 0 < first <= second <= most."""
    first = second = np.nan
    if isinstance(value, (Sequence, np.ndarray)) and len(value) == 2 and all(map(is_number, value)):
        first, second = (float(number) for number in value)
    if not 0.0 < first <= second <= most or not second < np.inf:
        limit = "" if most == np.inf else f" and none above {most:g}"
        raise InvalidInputError(
            f"{name}={shown(value)}: expected {what}, 0 < first <= second{limit}"
        )
    return first, second
