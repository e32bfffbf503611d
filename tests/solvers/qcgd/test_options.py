"""Options that have moved into groups: old keywords, sampler parameters and checkpoints."""

from __future__ import annotations

from dataclasses import fields

import pytest

from formulations import QCBO
from formulations.errors import InvalidInputError
from qnn import QNNClassifier
from solvers import QCGD, Candidates, LiftedRows, PenaltyMethod, QCGDSampler
from solvers.run.identity import identity

MODEL = QCBO.from_arrays([-1, -2], [[1, 1]], [1])


@pytest.mark.parametrize(
    ("solver", "old", "new"),
    [
        (QCGD, {"beta0": 2.0, "slack": False}, {"lifted": LiftedRows(beta0=2.0, slack=False)}),
        (
            QCGD,
            {"rows": "mean", "fresh": 3},
            {"lifted": LiftedRows(rows="mean"), "candidates": Candidates(fresh=3)},
        ),
        (PenaltyMethod, {"fresh": 10}, {"candidates": Candidates(repair=False)}),
        (QCGD, {"split": "adapted"}, {}),
    ],
)
def test_old_keywords_work_with_a_warning(solver, old, new) -> None:
    with pytest.warns(DeprecationWarning, match=next(iter(old))):
        given = solver(**old)
    assert identity(given, MODEL) == identity(solver(**new), MODEL)


@pytest.mark.parametrize("solver", [QCGD, PenaltyMethod])
def test_at_most_twelve_options(solver: type) -> None:
    assert len(fields(solver)) <= 12


def test_checkpoints_name_the_options_as_before() -> None:
    texts = identity(QCGD(candidates=Candidates(pool=7)), MODEL)
    assert (texts["pool"], texts["fresh"], texts["rows"]) == ("7", "10", "'both'")


def test_the_sampler_and_the_estimators_still_take_old_names() -> None:
    with pytest.warns(DeprecationWarning, match="fresh"):
        solver = (
            QNNClassifier(solver=QCGD()).set_params(solver__fresh=2, solver__iterations=4).solver
        )
    assert (solver.candidates, solver.iterations) == (Candidates(fresh=2), 4)
    with pytest.warns(DeprecationWarning, match="repair"):
        assert QCGDSampler()._with({"repair": False}).candidates == Candidates(repair=False)


@pytest.mark.parametrize("name", ["lifted", "candidates"])
def test_a_group_of_another_type_is_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match=name):
        QCGD(**{name: 3})
