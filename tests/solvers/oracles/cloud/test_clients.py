"""The cloud paths through Ocean's own samplers, their client replaced: as on an account."""

from __future__ import annotations

from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any

import dimod
import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.errors import OracleError
from solvers import QCGD, HybridCQM
from solvers.oracles import QPU, HybridBQM
from solvers.oracles.cloud.mock import MockHybridBQM, MockHybridCQM, MockQPU
from solvers.oracles.testing import random_qubo

CLIENTS = {
    "qpu": "dwave.system.samplers.dwave_sampler.Client",
    "hybrid": "dwave.system.samplers.leap_hybrid_sampler.Client",
}


def seed(number: int = 0) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


def client_of(solver: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> list[int]:
    """Let Ocean's client hand out ``solver``; returns a list that grows with every client made."""
    made: list[int] = []

    def from_config(**config: Any) -> Any:
        made.append(1)
        return SimpleNamespace(
            config=SimpleNamespace(solver={}),
            get_solver=lambda: solver,
            get_solvers=lambda **filters: [solver],
            close=lambda: None,
        )

    monkeypatch.setattr(CLIENTS[kind], SimpleNamespace(from_config=from_config))
    return made


class Answer(Future):  # type: ignore[type-arg]
    """What Ocean's solvers return: a future with the samples as an attribute."""

    def __init__(self, samples: dimod.SampleSet) -> None:
        super().__init__()
        self.sampleset = samples
        self.set_result(samples)


class Qubits:
    """A QPU as a client knows it."""

    identity = "Advantage_mock"

    def __init__(self) -> None:
        from dwave.cloud.testing.mocks import qpu_pegasus_solver_data

        self.properties = qpu_pegasus_solver_data(3)["properties"]
        self.properties["parameters"]["annealing_time"] = ""
        self.nodes = set(self.properties["qubits"])
        self.edges = {tuple(edge) for edge in self.properties["couplers"]}
        self.sent: list[dict[str, Any]] = []

    def sample_bqm(self, bqm: Any, **given: Any) -> Answer:
        self.sent.append(given)
        return Answer(MockQPU("P3")().sample(bqm, **given))


def test_qpu(monkeypatch: pytest.MonkeyPatch) -> None:
    solver = Qubits()
    made = client_of(solver, monkeypatch, "qpu")
    oracle = QPU(reads=4, annealing_time=5.0, embedding="clique")
    assert not made
    qubo = random_qubo(8)
    for number in range(3):
        samples = oracle.sample(qubo, seed(number))
        assert samples.x.shape == (4, 8)
        np.testing.assert_allclose(samples.energies, qubo.energies(samples.x))
    assert made == [1]
    assert solver.sent == [{"num_reads": 4, "annealing_time": 5.0}] * 3


def test_qpu_trains_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    client_of(Qubits(), monkeypatch, "qpu")
    problem = TrainingProblem(Network.dense([2, 1]), [[1, -1], [1, 1]], [1, -1])
    result = QCGD(oracle=QPU(reads=5, embedding="clique"), iterations=3).solve(problem)
    assert result.ledger.charged == pytest.approx(result.ledger.calls * 8550.28e-6)


def test_hybrid_bqm(monkeypatch: pytest.MonkeyPatch) -> None:
    from dwave.cloud.testing.mocks import hybrid_bqm_solver_data

    class Solver:
        properties = hybrid_bqm_solver_data()["properties"]
        supported_problem_types = ("bqm",)

        def upload_bqm(self, file: Any) -> Any:
            return Answer(dimod.BinaryQuadraticModel.from_file(file))

        def sample_bqm(self, bqm: Any, time_limit: float) -> Answer:
            return Answer(MockHybridBQM().sample(bqm, max(time_limit, 3.0)))

    made = client_of(Solver(), monkeypatch, "hybrid")
    oracle, qubo = HybridBQM(time_limit=4.0), random_qubo(8)
    samples = oracle.sample(qubo, seed())
    np.testing.assert_allclose(samples.energies, qubo.energies(samples.x))
    assert (samples.info["charged"], made) == (4.0, [1])


def test_hybrid_cqm(monkeypatch: pytest.MonkeyPatch) -> None:
    from dwave.cloud.testing.mocks import hybrid_cqm_solver_data

    class Solver:
        properties = hybrid_cqm_solver_data()["properties"]
        supported_problem_types = ("cqm",)

        def upload_problem(self, file: Any) -> Any:
            file.seek(0)
            return Answer(dimod.ConstrainedQuadraticModel.from_file(file))

        def sample_cqm(self, cqm: Any, time_limit: float) -> Answer:
            return Answer(MockHybridCQM().sample_cqm(cqm, max(time_limit, 5.0)))

    client_of(Solver(), monkeypatch, "hybrid")
    problem = TrainingProblem(Network.dense([2, 2, 1]), [[1, -1], [1, 1]], [1, -1])
    result = HybridCQM(time_limit=6.0).solve(problem)
    assert result.loss == problem.loss(result.weights)
    assert result.ledger.charged == 6.0


def test_a_refused_token_is_told_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    from dwave.cloud.exceptions import SolverAuthenticationError

    token = "DEV-0123456789abcdef"
    monkeypatch.setenv("DWAVE_API_TOKEN", token)
    solver = Qubits()
    client_of(solver, monkeypatch, "qpu")
    oracle = QPU(reads=2, embedding="clique")
    oracle.sample(random_qubo(3), seed())

    def refuse(*arguments: Any, **given: Any) -> None:
        raise SolverAuthenticationError(f"token {token} has expired")

    monkeypatch.setattr(solver, "sample_bqm", refuse)
    with pytest.raises(OracleError, match="no access.*dwave config create") as caught:
        oracle.sample(random_qubo(3), seed())
    assert token not in str(caught.value)
