"""A report as terminal tables, as a page of Markdown, and as a JSON record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from rich.table import Table as Drawn

from qnn.reproduce.report import Report, ReproduceOptions, Table, verdict
from qnn.runs.output import FORMAT, environment, plain
from qnn.runs.tables import markdown_table, terminal_table


def _shown(table: Table) -> tuple[list[str], list[list[str]]]:
    """Return header and rows without empty columns."""
    names = ["", "paper", "earlier here", "ours", "baseline", "difference", "verdict", "remark"]
    rows = [row.cells() for row in table.rows]
    kept = [i for i in range(len(names)) if i == 0 or any(r[i] not in ("", "-") for r in rows)]
    return [names[i] for i in kept], [[row[i] for i in kept] for row in rows]


def drawn(report: Report) -> Iterator[Drawn]:
    """Return the tables of a report for a terminal."""
    for table in report.tables:
        header, rows = _shown(table)
        words = [n for n, column in enumerate(header) if column in ("", "remark")]
        yield terminal_table(
            table.title,
            header,
            rows,
            words=words,
            rigid=[n for n in range(len(header)) if n not in words],
            caption=table.conditions or None,
        )


def remarks(report: Report) -> str:
    """Return the text below the tables, one paragraph per remark; empty if there are none."""
    return _bullets(report.remarks)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def markdown(report: Report, options: ReproduceOptions) -> str:
    """Return a report as a page of Markdown."""
    made = environment()
    packages = ", ".join(f"{k} {v}" for k, v in made["packages"].items() if v)
    words = f"qnn reproduce {report.name}{' --full' if options.full else ''} --seed {options.seed}"
    parts = [f"# {report.title}", f"`{words}`: {report.source}", _bullets(verdict(report))]
    for table in report.tables:
        parts += [f"## {table.title}", markdown_table(*_shown(table))]
        parts += [table.conditions] if table.conditions else []
    if remarks(report):
        parts += ["## What the figures do not say", remarks(report)]
    size = "Full" if options.full else "Quick"
    parts += [
        "## Made with",
        f"{size} form, seed {options.seed}. Python {made['python']}, {made['system']}, "
        f"{made['cores']} cores, {made['created']}; {packages}.",
    ]
    return "\n\n".join(parts) + "\n"


def record(report: Report, options: ReproduceOptions) -> dict[str, Any]:
    """Return a report as plain values; each row includes its difference and its verdict."""
    tables = [
        {
            "title": table.title,
            "conditions": table.conditions,
            "rows": [
                {**plain(row), "difference": row.difference, "verdict": row.verdict}
                for row in table.rows
            ],
        }
        for table in report.tables
    ]
    return {
        "format": FORMAT,
        "kind": "reproduction",
        "name": report.name,
        "title": report.title,
        "source": report.source,
        "form": "full" if options.full else "quick",
        "seed": options.seed,
        "environment": environment(),
        "verdict": verdict(report),
        "tables": tables,
        "remarks": list(report.remarks),
        "interrupted": report.interrupted,
    }
