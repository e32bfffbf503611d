"""Report part for a training run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from qnn.report import conclusions as words
from qnn.report import text
from qnn.report.figures import charts
from qnn.report.figures.charts import Look
from qnn.report.figures.pictures import of_history
from qnn.report.figures.series import over_rounds, over_time, steps_of
from qnn.report.provenance import ledger, made
from qnn.report.view import Chart, Part, Section, Table, figures

Results = Mapping[str, Any]


def part(results: Results, prefix: str) -> Part:
    """Build the part for a training run; ``prefix`` begins the names of its charts."""
    return Part(
        title=f"{results['solver']} on {results['data']['spec']}",
        line=_line(results),
        conclusions=words.of_training(results),
        sections=[
            Section("Figures", tables=[_figures(results)], charts=_charts(results, prefix)),
            ledger([{"variant": results["solver"], **results}]),
            made(results),
        ],
        warning="This run has not ended: what follows is what its latest checkpoint holds."
        if results["status"] == "not ended"
        else "",
    )


def _line(results: Results) -> str:
    said = [
        text.widths(results),
        results["model"]["weights"] and f"{results['model']['weights']} weights",
        f"{results['model']['loss']} loss",
        f"seed {results['seed']}",
    ]
    if results.get("stored_bits"):
        said.insert(2, f"{results['stored_bits']:,} stored bits")
    return ", ".join(filter(None, said))


def _figures(results: Results) -> Table:
    said = {
        "training loss": text.number(results.get("train_loss"), "{:.6g}"),
        "proven bound": text.number(results.get("lower_bound"), "{:.6g}"),
        "training accuracy": text.number(results.get("train_accuracy"), "{:.1%}"),
        "test accuracy": text.number(results.get("test_accuracy"), "{:.1%}"),
        "training samples": text.whole(results.get("train_samples")),
        "test samples": text.whole(results.get("test_samples")),
        "weights": text.whole(results.get("num_weights")),
        "stored bits": text.whole(results.get("stored_bits") or results.get("weight_bits")),
        "bits a weight": text.number(results.get("bits_per_weight"), "{:.3g}"),
        "variables of the model": text.whole(results.get("num_variables")),
        "constraints": str(results.get("constraints") or text.NONE),
        "seconds": text.seconds(results.get("seconds")),
        "status": str(results.get("reason") or results["status"]),
    }
    return figures(said)


def _charts(results: Results, prefix: str) -> list[Chart]:
    """Draw loss over time, or by round if times are missing, and the solver's own history."""
    solver, where = results["solver"], results["data"]["spec"]
    history = results.get("history") or {}
    found = []
    if steps := steps_of([results]):
        found.append(
            Chart(
                f"{prefix}-loss",
                "Training loss over time",
                "Best loss so far, by wall-clock seconds.",
                partial(charts.curves, curves=[(solver, Look.number(0), over_time([steps]))]),
            )
        )
    elif by_round := over_rounds([history], "loss"):
        curves = [("best loss", Look.number(0), by_round)]
        found.append(
            Chart(
                f"{prefix}-rounds",
                "Training loss by round",
                "Best loss so far, by the solver's rounds.",
                partial(charts.curves, curves=curves, across="round"),
            )
        )
    return [*found, *of_history(solver, [history], f"{prefix}-own", where)]
