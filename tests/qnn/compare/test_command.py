"""``qnn compare`` from its words to its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qnn.cli import main as cli
from qnn.compare import execute, in_folder
from solvers.run import executors

QUICK = "--samples 20 --hidden 2 --flips 300 --solvers random,annealing,logistic-regression"


def qnn(words: str, *more: object) -> int:
    with pytest.raises(SystemExit) as ended:
        cli.main([*words.split(), *map(str, more)])
    return int(ended.value.code or 0)


def test_several_data_sets_in_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = f"compare digits:3,8 iris --inputs 4 {QUICK} --seeds 2 --iterations 5"
    files = ["--keep", tmp_path / "kept", "--json", tmp_path / "r.json"]
    assert qnn(words, *files) == 0
    results = json.loads((tmp_path / "r.json").read_text())
    assert [(data["spec"], data["inputs"]) for data in results["datasets"]] == [
        ("digits:3,8", 4),
        ("iris", None),
    ]
    assert results["planned"] == len(results["cells"]) == 2 * 2 * 3
    assert (results["equal"], results["workers"], results["interrupted"]) == ("sweeps", 1, False)
    kept = in_folder(tmp_path / "kept")
    assert kept["cells"] == results["cells"]
    shown = capsys.readouterr().out
    assert shown.index("digits:3,8") < shown.index("iris")

    ran: list[str] = []
    monkeypatch.setattr(execute, "_work", lambda cell: ran.append(cell.key))
    assert qnn(words, *files) == 0  # the same words again
    assert ran == []


def test_equal_seconds_and_too_many_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "available_cores", lambda: 1)
    words = f"compare iris:0,1 {QUICK} --seeds 1 --equal seconds --time-limit 0.1 --workers 2"
    assert qnn(words, "--json", tmp_path / "r.json") == 0
    results = json.loads((tmp_path / "r.json").read_text())
    assert (results["equal"], results["workers"]) == ("seconds", 2)
    assert results["options"]["time_limit"] == 0.1
    shown = capsys.readouterr()
    assert "2 workers on 1 cores" in shown.err
    assert "1 seed " in " ".join(shown.out.split())


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("compare digits --equal seconds", "--time-limit"),
        ("compare digits --equal second --time-limit 1", "Did you mean"),
        ("compare digits digits", "each data set once"),
        ("compare digits --workers 0", "workers"),
        ("compare digits --samples some", "or 'all'"),
        ("compare digits:pair", "no class 'pair'"),
        ("compare", "Missing argument"),
    ],
)
def test_bad_words_are_refused(words: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert qnn(words) == 2
    assert told in capsys.readouterr().err
