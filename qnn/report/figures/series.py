"""Curves of the charts: values over time and over rounds, seed by seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from formulations.arrays import FloatArray

Outcome = Mapping[str, Any]

Steps = tuple[FloatArray, FloatArray]
"""Seconds and losses of a run: each loss holds from its second onwards."""


@dataclass(frozen=True)
class Band:
    """Median and quartiles of several curves at common points."""

    at: FloatArray
    median: FloatArray
    low: FloatArray
    high: FloatArray


def steps_of(outcomes: Sequence[Outcome]) -> Steps | None:
    """Return the best loss so far of one run, or of consecutive runs; None if unknown.

    Examples
    --------
    >>> first = {"seconds": 4.0, "trace": {"seconds": [1.0, 4.0], "loss": [9.0, 5.0]}}
    >>> second = {"seconds": 3.0, "trace": {"seconds": [2.0, 3.0], "loss": [7.0, 2.0]}}
    >>> seconds, losses = steps_of([first, second])
    >>> seconds.tolist(), losses.tolist()
    ([1.0, 4.0, 6.0, 7.0], [9.0, 5.0, 5.0, 2.0])
    """
    seconds: list[float] = []
    losses: list[float] = []
    before = 0.0
    for outcome in outcomes:
        trace = outcome.get("trace") or {}
        for second, loss in zip(trace.get("seconds", ()), trace.get("loss", ()), strict=True):
            if second is not None and loss is not None:
                seconds.append(before + second)
                losses.append(loss)
        before += outcome.get("seconds") or 0.0
    if not seconds:
        return None
    return np.array(seconds), np.minimum.accumulate(np.array(losses, dtype=float))


def reached(steps: Steps | None, target: float) -> float:
    """Return the time at which the loss first was at most ``target``; infinite if never.

    Examples
    --------
    >>> steps = (np.array([1.0, 2.0, 5.0]), np.array([8.0, 6.0, 6.0]))
    >>> reached(steps, 7.0), reached(steps, 1.0)
    (2.0, inf)
    """
    if steps is None:
        return np.inf
    seconds, losses = steps
    return float(min(seconds[losses <= target], default=np.inf))


def over_time(runs: Sequence[Steps], most: int = 160) -> Band:
    """Return the median and quartiles of losses over time, up to the end of the longest run.

    A quartile is NaN while too few runs have an incumbent; many points are thinned out.

    Examples
    --------
    >>> run = (np.array([1.0, 2.0]), np.array([8.0, 6.0]))
    >>> over_time([run, (np.array([2.0]), np.array([4.0]))]).median.tolist()
    [nan, 5.0]
    """
    events = np.unique(np.concatenate([seconds for seconds, _ in runs]))
    if len(events) > most:
        events = events[np.unique(np.linspace(0, len(events) - 1, most).round().astype(int))]
    values = []
    for seconds, losses in runs:
        place = np.searchsorted(seconds, events, side="right") - 1
        values.append(np.where(place < 0, np.inf, losses[np.maximum(place, 0)]))
    return _quartiles(events, np.array(values))


def over_rounds(
    histories: Sequence[Mapping[str, Sequence[float | None]]], name: str
) -> Band | None:
    """Return the median and quartiles of a history column; None if there is none.

    Examples
    --------
    >>> histories = [{"iteration": [1, 2], "loss": [4.0, 2.0]}, {"iteration": [1], "loss": [8.0]}]
    >>> band = over_rounds(histories, "loss")
    >>> band.at.tolist(), band.median.tolist()
    ([1.0, 2.0], [6.0, 2.0])
    """
    known = [_column(history, name) for history in histories if history.get(name)]
    known = [(rounds, values) for rounds, values in known if np.isfinite(values).any()]
    if not known:
        return None
    at = np.unique(np.concatenate([rounds for rounds, _ in known]))
    values = np.array([np.interp(at, *column, right=np.nan) for column in known])
    return _quartiles(at, values)


def _column(
    history: Mapping[str, Sequence[float | None]], name: str
) -> tuple[FloatArray, FloatArray]:
    values = np.array([np.nan if v is None else v for v in history[name]], dtype=float)
    rounds = history.get("iteration") or range(1, len(values) + 1)
    return np.array(rounds, dtype=float), values


def _quartiles(at: FloatArray, values: FloatArray) -> Band:
    """Return the quartiles of every column, ignoring NaN; rows are runs."""
    found = np.full((3, len(at)), np.nan)
    for column, own in enumerate(np.sort(values, axis=0).T):  # NaN sorts last
        own = own[~np.isnan(own)]
        for row, share in enumerate((0.25, 0.5, 0.75)):
            place = share * (len(own) - 1)
            if len(own) and np.isfinite(own[int(np.ceil(place))]):
                low, high = own[int(np.floor(place))], own[int(np.ceil(place))]
                found[row, column] = low + place % 1 * (high - low)
    return Band(at, median=found[1], low=found[0], high=found[2])
