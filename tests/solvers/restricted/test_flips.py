"""The flip model: the exact loss of every single and double move, and what a walk makes of it."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.constraints import NonZeros
from solvers import LargeNeighborhoodSearch
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.neighborhood.asking import OracleWalk
from solvers.oracles import Annealer
from solvers.restricted.flips import flip_model

CODES = ["bipolar", "ternary", "uniform:2", "codebook:-1,2"]
LOSSES = ["hinge", "zero-one", "squared", "logistic", "cross-entropy", "multi-hinge"]


def some_problem(rng: np.random.Generator, samples: int = 8) -> TrainingProblem:
    """A small network of any code, activation and loss."""
    widths = [int(w) for w in rng.integers(1, 5, rng.integers(1, 3))]
    widths.append(int(rng.choice([1, 3])))
    X = rng.integers(-2, 4, (samples, widths[0]))
    y = rng.integers(0, 3, samples) if widths[-1] > 1 else rng.choice([-1, 1], samples)
    network = Network.dense(
        widths, str(rng.choice(["sign", "relu:2"])), str(rng.choice(CODES)), bool(rng.integers(2))
    )
    return TrainingProblem(network, X, y, loss=str(rng.choice(LOSSES)))


def test_it_is_exact_on_all_single_and_double_moves_of_500_networks() -> None:
    rng = np.random.default_rng(0)
    for _ in range(500):
        problem = some_problem(rng)
        landscape = IncrementalLoss(problem)
        moves = landscape.moves
        before = landscape.set_choice(landscape.random_choice(rng))
        weights = rng.permutation(len(moves.layer))[:5]
        here, levels = moves.choice[weights], moves.num_levels[weights]
        there = (here + rng.integers(1, levels)) % levels
        qubo = flip_model(landscape.state, moves, weights, there)
        ones = [c for m in (1, 2) for c in combinations(range(len(weights)), m)]
        x = np.array([[i in one for i in range(len(weights))] for one in ones], dtype=np.int8)
        choices = np.tile(moves.choice, (len(x), 1))
        choices[:, weights] = np.where(x, there, here)
        losses = problem.losses(np.stack([landscape.bits(choice) for choice in choices]))
        change = landscape.unit * qubo.energies(x)
        np.testing.assert_allclose(change, losses - before, rtol=1e-9, atol=1e-9)
        assert landscape.set_choice(moves.choice) == before


@pytest.mark.parametrize("seed", range(20))
def test_bits_of_an_answer_become_the_places_that_they_mean(seed: int) -> None:
    rng = np.random.default_rng(seed)
    problem = some_problem(rng)
    walk = OracleWalk(problem)
    walk.begin(problem.random_bits(rng, 1)[0])
    block = rng.permutation(len(walk.weights))[:4]
    free = walk.landscape.bits_of(block)
    answers = np.tile(walk.bits, (6, 1))
    answers[:, free] = problem.random_bits(rng, 6)[:, free]
    expected = [walk.landscape.choice(bits)[block] for bits in answers]
    np.testing.assert_array_equal(walk._places(block, free, answers[:, free]), expected)


@pytest.mark.parametrize("model", ["states", "flips"])
@pytest.mark.parametrize("seed", range(4))
def test_a_walk_answers_with_the_loss_of_its_weights(model: str, seed: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(40 + seed)
    X, y = rng.integers(-3, 4, (40, 6)), rng.choice([-1, 1], 40)
    weights, activation = CODES[seed], ["sign", "relu:1"][seed % 2]
    problem = TrainingProblem(Network.dense([6, 4, 1], activation, weights), X, y)
    options = {"model": model, "sizes": (4, 8), "variables": 60, "seed": seed}
    oracle = Annealer(reads=3, sweeps=20)
    whole = LargeNeighborhoodSearch(oracle, rounds=12, **options).solve(problem)
    assert whole.loss == problem.loss(whole.weights)
    assert whole.info["largest_model"] <= 60
    assert whole.ledger.calls <= 12
    folder = tmp_path / "checkpoint"
    stopped = LargeNeighborhoodSearch(
        oracle, rounds=12, checkpoint=folder, callbacks=(lambda p: p.iteration >= 5,), **options
    ).solve(problem)
    again = LargeNeighborhoodSearch(oracle, rounds=12, checkpoint=folder, **options).solve(problem)
    assert again.loss == whole.loss <= stopped.loss
    np.testing.assert_array_equal(again.bits, whole.bits)


@pytest.mark.parametrize("model", ["states", "flips"])
def test_constraints_hold_in_the_end(model: str) -> None:
    rng = np.random.default_rng(3)
    X, y = rng.integers(-3, 4, (30, 5)), rng.choice([-1, 1], 30)
    network = Network.dense([5, 3, 1], weights="ternary")
    problem = TrainingProblem(network, X, y, constraints=[NonZeros(9)])
    search = LargeNeighborhoodSearch(
        Annealer(reads=3, sweeps=20), rounds=15, sizes=(4,), model=model
    )
    result = search.solve(problem)
    assert result.satisfies
    assert result.loss == problem.loss(result.weights)
