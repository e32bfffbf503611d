"""Integer thresholds, clip-and-shift units and joint losses: the walks know them exactly."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.network.splines import Spline, sign
from solvers.kernels.blocks import heat_bath, visit
from solvers.kernels.incremental_loss import SOME_BITS, IncrementalLoss
from solvers.kernels.sweeps import GAIN, STEP, clip_and_shift
from solvers.kernels.walks import anneal, anneal_with_linear_term

LOSSES = ["cross-entropy", "cross-entropy:1.7", "multi-hinge", "multi-hinge:2.3", "hinge:auto"]


def problem_of(
    loss: str, activation: str, bias: str | bool, samples: int, seed: int, largest: int = 3
) -> TrainingProblem:
    rng = np.random.default_rng(seed)
    X = rng.integers(-largest, largest + 1, (samples, 5))
    network = Network.dense([5, 4, 3, 3], activation, "ternary", bias=bias)
    return TrainingProblem(network, X, rng.integers(0, 3, samples), loss)


def real(problem: TrainingProblem, landscape: IncrementalLoss, choice: np.ndarray) -> float:
    return float(problem.losses(landscape.bits(choice)[None])[0])


@settings(deadline=None, max_examples=40)
@given(
    loss=st.sampled_from(LOSSES),
    activation=st.sampled_from(["sign", "relu:4", "hard-tanh:3", "hard-tanh:1"]),
    bias=st.sampled_from(["auto", "integer:12", True, False]),
    samples=st.sampled_from([1, 7, 64, 150]),
    largest=st.sampled_from([1, 3, 60]),
    seed=st.integers(0, 1000),
)
def test_walks_end_at_the_real_loss(
    loss: str, activation: str, bias: str | bool, samples: int, largest: int, seed: int
) -> None:
    problem = problem_of(loss, activation, bias, samples, seed, largest)
    landscape, rng = IncrementalLoss(problem), np.random.default_rng(seed)
    state, moves = landscape.state, landscape.moves
    choice = rng.integers(moves.num_levels)
    start = landscape.set_choice(choice)
    assert start == pytest.approx(real(problem, landscape, choice), rel=1e-11, abs=1e-11)
    assert landscape.choice(landscape.bits(choice)).tolist() == choice.tolist()
    best, unit = choice.copy(), landscape.unit
    value, _, _ = anneal(state, moves, rng, 150, 0.1 / unit, 0.99, best, np.inf, -np.inf)
    assert landscape.loss(value) == pytest.approx(real(problem, landscape, best), abs=1e-9)
    blocks = rng.integers(0, len(moves.layer), (6, 3))
    blocks[:, 1] = np.where(blocks[:, 1] == blocks[:, 0], -1, blocks[:, 1])
    blocks[:, 2] = -1
    value, _ = heat_bath(
        state, moves, rng, blocks, np.full(6, 0.1 / unit), np.zeros(6), best, value, -np.inf
    )
    for place, found in ((best, value), (moves.choice, state.losses[0])):
        assert landscape.loss(found) == pytest.approx(
            real(problem, landscape, place), rel=1e-11, abs=1e-9
        )
    assert landscape.floor <= landscape.loss(value) + 1e-9
    np.testing.assert_array_equal(landscape.choice(landscape.bits(best)), best)


@pytest.mark.parametrize("loss", ["cross-entropy", "multi-hinge:2.3", "hinge", "logistic"])
@pytest.mark.parametrize("samples", [20, 300])
def test_few_changed_samples_and_many_give_the_same(loss: str, samples: int) -> None:
    """Lists of changed samples and sweeps over all of them, which large changes take."""
    rng = np.random.default_rng(0)
    X = np.where(rng.random((samples, 40)) < 0.05, 5, rng.choice([0, 0, 0, 1], (samples, 40)))
    network = Network.dense([40, 6, 5, 3], "sign")
    problem = TrainingProblem(network, X, rng.integers(0, 3, samples), loss)
    landscape = IncrementalLoss(problem)
    choice = rng.integers(landscape.moves.num_levels)
    landscape.set_choice(choice)
    weights = rng.permutation(len(choice))[:60]
    losses = visit(landscape.state, landscape.moves, weights, 1 - choice[weights], True)
    for weight, loss_then in zip(weights, losses, strict=True):
        choice[weight] = 1 - choice[weight]
        assert landscape.loss(loss_then) == pytest.approx(
            real(problem, landscape, choice), rel=1e-11, abs=1e-11
        )


def test_a_wide_threshold_is_counted_and_moves_by_powers_of_two() -> None:
    problem = problem_of("hinge", "sign", "integer:13", 10, 0)
    landscape, rng = IncrementalLoss(problem), np.random.default_rng(0)
    moves = landscape.moves
    wide = moves.num_levels == 2**13
    assert wide.sum() == 4 + 3 + 3
    assert len(moves.levels) < 100
    start = landscape.random_choice(rng)
    assert (moves.first[wide] + moves.gap[wide] * start[wide] == 0).all()
    landscape.set_choice(start)
    best, steps = start.copy(), set()
    for _ in range(3000):
        before = moves.choice.copy()
        anneal(landscape.state, moves, rng, 1, 1e9, 1.0, best, np.inf, -np.inf)
        steps |= set(((moves.choice - before)[wide] % 2**13).tolist())
    powers = {2**e for e in range(13)}
    assert steps == {0} | powers | {2**13 - p for p in powers}


def test_a_block_tries_a_few_levels_of_a_wide_threshold() -> None:
    problem = problem_of("hinge", "sign", "integer:13", 10, 0)
    landscape, rng = IncrementalLoss(problem), np.random.default_rng(0)
    moves = landscape.moves
    landscape.set_choice(landscape.random_choice(rng))
    wide = int(np.flatnonzero(moves.num_levels == 2**13)[0])
    blocks, best = np.array([[wide]] * 50), moves.choice.copy()
    _, evaluated = heat_bath(
        landscape.state, moves, rng, blocks, np.zeros(50), np.zeros(50), best, np.inf, -np.inf
    )
    assert evaluated == 50 * 3


def test_an_oracle_gets_a_few_bits_of_a_wide_threshold() -> None:
    landscape = IncrementalLoss(problem_of("hinge", "sign", "integer:13", 10, 0))
    moves, rng = landscape.moves, np.random.default_rng(0)
    wide = int(np.flatnonzero(moves.gap)[0])
    narrow = int(np.flatnonzero(moves.gap == 0)[0])
    word, drawn = landscape.bits_of(np.array([wide])), set()
    for _ in range(200):
        bits = landscape.some_bits_of(np.array([narrow, wide]), rng)
        own = np.setdiff1d(bits, landscape.bits_of(np.array([narrow])))
        assert len(own) == SOME_BITS
        assert (np.diff(own) == 1).all()
        assert np.isin(own, word).all()
        drawn |= set(own.tolist())
    assert drawn == set(word.tolist())


@pytest.mark.parametrize("free", [[0, 1, 2], [4, 5, 6, 7], [0, 3, 11], [11]])
def test_some_bits_of_a_threshold_may_be_free(free: list[int]) -> None:
    problem = problem_of("multi-hinge", "relu:4", "integer:12", 9, 1)
    rng = np.random.default_rng(0)
    table = problem.bit_table
    threshold = np.flatnonzero((table[:, 0] == 1) & (table[:, 1] == 0) & (table[:, 2] == 5))
    full = problem.random_bits(rng, 1)[0]
    part = problem.restrict(threshold[free], full)
    landscape = IncrementalLoss(part)
    assert landscape.num_choices == 2 ** len(free)
    for word in product([0, 1], repeat=len(free)):
        loss = landscape.set_bits(word)
        assert loss == pytest.approx(part.losses(np.array([word]))[0])
        assert landscape.bits(landscape.moves.choice).tolist() == list(word)


def test_a_linear_term_counts_every_bit() -> None:
    problem = problem_of("hinge", "sign", "integer:12", 5, 2)
    landscape, rng = IncrementalLoss(problem), np.random.default_rng(0)
    linear = rng.normal(size=problem.num_free_bits)
    term = landscape.linear_term(linear)
    assert term.shape[1] == 12
    choice = landscape.random_choice(rng)
    landscape.set_choice(choice)
    best = choice.copy()
    value, _, _ = anneal_with_linear_term(
        landscape.state, landscape.moves, term / landscape.unit, rng, 400, 1.0, 0.99, best, np.inf
    )
    bits = landscape.bits(best)
    wanted = problem.losses(bits[None])[0] + linear @ bits
    assert landscape.loss(value) == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize(
    ("spline", "clip"),
    [
        (sign(), (-1, 0, 1, 0, 2, -1)),
        (Spline(np.array([8, 16, 24]), np.zeros(4), np.arange(4.0)), (0, 24, 0, 3, 1, 0)),
        (Spline(np.array([-3, 1]), np.zeros(3), np.array([5.0, 3.0, 1.0])), (-7, 1, 7, 2, -2, 5)),
        (Spline(np.array([-3, 0]), np.zeros(3), np.arange(3.0)), None),
        (Spline(np.array([2, 4]), np.zeros(3), np.array([0.0, 1.0, 3.0])), None),
        (Spline(np.array([0]), np.array([0.0, 1.0]), np.zeros(2)), None),
    ],
)
def test_equal_steps_are_a_clip_and_a_shift(spline: Spline, clip: tuple[int, ...] | None) -> None:
    low, high, lift, shift, gain, offset = found = clip_and_shift(spline)
    assert found == clip if clip else gain == 0
    if clip:
        z = np.arange(-60, 60)
        value = offset + gain * ((np.clip(z, low, high) + lift) >> shift)
        np.testing.assert_array_equal(value, spline.units(z))


def test_units_of_sixteen_levels_are_shifted_in_the_kernel() -> None:
    problem = problem_of("hinge", "relu:4", "auto", 30, 0, largest=60)
    clips = IncrementalLoss(problem).state.clips
    assert (clips[:2, STEP] > 0).all()
    assert (clips[:2, GAIN] == 1).all()
