from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from formulations.network.codes import code
from solvers import ExplicitSoftmax, ManifoldNetwork, RealTraining, Rounding
from solvers.classical.level_fit import LayerFit
from solvers.oracles import ExactOracle
from solvers.run.result import Status
from tests.formulations.problems import problems
from tests.solvers.classical.test_explicit import three_or_eight
from tests.strategies import every_point

QUICK = RealTraining(epochs=3, rates=(0.1,))


def layer(seed: int, weights: str, bias: str | None = None, inputs: int = 4) -> LayerFit:
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(20, inputs + 1))
    real = rng.normal(size=(2, inputs + 1))
    free = rng.random((2, inputs + 1)) < 0.8
    levels = code(weights).levels
    fixed = rng.choice(levels, size=(2, inputs + 1)).astype(float)
    bias_code = None if bias is None else code(bias)
    if bias_code is None:
        free[:, -1], fixed[:, -1] = False, 0.0
    else:
        fixed[:, -1] = rng.choice(bias_code.levels, size=2)
    return LayerFit((code(weights), bias_code), real, A.T @ A, real @ A.T @ A, free, fixed)


def energies(fit: LayerFit, levels: np.ndarray, scale: float, neuron: int) -> np.ndarray:
    quadratic = ((levels @ fit.gram) * levels).sum(axis=-1)
    return quadratic - 2 * scale * levels @ fit.cross[neuron]


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["bipolar", "ternary", "uniform:2", "codebook:-1,0.5,2"]),
    st.sampled_from([None, "bipolar", "uniform:2"]),
)
def test_the_qubo_is_the_squared_error_of_a_neurons_levels(
    seed: int, weights: str, bias: str | None
) -> None:
    fit = layer(seed, weights, bias, inputs=3)
    qubo, levels_of = fit.qubo(1, 1.7)
    points = every_point(qubo.num_variables)
    start = 0
    for i in np.flatnonzero(fit.free[1]):
        code = fit._code(i)
        word, start = points[:, start : start + code.bits], start + code.bits
        points = points[(word.sum(axis=1) == 1) | (not code.one_hot)]
    levels = levels_of(points)
    assert (levels[:, ~fit.free[1]] == fit.fixed[1][~fit.free[1]]).all()
    difference = qubo.energies(points) - energies(fit, levels, 1.7, 1)
    assert np.ptp(difference) < 1e-8 * (1 + np.abs(qubo.linear).sum())
    if qubo.num_variables:
        best = ExactOracle().sample(qubo, np.random.SeedSequence(0)).x[:1]
        assert energies(fit, levels_of(best), 1.7, 1)[0] <= energies(
            fit, levels, 1.7, 1
        ).min() + 1e-6 * (1 + np.abs(qubo.linear).sum())


@settings(max_examples=60)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["bipolar", "ternary", "uniform:3", "codebook:-1,0.5,2"]),
)
def test_greedy_is_no_worse_than_nearest_and_cannot_be_improved_by_one_weight(
    seed: int, weights: str
) -> None:
    fit = layer(seed, weights, "ternary")
    scales = fit.scales()
    near = fit.nearest(scales)
    greedy = fit.descended(near, scales)
    assert (near[:, ~fit.free] == fit.fixed[~fit.free]).all()
    assert (greedy[:, ~fit.free] == fit.fixed[~fit.free]).all()
    for s in range(len(scales)):
        for j in range(2):
            reached = energies(fit, greedy[s, j], scales[s, j], j)
            assert reached <= energies(fit, near[s, j], scales[s, j], j) + 1e-9
            for i in np.flatnonzero(fit.free[j]):
                for level in code(weights if i < 4 else "ternary").levels:
                    moved = greedy[s, j].copy()
                    moved[i] = level
                    assert energies(fit, moved, scales[s, j], j) >= reached - 1e-6


@settings(max_examples=30)
@given(problems(max_bits=10, max_samples=4), st.sampled_from(["nearest", "greedy", "qubo"]))
def test_the_loss_is_real_and_no_better_than_the_optimum(
    problem: TrainingProblem, method: str
) -> None:
    result = Rounding(method, weights=QUICK, draws=2).solve(problem)
    least = problem.losses(every_point(problem.num_free_bits)).min()
    assert result.loss == pytest.approx(problem.loss(result.weights), rel=1e-9, abs=1e-9)
    assert result.loss >= least - 1e-9
    assert (result.status, result.lower_bound) == (Status.FINISHED, None)


def test_real_training_finds_what_the_rounding_loses() -> None:
    """Digits 3 against 8: rounded weights are worse than annealed ones, but far from guesses."""
    source = RealTraining(epochs=25, rates=(0.03,))
    losses = {
        method: np.mean(
            [Rounding(method, weights=source, seed=s).solve(three_or_eight(s)).loss for s in (0, 1)]
        )
        for method in ("nearest", "greedy", "qubo")
    }
    assert max(losses.values()) < 40
    assert min(losses.values()) < 16


def test_weights_that_are_levels_are_kept() -> None:
    rng = np.random.default_rng(0)
    rule = rng.choice([-3, -1, 1, 3], size=6)
    X = rng.integers(-3, 4, (40, 6))
    problem = TrainingProblem(Network.dense([6, 1], weights="uniform:2"), X, X @ rule, "squared")

    class Known:
        def real_weights(self, problem: object, rng: object, over: object) -> list[np.ndarray]:
            return [np.append(rule, 0.0)[None].astype(float)]

    for method in ("nearest", "greedy", "qubo"):
        result = Rounding(method, weights=Known(), draws=1).solve(problem)
        assert result.weights.matrices[0].tolist() == [rule.tolist()]
        assert result.loss == 0.0


@pytest.mark.parametrize("source", [QUICK, None])
def test_the_oracle_is_asked_once_a_neuron_and_booked(source: RealTraining | None) -> None:
    problem = three_or_eight(0)
    result = Rounding("qubo", weights=source or ExplicitSoftmax(), draws=2)
    ledger = result.solve(problem).ledger
    assert ledger.calls == 2 * 6
    assert Rounding("greedy", weights=QUICK, draws=1).solve(problem).ledger.calls == 0


def test_what_is_not_free_stays() -> None:
    problem = three_or_eight(0, "ternary")
    incumbent = np.random.default_rng(3).integers(0, 2, problem.num_free_bits).astype(np.int8)
    for free in ([0, 1, 4, 5, 100, 101], [problem.num_free_bits - 1]):
        restricted = problem.restrict(free, incumbent)
        for method in ("greedy", "qubo"):
            result = Rounding(method, weights=QUICK, draws=1).solve(restricted)
            held = np.setdiff1d(np.arange(len(incumbent)), free)
            assert (restricted.full_bits(result.bits)[held] == incumbent[held]).all()


def test_same_seed_same_result() -> None:
    problem = three_or_eight(0)
    for method in ("greedy", "qubo"):
        runs = [Rounding(method, weights=QUICK, seed=s).solve(problem) for s in (5, 5, 6)]
        assert runs[0].bits.tolist() == runs[1].bits.tolist()
        assert runs[0].history.columns == runs[1].history.columns
        assert runs[0].history.columns != runs[2].history.columns


def test_limits_callbacks_and_ctrl_c_leave_an_answer() -> None:
    problem = three_or_eight(0)
    started = time.perf_counter()
    result = Rounding("qubo", weights=QUICK, draws=None, time_limit=0.2).solve(problem)
    assert result.status is Status.TIME_LIMIT
    assert time.perf_counter() - started < 3
    stopped = Rounding(weights=QUICK, callbacks=(lambda p: p.iteration == 2,)).solve(problem)
    assert (stopped.status, stopped.info["draws"]) == (Status.INTERRUPTED, 2)

    def interrupt(progress: object) -> None:
        raise KeyboardInterrupt

    result = Rounding(weights=QUICK, callbacks=(interrupt,)).solve(problem)
    assert result.status is Status.INTERRUPTED


@pytest.mark.parametrize("method", ["greedy", "qubo"])
def test_a_checkpoint_goes_on_where_it_stopped(method: str, tmp_path: object) -> None:
    problem = three_or_eight(0)
    whole = Rounding(method, weights=QUICK, draws=4, seed=1).solve(problem)
    parts = {"weights": QUICK, "draws": 4, "seed": 1, "checkpoint": tmp_path}
    stop = (lambda progress: progress.iteration == 2,)
    Rounding(method, **parts, checkpoint_every=0, callbacks=stop).solve(problem)
    resumed = Rounding(method, **parts).solve(problem)
    assert resumed.history["loss"].tolist() == whole.history["loss"].tolist()
    assert resumed.bits.tolist() == whole.bits.tolist()


@pytest.mark.parametrize(
    "bad",
    [
        {"method": "upwards"},
        {"weights": 3},
        {"draws": 0},
        {"draws": None},
        {"seed": -1},
        {"time_limit": -1.0},
    ],
)
def test_bad_options_are_refused_by_name(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(bad))):
        Rounding(**bad)  # type: ignore[arg-type]
    for options in ({"epochs": 0}, {"rates": ()}, {"batch": 0}):
        with pytest.raises(InvalidInputError, match=next(iter(options))):
            RealTraining(**options)  # type: ignore[arg-type]


def test_every_source_rounds_every_activation() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.integers(-3, 4, (40, 5)), rng.integers(0, 3, 40)
    for activation in ("sign", "tanh", "relu"):
        network = Network.dense([5, 4, 3], activation, "uniform:3", True)
        problem = TrainingProblem(network, X, y)
        guesses = problem.losses(rng.integers(0, 2, (200, problem.num_free_bits)))
        for solver in (Rounding(weights=QUICK), ExplicitSoftmax(), ManifoldNetwork()):
            assert solver.solve(problem).loss < np.quantile(guesses, 0.05)
