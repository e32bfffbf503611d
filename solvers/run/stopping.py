"""When going on is useless: rules that end a run before all of its iterations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from formulations.checks import check_number, check_whole

Over = Callable[[], bool]
"""Whether the time is up: asked inside long steps, which then end with what they have."""


def never() -> bool:
    """Time without end."""
    return False


@dataclass(frozen=True)
class Course:
    """How a run has gone so far, in calls of the oracle.

    Parameters
    ----------
    calls : int
    stale : int
        Calls since the best candidate has last become better.
    idle : int
        Calls since any of the best candidates, the pool, has.
    """

    calls: int
    stale: int
    idle: int


class StopRule(Protocol):
    """Asked after every call, once there is a candidate that satisfies all rows."""

    def over(self, course: Course) -> bool:
        """Whether the run should end here."""
        ...


@dataclass(frozen=True)
class NoImprovement:
    """A run is over when it has stood still for long, compared with how long it took to get there.

    It ends ``least`` calls, and ``factor`` times as many as the best candidate took, after that
    candidate, if the pool of the best has not changed for ``least`` / 2 calls either.  If calls
    were independent draws, the best of all would be found at any of them with equal chance, and
    within the first 1 / (1 + factor) of a run only that often; the more slowly a search gets
    better, the longer it goes on.

    Parameters
    ----------
    factor : float
        0 ends a run after a fixed number of calls that found nothing better.
    least : int

    Examples
    --------
    >>> rule = NoImprovement()
    >>> rule.over(Course(calls=29, stale=26, idle=12)), rule.over(Course(29, 25, 12))
    (True, False)
    """

    factor: float = 2.0
    least: int = 20

    def __post_init__(self) -> None:
        check_number("factor", self.factor, zero=True)
        check_whole("least", self.least)

    def over(self, course: Course) -> bool:
        """Whether the run should end here."""
        found = course.calls - course.stale
        long = course.stale >= self.least + self.factor * found
        return long and 2 * course.idle >= self.least
