"""A neuron's activation as pieces, and what interval propagation knows of its pre-activation."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from drawing import BLUE, GREY, ORANGE, label
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

import qnn
from formulations import Network, TrainingProblem
from formulations.network.splines import fit
from solvers import WeightAnnealing

REACH, PIECES, FREE, SHOWN = 8, 5, 10, 10


def draw() -> Figure:
    """The pieces at the left, the intervals of some neurons at the right."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(8.6, 3.5), layout="constrained")
    pieces(left)
    intervals(right)
    return figure


def pieces(axes: Axes) -> None:
    """tanh(z / 3) on the integers of [-8, 8], by constant and by linear pieces."""

    def function(z: np.ndarray) -> np.ndarray:
        return np.tanh(z / 3)

    z = np.arange(-REACH, REACH + 1)
    fine = np.linspace(-REACH, REACH, 400)
    constant = fit(function, -REACH, REACH, pieces=PIECES, order=0)
    linear = fit(function, -REACH, REACH, pieces=3, order=1)
    axes.plot(fine, function(fine), color=GREY, linewidth=1)
    axes.plot(z, constant(z), "o", color=BLUE, markersize=4)
    axes.plot(z, linear(z), "x", color=ORANGE, markersize=5)
    edges = [-REACH, *constant.breakpoints.tolist(), REACH + 1]
    for p, (start, end) in enumerate(pairwise(edges), start=1):
        if p > 1:
            axes.axvline(start - 0.5, color=BLUE, linewidth=0.7, linestyle=":")
        axes.text((start + end - 1) / 2, 1.12, f"$\\beta_{p}$", color=BLUE, ha="center")
    axes.text(
        REACH,
        -0.72,
        f"{PIECES} constant pieces\nerror {constant.error:.2f}",
        color=BLUE,
        ha="right",
    )
    axes.text(REACH, -1.05, f"3 linear, error {linear.error:.2f}", color=ORANGE, ha="right")
    axes.set_ylim(-1.15, 1.3)
    label(axes, "pre-activation z", "value a", "tanh(z / 3) in pieces")


def intervals(axes: Axes) -> None:
    """Bounds of z of hidden neurons: all bits free, and ten of them around an incumbent."""
    data = qnn.load("digits:3,8", samples=50, inputs=16)
    problem = TrainingProblem(Network.dense([16, 4, 1]), data.X_train, data.y_train)
    best = WeightAnnealing(flips=5000, seed=0).solve(problem)
    free = np.random.default_rng(1).choice(64, FREE, replace=False)  # of the hidden layer
    wide, narrow = problem.bounds[0], problem.restrict(np.sort(free), best.bits).bounds[0]
    bar = {"linewidth": 6, "solid_capstyle": "butt"}
    for k in range(SHOWN):
        low, high = narrow.z_low[k, 0], narrow.z_high[k, 0]
        open_ = low < 0 <= high
        axes.plot([k, k], [wide.z_low[k, 0], wide.z_high[k, 0]], color=GREY, alpha=0.45)
        axes.plot([k, k], [low, high], color=ORANGE if open_ else BLUE, **bar)
    axes.axhline(0, color=GREY, linewidth=0.7, linestyle=":")
    axes.set_xticks(range(SHOWN), [str(k + 1) for k in range(SHOWN)])
    axes.plot([], [], color=GREY, alpha=0.45, label="all weights free")
    axes.plot([], [], color=ORANGE, **bar, label=f"{FREE} free: both signs possible")
    axes.plot([], [], color=BLUE, **bar, label=f"{FREE} free: sign decided, no bit needed")
    axes.set_ylim(-17, 34)
    axes.legend(loc="upper left", fontsize=9)
    label(axes, "training sample", "bounds of z", "Intervals of a hidden neuron, 16 inputs")
