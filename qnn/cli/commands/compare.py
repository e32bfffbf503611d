"""``qnn compare``."""

from __future__ import annotations

import shlex
import sys
import time
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

from formulations.errors import FileAccessError, QnnError
from qnn.cli import console, options, values, vocabulary
from qnn.cli.help import argument, command, name_or_file, option, some_of, under
from qnn.runs.solver_table import solver_names

if TYPE_CHECKING:
    from qnn.compare import Cell, Outcome


def _compared() -> list[str]:
    """Complete solver names, ending with the references of :mod:`qnn.compare.references`."""
    regression = "logistic-regression"
    return [*solver_names(), regression, f"{regression}-grey", f"{regression}-pixels"]


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
@under(
    "Comparison",
    option(
        "--solvers NAMES",
        "Solvers, separated by commas: NAMES; logistic-regression has real weights and the same "
        "inputs; with -grey or -pixels appended, the inputs before levels or pooling.  qnn list "
        "solvers describes each.",
        "qcgd,penalty,random,annealing,straight-through",
        read=values.names,
        names=solver_names,
        shell_complete=some_of(_compared),
    ),
    option("--seeds N", "Number of seeds, from --seed on; ten show what three cannot.", 3,
           least=1, most=100_000),
    option(
        "--equal WHAT",
        "Budget that all solvers share alike: sweeps of the oracle, or seconds (--time-limit).",
        "sweeps",
        of=["sweeps", "seconds"],
    ),
    option(
        "--penalties WEIGHTS",
        "Weights that penalty tries; for each seed the best one counts, chosen afterwards.",
        "0.3,1,3,10",
        read=values.numbers,
    ),
    option("--exact-limit SECONDS", "Time limit of the solver exact.", 10.0, least=0, more=True),
)  # fmt: skip
@options.solver_options
@options.output_options
@under(
    options.OUTPUT,
    option("--report report_file FILE", "Write a report to this file, .html or .md."),
    option(
        "--keep FOLDER", "Store every finished run in this folder, and repeat none that it holds."
    ),
    option("--workers N", "Number of processes that share the work.", 1),
)  # fmt: skip
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

    Each seed draws the training part and starts the solvers, so that all of them see the same data.
    With --keep, a stopped comparison resumes when the command is repeated, and a larger comparison
    reuses the runs in the folder.
    """
    from qnn import compare as comparison
    from qnn import report
    from qnn.runs.resume import warnings_as_lines
    from qnn.runs.tables import comparison_tables
    from solvers.run.executors import available_cores

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
    command_line = shlex.join(["qnn", *sys.argv[1:]])
    where = " ".join(words) if len(words) <= 3 else f"{words[0]} and {len(words) - 1} more"
    about: dict[str, Any] = {
        "equal": equal,
        "workers": workers,
        "command": command_line,
    }
    store = None if keep is None else comparison.Store(keep)
    with (
        nullcontext() if store is None else store.claimed(),
        console.progress_bar(f"compare on {where}") as move,
        warnings_as_lines(),
    ):
        if store is not None:
            store.write_plan(cells, **about)
        finished: list[Outcome] = []
        wait = 10.0  # minimum seconds between two writes of an unfinished results file
        due = time.monotonic() + wait

        def show(cell: Cell, outcome: Outcome) -> None:
            nonlocal due
            finished.append(outcome)
            begun = time.monotonic()
            if json_file is not None and json_file != "-" and begun >= due:
                so_far = comparison.results(cells, finished, interrupted=True, **about)
                with suppress(FileAccessError):  # the final write reports errors
                    console.write_json(json_file, so_far)
                ended = time.monotonic()
                due = ended + max(wait, 20 * (ended - begun))  # at most 5 % of the time
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
