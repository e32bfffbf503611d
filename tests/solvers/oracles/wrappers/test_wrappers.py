"""Wrappers: each keeps to what an oracle is, around one that can be started and one that cannot."""

from __future__ import annotations

import copy
import pickle
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formulations.errors import (
    BudgetExhaustedError,
    InvalidInputError,
    OracleTimeoutError,
)
from solvers.oracles import (
    QUBO,
    Annealer,
    Budget,
    Caching,
    Clipping,
    ExactOracle,
    Noise,
    Oracle,
    Precision,
    Record,
    Retry,
    Samples,
    SpinReversal,
    Success,
    Timeout,
    WarmOracle,
)
from solvers.oracles.testing import CHECKS, Subject, every_state, random_qubo
from solvers.oracles.wrappers.audit import Audited
from solvers.oracles.wrappers.base import layers, same_seed
from solvers.oracles.wrappers.gauge import _turned
from solvers.oracles.wrappers.retry import is_transient
from solvers.qcgd.qcgd import QCGD
from solvers.run.identity import identity

WRAPPERS: dict[str, Callable[[Oracle, Path], Oracle]] = {
    "audited": lambda oracle, folder: Audited(oracle),
    "budget": lambda oracle, folder: Budget(oracle, calls=10_000),
    "caching": lambda oracle, folder: Caching(oracle),
    "clipping": lambda oracle, folder: Clipping(oracle, 0.7),
    "noise": lambda oracle, folder: Noise(oracle, 1e-3),
    "precision": lambda oracle, folder: Precision(oracle, 6),
    "record": lambda oracle, folder: Record(oracle, folder),
    "retry": lambda oracle, folder: Retry(oracle),
    "spin-reversal": lambda oracle, folder: SpinReversal(oracle),
    "success": lambda oracle, folder: Success(oracle, 0.9),
    "timeout": lambda oracle, folder: Timeout(oracle, 60.0),
    "all": lambda oracle, folder: Budget(
        Retry(Timeout(Record(SpinReversal(Noise(Precision(oracle, 8), 1e-4)), folder), 60.0))
    ),
}
INSIDE: dict[str, Callable[[], Oracle]] = {
    "annealer": lambda: Annealer(reads=3, sweeps=10),
    "exact": ExactOracle,
}
DISTORTED = {"clipping", "noise", "precision", "success", "all"}


def seed(number: int = 0) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("inside", INSIDE)
@pytest.mark.parametrize("name", WRAPPERS)
def test_conformance(
    name: str, inside: str, check: Callable[[Subject], None], tmp_path: Path
) -> None:
    check(
        Subject(
            lambda: WRAPPERS[name](INSIDE[inside](), tmp_path),
            random=inside == "annealer",
            picklable=name not in ("budget", "all"),
        )
    )


@pytest.mark.parametrize("name", WRAPPERS)
def test_it_can_be_started_if_the_one_inside_can(name: str, tmp_path: Path) -> None:
    warm, cold = (WRAPPERS[name](INSIDE[inside](), tmp_path) for inside in INSIDE)
    assert isinstance(warm, WarmOracle)
    assert not isinstance(cold, WarmOracle)
    assert warm.reads == 3  # type: ignore[attr-defined]
    assert cold.reads == 1  # type: ignore[attr-defined]
    with pytest.raises(InvalidInputError, match="cannot start from given states"):
        cold.answer(random_qubo(3), np.zeros((1, 3), np.int8), seed())  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", WRAPPERS)
def test_around_something_that_is_no_oracle_it_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="expected an object with sample"):
        WRAPPERS[name](object(), tmp_path)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", [name for name in WRAPPERS if name not in DISTORTED])
def test_proofs_pass_through_what_changes_no_coefficients(name: str, tmp_path: Path) -> None:
    qubo = random_qubo(9)
    least = float(qubo.energies(every_state(9)).min())
    samples = WRAPPERS[name](ExactOracle(), tmp_path).sample(qubo, seed())
    assert samples.exact
    assert samples.energies[0] == pytest.approx(least)


@pytest.mark.parametrize("name", sorted(DISTORTED))
def test_nothing_is_proven_of_another_problem(name: str, tmp_path: Path) -> None:
    assert not WRAPPERS[name](ExactOracle(), tmp_path).sample(random_qubo(9), seed()).exact


def test_layers_from_the_outermost_on(tmp_path: Path) -> None:
    kinds = [type(layer) for layer in layers(WRAPPERS["all"](ExactOracle(), tmp_path))]
    assert kinds == [
        Budget, Retry, Timeout, Record, SpinReversal, Noise, Precision, ExactOracle,
    ]  # fmt: skip


def test_a_run_is_the_same_run_with_wrappers_that_change_no_answer(tmp_path: Path) -> None:
    problem = random_qubo(3)  # identity takes anything
    bare = identity(QCGD(Annealer(reads=3)), problem)
    for name in ("audited", "budget", "caching", "record", "retry", "timeout"):
        wrapped = WRAPPERS[name](Annealer(reads=3), tmp_path)
        assert identity(QCGD(wrapped), problem) == bare
    for name in ("clipping", "noise", "precision", "spin-reversal", "success"):
        wrapped = WRAPPERS[name](Annealer(reads=3), tmp_path)
        assert identity(QCGD(wrapped), problem) != bare


def test_a_seed_can_be_used_again() -> None:
    one = seed(3)
    one.spawn(2)
    again = same_seed(one)
    assert [child.spawn_key for child in again.spawn(2)] == [(2,), (3,)]
    assert one.n_children_spawned == 2


# -- distorted coefficients ------------------------------------------------------------------------


@dataclass(frozen=True)
class Seen:
    """Keeps the QUBOs that it is asked."""

    qubos: list[QUBO] = field(default_factory=list)

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        self.qubos.append(qubo)
        return ExactOracle().sample(qubo, seed)


def spins(qubo: QUBO) -> tuple[np.ndarray, np.ndarray]:
    """h and J, from the definition."""
    h = qubo.linear / 2
    for i, j, c in zip(qubo.heads, qubo.tails, qubo.couplings, strict=True):
        h[i] += c / 4
        h[j] += c / 4
    return h, qubo.couplings / 4


def test_noise_has_its_variance_on_fields_and_couplers() -> None:
    qubo, seen = random_qubo(12, share=1.0), Seen()
    for number in range(300):
        Noise(seen, variance=0.01).sample(qubo, seed(number))
    h, J = spins(qubo)
    largest = max(np.abs(h).max(), np.abs(J).max())
    errors = [np.concatenate(spins(got)) - np.concatenate([h, J]) for got in seen.qubos]
    scaled = np.array(errors) / largest
    assert np.abs(scaled.mean(axis=0)).max() < 5 * 0.1 / np.sqrt(300)
    np.testing.assert_allclose(scaled.var(), 0.01, rtol=0.05)
    np.testing.assert_allclose(scaled.var(axis=0), 0.01, rtol=0.5)


@given(st.integers(2, 12), st.integers(0, 1000))
def test_precision_leaves_so_many_values(bits: int, number: int) -> None:
    qubo, seen = random_qubo(10, number), Seen()
    Precision(seen, bits).sample(qubo, seed())
    (h, J), (had, held) = spins(qubo), spins(seen.qubos[0])
    largest = max(np.abs(h).max(), np.abs(J).max())
    step = largest / (2 ** (bits - 1) - 1)
    for before, after in ((h, had), (J, held)):
        assert np.abs(before - after).max() <= step / 2 + 1e-9
        np.testing.assert_allclose(after / step, np.rint(after / step), atol=1e-6)


def test_clipping_leaves_small_coefficients_as_they_are() -> None:
    qubo, seen = random_qubo(10, 3), Seen()
    Clipping(seen, 0.4).sample(qubo, seed())
    (h, J), (had, held) = spins(qubo), spins(seen.qubos[0])
    most = 0.4 * max(np.abs(h).max(), np.abs(J).max())
    np.testing.assert_allclose(had, np.clip(h, -most, most), atol=1e-9)
    np.testing.assert_allclose(held, np.clip(J, -most, most), atol=1e-9)
    assert (np.abs(h) > most).any()


@given(st.integers(1, 10), st.integers(0, 1000))
def test_turned_bits_have_the_same_energies_up_to_a_constant(n: int, number: int) -> None:
    qubo, x = random_qubo(n, number), every_state(n)
    turned = np.random.default_rng(number).integers(0, 2, n, dtype=np.int8)
    shift = qubo.energies(x) - _turned(qubo, turned).energies(x ^ turned)
    np.testing.assert_allclose(shift, shift[0], atol=1e-9)


def test_success_has_its_probability() -> None:
    qubo = random_qubo(12, 1)
    least = float(qubo.energies(every_state(12)).min())
    oracle = Success(ExactOracle(), 0.7)
    met = [oracle.sample(qubo, seed(number)).energies[0] <= least + 1e-9 for number in range(1000)]
    assert np.mean(met) == pytest.approx(0.7, abs=0.06)  # four standard deviations


@pytest.mark.parametrize(
    "make",
    [
        lambda: Noise(ExactOracle(), -1.0),
        lambda: Noise(ExactOracle(), np.nan),
        lambda: Precision(ExactOracle(), 1),
        lambda: Precision(ExactOracle(), 2.5),  # type: ignore[arg-type]
        lambda: Clipping(ExactOracle(), 0.0),
        lambda: Success(ExactOracle(), 1.1),
        lambda: Caching(ExactOracle(), 0),
        lambda: Retry(ExactOracle(), 0),
        lambda: Retry(ExactOracle(), pause=0.0),
        lambda: Timeout(ExactOracle(), np.inf),
        lambda: Budget(ExactOracle(), calls=-1),
        lambda: Budget(ExactOracle(), seconds=np.nan),
        lambda: Budget(ExactOracle(), charged=True),
    ],
)
def test_options_out_of_range_are_refused_by_name(make: Callable[[], Oracle]) -> None:
    with pytest.raises(InvalidInputError, match="expected"):
        make()


# -- patience --------------------------------------------------------------------------------------


class Failing:
    """Fails so many times with one error, then answers."""

    def __init__(self, *errors: Exception) -> None:
        self.errors, self.seeds = list(errors), []

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        self.seeds.append([child.spawn_key for child in seed.spawn(2)])
        if self.errors:
            raise self.errors.pop(0)
        return Annealer(reads=2, sweeps=5).sample(qubo, seed)


def test_retry_pauses_longer_and_longer_and_uses_the_same_seed() -> None:
    pauses: list[float] = []
    inside = Failing(*[ConnectionError() for _ in range(4)])
    oracle = Retry(inside, attempts=5, pause=0.5, longest=3.0, sleep=pauses.append)
    samples = oracle.sample(random_qubo(4), seed())
    assert pauses == [0.5, 1.0, 2.0, 3.0]
    assert samples.info["retries"] == 4
    assert all(one == inside.seeds[0] for one in inside.seeds)
    bare = Retry(Failing()).sample(random_qubo(4), seed())
    np.testing.assert_array_equal(samples.x, bare.x)


def test_retry_gives_up_and_does_not_try_what_cannot_pass() -> None:
    pauses: list[float] = []
    with pytest.raises(ConnectionResetError):
        Retry(Failing(*[ConnectionResetError()] * 9), attempts=3, sleep=pauses.append).sample(
            random_qubo(4), seed()
        )
    assert len(pauses) == 2
    with pytest.raises(ValueError, match="no such solver"):
        Retry(Failing(ValueError("no such solver")), sleep=pauses.append).sample(
            random_qubo(4), seed()
        )
    assert len(pauses) == 2


def test_what_ocean_documents_as_transient() -> None:
    exceptions = pytest.importorskip("dwave.cloud.exceptions")
    api = pytest.importorskip("dwave.cloud.api.exceptions")
    passing = [exceptions.RequestTimeout, exceptions.PollingTimeout, exceptions.SolverOfflineError]
    passing += [api.InternalServerError, api.ResourceLimitsExceededError, api.RequestTimeout]
    passing += [exceptions.ProblemUploadError]
    lasting = [exceptions.SolverAuthenticationError, exceptions.SolverNotFoundError]
    lasting += [exceptions.ProblemStructureError, exceptions.ConfigFileError]
    lasting += [exceptions.CanceledFutureError, api.ResourceBadRequestError]
    assert all(is_transient(kind()) for kind in passing)
    assert not any(is_transient(kind()) for kind in lasting)
    assert is_transient(OracleTimeoutError("x"))


class Slow:
    """Answers when it is told to."""

    def __init__(self) -> None:
        self.go, self.calls = threading.Event(), 0

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        self.calls += 1
        self.go.wait(20.0)
        return Annealer(reads=2, sweeps=5).sample(qubo, seed)


def test_a_late_answer_is_kept_and_not_paid_for_again(tmp_path: Path) -> None:
    inside, qubo = Slow(), random_qubo(4)
    oracle = Timeout(Record(inside, tmp_path), 0.05)
    with pytest.raises(OracleTimeoutError, match=r"within 0.05 seconds"):
        oracle.sample(qubo, seed())
    with pytest.raises(OracleTimeoutError):
        oracle.sample(qubo, seed())  # waits for the same call
    inside.go.set()
    deadline = time.monotonic() + 10.0
    while not list(tmp_path.glob("*.npz")) and time.monotonic() < deadline:
        time.sleep(0.01)
    samples = oracle.sample(qubo, seed())
    assert inside.calls == 1
    np.testing.assert_array_equal(samples.x, Annealer(reads=2, sweeps=5).sample(qubo, seed()).x)


def test_the_oracles_own_timeout_is_its_own() -> None:
    with pytest.raises(TimeoutError, match="mine"):
        Timeout(Failing(TimeoutError("mine")), 5.0).sample(random_qubo(4), seed())


# -- caching ---------------------------------------------------------------------------------------


def test_the_cache_answers_the_same_question_only() -> None:
    inside = Failing()
    oracle, qubo = Caching(inside, size=2), random_qubo(5)
    first = oracle.sample(qubo, seed(1))
    again = oracle.sample(replace(qubo, linear=qubo.linear.copy()), seed(1))
    np.testing.assert_array_equal(first.x, again.x)
    assert (len(inside.seeds), again.seconds, again.info) == (1, 0.0, {"cached": True})
    oracle.sample(qubo, seed(2))
    oracle.sample(replace(qubo, linear=qubo.linear + 1e-15), seed(1))
    assert len(inside.seeds) == 3
    oracle.sample(qubo, seed(1))  # the oldest of three, and two are kept
    assert len(inside.seeds) == 4


# -- budgets ---------------------------------------------------------------------------------------


def test_copies_share_the_purse_and_other_processes_get_none() -> None:
    budget = Budget(Annealer(reads=1, sweeps=1), calls=2)
    for oracle in (copy.copy(budget), copy.deepcopy(budget)):
        oracle.sample(random_qubo(3), seed())
    with pytest.raises(BudgetExhaustedError, match="2 calls"):
        budget.sample(random_qubo(3), seed())
    with pytest.raises(pickle.PicklingError, match="cannot be shared between processes"):
        pickle.dumps(budget)


def test_threads_share_the_purse() -> None:
    inside, qubo = Slow(), random_qubo(4)
    budget, refused = Budget(inside, calls=3), []

    def ask(number: int) -> None:
        try:
            budget.sample(qubo, seed(number))
        except BudgetExhaustedError as error:
            refused.append(error)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 10.0
    while len(refused) < 5 and time.monotonic() < deadline:
        time.sleep(0.01)
    inside.go.set()
    for thread in threads:
        thread.join()
    assert (inside.calls, len(refused), budget.ledger.calls) == (3, 5, 3)
