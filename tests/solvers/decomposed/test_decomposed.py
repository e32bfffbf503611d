"""The decomposed lifted problem: its bound at every level, its blocks, runs that stop and go on."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from formulations import TrainingProblem
from formulations.errors import InvalidInputError, ModelSizeError
from solvers import QCGD, DecomposedQCGD, Status
from solvers.decomposed.bundle import box_step
from solvers.decomposed.lifted_blocks import LiftedBlocks
from solvers.hedging.blocks import FREE, Block, Question, ask
from solvers.hedging.hedging import AnnealedBlocks, CpSatBlocks, Enumeration, QcgdBlocks
from solvers.hedging.products import Products, members_of, products_at
from solvers.oracles import Annealer, ExactOracle
from solvers.run.run import Progress
from tests.formulations.problems import all_bits, problems
from tests.solvers.hedging.teachers import noisy


def real(seed: int, widths: tuple[int, ...] = (4, 2, 1), samples: int = 20) -> TrainingProblem:
    """A problem whose losses lie on no grid, so that bounds are not rounded up."""
    problem = noisy(seed, widths, samples)
    return TrainingProblem(problem.network, problem.X, problem.y, loss="cross-entropy:2")


def dual(problem: TrainingProblem, size: int, level: int) -> float:
    """The best bound of a level, by a linear program over all weight vectors of all blocks."""
    bits = all_bits(problem)
    losses = np.array([block.losses(bits) for block in problem.blocks(size)])
    n = bits.shape[1]
    moments = np.array(
        [
            bits[:, chosen].prod(axis=1)
            for d in range(1, level + 1)
            for chosen in combinations(range(n), d)
        ]
    )
    K, S = losses.shape
    one = sp.kron(sp.eye_array(K), np.ones((1, S)))  # a distribution for each block
    equal = sp.vstack(
        [
            sp.hstack([sp.csr_array(m) for m in ([moments] + [0 * moments] * (K - 1))])
            - sp.kron(np.eye(K)[k], moments)
            for k in range(1, K)
        ]
    )
    matrix = sp.vstack([one, equal]).tocsr()
    right = np.concatenate([np.ones(K), np.zeros(matrix.shape[0] - K)])
    return float(linprog(losses.ravel(), A_eq=matrix, b_eq=right, method="highs").fun)


# -- the bound ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seed", "widths"), [(0, (4, 1)), (1, (2, 2, 1))])
def test_each_level_is_its_dual_and_proves_no_less_than_the_one_before(
    seed: int, widths: tuple[int, ...]
) -> None:
    problem = real(seed, widths, 12)
    least = problem.losses(all_bits(problem)).min()
    solver = DecomposedQCGD(block_size=3, symmetry="none")
    bounds = [replace(solver, level=level).solve(problem).lower_bound for level in (1, 2, 3)]
    for level, bound in enumerate(bounds, 1):
        assert bound is not None
        assert bound == pytest.approx(dual(problem, 3, level), abs=1e-5)
        assert bound <= least + 1e-9
    assert (np.diff(bounds) >= -1e-6).all()  # type: ignore[arg-type]


def test_level_2_is_above_level_1() -> None:
    problem = real(0, (4, 2, 1), 12)
    one = DecomposedQCGD(block_size=4, symmetry="none").solve(problem)
    two = DecomposedQCGD(block_size=4, symmetry="none", level=2).solve(problem)
    assert one.lower_bound is not None
    assert two.lower_bound is not None
    assert two.lower_bound > one.lower_bound + 1e-3


@given(problem=problems(max_bits=6, max_samples=4), level=st.integers(1, 3))
@settings(max_examples=15)
def test_no_bound_is_above_the_least_loss(problem: TrainingProblem, level: int) -> None:
    least = problem.losses(all_bits(problem)).min()
    result = DecomposedQCGD(level=level, block_size=1, iterations=6).solve(problem)
    assert result.lower_bound is not None
    assert result.lower_bound <= least + 1e-9
    assert (result.history["bound"] <= least + 1e-9).all()
    assert result.loss == pytest.approx(problem.loss(result.weights))


@pytest.mark.parametrize("loss", ["hinge", "cross-entropy:2"])
def test_at_as_many_levels_as_bits_the_bound_is_the_least_loss(loss: str) -> None:
    for seed in (0, 3):
        tiny = noisy(seed, (2, 2, 1), 8)
        problem = TrainingProblem(tiny.network, tiny.X, tiny.y, loss=loss)
        solver = DecomposedQCGD(level=problem.num_free_bits, block_size=2, symmetry="none")
        result = solver.solve(problem)
        assert result.lower_bound == pytest.approx(problem.losses(all_bits(problem)).min())
        assert result.info["moments"] == 2**problem.num_free_bits - 1


@pytest.mark.parametrize("level", [1, 2])
@pytest.mark.parametrize("blocks", [LiftedBlocks(ExactOracle()), CpSatBlocks()], ids=["o", "c"])
def test_oracles_and_cp_sat_prove_what_tables_prove(
    blocks: LiftedBlocks | CpSatBlocks, level: int
) -> None:
    if isinstance(blocks, CpSatBlocks):
        pytest.importorskip("ortools", reason="the extra exact is not installed")
    problem = real(2, (3, 1), 4)
    solver = DecomposedQCGD(level=level, block_size=1, iterations=20)
    expected = solver.solve(problem)
    result = replace(solver, blocks=blocks).solve(problem)
    assert result.lower_bound == pytest.approx(expected.lower_bound, abs=2e-3)
    assert result.lower_bound <= expected.loss
    if isinstance(blocks, LiftedBlocks):
        assert result.ledger.calls == result.info["rounds"] * 4 * result.info["branches"]


def test_no_bound_where_blocks_prove_nothing_or_branches_are_left_out() -> None:
    problem = noisy(0, (3, 2, 1), 8)
    sampled = DecomposedQCGD(Annealer(reads=2, sweeps=20), level=2, iterations=2).solve(problem)
    assert sampled.lower_bound is None
    assert sampled.ledger.calls == 2 * 4
    assert DecomposedQCGD(symmetry="fix", iterations=2).solve(problem).lower_bound is None


# -- the parts ------------------------------------------------------------------------------------


@given(seed=st.integers(0, 10**6), level=st.integers(2, 4))
@settings(max_examples=20)
def test_a_table_adds_products_as_their_values_say(seed: int, level: int) -> None:
    rng = np.random.default_rng(seed)
    problem = noisy(seed % 7, (3, 2, 1), 4)
    n = problem.num_free_bits
    members = members_of(n, level)
    products = Products(members, rng.normal(size=len(members)))
    linear, pattern = rng.normal(size=n), np.where(rng.random(n) < 0.3, rng.integers(0, 2, n), FREE)
    question = Question(
        linear, pattern.astype(np.int8), np.zeros((0, n), np.int8), (0,), products=products
    )
    answer = ask(Block(problem, Enumeration()), question)
    bits = all_bits(problem)
    bits = bits[((pattern == FREE) | (bits == pattern)).all(axis=1)]
    values = (
        problem.losses(bits) + bits @ linear + products_at(bits, members) @ products.coefficients
    )
    assert answer.bound == pytest.approx(values.min())
    assert answer.values[0] == pytest.approx(values.min())


def test_the_box_step_is_the_maximum_over_the_box() -> None:
    rng = np.random.default_rng(0)
    for _ in range(10):
        block = np.sort(np.concatenate([np.arange(3), rng.integers(0, 3, 5)]))
        moments, values = rng.integers(0, 2, (8, 4)).astype(float), rng.normal(size=8)
        change, weights, most = box_step(moments, values, block, 0.5)
        assert np.abs(change).max() <= 0.5 + 1e-9
        assert np.allclose(change.sum(axis=0), 0.0)
        assert np.allclose(np.bincount(block, weights), 1.0)

        def model(d: np.ndarray) -> float:
            at = values + np.einsum("am,am->a", d[block], moments)  # noqa: B023
            return float(np.minimum.reduceat(at, np.searchsorted(block, np.arange(3))).sum())  # noqa: B023

        assert model(change) == pytest.approx(most)
        for _ in range(50):
            other = rng.uniform(-0.25, 0.25, (3, 4))
            assert model(other - other.mean(axis=0)) <= most + 1e-9


# -- runs -----------------------------------------------------------------------------------------

RUNS = {
    "tables": DecomposedQCGD(level=2, block_size=4, iterations=7, seed=3),
    "oracle": DecomposedQCGD(Annealer(reads=3, sweeps=10), level=2, iterations=5, seed=3),
    "qcgd": DecomposedQCGD(
        blocks=QcgdBlocks(QCGD(Annealer(reads=2, sweeps=10), 2)), block_size=8, iterations=3
    ),
}


@pytest.mark.parametrize("solver", RUNS.values(), ids=RUNS)
def test_a_run_goes_on_as_if_it_had_never_stopped_on_any_executor(
    solver: DecomposedQCGD, tmp_path: Path
) -> None:
    problem = real(5, (3, 2, 1), 16)
    whole = solver.solve(problem)

    def stop(progress: Progress) -> bool:
        return progress.iteration == 2

    part = replace(solver, checkpoint=tmp_path, callbacks=(stop,))
    assert part.solve(problem).status is Status.INTERRUPTED
    again = replace(part, callbacks=(), executor="processes", workers=2).solve(problem)
    assert np.array_equal(again.bits, whole.bits)
    assert again.lower_bound == whole.lower_bound
    assert again.history.columns == whole.history.columns
    assert again.info["why"] == whole.info["why"]


def test_limits() -> None:
    solver = DecomposedQCGD(Annealer(reads=10, sweeps=500), iterations=None, time_limit=0.3)
    result = solver.solve(noisy(11, (5, 3, 1), samples=40))
    assert result.status is Status.TIME_LIMIT
    assert result.seconds < 5.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"level": 0}, "level=0"),
        ({"iterations": None}, "never ends"),
        ({"block_size": 0}, "block_size=0"),
        ({"symmetry": "ordre"}, "Did you mean 'order'"),
        ({"oracle": Annealer(), "blocks": Enumeration()}, "both oracle and blocks"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        DecomposedQCGD(**options)  # type: ignore[arg-type]


def test_levels_that_blocks_or_memory_cannot_take_are_refused_by_name() -> None:
    with pytest.raises(InvalidInputError, match="level=2: AnnealedBlocks"):
        DecomposedQCGD(blocks=AnnealedBlocks(10), level=2).solve(noisy(0))
    with pytest.raises(InvalidInputError, match="level=3: LiftedBlocks"):
        DecomposedQCGD(Annealer(), level=3).solve(noisy(0))
    with pytest.raises(ModelSizeError, match="level=20"):
        members_of(40, 20)
