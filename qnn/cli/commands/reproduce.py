"""``qnn reproduce``."""

from __future__ import annotations

from qnn.cli import console, options, vocabulary
from qnn.cli.help import argument, command, one_of, option, under


@command(
    examples="""
    qnn reproduce svi
    qnn reproduce explicit --data-dir ~/data --report explicit.md
    qnn reproduce rmda --full --workers 2 --json rmda.json
    """
)
@argument("name", known=vocabulary.TABLES, shell_complete=one_of(vocabulary.TABLES))
@under(
    "Extent",
    option(
        "--quick/--full",
        "Fewer samples, at most two minutes of a core; or the published size, 4 to 40 minutes.",
        True,
        show_default="quick",
    ),
    option("--data-dir data_dirs FOLDER", "Folder that holds mnist or fashion; repeat for several.",
           multiple=True, otherwise="$QNN_DATA"),
    option("--workers N", "Number of processes that share the work.", 1),
)  # fmt: skip
@options.output_options
@options.file_option("--report report_file FILE", "Write the tables to this Markdown file.")
def reproduce(
    name: str,
    quick: bool,
    data_dirs: tuple[str, ...],
    workers: int,
    report_file: str | None,
    seed: int,
    json_file: str | None,
) -> None:
    """Reproduce a published table.

    The output begins with the outcome, then lists each published figure beside ours with a verdict,
    and states where a comparison in the paper does not hold.  Ctrl-C stops the run and prints the
    rows so far.
    """
    from qnn.reproduce import ReproduceOptions
    from qnn.reproduce import reproduce as run
    from qnn.reproduce.report import verdict
    from qnn.reproduce.show import drawn, markdown, record, remarks
    from qnn.reproduce.work import processes
    from qnn.runs.output import write_text
    from qnn.runs.resume import warnings_as_lines

    data = [name for folder in data_dirs for name in console.data_files([], folder)]
    console.check_outputs(json_file, report_file, inputs=data)
    with (
        warnings_as_lines(),
        console.progress_bar(f"reproduce {name}") as move,
        processes(workers) as mapped,
    ):
        given = ReproduceOptions(
            full=not quick,
            seed=seed,
            data_dirs=data_dirs,
            progress=lambda note: move(0, None, note),
            map=mapped,
        )
        report = run(name, given)
    console.deliver(
        json_file,
        record(report, given),
        f"{report.title}: {report.source}",
        "\n".join(verdict(report)),
        *drawn(report),
        *filter(None, [remarks(report)]),
        files={report_file: lambda: write_text(str(report_file), markdown(report, given))},
        tell=True,
    )
