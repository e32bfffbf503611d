"""The ledger: number and cost of oracle calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

from formulations.errors import UnusableAnswerError
from solvers.oracles.base import Samples


@dataclass
class Ledger:
    """Number and cost of oracle calls; all times in seconds.

    It reads these entries of ``Samples.info``: ``timing``, a mapping from kind to seconds, without
    which all of the oracle's seconds count as sampling; ``charged``, the billed seconds; and
    ``retries``.

    Parameters
    ----------
    calls, reads : int
        Answers and the samples in them.
    seconds : float
        Time spent by oracles as they report it.
    sampling, programming, waiting : float
        Parts of ``seconds``: drawing samples, setting a machine up, and queues and networks.
    ours : float
        Additional time of the calls on this machine.
    charged : float
        Billed seconds.
    failures, retries : int
        Calls without a usable answer, and calls repeated because of one.

    Examples
    --------
    >>> import numpy as np
    >>> ledger = Ledger()
    >>> info = {"timing": {"sampling": 0.2, "waiting": 1.0}, "charged": 0.2}
    >>> ledger.count(Samples(np.zeros((5, 3), np.int8), np.zeros(5), 1.2, info=info))
    >>> ledger.calls, ledger.reads, ledger.seconds, ledger.waiting, ledger.charged
    (1, 5, 1.2, 1.0, 0.2)
    """

    calls: int = 0
    reads: int = 0
    seconds: float = 0.0
    sampling: float = 0.0
    programming: float = 0.0
    waiting: float = 0.0
    ours: float = 0.0
    charged: float = 0.0
    failures: int = 0
    retries: int = 0

    def count(self, samples: Samples, elapsed: float = 0.0) -> None:
        """Book an answer that took ``elapsed`` seconds on this machine."""
        self.calls += 1
        self.reads += len(samples.x)
        self._book(samples)
        self.ours += max(0.0, elapsed - amount(samples.seconds))

    def fail(self, error: BaseException) -> None:
        """Book a call without a usable answer, and its cost if there was an answer."""
        self.failures += 1
        if isinstance(error, UnusableAnswerError) and isinstance(error.answer, Samples):
            self._book(error.answer)

    def _book(self, samples: Samples) -> None:
        seconds = amount(samples.seconds)
        info = samples.info if isinstance(samples.info, Mapping) else {}
        timing = info.get("timing")
        kinds = {"sampling", "programming", "waiting"}
        if not isinstance(timing, Mapping) or kinds.isdisjoint(timing):
            timing = {"sampling": seconds}
        self.seconds += seconds
        self.sampling += amount(timing.get("sampling"))
        self.programming += amount(timing.get("programming"))
        self.waiting += amount(timing.get("waiting"))
        self.charged += amount(info.get("charged"))
        self.retries += int(amount(info.get("retries")))

    def add(self, other: Ledger) -> None:
        """Add the cost of another run."""
        for item in fields(self):
            setattr(self, item.name, getattr(self, item.name) + getattr(other, item.name))

    def at_least(self, other: Ledger) -> None:
        """Raise the entries to those of a ledger of known costs."""
        for item in fields(self):
            setattr(self, item.name, max(getattr(self, item.name), getattr(other, item.name)))


def amount(value: Any) -> float:
    """Return a reported value as a number to add up; 0 for anything else."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if number and isfinite(value) and value >= 0 else 0.0
