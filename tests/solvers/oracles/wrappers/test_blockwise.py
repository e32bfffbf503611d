from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import QCBO
from formulations.errors import InvalidInputError
from solvers import QCGD, LiftedRows
from solvers.oracles import QUBO, Annealer, Blockwise, ExactOracle, WarmOracle
from solvers.oracles.wrappers.blockwise import parts
from solvers.qcgd.scoring import ModelScoring
from tests.strategies import every_point


def seed(number: int = 0) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


def blocks(count: int, size: int, number: int = 0) -> QUBO:
    """Blocks of variables i, i + count, ...; couplers between blocks are zero."""
    random = np.random.default_rng(number)
    n = count * size
    heads, tails = np.triu_indices(n, 1)
    J = np.where(heads % count == tails % count, random.normal(size=len(heads)), 0.0)
    return QUBO(random.normal(size=n), heads.astype(np.int64), tails.astype(np.int64), J)


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 4), st.integers(1, 4), st.integers(0, 99), st.integers(1, 9))
def test_the_minimum_is_that_of_the_whole(count: int, size: int, number: int, most: int) -> None:
    qubo = blocks(count, size, number)
    samples = Blockwise(ExactOracle(), size=most).sample(qubo, seed())
    assert samples.exact
    assert samples.energies[0] == pytest.approx(qubo.energies(every_point(count * size)).min())
    assert len(np.unique(parts(qubo))) == count
    assert samples.info["questions"] <= count


def test_every_read_has_parts_of_its_own_rank() -> None:
    qubo = blocks(6, 10)
    whole, byparts = Annealer(8, 3).sample(qubo, seed()), Blockwise(Annealer(8, 3))
    samples = byparts.sample(qubo, seed())
    assert (np.diff(samples.energies) >= 0).all()
    np.testing.assert_allclose(samples.energies, qubo.energies(samples.x))
    assert samples.energies[0] <= whole.energies[0]
    assert samples.energies.mean() == pytest.approx(whole.energies.mean(), abs=5.0)


def test_starts_are_passed_on() -> None:
    qubo = blocks(3, 4)
    best = ExactOracle().sample(qubo, seed()).x[:1]
    cold = Blockwise(Annealer(4, 5, beta_range=(1e3, 1e6)), size=4)
    assert isinstance(cold, WarmOracle)
    np.testing.assert_array_equal(cold.sample_from(qubo, best, seed()).x[0], best[0])
    assert not isinstance(Blockwise(ExactOracle()), WarmOracle)


def test_lagrangian_decomposition_bounds_the_optimum() -> None:
    """Blocks tied by one linear row: with rows (i) alone, every QUBO falls apart into them."""
    random = np.random.default_rng(4)
    Q = np.kron(np.eye(3), np.triu(random.normal(size=(4, 4)), 1))
    model = QCBO.from_arrays(
        random.normal(size=12), np.ones((1, 12)), [4], equality=[False], quadratic=Q
    )
    every = every_point(12)
    least = model.objective(every[model.is_feasible(every)]).min()
    rows = LiftedRows(rows="mean", slack=False)
    solver = QCGD(Blockwise(ExactOracle(max_variables=4), size=4), lifted=rows)
    run, loop = solver.descend(ModelScoring(model), model)
    assert run.incumbent.loss == pytest.approx(least)
    assert loop.bound is not None
    assert loop.bound <= least + 1e-9
    assert loop.bound >= least - 0.3 * abs(least)


def test_bad_sizes_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="size=0"):
        Blockwise(Annealer(), size=0)
