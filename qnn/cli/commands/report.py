"""``qnn report``."""

from __future__ import annotations

from qnn.cli import console, options
from qnn.cli.help import argument, command, file


@command(
    examples="""
    qnn report results.json
    qnn report results.json --html report.html
    qnn report runs run.json --markdown report.md --json report.json
    """
)
@argument(
    "runs",
    metavar="RUN...",
    nargs=-1,
    required=True,
    known={
        "FILE.json": "Results of qnn compare --json, qnn train --json or qnn solve --json.",
        "FOLDER": "A folder of qnn compare --keep, or of qnn train --checkpoint.",
    },
    shell_complete=file,
)
@options.file_option(
    "--html html_file FILE", "Write the report to this HTML file, which needs no other file."
)
@options.file_option("--markdown markdown_file FILE", "Write the report to this Markdown file.")
@options.json_option
def report(
    runs: tuple[str, ...],
    html_file: str | None,
    markdown_file: str | None,
    json_file: str | None,
) -> None:
    """Report what runs have shown, and what they have not.

    A report has tables, charts and a conclusion in plain words; several RUN become one page.  If
    no file is given, the conclusions are printed.  There is no --seed, since nothing here is
    random.
    """
    from qnn import report as reports
    from qnn.runs.output import write_text

    console.check_outputs(json_file, html_file, markdown_file, inputs=runs, folders=runs)
    if html_file is not None:
        reports.check_matplotlib()
    results = [reports.load(run) for run in runs]
    console.deliver(
        json_file,
        reports.record(results),
        lambda: console.say("\n".join(reports.told(results))),
        files={
            html_file: lambda: write_text(str(html_file), reports.html(results)),
            markdown_file: lambda: write_text(str(markdown_file), reports.markdown(results)),
        },
        tell=True,
    )
