"""The oracle of a training run by its name: one word changes it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from formulations.errors import InvalidInputError
from qnn.cli import main as cli
from qnn.compare import plan
from qnn.runs.solver_options import SolverOptions
from qnn.runs.solver_table import SOLVERS, asks_oracle, make_solver, named_oracle
from qnn.runs.training import DataOptions, ModelOptions, train
from solvers.oracles.wrappers.base import layers

DATA = DataOptions("digits:3,8", samples=12, inputs=4)
MODEL = ModelOptions(hidden=(2,))
QUICK = SolverOptions(iterations=2, reads=3, sweeps=20)


def with_oracle(name: str | None, *options: str) -> SolverOptions:
    return SolverOptions(iterations=2, reads=3, sweeps=20, oracle=name, oracle_option=options)


def test_without_a_name_it_is_the_annealer() -> None:
    oracle = named_oracle(SolverOptions(reads=3, sweeps=20, threads=1))
    assert (type(oracle).__name__, vars(oracle)["threads"]) == ("Annealer", 1)
    unnamed, named = (train(DATA, MODEL, "qcgd", o) for o in (QUICK, with_oracle("annealer")))
    assert unnamed.result.bits.tolist() == named.result.bits.tolist()
    assert unnamed.figures["oracle"] == named.figures["oracle"] == "annealer"


@pytest.mark.parametrize("name", ["path-integral", "tabu", "steepest-descent", "bifurcation"])
def test_every_oracle_gets_what_it_shares_with_the_annealer(name: str) -> None:
    figures = train(DATA, MODEL, "qcgd", with_oracle(name)).figures
    assert (figures["oracle"], figures["oracle_calls"]) == (name, 2)
    assert figures["oracle_sweeps"] == (0 if name == "steepest-descent" else 2 * 3 * 20)


def test_its_own_options_win_and_have_their_types() -> None:
    oracle = named_oracle(with_oracle("bifurcation", "kind=discrete", "step=0.5", "reads=7"))
    assert {"kind": "discrete", "step": 0.5, "reads": 7, "sweeps": 20}.items() <= vars(
        oracle
    ).items()


def test_restricted_problems_go_to_the_oracle_that_is_named() -> None:
    assert make_solver("restricted", QUICK).oracle is None  # type: ignore[attr-defined]
    solver: Any = make_solver("restricted", with_oracle("tabu"))
    inner = [type(layer).__name__ for layer in layers(solver.oracle)]
    assert (inner[-1], solver.model, solver.sizes) == ("Tabu", "flips", (32,))
    states: Any = make_solver("restricted", replace(with_oracle("tabu"), restricted_model="states"))
    assert (states.model, max(states.sizes)) == ("states", 8)
    with pytest.raises(InvalidInputError, match="moves"):
        make_solver("restricted", replace(QUICK, restricted_model="moves"))


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_a_solver_asks_the_oracle_that_is_named_or_refuses_it(solver: str) -> None:
    if solver in ("rmda", "svi"):
        pytest.importorskip("torch", reason="the extra torch is not installed")
    named = with_oracle("annealer")
    if asks_oracle(solver):
        assert train(DATA, MODEL, solver, named).figures["oracle_calls"] > 0
    else:
        with pytest.raises(InvalidInputError, match="oracle"):
            make_solver(solver, named)


def test_a_comparison_gives_it_to_the_solvers_that_ask_one() -> None:
    cells = plan(
        DATA,
        MODEL,
        with_oracle("tabu"),
        solvers=["qcgd", "annealing", "penalty"],
        seeds=[0],
        penalties=[1.0],
    )
    assert [cell.options.oracle for cell in cells] == ["tabu", None, "tabu"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (with_oracle("bifurcatoin"), "unknown oracle.*Did you mean 'bifurcation'"),
        (with_oracle("tabu", "restart=1"), "unknown option of tabu.*Did you mean 'restarts'"),
        (with_oracle("tabu", "restarts"), "oracle option 'restarts': expected KEY=VALUE"),
        (with_oracle("tabu", "restarts=many"), "restarts='many'"),
    ],
)
def test_wrong_words_are_refused_before_work(options: SolverOptions, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        make_solver("qcgd", options)


def test_a_solver_without_an_oracle_says_so() -> None:
    with pytest.raises(InvalidInputError, match="--oracle: solver 'annealing' asks no oracle"):
        make_solver("annealing", with_oracle("tabu"))


def test_a_run_goes_on_with_its_oracle(tmp_path: Path) -> None:
    command = ["train", "digits:3,8", "--inputs", "4", "--samples", "12", "--hidden", "2"]
    command += ["--iterations", "3", "--sweeps", "20", "--oracle", "bifurcation"]
    command += ["--oracle-option", "kind=discrete", "--oracle-option", "device=numpy"]
    kept = str(tmp_path / "run")
    for arguments in (
        [*command, "--checkpoint", kept, "--json", str(tmp_path / "first.json")],
        ["resume", kept, "--json", str(tmp_path / "again.json")],
        [*command, "--checkpoint", kept],
    ):
        with pytest.raises(SystemExit) as exit_:
            cli.main(arguments)
        assert exit_.value.code in (0, None)
    first, again = (json.loads((tmp_path / f"{n}.json").read_text()) for n in ("first", "again"))
    assert first["options"]["oracle_option"] == ["kind=discrete", "device=numpy"]
    assert first["train_loss"] == again["train_loss"]
    assert first["oracle"] == again["oracle"] == "bifurcation"
