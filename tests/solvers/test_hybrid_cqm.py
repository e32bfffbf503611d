"""The hybrid CQM solver, against our mock of it."""

from __future__ import annotations

import pickle
from typing import Any

import dimod
import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError, OracleError
from solvers.hybrid_cqm import HybridCQM
from solvers.oracles.cloud.mock import MockHybridCQM
from solvers.run.result import Status


def problem(samples: int = 6) -> TrainingProblem:
    random = np.random.default_rng(0)
    X = random.choice([-1, 1], (samples, 3))
    return TrainingProblem(Network.dense([3, 2, 1]), X, random.choice([-1, 1], samples))


def small_cqm() -> dimod.ConstrainedQuadraticModel:
    cqm = dimod.ConstrainedQuadraticModel()
    a, b, c = dimod.Binaries("abc")
    cqm.set_objective(-3 * a - 2 * b - c)
    cqm.add_constraint(a + b + c <= 1, label="one")
    return cqm


def test_it_trains_a_network_in_one_call() -> None:
    told: list[float] = []
    solver = HybridCQM(
        sampler=MockHybridCQM, callbacks=(lambda progress: bool(told.append(progress.loss)),)
    )
    task = problem()
    result = solver.solve(task)
    assert result.status is Status.FINISHED
    assert result.lower_bound is None
    assert result.loss == task.loss(result.weights) == told[0]
    assert (result.ledger.calls, result.ledger.charged, result.ledger.sampling) == (1, 5.0, 5.0)
    assert result.ledger.reads == result.info["samples"] >= result.info["feasible_samples"]
    assert result.info["num_variables"] == task.qcbo().num_variables
    assert solver.solve(task).bits.tolist() == result.bits.tolist()


def test_feasible_samples_come_first() -> None:
    raw = MockHybridCQM().sample_cqm(small_cqm())
    assert not raw.first.is_feasible  # as from the real one, the lowest sample breaks a row
    found = HybridCQM(sampler=MockHybridCQM, time_limit=8.0).sample_cqm(small_cqm())
    feasible = found.record.is_feasible
    assert feasible[0]
    assert not np.any(feasible[1:] & ~feasible[:-1])
    assert found.record.energy[0] == -3.0
    assert found.info["charged"] == 8.0


def test_larger_models_and_integers_go_to_the_annealer() -> None:
    cqm = dimod.ConstrainedQuadraticModel()
    numbers = [dimod.Integer(f"i{k}", upper_bound=7) for k in range(6)]
    cqm.set_objective(-sum(numbers))
    cqm.add_constraint(sum(numbers) <= 9)
    found = HybridCQM(sampler=MockHybridCQM).sample_cqm(cqm)
    assert found.record.is_feasible[0]
    assert found.record.energy[0] >= -9.0


def test_bad_options_and_bad_answers_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="time_limit=-1"):
        HybridCQM(time_limit=-1)
    with pytest.raises(InvalidInputError, match="Did you mean 'label'"):
        HybridCQM(sampler=MockHybridCQM, options={"lable": "x"}).sample_cqm(small_cqm())
    with pytest.raises(ValueError, match="least time limit is 5 s"):
        HybridCQM(sampler=MockHybridCQM, time_limit=1.0).solve(problem())

    class Other(MockHybridCQM):
        def sample_cqm(self, cqm: Any, time_limit: Any = None, **given: Any) -> Any:
            return super().sample_cqm(small_cqm())

    with pytest.raises(OracleError, match="3 variables: expected one or more of the"):
        HybridCQM(sampler=Other).solve(problem())


def test_copies_hold_no_client_and_are_equal() -> None:
    solver = HybridCQM(sampler=MockHybridCQM)
    solver.sample_cqm(small_cqm())
    assert pickle.loads(pickle.dumps(solver)) == solver
    assert b"properties" not in pickle.dumps(solver)


def test_ocean_asks_for_the_same_least_time() -> None:
    """Our formula against Ocean's own, on a model and with properties that D-Wave publishes."""
    from dwave.system import LeapHybridCQMSampler

    from solvers.oracles.cloud.estimates import cqm_seconds, hybrid_cqm_seconds

    model = problem(40).qcbo()
    cqm, mock = model.to_cqm(), MockHybridCQM()
    heavy = {**mock.properties, "num_biases_multiplier": 0.01}
    for properties in (mock.properties, heavy):
        mock.properties = properties
        ocean = LeapHybridCQMSampler.min_time_limit(mock, cqm)
        assert cqm_seconds(model, properties) == pytest.approx(ocean)
        assert mock.min_time_limit(cqm) == pytest.approx(ocean)
    assert hybrid_cqm_seconds(10**6, 10**7, 10**5) > 200.0
