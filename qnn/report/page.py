"""A report as an HTML page, as Markdown, and as a JSON record."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from formulations.errors import InvalidInputError
from qnn.report import answer, comparison, frontier, training
from qnn.report.view import Part, Section
from qnn.runs.output import COMPARISON_FORMAT, check_writable, environment, plain, write_text
from qnn.runs.tables import markdown_table
from qnn.visible import each_text, visible, without_credentials

Results = Mapping[str, Any]


def parts(runs: Sequence[Results] | Results, written: Callable[[str], str] = visible) -> list[Part]:
    """Return a part for each run, in the order given.

    Names in results are untrusted: ``written`` makes each text safe to show.
    """
    makers = {
        "answer": answer.part,
        "comparison": comparison.part,
        "frontier": frontier.part,
        "training": training.part,
    }
    shown = [without_credentials(each_text(run, written)) for run in _several(runs)]
    return [makers[run["kind"]](run, f"r{number}") for number, run in enumerate(shown)]


def _several(runs: Sequence[Results] | Results) -> Sequence[Results]:
    return [runs] if isinstance(runs, Mapping) else runs


def title(shown: Sequence[Part]) -> str:
    """Return the title of the whole report."""
    return shown[0].title if len(shown) == 1 else f"{len(shown)} runs"


def html(runs: Sequence[Results] | Results) -> str:
    """Return the report as one self-contained HTML page.

    Parameters
    ----------
    runs : mapping, or sequence of mappings
        Results as returned by :func:`qnn.compare.results` or :func:`load`.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    shown = parts(runs)
    templates = Environment(
        loader=PackageLoader("qnn.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = templates.get_template("page.html")
    return template.render(title=title(shown), parts=shown, made_by=_made_by())


def markdown(runs: Sequence[Results] | Results) -> str:
    """Return the report as Markdown, without charts."""
    shown = parts(runs, _in_markdown)
    blocks = [f"# {title(shown)}"]
    for part in shown:
        blocks += [f"# {part.title}"] if len(shown) > 1 else []
        blocks += [f"{part.line}."]
        blocks += [f"**{part.warning}**"] if part.warning else []
        blocks += [part.verdict] if part.verdict else []
        blocks += ["## What can be concluded", _bullets(part.conclusions[0])]
        blocks += ["## What cannot", _bullets(part.conclusions[1])]
        blocks += [block for section in part.sections for block in _section(section)]
    return "\n\n".join([*blocks, _made_by()]) + "\n"


def told(runs: Sequence[Results] | Results) -> Iterator[str]:
    """Return the conclusions alone, line by line, for a terminal."""
    for part in parts(runs):
        yield f"{part.title}: {part.line}"
        yield from wrap(part.verdict, 98)
        headings = ("What can be concluded", "What cannot")
        for heading, sentences in zip(headings, part.conclusions, strict=True):
            yield f"\n{heading}"
            for sentence in sentences:
                yield from wrap(sentence, 98, initial_indent="- ", subsequent_indent="  ")
        yield ""


def record(runs: Sequence[Results] | Results) -> dict[str, Any]:
    """Return the results in the current format, with the conclusions from each."""
    return {
        "format": COMPARISON_FORMAT,
        "kind": "report",
        "environment": environment(),
        "runs": [
            {
                "title": part.title,
                "line": part.line,
                "verdict": part.verdict,
                "conclusions": plain(dict(zip(("can", "cannot"), part.conclusions, strict=True))),
                "results": plain(run),
            }
            for part, run in zip(parts(runs), _several(runs), strict=True)
        ],
    }


def check_place(path: str) -> None:
    """Refuse a file that a report cannot be written to, before any work."""
    suffix = Path(path).suffix.lower()
    if suffix not in (".html", ".htm", ".md", ".markdown"):
        raise InvalidInputError(
            f"report {path!r}: expected a name that ends in .html or .md, such as report.html"
        )
    check_writable(path)
    if suffix.startswith(".h"):
        from qnn.report.figures.svg import check_matplotlib

        check_matplotlib()


def write(path: str, runs: Sequence[Results] | Results) -> None:
    """Write a report as HTML or Markdown, depending on the file extension."""
    check_place(path)
    make = html if Path(path).suffix.lower().startswith(".h") else markdown
    write_text(path, make(runs))


# -- Markdown -------------------------------------------------------------------------------------


def _in_markdown(text: str) -> str:
    """Escape a text so that it contains no link, picture, code or element of a page."""
    return re.sub(r"[\[\]`\\]", r"\\\g<0>", visible(text)).replace("<", "&lt;")


def _section(section: Section) -> list[str]:
    blocks = [f"## {section.title}"]
    if section.line and not section.tables:
        blocks += [f"{section.line[:1].upper()}{section.line[1:]}."]
    for table in section.tables:
        blocks += [f"### {table.title}"] if table.title else []
        rows = [
            [f"**{cell}**" if n in row.best else cell for n, cell in enumerate(row.cells)]
            for row in table.rows
        ]
        blocks += [markdown_table(table.columns, rows)]
        blocks += [table.note] if table.note else []
    return blocks


def _bullets(sentences: Sequence[str]) -> str:
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _made_by() -> str:
    made = environment()
    return f"Made by qnn-ising {made['packages']['qnn-ising']}, {made['created'][:10]}."
