from __future__ import annotations

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers.oracles import QUBO, Annealer, Samples
from solvers.qcgd.lifting import Lifting
from solvers.qcgd.penalty import PenaltyMethod
from solvers.run.result import Status


def small_problem(seed: int = 0) -> TrainingProblem:
    random = np.random.default_rng(seed)
    X = random.choice([-1, 1], (6, 4))
    return TrainingProblem(Network.dense([4, 2, 1]), X, random.choice([-1, 1], 6))


class Recorder:
    """An annealer that keeps what it was sent."""

    def __init__(self) -> None:
        self.oracle, self.sent = Annealer(reads=3, sweeps=10), []  # type: ignore[var-annotated]

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        self.sent.append(qubo)
        return self.oracle.sample(qubo, seed)


def qubo_of(penalty: float | dict[str, float]) -> QUBO:
    recorder = Recorder()
    PenaltyMethod(oracle=recorder, penalty=penalty, iterations=1).solve(small_problem())
    return recorder.sent[0]


def test_the_qubo_is_the_objective_plus_weighted_squares() -> None:
    """By hand, from violations: energies up to a constant, in the documented units."""
    model = small_problem().qcbo()
    lifting = Lifting.of(model)
    qubo = qubo_of({"layer 1": 2.0, "layer 2": 0.5, "products": 3.0})
    x = np.random.default_rng(1).integers(0, 2, (20, model.num_variables))
    scale = lifting.plausible_scale()
    weight = np.array([{"layer 1": 2.0, "layer 2": 0.5}[g] for g in model.group_names])
    squares = (x @ lifting.rows.T - lifting.rhs) ** 2 @ weight[model.row_group]
    u, v, w = (x[:, column] for column in model.products.T)
    products = (v * w - 2 * (v + w) * u + 3 * u).sum(axis=1)
    by_hand = model.objective(x) / lifting.unit + scale * (squares + 3.0 * products)
    shift = by_hand - qubo.energies(x)
    np.testing.assert_allclose(shift, shift[0])


def test_one_number_is_the_same_for_every_group() -> None:
    one, all_groups = qubo_of(0.7), qubo_of({"layer 1": 0.7, "layer 2": 0.7, "products": 0.7})
    np.testing.assert_allclose(one.linear, all_groups.linear)
    np.testing.assert_allclose(one.couplings, all_groups.couplings)


def test_the_qubo_never_changes_but_the_seeds_do() -> None:
    recorder = Recorder()
    result = PenaltyMethod(oracle=recorder, iterations=4).solve(small_problem())
    assert all(qubo is recorder.sent[0] for qubo in recorder.sent)
    assert (result.ledger.calls, result.ledger.reads) == (4, 12)
    assert result.ledger.seconds > 0
    assert len(result.history) == 4


def test_the_loss_is_the_real_one_and_the_best_so_far() -> None:
    problem = small_problem()
    result = PenaltyMethod(oracle=Annealer(reads=5, sweeps=20), iterations=6).solve(problem)
    assert result.loss == problem.loss(result.weights)
    assert (np.diff(result.history["loss"]) <= 0).all()
    assert result.lower_bound is None
    assert result.status is Status.FINISHED


def test_same_seed_same_result() -> None:
    def run(seed: int) -> list[float]:
        oracle = Annealer(reads=2, sweeps=5)
        result = PenaltyMethod(oracle=oracle, iterations=5, seed=seed).solve(small_problem())
        return [*result.bits.tolist(), *result.history["loss"]]

    assert run(3) == run(3)


def test_call_limit() -> None:
    result = PenaltyMethod(Annealer(2, 5), call_limit=2).solve(small_problem())
    assert (result.status, result.ledger.calls) == (Status.CALL_LIMIT, 2)


@pytest.mark.parametrize("penalty", [-1.0, np.nan, np.inf, "large", {"layer 1": -2.0}])
def test_bad_penalties_are_refused(penalty: object) -> None:
    with pytest.raises(InvalidInputError, match="penalty="):
        PenaltyMethod(penalty=penalty)  # type: ignore[arg-type]


def test_unknown_group_is_refused_by_name() -> None:
    solver = PenaltyMethod(penalty={"layer 3": 1.0}, iterations=1)
    with pytest.raises(InvalidInputError, match="unknown row group 'layer 3'"):
        solver.solve(small_problem())
