"""Progressive hedging: its formulas, its bound, its symmetry breaking, refused options."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers.decomposed.decomposed import DecomposedQCGD
from solvers.exact import ExactSolver
from solvers.hedging.annealed_blocks import AnnealedBlocks
from solvers.hedging.block_solvers import PenaltyBlocks
from solvers.hedging.bound import lagrangian_bound, loss_grid
from solvers.hedging.hedging import CycleDetector, FixedRho, GrowingRho, ProgressiveHedging
from solvers.hedging.rounds import Hedge
from solvers.oracles import ExactOracle
from solvers.run.result import Status
from solvers.run.run import Progress
from solvers.weight_annealing import WeightAnnealing
from tests.formulations.problems import all_bits, problems
from tests.solvers.hedging.teachers import noisy


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Hedge]:
    """Every hedge that a solver makes, to be looked into."""
    made: list[Hedge] = []

    def watched(*arguments: object, **options: object) -> Hedge:
        made.append(Hedge(*arguments, **options))  # type: ignore[arg-type]
        return made[-1]

    monkeypatch.setattr("solvers.hedging.hedging.Hedge", watched)
    return made


# -- the bound ------------------------------------------------------------------------------------

OPTIONS = {
    "hedging": {},
    "unbroken": {"symmetry": "none"},
    "pressed": {"rho": FixedRho(1.0), "restarts": 2},
    "few-branches": {"rho": GrowingRho(0.1, growth=1.2), "max_branches": 4},
}


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@given(problem=problems(max_bits=8, max_samples=5), size=st.integers(1, 3), seed=st.integers(0, 9))
@settings(max_examples=12)
def test_the_bound_never_exceeds_the_optimum(
    options: dict[str, object], problem: TrainingProblem, size: int, seed: int
) -> None:
    least = problem.losses(all_bits(problem)).min()
    solver = ProgressiveHedging(block_size=size, rounds=8, seed=seed, **options)  # type: ignore[arg-type]
    result = solver.solve(problem)
    assert result.lower_bound is not None
    assert result.lower_bound <= least + 1e-9
    assert result.loss >= least - 1e-9
    assert (result.history["bound"] <= least + 1e-9).all()
    assert result.loss == pytest.approx(problem.loss(result.weights))
    if result.status is Status.OPTIMAL:
        assert result.loss == pytest.approx(least)


def test_small_problems_are_solved_and_bounded_from_below() -> None:
    """Real digits and noisy teachers, 10 to 15 bits; the benchmark measures more of them."""
    optimal = above_zero = 0
    cases = [noisy(seed) for seed in range(4)] + [noisy(seed, (3, 3, 1)) for seed in range(4)]
    for problem in cases:
        best = ExactSolver().solve(problem).loss
        result = DecomposedQCGD(iterations=30).solve(problem)
        assert result.lower_bound is not None
        assert result.lower_bound <= best
        optimal += result.loss == best
        above_zero += result.lower_bound > 0
    assert optimal >= 7
    assert above_zero >= 4


def test_breaking_symmetry_raises_the_bound() -> None:
    problem = noisy(2)
    unbroken, ordered = (
        DecomposedQCGD(iterations=30, block_size=5, symmetry=how).solve(problem)
        for how in ("none", "order")
    )
    assert unbroken.lower_bound is not None
    assert ordered.lower_bound is not None
    assert unbroken.lower_bound < ordered.lower_bound


def test_no_bound_where_none_is_certified() -> None:
    problem = noisy(0)
    kept = ProgressiveHedging(symmetry="fix", rounds=3).solve(problem)
    assert kept.info["branches"] == 1
    assert kept.lower_bound is None  # other branches may be better
    for blocks in (AnnealedBlocks(200, 1), PenaltyBlocks(ExactOracle(max_variables=30))):
        small = problem.subset(np.arange(2))
        result = ProgressiveHedging(blocks, block_size=1, rounds=2, symmetry="order").solve(small)
        assert result.lower_bound is None


def test_the_bound_takes_off_what_rounding_leaves_of_the_multipliers() -> None:
    linear = np.array([[0.3, -0.2], [-0.2, 0.2]])
    assert lagrangian_bound(np.array([2.0, 3.0]), linear) <= 4.9


@given(problem=problems(max_bits=7, max_samples=3), share=st.floats(0.0, 1.0))
def test_rounding_up_never_passes_a_loss_there_is(problem: TrainingProblem, share: float) -> None:
    up, losses = loss_grid(problem), problem.losses(all_bits(problem))
    for loss in losses[:20]:
        assert up(loss) == pytest.approx(loss, abs=1e-4)
        below = loss - share * (losses.max() - losses.min() + 1.0)
        assert below - 1e-4 <= up(below) <= loss + 1e-4
    assert up(-np.inf) == -np.inf


# -- the formulas ---------------------------------------------------------------------------------


def test_multipliers_sum_to_zero_in_every_round(made: list[Hedge]) -> None:
    problem = noisy(1, samples=23)  # blocks of unequal size
    solver = ProgressiveHedging(block_size=5, rho=GrowingRho(growth=1.3))
    sums: list[float] = []

    def look(progress: Progress) -> None:
        hedge = made[0]
        sums.append(float(np.abs(np.einsum("k,bkn->bn", hedge.p, hedge.state.W)).max()))
        assert hedge.p.sum() == pytest.approx(1.0)

    replace(solver, callbacks=(look,)).solve(problem)
    assert np.abs(made[0].state.W).max() > 1e-3
    assert len(sums) > 3
    assert max(sums) < 1e-9


def test_the_weighted_mean_of_the_blocks_is_the_whole_loss() -> None:
    problem = noisy(1, samples=23)
    blocks = problem.blocks(5)
    p = np.array([block.num_samples for block in blocks]) / problem.num_samples
    bits = all_bits(problem)[:50]
    f = np.array([block.losses(bits) for block in blocks]) / p[:, None]
    assert np.allclose(p @ f, problem.losses(bits))


def test_restarts_never_lose_the_best_bound() -> None:
    problem = noisy(1)
    options = {"rho": FixedRho(1.0), "block_size": 5, "rounds": 60, "symmetry": "none"}
    result = ProgressiveHedging(restarts=5, **options).solve(problem)
    assert result.info["restarts"] >= 1
    assert (np.diff(result.history["bound"]) >= 0).all()
    once = ProgressiveHedging(**options).solve(problem)
    assert result.lower_bound is not None
    assert once.lower_bound is not None
    assert result.lower_bound >= once.lower_bound


def test_all_copies_begin_at_the_start() -> None:
    problem = noisy(4)
    best = WeightAnnealing(seed=0).solve(problem)
    for start in (best, best.weights, WeightAnnealing(seed=0)):
        result = ProgressiveHedging(start=start, rho=FixedRho(50.0), rounds=2).solve(problem)
        assert result.loss == best.loss
        assert result.info["consensus"] or result.status is Status.OPTIMAL


def test_hedging_over_a_restricted_problem() -> None:
    problem = noisy(5, (6, 4, 1), samples=40)
    incumbent = WeightAnnealing(flips=300, seed=1).solve(problem)
    free = np.arange(3, 28, 2)
    restricted = problem.restrict(free, incumbent.weights)
    best = ExactSolver().solve(restricted).loss
    result = ProgressiveHedging(block_size=8, start=incumbent).solve(restricted)
    assert result.bits.shape == (len(free),)
    assert result.lower_bound is not None
    assert result.lower_bound <= best <= result.loss <= incumbent.loss
    whole = problem.bits_from_weights(result.weights)
    fixed = np.setdiff1d(np.arange(problem.num_free_bits), free)
    assert np.array_equal(whole[fixed], incumbent.bits[fixed])


# -- rho, cycles, fixing --------------------------------------------------------------------------


def test_cycles_are_found_and_broken() -> None:
    options = {"rho": FixedRho(1.0), "block_size": 5, "rounds": 50, "symmetry": "none"}
    agreed = {"free": 0, "slammed": 0}
    for number in range(6):
        problem = noisy(number)
        free = ProgressiveHedging(cycles=None, **options).solve(problem)
        slammed = ProgressiveHedging(cycles=CycleDetector(), **options).solve(problem)
        if not free.info["consensus"]:
            assert "bits differ between blocks" in free.info["why"]
            assert slammed.history["fixed"].max() > 0
        agreed["free"] += free.info["consensus"]
        agreed["slammed"] += slammed.info["consensus"]
    assert agreed["free"] <= 1
    assert agreed["slammed"] >= 4


def test_cycles_are_seen_while_rho_grows() -> None:
    """Two copies that flip for ever keep W in proportion to rho; W itself never repeats."""
    x, W, rho = np.array([1.0, 0.0]), np.zeros(2), 1.0
    seen, found = np.full((1, 16, 1), np.nan), []
    for _ in range(80):
        W, rho = W + rho * (x - x.mean()), 1.1 * rho
        x = (W + rho * (0.5 - x.mean()) < 0).astype(float)
        assert x.min() < x.max()
        latest = CycleDetector().hashes(W[None, :, None], np.array([[rho]]))
        seen = np.concatenate([latest[:, None], seen[:, :-1]], axis=1)
        found.append(bool(CycleDetector().cycling(seen, np.array([[True]])).any()))
    assert all(found[-20:])


def test_multipliers_that_stand_still_in_agreement_are_no_cycle() -> None:
    hashes = np.ones((1, 6, 2))
    found = CycleDetector(6).cycling(hashes, np.array([[True, False]]))
    assert found.tolist() == [[True, False]]
    hashes[0, :, 0] = [3, 2, 1, 3, 2, 1]
    hashes[0, :, 1] = [3, 2, 1, 3, 2, 0]
    assert CycleDetector(6).cycling(hashes, np.ones((1, 2), bool)).tolist() == [[True, False]]


def test_equal_networks_are_equal_bits(made: list[Hedge]) -> None:
    """The two words of a ternary zero cannot keep copies apart."""
    rng = np.random.default_rng(1)
    network = Network.dense([3, 1, 1], weights="ternary")
    problem = TrainingProblem(network, rng.integers(-2, 3, (9, 3)), rng.choice([-1, 1], 9))
    solver = ProgressiveHedging(block_size=3, rho=FixedRho(5.0), symmetry="none")
    assert solver.solve(problem).info["consensus"]
    copies = made[0].state.x.reshape(-1, 2)
    assert not ((copies[:, 0] == 0) & (copies[:, 1] == 1)).any()


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"symmetry": "ordre"}, "Did you mean 'order'"),
        ({"rounds": 0}, "rounds=0"),
        ({"block_size": 0}, "block_size=0"),
    ],
)
def test_bad_options(options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        ProgressiveHedging(**options)  # type: ignore[arg-type]


def test_options_that_were_removed_are_ignored_with_a_warning() -> None:
    for name, value in {"fix_after": 3, "shake": 0.5}.items():
        with pytest.warns(DeprecationWarning, match=name):
            assert ProgressiveHedging(**{name: value}) == ProgressiveHedging()  # type: ignore[arg-type]


def test_bad_policies_and_blocks() -> None:
    with pytest.raises(InvalidInputError, match="growth"):
        GrowingRho(growth=0.9)
    with pytest.raises(InvalidInputError, match="factor"):
        FixedRho(-1.0)
    with pytest.raises(InvalidInputError, match="window"):
        CycleDetector(1)
    with pytest.raises(InvalidInputError, match="oracle"):
        PenaltyBlocks("annealer")  # type: ignore[arg-type]
    with pytest.raises(InvalidInputError, match=r"problem\.restrict"):
        ProgressiveHedging(symmetry="none").solve(noisy(0, (16, 5, 1)))
