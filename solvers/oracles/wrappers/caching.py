"""Cache of answers that were given before."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace

import numpy as np

from formulations.arrays import BitArray
from formulations.checks import check_whole
from solvers.oracles.base import QUBO, Samples
from solvers.oracles.digests import qubo_digest, seed_digest
from solvers.oracles.wrappers.base import Transparent


@dataclass(frozen=True)
class Caching(Transparent):
    """Wrapper that caches the latest answers by QUBO, initial states and seed.

    A proven minimum holds for any seed, so it is cached by QUBO alone.  A cached answer costs
    nothing.

    Parameters
    ----------
    oracle : Oracle
    size : int
        Answers kept; the least recently used is dropped first.

    Examples
    --------
    >>> from solvers.oracles import ExactOracle
    >>> qubo = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
    >>> oracle = Caching(ExactOracle())
    >>> oracle.sample(qubo, np.random.SeedSequence(0)).seconds > 0
    True
    >>> oracle.sample(qubo, np.random.SeedSequence(1)).seconds
    0.0
    """

    size: int = 128
    _kept: OrderedDict[tuple[str, ...], Samples] = field(
        default_factory=OrderedDict, init=False, repr=False, compare=False
    )
    _lock: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_whole("size", self.size)

    def answer(self, qubo: QUBO, states: BitArray | None, seed: np.random.SeedSequence) -> Samples:
        """Return the cached answer, or else ask the oracle."""
        proven = (qubo_digest(qubo),)
        key = (*proven, qubo_digest(qubo, states), seed_digest(seed))
        with self._lock:
            for known in (proven, key):
                if known in self._kept:
                    self._kept.move_to_end(known)
                    return replace(self._kept[known], seconds=0.0, info={"cached": True})
        samples = self.ask(qubo, states, seed)
        if (samples.info or {}).get("cut"):  # A later caller may have more time.
            return samples
        with self._lock:
            self._kept[proven if samples.exact else key] = samples
            while len(self._kept) > self.size:
                self._kept.popitem(last=False)
        return samples
