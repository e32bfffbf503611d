"""Branches: together they hold every network, and where negation is exact and where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from solvers.hedging.blocks import FREE, canonical_bits
from solvers.hedging.symmetry import branch, incumbent_branch, negation_is_exact, unbroken
from tests.formulations.problems import all_bits, problems

CODES = ["bipolar", "ternary", "uniform:2", "codebook:-1,0,1", "codebook:-1,2"]


def inside(bits: np.ndarray, pattern: np.ndarray) -> np.ndarray:
    """Which points have a pattern's bits."""
    return np.asarray(((pattern == FREE) | (pattern == bits)).all(axis=1))


def outputs(problem: TrainingProblem, bits: np.ndarray) -> np.ndarray:
    """Outputs of many candidates on all samples."""
    return problem.pre_activations(bits)[-1]


@given(problem=problems(max_bits=9, max_samples=3), most=st.sampled_from([1, 3, 64]))
@settings(max_examples=60)
def test_every_network_has_a_copy_in_some_branch(problem: TrainingProblem, most: int) -> None:
    branches = branch(problem, most)
    assert branches.lossless
    assert len(branches.patterns) <= most
    bits = all_bits(problem)
    for point in bits[:: max(1, len(bits) // 40)]:
        placed, number = branches.place(problem, point)
        assert number >= 0
        assert inside(placed[None], branches.patterns[number]).all()
        both = outputs(problem, np.array([point, placed]))
        assert np.array_equal(both[0], both[1])
    least = min(problem.losses(bits[inside(bits, p)]).min() for p in branches.patterns)
    assert least == pytest.approx(problem.losses(bits).min())


@given(
    hidden=st.integers(1, 3),
    code=st.sampled_from(CODES),
    bias=st.booleans(),
    activation=st.sampled_from(["sign", "hard-tanh", "relu", "tanh"]),
    outs=st.sampled_from([1, 2]),
    seed=st.integers(0, 99),
    levels=st.sampled_from([[-1, 1], [-1, 0, 1]]),
)
@settings(max_examples=80)
def test_wider_networks_are_placed_without_changing_them(
    hidden: int, code: str, bias: bool, activation: str, outs: int, seed: int, levels: list[int]
) -> None:
    rng = np.random.default_rng(seed)
    network = Network.dense([3, hidden, outs], activation=activation, weights=code, bias=bias)
    y = rng.choice([-1, 1], 6) if outs == 1 else rng.integers(0, outs, 6)
    problem = TrainingProblem(network, rng.choice(levels, (6, 3)), y)
    branches = branch(problem, 200)
    points = canonical_bits(problem, rng.integers(0, 2, (20, problem.num_free_bits)))
    for point in points:
        placed, number = branches.place(problem, point)
        assert number >= 0
        both = outputs(problem, np.array([point, placed]))
        assert np.array_equal(both[0], both[1])


def test_a_restricted_problem_only_moves_units_that_are_free_alike() -> None:
    rng = np.random.default_rng(0)
    network = Network.dense([4, 4, 1], activation="sign")
    whole = TrainingProblem(network, rng.choice([-1, 1], (9, 4)), rng.choice([-1, 1], 9))
    offset = network.bit_offsets()[1]
    units = [*range(8), offset, offset + 1]  # two whole units, and one weight of a third
    problem = whole.restrict([*units, 9], rng.integers(0, 2, network.num_weight_bits))
    branches = branch(problem)
    assert 1 < len(branches.patterns) < 20
    for point in rng.integers(0, 2, (30, problem.num_free_bits)).astype(np.int8):
        placed, number = branches.place(problem, point)
        assert number >= 0
        assert placed[8] == point[8]  # the third unit's weight stays
        both = outputs(problem, np.array([point, placed]))
        assert np.array_equal(both[0], both[1])


def test_negation_is_exact_only_where_z_cannot_be_zero() -> None:
    """An even number of +-1 inputs can cancel, and act(0) = +1: fixing the signs loses networks."""
    units = np.arange(2)
    lost = {3: 0.0, 4: 0.0}
    for inputs, exact in ((3, True), (4, False)):
        for seed in range(5):
            rng = np.random.default_rng(seed)
            network = Network.dense([inputs, 2, 1], activation="sign")
            X = rng.choice([-1, 1], (20, inputs))
            problem = TrainingProblem(network, X, rng.choice([-1, 1], 20))
            assert negation_is_exact(problem, 0, units) is exact
            signs = branch(problem).patterns[:, -2:]
            assert bool((signs == 1).all()) is exact
            bits = all_bits(problem)
            positive = bits[bits[:, -2:].all(axis=1)]
            lost[inputs] += problem.losses(positive).min() - problem.losses(bits).min()
    assert lost[3] == 0
    assert lost[4] > 0
    X = np.array([[1, 1, -1], [2, 1, 1]])  # one sample of even sum is enough
    problem = TrainingProblem(Network.dense([3, 2, 1], activation="sign"), X, [1, -1])
    assert not negation_is_exact(problem, 0, units)


@pytest.mark.parametrize(
    ("options", "exact"),
    [
        ({"activation": "hard-tanh"}, True),
        ({"activation": "relu"}, False),
        ({"activation": "sign", "bias": True}, True),  # an even sum plus an odd threshold
        ({"activation": "sign", "bias": "ternary"}, False),
        ({"activation": "hard-tanh", "weights": "codebook:-1,2"}, False),
        ({"activation": "hard-tanh", "weights": "ternary"}, True),
    ],
)
def test_which_units_can_be_negated(options: dict[str, object], exact: bool) -> None:
    X = np.array([[1, 1, -1, 1], [1, -1, -1, 1]])
    problem = TrainingProblem(Network.dense([4, 2, 1], **options), X, [1, -1])  # type: ignore[arg-type]
    assert negation_is_exact(problem, 0, np.arange(2)) is exact


def test_deep_networks_are_ordered_layer_by_layer() -> None:
    rng = np.random.default_rng(2)
    network = Network.dense([3, 3, 3, 1], activation="sign")
    problem = TrainingProblem(network, rng.integers(-1, 2, (8, 3)), rng.choice([-1, 1], 8))
    branches = branch(problem)
    # three signs of one input for the first layer; the second's parity is known: z is odd
    assert len(branches.patterns) == 4
    for point in rng.integers(0, 2, (40, problem.num_free_bits)).astype(np.int8):
        placed, number = branches.place(problem, point)
        assert number >= 0
        both = outputs(problem, np.array([point, placed]))
        assert np.array_equal(both[0], both[1])


def test_one_branch_of_several_proves_nothing_about_the_others() -> None:
    rng = np.random.default_rng(3)
    network = Network.dense([2, 2, 1], activation="sign")
    problem = TrainingProblem(network, rng.integers(-1, 2, (8, 2)), rng.choice([-1, 1], 8))
    bits = rng.integers(0, 2, problem.num_free_bits)
    assert not incumbent_branch(problem, bits).lossless
    assert unbroken(problem).lossless
    assert incumbent_branch(problem, bits, most=1).lossless  # nothing is fixed then
