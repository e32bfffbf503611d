"""Progressive hedging: its formulas, its bound, its symmetry breaking, any executor, resumption."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers.exact import ExactSolver
from solvers.hedging.block_solvers import AnnealedBlocks, CpSatBlocks, PenaltyBlocks, QcgdBlocks
from solvers.hedging.blocks import (
    FREE,
    Answer,
    Block,
    BlockSolver,
    Enumeration,
    PreparedBlock,
    Question,
    ask,
)
from solvers.hedging.bound import LossGrid, hull_point, lagrangian_bound
from solvers.hedging.hedging import (
    CycleDetector,
    FixedRho,
    GrowingRho,
    ProgressiveHedging,
)
from solvers.hedging.rounds import Hedge
from solvers.oracles import Annealer, ExactOracle
from solvers.qcgd.qcgd import QCGD
from solvers.run.executors import Team
from solvers.run.result import Status
from solvers.run.run import Progress
from solvers.run.stopping import Over
from solvers.weight_annealing import WeightAnnealing
from tests.formulations.problems import all_bits, problems


def noisy(seed: int, widths: tuple[int, ...] = (4, 2, 1), samples: int = 20) -> TrainingProblem:
    """A random teacher's labels, one in ten of them wrong; inputs can cancel."""
    rng = np.random.default_rng(seed)
    network = Network.dense(widths, activation="sign")
    X = rng.integers(-2, 3, (samples, widths[0]))
    teacher = TrainingProblem(network, X, np.ones(samples))
    out = teacher.pre_activations(rng.integers(0, 2, (1, network.num_weight_bits)))[-1][0, :, 0]
    y = np.where(out >= 0, 1, -1) * np.where(rng.random(samples) < 0.1, -1, 1)
    return TrainingProblem(network, X, y)


def hedge_of(problem: TrainingProblem, **options: object) -> tuple[list[Hedge], ProgressiveHedging]:
    """A solver, and the list that its hedge will be in, to be looked into."""
    made: list[Hedge] = []

    @dataclass(frozen=True)
    class Watched(ProgressiveHedging):
        def _hedge(self, problem: TrainingProblem, team: Team[Block], over: Over) -> Hedge:
            made.append(super()._hedge(problem, team, over))
            return made[-1]

    return made, Watched(**options)  # type: ignore[arg-type]


# -- the bound ------------------------------------------------------------------------------------

OPTIONS = {
    "hedging": {},
    "unbroken": {"symmetry": "none"},
    "frank-wolfe": {"variant": "frank-wolfe", "rho": FixedRho(0.2)},
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
        result = ProgressiveHedging(variant="frank-wolfe", rounds=30).solve(problem)
        assert result.lower_bound is not None
        assert result.lower_bound <= best
        optimal += result.loss == best
        above_zero += result.lower_bound > 0
    assert optimal >= 7
    assert above_zero >= 4


def test_breaking_symmetry_raises_the_bound() -> None:
    problem = noisy(2)
    unbroken, ordered = (
        ProgressiveHedging(variant="frank-wolfe", rounds=30, block_size=5, symmetry=how).solve(
            problem
        )
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
    grid, losses = LossGrid.of(problem), problem.losses(all_bits(problem))
    for loss in losses[:20]:
        assert grid.up(loss) == pytest.approx(loss, abs=1e-4)
        below = loss - share * (losses.max() - losses.min() + 1.0)
        assert below - 1e-4 <= grid.up(below) <= loss + 1e-4
    assert grid.up(-np.inf) == -np.inf


# -- the formulas ---------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", ["hedging", "frank-wolfe"])
def test_multipliers_sum_to_zero_in_every_round(variant: str) -> None:
    problem = noisy(1, samples=23)  # blocks of unequal size
    made, solver = hedge_of(problem, variant=variant, block_size=5, rho=GrowingRho(growth=1.3))
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


def test_a_hull_point_is_the_minimum_over_the_hull() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        atoms = rng.integers(0, 2, (rng.integers(1, 6), 4))
        losses, W, xbar = 3 * rng.random(len(atoms)), rng.normal(size=4), rng.random(4)
        rho = rng.random(4) + 0.1

        def value(weights: np.ndarray) -> float:
            x = weights @ atoms  # noqa: B023
            return weights @ losses + W @ x + 0.5 * rho @ (x - xbar) ** 2  # noqa: B023

        x, weights = hull_point(atoms, losses, W, xbar, rho)
        assert np.allclose(weights @ atoms, x)
        assert weights.min() >= 0
        others = rng.dirichlet(np.ones(len(atoms)) * 0.3, 300)
        assert value(weights) <= min(value(other) for other in others) + 1e-5


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


def test_equal_networks_are_equal_bits() -> None:
    """The two words of a ternary zero cannot keep copies apart."""
    rng = np.random.default_rng(1)
    network = Network.dense([3, 1, 1], weights="ternary")
    problem = TrainingProblem(network, rng.integers(-2, 3, (9, 3)), rng.choice([-1, 1], 9))
    made, solver = hedge_of(problem, block_size=3, rho=FixedRho(5.0), symmetry="none")
    assert solver.solve(problem).info["consensus"]
    copies = made[0].state.x.reshape(-1, 2)
    assert not ((copies[:, 0] == 0) & (copies[:, 1] == 1)).any()


# -- blocks ---------------------------------------------------------------------------------------


@given(problem=problems(max_bits=7, max_samples=2), data=st.data())
@settings(max_examples=25)
def test_enumeration_is_exact_under_every_pattern(
    problem: TrainingProblem, data: st.DataObject
) -> None:
    n = problem.num_free_bits
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    linear = rng.normal(size=n)
    bits = all_bits(problem)
    pattern = np.where(rng.random(n) < 0.5, bits[rng.integers(len(bits))], FREE).astype(np.int8)
    for words in problem.free_words():  # a word is fixed whole or not at all
        whole = (pattern[words] == FREE).any(axis=1)
        pattern[words[whole]] = FREE
    inside = bits[((pattern == FREE) | (pattern == bits)).all(axis=1)]
    values = problem.losses(inside) + inside @ linear
    answer = ask(Block(problem, Enumeration()), Question(linear, pattern, inside[:1], (0, 1)))
    reachable = np.isin(problem.losses(inside), problem.losses(answer.bits))
    assert answer.losses[0] == pytest.approx(problem.losses(answer.bits[:1])[0])
    assert answer.values[0] == answer.bound
    assert answer.bound >= values.min() - 1e-9
    if not any(layer.code.name == "ternary" for layer in problem.network.layers):
        assert answer.bound == pytest.approx(values.min())
    assert reachable.any()


def test_cp_sat_and_a_penalty_qubo_find_what_enumeration_finds() -> None:
    pytest.importorskip("ortools")
    problem = noisy(7).subset(np.arange(3))
    linear = np.random.default_rng(0).normal(size=problem.num_free_bits)
    question = Question(
        linear,
        np.full(problem.num_free_bits, FREE, dtype=np.int8),
        np.zeros((1, problem.num_free_bits), dtype=np.int8),
        (0, 1),
    )
    exact = ask(Block(problem, Enumeration()), question)
    cp_sat = ask(Block(problem, CpSatBlocks()), question)
    assert cp_sat.values[0] == pytest.approx(exact.values[0])
    assert exact.bound - 0.02 <= cp_sat.bound <= exact.bound + 1e-9
    annealed = ask(Block(problem, AnnealedBlocks(3000)), question)
    assert annealed.values[0] == pytest.approx(exact.values[0])
    assert annealed.bound == -np.inf


def test_a_penalty_qubo_at_its_minimum_is_the_block() -> None:
    problem = TrainingProblem(Network.dense([2, 2, 1]), [[1, 0], [1, 1]], [1, -1])
    linear = np.array([0.3, -0.2, 0.1, 0.2, 0.4, -0.6])
    question = Question(
        linear, np.full(6, FREE, dtype=np.int8), np.zeros((0, 6), dtype=np.int8), (0, 1)
    )
    exact = ask(Block(problem, Enumeration()), question)
    oracle = ExactOracle(max_variables=30)
    penalty = ask(Block(problem, PenaltyBlocks(oracle, penalty=200.0)), question)
    assert penalty.values[0] == pytest.approx(exact.values[0])
    assert penalty.ledger.calls == 1


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_qcgd_on_a_block_feels_the_linear_term_and_bounds_it(sign: float) -> None:
    problem = TrainingProblem(Network.dense([2, 1]), [[1, 0], [1, 1]], [1, -1])
    linear = sign * np.array([4.0, -3.0])
    question = Question(
        linear, np.full(2, FREE, dtype=np.int8), np.zeros((0, 2), dtype=np.int8), (0, 1)
    )
    exact = ask(Block(problem, Enumeration()), question)
    answer = ask(Block(problem, QcgdBlocks(QCGD(ExactOracle(), iterations=20))), question)
    assert answer.values[0] == pytest.approx(exact.values[0])
    assert -np.inf < answer.bound <= exact.bound + 1e-9
    assert answer.ledger.calls > 0


@pytest.mark.parametrize(
    "blocks",
    [
        PenaltyBlocks(Annealer(reads=2, sweeps=20)),
        QcgdBlocks(QCGD(Annealer(reads=2, sweeps=20), iterations=3)),
    ],
    ids=["penalty", "qcgd"],
)
def test_oracles_answer_the_same_for_blocks_in_other_processes(blocks: BlockSolver) -> None:
    problem = noisy(12)
    solver = ProgressiveHedging(blocks, block_size=5, rounds=3, seed=1)
    here, there = (
        solver.solve(problem),
        replace(solver, executor="processes", workers=2).solve(problem),
    )
    assert np.array_equal(here.bits, there.bits)
    assert np.array_equal(here.history["disagreement"], there.history["disagreement"])
    assert here.ledger.calls == there.ledger.calls > 0


def test_hedging_with_cp_sat_is_certified_too() -> None:
    pytest.importorskip("ortools")
    problem = noisy(6).subset(np.arange(8))
    best = ExactSolver().solve(problem).loss
    result = ProgressiveHedging(CpSatBlocks(), block_size=4, rounds=3).solve(problem)
    assert result.lower_bound is not None
    assert result.lower_bound <= best


# -- workers --------------------------------------------------------------------------------------


EXECUTORS: dict[str, Callable[[], object]] = {
    "serial": lambda: None,
    "threads": lambda: "threads",
    "processes": lambda: "processes",
    "factory": lambda: _two_processes,
}


def _two_processes() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(2)


@pytest.mark.parametrize("executor", EXECUTORS.values(), ids=EXECUTORS)
@pytest.mark.parametrize("variant", ["hedging", "frank-wolfe"])
def test_the_same_seed_gives_the_same_result_on_any_executor(
    executor: Callable[[], object], variant: str
) -> None:
    problem = noisy(8, samples=21)
    options = {"variant": variant, "blocks": AnnealedBlocks(300), "block_size": 5, "rounds": 6}
    reference = ProgressiveHedging(**options, seed=3).solve(problem)
    result = ProgressiveHedging(**options, seed=3, executor=executor(), workers=2).solve(problem)  # type: ignore[arg-type]
    assert np.array_equal(result.bits, reference.bits)
    for name in reference.history.columns:
        assert np.array_equal(result.history[name], reference.history[name]), name


def test_a_dask_cluster_gives_the_identical_result() -> None:
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    problem = noisy(8, samples=21)
    solver = ProgressiveHedging(AnnealedBlocks(300), block_size=5, rounds=6, seed=3)
    here = solver.solve(problem)
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as own,
        distributed.Client(own) as client,
    ):
        there = replace(solver, executor=client.get_executor()).solve(problem)
    assert np.array_equal(here.bits, there.bits)
    assert here.history.columns == there.history.columns


@dataclass(frozen=True)
class Failing:
    """Enumeration on workers that die or raise the first times."""

    folder: Path
    how: str
    times: int = 1
    certifies: bool = True

    def prepare(self, problem: TrainingProblem) -> PreparedBlock:
        if problem.sample_numbers[0] == 5 and len(list(self.folder.iterdir())) < self.times:
            (self.folder / str(len(list(self.folder.iterdir())))).touch()
            if self.how == "dies":
                os._exit(1)
            raise ConnectionError("the line was cut")
        return Enumeration().prepare(problem)


@pytest.mark.parametrize("how", ["raises", "dies"])
def test_a_failing_worker_does_not_change_the_result(how: str, tmp_path: Path) -> None:
    problem = noisy(9)
    options = {"block_size": 5, "rounds": 5, "symmetry": "none"}
    reference = ProgressiveHedging(**options).solve(problem)
    result = ProgressiveHedging(
        Failing(tmp_path, how), **options, executor="processes", workers=2
    ).solve(problem)
    assert result.info["run_again"] >= 1
    assert np.array_equal(result.bits, reference.bits)
    assert np.array_equal(result.history["disagreement"], reference.history["disagreement"])


def test_three_failures_of_a_block_end_the_run(tmp_path: Path) -> None:
    solver = ProgressiveHedging(Failing(tmp_path, "raises", 99), block_size=5)
    result = solver.solve(noisy(9))
    assert result.status is Status.ORACLE_FAILED
    assert "block 1 (samples 5 to 9) has failed 3 times" in result.info["reason"]
    assert result.loss == noisy(9).losses(result.bits)[0]


# -- stopping and going on ------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"variant": "frank-wolfe"}, {"symmetry": "fix"}])
def test_a_run_goes_on_from_a_checkpoint_as_if_it_had_never_stopped(
    options: dict[str, object], tmp_path: Path
) -> None:
    problem = noisy(10, samples=24)
    solver = ProgressiveHedging(
        block_size=6,
        rho=FixedRho(0.3),
        restarts=1,
        rounds=12,
        start=WeightAnnealing(flips=5),
        **options,  # type: ignore[arg-type]
    )
    whole = solver.solve(problem)
    for stop in (1, 4, 9):
        stopped = replace(
            solver,
            checkpoint=tmp_path / str(stop),
            callbacks=(lambda progress, stop=stop: progress.iteration == stop,),
        )
        assert stopped.solve(problem).info["rounds"] == min(stop, whole.info["rounds"])
        again = replace(stopped, callbacks=(), executor="processes", workers=2).solve(problem)
        assert again.status is whole.status
        assert np.array_equal(again.bits, whole.bits)
        assert again.lower_bound == whole.lower_bound
        assert again.history.columns == whole.history.columns
        assert again.info["why"] == whole.info["why"]


def test_a_run_that_a_block_has_ended_leaves_a_checkpoint(tmp_path: Path) -> None:
    problem = noisy(9)
    sick, well = tmp_path / "sick", tmp_path / "well"
    sick.mkdir()
    options = {"block_size": 5, "rounds": 5, "symmetry": "none"}
    solver = ProgressiveHedging(Failing(sick, "raises", 99), checkpoint=well, **options)  # type: ignore[arg-type]
    assert solver.solve(problem).status is Status.ORACLE_FAILED
    assert (well / "checkpoint.npz").exists()
    for number in range(99):  # the block has recovered
        (sick / str(number)).touch()
    result = solver.solve(problem)
    reference = ProgressiveHedging(**options).solve(problem)  # type: ignore[arg-type]
    assert np.array_equal(result.bits, reference.bits)
    assert result.history.columns == reference.history.columns


def test_limits_and_callbacks() -> None:
    problem = noisy(11, (5, 3, 1), samples=40)
    limited = ProgressiveHedging(AnnealedBlocks(10_000), rounds=10_000, time_limit=0.3).solve(
        problem
    )
    assert limited.status is Status.TIME_LIMIT
    assert limited.seconds < 2.0
    stopped = ProgressiveHedging(
        AnnealedBlocks(100), rounds=50, callbacks=(lambda progress: progress.iteration == 2,)
    ).solve(problem)
    assert stopped.status is Status.INTERRUPTED
    assert stopped.info["rounds"] == 2


def test_ctrl_c_keeps_the_incumbent() -> None:
    def interrupt(progress: Progress) -> None:
        raise KeyboardInterrupt

    result = ProgressiveHedging(
        AnnealedBlocks(100), rounds=50, callbacks=(interrupt,), executor="threads"
    ).solve(noisy(11))
    assert result.status is Status.INTERRUPTED
    assert result.loss < np.inf


# -- bad input ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"variant": "frankwolfe"}, "Did you mean 'frank-wolfe'"),
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


def test_answers_are_plain_numbers() -> None:
    """What travels back from a worker is small, whatever the block's size."""
    answer = ask(
        Block(noisy(0), Enumeration()),
        Question(np.zeros(10), np.full(10, FREE, dtype=np.int8), np.zeros((0, 10), np.int8), (0,)),
    )
    assert isinstance(answer, Answer)
    assert len(answer.bits) <= Enumeration().points
