"""Time to solution: time an oracle needs to reach a given energy with high probability."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from formulations.arrays import FloatArray, IntArray
from formulations.checks import check_whole
from formulations.errors import InvalidInputError
from solvers.oracles.base import QUBO, Oracle


def reads_needed(success: FloatArray | float, target: float = 0.99) -> FloatArray:
    """Count the reads until one succeeds with probability ``target``.

    ln(1 - target) / ln(1 - p), at least 1.

    Parameters
    ----------
    success : float or ndarray
        Probability p that a read succeeds: 0 gives infinity, 1 gives one read.
    target : float

    Examples
    --------
    >>> reads_needed(np.array([0.0, 0.5, 1.0])).round(2).tolist()
    [inf, 6.64, 1.0]
    """
    p = np.asarray(success, dtype=np.float64)
    with np.errstate(divide="ignore"):
        needed = np.log1p(-target) / np.log1p(-p)
    return np.asarray(np.where(p > 0.0, np.maximum(needed, 1.0), np.inf))


@dataclass(frozen=True)
class TimeToSolution:
    """Estimate of the time to solution with its confidence interval.

    Parameters
    ----------
    seconds : float
        Infinite if no read succeeded.
    low, high : float
        Bounds of the interval.
    successes, reads : int
        Reads that reached the energy, and all reads.
    read_seconds : float
        Mean time of a read.
    """

    seconds: float
    low: float
    high: float
    successes: int
    reads: int
    read_seconds: float


@dataclass(frozen=True)
class Trials:
    """Answers of an oracle to several calls with one QUBO.

    A proven exact answer counts as one read, because its reads are not independent trials.

    Parameters
    ----------
    energies : ndarray of float64, shape (reads,)
        Energies of all reads of all calls.
    reads : ndarray of int64, shape (calls,)
        Reads of each call.
    seconds : ndarray of float64, shape (calls,)
    scale : float
        Sum of |coefficients| of the QUBO.
    """

    energies: FloatArray
    reads: IntArray
    seconds: FloatArray
    scale: float

    @classmethod
    def of(cls, oracle: Oracle, qubo: QUBO, *, calls: int = 20, seed: int = 0) -> Trials:
        """Call the oracle repeatedly; setup and compilation in its first call are measured too.

        Raises
        ------
        InvalidInputError
            If the number of calls is not positive.

        Examples
        --------
        >>> from solvers.oracles import Annealer
        >>> from solvers.oracles.testing import random_qubo
        >>> trials = Trials.of(Annealer(reads=5, sweeps=10), random_qubo(8), calls=3)
        >>> len(trials.energies), len(trials.seconds)
        (15, 3)
        """
        check_whole("calls", calls)
        energies, seconds = [], []
        for call in range(calls):
            samples = oracle.sample(qubo, np.random.SeedSequence(seed, spawn_key=(call,)))
            energies.append(samples.energies[:1] if samples.exact else samples.energies)
            seconds.append(samples.seconds)
        reads = np.array([len(found) for found in energies], dtype=np.int64)
        scale = float(np.abs(qubo.linear).sum() + np.abs(qubo.couplings).sum())
        return cls(np.concatenate(energies), reads, np.array(seconds), scale)

    def time_to(
        self,
        energy: float,
        *,
        target: float = 0.99,
        confidence: float = 0.95,
        seed: int = 0,
    ) -> TimeToSolution:
        """Estimate TTS = t ln(1 - target) / ln(1 - p), t being the mean time of a read.

        The success probability p is the share of reads that reach the energy.  Roennow et al.,
        "Defining and detecting quantum speedup", Science 345, 420 (2014), without rounding up to
        whole reads beyond the first.  The interval is from a bootstrap: times from calls drawn with
        replacement, p from the Beta distribution with parameters successes + 1/2 and failures +
        1/2, which also works if no read or every read succeeded (Albash and Lidar, "Demonstration
        of a scaling advantage for a quantum annealer over simulated annealing", Physical Review X
        8, 031016 (2018), appendix).  Without a success the upper bound is infinite.

        Parameters
        ----------
        energy : float
            Energy to reach, such as the least known one.
        target : float
            Probability of reaching it.
        confidence : float
            Confidence level of the interval.
        seed : int
            Seed of the bootstrap.

        Raises
        ------
        InvalidInputError
            For an energy that is not finite, or probabilities that are not between 0 and 1.

        Examples
        --------
        >>> trials = Trials(np.array([-1.0, 0.0]), np.array([2]), np.array([0.5]), 1.0)
        >>> found = trials.time_to(-1.0)
        >>> round(found.seconds, 2), found.successes, found.low < found.seconds < found.high
        (1.66, 1, True)
        """
        if not np.isfinite(energy):
            raise InvalidInputError(f"energy={energy!r}: expected a finite number")
        for name, value in (("target", target), ("confidence", confidence)):
            if not 0.0 < value < 1.0:
                raise InvalidInputError(f"{name}={value!r}: expected a number between 0 and 1")
        reads = len(self.energies)
        # reached up to rounding
        successes = int((self.energies <= energy + 1e-9 * self.scale).sum())
        read_seconds = float(self.seconds.sum()) / reads
        found = read_seconds * float(reads_needed(successes / reads, target))
        random = np.random.default_rng(seed)
        calls = len(self.seconds)
        resamples = 2000
        drawn = random.integers(0, calls, (resamples, calls))
        times = self.seconds[drawn].sum(axis=1) / self.reads[drawn].sum(axis=1)
        shares = random.beta(successes + 0.5, reads - successes + 0.5, resamples)
        tail = (1.0 - confidence) / 2.0
        low, high = np.quantile(times * reads_needed(shares, target), [tail, 1.0 - tail])
        return TimeToSolution(
            found,
            min(float(low), found),
            max(float(high), found),
            successes,
            reads,
            read_seconds,
        )
