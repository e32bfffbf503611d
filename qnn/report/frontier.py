"""Report part for accuracy against stored size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from qnn.report import text
from qnn.report.figures import charts
from qnn.report.figures.charts import Look, Point
from qnn.report.provenance import made
from qnn.report.view import Chart, Part, Row, Section, Table
from qnn.runs.output import BITS_OF_KIB

Results = Mapping[str, Any]


def part(results: Results, prefix: str) -> Part:
    """Build the part for a frontier; ``prefix`` begins the names of its charts."""
    spec = results["data"]["spec"]
    points = [p for p in results["points"] if p.get("test_accuracy") is not None]
    lines = [_row(p, " - ".join(map(str, p["widths"])), p["kib"]) for p in results["points"]]
    lines += [_row(p, p["variant"], p["stored_bits"] / BITS_OF_KIB) for p in results["references"]]
    known = [
        Row([p["name"], f"{p['kib']:.2f}", f"{p['accuracy']:.2%}", *[text.NONE] * 2, p["source"]],
            minor=True)
        for p in results["published"]
    ]  # fmt: skip
    rows = [*(Row([*line.values()]) for line in lines), *known]
    note = "Sizes count weights and thresholds."
    if known:
        note += " Published figures are from other programs."
    table = Table("", [*_row({}, "", 0.0)], rows, note)
    chart = Chart(
        f"{prefix}-frontier",
        "Test accuracy against stored size",
        "Each point is the median of the networks of one size, with its quartiles; crosses are "
        "published networks, and logistic regression with real weights.",
        partial(charts.frontier, here=_here(points), others=_others(results)),
        wide=True,
    )
    return Part(
        title=f"Accuracy against stored size on {spec}",
        line=f"{len(results['points'])} networks, {results['model']['loss']} loss",
        conclusions=(
            list(_can(points, results["references"], results["published"])),
            list(_cannot(results)),
        ),
        sections=[
            Section("Figures", tables=[table], charts=[chart] if points else []),
            made(results),
        ],
    )


def _row(point: Results, name: str, kib: float) -> dict[str, str]:
    return {
        "network": name,
        "KiB": f"{kib:.2f}",
        "test accuracy": text.number(point.get("test_accuracy"), "{:.2%}"),
        "training accuracy": text.number(point.get("train_accuracy"), "{:.2%}"),
        "seconds": text.seconds(point.get("seconds")),
        "weights, or source": str(point.get("weights") or "real, 32 bits"),
    }


def _here(points: Sequence[Results]) -> list[Point]:
    """Return the median and quartiles of our networks by size."""
    found = []
    for size in dict.fromkeys(p["variant"] for p in points):
        same = [p for p in points if p["variant"] == size]
        low, median, high = np.quantile([p["test_accuracy"] for p in same], [0.25, 0.5, 0.75])
        bits = float(np.median([p["stored_bits"] for p in same]))
        found.append(("here", Look.number(0), bits, (median, low, high)))
    return found


def _others(results: Results) -> list[Point]:
    """Return published networks, and logistic regression."""
    known = [(p["name"], p["kib"] * BITS_OF_KIB, p["accuracy"]) for p in results["published"]]
    fitted = [r for r in results["references"] if r.get("test_accuracy") is not None]
    if fitted:
        regression = float(np.median([r["test_accuracy"] for r in fitted]))
        known.append(("logistic regression, real weights", fitted[0]["stored_bits"], regression))
    return [(name, Look.reference(0), bits, (median,) * 3) for name, bits, median in known]


def _can(
    points: Sequence[Results], references: Sequence[Results], published: Sequence[Results]
) -> Iterator[str]:
    """Compare our networks with published ones (those ahead first) and logistic regression."""
    behind: list[str] = []
    ahead: list[str] = []
    for p in published:
        most = p["kib"] * BITS_OF_KIB
        smaller = [median for _, _, size, (median, *_) in _here(points) if size <= most]
        if smaller:
            largest = max(smaller)
            verdict = "at or above" if largest >= p["accuracy"] else "below"
            (ahead if largest >= p["accuracy"] else behind).append(
                f"{p['name']} ({p['accuracy']:.2%} at {p['kib']:g} KiB): the best size here of "
                f"at most that has a median of {largest:.2%}, {verdict} it."
            )
    yield from [*behind, *ahead]
    known = [r["test_accuracy"] for r in references if r.get("test_accuracy") is not None]
    if known and points:
        _, _, size, (best, *_) = max(_here(points), key=lambda point: point[3][0])
        regression = float(np.median(known))
        verdict = "above" if best > regression else "not above"
        yield (
            f"The best network, {best:.2%} at {size / BITS_OF_KIB:.3g} KiB, is "
            f"{verdict} logistic regression with real weights ({regression:.2%})."
        )


def _cannot(results: Results) -> Iterator[str]:
    if len(results["seeds"]) == 1:
        yield "How much a figure varies: each network was trained on one draw, from one seed."
    if len(sizes := {p["variant"] for p in results["points"]}) > 1:
        yield (
            f"How good the best network is on new data: it is the best of {len(sizes)} sizes on "
            "the same test samples."
        )
    if results["published"]:
        yield "Differences from published figures whose data were split or prepared otherwise."
