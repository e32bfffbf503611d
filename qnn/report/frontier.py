"""Accuracy against stored size as a part of a report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from qnn.report import text
from qnn.report.figures import charts
from qnn.report.figures.charts import Look, Point
from qnn.report.provenance import made
from qnn.report.view import Chart, Conclusions, Part, Row, Section, Table

Results = Mapping[str, Any]

BITS_OF_KIB = 8 * 1024


def part(results: Results, prefix: str) -> Part:
    """A frontier as it is shown.  ``prefix`` begins the names of its charts."""
    spec = results["data"]["spec"]
    points = [p for p in results["points"] if p.get("test_accuracy") is not None]
    table = Table(
        "",
        ["network", "KiB", "test accuracy", "training accuracy", "seconds", ""],
        [_row(p, " - ".join(map(str, p["widths"])), p["kib"]) for p in results["points"]]
        + [_row(p, p["variant"], p["stored_bits"] / BITS_OF_KIB) for p in results["references"]]
        + [_published(p) for p in results["published"]],
        note="Sizes count weights and thresholds. Published figures are from other programs.",
    )
    chart = Chart(
        f"{prefix}-frontier",
        "Test accuracy against stored size",
        "Each point is a network; crosses are published networks.",
        partial(charts.accuracy_and_size, points=_points(points, results["published"])),
        wide=True,
    )
    return Part(
        title=f"Accuracy against stored size on {spec}",
        line=f"{len(results['points'])} networks, {results['model']['loss']} loss",
        conclusions=Conclusions(
            list(_can(points, results["references"], results["published"])), list(_cannot(results))
        ),
        sections=[
            Section("Figures", tables=[table], charts=[chart] if points else []),
            made(results),
        ],
    )


def _row(point: Results, name: str, kib: float) -> Row:
    return Row(
        [
            name,
            f"{kib:.3g}",
            text.number(point.get("test_accuracy"), "{:.2%}"),
            text.number(point.get("train_accuracy"), "{:.2%}"),
            text.seconds(point.get("seconds")),
            str(point.get("weights") or "real weights of 32 bits"),
        ]
    )


def _published(point: Results) -> Row:
    kib, accuracy = f"{point['kib']:g}", f"{point['accuracy']:.2%}"
    return Row(
        [str(point["name"]), kib, accuracy, text.NONE, text.NONE, str(point["source"])], minor=True
    )


def _points(points: Sequence[Results], published: Sequence[Results]) -> list[Point]:
    found = []
    for size in dict.fromkeys(p["variant"] for p in points):
        same = [p for p in points if p["variant"] == size]
        low, median, high = np.quantile([p["test_accuracy"] for p in same], [0.25, 0.5, 0.75])
        bits = float(np.median([p["stored_bits"] for p in same]))
        found.append(Point("here", Look.number(0), bits, median, low, high))
    for number, p in enumerate(published):
        bits, accuracy = p["kib"] * BITS_OF_KIB, p["accuracy"]
        look = Look.reference(number)
        found.append(Point(p["name"], look, bits, accuracy, accuracy, accuracy))
    return found


def _can(
    points: Sequence[Results], references: Sequence[Results], published: Sequence[Results]
) -> Iterator[str]:
    """Where we stand against each published network and against logistic regression."""
    for p in published:
        smaller = [q["test_accuracy"] for q in points if q["kib"] <= p["kib"]]
        if smaller:
            best = max(smaller)
            verdict = "at or above" if best >= p["accuracy"] else "below"
            yield (
                f"{p['name']} ({p['accuracy']:.2%} at {p['kib']:g} KiB): the best network here of "
                f"at most that size has {best:.2%}, {verdict} it."
            )
    known = [r["test_accuracy"] for r in references if r.get("test_accuracy") is not None]
    if known and points:
        best = max(points, key=lambda p: p["test_accuracy"])
        regression = float(np.median(known))
        verdict = "above" if best["test_accuracy"] > regression else "not above"
        yield (
            f"The best network, {best['test_accuracy']:.2%} at {best['kib']:.3g} KiB, is {verdict} "
            f"logistic regression with real weights ({regression:.2%})."
        )


def _cannot(results: Results) -> Iterator[str]:
    if len(results["seeds"]) == 1:
        yield "How much a figure varies: each network was trained on one draw, from one seed."
    if results["published"]:
        yield "Differences from published figures whose data were split or prepared otherwise."
