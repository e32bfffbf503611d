"""Records: their format, what is damaged or missing, full disks; and no credential in any text."""

from __future__ import annotations

import json
import logging
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.errors import (
    FileAccessError,
    FileFormatError,
    OracleError,
    UnusableAnswerError,
)
from formulations.files.archive import read_archive, write_archive
from solvers import QCGD, PenaltyMethod
from solvers.oracles import QUBO, Annealer, Oracle, Record, Replay, Samples
from solvers.oracles.cloud.secrets import redacted, without_secrets
from solvers.oracles.testing import random_qubo
from solvers.oracles.wrappers import record as module
from solvers.oracles.wrappers.audit import Audited, checked
from solvers.run.identity import identity
from solvers.run.result import Status

FIXTURES = Path(__file__).parents[3] / "fixtures" / "record-v1"
QUICK = Annealer(reads=3, sweeps=5)


def seed(number: int = 0) -> np.random.SeedSequence:
    return np.random.SeedSequence(number)


@dataclass(frozen=True)
class Fixed:
    """The same two reads for every question."""

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        x = np.array([[0, 1, 0], [1, 1, 0]], dtype=np.int8)
        info = {"timing": {"sampling": 0.25}, "charged": 0.5, "problem_id": "a", "range": (1, 2.5)}
        return Samples(x, qubo.energies(x), 0.25, info=info)


def golden() -> QUBO:
    heads, tails = np.array([0, 1]), np.array([1, 2])
    return QUBO(np.array([1.0, -3.0, 0.5]), heads, tails, np.array([0.25, -1.5e-9]))


def test_what_version_1_wrote_stays_readable_and_is_found_by_its_name(tmp_path: Path) -> None:
    here = Record(Fixed(), tmp_path).sample(golden(), np.random.SeedSequence(7, spawn_key=(2,)))
    (written,) = tmp_path.iterdir()
    assert [path.name for path in FIXTURES.iterdir()] == [written.name]
    there = Replay(Fixed(), FIXTURES).sample(golden(), np.random.SeedSequence(7, spawn_key=(2,)))
    np.testing.assert_array_equal(there.x, here.x)
    np.testing.assert_array_equal(there.energies, here.energies)
    assert (there.seconds, there.exact, there.info) == (here.seconds, here.exact, here.info)
    assert there.info["range"] == [1, 2.5]


def test_other_questions_are_other_files(tmp_path: Path) -> None:
    qubo, record = random_qubo(4), Record(QUICK, tmp_path)
    states = np.zeros((1, 4), dtype=np.int8)
    other = QUBO(qubo.linear + 1e-12, qubo.heads, qubo.tails, qubo.couplings)
    spawned = seed()
    spawned.spawn(1)
    paths = [
        record.path(qubo, None, seed()),
        record.path(other, None, seed()),
        record.path(qubo, states, seed()),
        record.path(qubo, 1 - states, seed()),
        record.path(qubo, None, seed(1)),
        record.path(qubo, None, spawned),
        record.path(qubo, None, np.random.SeedSequence(0, spawn_key=(0,))),
        Record(Annealer(reads=4, sweeps=5), tmp_path).path(qubo, None, seed()),
    ]
    assert len(set(paths)) == len(paths)
    assert Record(Audited(QUICK), tmp_path).path(qubo, None, seed()) == paths[0]


def test_a_replay_without_the_answer_says_so(tmp_path: Path) -> None:
    with pytest.raises(OracleError, match="has no answer to this question"):
        Replay(QUICK, tmp_path).sample(random_qubo(4), seed())
    with pytest.raises(FileAccessError, match="there is no record"):
        Replay(QUICK, tmp_path / "nowhere")


def test_a_damaged_answer_is_refused(tmp_path: Path) -> None:
    record, qubo = Record(QUICK, tmp_path), random_qubo(4)
    record.sample(qubo, seed())
    (path,) = tmp_path.iterdir()
    whole = path.read_bytes()
    for size in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(FileFormatError):
            record.sample(qubo, seed())
    path.write_bytes(whole)
    content, arrays = read_archive(path, module.ANSWER)
    write_archive(path, module.ANSWER, {**content, "layout": 2}, arrays)
    with pytest.raises(FileFormatError, match="newer release"):
        record.sample(qubo, seed())
    write_archive(path, module.ANSWER, {"layout": 1}, arrays)
    with pytest.raises(FileFormatError, match="oracle"):
        record.sample(qubo, seed())


def test_an_unusable_answer_is_kept_aside_and_asked_for_anew(tmp_path: Path) -> None:
    class Turned:
        calls = 0

        def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
            self.calls += 1
            samples = QUICK.sample(qubo, seed)
            return samples if self.calls > 2 else Samples(1 - samples.x, samples.energies, 1.0)

    record, qubo = Record(Turned(), tmp_path), random_qubo(6)
    for _ in range(2):
        with pytest.raises(UnusableAnswerError, match="variables in another order"):
            record.sample(qubo, seed())
    refused = sorted(tmp_path.glob("*.refused-*.npz"))
    assert len(refused) == 2
    assert read_archive(refused[0], module.REFUSED)[1]["x"].shape == (3, 6)
    np.testing.assert_array_equal(record.sample(qubo, seed()).x, QUICK.sample(qubo, seed()).x)


def test_a_full_disk_uses_what_is_paid_for_and_asks_for_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine, full = module.write_archive, [True]

    def write(*arguments: Any) -> None:
        if full[0]:
            raise FileAccessError("no space is left")
        genuine(*arguments)

    monkeypatch.setattr(module, "write_archive", write)
    problem = TrainingProblem(Network.dense([2, 1]), [[1, -1], [1, 1]], [1, -1])
    solver = PenaltyMethod(Record(QUICK, tmp_path), iterations=5)
    result = solver.solve(problem)
    assert (result.status, result.ledger.calls) == (Status.ORACLE_FAILED, 1)
    assert "no space is left" in result.info["reason"]
    full[0] = False
    assert solver.solve(problem).status is Status.FINISHED
    assert len(list(tmp_path.iterdir())) == 5


# -- what is checked -------------------------------------------------------------------------------


def test_a_sound_answer_passes_as_it_is() -> None:
    qubo = random_qubo(7)
    samples = QUICK.sample(qubo, seed())
    same = checked(qubo, samples)
    assert same.x is samples.x
    assert same.energies is samples.energies
    assert same.info is samples.info


def test_an_exact_answer_in_the_wrong_order_proves_nothing() -> None:
    qubo = random_qubo(7)
    samples = QUICK.sample(qubo, seed())
    worst_first = Samples(samples.x[::-1], samples.energies[::-1], 0.1, exact=True)
    found = checked(qubo, worst_first)
    assert (np.diff(found.energies) >= 0).all()
    assert not found.exact or samples.energies[0] == samples.energies[-1]


# -- credentials -----------------------------------------------------------------------------------

TOKEN, IN_FILE = "DEV-" + "0123abcd" * 4, "DEV-" + "feedbeef" * 4


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two tokens: one in the environment, one in a dwave.conf."""
    config = tmp_path / "dwave.conf"
    config.write_text(f"[defaults]\ntoken = {IN_FILE}\nregion = na-west-1\n")
    monkeypatch.setenv("DWAVE_API_TOKEN", TOKEN)
    monkeypatch.setenv("DWAVE_CONFIG_FILE", str(config))
    return tmp_path


class Talkative:
    """An oracle that quotes its credentials wherever it can."""

    def __init__(self, fails_at: int | None = None) -> None:
        self.fails_at, self.calls = fails_at, 0

    def sample(self, qubo: QUBO, seed: np.random.SeedSequence) -> Samples:
        self.calls += 1
        if self.calls == self.fails_at:
            try:
                raise KeyError(f"header X-Auth-Token: {TOKEN}")
            except KeyError as error:
                raise ConnectionRefusedError(f"cannot reach https://{IN_FILE}@cloud") from error
        samples = QUICK.sample(qubo, seed)
        info = {"url": f"https://cloud/?token={TOKEN}", "parts": [{"conf": IN_FILE}]}
        return Samples(samples.x, samples.energies, samples.seconds, info=info)


def no_token(text: str) -> bool:
    return TOKEN not in text and IN_FILE not in text


@pytest.mark.parametrize("fails_at", [1, 3, None])
def test_no_token_in_any_file_text_or_error(
    fails_at: int | None,
    planted: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    caplog.set_level(logging.DEBUG)
    problem = TrainingProblem(Network.dense([2, 2, 1]), [[1, -1], [1, -1], [-1, 1]], [1, -1, -1])
    oracle: Oracle = Record(Talkative(fails_at), planted / "record")
    solver = QCGD(oracle, iterations=4, checkpoint=planted / "run", checkpoint_every=0)
    if fails_at == 1:
        with pytest.raises(OracleError) as caught:
            solver.solve(problem)
        error = caught.value
        texts = [str(error), repr(error), "".join(traceback.format_exception(error))]
        assert (error.__cause__, error.__context__) == (None, None)
    else:
        result = solver.solve(problem)
        texts = [repr(result), json.dumps(result.info, default=str)]
        assert (fails_at is None) == ("reason" not in result.info)
    texts += [repr(solver), repr(oracle), str(identity(solver, problem)), caplog.text]
    texts += list(capsys.readouterr())
    for path in planted.rglob("*"):
        if path.is_file() and path.name != "dwave.conf":
            texts.append(path.read_bytes().decode("latin-1"))
            if path.suffix == ".npz":
                with np.load(path) as archive:
                    texts += [archive[name].tobytes().decode("latin-1") for name in archive.files]
    assert all(no_token(text) for text in texts)


@pytest.mark.parametrize("kind", ["QPU", "HybridBQM"])
def test_no_token_out_of_the_cloud_oracles(kind: str, planted: Path) -> None:
    cloud = pytest.importorskip("solvers.oracles.cloud")

    def refuses() -> Any:
        raise ValueError(f"API token {TOKEN} (or {IN_FILE}) not accepted")

    oracle = getattr(cloud, kind)(sampler=refuses)
    with pytest.raises(OracleError) as caught:
        Audited(Record(oracle, planted / "record")).sample(random_qubo(3), seed())
    error = caught.value
    texts = [str(error), repr(oracle), "".join(traceback.format_exception(error))]
    assert all(no_token(text) for text in texts)
    assert "DWAVE_API_TOKEN" in str(error)


def test_what_is_hidden(planted: Path) -> None:
    assert redacted(f"a {TOKEN} b {IN_FILE}") == "a [hidden] b [hidden]"
    assert redacted("region na-west-1") == "region na-west-1"
    assert without_secrets(ValueError("x"))
    assert not without_secrets(ValueError(TOKEN))
