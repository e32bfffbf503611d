"""Time estimates of cloud calls, before anything is sent.

A QPU is charged by its access time,

    T = programming + thermalization + reads (anneal + readout(qubits) + delay),

a hybrid solver by the time it runs, with a minimum for each model.  The figures are D-Wave's
published ones; if an account's solver is given, the figures in its properties take precedence.
Sources, all D-Wave documentation as of 2025: "Operation and Timing", "Per-QPU Solver Properties and
Schedules", "General QPU Solver Properties" (``problem_timing_data`` and how to read it, also
``dwave.cloud.solver.StructuredSolver.estimate_qpu_access_time``), "BQM Solver Properties", "CQM
Solver Properties".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from formulations.checks import check_whole
from formulations.errors import InvalidInputError
from formulations.model.qcbo import QCBO


@dataclass(frozen=True)
class QPUTiming:
    """The parts of a QPU's access time, in microseconds.

    Parameters
    ----------
    name : str
        Machine and date of the figures.
    programming : float
        Programming and the thermalization after it, once per call.
    delay : float
        Delay between two reads.
    readout : sequence of (int, float)
        Qubits read and the time to read them, with logarithmic interpolation.
    annealing_time : float
        Default annealing time of a read.

    Examples
    --------
    >>> seconds = TIMINGS["P"].access_seconds(qubits=500, reads=100)
    >>> round(seconds, 4)
    0.0405
    """

    name: str
    programming: float
    delay: float
    readout: tuple[tuple[float, float], ...]
    annealing_time: float = 20.0

    def access_seconds(self, qubits: int, reads: int, annealing_time: float | None = None) -> float:
        """Compute the seconds of QPU access for one call.

        Parameters
        ----------
        qubits : int
            Qubits that the embedded problem occupies.
        reads : int
        annealing_time : float, optional
            Microseconds of a read.

        Raises
        ------
        InvalidInputError
            For numbers out of range.
        """
        check_whole("qubits", qubits)
        check_whole("reads", reads)
        anneal = self.annealing_time if annealing_time is None else annealing_time
        if not 0 < anneal < np.inf:
            raise InvalidInputError(
                f"annealing_time={annealing_time!r}: expected a positive number of microseconds"
            )
        at, times = np.log10(np.array(self.readout)).T
        readout = 10.0 ** float(np.interp(np.log10(qubits), at, times))
        return float(1e-6 * (self.programming + reads * (anneal + readout + self.delay)))


def _advantage() -> QPUTiming:
    """Return ``problem_timing_data`` of the documentation's example, a Pegasus P16."""
    at = (0.0, 0.7699665876947938, 1.7242758696010096, 2.711975459489206, 3.1639057672764026,
          3.750276915153992)  # fmt: skip
    times = (1.539131714800995, 1.8726623164229292, 2.125631787097315, 2.332672340068556,
             2.371606651233025, 2.3716219271760215)  # fmt: skip
    return QPUTiming(
        "Advantage_system4.1, August 2022",
        programming=14072.88 + 1000.0,
        delay=20.54,
        readout=tuple((10.0**q, 10.0**t) for q, t in zip(at, times, strict=True)),
    )


TIMINGS: Mapping[str, QPUTiming] = {
    "P": _advantage(),
    # Published as 33.6 ms, 60.6 us and a readout of 17 to 101 us, a Zephyr Z12.
    "Z": QPUTiming(
        "Advantage2_system1, readout at its slowest",
        programming=33600.0 + 1000.0,
        delay=60.6,
        readout=((1.0, 101.0), (4800.0, 101.0)),
    ),
}
"""Timings by the letter of a graph's name, see :data:`solvers.oracles.cloud.embedding.GRAPHS`."""


def qpu_seconds(
    qubits: int,
    reads: int,
    calls: int = 1,
    *,
    timing: QPUTiming = TIMINGS["P"],
    annealing_time: float | None = None,
    solver: Any = None,
) -> float:
    """Compute the seconds of QPU access for ``calls`` calls.

    Parameters
    ----------
    qubits, reads, annealing_time
        Values for each call.
    timing : QPUTiming
        Published figures.
    solver : dwave.cloud.solver.StructuredSolver, optional
        QPU of an account, whose own figures then replace ``timing``.

    Examples
    --------
    >>> round(qpu_seconds(qubits=500, reads=100, calls=50), 2)
    2.03
    >>> round(qpu_seconds(qubits=500, reads=100, calls=50, timing=TIMINGS["Z"]), 2)
    2.64
    """
    if solver is None:
        return calls * timing.access_seconds(qubits, reads, annealing_time)
    one = solver.estimate_qpu_access_time(
        num_qubits=qubits, num_reads=reads, annealing_time=annealing_time
    )
    return calls * 1e-6 * float(one)


BQM_MINIMUM: Sequence[tuple[float, float]] = (
    (1, 3.0),
    (1024, 3.0),
    (4096, 10.0),
    (10_000, 40.0),
    (30_000, 200.0),
    (100_000, 600.0),
    (1_000_000, 600.0),
)
"""Variables and least seconds of ``hybrid_binary_quadratic_model_version2``."""

CQM_MINIMUM: Mapping[str, float] = {
    "minimum_time_limit_s": 5.0,
    "num_variables_multiplier": 1.57411458e-4,
    "num_biases_multiplier": 4.65705646e-6,
    "num_constraints_multiplier": 6.44385747e-9,
}
"""Multipliers of ``hybrid_constrained_quadratic_model_version1``."""


def hybrid_bqm_seconds(
    num_variables: int, minimum: Sequence[Sequence[float]] = BQM_MINIMUM
) -> float:
    """Compute the least seconds that a hybrid BQM solver takes and charges for one call.

    Parameters
    ----------
    num_variables : int
    minimum : sequence of (variables, seconds)
        The solver's property ``minimum_time_limit``, interpolated linearly.

    Examples
    --------
    >>> hybrid_bqm_seconds(500), hybrid_bqm_seconds(7048)
    (3.0, 25.0)
    """
    at, seconds = zip(*minimum, strict=True)
    return float(np.interp(num_variables, at, seconds))


def hybrid_cqm_seconds(
    num_variables: int,
    num_biases: int,
    num_constraints: int,
    minimum: Mapping[str, float] = CQM_MINIMUM,
) -> float:
    """Compute the least seconds that a hybrid CQM solver takes and charges for a model.

    max(v n + b biases + c n constraints, 5), the multipliers being properties of the solver, as in
    ``dwave.system.LeapHybridCQMSampler.min_time_limit``.

    Examples
    --------
    >>> hybrid_cqm_seconds(1000, 20_000, 500)
    5.0
    >>> round(hybrid_cqm_seconds(50_000, 500_000, 10_000), 2)
    13.42
    """
    weighted = (
        minimum["num_variables_multiplier"] * num_variables
        + minimum["num_biases_multiplier"] * num_biases
        + minimum["num_constraints_multiplier"] * num_variables * num_constraints
    )
    return max(weighted, minimum["minimum_time_limit_s"])


def cqm_seconds(model: QCBO, minimum: Mapping[str, float] = CQM_MINIMUM) -> float:
    """Compute :func:`hybrid_cqm_seconds` of ``model.to_cqm()`` without building it.

    Its biases are n + couplers of the objective + entries of the rows + 4 for each product row
    u - v w == 0, or 2 where v is w.

    Examples
    --------
    >>> cqm_seconds(QCBO.from_arrays([-1, -2], [[1, 1]], [1]))
    5.0
    """
    return hybrid_cqm_seconds(
        model.num_variables, cqm_biases(model), model.num_rows + model.num_products, minimum
    )


def cqm_biases(model: QCBO) -> int:
    """Count the linear and quadratic biases of ``model.to_cqm()``."""
    _, v, w = model.products.T
    products = 4 * model.num_products - 2 * int(np.count_nonzero(v == w))
    return model.num_variables + model.quadratic.nnz + model.rows.nnz + products
