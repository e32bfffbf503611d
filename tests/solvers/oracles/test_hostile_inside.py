"""Oracles that answer nonsense, raise what they like or never answer, inside every wrapper."""

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import solvers
from formulations import Network, TrainingProblem
from formulations.errors import OracleError, OracleTimeoutError, UnusableAnswerError
from solvers.oracles import (
    QUBO,
    Blockwise,
    Budget,
    Caching,
    Clipping,
    ExactOracle,
    Noise,
    Precision,
    Record,
    Retry,
    Samples,
    SpinReversal,
    Success,
    Timeout,
)
from solvers.oracles.wrappers.audit import Audited
from solvers.run.result import Status

QUESTION = QUBO(np.array([1.0, -3.0]), np.array([0]), np.array([1]), np.array([2.0]))
SEED = np.random.SeedSequence(0)
ZERO, ONE = np.zeros((1, 2), dtype=np.int8), np.zeros(1)

WRAPPERS: dict[str, Callable[[Any, Any], Any]] = {
    "none": lambda oracle, folder: oracle,
    "blockwise": lambda oracle, folder: Blockwise(oracle),
    "budget": lambda oracle, folder: Budget(oracle, calls=100),
    "caching": lambda oracle, folder: Caching(oracle),
    "clipping": lambda oracle, folder: Clipping(oracle, 0.5),
    "noise": lambda oracle, folder: Noise(oracle, 0.1),
    "precision": lambda oracle, folder: Precision(oracle, 4),
    "record": lambda oracle, folder: Record(oracle, folder),
    "retry": lambda oracle, folder: Retry(oracle, attempts=3, sleep=lambda _: None),
    "spin-reversal": lambda oracle, folder: SpinReversal(oracle),
    "success": lambda oracle, folder: Success(oracle, 0.5),
    "timeout": lambda oracle, folder: Timeout(oracle, 30.0),
}
NONSENSE: dict[str, Any] = {
    "none": None,
    "text": "010",
    "array": ZERO,
    "no reads": Samples(np.zeros((0, 2), np.int8), np.zeros(0), 0.0),
    "too wide": Samples(np.zeros((1, 3), np.int8), ONE, 0.0),
    "flat": Samples(np.zeros(2, np.int8), ONE, 0.0),
    "spins": Samples(np.array([[-1, 1]], np.int8), ONE, 0.0),
    "nan bits": Samples(np.array([[np.nan, 0.0]]), ONE, 0.0),  # type: ignore[arg-type]
    "objects": Samples(np.array([["a", "b"]], object), ONE, 0.0),
    "energies too many": Samples(ZERO, np.zeros(3), 0.0),
    "no energies": Samples(ZERO, None, 0.0),  # type: ignore[arg-type]
    "a class": Samples,
}


class Told:
    """An oracle that answers, or raises, what it is told."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.calls = answer, 0

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        self.calls += 1
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer  # type: ignore[no-any-return]


@pytest.mark.parametrize("answer", NONSENSE)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_nonsense_is_refused_by_name_and_booked(wrapper: str, answer: str, tmp_path: Any) -> None:
    inside = Told(NONSENSE[answer])
    oracle = Audited(WRAPPERS[wrapper](inside, tmp_path))
    for failures in (1, 2):
        with pytest.raises(UnusableAnswerError, match="the oracle's answer cannot be used"):
            oracle.sample(QUESTION, SEED)
        assert oracle.ledger.failures == failures
        assert inside.calls == failures  # nothing of it was kept
    if isinstance(oracle.oracle, Budget):
        assert oracle.oracle.ledger.failures == 2
        assert not oracle.oracle._in_flight


@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_energies_that_are_missing_are_computed(wrapper: str, tmp_path: Any) -> None:
    inside = Told(Samples(ZERO, np.array([np.nan]), float("nan"), info=None))  # type: ignore[arg-type]
    samples = Audited(WRAPPERS[wrapper](inside, tmp_path)).sample(QUESTION, SEED)
    assert samples.energies.tolist() == QUESTION.energies(samples.x).tolist()
    assert samples.seconds == 0.0


@pytest.mark.parametrize("error", [ValueError("no"), MemoryError(), RecursionError(), KeyError(3)])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_errors_of_every_kind_are_an_oracles(wrapper: str, error: Any, tmp_path: Any) -> None:
    oracle = Audited(WRAPPERS[wrapper](Told(error), tmp_path))
    with pytest.raises(OracleError, match=type(error).__name__):
        oracle.sample(QUESTION, SEED)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(3), GeneratorExit()])
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_what_ends_a_program_passes(wrapper: str, error: Any, tmp_path: Any) -> None:
    inside = Told(error)
    oracle = WRAPPERS[wrapper](inside, tmp_path)
    with pytest.raises(type(error)):
        Audited(oracle).sample(QUESTION, SEED)
    assert inside.calls == 1
    if isinstance(oracle, Budget):
        assert oracle.ledger.failures == 1
        assert not oracle._in_flight


def test_an_oracle_that_never_answers_is_given_up() -> None:
    never = threading.Event()

    class Never(ExactOracle):
        def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
            never.wait()
            return super().sample(qubo, seed)

    inside = Never()
    patient = Retry(Timeout(inside, limit=0.01), attempts=3, sleep=lambda _: None)
    with pytest.raises(OracleTimeoutError, match="not answered within 0.01 seconds"):
        patient.sample(QUESTION, SEED)
    never.set()


@pytest.mark.parametrize("answer", NONSENSE)
def test_a_solver_keeps_its_incumbent(answer: str) -> None:
    problem = TrainingProblem(
        Network.dense([2, 2, 1], activation="sign"), [[1, -1], [1, 1], [1, 1]], [1, -1, 1]
    )

    class Turning(Told):
        def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
            from solvers.oracles import Annealer

            self.calls += 1
            good = self.calls < 3
            return Annealer(2, 2).sample(qubo, seed) if good else NONSENSE[answer]  # type: ignore[no-any-return]

    result = solvers.QCGD(Turning(None), iterations=9).solve(problem)
    assert result.status is Status.ORACLE_FAILED
    assert result.loss == problem.loss(result.weights)
    assert "cannot be used" in result.info["reason"]
