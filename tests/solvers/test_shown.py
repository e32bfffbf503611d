"""What a run says on its way, where it is asked to."""

from __future__ import annotations

import logging

import dimod
import pytest

from formulations import Network, TrainingProblem
from solvers import QCGDSampler, RandomSearch, progress_bar

QUICK = {"iterations": 3, "num_reads": 2, "sweeps": 10, "seed": 0}


def model() -> dimod.ConstrainedQuadraticModel:
    cqm = dimod.ConstrainedQuadraticModel()
    x, y = dimod.Binaries("xy")
    cqm.set_objective(-x - y)
    cqm.add_constraint(x + 2 * y <= 2, label="room")
    return cqm


def test_nothing_is_said_unless_asked(capsys: pytest.CaptureFixture[str]) -> None:
    QCGDSampler().sample_cqm(model(), **QUICK)
    assert capsys.readouterr() == ("", "")


def test_verbose_shows_improvements_and_the_end_and_leaves_no_handler(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # those of pytest
    QCGDSampler().sample_cqm(model(), verbose=1, **QUICK)
    said = capsys.readouterr().err
    assert "solvers.run.run: step 1" in said
    assert "oracle calls: best -1" in said
    QCGDSampler().sample_cqm(model(), verbose=2, **QUICK)
    assert len(capsys.readouterr().err.splitlines()) >= len(said.splitlines())
    for name in ("formulations", "solvers", "qnn"):
        assert logging.getLogger(name).handlers == []
        assert logging.getLogger(name).level == logging.NOTSET


def test_steps_are_logged_at_debug_and_improvements_at_info(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, logger="solvers")
    net = Network.dense([2, 1], activation="sign")
    problem = TrainingProblem(net, [[1, -1], [1, 1]], [1, -1], loss="hinge")
    with progress_bar("training") as show:
        result = RandomSearch(seed=0, callbacks=[show]).solve(problem)
    assert {"INFO"} <= {record.levelname for record in caplog.records} <= {"INFO", "DEBUG"}
    for shown, expected in (
        (result, "<td>finished</td>"),
        (net, "<td>stored bits</td><td>2</td>"),
        (problem.qcbo(), "<td>rows</td><td>2</td>"),
    ):
        assert expected in shown._repr_html_()
