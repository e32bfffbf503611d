"""``qnn train --solver hedging`` proves a bound where its blocks are small enough to be solved."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from formulations import Network, TrainingProblem
from formulations.errors import InvalidInputError
from qnn.runs.solver_options import SolverOptions
from qnn.runs.solver_table import make_solver
from solvers import ExactSolver, ProgressiveHedging
from solvers.hedging.hedging import AnnealedBlocks, Enumeration, ExactIfSmall, PenaltyBlocks
from tests.solvers.test_interrupts import LARGE

Run = Callable[..., tuple[int, str, str]]

RNG = np.random.default_rng(0)
X = RNG.choice([-1, 1], (24, 3))
FEW = TrainingProblem(
    Network.dense([3, 2, 1], activation="sign"), X, np.where(X.sum(axis=1) > 0, 1, -1)
)


def test_from_the_command_line(run: Run, tmp_path: Path) -> None:
    np.savetxt(tmp_path / "data.csv", np.column_stack([FEW.X, FEW.y]), fmt="%d", delimiter=",")
    code, out, _ = run(
        *("train", tmp_path / "data.csv", "--hidden", "2", "--samples", "16"),
        *("--solver", "hedging", "--json", tmp_path / "run.json"),
    )
    assert code == 0
    assert "lower bound" in out
    record = json.loads((tmp_path / "run.json").read_text())
    record = record[0] if isinstance(record, list) else record
    assert record["lower_bound"] is not None
    assert record["lower_bound"] <= record["train_loss"]


def test_the_bound_is_one() -> None:
    least = ExactSolver().solve(FEW)
    solver = make_solver("hedging", SolverOptions(iterations=20))
    result = solver.solve(FEW)
    assert result.lower_bound is not None
    assert result.lower_bound <= least.loss <= result.loss


def test_larger_problems_are_solved_as_before() -> None:
    blocks = ExactIfSmall(AnnealedBlocks(50))
    assert isinstance(blocks.chosen(FEW), Enumeration)
    assert blocks.chosen(LARGE) == AnnealedBlocks(50)
    some = LARGE.subset(np.arange(40))
    first = ProgressiveHedging(blocks, rounds=2).solve(some)
    second = ProgressiveHedging(AnnealedBlocks(50), rounds=2).solve(some)
    assert np.array_equal(first.bits, second.bits)
    assert first.lower_bound is None


def test_a_named_oracle_is_asked_whatever_the_size() -> None:
    solver = make_solver("hedging", SolverOptions(oracle="annealer"))
    assert isinstance(solver, ProgressiveHedging)
    assert isinstance(solver.blocks, PenaltyBlocks)


@pytest.mark.parametrize("name", ["hedging", "decomposed"])
@pytest.mark.parametrize("blocks", ["enumeration", "cp-sat", "qcgd", "lifted"])
def test_blocks_are_named_at_the_front_door(name: str, blocks: str) -> None:
    if blocks == "cp-sat":
        pytest.importorskip("ortools", reason="the extra exact is not installed")
    options = SolverOptions(iterations=2, blocks=blocks, block_size=8, reads=2, sweeps=10)
    result = make_solver(name, options).solve(FEW.subset(np.arange(16)))
    assert result.info["blocks"] == 2
    assert (result.lower_bound is not None) == (blocks in ("enumeration", "cp-sat"))


def test_levels_of_decomposed_and_blocks_that_ask_no_oracle() -> None:
    least = ExactSolver().solve(FEW)
    result = make_solver("decomposed", SolverOptions(level=2)).solve(FEW)
    assert result.info["level"] == 2
    assert result.lower_bound == least.loss == result.loss
    with pytest.raises(InvalidInputError, match="ask no oracle"):
        make_solver("hedging", SolverOptions(blocks="cp-sat", oracle="annealer"))
    with pytest.raises(InvalidInputError, match="Did you mean 'enumeration'"):
        make_solver("decomposed", SolverOptions(blocks="enumerations"))
