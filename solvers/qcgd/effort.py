"""How the flips of a call are shared between reads and sweeps, as the calls before have told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from solvers.oracles import Annealer

SPLITS = ["constant", "adapted"]
"""Whether there is an effort; the first is the default."""

MANY, LONG = -0.5, 1.5
"""Least and greatest level: powers of two by which a call's reads are fewer and longer."""

STEP, LEAD = 0.5, 2
"""The level moves by so much once longer reads, or more of them, have won so many duels more."""


class Effort:
    """Reads and sweeps of an annealer, of a fixed product, that change from call to call.

    Of two calls of a kind, from random states or from good ones, one has fewer and longer reads
    than the level says and the other more and shorter ones; the one whose best read is worth less
    wins the duel, and the level follows the winners.

    Parameters
    ----------
    annealer : Annealer
        Its reads and sweeps at level 0; they are changed in place.

    Examples
    --------
    >>> effort = Effort(Annealer(reads=20, sweeps=200))
    >>> effort.begin(warm=True)
    >>> effort.annealer
    Annealer(reads=14, sweeps=285)
    >>> effort.end(worth=3.0)
    >>> effort.begin(warm=True)
    >>> effort.annealer
    Annealer(reads=28, sweeps=142)
    """

    def __init__(self, annealer: Annealer) -> None:
        self.annealer, self._reads = annealer, annealer.reads
        self._flips = annealer.reads * annealer.sweeps
        self.level, self.lead = 0.0, 0
        self._turn, self._first = [0, 0], [0.0, 0.0]
        self._warm = self._long = False

    def begin(self, warm: bool) -> None:
        """Share out the flips of the next call, ``warm`` if it starts from good states."""
        self._warm = warm
        self._long = self._turn[warm] % 4 in (0, 3)  # the longer one is first in every other duel
        level = self.level + (STEP if self._long else -STEP)
        self.annealer.reads = max(1, round(self._reads * 2.0**-level))
        self.annealer.sweeps = max(1, self._flips // self.annealer.reads)

    def end(self, worth: float) -> None:
        """Learn what the best read of that call is worth."""
        turn = self._turn[self._warm]
        self._turn[self._warm] += 1
        if turn % 2 == 0:
            self._first[self._warm] = worth
        elif worth != self._first[self._warm]:
            won = worth < self._first[self._warm]
            self.lead += 1 if won == self._long else -1
        if abs(self.lead) >= LEAD:
            self.level = min(max(self.level + (STEP if self.lead > 0 else -STEP), MANY), LONG)
            self.lead = 0

    def snapshot(self) -> dict[str, Any]:
        """For a checkpoint, between two calls."""
        return {
            "level": self.level,
            "lead": self.lead,
            "turn": list(self._turn),
            "first": list(self._first),
        }

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """From a checkpoint."""
        self.level, self.lead = snapshot["level"], snapshot["lead"]
        self._turn, self._first = list(snapshot["turn"]), list(snapshot["first"])
