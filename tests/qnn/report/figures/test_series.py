"""The arithmetic of the curves."""

from __future__ import annotations

import numpy as np

from qnn.report.figures.series import over_rounds, over_time, steps_of


def test_a_band_begins_where_enough_runs_have_an_answer() -> None:
    runs = [(np.array([t]), np.array([loss])) for t, loss in ((1.0, 8.0), (2.0, 4.0), (3.0, 6.0))]
    band = over_time(runs)
    assert band.at.tolist() == [1.0, 2.0, 3.0]
    np.testing.assert_array_equal(band.median, [np.nan, 8.0, 6.0])
    np.testing.assert_array_equal(band.low, [np.nan, 6.0, 5.0])
    np.testing.assert_array_equal(band.high, [np.nan, np.nan, 7.0])


def test_many_events_are_thinned_and_keep_both_ends() -> None:
    run = (np.arange(1.0, 1001.0), np.arange(1000.0, 0.0, -1.0))
    band = over_time([run])
    assert len(band.at) <= 160
    assert (band.at[0], band.at[-1], band.median[-1]) == (1.0, 1000.0, 1.0)


def test_rounds_of_different_lengths_and_gaps() -> None:
    histories = [
        {"iteration": [1.0, 3.0], "bound": [0.0, 4.0]},
        {"iteration": [1.0, 2.0], "bound": [None, 6.0]},
        {"iteration": [1.0]},
    ]
    band = over_rounds(histories, "bound")
    assert band is not None
    np.testing.assert_array_equal(band.median, [0.0, 4.0, 4.0])
    assert over_rounds(histories, "loss") is None
    assert over_rounds([{"iteration": [1.0], "bound": [None]}], "bound") is None


def test_runs_without_a_trace_have_no_steps() -> None:
    assert steps_of([{"seconds": 1.0}]) is None
    assert steps_of([{"seconds": 1.0, "trace": None}]) is None
    assert steps_of([{"trace": {"seconds": [None], "loss": [3.0]}}]) is None
