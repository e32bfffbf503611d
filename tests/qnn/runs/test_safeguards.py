"""``qnn train`` with budgets, ``--record`` and ``--replay``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from solvers.oracles import Annealer

QUICK: list[object] = ["train", "digits:3,8", "--inputs", 4, "--samples", 20, "--hidden", 2]
QUICK += ["--iterations", 6, "--reads", 2, "--sweeps", 20]
CLOCKS = {"seconds", "oracle_seconds", "ledger", "environment", "options"}

Run = Callable[..., tuple[int, str, str]]


def plain(text: str) -> dict[str, Any]:
    """A record without its clocks."""
    record = json.loads(text)

    def still(columns: dict[str, Any]) -> dict[str, Any]:
        return {name: column for name, column in columns.items() if name not in CLOCKS}

    return still(record) | {name: still(record[name]) for name in ("history", "trace")}


@pytest.mark.parametrize("solver", ["qcgd", "penalty"])
def test_a_budget_stops_the_run_and_resume_goes_on(solver: str, run: Run, tmp_path: Path) -> None:
    train = [*QUICK, "--solver", solver, "--json", "-"]
    whole = plain(run(*train)[1])
    assert whole["reason"] is None
    kept = [*train, "--budget-calls", 2, "--checkpoint", tmp_path]
    code, out, err = run(*kept)
    assert code == 0
    stopped = json.loads(out)
    assert (stopped["status"], stopped["oracle_calls"]) == ("budget used up", 2)
    assert stopped["ledger"]["calls"] == 2
    assert err.splitlines() == [
        "qnn: stopped: the budget of 2 calls is used up",
        f"go on with: qnn resume {tmp_path}",
    ]
    assert json.loads(run("resume", tmp_path)[1])["oracle_calls"] == 2
    assert plain(run("resume", tmp_path, "--budget-calls", 99)[1]) == whole


def test_a_replay_makes_no_call_and_gives_the_same(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train = [*QUICK, "--solver", "qcgd", "--json", "-"]
    whole = plain(run(*train)[1])
    assert plain(run(*train, "--record", tmp_path)[1]) == whole
    assert len(list(tmp_path.iterdir())) == 6

    def refuse(*arguments: Any) -> None:
        raise AssertionError("an oracle was asked")

    monkeypatch.setattr(Annealer, "sample", refuse)
    monkeypatch.setattr(Annealer, "sample_from", refuse)
    assert plain(run(*train, "--replay", tmp_path)[1]) == whole
    code, _, err = run(*train, "--replay", tmp_path, "--seed", 5)
    assert code != 0
    assert "has no answer to this question" in err


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--solver", "annealing", "--budget-calls", 3], "--budget-calls: solver 'annealing'"),
        (["--solver", "exact", "--record", "x"], "--record: solver 'exact'"),
        (["--record", "x", "--replay", "x"], "both --record and --replay"),
        (["--budget-seconds", "-1"], "budget_seconds=-1.0: expected a number of at least 0"),
        (["--replay", "nowhere"], "there is no record 'nowhere'"),
    ],
)
def test_what_makes_no_sense_is_refused(
    options: list[object], named: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run(*QUICK, *options)
    assert (code, out) == (2, "")
    assert named in err
    assert list(tmp_path.iterdir()) == []
