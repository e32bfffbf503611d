"""Report part for an answer to a constrained model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from qnn.report import text
from qnn.report.figures import charts
from qnn.report.figures.charts import Look
from qnn.report.figures.series import over_time, steps_of
from qnn.report.provenance import ledger, made
from qnn.report.view import Chart, Part, Row, Section, Table, figures

Results = Mapping[str, Any]


def part(results: Results, prefix: str) -> Part:
    """Build the part for an answer of ``qnn solve``; ``prefix`` begins the names of its charts."""
    how = {
        **results,
        "datasets": [{"spec": results["model"]}],
        "model": {},
        "seed": results["options"]["seed"],
    }
    warning = "No feasible point was found; this does not prove that there is none."
    if results["infeasibility"] == "model":
        warning = "This model has no feasible point: proven."
    return Part(
        title=f"Answer to {results['model']}",
        line=f"{results['variables']:,} variables, {results['constraints']:,} constraints, "
        f"{results['status']}",
        conclusions=conclusions(results),
        sections=[
            Section("Figures", tables=_figures(results), charts=_charts(results, prefix)),
            *_constraints(results.get("rows") or []),
            ledger([{"variant": "qcgd", **results}]),
            made(how),
        ],
        warning="" if results["feasible"] else warning,
    )


def _constraints(rows: Sequence[Mapping[str, Any]], most: int = 30) -> list[Section]:
    """List violated constraints first, then binding ones, with slack and multiplier."""
    if not rows:
        return []
    lines = [
        Row([
            str(row["constraint"]),
            row["state"],
            f"{row['value']:.6g} {row['sense']} {row['bound']:.6g}",
            f"{row['slack']:.6g}",
            text.number(row["multiplier"], "{:.3g}"),
        ])
        for row in rows[:most]
    ]  # fmt: skip
    more = len(rows) - most
    note = "Multiplier: what the search last charged for a unit; no dual of the model."
    note += f" {more:,} more constraints are in the JSON." if more > 0 else ""
    columns = ["constraint", "state", "value", "slack", "multiplier"]
    return [
        Section("Constraints", tables=[Table("", columns, lines, note, words=2, wordy_end=False)])
    ]


def conclusions(results: Results) -> tuple[list[str], list[str]]:
    """State what the answer shows and what it does not.

    Examples
    --------
    >>> can, _ = conclusions({"feasible": True, "status": "finished", "objective": 90.0,
    ...                       "bound": 100.0, "gap": 0.1, "sense": "maximize"})
    >>> print(*can, sep="\\n")
    A feasible point has the objective 90.
    No feasible point has an objective above 100: proven, so that 90 is within 10% of the best.
    """
    can, cannot = [], []
    objective, bound = results.get("objective"), results.get("bound")
    beyond = "above" if results.get("sense") == "maximize" else "below"
    if results["feasible"]:
        can.append(f"A feasible point has the objective {objective:.10g}.")
    if results["status"] == "optimal":
        can.append("No feasible point has a better one: proven.")
    elif results["status"] == "infeasible":
        can.append("No point satisfies all constraints: proven.")
    elif bound is not None:
        proven = f"No feasible point has an objective {beyond} {bound:.10g}: proven"
        share = results.get("gap")
        within = f", so that {objective:.10g} is within {share:.3g} of the best"
        within = within.replace(f"{share:.3g}", f"{100 * share:.3g}%") if share is not None else ""
        can.append(f"{proven}{within if results['feasible'] else ''}.")
    else:
        cannot.append("How far the objective is from the best possible: no bound is proven.")
    if results["status"] not in ("optimal", "infeasible"):
        cannot.append("What more time or another seed would find.")
    return can or ["Nothing: no feasible point and no proof."], cannot or ["-"]


def _figures(results: Results) -> list[Table]:
    gap = results.get("gap")
    sign = -1.0 if results.get("sense") == "maximize" else 1.0  # of the minimised objective
    alone = results.get("oracle_best")
    said = {
        "objective": text.number(results.get("objective"), "{:.10g}"),
        "proven bound": text.number(results.get("bound"), "{:.10g}"),
        "gap": text.number(gap, "{:.3%}"),
        "sense": str(results.get("sense", text.NONE)),
        "bits": text.whole(results.get("bits")),
        "bits after presolve": text.whole(results.get("bits_after_presolve")),
        "rows after presolve": text.whole(results.get("rows_after_presolve")),
        "best of the oracle alone": text.number(None if alone is None else sign * alone, "{:.10g}"),
        "seconds": text.seconds(results.get("seconds")),
        "status": str(results.get("reason") or results["status"]),
    }
    tables = [figures(said)]
    sources = results.get("sources") or {}
    if sources:
        columns = list(dict.fromkeys(name for one in sources.values() for name in one))
        lines = [
            Row([name, *(_figure(one.get(column), column, sign) for column in columns)])
            for name, one in sources.items()
        ]
        tables.append(Table("What each source of candidates gave", ["source", *columns], lines,
                            wordy_end=False))  # fmt: skip
    runs = results.get("runs") or []
    if len(runs) > 1:
        lines = [
            Row([
                str(number),
                _figure(run["objective"], "best", sign),
                text.seconds(run["seconds_to_best"]),
                text.whole(run["oracle_calls"]),
                run["status"],
            ])
            for number, run in enumerate(runs, 1)
        ]  # fmt: skip
        columns = ["run", "objective", "seconds to it", "oracle calls", "status"]
        tables.append(Table("Runs side by side", columns, lines))
    return tables


def _figure(value: float | None, column: str, sign: float) -> str:
    """Format a figure; objectives, in the column ``best``, are as in the file."""
    scaled = value if value is None or column != "best" else 0.0 + sign * value
    return text.number(scaled, "{:.10g}" if column == "best" else "{:.6g}")


def _charts(results: Results, prefix: str) -> list[Chart]:
    trace = results.get("trace") or {}
    sign = -1.0 if results.get("sense") == "maximize" else 1.0
    steps = steps_of([results]) if trace.get("seconds") else None
    if steps is None:
        return []
    band = over_time([steps])
    values = [sign * band.median, sign * band.low, sign * band.high]
    curve = ("best objective", Look.number(0), type(band)(band.at, *values))
    return [
        Chart(
            f"{prefix}-objective",
            "Objective over time",
            "Best feasible objective so far, by wall-clock seconds.",
            partial(charts.curves, curves=[curve], label="best objective so far"),
        )
    ]
