"""The charts of a comparison: which there are, what they are called, and their curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from qnn.report.figures import charts
from qnn.report.figures.charts import Curve, Look, Point
from qnn.report.figures.series import over_rounds, over_time, steps_of
from qnn.report.grammar import listed
from qnn.report.view import Chart

KINDS = {
    "mean": "rows: averaged",
    "square": "rows: averaged squares",
    "product": "product rows",
}
"""Kinds of lifted rows, see :mod:`solvers.qcgd.lifting`."""


@dataclass(frozen=True)
class DataSet:
    """One data set of a comparison: its summary, its cells, and how its rows are drawn."""

    name: str
    summary: Mapping[str, Any]
    cells: Sequence[Mapping[str, Any]]
    looks: Mapping[str, Look]

    @property
    def rows(self) -> Sequence[Mapping[str, Any]]:
        """The rows of its summary, single penalty weights left out."""
        return [row for row in self.summary["rows"] if not row["part"]]

    def runs_of(self, row: Mapping[str, Any]) -> dict[int, list[Mapping[str, Any]]]:
        """The cells behind a row, by seed; several for a sweep of penalty weights."""
        found: dict[int, list[Mapping[str, Any]]] = {}
        for cell in self.cells:
            if cell["solver"] == row["solver"]:
                found.setdefault(cell["seed"], []).append(cell)
        return found


class Pictures:
    """Makes the charts of one comparison; each may be missing where there is nothing to draw."""

    def __init__(self, prefix: str, sets: Sequence[DataSet]) -> None:
        self.prefix, self.sets = prefix, sets

    def _name(self, what: str, one: DataSet | None = None) -> str:
        number = "" if one is None else f"-{[s.name for s in self.sets].index(one.name)}"
        return f"{self.prefix}-{what}{number}"

    def loss_over_time(self, one: DataSet) -> list[Chart]:
        """Median and quartiles of the incumbent's loss over the seeds."""
        curves = []
        for row in one.rows:
            runs = [steps_of(cells) for cells in one.runs_of(row).values()]
            known = [run for run in runs if run is not None]
            if known:
                curves.append(Curve(row["name"], one.looks[row["name"]], over_time(known)))
        if not curves:
            return []
        return [
            Chart(
                self._name("loss", one),
                f"Training loss over time, {one.name}",
                "Best loss so far: median over the seeds, quartiles shaded, the end marked. A "
                "median begins when half of the seeds have an answer.",
                partial(charts.loss_over_time, curves=curves),
            )
        ]

    def share_over_time(self, sets: Sequence[DataSet]) -> list[Chart]:
        """Share of the runs that have reached the target of their data set."""
        reached: dict[str, list[float]] = {}
        looks: dict[str, Look] = {}
        for one in sets:
            target = one.summary.get("target")
            for row in one.rows:
                if target is None or row.get("reference"):
                    continue
                for cells in one.runs_of(row).values():
                    steps = steps_of(cells)
                    time = np.inf if steps is None else steps.reached(float(target))
                    reached.setdefault(row["name"], []).append(time)
                    looks[row["name"]] = one.looks[row["name"]]
        if not any(np.isfinite(times).any() for times in reached.values()):
            return []
        curves = {name: (looks[name], np.array(times)) for name, times in reached.items()}
        never = [name for name, (_, times) in curves.items() if not np.isfinite(times).any()]
        curves = {name: curve for name, curve in curves.items() if name not in never}
        missing = f" Never there: {listed(never)}." if never else ""
        alone = sets[0] if len(sets) == 1 else None
        where = f"loss {alone.summary['target']:.4g}" if alone else "each data set's target"
        name = alone.name if alone else f"{len(sets)} data sets"
        return [
            Chart(
                self._name("target", alone),
                f"Time to target, {name}",
                f"Share of all runs whose training loss has come to {where} or less: the least "
                "median of all solvers, chosen afterwards. A failed run never reaches it."
                f"{missing}",
                partial(charts.share_over_time, reached=curves),
            )
        ]

    def accuracy_and_size(self, sets: Sequence[DataSet]) -> list[Chart]:
        """Test accuracy against stored bits, references included."""
        points = [
            _point(row, one.looks[row["name"]])
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
                self._name("size", alone),
                f"Test accuracy and stored bits{f', {alone.name}' if alone else ''}",
                f"{each}Medians over the seeds, bars to the quartiles. Stored bits hold weights "
                "and thresholds; a reference's numbers take 32 bits each.",
                partial(charts.accuracy_and_size, points=points),
            )
        ]

    def accuracy_by_data_set(self) -> list[Chart]:
        """Median test accuracies, a line a data set."""
        found: dict[str, tuple[Look, list[float | None]]] = {}
        for name, look in self.sets[0].looks.items():
            values = [_median(one, name, "test_accuracy") for one in self.sets]
            if any(value is not None for value in values):
                found[name] = look, values
        if not found:
            return []
        return [
            Chart(
                self._name("accuracy"),
                "Test accuracy by data set",
                "Medians over the seeds.",
                partial(charts.by_data_set, rows=[one.name for one in self.sets], values=found),
            )
        ]

    def rounds(self, one: DataSet) -> list[Chart]:
        """What solvers tell of themselves: residuals, multipliers, consensus, bounds."""
        found = []
        for row in one.rows:
            histories = [
                cell["history"]
                for cells in one.runs_of(row).values()
                for cell in cells
                if cell.get("history")
            ]
            found += of_history(row["name"], histories, self._name(row["solver"], one), one.name)
        return found


def of_history(
    solver: str, histories: Sequence[Mapping[str, Any]], name: str, where: str
) -> list[Chart]:
    """The charts of a solver's own history, median and quartiles over its runs."""
    residuals = _curves(histories, {f"residual_{kind}": said for kind, said in KINDS.items()})
    multipliers = _curves(histories, {f"multiplier_{kind}": said for kind, said in KINDS.items()})
    consensus = _curves(histories, {"disagreement": "disagreement"})
    bounds = _curves(histories, {"loss": "best loss", "bound": "bound of the dual"})
    about = "Median over the runs that are still going on; quartiles shaded."
    about *= len(histories) > 1
    found = []
    if residuals:
        found.append(
            Chart(
                f"{name}-residuals",
                f"Residuals of {solver}, {where}",
                f"Norm of the averaged violation of each kind of row, by round. {about}",
                partial(
                    charts.over_rounds,
                    curves=residuals,
                    label="norm of residuals",
                    logarithmic=True,
                ),
            )
        )
    if multipliers:
        found.append(
            Chart(
                f"{name}-multipliers",
                f"Multipliers of {solver}, {where}",
                "Norm of the multipliers (duals) of each kind of row, by round, in units of the "
                f"normalised objective. {about}",
                partial(
                    charts.over_rounds,
                    curves=multipliers,
                    label="norm of multipliers",
                    logarithmic=True,
                ),
            )
        )
    if consensus:
        found.append(
            Chart(
                f"{name}-consensus",
                f"Consensus of {solver}, {where}",
                "Mean distance of the blocks' copies from their mean, 0 where all agree and at "
                f"most 1/2. {about}",
                partial(charts.over_rounds, curves=consensus, label="disagreement"),
            )
        )
    if any(curve.name == "bound of the dual" for curve in bounds):
        found.append(
            Chart(
                f"{name}-bound",
                f"Loss and bound of {solver}, {where}",
                "The bound is that of the least branch; it is certified only where the table of "
                f"solvers says so. {about}",
                partial(charts.over_rounds, curves=bounds, label="training loss"),
            )
        )
    return found


def _curves(histories: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> list[Curve]:
    found = []
    for number, (column, said) in enumerate(columns.items()):
        band = over_rounds(histories, column)
        if band is not None and np.nan_to_num(band.median).any():
            found.append(Curve(said, Look.number(number), band))
    return found


def _point(row: Mapping[str, Any], look: Look) -> Point:
    middle, low, high = (row["test_accuracy"][name] for name in ("median", "low", "high"))
    return Point(row["name"], look, row["stored_bits"], middle, low, high)


def _median(one: DataSet, name: str, measure: str) -> float | None:
    for row in one.rows:
        if row["name"] == name and row.get(measure):
            return float(row[measure]["median"])
    return None
