"""The charts of a comparison, with their names and curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from qnn.report.figures import charts
from qnn.report.figures.charts import Curve, Look
from qnn.report.figures.series import over_rounds, over_time, reached, steps_of
from qnn.report.text import listed
from qnn.report.view import Chart


@dataclass(frozen=True)
class DataSet:
    """One data set of a comparison: its summary, its cells, and the styles of its rows.

    ``prefix`` and ``number`` distinguish its charts from all others on the page.
    """

    prefix: str
    number: int
    name: str
    summary: Mapping[str, Any]
    cells: Sequence[Mapping[str, Any]]
    looks: Mapping[str, Look]

    def chart(self, what: str) -> str:
        """Return the name of a chart of this data set alone."""
        return f"{self.prefix}-{what}-{self.number}"

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """Rows of its summary, without single penalty weights."""
        return [row for row in self.summary["rows"] if not row["part"]]

    def runs_of(self, row: Mapping[str, Any]) -> dict[int, list[Mapping[str, Any]]]:
        """Return the cells of a row by seed; several for a sweep of penalty weights."""
        found: dict[int, list[Mapping[str, Any]]] = {}
        for cell in self.cells:
            if cell["solver"] == row["solver"]:
                found.setdefault(cell["seed"], []).append(cell)
        return found


def loss_over_time(one: DataSet) -> list[Chart]:
    """Draw the median and quartiles of the incumbent's loss over the seeds."""
    curves = []
    for row in one.rows:
        runs = [steps_of(cells) for cells in one.runs_of(row).values()]
        known = [run for run in runs if run is not None]
        if known:
            curves.append((row["name"], one.looks[row["name"]], over_time(known)))
    if not curves:
        return []
    return [
        Chart(
            one.chart("loss"),
            f"Training loss over time, {one.name}",
            "Best loss so far: median over the seeds, quartiles shaded, the end marked. A "
            "median begins when half of the seeds have an answer.",
            partial(charts.curves, curves=curves),
        )
    ]


def share_over_time(sets: Sequence[DataSet]) -> list[Chart]:
    """Draw the share of runs that have reached their data set's target."""
    found: dict[str, list[float]] = {}
    looks: dict[str, Look] = {}
    for one in sets:
        target = one.summary.get("target")
        for row in one.rows:
            if target is None or row.get("reference"):
                continue
            for cells in one.runs_of(row).values():
                time = reached(steps_of(cells), float(target))
                found.setdefault(row["name"], []).append(time)
                looks[row["name"]] = one.looks[row["name"]]
    if not any(np.isfinite(times).any() for times in found.values()):
        return []
    curves = {name: (looks[name], np.array(times)) for name, times in found.items()}
    never = [name for name, (_, times) in curves.items() if not np.isfinite(times).any()]
    curves = {name: curve for name, curve in curves.items() if name not in never}
    missing = f" Never there: {listed(never)}." if never else ""
    alone = sets[0] if len(sets) == 1 else None
    where = f"loss {alone.summary['target']:.4g}" if alone else "each data set's target"
    name = alone.name if alone else f"{len(sets)} data sets"
    return [
        Chart(
            alone.chart("target") if alone else f"{sets[0].prefix}-target",
            f"Time to target, {name}",
            f"Share of all runs whose training loss has come to {where} or less: the least "
            "median of all solvers, chosen afterwards. A failed run never reaches it."
            f"{missing}",
            partial(charts.share_over_time, reached=curves),
        )
    ]


def accuracy_and_size(sets: Sequence[DataSet]) -> list[Chart]:
    """Draw test accuracy against stored bits, including references."""
    points = [
        (
            row["name"],
            one.looks[row["name"]],
            row["stored_bits"],
            tuple(row["test_accuracy"][name] for name in ("median", "low", "high")),
        )
        for one in sets
        for row in one.rows
        if row.get("stored_bits") and row.get("test_accuracy")
    ]
    if not points:
        return []
    alone = sets[0] if len(sets) == 1 else None
    each = "" if alone else "A mark for each solver and data set. "
    return [
        Chart(
            alone.chart("size") if alone else f"{sets[0].prefix}-size",
            f"Test accuracy and stored bits{f', {alone.name}' if alone else ''}",
            f"{each}Medians over the seeds, bars to the quartiles. Stored bits hold weights "
            "and thresholds; a reference's numbers take 32 bits each.",
            partial(charts.accuracy_and_size, points=points),
        )
    ]


def accuracy_by_data_set(sets: Sequence[DataSet]) -> list[Chart]:
    """Draw median test accuracies, one line per data set."""
    found: dict[str, tuple[Look, list[float | None]]] = {}
    for name, look in sets[0].looks.items():
        values = [_median(one, name, "test_accuracy") for one in sets]
        if any(value is not None for value in values):
            found[name] = look, values
    if not found:
        return []
    return [
        Chart(
            f"{sets[0].prefix}-accuracy",
            "Test accuracy by data set",
            "Medians over the seeds.",
            partial(charts.by_data_set, rows=[one.name for one in sets], values=found),
        )
    ]


def rounds(one: DataSet) -> list[Chart]:
    """Draw the solvers' own histories: residuals, multipliers, consensus, bounds."""
    found = []
    for row in one.rows:
        histories = [
            cell["history"]
            for cells in one.runs_of(row).values()
            for cell in cells
            if cell.get("history")
        ]
        found += of_history(row["name"], histories, one.chart(row["solver"]), one.name)
    return found


def of_history(
    solver: str, histories: Sequence[Mapping[str, Any]], name: str, where: str
) -> list[Chart]:
    """Draw a solver's own history, as median and quartiles over its runs."""
    kinds = {  # kinds of lifted rows, see solvers.qcgd.lifting
        "mean": "rows: averaged", "square": "rows: averaged squares", "product": "product rows"
    }  # fmt: skip
    each = {
        which: _curves(histories, {f"{which}_{kind}": said for kind, said in kinds.items()})
        for which in ("residual", "multiplier")
    }
    consensus = _curves(histories, {"disagreement": "disagreement"})
    bounds = _curves(histories, {"loss": "best loss", "bound": "bound of the dual"})
    told = [
        (
            each["residual"], "residuals", "Residuals", "norm of residuals",
            "Norm of the averaged violation of each kind of row, by round.",
        ),
        (
            each["multiplier"], "multipliers", "Multipliers", "norm of multipliers",
            "Norm of the multipliers (duals) of each kind of row, by round, in units of the "
            "normalised objective.",
        ),
        (
            consensus, "consensus", "Consensus", "disagreement",
            "Mean distance of the blocks' copies from their mean, 0 where all agree and at "
            "most 1/2.",
        ),
        (
            bounds if any(said == "bound of the dual" for said, *_ in bounds) else [],
            "bound", "Loss and bound", "training loss",
            "The bound is that of the least branch; it is certified only where the table of "
            "solvers says so.",
        ),
    ]  # fmt: skip
    about = "Median over the runs that are still going on; quartiles shaded."
    about *= len(histories) > 1
    return [
        Chart(
            f"{name}-{what}",
            f"{title} of {solver}, {where}",
            f"{caption} {about}",
            partial(
                charts.curves,
                curves=curves,
                label=label,
                across="round",
                steps=False,
                logarithmic="norm" in label,
            ),
        )
        for curves, what, title, label, caption in told
        if curves
    ]


def _curves(histories: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[Curve]:
    found = []
    for number, (column, said) in enumerate(columns.items()):
        band = over_rounds(histories, column)
        if band is not None and np.nan_to_num(band.median).any():
            found.append((said, Look.number(number), band))
    return found


def _median(one: DataSet, name: str, measure: str) -> float | None:
    for row in one.rows:
        if row["name"] == name and row.get(measure):
            return float(row[measure]["median"])
    return None
