"""Result of a solver: status, incumbent and history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt

from formulations.arrays import BitArray, FloatArray
from formulations.errors import BudgetExhaustedError, OracleError
from formulations.shown_table import facts_of
from solvers.oracles.ledger import Ledger as Ledger

if TYPE_CHECKING:
    from formulations.network.network import Weights


def is_interrupt(error: BaseException | None) -> bool:
    """Return whether an error is Ctrl-C, or a library's own error caused by it.

    Examples
    --------
    >>> try:
    ...     raise TypeError from KeyboardInterrupt()
    ... except TypeError as error:
    ...     is_interrupt(error)
    True
    """
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__cause__ or error.__context__
    return False


def reach(bound: float) -> float:
    """Return the largest loss that meets a lower bound up to rounding.

    Examples
    --------
    >>> 0.3 <= reach(0.1 + 0.1 + 0.1 - 1e-12), 0.3001 <= reach(0.3)
    (True, False)
    """
    return bound + 1e-9 * max(1.0, abs(bound))


class Status(Enum):
    """Why a solver stopped, and how far its answer can be trusted."""

    OPTIMAL = "optimal"
    """The loss is proven to be minimal."""
    INFEASIBLE = "infeasible"
    """It is proven that no assignment satisfies the model's rows."""
    FINISHED = "finished"
    """All iterations ran, or a stop rule ended the run; nothing is proven."""
    TIME_LIMIT = "time limit"
    """The time limit was reached first; the incumbent is returned."""
    CALL_LIMIT = "call limit"
    """The budget of oracle calls was used up first; the incumbent is returned."""
    BUDGET = "budget used up"
    """A budget of the oracle was used up first; the incumbent is returned."""
    ORACLE_FAILED = "oracle failed"
    """The oracle failed or gave an unusable answer; the incumbent is returned."""
    INTERRUPTED = "interrupted"
    """Ctrl-C or a callback stopped the run; the incumbent is returned."""

    @classmethod
    def after(cls, error: BaseException) -> Status | None:
        """Return the status of a run with an incumbent after an error; None to raise it."""
        if is_interrupt(error):
            return cls.INTERRUPTED
        kinds = {
            BudgetExhaustedError: cls.BUDGET,
            OracleError: cls.ORACLE_FAILED,
        }
        return next((status for kind, status in kinds.items() if isinstance(error, kind)), None)


@dataclass
class Incumbent:
    """Best weight bits found so far, by the real loss.

    Examples
    --------
    >>> best = Incumbent()
    >>> best.offer(np.array([[0, 1], [1, 1]]), np.array([3.0, 2.0]))
    True
    >>> best.loss, best.bits.tolist()
    (2.0, [1, 1])
    """

    bits: BitArray | None = None
    loss: float = float("inf")

    def offer(self, bits: npt.ArrayLike, losses: npt.ArrayLike) -> bool:
        """Take the best of many candidates, shapes (R, n) and (R,), if it beats the incumbent."""
        losses = np.asarray(losses, dtype=float)
        best = int(np.argmin(losses))
        if not losses[best] < self.loss:
            return False
        self.bits, self.loss = np.asarray(bits, dtype=np.int8)[best].copy(), float(losses[best])
        return True


@dataclass
class History:
    """Table with one row of numbers per recorded step, stored as columns.

    Examples
    --------
    >>> history = History()
    >>> history.record(iteration=1, loss=4.0)
    >>> history["loss"].tolist()
    [4.0]
    >>> history.record(iteration=2, loss=3.0, bound=1.0)  # since another release
    >>> history["bound"].tolist()
    [nan, 1.0]
    """

    columns: dict[str, list[float]] = field(default_factory=dict)

    def record(self, **values: float) -> None:
        """Append a row; a column that starts late is NaN in earlier rows."""
        rows = len(self)
        for name, value in values.items():
            self.columns.setdefault(name, [float("nan")] * rows).append(float(value))

    def arrays(self) -> dict[str, FloatArray]:
        """Return the columns for saving."""
        return {name: self[name] for name in self.columns}

    @classmethod
    def of(cls, arrays: Mapping[str, FloatArray]) -> Self:
        """Make a history from such columns."""
        return cls({name: column.tolist() for name, column in arrays.items()})

    def __getitem__(self, name: str) -> FloatArray:
        return np.array(self.columns[name])

    def __len__(self) -> int:
        return len(next(iter(self.columns.values()), []))


@dataclass
class Result:
    """Result of ``solve``.

    Parameters
    ----------
    weights : Weights
        The incumbent.
    loss : float
        Real loss of the weights on all training samples.
    status : Status
    lower_bound : float or None
        Certified lower bound on the loss, or None.
    history : History
    ledger : Ledger
    seconds : float
        Wall-clock time of the whole call.
    bits : ndarray of int8
        The incumbent's free weight bits.
    info : dict
        Solver-specific numbers, such as ``num_variables`` of its model.  If the problem has
        constraints, ``broken`` maps those the weights violate to the amount.
    trace : History
        ``seconds`` and the incumbent's ``loss``: a row for each improvement and one for the end.
    """

    weights: Weights
    loss: float
    status: Status
    lower_bound: float | None
    history: History
    ledger: Ledger
    seconds: float
    bits: BitArray
    info: dict[str, Any] = field(default_factory=dict)
    trace: History = field(default_factory=History)

    _repr_html_ = facts_of(
        status="status.value",
        loss="loss",
        lower_bound="lower_bound",
        constraints_satisfied="satisfies",
        seconds="seconds",
        oracle_calls="ledger.calls",
    )

    @property
    def stands_for(self) -> BitArray:
        """Part of a result that matters to a run started from it: neither clock nor history."""
        return self.bits

    @property
    def satisfies(self) -> bool:
        """True if the weights satisfy all of the problem's constraints; see ``info["broken"]``."""
        return not self.info.get("broken")
