"""One function, one chart.  A solver looks the same in all of them: color, dashes and marker."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from qnn.report.series import Array, Band
from qnn.report.svg import INK, PAPER, SERIES, chart
from qnn.report.view import Chart

DASHES = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (7, 2, 1.5, 2)), (0, (9, 3)), (0, (3, 1.5, 1, 1.5)))
MARKERS = "osD^vPX*<>hp"


@dataclass(frozen=True)
class Look:
    """How one solver is drawn everywhere."""

    color: str
    dashes: Any
    marker: str

    @classmethod
    def number(cls, number: int) -> Look:
        """The look of the solver of that number.

        Examples
        --------
        >>> len({Look.number(i) for i in range(24)})
        24
        """
        return cls(
            SERIES[number % len(SERIES)],
            DASHES[(number + number // len(SERIES)) % len(DASHES)],
            MARKERS[number % len(MARKERS)],
        )


@dataclass(frozen=True)
class Curve:
    """A solver's median and quartiles over time or rounds."""

    name: str
    look: Look
    band: Band


@dataclass(frozen=True)
class Point:
    """Median and quartiles of an accuracy at some size."""

    name: str
    look: Look
    size: float
    median: float
    low: float
    high: float


def loss_over_time(about: Chart, curves: Sequence[Curve]) -> str:
    """Best loss so far over wall-clock seconds; steps."""

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        for curve in curves:
            _steps(axes, curve)
        _log_where_wide(axes.set_xscale, [curve.band.at for curve in curves])
        _log_where_wide(axes.set_yscale, [curve.band.median for curve in curves])
        axes.set(xlabel="seconds", ylabel="best training loss so far")
        _legend(figure, axes)

    return _drawn(about, paint)


def share_over_time(about: Chart, reached: Mapping[str, tuple[Look, Array]]) -> str:
    """Share of the runs that have reached their target over wall-clock seconds.

    ``reached`` has for every solver the seconds of its runs, infinite where never.
    """

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        known = [np.sort(times[np.isfinite(times)]) for _, times in reached.values()]
        positive = np.concatenate([*known, [1e-9]])
        last = max(float(positive.max()), 1e-3) * 1.5
        for (name, (look, times)), own in zip(reached.items(), known, strict=True):
            share = np.arange(len(own) + 1) / max(len(times), 1)
            ends = np.concatenate([own, [last]])
            axes.step(
                ends,
                np.append(share[1:], share[-1]),
                where="post",
                color=look.color,
                linestyle=look.dashes,
                label=name,
                marker=look.marker,
                markevery=[len(ends) - 1],
                clip_on=False,
            )
        _log_where_wide(axes.set_xscale, [np.append(k, last) for k in known])
        axes.set(xlabel="seconds", ylabel="share of runs", ylim=(0, 1.02))
        axes.yaxis.set_major_formatter(lambda value, place: f"{value:.0%}")
        _legend(figure, axes)

    return _drawn(about, paint)


def accuracy_and_size(about: Chart, points: Sequence[Point]) -> str:
    """Test accuracy against stored bits."""

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        named: set[str] = set()
        for point in points:
            axes.errorbar(
                point.size,
                point.median,
                yerr=[[point.median - point.low], [point.high - point.median]],
                color=point.look.color,
                marker=point.look.marker,
                markeredgecolor=PAPER,
                markeredgewidth=0.6,
                markersize=7,
                linestyle="none",
                elinewidth=1.2,
                label=None if point.name in named else point.name,
            )
            named.add(point.name)
        _log_where_wide(axes.set_xscale, [np.array([point.size for point in points])])
        axes.margins(x=0.08, y=0.08)
        axes.set(xlabel="stored bits (weights and thresholds)", ylabel="test accuracy")
        _legend(figure, axes)

    return _drawn(about, paint)


def by_data_set(
    about: Chart, rows: Sequence[str], values: Mapping[str, tuple[Look, Sequence[float | None]]]
) -> str:
    """A measure of every solver on every data set, a line a data set."""

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        places = np.arange(len(rows))[::-1]
        for name, (look, measured) in values.items():
            x = np.array([np.nan if value is None else value for value in measured])
            axes.plot(
                x,
                places,
                linestyle="none",
                color=look.color,
                marker=look.marker,
                markeredgecolor=PAPER,
                markeredgewidth=0.6,
                label=name,
            )
        axes.set_yticks(places, rows)
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.set_xlabel("median test accuracy")
        axes.tick_params(axis="y", length=0)
        _legend(figure, axes)

    return _drawn(about, paint, height=1.4 + 0.22 * len(rows))


def over_rounds(
    about: Chart, curves: Sequence[Curve], label: str, *, logarithmic: bool = False
) -> str:
    """Quantities of a solver's own, round by round."""

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        for curve in curves:
            band, look = curve.band, curve.look
            axes.plot(
                band.at, band.median, color=look.color, linestyle=look.dashes, label=curve.name
            )
            axes.fill_between(
                band.at, band.low, band.high, color=look.color, alpha=0.15, linewidth=0
            )
        if logarithmic:
            _log_where_wide(axes.set_yscale, [curve.band.median for curve in curves])
        axes.set(xlabel="round", ylabel=label)
        axes.xaxis.get_major_locator().set_params(integer=True)
        _legend(figure, axes)

    return _drawn(about, paint)


# -- what they have in common ---------------------------------------------------------------------


def _drawn(about: Chart, paint: Callable[[Any], None], **size: float) -> str:
    return chart(about.name, about.title, about.caption, paint, **size)


def _steps(axes: Any, curve: Curve) -> None:
    band, look = curve.band, curve.look
    axes.step(
        band.at,
        band.median,
        where="post",
        color=look.color,
        linestyle=look.dashes,
        label=curve.name,
        marker=look.marker,
        markevery=[len(band.at) - 1],
    )
    axes.fill_between(
        band.at, band.low, band.high, step="post", color=look.color, alpha=0.15, linewidth=0
    )


def _log_where_wide(
    set_scale: Callable[..., None], values: Sequence[Array], ratio: float = 20.0
) -> None:
    """A logarithmic axis where the figures are positive and far apart."""
    known = np.concatenate([np.asarray(v, dtype=float).ravel() for v in values])
    known = known[np.isfinite(known)]
    if len(known) and known.min() > 0 and known.max() > ratio * known.min():
        set_scale("log")


def _legend(figure: Any, axes: Any) -> None:
    """Below the chart, in as many columns as fit."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) < 2:
        return
    longest = max(len(label) for label in labels)
    columns = int(np.clip(62 // (longest + 5), 1, 4))
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(columns, len(labels)),
        handlelength=2.8,
        labelcolor=INK,
        columnspacing=1.4,
    )
