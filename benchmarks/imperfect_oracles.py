"""QCGD under imperfect oracles: objective error and infeasibility against T, beside 1/sqrt(T).

The models are random QCBOs of 15 bits and three equality rows, whose minimum feasible objective is
enumerated.  All get the same oracles: exact, annealed, and the exact one with noise of three
variances, with 4, 5, 6 and 8 bits, and with two success probabilities.  QCGD is plain: every call
starts from random states, without repair, with a fixed beta0.

The conditional gradient's guarantee is about the averaged W_T = sum_t 2t / (T (T + 1)) x_t x_t':

    |<C, W_T> - f*| = O(1 / sqrt(T)),     |A(W_T) - v| = O(1 / sqrt(T)).

    python benchmarks/imperfect_oracles.py FOLDER

writes report.md, curves.svg (extra ``plot``) and figures.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from formulations.model.qcbo import QCBO
from qnn.runs.output import write_text
from solvers import QCGD, Candidates, LiftedRows
from solvers.oracles import Annealer, ExactOracle, Noise, Oracle, Precision, Success
from solvers.oracles.testing import every_state
from solvers.qcgd.scoring import ModelScoring

BITS, ROWS = 15, 3
ORACLES: dict[str, Callable[[], Oracle]] = {
    "exact": lambda: Success(ExactOracle(), 1.0),  # without proofs, which would end the run
    "annealed": lambda: Annealer(reads=5, sweeps=50),
    "noise 0.0001": lambda: Noise(ExactOracle(), 1e-4),
    "noise 0.001": lambda: Noise(ExactOracle(), 1e-3),
    "noise 0.01": lambda: Noise(ExactOracle(), 1e-2),
    "4 bits": lambda: Precision(ExactOracle(), 4),
    "5 bits": lambda: Precision(ExactOracle(), 5),
    "6 bits": lambda: Precision(ExactOracle(), 6),
    "8 bits": lambda: Precision(ExactOracle(), 8),
    "success 0.9": lambda: Success(ExactOracle(), 0.9),
    "success 0.5": lambda: Success(ExactOracle(), 0.5),
}
GREY = "#808080"
STYLE = {
    **dict.fromkeys(
        ("text.color", "xtick.color", "ytick.color", "axes.labelcolor", "axes.edgecolor"), GREY
    ),
    "axes.titlecolor": GREY,
    "legend.frameon": False,
    "savefig.transparent": True,
}
"""Readable on white and on black."""

CLAIMED_BETA0 = {0.1: 5, 1.0: 8, 10.0: 10}
"""Optima in ten draws with an exact oracle, by beta0, as measured earlier."""

CLAIMED_BITS = {"4 bits": 1, "5 bits": 5, "6 bits": 6, "8 bits": 8, "exact": 8}
"""Optima in ten draws by the precision of the coefficients, as measured earlier."""


def drawn(number: int) -> tuple[QCBO, float]:
    """Return a model with a feasible point, and its minimum feasible objective."""
    rng = np.random.default_rng(number)
    rows = np.zeros((ROWS, BITS))
    for row in rows:
        row[rng.choice(BITS, 6, replace=False)] = rng.integers(1, 4, 6) * rng.choice([-1, 1], 6)
    quadratic = np.triu(rng.normal(size=(BITS, BITS)), 1) * (rng.random((BITS, BITS)) < 0.5)
    feasible = rng.integers(0, 2, BITS)
    model = QCBO.from_arrays(rng.normal(size=BITS), rows, rows @ feasible, quadratic=quadratic)
    every = every_state(BITS)
    return model, float(model.objective(every[model.is_feasible(every)]).min())


def descent(model: QCBO, least: float, oracle: Oracle, T: int, beta0: float) -> dict[str, Any]:
    """Return one run's errors of the averaged iterate after each t, and if it met the optimum."""
    lifted, candidates = LiftedRows(beta0=beta0), Candidates(fresh=1, repair=False)
    solver = QCGD(oracle, iterations=T, lifted=lifted, candidates=candidates, stop=None)
    run, _ = solver.descend(ModelScoring(model), model)
    objective, mean = run.history["atom_objective"], 0.0
    errors = np.zeros(len(objective))
    for t, value in enumerate(objective, start=1):
        mean += 2.0 / (t + 1.0) * (value - mean)
        errors[t - 1] = abs(mean - least) / max(1.0, abs(least))
    norms = [run.history[f"residual_{kind}"] for kind in ("mean", "square", "product")]
    return {
        "error": errors,
        "residual": np.sqrt(sum(norm**2 for norm in norms)),
        "met": bool(run.incumbent.loss <= least + 1e-6),
    }


def slope(curve: np.ndarray) -> float:
    """Return the exponent a of a fit C T^a from T = 10 on."""
    t = np.arange(1, len(curve) + 1)
    late = (t >= 10) & (curve > 1e-9)
    if np.count_nonzero(late) < 2:
        return float("nan")  # it is zero
    return float(np.polyfit(np.log(t[late]), np.log(curve[late]), 1)[0])


def measured(draws: int, T: int) -> dict[str, Any]:
    """Return all figures of the report."""
    models = [drawn(number) for number in range(draws)]
    curves, optima = {}, {}
    for name, make in ORACLES.items():
        runs = [descent(model, least, make(), T, 1.0) for model, least in models]
        optima[name] = sum(run["met"] for run in runs)
        curves[name] = {
            kind: np.median([run[kind] for run in runs], axis=0) for kind in ("error", "residual")
        }
    by_beta0 = {
        beta0: sum(descent(m, least, ExactOracle(), T, beta0)["met"] for m, least in models)
        for beta0 in CLAIMED_BETA0
        if beta0 != 1.0
    }
    by_beta0[1.0] = optima["exact"]
    return {"draws": draws, "T": T, "curves": curves, "optima": optima, "by_beta0": by_beta0}


def report(figures: dict[str, Any], plotted: bool) -> str:
    """Return the figures as Markdown."""
    draws, T, curves = figures["draws"], figures["T"], figures["curves"]
    lines = [
        "# QCGD under imperfect oracles",
        "",
        f"{draws} random models of {BITS} bits and {ROWS} rows; {T} iterations, beta0 = 1,",
        "one call an iteration from random states, no repair. Medians over the models of the",
        "relative objective error and of the residual norm of the averaged iterate. The exponent",
        "is that of a fit C T^a from T = 10 on; the guarantee, with an exact oracle, is a = -0.5.",
        "",
        *(["![curves](curves.svg)", ""] if plotted else []),
        f"| oracle | error at 10 | at {T} | exponent | residual at 10 | at {T} | exponent | "
        "optimum met |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, curve in curves.items():
        error, residual = curve["error"], curve["residual"]
        lines.append(
            f"| {name} | {error[9]:.3f} | {error[-1]:.3f} | {slope(error):.2f} | "
            f"{residual[9]:.3f} | {residual[-1]:.3f} | {slope(residual):.2f} | "
            f"{figures['optima'][name]}/{draws} |"
        )
    lines += ["", "## Earlier figures, found again or not", ""]
    lines += ["| what | earlier, of 10 draws | here | within the spread of 10 draws |"]
    lines += ["| --- | --- | --- | --- |"]
    for beta0, claimed in CLAIMED_BETA0.items():
        found = figures["by_beta0"][beta0]
        lines.append(_claim(f"exact oracle, beta0 = {beta0:g}", claimed, found, draws))
    for name, claimed in CLAIMED_BITS.items():
        lines.append(_claim(f"{name}, beta0 = 1", claimed, figures["optima"][name], draws))
    lines += [
        "",
        "Within the spread: a draw of ten with the chance found here has the earlier count or one",
        "further off with a probability of at least 5 % (two-sided, binomial). So few draws",
        "tell only large differences apart.",
    ]
    return "\n".join(lines) + "\n"


def _claim(what: str, claimed: int, found: int, draws: int) -> str:
    """Return a row of the table of earlier figures."""
    from scipy.stats import binomtest

    chance = (found + 0.5) / (draws + 1.0)  # Jeffreys prior: a probability is never 0 or 1
    within = "yes" if binomtest(claimed, 10, chance).pvalue >= 0.05 else "no"
    return f"| {what} | {claimed}/10 | {found}/{draws} | {within} |"


def plot(figures: dict[str, Any], path: Path) -> bool:
    """Draw the curves as SVG; return False without matplotlib."""
    try:
        import matplotlib
    except ImportError:
        return False
    matplotlib.use("svg")
    from matplotlib import pyplot

    t = np.arange(1, figures["T"] + 1)
    with pyplot.rc_context(STYLE):
        figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5), sharex=True)
        titles = (("error", "relative objective error"), ("residual", "infeasibility |A(W) - v|"))
        for axis, (kind, title) in zip(axes, titles, strict=True):
            for number, (name, curve) in enumerate(figures["curves"].items()):
                colour = pyplot.colormaps["tab20"](number)
                axis.loglog(t, np.maximum(curve[kind], 1e-6), label=name, linewidth=1, color=colour)
            start = figures["curves"]["exact"][kind][0]
            axis.loglog(t, start / np.sqrt(t), "--", color=GREY, label="1/sqrt(T)")
            axis.set(title=title, xlabel="T")
        axes[1].legend(fontsize=7)
        figure.tight_layout()
        figure.savefig(path, metadata={"Date": None})
    return True


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--iterations", type=int, default=200)
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    started = time.perf_counter()
    figures = measured(asked.draws, asked.iterations)
    plotted = plot(figures, asked.folder / "curves.svg")
    text = report(figures, plotted)
    write_text(asked.folder / "report.md", text)
    kept = json.dumps(figures, default=lambda array: array.tolist(), indent=1)
    write_text(asked.folder / "figures.json", kept + "\n")
    print(f"{text}\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
