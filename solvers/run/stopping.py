"""Stop rules: end a run before all of its iterations once further improvement is unlikely."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from formulations.checks import check_number, check_whole

Over = Callable[[], bool]
"""Return whether the time is up; long steps call it and then end with what they have."""


def never() -> bool:
    """Never end: no time limit."""
    return False


@dataclass(frozen=True)
class Course:
    """Course of a run so far, in oracle calls.

    Parameters
    ----------
    calls : int
    stale : int
        Calls since the best candidate last improved.
    idle : int
        Calls since any candidate in the pool last improved.
    """

    calls: int
    stale: int
    idle: int


class StopRule(Protocol):
    """Stop rule, asked after every call once a candidate satisfies all rows."""

    def over(self, course: Course) -> bool:
        """Return whether the run should end."""
        ...


@dataclass(frozen=True)
class NoImprovement:
    """Stop rule: end a run that has not improved for long, compared with the time it took so far.

    It ends a run ``least`` calls, and ``factor`` times as many as the best candidate took, after
    that candidate, if the pool has not changed for ``least`` / 2 calls either.  If calls were
    independent draws, each would be equally likely to find the best candidate, and the first 1 / (1
    + factor) of a run would find it with only that probability.  The more slowly a search improves,
    the longer it runs.

    Parameters
    ----------
    factor : float
        0 ends a run after a fixed number of calls without improvement.
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
        found = course.calls - course.stale
        long = course.stale >= self.least + self.factor * found
        return long and 2 * course.idle >= self.least
