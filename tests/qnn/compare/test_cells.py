"""The plan of a comparison: cells, budgets, several data sets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from formulations.errors import InvalidInputError
from qnn.compare import Cell, plan, words_to_data
from qnn.runs.solver_options import SolverOptions
from qnn.runs.solver_table import SOLVERS, make_solver
from qnn.runs.training import DataOptions, ModelOptions

DATA = DataOptions("digits:3,8", samples=20, inputs=4)
MODEL = ModelOptions(hidden=(2,))
OPTIONS = SolverOptions(iterations=3, reads=2, sweeps=20, flips=300)


def cells_of(*solvers: str, **more: Any) -> list[Cell]:
    asked = {"solvers": solvers, "seeds": range(2), "penalties": [0.5, 2.0]}
    return plan(DATA, MODEL, OPTIONS, **(asked | more))


def test_plan_gives_every_solver_the_same_seeds_and_budget() -> None:
    cells = cells_of("qcgd", "penalty", "annealing", "exact")
    assert len({cell.key for cell in cells}) == len(cells) == 2 * 5
    with_oracle = [cell for cell in cells if cell.solver in ("qcgd", "penalty")]
    assert {replace(cell.options, penalty=1.0) for cell in with_oracle} == {OPTIONS}
    assert {cell.options.time_limit for cell in cells if cell.solver == "exact"} == {10.0}


def test_equal_seconds_are_the_same_for_every_solver() -> None:
    names = list(SOLVERS)
    options = replace(OPTIONS, time_limit=0.5)
    cells = plan(DATA, MODEL, options, solvers=names, seeds=[0], penalties=[1.0], equal="seconds")
    for cell in cells:
        solver: Any = make_solver(cell.solver, cell.options)
        assert solver.time_limit == 0.5
        counts = {"iterations", "guesses", "restarts", "rounds", "epochs", "draws"}
        for name in counts & vars(solver).keys():
            # rmda and svi train networks of so many epochs, and draw one after another
            assert getattr(solver, name) is None or (cell.solver, name) in {
                ("rmda", "epochs"),
                ("svi", "epochs"),
                ("hedging", "restarts"),
                ("manifold", "epochs"),
            }, (cell.solver, name)
    with pytest.raises(InvalidInputError, match="--time-limit"):
        cells_of("qcgd", equal="seconds")


def test_without_a_number_and_a_limit_nothing_would_end() -> None:
    with pytest.raises(InvalidInputError, match="never ends"):
        SolverOptions(iterations=None)


def test_words_become_data_sets() -> None:
    sets = words_to_data(["digits:pairs", "wine"], replace(DATA, spec="", inputs=16))
    assert len({one.spec for one in sets}) == 46
    assert {(one.spec, one.inputs) for one in sets} >= {("digits:8,9", 16), ("wine", None)}
    # a single word is taken as it is, and refused later if it does not fit
    assert words_to_data(["wine"], replace(DATA, spec="")) == [replace(DATA, spec="wine")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"solvers": ["tabu"]}, "unknown solver"),
        ({"solvers": []}, "each name once"),
        ({"seeds": []}, "at least one"),
        ({"penalties": [1.0, 1.0]}, "different positive"),
        ({"penalties": []}, "different positive"),
        ({"equal": "calls"}, "unknown budget"),
    ],
)
def test_bad_plans(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidInputError, match=words):
        cells_of("qcgd", **change)


def test_a_data_set_is_named_once() -> None:
    with pytest.raises(InvalidInputError, match="each data set once"):
        plan([DATA, DATA], MODEL, OPTIONS, solvers=["qcgd"], seeds=[0], penalties=[1.0])
