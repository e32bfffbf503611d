"""Large neighbourhood search: exact blocks, policies, acceptance, seeds, budgets."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, QnnError, TrainingProblem
from solvers.kernels.blocks import heat_bath
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.neighborhood.neighborhoods import (
    POLICIES,
    Adaptive,
    WeightTable,
    policy,
)
from solvers.neighborhood.search import LargeNeighborhoodSearch
from solvers.run.result import Status
from tests.formulations.problems import problems


def random_problem(seed: int, samples: int = 40, widths: tuple[int, ...] = (6, 4, 1)):
    rng = np.random.default_rng(seed)
    X = rng.integers(-3, 4, size=(samples, widths[0]))
    y = rng.choice([-1, 1], samples) if widths[-1] == 1 else rng.integers(0, widths[-1], samples)
    return TrainingProblem(Network.dense(widths), X, y)


def run_block(landscape: IncrementalLoss, block: list[int], temperature: float, seed: int) -> float:
    moves = landscape.moves
    best, gains = moves.choice.copy(), np.zeros(1)
    heat_bath(
        landscape.state,
        moves,
        np.random.default_rng(seed),
        np.array([block]),
        np.array([temperature]),
        gains,
        best,
        np.inf,
        -np.inf,
    )
    return float(gains[0])


@settings(deadline=None, max_examples=60)
@given(problem=problems(max_bits=10, max_samples=4), seed=st.integers(0, 2**31))
def test_a_block_at_temperature_zero_is_its_restricted_optimum(
    problem: TrainingProblem, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    landscape = IncrementalLoss(problem)
    moves = landscape.moves
    start = np.array([rng.integers(n) for n in moves.num_levels])
    before = landscape.set_choice(start)
    size = min(3, len(start))
    block = rng.choice(len(start), size, replace=False)
    least = np.inf
    for levels in itertools.product(*(range(moves.num_levels[k]) for k in block)):
        choice = start.copy()
        choice[block] = levels
        least = min(least, float(problem.losses(landscape.bits(choice)[None])[0]))
    landscape.set_choice(start)
    gain = landscape.unit * run_block(landscape, [*block.tolist(), -1], 0.0, seed)
    after = float(problem.losses(landscape.bits(moves.choice)[None])[0])
    assert before - gain == pytest.approx(after, abs=1e-6)
    assert after == pytest.approx(least, abs=1e-6)


def test_a_warm_block_is_drawn_from_the_heat_bath() -> None:
    problem = random_problem(0, samples=12)
    landscape = IncrementalLoss(problem)
    moves, block, temperature = landscape.moves, [0, 5, 9], 3.0
    start = np.zeros(len(moves.layer), dtype=np.int64)
    losses = []
    for levels in itertools.product((0, 1), repeat=3):
        choice = start.copy()
        choice[block] = levels
        losses.append(landscape.value(landscape.set_choice(choice)))
    expected = np.exp(-(np.array(losses) - min(losses)) / temperature)
    expected /= expected.sum()
    counts = np.zeros(8)
    for seed in range(4000):
        landscape.set_choice(start)
        run_block(landscape, block, temperature, seed)
        counts[int("".join(map(str, moves.choice[block])), 2)] += 1
    np.testing.assert_allclose(counts / counts.sum(), expected, atol=0.03)


@pytest.mark.parametrize("name", list(POLICIES))
def test_policies_draw_distinct_weights_of_the_problem(name: str) -> None:
    moves = IncrementalLoss(random_problem(1)).moves
    weights = WeightTable(moves.layer, moves.neuron, moves.source, moves.num_levels)
    rng = np.random.default_rng(0)
    for size in (1, 3, 40):
        blocks = policy(name).blocks(weights, rng.normal(size=len(weights)), 20, size, rng)
        assert blocks.shape[0] == 20
        assert blocks.flags.c_contiguous  # one layout, so that kernels are compiled once
        for block in blocks:
            used = block[block >= 0]
            assert 1 <= len(used) <= size
            assert len(set(used.tolist())) == len(used)
            assert used.max() < len(weights)
            assert (block[len(used) :] == -1).all()


def test_one_unit_frees_one_neuron_with_its_outgoing_weights() -> None:
    moves = IncrementalLoss(random_problem(1)).moves
    weights = WeightTable(moves.layer, moves.neuron, moves.source, moves.num_levels)
    rng = np.random.default_rng(0)
    for block in policy("one-unit").blocks(weights, np.zeros(0), 30, 100, rng):
        used = block[block >= 0]
        hidden = {int(n) for n in weights.neuron[used][weights.layer[used] == 0]}
        hidden |= {int(s) for s in weights.source[used][weights.layer[used] == 1]}
        assert len(hidden) == 1 or set(weights.layer[used]) == {1}


def test_adaptive_draws_what_pays() -> None:
    arms = Adaptive([(policy("one-unit"), 2), (policy("random"), 2), (policy("one-unit"), 4)])
    rng = np.random.default_rng(0)
    for _ in range(200):
        arm = arms.pick(rng)
        arms.learn(arm, 1.0 if arm == 1 else 0.05)
    chances = arms.chances()
    assert np.argmax(chances) == 1
    assert chances.sum() == pytest.approx(1.0)
    assert chances.min() >= arms.explore / 3 - 1e-9


@settings(deadline=None, max_examples=25)
@given(problem=problems(max_bits=8, max_samples=4), seed=st.integers(0, 100))
def test_tiny_problems_are_solved(problem: TrainingProblem, seed: int) -> None:
    n = problem.num_free_bits
    every = ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.int8)
    result = LargeNeighborhoodSearch(rounds=600, cycles=3, seed=seed).solve(problem)
    assert result.loss == pytest.approx(float(problem.losses(every).min()), abs=1e-6)
    assert problem.loss(result.weights) == pytest.approx(result.loss, abs=1e-6)


def test_same_seed_same_result_and_history_never_rises() -> None:
    problem = random_problem(2)
    one, two = (LargeNeighborhoodSearch(rounds=500, seed=3).solve(problem) for _ in range(2))
    assert one.loss == two.loss
    np.testing.assert_array_equal(one.bits, two.bits)
    assert (np.diff(one.history["best_loss"]) <= 0).all()
    other = LargeNeighborhoodSearch(rounds=500, seed=4).solve(problem)
    assert not np.array_equal(one.history["loss"], other.history["loss"])


def test_starting_from_another_solver_never_loses_its_answer() -> None:
    problem = random_problem(3, samples=80)
    first = LargeNeighborhoodSearch(rounds=300, seed=0)
    found = first.solve(problem)
    for start in (first, found, found.weights):
        again = LargeNeighborhoodSearch(rounds=20, start=start, seed=1).solve(problem)
        assert again.loss <= found.loss


def test_restricted_problems_keep_the_other_bits() -> None:
    problem = random_problem(4)
    incumbent = np.random.default_rng(0).integers(0, 2, problem.num_free_bits).astype(np.int8)
    free = [0, 1, 7, 25]
    result = LargeNeighborhoodSearch(rounds=50).solve(problem.restrict(free, incumbent))
    bits = problem.bits_from_weights(result.weights)
    kept = np.setdiff1d(np.arange(len(bits)), free)
    np.testing.assert_array_equal(bits[kept], incumbent[kept])


def test_budgets_and_callbacks_stop_it_with_an_incumbent() -> None:
    problem = random_problem(5, samples=200)
    limited = LargeNeighborhoodSearch(time_limit=0.05, rounds=10**9).solve(problem)
    assert limited.status in (Status.TIME_LIMIT, Status.OPTIMAL)
    stopped = LargeNeighborhoodSearch(rounds=10**9, callbacks=(lambda p: p.iteration >= 2,))
    assert stopped.solve(problem).status is Status.INTERRUPTED

    def interrupt(progress: object) -> bool:
        raise KeyboardInterrupt

    result = LargeNeighborhoodSearch(rounds=10**9, callbacks=(interrupt,)).solve(problem)
    assert result.status is Status.INTERRUPTED
    assert np.isfinite(result.loss)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"policies": ("one-unt",)}, "Did you mean 'one-unit'"),
        ({"sizes": (25,)}, "at most 20"),
        ({"sizes": ()}, "sizes=\\(\\): expected a sequence"),
        ({"sizes": (0,)}, "sizes=0"),
        ({"rounds": 0}, "rounds=0"),
        ({"cycles": 1.5}, "cycles=1.5"),
        ({"start_temperature": -1.0}, "start_temperature=-1.0"),
        ({"time_limit": 0}, "time_limit=0"),
    ],
)
def test_bad_options_are_refused(options: dict, message: str) -> None:
    with pytest.raises(QnnError, match=message):
        LargeNeighborhoodSearch(**options).solve(random_problem(0))
