"""Networks from an oracle are polished, and other sources join it."""

from __future__ import annotations

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from solvers import QCGD, Candidates, PenaltyMethod
from solvers.oracles import Annealer
from solvers.qcgd.repair import Polish

QUICK = Annealer(reads=3, sweeps=10, threads=1)


@pytest.mark.parametrize("weights", ["bipolar", "ternary", "uniform:3"])
@pytest.mark.parametrize("loss", ["hinge", "cross-entropy"])
def test_a_polished_network_is_never_worse(weights: str, loss: str) -> None:
    for number in range(5):
        rng = np.random.default_rng(number)
        net = Network.dense([5, 3, 3], weights=weights, bias=(False, "bipolar", "auto")[number % 3])
        problem = TrainingProblem(net, rng.choice([-1, 1], (30, 5)), rng.integers(0, 3, 30), loss)
        points = problem.random_bits(rng, 3)
        polished = Polish(problem)(points, np.random.SeedSequence(number))
        assert (problem.losses(polished) < problem.losses(points)).all()
        assert (polished == problem.repair_bits(polished)).all()
        again = Polish(problem)(points, np.random.SeedSequence(number))
        assert (again == polished).all()


def test_sources_of_a_network_say_what_they_brought(problem: TrainingProblem) -> None:
    result = QCGD(QUICK, iterations=5, seed=0).solve(problem)
    sources = result.info["sources"]
    assert list(sources) == ["oracle", "perturbation", "relinking"]
    found = [one["best"] for one in sources.values() if one["best"] is not None]
    assert result.loss <= min(found)
    assert result.loss <= result.info["oracle_best"]


def test_the_pure_method_scores_networks_as_the_oracle_found_them(problem: TrainingProblem) -> None:
    result = QCGD(QUICK, iterations=5, candidates=Candidates(sources=("oracle",))).solve(problem)
    assert "sources" not in result.info
    assert result.info["repair_seconds"] == 0.0


@pytest.mark.parametrize("method", [QCGD, PenaltyMethod])
def test_polish_reaches_the_loss_of_direct_annealing(
    method: type[QCGD] | type[PenaltyMethod], classes: TrainingProblem
) -> None:
    from solvers import WeightAnnealing

    annealed = WeightAnnealing(flips=20_000, seed=0).solve(classes)
    polished = method(QUICK, iterations=10, candidates=Candidates(), seed=0).solve(classes)
    assert polished.loss <= 1.02 * annealed.loss


@pytest.fixture(scope="module")
def problem() -> TrainingProblem:
    """Two classes that no network of this size tells apart."""
    rng = np.random.default_rng(0)
    X, y = rng.choice([-1, 1], (40, 6)), rng.choice([-1, 1], 40)
    return TrainingProblem(Network.dense([6, 3, 1]), X, y)


@pytest.fixture(scope="module")
def classes() -> TrainingProblem:
    """Iris: three classes of real flowers."""
    import qnn

    data = qnn.load("iris", samples=60)
    net = Network.dense([data.X_train.shape[1], 4, 3])
    return TrainingProblem(net, data.X_train, data.y_train)
