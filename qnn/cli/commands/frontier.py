"""``qnn frontier``."""

from __future__ import annotations

from typing import Any

from qnn.cli import console, options
from qnn.cli.help import command, option, under
from qnn.cli.values import numbers


@command(
    examples="""
    qnn frontier wine --kib 0.05,0.1,0.4
    qnn frontier mnist --inputs 144 --kib 1.1,4,12.3 --report frontier.html
    """
)
@options.data_argument
@options.reading_options
@under(
    "Network",
    option("--kib SIZES", "Stored sizes in KiB, weights and thresholds together.",
           "0.125,0.25,0.5,1,2,4", read=numbers),
)  # fmt: skip
@options.hidden_option
@options.model_options
@under(
    "Solver",
    option("--time-limit SECONDS", "Time limit of each network."),
    option("--epochs N", "Passes over images.", least=1, otherwise="as many as take a minute"),
)
@under(
    options.OUTPUT,
    option("--seeds N", "Networks of each size, each on its own draw of the training part.", 1,
           least=1),
)  # fmt: skip
@options.output_options
@options.file_option("--report report_file FILE", "Write a report to this file, .html or .md.")
def frontier(
    kib: list[float],
    epochs: int | None,
    time_limit: float | None,
    seeds: int,
    seed: int,
    json_file: str | None,
    report_file: str | None,
    **given: Any,
) -> int:
    """Train networks of several sizes on DATA: accuracy against KiB.

    The table also lists published networks for the same data, and logistic regression with real
    weights.
    """
    from qnn import report
    from qnn.report.page import check_place
    from qnn.runs import frontier as runs
    from qnn.runs.resume import warnings_as_lines
    from qnn.runs.tables import frontier_table

    # Network options that are not given are chosen from the size.
    data, model, _ = options.chosen({**given, "bits": 1})
    console.check_outputs(
        json_file, report_file, inputs=console.data_files([data.spec], data.data_dir)
    )
    if report_file is not None:
        check_place(report_file)
    with warnings_as_lines(), console.progress_bar(f"frontier of {data.spec}") as move:
        found = runs.frontier(
            data,
            model,
            kib=runs.check_sizes(kib),
            seeds=seeds,
            epochs=epochs,
            time_limit=time_limit,
            seed=seed,
            progress=lambda note: move(0, None, note),
        )
    files = {report_file: lambda: report.write(str(report_file), found)}
    console.deliver(json_file, found, frontier_table(found), files=files)
    return 0
