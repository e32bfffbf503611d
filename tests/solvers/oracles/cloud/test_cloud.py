"""D-Wave's machines as oracles, against mocks: nothing here leaves this computer."""

from __future__ import annotations

import copy
import functools
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formulations.errors import InvalidInputError, OracleError
from solvers.oracles import Ledger
from solvers.oracles.base import QUBO, Oracle
from solvers.oracles.cloud.connection import costs, presentably
from solvers.oracles.cloud.hybrid import HybridBQM
from solvers.oracles.cloud.mock import MockHybridBQM, MockQPU
from solvers.oracles.cloud.qpu import QPU
from solvers.oracles.testing import CHECKS, Subject, random_qubo
from solvers.oracles.wrappers.retry import Retry, is_transient

TOKEN = "DEV-0123456789abcdef0123456789abcdef01234567"


def seed(number: int = 0) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


MAKERS: dict[str, Callable[[], Oracle]] = {
    "Pegasus": functools.partial(QPU, reads=3, search=10.0, sampler=MockQPU("P3")),
    "Zephyr": functools.partial(QPU, reads=3, search=10.0, sampler=MockQPU("Z3")),
    "clique": functools.partial(QPU, reads=3, embedding="clique", sampler=MockQPU("P3")),
    "hybrid": functools.partial(HybridBQM, sampler=MockHybridBQM),
}


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", list(MAKERS))
def test_conformance(name: str, check: Callable[[Subject], None]) -> None:
    # up to 16 variables both mocks put the minimum first, whatever the seed
    check(Subject(MAKERS[name], variables=8, random=False))


# -- the embedding -----------------------------------------------------------------------------


@pytest.fixture
def searches(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the embeddings that are made."""
    from solvers.oracles.cloud import qpu as cloud

    made: list[int] = []
    real = cloud.best_embedding

    def counting(*arguments: Any, **options: Any) -> Any:
        made.append(1)
        return real(*arguments, **options)

    monkeypatch.setattr(cloud, "best_embedding", counting)
    return made


def test_the_embedding_stays_while_the_couplers_do(searches: list[int]) -> None:
    oracle = MAKERS["Pegasus"]()
    qubo, other = random_qubo(8, 1), random_qubo(8, 2)
    again = QUBO(-qubo.linear, qubo.heads, qubo.tails, 2.0 * qubo.couplings)
    equal = QUBO(qubo.linear, qubo.heads.copy(), qubo.tails.copy(), qubo.couplings)
    for asked, count in ((qubo, 1), (again, 1), (equal, 1), (other, 2), (other, 2), (qubo, 3)):
        oracle.sample(asked, seed())
        assert len(searches) == count


def test_qcgd_embeds_once(searches: list[int]) -> None:
    from formulations import Network, TrainingProblem
    from solvers import QCGD

    problem = TrainingProblem(Network.dense([2, 1]), [[1, -1], [1, 1]], [1, -1])
    result = QCGD(oracle=MAKERS["Zephyr"](), iterations=8).solve(problem)
    assert len(searches) == 1
    assert result.ledger.charged == pytest.approx(result.ledger.calls * 8550.28e-6)
    assert result.ledger.programming == pytest.approx(result.ledger.calls * 8468.2e-6)


def test_chains_hold_the_problem_and_are_valid() -> None:
    from dwave.embedding import verify_embedding

    qubo, oracle = random_qubo(12, 3, share=1.0), MAKERS["Pegasus"]()
    info = oracle.sample(qubo, seed()).info
    _, chains, _ = oracle._kept[0]  # type: ignore[attr-defined]
    graph = MockQPU("P3")().to_networkx_graph()
    edges = list(zip(qubo.heads.tolist(), qubo.tails.tolist(), strict=True))
    assert verify_embedding(chains, edges, graph.edges)
    assert info["qubits"] == sum(len(chain) for chain in chains.values())
    assert info["longest_chain"] == max(len(chain) for chain in chains.values())
    assert 0.0 <= info["chain_breaks"] <= 1.0


def test_a_problem_that_does_not_fit_is_refused() -> None:
    oracle = QPU(reads=1, embedding="clique", sampler=MockQPU("P2"))
    with pytest.raises(InvalidInputError, match="no embedding was found.*qnn size"):
        oracle.sample(random_qubo(40, share=1.0), seed())


def test_options_reach_the_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    from dwave.system.testing import MockDWaveSampler

    sent: dict[str, Any] = {}
    real = MockDWaveSampler.sample

    def spy(self: Any, bqm: Any, **given: Any) -> Any:
        sent.update(given, strongest=max(abs(j) for j in bqm.quadratic.values()))
        return real(self, bqm, **given)

    monkeypatch.setattr(MockDWaveSampler, "sample", spy)
    oracle = QPU(
        reads=7,
        annealing_time=50.0,
        chain_strength=123.0,
        embedding="clique",
        options={"label": "run 1"},
        sampler=MockQPU("P3"),
    )
    samples = oracle.sample(random_qubo(16, share=1.0), seed())
    assert sent["num_reads"] == 7
    assert sent["annealing_time"] == 50.0
    assert sent["strongest"] >= 123.0
    assert samples.info["problem_label"] == "run 1"
    assert len(samples.x) == 7
    with pytest.raises(InvalidInputError, match="unknown option.*Did you mean 'label'"):
        QPU(options={"lable": "x"}, sampler=MockQPU("P2")).sample(random_qubo(3), seed())


# -- what a call costs -------------------------------------------------------------------------


def test_times_are_in_seconds_and_the_ledger_reads_them() -> None:
    ledger = Ledger()
    ledger.count(MAKERS["Pegasus"]().sample(random_qubo(6), seed()))
    assert ledger.sampling == pytest.approx(82.08e-6)
    assert ledger.programming == pytest.approx(8468.2e-6)
    assert ledger.charged == pytest.approx(8550.28e-6)
    hybrid = Ledger()
    hybrid.count(HybridBQM(time_limit=7.5, sampler=MockHybridBQM).sample(random_qubo(6), seed()))
    assert (hybrid.sampling, hybrid.charged, hybrid.reads) == (7.5, 7.5, 1)


def test_what_is_neither_sampling_nor_programming_is_waiting() -> None:
    hybrid = costs({"run_time": 5.03, "charge_time": 5.0, "qpu_access_time": 0.3}, 9.0)
    assert hybrid["charged"] == 5.0
    assert hybrid["timing"]["waiting"] == pytest.approx(9.0 - 5.03)
    assert costs({}, 1.0) == {
        "timing": {"programming": 0.0, "sampling": 0.0, "waiting": 1.0},
        "charged": 0.0,
    }


# -- options -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: QPU(reads=0), "reads=0"),
        (lambda: QPU(annealing_time=-1.0), "annealing_time=-1.0.*microseconds"),
        (lambda: QPU(chain_strength=0.0), "chain_strength=0.0"),
        (lambda: QPU(embedding="cliqe"), "unknown embedding 'cliqe'.*Did you mean 'clique'"),
        (lambda: QPU(search=np.inf), "search=inf"),
        (lambda: HybridBQM(time_limit=0), "time_limit=0"),
        (lambda: QPU(sampler=MockQPU("P2")()), "a function that makes a sampler"),
        (lambda: HybridBQM(sampler=MockHybridBQM()), "a function that makes a sampler"),
        (lambda: QPU(sampler=functools.partial(dict, token=TOKEN)), "holds a token"),
    ],
)
def test_bad_options_are_refused_when_it_is_made(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message) as caught:
        make()
    assert TOKEN not in str(caught.value)


def test_what_is_wrong_with_a_mock_is_not_blamed_on_an_account() -> None:
    with pytest.raises(InvalidInputError, match="unknown graph 'X9'"):
        QPU(sampler=MockQPU("X9")).sample(random_qubo(3), seed())


def test_a_time_limit_below_the_least_is_refused_by_the_solver() -> None:
    with pytest.raises(ValueError, match="least time limit is 3 s"):
        HybridBQM(time_limit=1.0, sampler=MockHybridBQM).sample(random_qubo(3), seed())


# -- credentials -------------------------------------------------------------------------------


@pytest.fixture
def no_account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home without any configuration of Ocean's."""
    for name in ("DWAVE_API_TOKEN", "DWAVE_PROFILE", "DWAVE_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"):
        monkeypatch.setenv(name, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("oracle", [QPU(), HybridBQM()], ids=lambda oracle: type(oracle).__name__)
def test_without_credentials_the_error_says_what_to_do(oracle: Oracle, no_account: Path) -> None:
    with pytest.raises(OracleError) as caught:
        oracle.sample(random_qubo(3), seed())
    for word in ("dwave config create", "DWAVE_API_TOKEN", "dwave ping", "mock"):
        assert word in str(caught.value)


def test_nothing_is_made_before_the_first_call(no_account: Path) -> None:
    for oracle in (QPU(), HybridBQM()):
        assert repr(oracle)
        for other in (copy.copy(oracle), copy.deepcopy(oracle), pickle.loads(pickle.dumps(oracle))):
            assert other == oracle


def planted(error: Exception) -> Exception:
    """An error of Ocean's as it comes out of a request: with the request, and the token in it."""
    import requests

    error.request = requests.Request("GET", "https://x", headers={"X-Auth-Token": TOKEN})  # type: ignore[attr-defined]
    error.args = (f"failed with {TOKEN}",)
    return error


def fail(error: Exception) -> None:
    raise error


def everything(error: BaseException) -> str:
    """All that an error shows or holds."""
    text = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
    link = error.__cause__ or error.__context__
    return text + repr(getattr(error, "request", None)) + (everything(link) if link else "")


def test_no_error_shows_the_token(no_account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dwave.cloud.exceptions import RequestTimeout, SolverAuthenticationError

    monkeypatch.setenv("DWAVE_API_TOKEN", TOKEN)
    for kind, connecting in ((SolverAuthenticationError, True), (RequestTimeout, False)):
        with pytest.raises(Exception) as caught:  # noqa: PT011
            presentably(functools.partial(fail, planted(kind())), connecting=connecting)
        assert TOKEN not in everything(caught.value)
        assert TOKEN.encode() not in pickle.dumps(caught.value)
        assert isinstance(caught.value, OracleError) or is_transient(caught.value)


def test_no_oracle_keeps_the_token(no_account: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After a call by a sampler that has a client, as Ocean's have."""
    monkeypatch.setenv("DWAVE_API_TOKEN", TOKEN)
    oracle = QPU(reads=2, sampler=with_client)
    samples = oracle.sample(random_qubo(4), seed())
    shown = repr(oracle) + repr(samples.info) + repr(vars(copy.copy(oracle)))
    assert TOKEN not in shown
    assert TOKEN.encode() not in pickle.dumps(oracle)
    assert TOKEN.encode() not in pickle.dumps(samples)


def with_client() -> Any:
    sampler = MockQPU("P2")()
    sampler.client = {"token": TOKEN}
    return sampler


def test_transient_errors_keep_their_type_so_that_a_call_is_made_again() -> None:
    from dwave.cloud.exceptions import RequestTimeout

    calls: list[int] = []

    def flaky() -> Any:
        calls.append(1)
        if len(calls) < 3:
            raise planted(RequestTimeout())
        return MockQPU("P2")()

    pauses: list[float] = []
    oracle = Retry(QPU(reads=2, sampler=flaky), sleep=pauses.append)
    assert len(oracle.sample(random_qubo(4), seed()).x) == 2
    assert len(pauses) == 2


# -- the real thing ----------------------------------------------------------------------------


@pytest.mark.cloud
@pytest.mark.parametrize("make", [functools.partial(QPU, reads=5), HybridBQM])
def test_on_an_account(make: Callable[[], Oracle], pytestconfig: pytest.Config) -> None:
    if "cloud" not in pytestconfig.getoption("markexpr"):
        pytest.skip("makes a call that is charged: run pytest -m cloud")
    from dwave.cloud.config import load_config

    if not load_config().get("token"):
        pytest.skip("needs an account with D-Wave: run `dwave config create`")
    samples = make().sample(random_qubo(8), seed())
    assert samples.info["charged"] > 0.0
