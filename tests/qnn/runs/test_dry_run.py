"""What a run would take, told without asking anybody: ``qnn size`` and ``--dry-run``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qnn.runs import dry_run
from solvers.oracles import Annealer, ExactOracle
from solvers.oracles.cloud.connection import Connection
from solvers.oracles.cloud.qpu import QPU

RUN = ["train", "digits:3,8", "--inputs", "4", "--samples", "8", "--hidden", "2", "--search", "0"]
RUN += ["--iterations", "30", "--reads", "20"]


@pytest.fixture
def silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every oracle and every connection fails as soon as it is used."""

    def asked(*arguments: object, **options: object) -> None:
        raise AssertionError("something was sent")

    for kind in (Annealer, QPU, ExactOracle):
        monkeypatch.setattr(kind, "sample", asked)
    monkeypatch.setattr(Annealer, "sample_from", asked)
    monkeypatch.setattr(Connection, "__call__", asked)


@pytest.mark.usefixtures("silence")
@pytest.mark.parametrize("solver", ["qcgd", "qcgd-pure", "qcgd-cold", "penalty"])
def test_a_dry_run_sends_nothing_and_tells_what_the_run_would_ask(run: Any, solver: str) -> None:
    code, out, err = run(*RUN, "--solver", solver, "--dry-run", "--json", "-")
    assert (code, err) == (0, "")
    record = json.loads(out)
    assert (record["kind"], record["solver"]) == ("dry run", solver)
    found = record["footprint"]
    assert found["variables"] >= record["num_variables"] == 114
    assert found["calls"] == {"calls": 30, "reads": 20, "annealing_time": None}
    assert [fit["graph"] for fit in found["fits"]] == ["P16", "Z12", "Z15"] * 3
    assert found["qpu_seconds"]["P16"] > 30 * 0.015
    assert found["hybrid_bqm_seconds"] == 90.0
    assert found["hybrid_cqm_seconds"] == 5.0


@pytest.mark.usefixtures("silence")
def test_a_dry_run_on_a_quantum_computer_makes_no_client(run: Any) -> None:
    options = ["--oracle", "qpu", "--oracle-option", "annealing_time=200"]
    code, out, err = run(*RUN, *options, "--dry-run", "--json", "-")
    assert (code, err) == (0, "")
    slow = json.loads(out)["footprint"]
    assert slow["calls"] == {"calls": 30, "reads": 20, "annealing_time": 200}
    mocked = json.loads(run(*RUN, "--oracle", "mock-qpu", "--dry-run", "--json", "-")[1])
    assert mocked["footprint"]["calls"]["reads"] == 20
    fast = json.loads(run(*RUN, "--dry-run", "--json", "-")[1])["footprint"]
    more = slow["qpu_seconds"]["P16"] - fast["qpu_seconds"]["P16"]
    assert more == pytest.approx(30 * 20 * 180e-6)
    code, _, err = run(*RUN, *options)
    assert code != 0
    assert "something was sent" in err  # so the fixture does listen


@pytest.mark.usefixtures("silence")
def test_a_dry_run_without_an_oracle_says_so(run: Any) -> None:
    code, out, _ = run(*RUN, "--solver", "annealing", "--dry-run")
    assert code == 0
    assert "none that is paid for: nothing would be sent or charged" in out
    assert "nothing was sent" in out


def test_a_dry_run_leaves_no_files(run: Any, tmp_path: Path) -> None:
    kept = ["--checkpoint", tmp_path / "run", "--save", tmp_path / "w.npz"]
    code, _, _ = run(*RUN, *kept, "--dry-run", "--json", tmp_path / "r.json")
    assert code == 0
    assert [path.name for path in tmp_path.iterdir()] == ["r.json"]


# -- qnn size ----------------------------------------------------------------------------------


def test_size_counts_by_formula_and_on_the_model(run: Any) -> None:
    code, out, _ = run("size", "16-4-1", "--samples", 20, "--json", "-")
    assert code == 0
    record = json.loads(out)
    found = record["footprint"]
    assert record["num_variables"] == record["num_variables_built"] == found["variables"] == 708
    assert record["couplers_by_formula"] == found["couplers"]
    assert 8 < found["coefficient_bits"] < 20
    assert {fit["fits"] for fit in found["fits"] if fit["method"] == "clique"} == {False}
    assert {fit["note"] for fit in found["fits"] if fit["method"] == "search"} == {"not tried"}


def test_size_bounds_the_errors_of_the_splines(run: Any) -> None:
    asked = ["size", "4-3-2-1", "--samples", 2, "--search", 0, "--json", "-", "--activation"]
    coarse = json.loads(run(*asked, "tanh", "--loss", "logistic")[1])
    assert len(coarse["layer_error_bounds"]) == 2
    assert 0 < coarse["layer_error_bounds"][0] < coarse["layer_error_bounds"][1]
    assert coarse["output_error_bound"] > 0
    assert coarse["loss_error_bound"] > 0
    exact = json.loads(run(*asked, "sign")[1])
    assert exact["layer_error_bounds"] == [0, 0]
    assert exact["output_error_bound"] == exact["loss_error_bound"] == 0
    assert "output error bound" in run(*asked[:6], "--activation", "tanh")[1]


def test_size_searches_where_it_is_quick_or_asked_to(run: Any) -> None:
    small = ["size", "2-1", "--samples", 2, "--json", "-"]
    found = json.loads(run(*small)[1])["footprint"]
    assert {fit["fits"] for fit in found["fits"]} == {True}
    found = json.loads(run(*small, "--search", 0)[1])["footprint"]
    assert {fit["note"] for fit in found["fits"] if fit["method"] == "search"} == {"not tried"}
    code, _, err = run(*small, "--search", -1)
    assert code == 2
    assert "search=-1" in err


def test_size_of_what_is_too_large_to_build_is_by_formula(
    run: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["size", "16-4-1", "--samples", 50, "--json", "-"]
    built = json.loads(run(*asked)[1])
    monkeypatch.setattr("solvers.footprint.MOST_PAIRS", 2000)
    counted = json.loads(run(*asked)[1])
    assert counted["num_variables_built"] is None
    assert counted["footprint"]["coefficient_bits"] is None
    for name in ("variables", "couplers", "hybrid_bqm_seconds", "hybrid_cqm_seconds"):
        assert counted["footprint"][name] == built["footprint"][name]
    monkeypatch.setattr("solvers.footprint.MOST_PAIRS", 10)
    assert json.loads(run(*asked)[1])["couplers_by_formula"] is None
    assert "does not fit: 180 variables at most" in run(*asked[:-2])[1]


def test_more_reads_and_calls_take_longer(run: Any) -> None:
    asked = ["size", "4-2-1", "--samples", 2, "--search", 0, "--json", "-"]
    one = json.loads(run(*asked, "--reads", 1, "--iterations", 1)[1])["footprint"]
    many = json.loads(run(*asked, "--reads", 1000, "--iterations", 10)[1])["footprint"]
    for graph, seconds in one["qpu_seconds"].items():
        assert many["qpu_seconds"][graph] > 10 * seconds
    assert many["hybrid_bqm_seconds"] == 10 * one["hybrid_bqm_seconds"]
    code, _, err = run(*asked, "--reads", 0)
    assert code == 2
    assert "reads=0" in err


def test_drawn_problems_are_the_seed_s() -> None:
    from formulations import Network

    network, values = Network.dense([5, 2, 3]), np.array([-1, 0, 1])
    first, again, other = (
        dry_run.drawn_problem(network, 9, values, "hinge", seed) for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(first.X, again.X)
    assert not np.array_equal(first.X, other.X)
