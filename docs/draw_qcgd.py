"""A run of QCGD: the real loss, the averaged residuals, and the multipliers."""

from __future__ import annotations

from drawing import label
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import qnn
from formulations import Network, TrainingProblem
from solvers import QCGD
from solvers.oracles import Annealer


def draw() -> Figure:
    """Digits 3 against 8, 16-4-1 on 50 samples, 60 rounds."""
    data = qnn.load("digits:3,8", samples=50, inputs=16)
    problem = TrainingProblem(Network.dense([16, 4, 1]), data.X_train, data.y_train)
    found = QCGD(oracle=Annealer(reads=5, sweeps=100), iterations=60, seed=0).solve(problem).history
    rounds = found["iteration"]
    figure, (loss, residual, dual) = plt.subplots(
        3, sharex=True, figsize=(7, 6), layout="constrained"
    )
    loss.step(rounds, found["loss"], where="post")
    label(loss, "", "hinge loss", "Incumbent, scored by the forward pass")
    residual.semilogy(rounds, found["residual_mean"], label="(i) rows")
    residual.semilogy(rounds, found["residual_square"], label="(ii) their squares")
    label(residual, "", "norm", "Residual of the averaged atoms")
    residual.legend(loc="upper right", ncols=2)
    dual.semilogy(rounds, found["multiplier_mean"], label="(i) rows")
    dual.semilogy(rounds, found["multiplier_square"], label="(ii) their squares")
    dual.semilogy(rounds, found["beta"], label=r"$\beta$, weight of the residual", linestyle="--")
    dual.set_ylim(None, 1.0)
    label(dual, "round (one oracle call each)", "norm", "Multipliers (duals)")
    dual.legend(loc="upper right", ncols=3)
    return figure
