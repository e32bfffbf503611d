"""What the front door puts around an oracle: a record, patience, a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from formulations.errors import InvalidInputError
from solvers.oracles import Budget, Oracle, Record, Replay, Retry, Timeout

if TYPE_CHECKING:
    from qnn.runs.solver_options import SolverOptions


def safeguarded(oracle: Oracle, options: SolverOptions) -> Oracle:
    """The oracle as it is asked: within its budget, again after transient errors, on the record.

    The budget is outermost, so that a run that is replayed stops where it stopped.

    Examples
    --------
    >>> from qnn.runs.solver_options import SolverOptions
    >>> from solvers.oracles import Annealer
    >>> safeguarded(Annealer(), SolverOptions(budget_calls=3)).calls
    3
    """
    if options.record is not None and options.replay is not None:
        raise InvalidInputError(
            "both --record and --replay: a replay asks no oracle; --record alone takes what is "
            "there and asks for the rest"
        )
    if options.record is not None:
        oracle = Record(oracle, options.record)
    if options.replay is not None:
        oracle = Replay(oracle, options.replay)
    if options.oracle_timeout is not None:
        oracle = Timeout(oracle, options.oracle_timeout)
    oracle = Retry(oracle)
    limits = (options.budget_calls, options.budget_seconds, options.budget_charged)
    return oracle if limits == (None, None, None) else Budget(oracle, *limits)


def check_no_safeguards(solver: str, options: SolverOptions) -> None:
    """Refuse them for a solver that asks no oracle."""
    asking = (
        "oracle", "oracle_option", "budget_calls", "budget_seconds", "budget_charged", "record",
        "replay", "oracle_timeout",
    )  # fmt: skip
    for name in asking:
        if getattr(options, name) not in (None, ()):
            raise InvalidInputError(
                f"--{name.replace('_', '-')}: solver {solver!r} asks no oracle; leave it out, or "
                "take one that does, such as qcgd"
            )
