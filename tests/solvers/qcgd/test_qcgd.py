"""QCGD: identities of the lifted problem, the recursion, bounds, the figure of exact oracles."""

from __future__ import annotations

import dimod
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import QCBO, Network, QnnError, TrainingProblem
from solvers import QCGD, Candidates, LiftedRows, PenaltyMethod, Status
from solvers.oracles import Annealer, ExactOracle, Samples
from solvers.qcgd.scoring import ModelScoring, Pool
from solvers.run.run import Run
from solvers.run.stopping import NoImprovement
from tests.formulations.problems import problems
from tests.strategies import every_point, qcbos


def constrained(seed: int, n: int = 15) -> QCBO:
    """A random model of 15 bits with three equalities that some point satisfies."""
    rng = np.random.default_rng(seed)
    feasible = rng.integers(0, 2, n)
    A = np.zeros((3, n))
    for row in A:
        row[rng.choice(n, 5, replace=False)] = rng.integers(1, 4, 5) * rng.choice([-1, 1], 5)
    Q = np.triu(rng.normal(size=(n, n)), 1) * (rng.random((n, n)) < 0.5)
    return QCBO.from_arrays(rng.normal(size=n), A, A @ feasible, quadratic=Q)


def least(model: QCBO) -> float:
    every = every_point(model.num_variables)
    return float(model.objective(every[model.is_feasible(every)]).min())


# -- the loop -------------------------------------------------------------------------------------


class Recorder:
    """Answers with random points and keeps them: the atoms, as an oracle gave them."""

    def __init__(self) -> None:
        self.atoms: list[np.ndarray] = []

    def sample(self, qubo, seed) -> Samples:
        x = np.random.default_rng(seed).integers(0, 2, (3, qubo.num_variables)).astype(np.int8)
        x = x[np.argsort(qubo.energies(x), kind="stable")]
        self.atoms.append(x[0])
        return Samples(x, qubo.energies(x), 0.0)


def test_residual_recursion_and_atom_weights() -> None:
    """r_T = A(W_T) - v with W_T = sum_t 2t / (T (T + 1)) x_t x_t'."""
    model, oracle, T = constrained(1), Recorder(), 12
    solver = QCGD(oracle=oracle, iterations=T)
    run, loop = solver.descend(ModelScoring(model), model)
    weights = np.array([2 * t / (T * (T + 1)) for t in range(1, T + 1)])
    assert weights.sum() == pytest.approx(1.0)
    residuals = np.array([loop.lifting.residuals(x) for x in oracle.atoms])
    np.testing.assert_allclose(loop.descent.r, weights @ residuals, atol=1e-10)
    assert run.ledger.calls == T
    assert run.ledger.reads == 3 * T


def test_exact_oracle_finds_the_optimum_with_the_programs_own_beta0() -> None:
    found = 0
    for seed in range(20):
        model = constrained(seed)
        run, loop = QCGD(
            oracle=ExactOracle(), seed=seed, candidates=Candidates(repair=False)
        ).descend(ModelScoring(model), model)
        optimum = least(model)
        found += run.incumbent.loss == pytest.approx(optimum, abs=1e-6)
        assert loop.bound is not None
        assert loop.bound <= optimum + 1e-6
        if run.status is Status.OPTIMAL:
            assert run.incumbent.loss == pytest.approx(optimum, abs=1e-6)
    assert found >= 19


@settings(deadline=None, max_examples=25)
@given(problem=problems(max_bits=5, max_samples=1))
def test_bounds_of_networks_are_bounds(problem: TrainingProblem) -> None:
    if problem.size().num_variables > 14:
        return
    result = QCGD(oracle=ExactOracle(), iterations=30).solve(problem)
    n = problem.num_free_bits
    optimum = problem.losses(every_point(n)).min()
    assert result.lower_bound is not None
    assert result.lower_bound <= optimum + 1e-6
    assert result.loss >= optimum - 1e-9


def test_heuristic_oracles_give_no_bound() -> None:
    problem = TrainingProblem(Network.dense([3, 2, 1]), [[1, -2, 1], [1, -2, 1]], [1, -1])
    for solver in (QCGD(iterations=3), PenaltyMethod(Annealer(2, 20), iterations=3)):
        assert solver.solve(problem).lower_bound is None


def test_same_seed_same_result_and_incumbents_are_real_losses() -> None:
    rng = np.random.default_rng(0)
    X = rng.choice([-1, 1], (30, 6))
    problem = TrainingProblem(Network.dense([6, 3, 1]), X, rng.choice([-1, 1], 30))
    one, two = (QCGD(iterations=6, seed=5).solve(problem) for _ in range(2))
    np.testing.assert_array_equal(one.bits, two.bits)
    np.testing.assert_array_equal(one.history["residual_square"], two.history["residual_square"])
    assert problem.loss(one.weights) == one.loss == one.history["loss"][-1]
    assert (np.diff(one.history["loss"]) <= 0).all()


def test_budgets_and_interrupts_keep_the_incumbent() -> None:
    rng = np.random.default_rng(0)
    X = rng.choice([-1, 1], (30, 6))
    problem = TrainingProblem(Network.dense([6, 3, 1]), X, rng.choice([-1, 1], 30))
    assert QCGD(call_limit=3).solve(problem).status is Status.CALL_LIMIT
    assert QCGD(time_limit=0.05, iterations=10**6).solve(problem).status is Status.TIME_LIMIT

    def interrupt(progress: object) -> bool:
        raise KeyboardInterrupt

    result = QCGD(callbacks=(interrupt,)).solve(problem)
    assert result.status is Status.INTERRUPTED
    assert result.ledger.calls == 1


@pytest.mark.parametrize("encoding", ["twos-complement", "one-hot", "threshold"])
def test_every_encoding_trains(encoding: str) -> None:
    rng = np.random.default_rng(1)
    X = rng.choice([-1, 1], (12, 4))
    problem = TrainingProblem(Network.dense([4, 2, 1]), X, np.sign(X.sum(axis=1) + 0.5).astype(int))
    for solver in (
        QCGD(iterations=15, encoding=encoding),
        PenaltyMethod(Annealer(5, 50), iterations=5, encoding=encoding),
    ):
        result = solver.solve(problem)
        assert result.loss <= 8
        assert result.info["num_variables"] >= problem.size(encoding).num_variables


# -- for any constrained model --------------------------------------------------------------------


def knapsack() -> dimod.ConstrainedQuadraticModel:
    x = [dimod.Binary(f"x{i}") for i in range(8)]
    value, weight = [6, 5, 8, 9, 6, 7, 3, 4], [2, 3, 6, 7, 5, 9, 4, 1]
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(-sum(v * b for v, b in zip(value, x, strict=True)))
    cqm.add_constraint(sum(w * b for w, b in zip(weight, x, strict=True)) <= 15, label="capacity")
    return cqm


def test_sample_cqm_is_feasible_first_and_optimal_here() -> None:
    cqm = knapsack()
    exact = dimod.ExactCQMSolver().sample_cqm(cqm).filter(lambda d: d.is_feasible).first.energy
    for oracle in (ExactOracle(), Annealer(reads=10, sweeps=100)):
        sampleset = QCGD(oracle=oracle, iterations=60, seed=1).sample_cqm(cqm)
        assert bool(sampleset.record.is_feasible[0])
        assert sampleset.record.energy[0] == exact
        feasible = sampleset.record.is_feasible
        assert (np.diff(feasible.astype(int)) <= 0).all()
        for datum in sampleset.data(["sample", "is_feasible"]):
            assert cqm.check_feasible(datum.sample) == datum.is_feasible
        assert sampleset.info["status"] in {s.value for s in Status}
        assert sampleset.info["lower_bound"] <= exact


def test_reals_are_refused_by_name() -> None:
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.add_variable("REAL", "temperature")
    with pytest.raises(QnnError, match="temperature"):
        QCGD().sample_cqm(cqm)


# -- options --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QCGD(iterations=0), "iterations=0"),
        (lambda: LiftedRows(beta0=-1.0), "beta0=-1.0"),
        (lambda: LiftedRows(dual_step=None), "dual_step=None"),
        (lambda: QCGD(seed=-1), "seed=-1"),
        (lambda: QCGD(oracle=Annealer), "expected an object with sample"),
        (lambda: QCGD(oracle=dimod.ExactSolver()), "give solvers.oracles.from_dimod"),
        (lambda: QCGD(stop=30), "stop=30: expected an object with over"),
        (lambda: QCGD(stop=NoImprovement(least=0)), "least=0"),
        (lambda: QCGD(stop=NoImprovement(factor=-1.0)), "factor=-1.0"),
        (lambda: QCGD(stop=None, iterations=None), "iterations=None never ends"),
        (lambda: LiftedRows(rows="means"), "Did you mean 'mean'"),
        (lambda: Candidates(fresh=0), "fresh=0"),
        (lambda: QCGD(oracle="annealer"), "expected an object with sample"),
        (lambda: PenaltyMethod(penalty=-1.0), "penalty=-1.0"),
        (lambda: Annealer(sweps=10), "Did you mean 'sweeps'"),
    ],
)
def test_bad_options_are_refused(make, message: str) -> None:
    with pytest.raises(QnnError, match=message):
        make()


def test_unknown_row_group_is_refused() -> None:
    problem = TrainingProblem(Network.dense([2, 2, 1]), [[1, -1]], [1])
    with pytest.raises(QnnError, match="unknown row group 'layer 9'"):
        PenaltyMethod(penalty={"layer 9": 1.0}, iterations=1).solve(problem)


def test_pool_keeps_the_best_distinct_candidates() -> None:
    rng = np.random.default_rng(0)
    pool, seen = Pool(size=5), {}
    for _ in range(20):
        bits = rng.integers(0, 2, (7, 4))
        losses = bits @ [1.0, 2.0, 4.0, 8.0]
        seen |= {tuple(b): loss for b, loss in zip(bits.tolist(), losses, strict=True)}
        pool.add(bits, losses)
    assert pool.losses.tolist() == sorted(seen.values())[:5]
    assert isinstance(Run().incumbent.loss, float)


# -- multipliers and where reads begin ------------------------------------------------------------


def test_rows_choose_which_multipliers_there_are() -> None:
    model = constrained(2)
    for rows, mean, square in (("both", 1, 1), ("mean", 1, 0), ("square", 0, 1)):
        solver = QCGD(oracle=Annealer(5, 50), iterations=5, lifted=LiftedRows(rows=rows))
        _, loop = solver.descend(ModelScoring(model), model)
        means, squares, _ = loop.lifting.kinds
        p = loop.descent.multipliers(6)
        assert (p[means].any(), p[squares].any()) == (mean, square)


def test_square_alone_keeps_the_mean_of_rows_without_a_square() -> None:
    model = QCBO.from_arrays([-1, -2, -3], [[2, 3, 4]], [5], equality=[False])
    solver = QCGD(
        oracle=ExactOracle(), iterations=10, lifted=LiftedRows(rows="square", slack=False)
    )
    run, loop = solver.descend(ModelScoring(model), model)
    assert loop.descent.used.tolist() == [True]
    assert run.incumbent.loss == -3.0


@settings(deadline=None, max_examples=25)
@given(model=qcbos(max_variables=6), rows=st.sampled_from(["both", "mean", "square"]),
       slack=st.booleans(), capped=st.booleans())  # fmt: skip
def test_bounds_are_bounds_whatever_the_options(
    model: QCBO, rows: str, slack: bool, capped: bool
) -> None:
    """And what is called feasible is: the incumbent's loss is an objective of a feasible point."""
    solver = QCGD(
        oracle=ExactOracle(),
        iterations=15,
        lifted=LiftedRows(rows=rows, slack=slack, capped=capped),
        candidates=Candidates(repair=False),
    )
    run, loop = solver.descend(ModelScoring(model), model)
    optimum = least(model)
    assert loop.bound is not None
    assert loop.bound <= optimum + 1e-6
    if run.incumbent.loss <= loop.search.ceiling:
        assert run.incumbent.bits is not None
        assert model.is_feasible(run.incumbent.bits)
        assert run.incumbent.loss >= optimum - 1e-9


def test_the_capped_step_is_no_longer_than_the_other() -> None:
    model = constrained(3)
    lengths = []
    for capped in (False, True):
        lifted = LiftedRows(dual_step=1.0, capped=capped, beta0=1.0)
        solver = QCGD(Recorder(), iterations=30, lifted=lifted)
        _, loop = solver.descend(ModelScoring(model), model)
        lengths.append(np.linalg.norm(loop.y))
    assert 0.0 < lengths[1] < lengths[0]


def test_a_run_that_stands_still_ends() -> None:
    model = constrained(1)
    run, loop = QCGD(Annealer(10, 100), iterations=None).descend(ModelScoring(model), model)
    found, calls = run.ledger.calls - loop.search.stale, run.ledger.calls
    assert 20 + 3 * found <= calls < 100
    assert run.status is Status.FINISHED
    assert run.reason == f"nothing better in {calls - found} of {calls} calls"
    whole, _ = QCGD(Annealer(10, 100), stop=None).descend(ModelScoring(model), model)
    assert whole.ledger.calls == 100
    assert whole.history["loss"][:calls].tolist() == run.history["loss"].tolist()


def test_a_run_goes_on_without_an_answer_or_where_a_limit_is_to_be_used_up() -> None:
    impossible = QCBO.from_arrays([1.0, 2, 3, 4], [[2, 2, 2, 2]], [3])
    strict = NoImprovement(factor=0.0, least=1)
    unproven = Candidates(sources=("oracle", "perturbation"))
    for model, options, calls in (
        (impossible, {"iterations": 30}, 30),
        (constrained(1), {"iterations": None, "call_limit": 25}, 25),
    ):
        solver = QCGD(Annealer(2, 20), stop=strict, candidates=unproven, **options)
        run, _ = solver.descend(ModelScoring(model), model)
        assert run.ledger.calls == calls


def test_what_nothing_can_beat_ends_a_run() -> None:
    problem = TrainingProblem(Network.dense([2, 2, 1]), [[1, -1], [1, 1], [-1, 1]], [1, -1, -1])
    one_hot = QCBO.from_arrays([3.0, 5, 4], [[1, 1, 1]], [1], offset=1)
    for solver in (QCGD(), PenaltyMethod()):
        result = solver.solve(problem)
        assert (result.loss, result.lower_bound, result.status) == (0.0, 0.0, Status.OPTIMAL)
    run, loop = QCGD().descend(ModelScoring(one_hot), one_hot)
    assert (run.incumbent.loss, loop.bound, run.status) == (4.0, 4.0, Status.OPTIMAL)
    assert run.ledger.calls < 20


@settings(deadline=None, max_examples=100)
@given(model=qcbos())
def test_no_feasible_point_is_below_the_floor(model: QCBO) -> None:
    assert ModelScoring(model).floor <= least(model) + 1e-9


def test_the_scale_follows_the_share_of_feasible_reads() -> None:
    def scale(oracle: object) -> float:
        pairs = [[1, 1, 0], [0, 1, 1], [1, 0, 1]]  # their linear relaxation has halves
        model = QCBO.from_arrays([-1.0, -1.1, -1.7], pairs, [1] * 3, equality=[False] * 3)
        alone = Candidates(sources=("oracle",))  # others would prove the best before
        _, loop = QCGD(oracle, iterations=20, candidates=alone).descend(ModelScoring(model), model)  # type: ignore[arg-type]
        return loop.descent.beta0 / loop.lifting.plausible_scale()

    class Always:
        def __init__(self, x: list[int]) -> None:
            self.x = np.array([x] * 4, dtype=np.int8)

        def sample(self, qubo, seed) -> Samples:
            return Samples(self.x, qubo.energies(self.x), 0.0)

    assert scale(Always([1, 1, 1])) > 5.0
    assert scale(Always([1, 0, 0])) < 0.5


def test_the_penalty_method_has_the_same_warm_starts_and_repair() -> None:
    cqm = knapsack()
    optimum = dimod.ExactCQMSolver().sample_cqm(cqm).filter(lambda d: d.is_feasible).first.energy
    oracle = Annealer(5, 50)
    plain = PenaltyMethod(oracle, penalty=16.0, iterations=20).sample_cqm(cqm)
    warm = PenaltyMethod(oracle, penalty=16.0, iterations=20, candidates=Candidates())
    helped = warm.sample_cqm(cqm)
    assert plain.info["repair_seconds"] == 0.0 < helped.info["repair_seconds"]
    assert helped.first.energy == optimum
    assert bool(helped.record.is_feasible[0])
    assert plain.info["lower_bound"] <= optimum
