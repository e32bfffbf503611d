"""Repair: feasible where it can be, never worse, at a local minimum of its own moves."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import QCBO
from solvers import QCGD
from solvers.oracles import Annealer, Samples
from solvers.qcgd.repair import Repair
from solvers.qcgd.scoring import ModelScoring
from tests.strategies import every_point, feasible_points, qcbos


def seed(number: int = 0) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


def quadratic_assignment(n: int, number: int = 0) -> QCBO:
    random = np.random.default_rng(number)
    A, B = random.integers(0, 9, (2, n, n))
    rows = np.concatenate([np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))])
    return QCBO.from_arrays(np.zeros(n * n), rows, np.ones(2 * n), quadratic=np.kron(A, B))


def permutations(n: int) -> np.ndarray:
    points = np.zeros((0, n * n), dtype=np.int8)
    return np.concatenate(
        [points, *[np.eye(n, dtype=np.int8)[list(p)].reshape(1, -1)
                   for p in itertools.permutations(range(n))]]
    )  # fmt: skip


@settings(deadline=None, max_examples=60)
@given(model=qcbos(), number=st.integers(0, 2**32 - 1))
def test_mended_points_hold_and_points_that_hold_become_no_worse(model: QCBO, number: int) -> None:
    points = every_point(model.num_variables)
    before = points.copy()
    mended = Repair(model)(points, seed(number))
    np.testing.assert_array_equal(points, before)
    held, holds = model.is_feasible(points), model.is_feasible(mended)
    assert (holds | ~held).all()
    after, first = model.objective(mended), model.objective(points)
    assert (after[held] <= first[held] + 1e-9).all()
    unmended = ~holds
    np.testing.assert_array_equal(mended[unmended], points[unmended])
    assert holds.any()  # the strategy's models have a feasible point, which is among these


@settings(deadline=None, max_examples=60)
@given(model=qcbos())
def test_no_flip_of_one_variable_is_left(model: QCBO) -> None:
    mended = Repair(model)(every_point(model.num_variables), seed())
    mended = mended[model.is_feasible(mended)]
    for i in range(model.num_variables):
        flipped = mended.copy()
        flipped[:, i] ^= 1
        better = model.objective(flipped) < model.objective(mended) - 1e-6
        assert not (better & model.is_feasible(flipped)).any()


def test_no_swap_is_left_in_a_permutation() -> None:
    n = 6
    model = quadratic_assignment(n)
    random = np.random.default_rng(0)
    points = Repair(model)(random.integers(0, 2, (20, n * n)), seed())
    assert model.is_feasible(points).all()
    for x in points:
        square = x.reshape(n, n)
        for p, q in itertools.combinations(range(n), 2):
            swapped = square.copy()
            swapped[[p, q]] = square[[q, p]]
            assert model.objective(swapped.ravel()) >= model.objective(x) - 1e-9


def test_one_item_for_another_in_a_knapsack() -> None:
    """From the item of value 5 the exchange for the one of value 6 is found."""
    model = QCBO.from_arrays([-5.0, -6.0, -1.0], [[4, 4, 4]], [4], equality=[False])
    assert Repair(model)([[1, 0, 0]], seed()).tolist() == [[0, 1, 0]]


def test_products_are_rows() -> None:
    model = QCBO.from_arrays([1, 1, -3], products=[[2, 0, 1]])  # x0 + x1 - 3 x0 x1
    mended = Repair(model)(every_point(3), seed())
    assert model.is_feasible(mended).all()
    assert model.objective(mended).min() == -1.0


def test_a_model_without_a_feasible_point_leaves_samples_alone() -> None:
    model = QCBO.from_arrays([1, 2], [[1, 1], [1, 1]], [1, 2])
    points = every_point(2)
    np.testing.assert_array_equal(Repair(model)(points, seed()), points)


def test_sparse_and_full_couplers_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model, random = quadratic_assignment(5, 3), np.random.default_rng(1)
    points = random.integers(0, 2, (10, 25))
    full = Repair(model)(points, seed())
    monkeypatch.setattr("solvers.qcgd.repair.DENSE", 0)
    np.testing.assert_array_equal(Repair(model)(points, seed()), full)


def test_nothing_to_do() -> None:
    assert Repair(QCBO.from_arrays([]))(np.zeros((2, 0)), seed()).shape == (2, 0)
    free = QCBO.from_arrays([1.0, -1.0, 0.0])
    assert Repair(free)([[1, 0, 1]], seed()).tolist() == [[0, 1, 1]]


def test_what_the_oracle_found_by_itself_is_kept_apart() -> None:
    """An oracle that never answers with a permutation: all that is found is the repair's."""

    class Ones:
        reads = 2

        def sample(self, qubo, seed) -> Samples:
            x = np.ones((2, qubo.num_variables), dtype=np.int8)
            return Samples(x, qubo.energies(x), 0.0)

    model = quadratic_assignment(4)
    best = model.objective(permutations(4)).min()
    run, loop = QCGD(oracle=Ones(), iterations=20).descend(ModelScoring(model), model)
    assert run.incumbent.loss == pytest.approx(best)
    info = loop.info()
    assert (info["oracle_best"], info["oracle_feasible"]) == (None, 0.0)
    assert (run.history["oracle_loss"] > run.history["loss"]).all()
    run, loop = QCGD(Annealer(5, 200), iterations=20).descend(ModelScoring(model), model)
    assert run.incumbent.loss <= loop.info()["oracle_best"]
    assert loop.info()["oracle_feasible"] > 0.0


def test_equal_seeds_give_equal_repairs() -> None:
    model, random = quadratic_assignment(6), np.random.default_rng(0)
    points, repair = random.integers(0, 2, (8, 36)), Repair(model)
    np.testing.assert_array_equal(repair(points, seed(5)), repair(points, seed(5)))


@settings(deadline=None, max_examples=30)
@given(model=qcbos())
def test_the_optimum_is_met_from_all_points(model: QCBO) -> None:
    """Not promised of every model, but of most that are this small."""
    points = Repair(model)(every_point(model.num_variables), seed())
    best = model.objective(feasible_points(model)).min()
    assert model.objective(points[model.is_feasible(points)]).min() == pytest.approx(best)


def test_two_items_for_one_in_a_knapsack() -> None:
    model = QCBO.from_arrays([-5.0, -3.0, -4.0], [[4, 2, 2]], [4], equality=[False])
    assert Repair(model)([[1, 0, 0]], seed()).tolist() == [[0, 1, 1]]


def test_threads_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    model = QCBO.from_arrays(random.integers(-9, 9, 40), random.integers(1, 9, (2, 40)), [90, 80])
    points = random.integers(0, 2, (9, 40))
    one = Repair(model)
    found = [one(points, seed(k)) for k in range(3)]
    monkeypatch.setattr("solvers.qcgd.repair.LONG", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    several = Repair(model)
    for k in range(3):
        np.testing.assert_array_equal(several(points, seed(k)), found[k])
    assert several.looked == one.looked


def quadratic_rows(number: int) -> QCBO:
    """A knapsack of single items and pairs, and a least number of pairs."""
    random = np.random.default_rng(number)
    pairs = np.array(list(itertools.combinations(range(8), 2)))
    pairs = pairs[np.sort(random.permutation(len(pairs))[:12])]
    n = 8 + len(pairs)
    rows = np.stack([random.integers(1, 9, n), np.where(np.arange(n) < 8, 0, -1)])
    costs = np.where(np.arange(n) < 8, random.integers(-9, 0, n), random.integers(-3, 4, n))
    return QCBO.from_arrays(
        costs, rows, [40, -2], equality=[False, False],
        products=np.column_stack([8 + np.arange(len(pairs)), pairs]),
    )  # fmt: skip


@pytest.mark.parametrize("number", range(5))
def test_products_follow_their_factors(number: int) -> None:
    model = quadratic_rows(number)
    mended = Repair(model)(np.zeros((20, model.num_variables), dtype=np.int8), seed(number))
    assert model.is_feasible(mended).all()
    u, v, w = model.products.T
    for i in range(8):  # no single item is left that would make it better
        other = mended.copy()
        other[:, i] ^= 1
        other[:, u] = other[:, v] & other[:, w]
        better = model.objective(other) < model.objective(mended) - 1e-9
        assert not (better & model.is_feasible(other)).any()
    best = model.objective(feasible_points(model)).min()
    walked = Repair(model)(mended, seed(), heats=(1.0, 0.0), length=20_000)
    assert model.objective(walked).min() == best


@settings(deadline=None, max_examples=30)
@given(model=qcbos(), number=st.integers(0, 2**32 - 1))
def test_a_walk_ends_no_worse_and_keeps_every_row(model: QCBO, number: int) -> None:
    points = feasible_points(model)
    heats = np.outer(np.linspace(0.1, 2.0, len(points)), [1.0, 0.0])
    walked = Repair(model)(points, seed(number), heats, 500)
    assert model.is_feasible(walked).all()
    assert (model.objective(walked) <= model.objective(points) + 1e-9).all()
    again = Repair(model)(points, seed(number), heats, 500)
    np.testing.assert_array_equal(walked, again)


def test_a_quick_exchange_is_the_chain_that_it_stands_for() -> None:
    random = np.random.default_rng(3)
    one_of = np.kron(np.eye(8), np.ones(5))
    at_most = np.zeros((1, 40))
    at_most[0, ::5] = 1.0  # These variables have two rows, so that only chains exchange them.
    couplers = np.triu(random.integers(-9, 9, (40, 40)), 1)
    for equality in (True, False):
        model = QCBO.from_arrays(
            random.integers(-9, 9, 40), np.concatenate([one_of, at_most]), np.append(np.ones(8), 3),
            equality=[equality] * 8 + [False], quadratic=couplers,
        )  # fmt: skip
        quick, chains = Repair(model), Repair(model)
        assert ((quick.ground.alone >= 0) == (np.arange(40) % 5 > 0)).all()
        chains.ground = chains.ground._replace(alone=np.full(40, -1))
        points = random.integers(0, 2, (9, 40))
        found = quick(points, seed())
        np.testing.assert_array_equal(found, chains(points, seed()))
        assert model.is_feasible(found).all()
        assert quick.looked < chains.looked


def test_moves_that_change_nothing_do_not_cool_a_walk() -> None:
    """The hot walks end anywhere, not only in the optimum, from which each way leads up by 8."""
    idle = 200
    model = QCBO.from_arrays(
        [0.0] * idle + [-10, -2, -9], [[0.0] * idle + [2, 3, 2]], [4], equality=[False],
    )  # fmt: skip
    points = np.zeros((20, idle + 3), dtype=np.int8)
    points[:, -2] = 1
    ends = np.empty_like(points)
    Repair(model)(points, seed(), (2.0, 2.0), 5_000, ends)
    assert len(np.unique(ends[:, -3:], axis=0)) > 2
