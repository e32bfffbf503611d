from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers import RMDA, ProxSGD
from solvers.classical.gradients.objectives import NetworkObjective, TorchObjective
from solvers.classical.gradients.optimizers import DualAveraging
from solvers.classical.gradients.outputs import softmax_cross_entropy
from solvers.classical.gradients.proximal import distance_to, group_lasso, l1, nuclear
from solvers.classical.gradients.stack import RealLayer, Stack
from solvers.classical.gradients.units import relu
from solvers.run.result import Status
from tests.formulations.problems import problems
from tests.solvers.classical.test_monotone import noise
from tests.strategies import every_point

QUICK = {"epochs": 3, "draws": 2}


def logistic(seed: int = 0, inputs: int = 30, useful: int = 5) -> NetworkObjective:
    """Three classes that the first few inputs alone decide."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(400, inputs))
    y = (X[:, :useful] @ rng.normal(size=(useful, 3))).argmax(axis=1)
    layer = RealLayer(np.zeros((3, inputs)), np.zeros(3), None)
    return NetworkObjective(Stack([layer], softmax_cross_entropy()), X, np.eye(3)[y])


# -- the steps -------------------------------------------------------------------------------------


def test_steps_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    W, start = rng.normal(size=(2, 4)), None
    ours, rate, strength, c = W.copy(), 0.2, 0.05, 0.1
    stepper = DualAveraging([ours], rate, l1(), strength, c)
    for t in range(1, 11):
        if t in (1, 6):  # a stage starts
            rate *= 0.5 if t == 6 else 1.0
            start, V, alpha, k = W.copy(), np.zeros_like(W), 0.0, 0
            stepper.restart(rate)
        G = rng.normal(size=W.shape)
        k += 1
        s = rate * np.sqrt(k)
        alpha += s
        V = V + s * G
        z = start - V / np.sqrt(k)
        hat = np.sign(z) * np.maximum(np.abs(z) - alpha / np.sqrt(k) * strength, 0)
        W = (1 - c) * W + c * hat
        stepper.step([G])
        np.testing.assert_allclose(ours, W)
        np.testing.assert_allclose(stepper.answer()[0], hat)


def test_c_grows_in_the_last_stage_as_in_the_paper() -> None:
    method, seen = RMDA(epochs=500), []
    stepper = DualAveraging([np.zeros((1, 1))], 0.1, l1(), 0.0, 0.1)
    for epoch in range(500):
        method._prepare(stepper, epoch, 400)
        seen.append(stepper.inertia)
    assert set(seen[:401]) == {0.1}
    np.testing.assert_allclose(seen[400:], 0.1 * np.sqrt(np.arange(100) + 1))


def test_without_a_regulariser_thresholds_and_weights_are_treated_alike() -> None:
    rng = np.random.default_rng(1)
    W, b = np.zeros((1, 5)), np.zeros(5)
    stepper = DualAveraging([W, b], 0.3, group_lasso(), 0.0)
    for _ in range(4):
        G = rng.normal(size=5)
        stepper.step([G[None], G])
    np.testing.assert_allclose(W[0], b)


# -- its own game ----------------------------------------------------------------------------------


def test_the_pattern_of_zeros_settles_and_is_right() -> None:
    """Finitely many steps identify the useful inputs, while the rival goes on changing."""
    settled, rival = logistic(), logistic()
    ours = RMDA(epochs=150, strength=0.03, batch=16).fit(settled)
    theirs = ProxSGD(epochs=150, strength=0.03, batch=16, milestones=()).fit(rival)
    W = settled.network.layers[0].W
    assert (W != 0).any(axis=0).tolist() == [True] * 5 + [False] * 25
    assert not ours["changed"][-50:].any()
    assert theirs["changed"][-50:].sum() > 5
    assert ours["settled"][-1] == pytest.approx(25 / 30)


def test_the_answer_is_a_minimum() -> None:
    """At the end the optimality condition of the group lasso holds."""
    objective = logistic()
    RMDA(epochs=4000, rate=1.0, strength=0.03, batch=400).fit(objective)
    W = objective.network.layers[0].W
    G = objective.directions(np.arange(400))[0]
    weight = 0.03 * np.sqrt(3)
    norms = np.linalg.norm(W, axis=0)
    zero = norms == 0
    assert (np.linalg.norm(G[:, zero], axis=0) <= weight * 1.01).all()
    np.testing.assert_allclose(
        G[:, ~zero], -weight * W[:, ~zero] / norms[~zero], atol=0.02 * weight
    )


@pytest.mark.parametrize(
    ("regularizer", "strength"), [("l1", 0.01), (nuclear(), 0.05), ("nuclear", 0.05)]
)
def test_other_regularisers(regularizer: object, strength: float) -> None:
    objective = logistic()
    history = RMDA(regularizer, strength, epochs=40, batch=50).fit(objective)
    assert 0 < history["settled"][-1] < 1
    if regularizer != "l1":
        assert np.linalg.matrix_rank(objective.network.layers[0].W) < 3


def test_most_weights_settle_on_levels_exactly() -> None:
    """Not all: one that wavers between two levels until a stage ends starts the next in between."""
    objective = logistic()
    history = RMDA(distance_to((-1.0, 1.0)), 1.0, epochs=30, batch=10).fit(objective)
    exact = np.isin(objective.network.layers[0].W, [-1.0, 1.0]).mean()
    assert history["settled"][-1] == pytest.approx(exact)
    assert exact > 0.9


@pytest.mark.parametrize("method", [RMDA(epochs=8), ProxSGD(epochs=8, momentum=0.9)])
@pytest.mark.parametrize("stop", [1, 3, 7, 8])
def test_a_killed_fit_goes_on(method: RMDA | ProxSGD, stop: int, tmp_path: Path) -> None:
    """Stages end after epochs 2, 3, 5 and 6; every bit is as without a stop."""
    kept = replace(method, checkpoint=tmp_path, checkpoint_every=0)

    def kill(epoch: int, weights: object) -> None:
        if epoch == stop + 1 or stop == 8:
            raise KeyboardInterrupt

    whole, parts = logistic(), logistic()
    history = method.fit(whole)
    if stop == 8:
        kept.fit(logistic())
    else:
        with pytest.raises(KeyboardInterrupt):
            kept.fit(logistic(), kill)
    again = kept.fit(parts, kill if stop == 8 else None)  # one that has ended does no epoch more
    assert again.columns == history.columns
    for ours, theirs in zip(parts.weights, whole.weights, strict=True):
        assert (ours == theirs).all()
    with pytest.raises(InvalidInputError, match="weights at the start"):
        kept.fit(whole)  # not where that run began
    with pytest.raises(InvalidInputError, match="gradient at the start"):
        kept.fit(logistic(useful=2))


def test_watch_sees_every_epoch_s_answer() -> None:
    seen = []
    RMDA(epochs=4).fit(logistic(), watch=lambda epoch, W: seen.append((epoch, W[0].shape)))
    assert seen == [(n, (3, 30)) for n in (1, 2, 3, 4)]


@pytest.fixture
def torch() -> Iterator[Any]:
    """Torch on one thread: several would wait for each other on a busy machine."""
    torch = pytest.importorskip("torch", reason="gradients through torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield torch
    torch.set_num_threads(threads)


@pytest.mark.torch
def test_a_torch_module_is_trained_as_our_own_network(torch: Any) -> None:
    ours = logistic()
    module = torch.nn.Linear(30, 3).double()
    with torch.no_grad():
        module.weight.zero_()
        module.bias.zero_()
    theirs = TorchObjective(
        module,
        torch.tensor(ours.X),
        torch.tensor(ours.Y.argmax(axis=1)),
        torch.nn.functional.cross_entropy,
    )
    for objective in (ours, theirs):
        RMDA(epochs=5, batch=50, strength=0.01).fit(objective)
    assert ours.loss() == pytest.approx(theirs.loss())
    np.testing.assert_allclose(module.weight.detach().numpy(), ours.network.layers[0].W)


@pytest.mark.torch
def test_input_channels_of_a_convolution_vanish(torch: Any) -> None:
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 128)
    X = rng.normal(size=(128, 4, 6, 6))
    X[:, 2] += 2.0 * y[:, None, None]
    module = torch.nn.Sequential(
        torch.nn.Conv2d(4, 6, 3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(96, 2)
    ).double()
    objective = TorchObjective(
        module, torch.tensor(X), torch.tensor(y), torch.nn.functional.cross_entropy
    )
    RMDA(strength=0.05, epochs=40, batch=16).fit(objective)
    channels = np.abs(module[0].weight.detach().numpy()).sum(axis=(0, 2, 3))
    assert channels[2] > 0
    assert (channels == 0).sum() >= 2
    assert objective.loss() < 0.5


@pytest.mark.torch
def test_modules_stay_on_the_cpu(torch: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"meta.*cpu"):
        TorchObjective(torch.nn.Linear(2, 1, device="meta"), None, None, None)


# -- the game of low bits --------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(problems(max_bits=10, max_samples=4))
def test_the_loss_is_real_and_no_better_than_the_optimum(problem: TrainingProblem) -> None:
    for method in (RMDA(**QUICK), ProxSGD("l1", **QUICK)):
        result = method.solve(problem)
        least = problem.losses(every_point(problem.num_free_bits)).min()
        assert result.loss == pytest.approx(problem.loss(result.weights), rel=1e-9, abs=1e-9)
        assert result.loss >= least - 1e-9
        assert (result.status, result.lower_bound) == (Status.FINISHED, None)


@pytest.mark.parametrize("regularizer", [None, "group-lasso", "l1", "nuclear", "levels"])
@pytest.mark.parametrize("weights", ["bipolar", "ternary", "codebook:-1,0.5,2"])
def test_every_code_and_regulariser(weights: str, regularizer: str | None) -> None:
    problem = noise(weights)
    result = RMDA(regularizer, epochs=10, batch=20, draws=2).solve(problem)
    rng = np.random.default_rng(1)
    anything = problem.repair_bits(rng.integers(0, 2, (50, problem.num_free_bits)))
    assert result.loss < np.median(problem.losses(anything))


def test_a_killed_run_goes_on(tmp_path: Path) -> None:
    problem = noise()
    whole = RMDA(epochs=2, draws=3).solve(problem)
    RMDA(epochs=2, draws=3, checkpoint=tmp_path, callbacks=(lambda p: True,)).solve(problem)
    again = RMDA(epochs=2, draws=3, checkpoint=tmp_path).solve(problem)
    assert again.bits.tolist() == whole.bits.tolist()
    assert again.history.columns == whole.history.columns
    with pytest.raises(InvalidInputError, match="another run"):
        RMDA(epochs=4, draws=3, checkpoint=tmp_path).solve(problem)


def test_same_seed_same_result() -> None:
    first, again, other = (RMDA(**QUICK, seed=s).solve(noise()) for s in (7, 7, 8))
    assert first.bits.tolist() == again.bits.tolist()
    assert first.history.columns != other.history.columns
    fitted = [logistic() for _ in range(3)]
    for objective, seed in zip(fitted, (7, 7, 8), strict=True):
        RMDA(epochs=2, seed=seed).fit(objective)
    weights = [objective.network.layers[0].W for objective in fitted]
    assert (weights[0] == weights[1]).all()
    assert (weights[0] != weights[2]).any()


@pytest.mark.parametrize("method", [RMDA, ProxSGD])
@pytest.mark.parametrize(
    "bad",
    [
        {"regularizer": "l2"},
        {"strength": -1.0},
        {"rate": 0.0},
        {"epochs": 0},
        {"batch": 0},
        {"milestones": (0.5, 0.2)},
        {"milestones": (0.0, 0.2)},
        {"rounding": "up"},
        {"draws": None},
        {"seed": -1},
    ],
)
def test_bad_options_are_refused_by_name(method: type, bad: dict[str, object]) -> None:
    name = next(iter(bad)).replace("regularizer", "regulariser")
    with pytest.raises(InvalidInputError, match=name):
        method(**bad)


def test_more_bad_options() -> None:
    with pytest.raises(InvalidInputError, match="inertia"):
        RMDA(inertia=0.0)
    with pytest.raises(InvalidInputError, match="momentum"):
        ProxSGD(momentum=1.0)
    with pytest.raises(InvalidInputError, match=r"levels.*weight code"):
        RMDA("levels").fit(logistic())


def test_deep_networks_have_groups_in_every_layer() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 10))
    Y = np.eye(2)[(X[:, 0] * X[:, 1] > 0).astype(int)]
    layers = [RealLayer.drawn(rng, (12, 10), relu()), RealLayer.drawn(rng, (2, 12))]
    network = Stack(layers, softmax_cross_entropy())
    history = RMDA(strength=0.01, epochs=60, batch=20).fit(NetworkObjective(network, X, Y))
    hidden = (network.layers[1].W == 0).all(axis=0)
    assert hidden.any()
    assert 0 < history["settled"][-1] < 1


def test_network_without_hidden_layers() -> None:
    rng = np.random.default_rng(1)
    X, rule = rng.integers(-3, 4, (200, 9)), rng.choice([-1, 1], 9)
    problem = TrainingProblem(Network.dense([9, 1]), X, np.where(X @ rule >= 0, 1, -1))
    assert RMDA(epochs=30, batch=20).solve(problem).weights.matrices[0].tolist() == [rule.tolist()]
