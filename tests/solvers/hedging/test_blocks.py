"""Solvers of one block: exact, through its model, by annealing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from solvers.exact import ExactSolver
from solvers.hedging.annealed_blocks import AnnealedBlocks
from solvers.hedging.block_solvers import CpSatBlocks, PenaltyBlocks, QcgdBlocks
from solvers.hedging.blocks import FREE, Answer, Block, BlockSolver, Question, ask
from solvers.hedging.exact_blocks import Enumeration
from solvers.hedging.hedging import ProgressiveHedging
from solvers.oracles import Annealer, ExactOracle
from solvers.qcgd.qcgd import QCGD
from tests.formulations.problems import all_bits, problems
from tests.solvers.hedging.teachers import noisy


@given(problem=problems(max_bits=7, max_samples=2), data=st.data())
@settings(max_examples=25)
def test_enumeration_is_exact_under_every_pattern(
    problem: TrainingProblem, data: st.DataObject
) -> None:
    n = problem.num_free_bits
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    linear = rng.normal(size=n)
    bits = all_bits(problem)
    pattern = np.where(rng.random(n) < 0.5, bits[rng.integers(len(bits))], FREE).astype(np.int8)
    for words in problem.free_words:  # a word is fixed whole or not at all
        whole = (pattern[words] == FREE).any(axis=1)
        pattern[words[whole]] = FREE
    inside = bits[((pattern == FREE) | (pattern == bits)).all(axis=1)]
    values = problem.losses(inside) + inside @ linear
    answer = ask(Block(problem, Enumeration()), Question(linear, pattern, inside[:1], (0, 1)))
    reachable = np.isin(problem.losses(inside), problem.losses(answer.bits))
    assert answer.losses[0] == pytest.approx(problem.losses(answer.bits[:1])[0])
    assert answer.values[0] == answer.bound
    assert answer.bound >= values.min() - 1e-9
    if not any(layer.code.name == "ternary" for layer in problem.network.layers):
        assert answer.bound == pytest.approx(values.min())
    assert reachable.any()


def test_cp_sat_and_a_penalty_qubo_find_what_enumeration_finds() -> None:
    pytest.importorskip("ortools")
    problem = noisy(7).subset(np.arange(3))
    linear = np.random.default_rng(0).normal(size=problem.num_free_bits)
    question = Question(
        linear,
        np.full(problem.num_free_bits, FREE, dtype=np.int8),
        np.zeros((1, problem.num_free_bits), dtype=np.int8),
        (0, 1),
    )
    exact = ask(Block(problem, Enumeration()), question)
    cp_sat = ask(Block(problem, CpSatBlocks()), question)
    assert cp_sat.values[0] == pytest.approx(exact.values[0])
    assert exact.bound - 0.02 <= cp_sat.bound <= exact.bound + 1e-9
    annealed = ask(Block(problem, AnnealedBlocks(3000)), question)
    assert annealed.values[0] == pytest.approx(exact.values[0])
    assert annealed.bound == -np.inf


def test_a_penalty_qubo_at_its_minimum_is_the_block() -> None:
    problem = TrainingProblem(Network.dense([2, 2, 1]), [[1, 0], [1, 1]], [1, -1])
    linear = np.array([0.3, -0.2, 0.1, 0.2, 0.4, -0.6])
    question = Question(
        linear, np.full(6, FREE, dtype=np.int8), np.zeros((0, 6), dtype=np.int8), (0, 1)
    )
    exact = ask(Block(problem, Enumeration()), question)
    oracle = ExactOracle(max_variables=30)
    penalty = ask(Block(problem, PenaltyBlocks(oracle, penalty=200.0)), question)
    assert penalty.values[0] == pytest.approx(exact.values[0])
    assert penalty.ledger.calls == 1


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_qcgd_on_a_block_feels_the_linear_term_and_bounds_it(sign: float) -> None:
    problem = TrainingProblem(Network.dense([2, 1]), [[1, 0], [1, 1]], [1, -1])
    linear = sign * np.array([4.0, -3.0])
    question = Question(
        linear, np.full(2, FREE, dtype=np.int8), np.zeros((0, 2), dtype=np.int8), (0, 1)
    )
    exact = ask(Block(problem, Enumeration()), question)
    answer = ask(Block(problem, QcgdBlocks(QCGD(ExactOracle(), iterations=20))), question)
    assert answer.values[0] == pytest.approx(exact.values[0])
    assert -np.inf < answer.bound <= exact.bound + 1e-9
    assert answer.ledger.calls > 0


@pytest.mark.parametrize(
    "blocks",
    [
        PenaltyBlocks(Annealer(reads=2, sweeps=20)),
        QcgdBlocks(QCGD(Annealer(reads=2, sweeps=20), iterations=3)),
    ],
    ids=["penalty", "qcgd"],
)
def test_oracles_answer_the_same_for_blocks_in_other_processes(blocks: BlockSolver) -> None:
    problem = noisy(12)
    solver = ProgressiveHedging(blocks, block_size=5, rounds=3, seed=1)
    here, there = (
        solver.solve(problem),
        replace(solver, executor="processes", workers=2).solve(problem),
    )
    assert np.array_equal(here.bits, there.bits)
    assert np.array_equal(here.history["disagreement"], there.history["disagreement"])
    assert here.ledger.calls == there.ledger.calls > 0


def test_hedging_with_cp_sat_is_certified_too() -> None:
    pytest.importorskip("ortools")
    problem = noisy(6).subset(np.arange(8))
    best = ExactSolver().solve(problem).loss
    result = ProgressiveHedging(CpSatBlocks(), block_size=4, rounds=3).solve(problem)
    assert result.lower_bound is not None
    assert result.lower_bound <= best


def test_answers_are_plain_numbers() -> None:
    """What travels back from a worker is small, whatever the block's size."""
    answer = ask(
        Block(noisy(0), Enumeration()),
        Question(np.zeros(10), np.full(10, FREE, dtype=np.int8), np.zeros((0, 10), np.int8), (0,)),
    )
    assert isinstance(answer, Answer)
    assert len(answer.bits) <= Enumeration().points
