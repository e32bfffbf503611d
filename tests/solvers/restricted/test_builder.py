"""The compiled builder: the same models as the slow one, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest

from formulations import QCBO, Network, TrainingProblem
from solvers.qcgd.lifting import Lifting
from solvers.restricted.builder import RestrictedBuilder, plan_of
from solvers.restricted.penalised import penalised
from solvers.restricted.rows import Rows


def random_problem(rng: np.random.Generator) -> TrainingProblem:
    """A tiny network of one to four layers that the builder takes."""
    widths = [int(w) for w in rng.integers(1, 5, rng.integers(1, 4))]
    widths.append(int(rng.choice([1, 1, 2, 3])))
    samples = int(rng.integers(1, 8))
    X = rng.integers(-2, 4, (samples, widths[0]))
    y = rng.integers(0, widths[-1], samples) if widths[-1] > 1 else rng.choice([-1, 1], samples)
    network = Network.dense(
        widths,
        weights=str(rng.choice(["bipolar", "ternary", "uniform:2", "uniform:3"])),
        bias=[False, True, "auto", "ternary"][rng.integers(4)],
    )
    loss = str(rng.choice(["hinge", "zero-one", "hinge:3", "hinge:2.5", "hinge:auto"]))
    problem = TrainingProblem(network, X, y, loss=loss)
    if rng.random() < 0.3:
        problem = problem.subset(np.sort(rng.permutation(samples)[: max(1, samples // 2)]))
    return problem


def random_restriction(
    problem: TrainingProblem, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Free bits, bits now, and some of the samples in any order."""
    n = problem.network.num_weight_bits
    free = np.sort(rng.permutation(n)[: rng.integers(1, min(n, 9) + 1)])
    samples = rng.permutation(problem.num_samples)[: rng.integers(1, problem.num_samples + 1)]
    return free, rng.integers(0, 2, n).astype(np.int8), samples


def assert_identical(model: Rows, slow: QCBO) -> None:
    """Every number, where it is stored."""
    for name in ("linear", "rhs", "products"):
        np.testing.assert_array_equal(getattr(model, name), getattr(slow, name), strict=True)
    assert slow.equality.all()
    numbers = (model.start, model.column, model.value)
    for ours, part in zip(numbers, ("indptr", "indices", "data"), strict=True):
        np.testing.assert_array_equal(ours, getattr(slow.rows, part))
    numbers = (model.q_start, model.q_column, model.q_value)
    for ours, part in zip(numbers, ("indptr", "indices", "data"), strict=True):
        np.testing.assert_array_equal(ours, getattr(slow.quadratic, part))


def test_a_thousand_random_restrictions_are_the_models_of_the_slow_builder() -> None:
    rng = np.random.default_rng(17)
    for _ in range(200):
        problem = random_problem(rng)
        builder = RestrictedBuilder(problem)
        for _ in range(5):
            free, bits, samples = random_restriction(problem, rng)
            slow = problem.subset(np.sort(samples)).restrict(free, bits)
            assert_identical(builder.build(free, bits, samples)[0], slow.qcbo())


def test_its_qubo_is_that_of_the_lifted_rows() -> None:
    rng = np.random.default_rng(18)
    for _ in range(100):
        problem = random_problem(rng)
        free, bits, samples = random_restriction(problem, rng)
        rows, _ = RestrictedBuilder(problem).build(free, bits, samples)
        slow = problem.subset(np.sort(samples)).restrict(free, bits)
        lifting, weight = Lifting.of(slow.qcbo()), float(rng.random())
        y = np.zeros(lifting.num_multipliers)
        y[lifting.kinds[1].start :] = weight
        ours, theirs = penalised(rows, weight)[0], lifting.qubo(y)
        for name in ("heads", "tails"):
            np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        for name in ("linear", "couplings"):
            ours_, theirs_ = getattr(ours, name), getattr(theirs, name)
            np.testing.assert_allclose(ours_, theirs_, rtol=1e-12, atol=1e-12)
        assert penalised(rows)[1] == pytest.approx(lifting.plausible_scale(), rel=1e-9)


def test_it_takes_as_many_samples_as_the_variables_hold() -> None:
    rng = np.random.default_rng(19)
    problem = TrainingProblem(
        Network.dense([6, 4, 1]), rng.integers(-3, 4, (50, 6)), rng.choice([-1, 1], 50)
    )
    builder, samples = RestrictedBuilder(problem), rng.permutation(50)
    free, bits = np.arange(5), rng.integers(0, 2, 28).astype(np.int8)
    count = len(builder.build(free, bits, samples, most=60)[1])
    sizes = [len(builder.build(free, bits, samples[: count + i])[0].linear) for i in (0, 1)]
    assert sizes[0] <= 60 < sizes[1]
    assert len(builder.build(free, bits, samples, most=1)[1]) == 1


@pytest.mark.parametrize(
    ("network", "loss"),
    [
        (Network.dense([2, 2, 1], weights="codebook:-1,2"), "hinge"),
        (Network.dense([2, 2, 1], activation="relu:2"), "hinge"),
        (Network.dense([2, 2, 1]), "squared"),
        (Network.dense([2, 2, 1]), "logistic"),
    ],
)
def test_what_it_does_not_build_has_no_plan(network: Network, loss: str) -> None:
    assert plan_of(TrainingProblem(network, [[1, 0], [0, 1]], [1, -1], loss=loss)) is None
