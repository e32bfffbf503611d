"""``qnn reproduce``."""

from __future__ import annotations

import click

from qnn import options
from qnn.commands import console


@click.command()
@click.argument("name")
@click.option("--quick/--full", default=True, help="Two minutes at most, or the published size.")
@click.option(
    "--data-dir",
    "data_dirs",
    multiple=True,
    help="Folder of mnist and fashion; may be given more than once. Default: $QNN_DATA.",
)
@click.option("--workers", default=1, help="Processes that share the work.")
@click.option("--report", "report_file", help="Write the tables to this Markdown file.")
@options.output_options
def reproduce(
    name: str,
    quick: bool,
    data_dirs: tuple[str, ...],
    workers: int,
    report_file: str | None,
    seed: int,
    json_file: str | None,
) -> None:
    """Find the published table NAME again: baselines, explicit, manifold, rmda
    or svi.

    Prints each published figure beside ours, and says where a comparison in the paper does not
    hold.  Ctrl-C ends it with the rows that are there.
    """
    from qnn.output import write_text
    from qnn.reproduce import ReproduceOptions
    from qnn.reproduce import reproduce as run
    from qnn.reproduce.show import drawn, markdown, record, remarks
    from qnn.reproduce.work import processes

    console.check_outputs(json_file, report_file)
    with console.progress_bar(f"reproduce {name}") as move, processes(workers) as mapped:
        given = ReproduceOptions(
            full=not quick,
            seed=seed,
            data_dirs=data_dirs,
            progress=lambda note: move(0, None, note),
            map=mapped,
        )
        report = run(name, given)
    console.write_json(json_file, record(report, given))
    if report_file is not None:
        write_text(report_file, markdown(report, given))
    if json_file != "-":
        shown = console.for_tables(json_file)
        shown.print(f"{report.title}: {report.source}")
        for table in drawn(report):
            shown.print(table)
        if remarks(report):
            shown.print(remarks(report))
        for path in (json_file, report_file):
            if path is not None:
                shown.print(f"written: {path}")
