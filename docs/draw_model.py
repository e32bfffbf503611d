"""Where the coefficients of a small model are: its rows, and the QUBO of a QCGD round."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from drawing import BLUE, GREEN, GREY, ORANGE, PURPLE, label
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import qnn
from formulations import QCBO, Network, TrainingProblem
from solvers import QCGD
from solvers.footprint import first_qubo

COLOURS = {"beta": ORANGE, "s": BLUE, "u": PURPLE, "w": GREEN}
MEANING = {"beta": "signs", "s": "words", "u": "products", "w": "weights"}


def draw() -> Figure:
    """4-2-1 on six samples: rows above, QUBO below."""
    data = qnn.load("digits:3,8", samples=6, inputs=4)
    problem = TrainingProblem(Network.dense([4, 2, 1]), data.X_train, data.y_train)
    model = problem.qcbo()
    qubo = first_qubo(lambda oracle: QCGD(oracle=oracle, iterations=1).solve(problem))
    n = model.num_variables
    pattern = sp.coo_array((qubo.couplings, (qubo.heads, qubo.tails)), shape=(n, n))
    figure, (above, below) = plt.subplots(
        2, sharex=True, figsize=(6, 7.4), layout="constrained", height_ratios=[1, 3.2]
    )
    entries(above, model, model.rows.tocoo())
    names(above, model)
    label(above, "", "row", "")
    entries(below, model, pattern)
    share = 100 * len(qubo.heads) / (n * (n - 1) / 2)
    label(below, f"bit, 1 to {n}", "bit", f"QUBO of a round: {share:.0f} % of all couplers")
    for axes in (above, below):
        axes.spines[:].set_visible(True)
        axes.set_xticks([])
        axes.set_yticks([])
    return figure


def entries(axes: Axes, model: QCBO, matrix: sp.coo_array) -> None:
    """A mark for each entry, in the colour of its column's family."""
    kinds = np.repeat(
        [family.name for family in model.labels.families],
        [len(family) for family in model.labels.families],
    )
    for kind in dict.fromkeys(kinds.tolist()):
        chosen = kinds[matrix.col] == kind
        axes.plot(matrix.col[chosen], matrix.row[chosen], "s", color=COLOURS[kind], markersize=2.6)
    axes.set_xlim(-1, matrix.shape[1])
    axes.set_ylim(matrix.shape[0], -1)
    ends = np.cumsum([len(family) for family in model.labels.families])[:-1]
    for end in ends.tolist():
        axes.axvline(end - 0.5, color=GREY, linewidth=0.5)
        if matrix.shape[0] == matrix.shape[1]:
            axes.axhline(end - 0.5, color=GREY, linewidth=0.5)


def names(axes: Axes, model: QCBO) -> None:
    """What the bits are, over their columns."""
    start = 0
    for family in model.labels.families:
        middle = start + len(family) / 2 - 0.5
        text = f"{len(family)}\n{MEANING[family.name]}"
        axes.text(middle, -1.6, text, color=COLOURS[family.name], ha="center")
        start += len(family)
