"""Solvers and oracles of other packages, wherever the toolkit's own have their names."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from formulations.errors import InvalidInputError, QnnError
from qnn.runs.solver_options import SolverOptions
from qnn.runs.solver_table import SOLVERS, asks_oracle, make_solver, solver_names
from tests.qnn.cli.test_help import completions

Run = Callable[..., tuple[int, str, str]]
SMALL = ["iris:0,1", "--samples", "12", "--hidden", "2", "--iterations", "2", "--reads", "2"]

THEIRS = """
from dataclasses import dataclass
from typing import Any

from solvers import QCGD, RandomSearch

@dataclass(frozen=True)
class Guess:
    seed: int = 0
    time_limit: float | None = None
    callbacks: tuple = ()

    def solve(self, problem):
        return RandomSearch(5, seed=self.seed).solve(problem)

def with_oracle(oracle, iterations, seed):
    return QCGD(oracle=oracle, iterations=iterations, seed=seed)

def may_ask(oracle=None, seed=0):
    return Guess(seed=seed) if oracle is None else QCGD(oracle=oracle, iterations=2, seed=seed)

def nothing():
    return 3
"""

NAMES = ["asking", "gone", "guess", "may-ask", "nothing"]


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another package, installed as pip would install it."""
    (tmp_path / "their_solvers.py").write_text(THEIRS)
    metadata = tmp_path / "theirs-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[qnn.solvers]\nguess = their_solvers:Guess\nasking = their_solvers:with_oracle\n"
        "may-ask = their_solvers:may_ask\nnothing = their_solvers:nothing\n"
        "gone = their_solvers:Gone\nqcgd = their_solvers:Guess\n"
        "[qnn.oracles]\nguess = their_oracles:Guess\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "their_solvers", raising=False)
    importlib.invalidate_caches()


@pytest.mark.usefixtures("theirs")
def test_list_help_and_completion_have_a_solver_of_another_package_without_loading_it(
    run: Run,
) -> None:
    listed = {e["name"]: e["what"] for e in json.loads(run("list", "--json", "-")[1])["solvers"]}
    assert list(listed) == solver_names() == [*SOLVERS, *NAMES]
    assert "theirs" in listed["guess"]
    for command in ("train", "compare"):
        words = run(command, "--help")[1].replace(",", " ").split()
        assert {"qcgd", *NAMES} <= {word.rstrip(".;") for word in words}
    assert completions("train", "iris", "--solver", "gu") == ["guess"]
    assert completions("compare", "iris", "--solvers", "qcgd,gu") == ["qcgd,guess"]
    assert "their_solvers" not in sys.modules


@pytest.mark.usefixtures("theirs")
@pytest.mark.parametrize("solver", ["guess", "asking", "may-ask"])
def test_it_trains(run: Run, solver: str) -> None:
    code, out, err = run("train", *SMALL, "--solver", solver, "--json", "-")
    assert (code, err) == (0, "")
    figures = json.loads(out)
    assert figures["solver"] == solver
    assert (figures["oracle_calls"] > 0) == (solver == "asking")


@pytest.mark.usefixtures("theirs")
def test_it_is_compared_and_its_runs_are_kept(run: Run, tmp_path: Path) -> None:
    words = ["compare", *SMALL, "--solvers", "guess,may-ask,random", "--seeds", "2"]
    words += ["--keep", str(tmp_path / "kept"), "--oracle", "annealer", "--json"]
    first, again = (run(*words, "-")[1] for _ in range(2))
    cells = json.loads(first)["cells"]
    assert {cell["solver"] for cell in cells} == {"guess", "may-ask", "random"}
    assert json.loads(again)["cells"] == cells


@pytest.mark.usefixtures("theirs")
def test_it_asks_an_oracle_if_it_takes_one() -> None:
    assert [asks_oracle(name) for name in ("guess", "asking", "may-ask")] == [False, True, True]
    assert asks_oracle("asking", named=False)
    assert not asks_oracle("may-ask", named=False)
    with pytest.raises(InvalidInputError, match="--oracle: solver 'guess'"):
        make_solver("guess", SolverOptions(oracle="annealer"))


@pytest.mark.usefixtures("theirs")
def test_it_cannot_replace_one_of_ours_and_wrong_ones_are_named() -> None:
    assert type(make_solver("qcgd", SolverOptions())).__name__ == "QCGD"
    with pytest.raises(QnnError, match=r"'gone' is registered as 'their_solvers:Gone'"):
        make_solver("gone", SolverOptions())
    with pytest.raises(QnnError, match=r"'nothing' is registered as .*solve"):
        make_solver("nothing", SolverOptions())
    with pytest.raises(InvalidInputError, match="Did you mean 'guess'"):
        make_solver("gues", SolverOptions())


@pytest.mark.usefixtures("theirs")
def test_list_and_completion_have_the_oracles_of_other_packages(run: Run) -> None:
    oracles = json.loads(run("list", "oracles", "--json", "-")[1])["oracles"]
    (guess,) = [entry for entry in oracles if entry["name"] == "guess"]
    assert "cannot be loaded" in guess["error"]
    assert completions("train", "digits", "--oracle", "gu") == ["guess"]
    assert "guess" in run("train", "--help")[1].partition("--oracle NAME")[2]
