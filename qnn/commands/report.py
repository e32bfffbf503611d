"""``qnn report``."""

from __future__ import annotations

import click

from formulations.errors import InvalidInputError
from qnn.commands import console


@click.command()
@click.argument("runs", metavar="RUN...", nargs=-1, required=True)
@click.option("--html", "html_file", help="Write one self-contained page to this HTML file.")
@click.option("--markdown", "markdown_file", help="Write the report to this Markdown file.")
@click.option(
    "--json", "json_file", help="Write results and conclusions to this JSON file; - for stdout."
)
def report(
    runs: tuple[str, ...],
    html_file: str | None,
    markdown_file: str | None,
    json_file: str | None,
) -> None:
    """Tell what RUN has shown, and what it has not: tables, charts, and plain words.

    RUN is a JSON file of qnn compare or qnn train, a folder of qnn compare --keep, or a folder of
    qnn train --checkpoint; several become one page.  Without a file the conclusions are printed.
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
