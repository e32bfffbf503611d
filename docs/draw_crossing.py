"""What enumeration leaves of the time of a machine's answer, and how long today's machines take."""

from __future__ import annotations

import json
from pathlib import Path

from drawing import BLUE, GREEN, GREY, ORANGE, label
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

FIGURES = Path(__file__).parents[1] / "benchmarks" / "results" / "crossover.json"


def draw() -> Figure:
    """A line for each number of samples; where it is above a machine's, that machine is faster."""
    found = json.loads(FIGURES.read_text())
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for samples, color in ((100, BLUE), (1000, ORANGE), (10_000, GREEN)):
        rows = [row for row in found["enumeration"] if row["samples"] == samples]
        left = [1e3 * (row["enumerate"] - min(row["states"], row["flips"])) for row in rows]
        shown = [(row["k"], time) for row, time in zip(rows, left, strict=True) if time > 0]
        axes.semilogy(*zip(*shown, strict=True), "o-", color=color, label=f"N = {samples:,}")
    for name, microseconds in found["machines"]:
        axes.plot([3.5, 18.3], 2 * [microseconds / 1e3], color=GREY, linewidth=0.8, linestyle=":")
        axes.text(18.5, microseconds / 1e3, name, color=GREY, fontsize=9, va="center")
    axes.set_xlim(3.5, 38)
    axes.set_xticks([4, 8, 12, 16, 18])
    label(axes, "free weights k", "milliseconds", "time left for an answer")
    axes.legend(loc="upper left")
    return figure
