"""``qnn compare``."""

from __future__ import annotations

from typing import Any

import click

from formulations.errors import QnnError
from qnn import options
from qnn.commands import console


@click.command()
@options.data_options
@options.hidden_option
@options.model_options
@click.option(
    "--solvers",
    default="qcgd,penalty,random,annealing,straight-through",
    callback=options.parsed(options.names),
    show_default=True,
    help=f"Between commas: {options.SOLVER_NAMES}.",
)
@click.option("--seeds", type=int, default=3, show_default=True, help="How many, from --seed on.")
@click.option(
    "--penalties",
    default="0.3,1,3,10",
    show_default=True,
    callback=options.parsed(options.numbers),
    help="Weights that penalty tries.",
)
@click.option(
    "--exact-limit", type=float, default=10.0, show_default=True, help="Seconds of exact."
)
@options.solver_options
@click.option(
    "--report", "report_file", help="Write the table and every run to this Markdown file."
)
@options.output_options
def compare(
    solvers: list[str],
    seeds: int,
    penalties: list[float],
    exact_limit: float,
    report_file: str | None,
    seed: int,
    json_file: str | None,
    **given: Any,
) -> None:
    """Train with several solvers on DATA, with one oracle budget, over several seeds.

    A seed draws the training part and starts the solver, so that all solvers see the same data.
    """
    from qnn import compare as comparison
    from qnn.output import plain, write_text
    from qnn.tables import comparison_table, report

    console.check_outputs(json_file, report_file)
    data, model, budget = options.chosen(given)
    cells = comparison.plan(
        data,
        model,
        budget,
        solvers=solvers,
        seeds=range(seed, seed + seeds),
        penalties=penalties,
        exact_time_limit=exact_limit,
    )
    with console.progress_bar(f"compare on {data.spec}") as move:
        finished: list[comparison.Outcome] = []

        def keep(cell: comparison.Cell, outcome: comparison.Outcome) -> None:
            finished.append(outcome)
            if json_file is not None and json_file != "-":
                partial = len(finished) < len(cells)
                console.write_json(
                    json_file, comparison.results(cells, finished, interrupted=partial)
                )
            note = f"{len(finished)} of {len(cells)} runs, last {cell.key}"
            move(len(finished), len(cells), note)

        outcomes, interrupted = comparison.run(cells, on_outcome=keep)
    results = plain(comparison.results(cells, outcomes, interrupted=interrupted))
    console.write_json(json_file, results)
    if report_file is not None:
        write_text(report_file, report(results))
    if json_file != "-":
        shown = console.for_tables(json_file)
        shown.print(comparison_table(results))
        for path in (json_file, report_file):
            if path is not None:
                shown.print(f"written: {path}")
    failures = [outcome["error"] for outcome in outcomes if "error" in outcome]
    if len(failures) == len(outcomes):
        raise QnnError(f"every run failed: {failures[0]}")
