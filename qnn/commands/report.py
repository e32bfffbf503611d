"""``qnn report``."""

from __future__ import annotations

import click

from formulations.errors import InvalidInputError
from qnn import options
from qnn.commands import console
from qnn.help import argument, command, file


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
        "FILE.json": "Results of qnn compare --json or qnn train --json.",
        "FOLDER": "A folder of qnn compare --keep, or of qnn train --checkpoint.",
    },
    shell_complete=file,
)
@options.file_option(
    "--html", "html_file", help="Write one page that needs nothing else to this HTML file."
)
@options.file_option("--markdown", "markdown_file", help="Write the report to this Markdown file.")
@options.json_option
def report(
    runs: tuple[str, ...],
    html_file: str | None,
    markdown_file: str | None,
    json_file: str | None,
) -> None:
    """Tell what runs have shown, and what they have not.

    Tables, charts, and a conclusion in plain words; several RUN become one page.  Without a file
    the conclusions are printed.  Nothing here is random: there is no --seed.
    """
    from qnn import report as reports
    from qnn.output import write_text

    console.check_outputs(html_file, markdown_file, json_file)
    given = [path for path in (html_file, markdown_file, json_file) if path not in (None, "-")]
    if len(set(given)) < len(given):
        raise InvalidInputError(f"{given[0]!r} is given twice: name a file for each form")
    if html_file is not None:
        reports.check_matplotlib()
    results = [reports.load(run) for run in runs]
    if html_file is not None:
        write_text(html_file, reports.html(results))
    if markdown_file is not None:
        write_text(markdown_file, reports.markdown(results))
    if json_file is not None:
        console.write_json(json_file, reports.record(results))
    if json_file == "-":
        return
    for line in reports.told(results):
        click.echo(line)
    for path in given:
        click.echo(f"written: {path}")
