from __future__ import annotations

import time

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from solvers.run.result import History, Incumbent, Status
from solvers.run.run import Progress, Run


def offer(run: Run, loss: float) -> bool:
    return run.incumbent.offer(np.array([[1, 0]]), np.array([loss]))


def test_an_incumbent_takes_only_what_is_better() -> None:
    best = Incumbent()
    candidates = np.array([[0, 0], [0, 1], [1, 0]])
    assert best.offer(candidates, [3.0, 2.0, 2.0])
    assert best.bits is not None
    assert best.bits.tolist() == [0, 1]
    assert not best.offer(candidates, [2.0, 5.0, 2.0])
    assert best.offer(candidates, [2.0, 5.0, 1.0])
    assert best.bits.tolist() == [1, 0]


def test_an_incumbent_is_a_copy() -> None:
    best, candidates = Incumbent(), np.array([[0, 1]], dtype=np.int8)
    best.offer(candidates, [1.0])
    candidates[:] = 7
    assert best.bits is not None
    assert best.bits.tolist() == [0, 1]


def test_an_incumbent_never_takes_nan() -> None:
    best = Incumbent()
    assert not best.offer(np.array([[0, 1]]), [np.nan])
    assert best.bits is None


def test_history_keeps_columns() -> None:
    history = History()
    assert len(history) == 0
    history.record(iteration=1, loss=4.0)
    history.record(iteration=2, loss=3.0)
    assert len(history) == 2
    assert history["loss"].tolist() == [4.0, 3.0]


def test_steps_count_to_the_end() -> None:
    run = Run()
    assert list(run.steps(3)) == [1, 2, 3]
    assert run.status is Status.FINISHED
    assert list(run.steps(0)) == []


def test_the_time_limit_ends_the_steps() -> None:
    run = Run(time_limit=0.05)
    for _ in run.steps(None):
        time.sleep(0.01)
    assert run.status is Status.TIME_LIMIT
    assert 0.05 <= run.seconds < 0.5


def test_the_call_limit_ends_the_steps() -> None:
    run = Run(call_limit=3)
    for _ in run.steps(None):
        run.ledger.calls += 1
    assert run.ledger.calls == 3
    assert run.status is Status.CALL_LIMIT


def test_every_callback_is_called_and_any_may_stop() -> None:
    seen: list[tuple[str, Progress]] = []
    run = Run(
        callbacks=(
            lambda progress: seen.append(("a", progress)) or progress.iteration == 2,
            lambda progress: seen.append(("b", progress)),
        )
    )
    for t in run.steps(5):
        offer(run, 10.0 - t)
    assert [name for name, _ in seen] == ["a", "b", "a", "b"]
    assert seen[-1][1].loss == 8.0
    assert seen[-1][1].iterations == 5
    assert run.status is Status.INTERRUPTED


def test_ctrl_c_becomes_a_status_once_there_is_an_incumbent() -> None:
    run = Run()
    with run.guarded():
        for _ in run.steps(5):
            offer(run, 1.0)
            raise KeyboardInterrupt
    assert run.status is Status.INTERRUPTED


def test_ctrl_c_without_an_incumbent_goes_on() -> None:
    run = Run()
    with pytest.raises(KeyboardInterrupt), run.guarded():
        raise KeyboardInterrupt


def test_other_exceptions_are_not_swallowed() -> None:
    run = Run()
    offer(run, 1.0)
    with pytest.raises(ZeroDivisionError), run.guarded():
        raise ZeroDivisionError


@pytest.mark.parametrize("limits", [{"time_limit": 0.0}, {"time_limit": np.nan}, {"call_limit": 0}])
def test_limits_must_be_positive(limits: dict[str, float]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(limits))):
        Run(**limits)


def test_the_result_has_the_weights_of_the_incumbent() -> None:
    problem = TrainingProblem(Network.dense([2, 1]), [[1, 1]], [1])
    run = Run()
    offer(run, 1.0)
    result = run.result(problem, lower_bound=0.5, rounds=7)
    assert result.weights.matrices[0].tolist() == [[1, -1]]
    assert (result.loss, result.lower_bound, result.info) == (1.0, 0.5, {"rounds": 7})
    assert result.seconds > 0


def test_the_trace_has_the_improvements_and_the_end() -> None:
    problem = TrainingProblem(Network.dense([2, 1]), [[1, -1]], [1])
    run = Run()
    for t in run.steps(4):
        offer(run, [5.0, 5.0, 3.0, 4.0][t - 1])
    trace = run.result(problem).trace
    assert trace["loss"].tolist() == [5.0, 3.0, 3.0]
    assert (np.diff(trace["seconds"]) >= 0).all()


def test_what_is_compiled_on_the_first_use_puts_the_deadline_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    compiled = [0.0]
    monkeypatch.setattr("solvers.run.run.compiled_since", lambda moment: compiled[0])
    run = Run(time_limit=1.0, started=time.perf_counter() - 2.0)
    assert run.late()
    compiled[0] = 1.5  # seconds of the two
    assert not run.late()
    assert run.deadline == pytest.approx(run.started + 2.5)
    compiled[0] = 0.5
    assert run.late()
