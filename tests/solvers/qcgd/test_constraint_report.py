"""The report on an answer's constraints: what is violated, what binds, and at what price."""

from __future__ import annotations

import dimod
import pytest

from formulations.errors import InvalidInputError
from solvers import QCGDSampler, constraint_report


def model() -> dimod.ConstrainedQuadraticModel:
    i, x, y = dimod.Integer("i", upper_bound=9), *dimod.Binaries("xy")
    cqm = dimod.ConstrainedQuadraticModel()
    cqm.set_objective(-3 * i - x - y)
    cqm.add_constraint(i * x + 2 * y <= 6, label=("room", 1))
    cqm.add_constraint(i + x >= 2, label="at least")
    cqm.add_constraint(x + y == 2, label="both")
    cqm.add_constraint(i <= 1, label="small", weight=0.1)
    return cqm


def test_slack_and_state_are_those_of_the_constraint_whatever_its_sense() -> None:
    rows = constraint_report(model(), [{"i": 5, "x": 1, "y": 1}, {"i": 0, "x": 1, "y": 0}]).rows
    found = {row["constraint"]: (row["state"], row["slack"]) for row in rows}
    assert found == {
        ("room", 1): ("violated", -1.0),
        "small": ("soft, violated", -4.0),
        "both": ("binding", 0.0),
        "at least": ("slack", 4.0),
    }
    other = constraint_report(
        model(), [{"i": 5, "x": 1, "y": 1}, {"i": 0, "x": 1, "y": 0}], number=1
    )
    found = {row["constraint"]: (row["state"], row["slack"]) for row in other.rows}
    assert found["at least"] == ("violated", -1.0)
    assert found["both"] == ("violated", -1.0)


def test_answers_of_the_sampler_have_multipliers_and_those_that_bind_come_first() -> None:
    cqm = model()
    answer = QCGDSampler().sample_cqm(cqm, iterations=5, num_reads=4, sweeps=20, seed=0)
    report = constraint_report(cqm, answer)
    assert answer.first.energy == pytest.approx(-14.0 + 0.3)
    assert report.rows[1]["constraint"] == ("room", 1)
    assert report.rows[1]["multiplier"] is not None
    assert "multiplier" in str(report).splitlines()[0]
    assert "<td>binding</td>" in report._repr_html_()


def test_every_violation_is_the_one_that_dimod_has() -> None:
    cqm = model()
    sample = {"i": 7, "x": 0, "y": 1}
    mine = {
        row["constraint"]: max(0.0, -row["slack"]) for row in constraint_report(cqm, sample).rows
    }
    assert mine == pytest.approx(cqm.violations(sample, clip=True))


@pytest.mark.parametrize("samples", [[], {"i": 1}, 3])
def test_what_is_no_answer_is_refused(samples: object) -> None:
    with pytest.raises(InvalidInputError, match="sample"):
        constraint_report(model(), samples)
