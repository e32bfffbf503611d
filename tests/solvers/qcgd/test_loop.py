"""Where a search's reads begin, and what is kept of them."""

from __future__ import annotations

import numpy as np
import pytest

from formulations import QCBO, Network, TrainingProblem
from solvers import QCGD, Candidates
from solvers.oracles import Annealer, Samples
from solvers.qcgd.candidates import Scorer
from solvers.qcgd.loop import LESS, rescaling_factor
from solvers.qcgd.scoring import ModelScoring, TrainingScoring
from solvers.run.run import Run


@pytest.fixture
def problem() -> TrainingProblem:
    """Three classes of twenty samples each, which a cold anneal makes all the same."""
    rng = np.random.default_rng(0)
    y = np.repeat([0, 1, 2], 20)
    X = np.where(rng.random((60, 6)) < 0.1, -1, 1) * np.where(
        y[:, None] == [0, 0, 1, 1, 2, 2], 1, -1
    )
    return TrainingProblem(Network.dense([6, 4, 3]), X, y)


@pytest.mark.parametrize(
    ("fresh", "sources", "oracle", "held"),
    [
        (1, ("oracle",), True, 1),
        (10, ("oracle",), True, 6),
        (10, ("oracle",), False, 1),
        (10, ("oracle", "perturbation"), False, 6),
    ],
)
def test_random_networks_join_the_first_pool_of_warm_starts(
    problem: TrainingProblem, fresh: int, sources: tuple[str, ...], oracle: bool, held: int
) -> None:
    search = Scorer.of(TrainingScoring(problem), Candidates(6, fresh, sources=sources))
    run = Run(oracle=Annealer(reads=1) if oracle else None)
    seed = np.random.SeedSequence(0)
    x = np.zeros((1, search.target.model.num_variables), dtype=np.int8)
    samples = Samples(x, np.zeros(1), 0.0)
    search.score(samples, run, seed)
    assert len(search.pool.losses) == held
    assert run.incumbent.loss == search.pool.losses[0] <= search.oracle_best.loss
    search.score(samples, run, seed)
    assert len(search.pool.losses) == held


def test_many_classes_are_learnt(problem: TrainingProblem) -> None:
    annealer = Annealer(reads=5, sweeps=50, threads=1)
    warm, cold = (
        QCGD(annealer, iterations=30, candidates=Candidates(fresh=n), seed=1).solve(problem)
        for n in (10, 1)
    )
    assert warm.loss < 0.6 * cold.loss


@pytest.mark.parametrize(("calls", "power"), [(1, 1), (3, 1), (4, 2), (6, 4), (12, 10), (500, 10)])
def test_rows_that_hold_call_after_call_pull_less_and_less(calls: int, power: int) -> None:
    """A row over many bits may pull a hundred times too hard, which 5 % a call would not mend."""
    model = QCBO.from_arrays([-1.0, -1.0], [[1, 1]], [1], equality=[False])
    search = Scorer.of(ModelScoring(model), Candidates(6, repair=False))
    run, seed = Run(oracle=Annealer(reads=1)), np.random.SeedSequence(0)
    x = np.zeros((2, search.target.model.num_variables), dtype=np.int8)
    for _ in range(calls):
        search.score(Samples(x, np.zeros(2), 0.0), run, seed)
    assert search.share == 1.0
    assert rescaling_factor(search) == pytest.approx(LESS**power)
    restored = Scorer.of(ModelScoring(model), Candidates(6, repair=False))
    restored.restore(search.snapshot())
    assert restored.holding == calls


def test_ctrl_c_within_the_first_repair_leaves_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    import dimod

    from solvers.qcgd.repair import Repair

    def interrupted(*given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Repair, "__call__", interrupted)
    x, y = dimod.Binaries("xy")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(x - 2 * y)
    cqm.add_constraint(x + 2 * y <= 2, label="room")
    answer = QCGD(iterations=3).sample_cqm(cqm)
    assert answer.info["status"] == "interrupted"
    assert len(answer) >= 1


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_parts_of_a_sources_points_are_polished_anywhere(
    problem: TrainingProblem, executor: str
) -> None:
    serial, spread = (
        QCGD(
            Annealer(reads=3, sweeps=20, threads=1),
            iterations=4,
            candidates=Candidates(parts=3, executor=where, workers=2),
        ).solve(problem)
        for where in (None, executor)
    )
    assert serial.info["sources"]["perturbation"]["calls"] > 0
    np.testing.assert_array_equal(spread.bits, serial.bits)
    assert spread.history.columns["loss"] == serial.history.columns["loss"]
