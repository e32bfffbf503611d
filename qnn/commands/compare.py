"""``qnn compare``."""

from __future__ import annotations

import shlex
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from formulations.errors import QnnError
from qnn import options
from qnn.commands import console

if TYPE_CHECKING:
    from qnn.compare import Cell, Outcome

WRITTEN_EVERY, SHARE = 10.0, 0.05
"""Least seconds between two writings of an unfinished results file, and their share of the time."""


@click.command()
@click.argument("words", metavar="DATA...", nargs=-1, required=True)
@options.reading_options
@options.hidden_option
@options.model_options
@click.option(
    "--solvers",
    default="qcgd,penalty,random,annealing,straight-through",
    callback=options.parsed(options.names),
    show_default=True,
    help=f"Between commas: {options.SOLVER_NAMES}; logistic-regression, with real "
    "weights, on the same inputs; with -grey or -pixels after it, before they are put on levels or "
    "pooled.",
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
@click.option(
    "--equal",
    default="sweeps",
    show_default=True,
    help="What all get the same of: sweeps of the oracle, or seconds, of --time-limit.",
)
@options.solver_options
@click.option(
    "--workers", type=int, default=1, show_default=True, help="Processes that share the work."
)
@click.option(
    "--keep", metavar="FOLDER", help="Keep every finished run in this folder, and repeat none."
)
@click.option("--report", "report_file", help="Write tables and every run to this Markdown file.")
@options.output_options
def compare(
    words: tuple[str, ...],
    solvers: list[str],
    seeds: int,
    penalties: list[float],
    exact_limit: float,
    equal: str,
    workers: int,
    keep: str | None,
    report_file: str | None,
    seed: int,
    json_file: str | None,
    **given: Any,
) -> None:
    """Train with several solvers on each DATA, with one budget, over several seeds.

    A seed draws the training part and starts the solver, so that all solvers see the same data.
    DATA is a data set or a file, digits:3,8 with its classes, digits:pairs for all pairs of them.

    With --keep a comparison that was stopped goes on when it is called again, and a larger one
    takes from the folder what is there.
    """
    from qnn import compare as comparison
    from qnn.compare.execute import available_cores
    from qnn.output import plain, write_text
    from qnn.tables import comparison_tables, report

    console.check_outputs(json_file, report_file)
    if workers > available_cores():
        click.echo(
            f"qnn: warning: {workers} workers on {available_cores()} cores: times are longer than "
            "they are one by one",
            err=True,
        )
    data, model, budget = options.chosen({**given, "data": words[0]})
    cells = comparison.plan(
        comparison.words_to_data(words, data),
        model,
        budget,
        solvers=solvers,
        seeds=range(seed, seed + seeds),
        penalties=penalties,
        exact_time_limit=exact_limit,
        equal=equal,
    )
    about: dict[str, Any] = {"equal": equal, "workers": workers, "command": _command()}
    store = None if keep is None else comparison.Store(keep)
    if store is not None:
        store.write_plan(cells, **about)
    with console.progress_bar(f"compare on {_shortened(words)}") as move:
        finished: list[Outcome] = []
        due = time.monotonic() + WRITTEN_EVERY

        def show(cell: Cell, outcome: Outcome) -> None:
            nonlocal due
            finished.append(outcome)
            begun = time.monotonic()
            if json_file is not None and json_file != "-" and begun >= due:
                console.write_json(
                    json_file, comparison.results(cells, finished, interrupted=True, **about)
                )
                ended = time.monotonic()
                due = ended + max(WRITTEN_EVERY, (ended - begun) / SHARE)
            note = f"{len(finished)} of {len(cells)} runs, last {cell.key}"
            move(len(finished), len(cells), note)

        outcomes, interrupted = comparison.run(cells, keep=store, workers=workers, on_outcome=show)
    results = plain(comparison.results(cells, outcomes, interrupted=interrupted, **about))
    console.write_json(json_file, results)
    if report_file is not None:
        write_text(report_file, report(results))
    if json_file != "-":
        shown = console.for_tables(json_file)
        for table in comparison_tables(results):
            shown.print(table)
        for path in (json_file, report_file, keep):
            if path is not None:
                shown.print(f"written: {path}")
    failures = [outcome["error"] for outcome in outcomes if "error" in outcome]
    if len(failures) == len(outcomes):
        raise QnnError(f"every run failed: {failures[0]}")


def _command() -> str:
    """The words that the command was called with."""
    return shlex.join(["qnn", *sys.argv[1:]])


def _shortened(words: tuple[str, ...]) -> str:
    return " ".join(words) if len(words) <= 3 else f"{words[0]} and {len(words) - 1} more"
