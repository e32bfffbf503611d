"""Oracles by name: ours, those of other packages, and what is said of names that are wrong."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest

from formulations.errors import InvalidInputError, OracleError
from solvers.oracles import Oracle
from solvers.oracles.registry import OURS, make, names, options
from solvers.oracles.testing import random_qubo

THEIRS = """
import numpy as np
from solvers.oracles import Samples

class Guess:
    def __init__(self, reads=3):
        self.reads = reads
    def sample(self, qubo, seed):
        x = np.random.default_rng(seed).integers(0, 2, (self.reads, qubo.num_variables), np.int8)
        energies = qubo.energies(x)
        order = np.argsort(energies)
        return Samples(x[order], energies[order], 0.0)

def nothing():
    return 3
"""


@pytest.fixture
def theirs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package of somebody else's, installed as pip would."""
    (tmp_path / "their_oracles.py").write_text(THEIRS)
    installed(
        tmp_path,
        "theirs",
        "guess = their_oracles:Guess\nnothing = their_oracles:nothing\n"
        "gone = their_oracles:Gone\nannealer = their_oracles:Guess\n",
    )
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    return tmp_path


def installed(folder: Path, name: str, lines: str) -> None:
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[qnn.oracles]\n{lines}")


@pytest.mark.parametrize("name", OURS)
def test_ours_are_made_and_take_reads_wherever_they_read_more_than_once(name: str) -> None:
    assert isinstance(make(name), Oracle)
    if name not in ("exact", "hybrid", "mock-hybrid"):
        assert make(name, reads=4).reads == 4  # type: ignore[attr-defined]


def test_one_word_is_all_that_changes() -> None:
    qubo = random_qubo(8)
    for name in ("annealer", "bifurcation", "mock-qpu"):
        samples = make(name, reads=3).sample(qubo, np.random.SeedSequence(0))
        assert samples.x.shape == (3, 8)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("anneler", {}, "unknown oracle 'anneler'.*Did you mean 'annealer'"),
        ("tabu", {"sweep": 3}, "unknown option of tabu 'sweep'.*Did you mean 'sweeps'"),
        ("annealer", {"read": 3}, "Did you mean 'reads'"),
        ("bifurcation", {"reads": 0}, "reads=0"),
        ("bifurcation", {"kind": "balistic"}, "Did you mean 'ballistic'"),
        ("mock-qpu", {"grap": "Z4"}, "unknown option of mock-qpu 'grap'.*Did you mean 'graph'"),
        ("mock-hybrid", {"reads": 3}, "unknown option of mock-hybrid 'reads'"),
    ],
)
def test_wrong_names_and_values(name: str, given: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        make(name, **given)


def test_an_oracle_of_another_package(theirs: Path) -> None:
    assert "guess" in names()
    assert options("guess") == ["reads"]
    samples = make("guess", reads=5).sample(random_qubo(4), np.random.SeedSequence(0))
    assert samples.x.shape == (5, 4)
    with pytest.raises(InvalidInputError, match="unknown option of guess 'read'"):
        make("guess", read=5)


def test_ours_stay_ours(theirs: Path) -> None:
    assert type(make("annealer")).__name__ == "Annealer"
    assert names().count("annealer") == 1


@pytest.mark.parametrize(
    ("name", "message"), [("nothing", "gives no object with a method"), ("gone", "cannot be")]
)
def test_what_others_register_wrongly(theirs: Path, name: str, message: str) -> None:
    with pytest.raises(OracleError, match=message):
        make(name)


def test_two_packages_with_one_name(theirs: Path) -> None:
    installed(theirs, "more", "guess = more_oracles:Guess\n")
    with pytest.raises(InvalidInputError, match="their_oracles:Guess and as more_oracles:Guess"):
        make("guess")
