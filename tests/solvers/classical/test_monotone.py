from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from scipy.stats import norm
from sklearn.datasets import make_moons

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers import MonotoneVI
from solvers.classical.gradients.features import GraphFilter
from solvers.classical.gradients.latent_stack import LatentStack
from solvers.classical.gradients.outputs import mean_square, softmax_cross_entropy
from solvers.classical.gradients.stack import RealLayer, Rule, Stack
from solvers.classical.gradients.units import probit, relu
from solvers.classical.level_fit import real_pre_activations
from solvers.run.result import Status
from tests.formulations.problems import problems
from tests.strategies import every_point

QUICK = {"epochs": 3, "draws": 2}


def moons(width: int = 16) -> tuple[Stack, np.ndarray, np.ndarray]:
    X, y = make_moons(300, noise=0.1, random_state=0)
    rng = np.random.default_rng(0)
    layers = [RealLayer.drawn(rng, (width, 2), relu()), RealLayer.drawn(rng, (2, width))]
    return Stack(layers, softmax_cross_entropy()), X, np.eye(2)[y]


def noise(
    weights: str = "bipolar", loss: str = "hinge", activation: str = "sign"
) -> TrainingProblem:
    rng = np.random.default_rng(0)
    X, y = rng.integers(-3, 4, (60, 8)), rng.integers(0, 3, 60)
    network = Network.dense([8, 6, 3], bias=True, weights=weights, activation=activation)
    return TrainingProblem(network, X, y, loss)


def test_the_paper_s_steps() -> None:
    """F = (1/n) eta'(phi(eta Theta) - Y) with momentum, written out."""
    rng = np.random.default_rng(2)
    X, Y = rng.normal(size=(40, 3)), rng.random((40, 1))
    layer = RealLayer(np.zeros((1, 3)), np.zeros(1), None)
    network = Stack([layer], mean_square(probit()))
    MonotoneVI("last", epochs=5, batch=40, rate=0.3).fit(network, X, Y)
    eta, theta, velocity = np.column_stack([np.ones(40), X]), np.zeros((4, 1)), np.zeros((4, 1))
    for _ in range(5):
        velocity = 0.9 * velocity + eta.T @ (norm.cdf(eta @ theta) - Y) / 40
        theta -= 0.3 * velocity
    np.testing.assert_allclose([layer.b[0], *layer.W[0]], theta[:, 0])


def test_probit_recovery_at_the_rate_of_theory() -> None:
    steps, errors = [300, 1200, 4800], []
    for count in steps:
        over = []
        for seed in range(8):
            rng = np.random.default_rng(seed)
            truth = np.array([[0.6, -0.8, 0.0]])
            X = rng.normal(size=(10 * count, 3))
            Y = (rng.random((len(X), 1)) < norm.cdf(X @ truth.T)).astype(float)
            layer = RealLayer(np.zeros((1, 3)), None, None)
            network = Stack([layer], mean_square(probit()))
            MonotoneVI("last", kappa=0.14, epochs=1, batch=10).fit(network, X, Y)
            over.append(np.square(layer.W - truth).sum())
        errors.append(np.mean(over))
    slope = np.polyfit(np.log(steps), np.log(errors), 1)[0]
    assert -1.35 < slope < -0.65  # -1 in theory; eight seeds


def test_rules_on_two_moons() -> None:
    errors = {}
    for rule in ("full", "small", "last", "gradient"):
        network, X, Y = moons()
        start = network.layers[0].W.copy()
        MonotoneVI(rule, epochs=60).fit(network, X, Y)
        errors[rule] = np.mean(network.predict(X).argmax(axis=1) != Y.argmax(axis=1))
        assert (network.layers[0].W == start).all() == (rule == "last")
    assert errors["gradient"] < 0.02
    assert max(errors.values()) < 0.15


@pytest.mark.parametrize("rule", ["full", "small", "last"])
def test_graphs_are_learnt(rule: Rule) -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 200)
    # of four nodes, one of which tells
    eta = GraphFilter.normalized(np.ones((4, 4)) - np.eye(4))
    X = rng.normal(size=(200, 4, 2))
    X[:, 0, 0] += np.where(y, 9.0, -9.0)
    layers = [
        RealLayer.drawn(rng, (8, 2), relu(), eta),
        RealLayer.drawn(rng, (2, 8), None, eta),
    ]
    Y = np.repeat(np.eye(2)[y][:, None], 4, axis=1)
    network = Stack(layers, softmax_cross_entropy())
    MonotoneVI(rule, rate=0.02, epochs=40, batch=20).fit(network, X, Y)
    assert np.mean(network.predict(X).argmax(axis=-1) == Y.argmax(axis=-1)) > 0.95


def test_frozen_gradients_of_cross_entropy_are_the_last_layer_s_operator() -> None:
    frozen, X, Y = moons()
    last, _, _ = moons()
    MonotoneVI("gradient", frozen=1, epochs=3).fit(frozen, X, Y)
    MonotoneVI("last", epochs=3).fit(last, X, Y)
    for ours, theirs in zip(frozen.arrays, last.arrays, strict=True):
        np.testing.assert_allclose(ours, theirs)


def test_batches_in_the_order_of_the_samples() -> None:
    trained = []
    for seed, shuffled in ((1, False), (2, False), (1, True)):
        network, X, Y = moons()
        MonotoneVI(epochs=2, shuffled=shuffled, seed=seed).fit(network, X, Y)
        trained.append(network.layers[0].W)
    assert (trained[0] == trained[1]).all()  # nothing is left to the seed
    assert (trained[0] != trained[2]).any()


@pytest.mark.parametrize(
    "method",
    [
        MonotoneVI("full", warm=3, epochs=6),
        MonotoneVI("small", optimizer="adam", epochs=6),
        MonotoneVI("last", kappa=0.5, epochs=6, shuffled=False),
    ],
)
@pytest.mark.parametrize("stop", [1, 4])
def test_a_killed_fit_goes_on(method: MonotoneVI, stop: int, tmp_path: Path) -> None:
    kept = replace(method, checkpoint=tmp_path, checkpoint_every=0)

    def kill(epoch: int) -> None:
        if epoch == stop + 1:
            raise KeyboardInterrupt

    whole, stopped, again = moons(), moons(), moons()
    method.fit(*whole)
    with pytest.raises(KeyboardInterrupt):
        kept.fit(*stopped, kill)
    kept.fit(*again)
    for ours, theirs in zip(again[0].arrays, whole[0].arrays, strict=True):
        assert (ours == theirs).all()
    with pytest.raises(InvalidInputError, match="another run"):
        kept.fit(*stopped)


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    problem, method = noise(), MonotoneVI(epochs=2, draws=3)
    kept = replace(method, checkpoint=tmp_path)
    replace(kept, callbacks=(lambda p: True,)).solve(problem)
    whole, again = method.solve(problem), kept.solve(problem)
    assert again.bits.tolist() == whole.bits.tolist()
    assert again.history.columns == whole.history.columns


def test_warm_starts_go_on_with_gradients() -> None:
    trained = {}
    for name, method in {
        "warm": MonotoneVI("full", warm=4, epochs=10),
        "never": MonotoneVI("full", epochs=10),
        "at once": MonotoneVI("full", warm=0, epochs=10),
        "gradient": MonotoneVI("gradient", epochs=10),
    }.items():
        network, X, Y = moons()
        seen: list[int] = []
        method.fit(network, X, Y, watch=seen.append)
        assert seen == list(range(1, 11))
        trained[name] = network.layers[0].W
    assert (trained["at once"] == trained["gradient"]).all()
    assert not np.allclose(trained["warm"], trained["gradient"])
    assert not np.allclose(trained["warm"], trained["never"])


# -- the game of low bits --------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(problems(max_bits=10, max_samples=4))
def test_the_loss_is_real_and_no_better_than_the_optimum(problem: TrainingProblem) -> None:
    result = MonotoneVI(**QUICK).solve(problem)
    least = problem.losses(every_point(problem.num_free_bits)).min()
    assert result.loss == pytest.approx(problem.loss(result.weights), rel=1e-9, abs=1e-9)
    assert result.loss >= least - 1e-9
    assert (result.status, result.lower_bound) == (Status.FINISHED, None)


@pytest.mark.parametrize("activation", ["sign", "hard-tanh", "relu", "tanh"])
def test_real_training_lowers_the_real_loss(activation: str) -> None:
    problem = noise("ternary", activation=activation)
    stack = LatentStack(problem, 1, np.random.default_rng(1), rounded=False)
    least, untrained = stack.best_real_weights()
    trained = MonotoneVI("gradient", batch=20, epochs=30).real_weights(
        problem, np.random.default_rng(0)
    )
    losses = [
        problem.sample_losses(np.rint(real_pre_activations(problem, w)[-1]).astype(int)).sum()
        for w in (untrained, trained)
    ]
    assert losses[0] == pytest.approx(least)
    assert losses[1] < losses[0]


@pytest.mark.parametrize("loss", ["hinge", "logistic", "squared", "zero-one"])
@pytest.mark.parametrize("weights", ["bipolar", "ternary", "uniform:2", "codebook:-1,0.5,2"])
def test_every_code_and_loss(weights: str, loss: str) -> None:
    problem = noise(weights, loss)
    result = MonotoneVI(epochs=8, batch=20, draws=2).solve(problem)
    rng = np.random.default_rng(1)
    anything = problem.repair_bits(rng.integers(0, 2, (50, problem.num_free_bits)))
    assert result.loss < np.median(problem.losses(anything))


def test_what_is_not_free_stays() -> None:
    problem = noise("ternary")
    incumbent = np.random.default_rng(3).integers(0, 2, problem.num_free_bits).astype(np.int8)
    free = [0, 1, 16, 17, 100, 101]
    restricted = problem.restrict(free, incumbent)
    real = MonotoneVI(**QUICK).real_weights(restricted, np.random.default_rng(0))
    levels = problem.network.decode_bits(incumbent, problem.splines)
    assert (real[0][1:5, :-1] == levels.matrices[0][1:5]).all()
    result = MonotoneVI(**QUICK).solve(restricted)
    held = np.setdiff1d(np.arange(len(incumbent)), free)
    assert (restricted.full_bits(result.bits)[held] == incumbent[held]).all()


def test_same_seed_same_result() -> None:
    first, again, other = (MonotoneVI(**QUICK, seed=s).solve(noise()) for s in (7, 7, 8))
    assert first.bits.tolist() == again.bits.tolist()
    assert first.history.columns == again.history.columns
    assert first.history.columns != other.history.columns


def test_stops_at_a_limit_and_at_a_callback() -> None:
    at_once = MonotoneVI(time_limit=1e-9).solve(noise())
    assert at_once.status is Status.TIME_LIMIT
    stopped = MonotoneVI(epochs=2, callbacks=(lambda p: p.iteration == 2,)).solve(noise())
    assert (stopped.status, stopped.info["draws"]) == (Status.INTERRUPTED, 2)


@pytest.mark.parametrize(
    "bad",
    [
        {"rule": "half"},
        {"optimizer": "sgd"},
        {"rounding": "up"},
        {"rate": 0.0},
        {"kappa": -1.0},
        {"epochs": 0},
        {"batch": 1.5},
        {"frozen": -1},
        {"warm": -1},
        {"draws": None},
        {"seed": -1},
        {"time_limit": 0.0},
    ],
)
def test_bad_options_are_refused_by_name(bad: dict[str, object]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(bad))):
        MonotoneVI(**bad)


def test_something_has_to_move() -> None:
    network, X, Y = moons()
    with pytest.raises(InvalidInputError, match="frozen=2"):
        MonotoneVI(frozen=2).fit(network, X, Y)
