"""``qnn compare``."""

from __future__ import annotations

import shlex
import sys
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

from formulations.errors import FileAccessError, QnnError
from qnn.cli import console, options, solver_options, values, vocabulary
from qnn.cli.help import argument, command, folder, name_or_file, one_of, option, some_of
from qnn.runs.solver_table import solver_names

if TYPE_CHECKING:
    from qnn.compare import Cell, Outcome

COMPARED = "What is compared"

REFERENCES = ("logistic-regression", "logistic-regression-grey", "logistic-regression-pixels")
"""Names for completion, of :mod:`qnn.compare.references`."""

MOST_SEEDS = 100_000

WRITTEN_EVERY, SHARE = 10.0, 0.05
"""Least seconds between two writings of an unfinished results file, and their share of the time."""


@command(
    examples="""
    qnn compare breast_cancer --solvers qcgd,random,annealing --seeds 10
    qnn compare digits:3,8 wine iris --samples 60 --hidden 4 \\
        --solvers qcgd,penalty,annealing,logistic-regression \\
        --keep runs --workers 2 --json results.json
    qnn compare digits:pairs --inputs 16 --equal seconds --time-limit 10
    qnn report results.json --html report.html
    """
)
@argument(
    "words",
    metavar="DATA...",
    nargs=-1,
    required=True,
    known={**options.KNOWN_DATA, "DATA:pairs": "Every pair of its classes, each a data set."},
    shell_complete=name_or_file(vocabulary.DATA),
)
@options.reading_options
@options.hidden_option
@options.model_options
@option(
    "--solvers",
    heading=COMPARED,
    default="qcgd,penalty,random,annealing,straight-through",
    metavar="NAMES",
    callback=values.parsed(values.names),
    shell_complete=some_of(lambda: [*solver_names(), *REFERENCES]),
    names=solver_names,
    help="Between commas: NAMES; logistic-regression, with real weights, on the same inputs; with "
    "-grey or -pixels after it, before they are put on levels or pooled.  qnn list "
    "solvers says what each does.",
)
@option(
    "--seeds",
    heading=COMPARED,
    type=int,
    default=3,
    callback=values.at_least(1, most=MOST_SEEDS),
    metavar="N",
    help="How many, from --seed on; ten tell differences that three cannot.",
)
@option(
    "--equal",
    heading=COMPARED,
    default="sweeps",
    metavar="WHAT",
    shell_complete=one_of(["sweeps", "seconds"]),
    help="What all get the same of: sweeps of the oracle, or seconds, of --time-limit.",
)
@option(
    "--penalties",
    heading=COMPARED,
    default="0.3,1,3,10",
    metavar="WEIGHTS",
    callback=values.parsed(values.numbers),
    help="Those that penalty tries; the best counts, chosen afterwards for each seed.",
)
@option(
    "--exact-limit",
    heading=COMPARED,
    type=float,
    default=10.0,
    metavar="SECONDS",
    callback=values.at_least(0, more=True),
    help="Time limit of exact.",
)
@solver_options.solver_options
@options.seed_option
@options.json_option
@options.file_option("--report", "report_file", help="Write a report to this .html or .md file.")
@option(
    "--keep",
    heading=options.OUTPUT,
    metavar="FOLDER",
    shell_complete=folder,
    help="Keep every finished run in this folder, and repeat none that is there.",
)
@option(
    "--workers",
    heading=options.OUTPUT,
    type=int,
    default=1,
    metavar="N",
    help="Processes that share the work.",
)
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
    """Train with several solvers, on one budget, over several seeds.

    A seed draws the training part and starts the solver, so that all solvers see the same data.
    With --keep a comparison that was stopped goes on when it is called again, and a larger one
    takes from the folder what is there.
    """
    from qnn import compare as comparison
    from qnn import report
    from qnn.compare.execute import available_cores
    from qnn.runs.resume import warnings_as_lines
    from qnn.runs.tables import comparison_tables

    places = console.data_files(words, given["data_dir"])
    console.check_outputs(json_file, report_file, inputs=places, folders=[keep])
    if report_file is not None:
        report.check_place(report_file)
    if workers > available_cores():
        console.say(
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
    with (
        nullcontext() if store is None else store.claimed(),
        console.progress_bar(f"compare on {_shortened(words)}") as move,
        warnings_as_lines(),
    ):
        if store is not None:
            store.write_plan(cells, **about)
        finished: list[Outcome] = []
        due = time.monotonic() + WRITTEN_EVERY

        def show(cell: Cell, outcome: Outcome) -> None:
            nonlocal due
            finished.append(outcome)
            begun = time.monotonic()
            if json_file is not None and json_file != "-" and begun >= due:
                so_far = comparison.results(cells, finished, interrupted=True, **about)
                with suppress(FileAccessError):  # it is tried again, and told in the end
                    console.write_json(json_file, so_far)
                ended = time.monotonic()
                due = ended + max(WRITTEN_EVERY, (ended - begun) / SHARE)
            note = f"{len(finished)} of {len(cells)} runs, last {cell.key}"
            move(len(finished), len(cells), note)

        outcomes, interrupted = comparison.run(cells, keep=store, workers=workers, on_outcome=show)
    results = comparison.results(cells, outcomes, interrupted=interrupted, **about)
    console.deliver(
        json_file,
        results,
        *comparison_tables(results),
        files={report_file: lambda: report.write(str(report_file), [results])},
        tell=True,
    )
    if store is not None and store.failures:
        raise FileAccessError(
            f"{len(store.failures)} of {len(outcomes)} runs are not kept: {store.failures[0]}"
        )
    if keep is not None and json_file != "-":
        console.for_tables(json_file).print(f"written: {keep}")
    failures = [outcome["error"] for outcome in outcomes if "error" in outcome]
    if len(failures) == len(outcomes):
        raise QnnError(f"every run failed: {failures[0]}")


def _command() -> str:
    """The words that the command was called with."""
    return shlex.join(["qnn", *sys.argv[1:]])


def _shortened(words: tuple[str, ...]) -> str:
    return " ".join(words) if len(words) <= 3 else f"{words[0]} and {len(words) - 1} more"
