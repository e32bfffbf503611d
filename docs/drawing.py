"""All figures of the documentation, drawn by the toolkit itself.

    python docs/drawing.py        # into docs/figures/; make docs does it too

Needs matplotlib: pip install 'qnn-ising[plot]'.
"""

from __future__ import annotations

import importlib
import io
import sys
from pathlib import Path

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

HERE = Path(__file__).parent
FIGURES = HERE / "figures"
NAMES = ("neuron", "model", "qcgd", "cqm", "frontier", "crossing")
"""Each is drawn by ``draw_NAME.py``, whose ``draw`` returns the figure."""

BLUE, ORANGE, GREEN, PURPLE, GREY = "#3d85d0", "#e0762f", "#2c9c6a", "#a368d8", "#808080"
"""Each stands on white and on black alike."""

STYLE = {
    "axes.edgecolor": GREY,
    "axes.labelcolor": GREY,
    "axes.prop_cycle": mpl.cycler(color=[BLUE, ORANGE, GREEN, PURPLE]),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": GREY,
    "axes.titlesize": 10,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "legend.frameon": False,
    "savefig.transparent": True,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "qnn",  # the same figure is the same file
    "text.color": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
}


def label(axes: Axes, x: str, y: str, title: str = "") -> None:
    """Names of both axes, and a title at the left."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.set_title(title, loc="left")


def svg(figure: Figure) -> str:
    """The figure as SVG text."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    plt.close(figure)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def draw(name: str) -> str:
    """One figure as SVG text."""
    with mpl.rc_context(STYLE):
        return svg(importlib.import_module(f"draw_{name}").draw())


def draw_all(folder: Path = FIGURES) -> None:
    """Draw every figure; a file is written only where it changes."""
    folder.mkdir(exist_ok=True)
    for name in NAMES:
        path, text = folder / f"{name}.svg", draw(name)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


if __name__ == "__main__":
    sys.path.insert(0, str(HERE.parent))
    mpl.use("svg")
    draw_all()
