"""Test accuracy on MNIST against stored size: the page's own table, beside what is published."""

from __future__ import annotations

from pathlib import Path

from drawing import BLUE, ORANGE, label
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from qnn.runs.frontier import published

PAGE = Path(__file__).parent / "frontier.md"


def draw() -> Figure:
    """Ours as a line through the best network of each size; published networks as crosses."""
    text = PAGE.read_text().partition("## MNIST")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in text.splitlines() if line.startswith("| `--kib")]
    ours = {float(row[3]): float(row[4].strip(" *")) for row in rows}  # the last of each size
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.semilogx(*zip(*sorted(ours.items()), strict=True), "o-", color=BLUE, label="here, one bit")
    for number, (name, accuracy, kib, _) in enumerate(published("mnist")):
        place, said = (kib, accuracy), "" if number else "published"
        axes.semilogx(*place, "x", color=ORANGE, label=said)
        # Three have another's point or name to their right.
        at, side = {
            "BitNetMCU, 4-bit weights": ((-3, -14), "left"),
            "LILogicNet, small": ((0, -14), "center"),
            "TFC, 1-bit weights and units": ((6, -9), "left"),
        }.get(name, ((6, -3), "left"))
        style = {"textcoords": "offset points", "fontsize": 9, "color": ORANGE, "ha": side}
        axes.annotate(name, place, at, **style)
    axes.set(xlim=(0.9, 9000), ylim=(0.926, 0.995))
    label(axes, "KiB stored", "test accuracy", "MNIST, 60,000 + 10,000 images")
    axes.legend(loc="lower right")
    return figure
