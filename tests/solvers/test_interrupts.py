"""Ctrl-C and time limits: whenever they come, the incumbent is returned soon.

Nothing here measures seconds: a clock that is set forward counts the work that is done after the
limit, and an interrupt that is raised at a chosen piece of work counts what is done after it.
"""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import solvers
from formulations import Network, TrainingProblem
from solvers.hedging.hedging import (
    AnnealedBlocks,
    CpSatBlocks,
    ExactIfSmall,
    PenaltyBlocks,
    QcgdBlocks,
)
from solvers.oracles import QUBO, Annealer, Samples
from solvers.run.result import Status

RNG = np.random.default_rng(0)
X = RNG.choice([-1, 1], (60, 6))
SMALL = TrainingProblem(Network.dense([6, 3, 1], activation="sign"), X, np.sign(X[:, 0] + 0.5))
HARD = TrainingProblem(  # no weights are right: each sample has both labels
    Network.dense([6, 3, 1], activation="sign"), np.repeat(X[:6], 2, axis=0), [1, -1] * 6
)
LARGE = TrainingProblem(
    Network.dense([20, 8, 3], activation="sign", weights="ternary"),
    RNG.choice([-1, 1], (2000, 20)),
    RNG.integers(0, 3, 2000),
)
ENDLESS: dict[str, Callable[..., Any]] = {
    "random": lambda **o: solvers.RandomSearch(guesses=10**9, **o),
    "annealing": lambda **o: solvers.WeightAnnealing(flips=10**9, **o),
    "restricted": lambda **o: solvers.LargeNeighborhoodSearch(rounds=10**9, **o),
    "hedging": lambda **o: solvers.ProgressiveHedging(AnnealedBlocks(10**9), rounds=10**6, **o),
    "straight-through": lambda **o: solvers.StraightThrough(epochs=10**7, **o),
    "random-features": lambda **o: solvers.RandomFeatures(draws=10**7, **o),
    "explicit": lambda **o: solvers.ExplicitSoftmax(draws=10**7, **o),
    "manifold": lambda **o: solvers.ManifoldNetwork(epochs=10**7, **o),
    "rmda": lambda **o: solvers.RMDA(epochs=10**7, **o),
    "proxsgd": lambda **o: solvers.ProxSGD(epochs=10**7, **o),
    "svi": lambda **o: solvers.MonotoneVI(epochs=10**7, **o),
    "rounding": lambda **o: solvers.Rounding(weights=solvers.RealTraining(epochs=10**7), **o),
}
"""Solvers of which a single step, an epoch, draw or block, takes for ever."""
ASKING: dict[str, Callable[..., Any]] = {
    "qcgd": lambda o, **k: solvers.QCGD(o, iterations=10**6, stop=None, **k),
    "penalty": lambda o, **k: solvers.PenaltyMethod(o, iterations=10**6, **k),
    "restricted": lambda o, **k: solvers.LargeNeighborhoodSearch(o, rounds=10**6, **k),
    "hedging": lambda o, **k: solvers.ProgressiveHedging(PenaltyBlocks(o), rounds=10**6, **k),
    "hedging-qcgd": lambda o, **k: solvers.ProgressiveHedging(
        QcgdBlocks(solvers.QCGD(o, iterations=5)), rounds=10**6, **k
    ),
    "decomposed": lambda o, **k: solvers.DecomposedQCGD(o, iterations=10**6, **k),
    "rounding": lambda o, **k: solvers.Rounding("qubo", oracle=o, draws=10**6, **k),
    "start": lambda o, **k: solvers.LargeNeighborhoodSearch(
        start=solvers.QCGD(o, iterations=10**6, stop=None), rounds=10**9, **k
    ),
}


class Counted:
    """An oracle that is interrupted at a call, and counts those that come after."""

    def __init__(self, at: int) -> None:
        self.at, self.calls, self.inner = at, 0, Annealer(2, 5)

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt
        return self.inner.sample(qubo, seed)


@pytest.mark.parametrize("at", [2, 9])
@pytest.mark.parametrize("name", ASKING)
def test_an_interrupt_within_a_call_ends_the_whole_run(name: str, at: int) -> None:
    oracle = Counted(at)
    result = ASKING[name](oracle).solve(HARD)
    assert result.status is Status.INTERRUPTED
    assert result.info["reason"] == "Ctrl-C"
    assert oracle.calls == at
    assert result.loss == HARD.loss(result.weights)


@pytest.fixture
def alarm() -> Iterator[Callable[[float], None]]:
    """Ctrl-C after some seconds."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    yield lambda seconds: signal.setitimer(signal.ITIMER_REAL, seconds)
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGALRM, before)


@pytest.mark.parametrize("name", ENDLESS)
def test_ctrl_c_within_a_step_that_never_ends(name: str, alarm: Callable[[float], None]) -> None:
    ENDLESS[name](time_limit=0.05).solve(LARGE)  # compiled before the alarm is set
    alarm(0.3)
    result = ENDLESS[name]().solve(LARGE)
    assert result.status is Status.INTERRUPTED
    assert result.loss == LARGE.loss(result.weights)


def test_ctrl_c_within_cp_sat_ends_hedging(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ortools")
    from solvers import cp_sat
    from solvers.hedging import block_solvers as hedging_oracles

    asked = []

    def stopped(*args: Any, **options: Any) -> Any:
        asked.append(1)
        return cp_sat.ModelSolution(None, float("inf"), 0.0, Status.INTERRUPTED)

    monkeypatch.setattr(hedging_oracles, "solve_qcbo", stopped)
    result = solvers.ProgressiveHedging(CpSatBlocks()).solve(SMALL)
    assert result.status is Status.INTERRUPTED
    assert len(asked) == 1


class Clock:
    """Time that stands still until it is set forward, ``beyond`` the limit, at the n-th look."""

    def __init__(self, looks: int) -> None:
        self.looks, self.seen, self.after = looks, 0, 0

    def __call__(self) -> float:
        self.seen += 1
        self.after += self.seen > self.looks
        return 0.0 if self.seen <= self.looks else 1e6


@pytest.mark.parametrize("looks", [3, 40])
@pytest.mark.parametrize("name", [*ENDLESS])
def test_little_is_done_after_the_limit(
    name: str, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps that never end look at the clock, and none goes on after it has seen the limit pass."""
    solver, clock = ENDLESS[name](time_limit=100.0), Clock(looks)
    monkeypatch.setattr(time, "perf_counter", clock)
    result = solver.solve(SMALL)
    monkeypatch.undo()
    assert result.status in (Status.TIME_LIMIT, Status.OPTIMAL)
    assert clock.after <= 40  # each of them at the end of one more piece of work
    assert result.loss == SMALL.loss(result.weights)


def test_a_limit_far_too_short_for_the_model_is_foreseen() -> None:
    problem = TrainingProblem(
        Network.dense([64, 32, 10]), RNG.choice([-1, 1], (3000, 64)), RNG.integers(0, 10, 3000)
    )
    for solver in (solvers.QCGD(time_limit=0.2), solvers.PenaltyMethod(time_limit=0.2)):
        result = solver.solve(problem)
        assert result.status is Status.TIME_LIMIT
        assert not result.ledger.calls
        assert "first answer would take about" in result.info["reason"]
        assert not problem._models  # none was built
    pytest.importorskip("ortools")
    result = solvers.ExactSolver(time_limit=0.2).solve(problem)
    assert result.status is Status.TIME_LIMIT
    assert result.lower_bound is not None
    assert "CP-SAT would take about" in result.info["reason"]
    assert not problem._models


def test_few_weights_of_many_levels_are_freed_at_a_time(alarm: Callable[[float], None]) -> None:
    """Sixteen levels to the power of eight are four billion choices of one block."""
    problem = TrainingProblem(
        Network.dense([6, 3, 1], activation="sign", weights="uniform:4"), X, np.sign(X[:, 0] + 0.5)
    )
    alarm(60.0)
    result = solvers.LargeNeighborhoodSearch(rounds=3, sizes=(8,)).solve(problem)
    assert result.info["evaluated"] < 3 * 1e9 / 60


def test_workers_that_fail_or_are_gone(tmp_path: Any) -> None:
    from concurrent.futures import ThreadPoolExecutor

    from formulations.errors import InvalidInputError, OracleError

    pool = ThreadPoolExecutor(2)
    pool.shutdown()
    for kind in (solvers.ProgressiveHedging, solvers.LargeNeighborhoodSearch):
        with pytest.raises(InvalidInputError, match="executor=ThreadPoolExecutor: it is shut down"):
            kind(executor=pool)
        with pytest.raises(InvalidInputError, match="expected a concurrent.futures.Executor"):
            kind(executor=dict).solve(SMALL)

    class Closing(Annealer):
        """Shuts the executor down in the middle of a run."""

        def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
            open_pool.shutdown(wait=False)
            return super().sample(qubo, seed)

    with ThreadPoolExecutor(1) as open_pool:
        solver = solvers.LargeNeighborhoodSearch(
            Closing(2, 5), rounds=50, walks=2, executor=open_pool, workers=1
        )
        with pytest.raises((InvalidInputError, OracleError)):
            solver.solve(HARD)
    assert threading.active_count() < 50


@pytest.mark.parametrize("name", ["annealing", "explicit", "rmda", "straight-through", "hedging"])
def test_solvers_change_none_of_their_inputs_and_repeat_themselves(name: str) -> None:
    quick: dict[str, Any] = {
        "annealing": solvers.WeightAnnealing(flips=200),
        "explicit": solvers.ExplicitSoftmax(draws=2),
        "rmda": solvers.RMDA(draws=1, epochs=2),
        "straight-through": solvers.StraightThrough(epochs=2),
        "hedging": solvers.ProgressiveHedging(ExactIfSmall(AnnealedBlocks(100)), rounds=3),
    }
    before = (SMALL.X.copy(), SMALL.target_index.copy(), SMALL.free.copy())
    first, second = (quick[name].solve(SMALL) for _ in range(2))
    assert np.array_equal(first.bits, second.bits)
    assert first.loss == second.loss
    for old, new in zip(before, (SMALL.X, SMALL.target_index, SMALL.free), strict=True):
        assert np.array_equal(old, new)
