"""Many QUBOs reach an oracle that takes them in one call: blocks, walks, restricted rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from solvers import DecomposedQCGD, LargeNeighborhoodSearch, ProgressiveHedging
from solvers.hedging.hedging import PenaltyBlocks
from solvers.oracles import QUBO, Annealer, ParallelAnnealer, Retry, Samples
from solvers.oracles.base import BatchOracle
from solvers.oracles.ledger import Ledger
from solvers.oracles.testing import random_qubo
from solvers.oracles.together import together


class Counting(ParallelAnnealer):
    """Keeps the number of QUBOs of each call."""

    def __init__(self) -> None:
        super().__init__(reads=4, sweeps=20, device="numpy")
        self.calls: list[int] = []

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        self.calls.append(1)
        return super().sample(qubo, seed)

    def sample_many(self, qubos: Sequence[QUBO], seed: np.random.SeedSequence) -> list[Samples]:
        self.calls.append(len(qubos))
        return super().sample_many(qubos, seed)


@pytest.fixture
def problem() -> TrainingProblem:
    rng = np.random.default_rng(0)
    network = Network.dense([6, 4, 1], activation="sign")
    return TrainingProblem(network, rng.choice([-1, 1], (32, 6)), rng.choice([-1, 1], 32))


@pytest.mark.parametrize("kind", ["decomposed", "hedging"])
def test_one_call_answers_the_blocks_of_a_round(kind: str, problem: TrainingProblem) -> None:
    oracle = Counting()
    options: dict[str, Any] = {"block_size": 8, "symmetry": "none"}
    if kind == "decomposed":
        result = DecomposedQCGD(oracle, iterations=3, **options).solve(problem)
    else:
        result = ProgressiveHedging(PenaltyBlocks(oracle), rounds=3, **options).solve(problem)
    assert oracle.calls == [4] * 3
    assert result.ledger is not None
    assert result.ledger.calls == 12
    assert result.loss == problem.loss(result.weights)


@pytest.mark.parametrize("model", ["flips", "states"])
@pytest.mark.parametrize("executor", [None, "threads"])
def test_one_call_answers_all_walks(
    model: str, executor: str | None, problem: TrainingProblem
) -> None:
    def search(oracle: Any) -> LargeNeighborhoodSearch:
        return LargeNeighborhoodSearch(
            oracle, walks=5, rounds=15, sizes=(8,), policies=("random",), model=model
        )

    def solved(executor: str | None) -> tuple[Any, list[int]]:
        oracle = Counting()
        solver = replace(search(oracle), executor=executor, workers=2)
        return solver.solve(problem), oracle.calls

    result, calls = solved(executor)
    if model == "flips":
        assert calls == [5] * 3
    assert sum(calls) == result.ledger.calls <= 15
    again, _ = solved(None)
    np.testing.assert_array_equal(result.bits, again.bits)
    assert search(Annealer(4, 20)).solve(problem).ledger.calls <= 15  # one by one


def asker(qubo: QUBO, ledger: Ledger) -> Any:
    first = yield qubo, None, np.random.SeedSequence(0), ledger
    second = yield qubo, first.x[:1], np.random.SeedSequence(1), ledger
    return first, second


def test_other_patterns_are_padded_and_starts_asked_one_by_one() -> None:
    qubos = [random_qubo(size, size) for size in (12, 13, 13)]
    oracle, ledgers = Counting(), [Ledger() for _ in qubos]
    results = together([asker(*pair) for pair in zip(qubos, ledgers, strict=True)], oracle)
    assert oracle.calls == [3]
    for qubo, ledger, answers in zip(qubos, ledgers, results, strict=True):
        assert ledger.calls == 2
        for samples in answers:
            assert samples.x.shape == (4, qubo.num_variables)
            np.testing.assert_allclose(samples.energies, qubo.energies(samples.x))


def test_patterns_that_share_little_are_asked_apart() -> None:
    none = np.zeros(0, dtype=np.int64)
    sparse = [QUBO(np.ones(9), none + 0, none, np.zeros(0))]
    for shift in (1, 2, 3):
        heads = np.arange(9 - shift)
        sparse.append(QUBO(np.ones(9), heads, heads + shift, -np.ones(9 - shift)))
    oracle = Counting()
    askers = [asker(qubo, Ledger()) for qubo in sparse * 2]
    together(askers, oracle)
    assert oracle.calls == [2] * 4


def test_a_retry_passes_them_on() -> None:
    oracle, qubo = Counting(), random_qubo(6, 0)
    wrapped = Retry(oracle)
    assert isinstance(wrapped, BatchOracle)
    assert not isinstance(Retry(Annealer()), BatchOracle)
    assert len(wrapped.sample_many([qubo, qubo], np.random.SeedSequence(0))) == 2
    assert oracle.calls == [2]
