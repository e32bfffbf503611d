"""Teams: models shipped once, any executor, failures run again, three of them end the run."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import pytest

from formulations.errors import InvalidInputError, OracleError
from solvers.run.executors import OutOfTimeError, Team
from solvers.run.workers import Missing, serve

KINDS = [None, "serial", "threads", "processes"]


def plus(model: int, x: int) -> int:
    """The model plus x."""
    return model + x


def counted(model: Path, x: int) -> int:
    """How often this model has been asked x."""
    mark = model / f"{x}-{time.monotonic_ns()}"
    mark.touch()
    return len(list(model.glob(f"{x}-*")))


def fails_at_first(model: Path, x: int) -> int:
    """Raise at the first try of every x."""
    if counted(model, x) == 1:
        raise ConnectionError("the line was cut")
    return x


def dies_at_first(model: Path, x: int) -> int:
    """Kill the worker at the first try of x = 1."""
    if x == 1 and counted(model, x) == 1:
        os._exit(1)
    time.sleep(0.01)
    return x


def always_fails(model: int, x: int) -> int:
    """Raise for x = 1."""
    if x == 1:
        raise RuntimeError("overheated")
    return x


def always_dies(model: int, x: int) -> int:
    """Kill the worker for x = 1."""
    if x == 1:
        os._exit(1)
    return x


def refuses(model: Path, x: int) -> int:
    """A mistake in the input, which trying again does not mend."""
    counted(model, x)
    raise InvalidInputError("too large")


def sleeps(model: int, x: float) -> float:
    """Take x seconds."""
    time.sleep(x)
    return x


class Recording(Executor):
    """Runs everything at once, through pickle, and keeps what was sent."""

    def __init__(self) -> None:
        self.sent: list[int] = []

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        parcel = pickle.dumps((fn, args))
        self.sent.append(len(parcel))
        function, arguments = pickle.loads(parcel)
        future: Future[object] = Future()
        future.set_result(function(*arguments))
        return future


@pytest.mark.parametrize("executor", KINDS)
def test_answers_come_in_the_order_of_the_tasks(executor: str | None) -> None:
    tasks = [(k % 3, x) for x, k in enumerate([2, 0, 1, 1, 0, 2, 1])]
    with Team([100, 200, 300], executor, workers=2) as team:
        for _ in range(2):
            assert team.ask(plus, tasks) == [[100, 200, 300][k] + x for k, x in tasks]
        assert team.failures == 0


@pytest.mark.parametrize("make", [lambda: ProcessPoolExecutor(2), lambda: ThreadPoolExecutor(2)])
def test_an_executor_that_is_given_is_used_and_left_open(make) -> None:  # type: ignore[no-untyped-def]
    with make() as executor:
        for _ in range(2):
            with Team([1, 2], executor) as team:
                assert team.ask(plus, [(0, 1), (1, 1)]) == [2, 3]
        assert executor.submit(plus, 1, 1).result() == 2


def test_a_function_that_makes_an_executor() -> None:
    with Team([1, 2], lambda: ProcessPoolExecutor(1)) as team:
        assert team.ask(plus, [(0, 1), (1, 1)]) == [2, 3]


def test_models_are_shipped_once_per_worker_not_once_per_round() -> None:
    models = [os.urandom(10_000) + bytes([k]) for k in range(5)]
    with Team(models, "processes", workers=2) as team:
        for _ in range(8):
            team.ask(_last, [(k, None) for k in range(5)])
        assert 5 <= team.shipments <= 10
    executor = Recording()
    with Team(models, executor) as team:
        for _ in range(3):
            assert team.ask(_last, [(k, None) for k in range(5)]) == list(range(5))
    assert [sent > 10_000 for sent in executor.sent] == [True] * 5 + [False] * 10


def _last(model: bytes, nothing: None) -> int:
    return model[-1]


def test_a_worker_without_the_model_asks_for_it() -> None:
    content = pickle.dumps(41)
    assert serve(plus, "a digest of no model", None, 1) == Missing("a digest of no model")
    assert serve(plus, "digest of 41", content, 1) == 42
    assert serve(plus, "digest of 41", None, 2) == 43
    executor = Recording()
    with Team([os.urandom(8), b"\0"], executor) as team:
        team._shipped = {0, 1}  # as if another worker had got them
        assert team.ask(_last, [(0, None), (1, None)])[1] == 0
        assert len(executor.sent) == 4
        assert team.shipments == 2


@pytest.mark.parametrize("executor", KINDS)
def test_a_task_that_raises_is_run_again(executor: str | None, tmp_path: Path) -> None:
    with Team([tmp_path], executor, workers=2) as team:
        assert team.ask(fails_at_first, [(0, x) for x in range(4)]) == [0, 1, 2, 3]
        assert team.failures == 4


@pytest.mark.parametrize("given", [False, True])
def test_a_worker_that_dies_is_replaced_and_its_block_run_again(
    given: bool, tmp_path: Path
) -> None:
    executor = ProcessPoolExecutor(2) if given else "processes"
    with Team([tmp_path], executor, workers=2) as team:
        assert team.ask(dies_at_first, [(0, x) for x in range(12)]) == list(range(12))
        assert team.failures >= 1
        assert team.ask(dies_at_first, [(0, x) for x in range(12)]) == list(range(12))


@pytest.mark.parametrize("executor", KINDS)
def test_three_failures_of_a_block_end_the_run_and_name_it(executor: str | None) -> None:
    names = {0: "block 0 (samples 0 to 9)", 1: "block 1 (samples 10 to 19)"}
    with Team([1, 2], executor, workers=2, name=names.__getitem__) as team:
        with pytest.raises(OracleError, match=r"block 1 \(samples 10 to 19\) has failed 3 times"):
            team.ask(always_fails, [(0, 0), (1, 1), (0, 2)])
        assert team.ask(always_fails, [(0, 0), (1, 2)]) == [0, 2]  # and the team lives on


def test_three_deaths_of_a_worker_name_the_block_that_killed_it() -> None:
    tasks = [(1, 1) if x == 5 else (0, 0) for x in range(12)]
    with (
        Team([1, 2], "processes", workers=2) as team,
        pytest.raises(OracleError, match="block 1 has failed 3 times"),
    ):
        team.ask(always_dies, tasks)


@pytest.mark.parametrize("executor", KINDS)
def test_mistakes_in_the_input_are_not_tried_again(executor: str | None, tmp_path: Path) -> None:
    with (
        Team([tmp_path], executor, workers=2) as team,
        pytest.raises(InvalidInputError, match="too large"),
    ):
        team.ask(refuses, [(0, 7)])
    assert len(list(tmp_path.glob("7-*"))) == 1


class Broken(ThreadPoolExecutor):
    """A cluster that has gone away."""

    def submit(self, fn, /, *args, **kwargs):  # type: ignore[no-untyped-def]
        from concurrent.futures import BrokenExecutor

        raise BrokenExecutor("no workers left")


def test_a_broken_executor_of_the_users_own() -> None:
    with (
        Team([1], Broken(1)) as team,
        pytest.raises(OracleError, match="give a function that makes it"),
    ):
        team.ask(plus, [(0, 1)])


@pytest.mark.parametrize("executor", ["threads", "processes"])
def test_time_is_up(executor: str) -> None:
    with Team([1], executor, workers=2) as team:
        team.ask(sleeps, [(0, 0.0)])
        before = time.perf_counter()
        with pytest.raises(OutOfTimeError):
            team.ask(sleeps, [(0, 2.0), (0, 2.0)], seconds=0.1)
        assert time.perf_counter() - before < 1.0


def test_time_is_up_between_two_tasks_of_a_serial_run() -> None:
    with Team([1], None) as team, pytest.raises(OutOfTimeError):
        team.ask(sleeps, [(0, 0.05)] * 10, seconds=0.12)


def where(model: Path, x: int) -> int:
    """Leave the worker's number behind and be busy."""
    (model / str(os.getpid())).touch()
    time.sleep(x)
    return x


def _run_until_killed(folder: Path) -> None:
    with Team([folder], "processes", workers=2) as team:
        team.ask(where, [(0, 60), (0, 60)])


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_workers_leave_when_the_run_is_killed(tmp_path: Path) -> None:
    run = multiprocessing.get_context("fork").Process(target=_run_until_killed, args=(tmp_path,))
    run.start()
    assert _soon(lambda: len(list(tmp_path.iterdir())) == 2)
    workers = [int(mark.name) for mark in tmp_path.iterdir()]
    assert run.pid is not None
    os.kill(run.pid, signal.SIGKILL)
    run.join()
    left = _soon(lambda: not any(_alive(pid) for pid in workers))
    for pid in workers:
        if _alive(pid):
            os.kill(pid, signal.SIGKILL)
    assert left


def _soon(happened: Callable[[], bool]) -> bool:
    until = time.monotonic() + 10.0
    while not happened() and time.monotonic() < until:
        time.sleep(0.02)
    return happened()


def _alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"


def test_bad_input() -> None:
    with pytest.raises(InvalidInputError, match="Did you mean 'processes'"):
        Team([1], "process")
    with pytest.raises(InvalidInputError, match="workers=0"):
        Team([1], "threads", workers=0)
    with (
        Team([lambda: 1], "processes", workers=1) as team,
        pytest.raises(InvalidInputError, match="no lambdas"),
    ):
        team.ask(sleeps, [(0, 0.0)])
