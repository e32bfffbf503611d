"""One function per chart.  A solver has the same color, dashes and marker in all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from formulations.arrays import Array
from qnn.report.figures.series import Band
from qnn.report.figures.svg import GRID, INK, PAPER, SERIES, chart
from qnn.report.view import Chart


@dataclass(frozen=True)
class Look:
    """Style of one solver in all charts."""

    color: str
    dashes: Any
    marker: str

    @classmethod
    def number(cls, number: int) -> Look:
        """Return the style of the solver with this number.

        Examples
        --------
        >>> len({Look.number(i) for i in range(24)})
        24
        """
        dashes = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (7, 2, 1.5, 2)), (0, (9, 3)),
                  (0, (3, 1.5, 1, 1.5)))  # fmt: skip
        markers, count = "osD^vPX*<>hp", len(SERIES)
        dash = dashes[(number + number // count) % len(dashes)]
        return cls(SERIES[number % count], dash, markers[number % len(markers)])

    @classmethod
    def reference(cls, number: int) -> Look:
        """Return the style of a reference, without color because it is not a solver."""
        return cls(INK, ":", "1234"[number % 4])


Curve = tuple[str, Look, Band]
"""Name and style of a solver, with its median and quartiles over time or rounds."""


Point = tuple[str, Look, float, tuple[float, float, float]]
"""Name, style, size, and the median, low and high quartiles of the accuracy at this size."""


def curves(
    about: Chart,
    curves: Sequence[Curve],
    label: str = "best training loss so far",
    *,
    across: str = "seconds",
    steps: bool = True,
    logarithmic: bool = False,
) -> str:
    """Draw quantities over seconds or rounds as step curves, with the end of each marked."""

    def paint(figure: Any) -> None:
        axes, shade = figure.subplots(), 0.16 if len(curves) < 4 else 0.09
        for name, look, band in curves:
            end = {"marker": look.marker, "markevery": [len(band.at) - 1]} if steps else {}
            axes.plot(
                band.at, band.median, color=look.color, linestyle=look.dashes, label=name,
                drawstyle="steps-post" if steps else "default", **end,
            )  # fmt: skip
            axes.fill_between(
                band.at, band.low, band.high, step="post" if steps else None, color=look.color,
                alpha=shade, linewidth=0,
            )  # fmt: skip
        if across == "seconds":
            _log_where_wide(axes, "x", [band.at for *_, band in curves])
        if across == "seconds" or logarithmic:
            _log_where_wide(axes, "y", [band.median for *_, band in curves])
        axes.set(xlabel=across, ylabel=label)
        if across == "round":
            axes.xaxis.get_major_locator().set_params(integer=True)
        _legend(figure, axes)

    return _drawn(about, paint, [name for name, *_ in curves])


def share_over_time(about: Chart, reached: Mapping[str, tuple[Look, Array]]) -> str:
    """Draw the share of runs that have reached their target over wall-clock seconds.

    ``reached`` holds the seconds of every solver's runs, infinite if the target was not reached.
    """

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        known = [np.sort(times[np.isfinite(times)]) for _, times in reached.values()]
        positive = np.concatenate([*known, [1e-9]])
        last = max(float(positive.max()), 1e-3) * 1.5
        for (name, (look, times)), own in zip(reached.items(), known, strict=True):
            if not len(own):
                continue
            share = np.arange(1, len(own) + 1) / len(times)
            ends = np.append(own, last)
            axes.step(
                ends,
                np.append(share, share[-1]),
                where="post",
                color=look.color,
                linestyle=look.dashes,
                label=name,
                marker=look.marker,
                markevery=[len(ends) - 1],
                clip_on=False,
            )
        _log_where_wide(axes, "x", [np.append(k, last) for k in known])
        axes.set(xlabel="seconds", ylabel="share of runs", ylim=(0, 1.02))
        axes.yaxis.set_major_formatter(lambda value, place: f"{value:.0%}")
        _legend(figure, axes)

    return _drawn(about, paint, list(reached))


def accuracy_and_size(about: Chart, points: Sequence[Point]) -> str:
    """Draw test accuracy against stored bits."""

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        named: set[str] = set()
        places = _side_by_side(axes, points)
        for (name, look, _, (median, low, high)), place in zip(points, places, strict=True):
            axes.errorbar(
                place,
                median,
                yerr=[[median - low], [high - median]],
                **_mark(look),
                linestyle="none",
                elinewidth=1.2,
                label=None if name in named else name,
            )
            named.add(name)
        axes.set(xlabel="stored bits (weights and thresholds)", ylabel="test accuracy")
        _legend(figure, axes)

    return _drawn(about, paint, [name for name, *_ in points])


def frontier(about: Chart, here: Sequence[Point], others: Sequence[Point]) -> str:
    """Draw test accuracy against KiB: our networks on a line, others as named crosses."""

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        first = sorted(here, key=lambda point: point[2])
        sizes = [size / (8 * 1024) for _, _, size, _ in first]
        medians = np.array([median for *_, (median, _, _) in first])
        spread = np.abs([[low, high] for *_, (_, low, high) in first] - medians[:, None]).T
        look = Look.number(0)
        axes.errorbar(
            sizes, medians, yerr=spread, color=look.color, marker=look.marker, label="here"
        )
        for name, _, size, (median, _, _) in others:
            place = (size / (8 * 1024), median)
            axes.plot(*place, linestyle="none", color=INK, marker="x", markersize=5)
            axes.annotate(name, place, (5, -3), textcoords="offset points", fontsize=7, color=INK)
        every = np.array([*sizes, *(size / (8 * 1024) for _, _, size, _ in others)])
        axes.set_xscale("log")
        axes.set_xlim(every.min() / 1.3, every.max() * (8 if len(others) else 1.3))
        axes.set_xticks(_apart(np.unique(every), True))
        axes.xaxis.set_major_formatter(lambda value, place: f"{value:.3g}")
        axes.minorticks_off()
        axes.set(xlabel="KiB stored (weights and thresholds)", ylabel="test accuracy")
        _legend(figure, axes)

    return _drawn(about, paint, ["here", *(name for name, *_ in others)])


def by_data_set(
    about: Chart, rows: Sequence[str], values: Mapping[str, tuple[Look, Sequence[float | None]]]
) -> str:
    """Draw a measure of every solver on every data set, one line per data set."""

    def paint(figure: Any) -> None:
        axes = figure.subplots()
        places = np.arange(len(rows))[::-1]
        for name, beside in zip(values, np.linspace(0.3, -0.3, len(values)), strict=True):
            look, measured = values[name]
            x = np.array([np.nan if value is None else value for value in measured])
            axes.plot(
                x,
                places + (beside if len(values) > 1 else 0.0),
                linestyle="none",
                **_mark(look),
                label=name,
            )
        axes.set_yticks(places, [shortened(row) for row in rows])
        axes.set_ylim(-0.7, len(rows) - 0.3)
        axes.set_xlabel("median test accuracy")
        axes.tick_params(axis="y", length=0)
        axes.grid(axis="y", visible=False)
        for between in places[:-1] - 0.5:
            axes.axhline(between, color=GRID, linewidth=0.8)
        _legend(figure, axes)

    height = np.clip(4.0 / len(rows), 0.22, 0.6)
    return _drawn(about, paint, list(values), height=1.0 + height * len(rows))


# -- shared by all charts --------------------------------------------------------------------------


def _drawn(
    about: Chart, paint: Callable[[Any], None], names: Iterable[str], height: float = 2.6
) -> str:
    """Create a chart with room for a legend of these names."""
    rows = -(-len(set(names)) // _columns(names))
    return chart(about.name, about.title, about.caption, paint, height=height + 0.24 * rows)


def _columns(names: Iterable[str]) -> int:
    """Return the number of legend columns that fit."""
    longest = max(map(len, names), default=1)
    return int(np.clip(58 // (longest + 6), 1, 4))


def _side_by_side(axes: Any, points: Sequence[Point]) -> Array:
    """Spread points of equal size a little apart, and set the axis."""
    sizes = np.array([size for _, _, size, _ in points], dtype=float)
    names = list(dict.fromkeys(name for name, *_ in points))
    _log_where_wide(axes, "x", [sizes], ratio=5.0)
    low, high = sizes.min(), sizes.max()
    width = np.log(high / low) if axes.get_xscale() == "log" else (high - low) / high
    step = max(width, 0.3) * 0.03
    margin = 9 * step
    scaled = np.log(sizes) if axes.get_xscale() == "log" else sizes / high
    gaps = np.diff(np.unique(scaled))
    if len(gaps):  # points of one size stay nearer to each other than to those of the next size
        step = min(step, 0.6 * float(gaps.min()) / len(names))
    shift = np.zeros(len(points))
    for one in np.unique(sizes):
        there = {name for name, _, size, _ in points if size == one}
        here = [name for name in names if name in there]
        for i, (name, _, size, _) in enumerate(points):
            if size == one:
                shift[i] = (here.index(name) - (len(here) - 1) / 2) * step
    if axes.get_xscale() == "log":
        places, ends = sizes * np.exp(shift), (low * np.exp(-margin), high * np.exp(margin))
    else:
        places, ends = sizes + high * shift, (low - high * margin, high * (1 + margin))
    axes.set_xlim(*ends)
    axes.set_xticks(_apart(np.unique(sizes), axes.get_xscale() == "log"))
    axes.xaxis.set_major_formatter(lambda value, place: f"{value:,.0f}")
    axes.minorticks_off()
    return places


def _apart(sizes: Array, logarithmic: bool, most: int = 6) -> Array:
    """Choose sizes to label on an axis: all, or some that do not overlap."""
    scaled = np.log(sizes) if logarithmic else sizes
    least = (scaled[-1] - scaled[0]) / most
    kept = [0]
    for i in range(1, len(sizes)):
        if scaled[i] - scaled[kept[-1]] >= least:
            kept.append(i)
    return sizes[kept]


def shortened(name: str, most: int = 26) -> str:
    """Shorten a name to fit beside an axis, keeping the end, which is the most specific.

    Examples
    --------
    >>> shortened("digits:3,8"), shortened("folder/of/mine/measurements.csv:3,8")
    ('digits:3,8', '…f/mine/measurements.csv:3,8')
    """
    return name if len(name) <= most + 2 else f"…{name[-most - 1 :]}"


def _mark(look: Look) -> dict[str, Any]:
    """Draw a marker without a line; a thin rim separates overlapping markers."""
    size = {"*": 9.5, "D": 5.6, "X": 7.2, "P": 7.2}.get(look.marker, 6.5)
    rim: dict[str, Any] = {"markeredgecolor": PAPER, "markeredgewidth": 0.6}
    if look.marker in "1234":
        rim = {"markeredgewidth": 1.6}
    return {"color": look.color, "marker": look.marker, "markersize": size, **rim}


def _log_where_wide(axes: Any, which: str, values: Sequence[Array], ratio: float = 20.0) -> None:
    """Use a logarithmic axis with plain numbers if the figures are positive and far apart."""
    from matplotlib.ticker import LogLocator, NullLocator

    known = np.concatenate([np.asarray(v, dtype=float).ravel() for v in values])
    known = known[np.isfinite(known)]
    if not len(known) or known.min() <= 0 or known.max() <= ratio * known.min():
        return
    getattr(axes, f"set_{which}scale")("log")
    axis = getattr(axes, f"{which}axis")
    steps = (1.0, 2.0, 5.0) if known.max() < 100 * known.min() else (1.0,)
    axis.set_major_locator(LogLocator(subs=steps))
    axis.set_major_formatter(lambda value, place: f"{value:,.10g}")
    axis.set_minor_locator(NullLocator())


def _legend(figure: Any, axes: Any) -> None:
    """Draw the legend below the chart, in as many columns as fit."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) < 2:
        return
    labels = [shortened(label, most=48) for label in labels]
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(_columns(labels), len(labels)),
        handlelength=2.8,
        labelcolor=INK,
        columnspacing=1.4,
    )
