"""Sources that prove: bounds never exceed the optimum, and systems of equalities are solved."""

import numpy as np
import pytest

from formulations.model.qcbo import QCBO
from solvers import QCGD
from solvers.qcgd.linear import LinearForm
from solvers.qcgd.scoring import ModelScoring, Pool
from solvers.qcgd.sources.enumeration import Enumeration, Tree, search
from solvers.qcgd.sources.halves import Halves
from solvers.qcgd.sources.spectral import Spectral


def every_point(n: int) -> np.ndarray:
    """All points of n bits."""
    return ((np.arange(2**n)[:, None] >> np.arange(n)) & 1).astype(np.int8)


def random_model(rng: np.random.Generator) -> QCBO:
    """Some bits, couplers and rows of both kinds that a point satisfies, and a product."""
    n, m = int(rng.integers(3, 9)), int(rng.integers(0, 4))
    rows = rng.integers(-3, 4, (m, n)) * (rng.random((m, n)) < 0.7)
    point, equality = rng.integers(0, 2, n), rng.random(m) < 0.5
    product = rng.permutation(n)[None, :3] if rng.random() < 0.3 else np.zeros((0, 3), dtype=int)
    if len(product):
        point[product[0, 0]] = point[product[0, 1]] & point[product[0, 2]]
    slack = np.where(equality, 0, rng.integers(0, 3, m))
    scale = 10.0 ** rng.integers(-3, 7)
    return QCBO.from_arrays(
        scale * rng.normal(size=n),
        rows,
        rows @ point + slack,
        quadratic=scale * np.triu(rng.normal(size=(n, n)), 1) * (rng.random((n, n)) < 0.6),
        equality=equality,
        products=product,
        offset=scale,
    )


@pytest.mark.parametrize("number", range(60))
def test_semidefinite_bounds_never_exceed_the_optimum(number: int) -> None:
    rng = np.random.default_rng(number)
    model = random_model(rng)
    target = ModelScoring(model)
    points, worth = target.score(every_point(model.num_variables))
    target.floor, optimum = -np.inf, float(worth[worth <= target.ceiling].min())
    pool = Pool(3)
    pool.add(points[:: number % 5 + 1], worth[:: number % 5 + 1])
    source = Spectral(target)
    for _ in range(4):
        source.points(pool, rng)
        assert -np.inf < target.floor <= optimum + 1e-9 * abs(optimum)


def test_the_semidefinite_bound_of_a_cut_is_better_than_the_linear_one() -> None:
    rng = np.random.default_rng(3)
    weights = np.triu(rng.integers(0, 2, (30, 30)), 1)
    model = QCBO.from_arrays(-(weights + weights.T).sum(axis=0), quadratic=2 * weights)
    target = ModelScoring(model)
    linear, source, pool = target.floor, Spectral(target), Pool(10)
    for _ in range(5):
        pool.add(*target.score(source.points(pool, rng)))
    assert linear < target.floor <= pool.losses[0] <= 0.95 * target.floor
    assert target.floor_kind == "semidefinite relaxation"


def linear_model(number: int) -> tuple[np.random.Generator, QCBO]:
    """A linear model of a few bits and rows of both kinds, which may be impossible."""
    rng = np.random.default_rng(number)
    n, m = int(rng.integers(1, 11)), int(rng.integers(1, 6))
    cost = rng.integers(-9, 10, n) + (number % 3 == 1) * rng.random(n)
    equality, offset = rng.random(m) < 0.3, number % 7
    rows = rng.integers(-6, 7, (m, n)) * (rng.random((m, n)) < 0.8)
    rhs = rows @ rng.integers(0, 2, n) + (number % 2) * rng.integers(-2, 3, m)
    unit = 0.37 if number % 3 == 2 else 1.0
    return rng, QCBO.from_arrays(cost, unit * rows, unit * rhs, equality=equality, offset=offset)


@pytest.mark.parametrize("number", range(90))
def test_enumeration_ends_with_the_optimum_and_its_proof(
    number: int,
) -> None:
    rng, model = linear_model(number)
    target = ModelScoring(model)
    points, worth = target.score(every_point(model.num_variables))
    optimum = float(worth[worth <= target.ceiling].min(initial=np.inf))
    source, pool = Enumeration.of(target), Pool(3)
    assert source is not None
    pool.add(points[:1], worth[:1])
    pool.add(*target.score(source.points(pool, rng)))
    assert len(source.points(pool, rng)) == 0  # It is over.
    if optimum == np.inf:
        assert target.floor >= target.ceiling
    else:
        assert pool.losses[0] == pytest.approx(optimum, abs=1e-9)
        assert optimum - 1e-6 < target.floor <= optimum + 1e-9


def test_a_search_in_small_parts_ends_as_in_one() -> None:
    rng = np.random.default_rng(0)
    rows, cost = rng.integers(1, 100, (4, 30)), -rng.integers(50, 99, 30).astype(float)
    form = LinearForm.of(QCBO.from_arrays(cost, rows, rows.sum(axis=1) // 2, equality=[False] * 4))
    ends = []
    for most in (1e12, 1.0):
        tree, best, least, done = Tree.of(form), np.zeros(30, dtype=np.int8), 0.0, False
        while not done:
            least, _, done = search(tree, best, least, 0.999, most)
        assert tree.state[3]
        assert least == cost @ best
        assert (rows @ best <= form.high).all()
        ends.append((least, best.tolist()))
    assert ends[0] == ends[1]


def market_split(rng: np.random.Generator, rows: int, columns: int) -> tuple[np.ndarray, ...]:
    """Coefficients below 100, and sums that a point of theirs has."""
    A = rng.integers(0, 100, (rows, columns))
    return A, A @ rng.integers(0, 2, columns)


@pytest.mark.parametrize("number", range(12))
def test_halves_find_a_solution_or_prove_that_there_is_none(
    number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("solvers.qcgd.sources.halves.HALF", 4)  # several stretches
    rng = np.random.default_rng(number)
    A, b = market_split(rng, 1 + number % 3, 11)
    b += number % 2
    cost = np.where(np.arange(13) < 11, 0.0, rng.normal(size=13))
    model = QCBO.from_arrays(cost, np.pad(A, ((0, 0), (0, 2))), b)
    target, points = ModelScoring(model), every_point(13)
    target.floor = -np.inf
    worth = target.score(points)[1]
    optimum, least = float(worth.min()), float(np.minimum(cost, 0.0).sum())
    source = Halves.of(target)
    assert source is not None
    rng, found = np.random.default_rng(0), []
    for _ in range(10):
        found += target.score(source.points(Pool(1), rng))[1].tolist()
    if (A @ points[:, :11].T == b[:, None]).all(axis=0).any():
        assert min(found) == pytest.approx(optimum) == pytest.approx(least)
    else:
        assert not found
        assert least < target.floor
        assert target.floor >= target.ceiling or target.floor <= optimum


def test_market_splits_are_solved_and_impossible_ones_are_proven_to_be() -> None:
    import dimod

    rng = np.random.default_rng(0)
    for rows, change in ((3, 0), (3, 1)):
        A, b = market_split(rng, rows, 20)
        x = list(dimod.Binaries(range(20)))
        cqm = dimod.ConstrainedQuadraticModel()
        for row, total in zip(A.tolist(), (b + change).tolist(), strict=True):
            cqm.add_constraint(dimod.quicksum(a * v for a, v in zip(row, x, strict=True)) == total)
        answer = QCGD(iterations=50, seed=1).sample_cqm(cqm)
        assert answer.info["status"] == ("infeasible" if change else "optimal")
        assert answer.info["infeasibility"] == ("model" if change else None)
        if not change:
            assert answer.first.is_feasible
        else:
            assert answer.info["bound_kind"] == "enumeration"
