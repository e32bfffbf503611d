"""Mocks of D-Wave's machines: the same calls and kinds of answers, without an account.

They are for testing a pipeline, its budget and its bookkeeping, not for judging a machine.  Exact
solvers or simulated annealing on this computer give the answers, and times are those that a real
call would be charged (the hybrid solvers' minimum, Ocean's fixed ones for a QPU), not the actual
ones.

>>> mock_qpu(reads=10, graph="Z12"), mock_hybrid()
(QPU(reads=10, ...), HybridBQM(time_limit=None, options={}))
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from formulations.checks import choose
from formulations.extras import load_extra
from solvers.oracles.base import QUBO, Oracle, Samples
from solvers.oracles.cloud.embedding import hardware_graph
from solvers.oracles.cloud.estimates import (
    BQM_MINIMUM,
    CQM_MINIMUM,
    hybrid_bqm_seconds,
    hybrid_cqm_seconds,
)
from solvers.oracles.here.annealing import Annealer
from solvers.oracles.here.exact import ExactOracle


@dataclass(frozen=True)
class MockQPU:
    """Factory of Ocean's ``MockDWaveSampler`` on a graph without defects, with a seed.

    Parameters
    ----------
    graph : str
        See :data:`solvers.oracles.cloud.embedding.GRAPHS`.

    Examples
    --------
    >>> sampler = MockQPU("P2")()
    >>> sampler.properties["topology"], len(sampler.nodelist)
    ({'type': 'pegasus', 'shape': [2]}, 40)
    """

    graph: str = "P16"

    def __call__(self) -> Any:
        testing = load_extra("dwave.system.testing", "ocean", "the mock of a QPU")
        graph = hardware_graph(self.graph).graph
        shape = {"pegasus": ["rows"], "zephyr": ["rows", "tile"]}[graph["family"]]
        sampler = testing.MockDWaveSampler(
            topology_type=graph["family"],
            topology_shape=[graph[name] for name in shape],
            parameter_warnings=False,
        )
        sampler.parameters["seed"] = []  # passed on to the steepest descent that answers
        return sampler


def mock_qpu(reads: int = 100, *, graph: str = "P16", **given: Any) -> Oracle:
    """Make a :class:`~solvers.oracles.cloud.qpu.QPU` over a :class:`MockQPU`.

    Parameters
    ----------
    reads : int
        Samples per call.
    graph : str
        Graph of the mock, such as ``P16`` or ``Z12``.
    **given
        Other options of ``QPU``.

    Examples
    --------
    >>> mock_qpu(reads=10, graph="Z12").reads
    10
    """
    from solvers.oracles.cloud.qpu import QPU

    _check_options("mock-qpu", QPU, ["graph"], given)
    return QPU(reads, **given, sampler=MockQPU(graph))


def mock_hybrid(**given: Any) -> Oracle:
    """Make a :class:`~solvers.oracles.cloud.hybrid.HybridBQM` over a :class:`MockHybridBQM`.

    Parameters
    ----------
    **given
        Options of ``HybridBQM``.

    Examples
    --------
    >>> mock_hybrid(time_limit=10.0).time_limit
    10.0
    """
    from solvers.oracles.cloud.hybrid import HybridBQM

    _check_options("mock-hybrid", HybridBQM, [], given)
    return HybridBQM(**given, sampler=MockHybridBQM)


def _check_options(name: str, kind: type[Any], own: list[str], given: Iterable[str]) -> None:
    """Refuse options that neither the mock nor the mocked oracle has."""
    known = [field.name for field in fields(kind) if field.init and field.name != "sampler"]
    for option in given:
        choose(f"option of {name}", option, own + known)


class MockHybridBQM:
    """Mock of ``dwave.system.LeapHybridSampler``, over an exact or annealing solver.

    Examples
    --------
    >>> import dimod
    >>> bqm = dimod.BinaryQuadraticModel({"a": 1.0, "b": -3.0}, {("a", "b"): 2.0}, "BINARY")
    >>> found = MockHybridBQM().sample(bqm)
    >>> found.record.sample.tolist(), found.info["charge_time"]
    ([[0, 1]], 3000000)
    """

    def __init__(self) -> None:
        self.properties: dict[str, Any] = {
            "category": "hybrid",
            "supported_problem_types": ["bqm"],
            "minimum_time_limit": [list(pair) for pair in BQM_MINIMUM],
        }
        self.parameters: dict[str, list[str]] = {"time_limit": [], "label": [], "seed": []}

    def min_time_limit(self, bqm: Any) -> float:
        """Return the least seconds accepted for ``bqm``."""
        return hybrid_bqm_seconds(bqm.num_variables, self.properties["minimum_time_limit"])

    def sample(
        self,
        bqm: Any,
        time_limit: float | None = None,
        *,
        label: str | None = None,
        seed: int | None = None,
    ) -> Any:
        """Return one sample of a dimod model.

        Raises
        ------
        ValueError
            For a time limit below the minimum, like the real solver.
        """
        import dimod

        info = _times(time_limit, self.min_time_limit(bqm), label)
        bits = bqm.change_vartype("BINARY", inplace=False)
        linear, (heads, tails, couplings), _, labels = bits.to_numpy_vectors(
            sort_indices=True, return_labels=True
        )
        qubo = QUBO(linear, heads.astype(np.int64), tails.astype(np.int64), couplings)
        found = _answer(qubo, seed)
        samples = dimod.SampleSet.from_samples_bqm((found.x[:1], labels), bits)
        samples.info.update(info)
        return samples.change_vartype(bqm.vartype, inplace=False)


class MockHybridCQM:
    """Mock of ``dwave.system.LeapHybridCQMSampler``, over an exact solver or QCGD with an annealer.

    Examples
    --------
    >>> import dimod
    >>> cqm = dimod.ConstrainedQuadraticModel()
    >>> x, y = dimod.Binaries(["x", "y"])
    >>> cqm.set_objective(-x - 2 * y)
    >>> _ = cqm.add_constraint(x + y == 1)
    >>> found = MockHybridCQM().sample_cqm(cqm)
    >>> found.record.sample.tolist(), found.record.is_feasible.tolist()  # (x, y), lowest first
    ([[1, 1], [0, 1], [1, 0], [0, 0]], [False, True, True, False])
    """

    def __init__(self) -> None:
        self.properties: dict[str, Any] = {
            "category": "hybrid",
            "supported_problem_types": ["cqm"],
            **CQM_MINIMUM,
        }
        self.parameters: dict[str, list[str]] = {"time_limit": [], "label": [], "seed": []}

    def min_time_limit(self, cqm: Any) -> float:
        """Return the least seconds accepted for ``cqm``."""
        return hybrid_cqm_seconds(
            len(cqm.variables), cqm.num_biases(), len(cqm.constraints), self.properties
        )

    def sample_cqm(
        self,
        cqm: Any,
        time_limit: float | None = None,
        *,
        label: str | None = None,
        seed: int | None = None,
    ) -> Any:
        """Return samples of a dimod CQM, not sorted by feasibility, like the real solver.

        Raises
        ------
        ValueError
            For a time limit below the minimum, like the real solver.
        """
        import dimod

        from solvers.qcgd.qcgd import QCGD

        info = _times(time_limit, self.min_time_limit(cqm), label)
        states = np.prod([cqm.upper_bound(v) - cqm.lower_bound(v) + 1.0 for v in cqm.variables])
        if states <= 2.0**12:  # up to 12 bits the mock is exact
            found = _some(dimod.ExactCQMSolver().sample_cqm(cqm))
        else:
            found = QCGD(seed=seed or 0, iterations=50).sample_cqm(cqm)
        return dimod.SampleSet(found.record, found.variables, info, found.vartype)


def _some(found: Any) -> Any:
    """Keep the 16 best feasible samples and the 16 lowest of all, lowest first."""
    energy, feasible = found.record.energy, found.record.is_feasible
    kept = np.union1d(np.lexsort((energy, ~feasible))[:16], np.argsort(energy)[:16])
    rows = found.record[kept[np.argsort(energy[kept], kind="stable")]]
    return type(found)(rows, found.variables, {}, found.vartype)


def _times(time_limit: float | None, least: float, label: str | None) -> dict[str, Any]:
    """Return a call's ``info``: what a real one would be charged, in microseconds."""
    if time_limit is not None and time_limit < least:
        raise ValueError(f"the least time limit is {least:g} s, and {time_limit:g} s were given")
    microseconds = round(1e6 * (least if time_limit is None else time_limit))
    named = {} if label is None else {"problem_label": label}
    return {
        "problem_id": "mock",
        "run_time": microseconds,
        "charge_time": microseconds,
        "qpu_access_time": 0,
        **named,
    }


def _answer(qubo: QUBO, seed: int | None) -> Samples:
    small = qubo.num_variables <= 16  # up to here the mock is exact
    oracle: Oracle = ExactOracle() if small else Annealer(reads=10, sweeps=500)
    return oracle.sample(qubo, np.random.SeedSequence(seed))
