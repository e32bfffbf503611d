"""The incremental loss equals the problem's own forward pass, whatever the network and the loss."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from solvers.kernels.blocks import visit
from solvers.kernels.compiled import compiled
from solvers.kernels.incremental_loss import IncrementalLoss
from solvers.kernels.loss_form import LossForm
from solvers.kernels.output_losses import KIND, PIECES, SQUARED, TABLE
from solvers.kernels.sweeps import SOURCE
from solvers.kernels.walks import anneal, enumerate_choices
from tests.formulations.problems import problems


@st.composite
def restricted_problems(draw: st.DrawFn) -> TrainingProblem:
    """Random problems, some of shared weights, half of them with some weight bits fixed."""
    tied = draw(st.sampled_from([False, False, True]))
    problem = draw(problems(max_bits=16, max_samples=6, tied=tied))
    if draw(st.booleans()):
        return problem
    incumbent = problem.repair_bits(
        draw(st.lists(st.integers(0, 1), min_size=len(problem.free), max_size=len(problem.free)))
    )
    words = [word.tolist() for group in problem.free_words for word in group]
    single = sorted(set(problem.free.tolist()) - {bit for word in words for bit in word})
    units = words + [[bit] for bit in single]
    chosen = draw(st.lists(st.sampled_from(units), min_size=1, unique_by=lambda unit: unit[0]))
    return problem.restrict([bit for unit in chosen for bit in unit], incumbent)


def scores(problem: TrainingProblem, landscape: IncrementalLoss, choice: np.ndarray) -> float:
    return problem.losses(landscape.bits(choice)[None])[0]


@given(restricted_problems(), st.integers(0, 2**32 - 1))
def test_the_incremental_loss_is_the_real_loss(problem: TrainingProblem, seed: int) -> None:
    landscape, rng = IncrementalLoss(problem), np.random.default_rng(seed)
    choice = rng.integers(landscape.moves.num_levels)
    loss = landscape.set_choice(choice)
    assert loss == pytest.approx(scores(problem, landscape, choice), rel=1e-9, abs=1e-9)
    assert landscape.choice(landscape.bits(choice)).tolist() == choice.tolist()
    best, state, moves = choice.copy(), landscape.state, landscape.moves
    temperature = 1.0 / landscape.unit
    value, _, _ = anneal(
        state, moves, rng, 60, temperature, 0.99, best, landscape.value(loss), -np.inf
    )
    last = landscape.loss(state.losses[0])
    assert last == pytest.approx(scores(problem, landscape, moves.choice), rel=1e-9, abs=1e-9)
    least = scores(problem, landscape, best)
    assert landscape.loss(value) == pytest.approx(least, rel=1e-9, abs=1e-9)
    assert landscape.floor - 1e-9 <= least <= min(loss, last) + 1e-9
    # nothing has drifted: the state is what a full forward pass makes of the weights
    width, losses = len(state.rows) // state.plan[-1, SOURCE], state.losses[0]
    kept = [state.rows[:-width], state.z[: -2 * width], state.lines]
    kept += [] if state.sample_losses is None else [state.sample_losses[0]]
    before = [array.copy() for array in kept]
    landscape.set_choice(moves.choice.copy())
    for ours, fresh in zip(before, kept, strict=True):
        np.testing.assert_array_equal(ours, fresh)
    assert losses == state.losses[0]


@given(restricted_problems())
def test_enumeration_visits_every_choice_once(problem: TrainingProblem) -> None:
    landscape = IncrementalLoss(problem)
    moves = landscape.moves
    K = len(moves.layer)
    focus, direction, best = np.arange(K + 1), np.ones(K, dtype=np.int64), moves.choice.copy()
    landscape.set_choice(best)
    seen, done = {tuple(moves.choice)}, False
    while not done and len(seen) <= 3**6:
        _, done = enumerate_choices(
            landscape.state, moves, focus, direction, 1, best, np.inf, -np.inf
        )
        if not done:
            before = len(seen)
            seen.add(tuple(moves.choice))
            assert len(seen) == before + 1
    if done:
        assert len(seen) == landscape.num_choices


@pytest.mark.parametrize(("largest", "kind"), [(100, np.int16), (20_000, np.int32)])
def test_integers_are_as_wide_as_the_data_needs(largest: int, kind: type) -> None:
    rng = np.random.default_rng(0)
    network = Network.dense([6, 3, 2, 2], "tanh", "ternary", bias=True)
    problem = TrainingProblem(
        network, rng.integers(-largest, largest, (70, 6)), rng.integers(0, 2, 70), "squared"
    )
    landscape = IncrementalLoss(problem)
    assert landscape.state.z.dtype == kind
    choice = rng.integers(landscape.moves.num_levels)
    loss = landscape.set_choice(choice)
    assert loss == pytest.approx(scores(problem, landscape, choice), rel=1e-12)
    best = choice.copy()
    value, _, _ = anneal(
        landscape.state, landscape.moves, rng, 500, loss / 100, 0.99, best, np.inf, -np.inf
    )
    assert landscape.loss(value) == pytest.approx(scores(problem, landscape, best), rel=1e-12)


def test_a_kernel_works_where_no_cache_can_be_written() -> None:
    namespace: dict[str, object] = {}
    exec("def double(x): return 2 * x", namespace)  # no file, hence no place for a cache
    assert compiled()(namespace["double"])(4) == 8


@pytest.mark.parametrize(
    ("loss", "step", "form"),
    [
        ("hinge", 1.0, PIECES),
        ("hinge", 0.25, PIECES),
        ("hinge", 1 / 3, PIECES),
        ("hinge", 0.1234567, TABLE),
        ("hinge:4", 1.0, PIECES),
        ("hinge:2.5", 1 / 3, PIECES),
        ("zero-one", 0.7, PIECES),
        ("squared", 0.3, SQUARED),
        ("logistic", 1.0, TABLE),
    ],
)
def test_each_loss_takes_its_fastest_form(loss: str, step: float, form: int) -> None:
    from formulations.network.codes import uniform

    network = Network.dense([3, 2], weights=uniform(2, step))
    problem = TrainingProblem(network, [[1, 0, -1], [2, 1, 1], [0, 0, 0]], [0, 1, 1], loss)
    assert LossForm.of(problem).form[KIND] == form
    landscape, rng = IncrementalLoss(problem), np.random.default_rng(1)
    for _ in range(20):
        choice = rng.integers(landscape.moves.num_levels)
        real = scores(problem, landscape, choice)
        assert landscape.set_choice(choice) == pytest.approx(real, rel=1e-12, abs=1e-12)


@settings(deadline=None, max_examples=30)
@given(problem=problems(max_bits=8, max_samples=5), seed=st.integers(0, 100))
def test_pre_activations_of_the_state_serve_a_restriction(
    problem: TrainingProblem, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    landscape = IncrementalLoss(problem)
    bits = problem.repair_bits(rng.integers(0, 2, problem.num_free_bits, dtype=np.int8))
    landscape.set_bits(bits)
    samples = np.arange(0, problem.num_samples, 2)
    part, full = problem.subset(samples), problem.full_bits(bits)
    known = landscape.pre_activations(samples)
    for ours, theirs in zip(known, part.pre_activations(bits[None]), strict=True):
        np.testing.assert_array_equal(ours, theirs[0])
    free = problem.free[landscape.bits_of(np.array([0]))]
    assert part.restrict(free, full, known).qcbo().equals(part.restrict(free, full).qcbo())


@settings(deadline=None, max_examples=30)
@given(problem=problems(max_bits=8, max_samples=5), seed=st.integers(0, 100))
def test_moving_weights_and_back(problem: TrainingProblem, seed: int) -> None:
    rng = np.random.default_rng(seed)
    landscape = IncrementalLoss(problem)
    moves = landscape.moves
    old = np.array([rng.integers(n) for n in moves.num_levels])
    new = np.array([rng.integers(n) for n in moves.num_levels])
    before, every = landscape.set_choice(old), np.arange(len(old))
    after = landscape.loss(visit(landscape.state, moves, every, new, True)[-1])
    bits = landscape.bits(new)
    assert after == pytest.approx(float(problem.losses(bits[None])[0]), abs=1e-6)
    back = landscape.loss(visit(landscape.state, moves, every, old, True)[-1])
    assert back == pytest.approx(before, abs=1e-6)
    np.testing.assert_array_equal(moves.choice, old)
