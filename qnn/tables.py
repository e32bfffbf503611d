"""Results as people read them: tables for the terminal, a report in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.table import Table

COLUMNS = [
    "solver",
    "train loss",
    "train acc.",
    "test acc.",
    "oracle sweeps",
    "seconds",
    "status",
]


def comparison_cells(summary: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """The rows of a comparison's table as text, in the order of ``COLUMNS``."""
    return [
        [
            f"  {row['name']}" if row["part"] else str(row["name"]),
            _quartiles(row["train_loss"], "{:g}"),
            _quartiles(row["train_accuracy"], "{:.3f}", spread=False),
            _quartiles(row["test_accuracy"], "{:.3f}", spread=False),
            f"{row['oracle_sweeps']:,}" if row["oracle_sweeps"] else "-",
            _quartiles(row["seconds"], "{:.2f}", spread=False),
            _status(row),
        ]
        for row in summary
    ]


def _quartiles(value: Mapping[str, float] | None, form: str, *, spread: bool = True) -> str:
    if value is None:
        return "-"
    median = form.format(value["median"])
    if not spread or value["low"] == value["high"]:
        return median
    return f"{median} ({form.format(value['low'])} - {form.format(value['high'])})"


def _status(row: Mapping[str, Any]) -> str:
    words = ", ".join(f"{count} {status}" for status, count in row["status"].items())
    bounds = row["lower_bounds"]
    if bounds:
        words += f"; bound {min(bounds):g}" + (
            f" - {max(bounds):g}" if min(bounds) < max(bounds) else ""
        )
    return words


def comparison_table(results: Mapping[str, Any]) -> Table:
    """The summary of a comparison."""
    table = Table(
        title=headline(results), caption=NOTE, title_justify="left", caption_justify="left"
    )
    for number, column in enumerate(COLUMNS):
        table.add_column(
            column, justify="left" if number in (0, 6) else "right", no_wrap=number < 6
        )
    for cells, row in zip(comparison_cells(results["summary"]), results["summary"], strict=True):
        table.add_row(*cells, style="dim" if row["part"] else None)
    return table


NOTE = (
    "Median over the seeds (quartiles in brackets). Each run with an oracle had the same number of "
    "reads x sweeps. The best penalty weight is chosen afterwards, per seed, by training loss; its "
    "row costs the whole sweep. A bound is proven; without one nothing is proven."
)


def headline(results: Mapping[str, Any]) -> str:
    """What was compared on what, in one line."""
    trained = next((cell for cell in results["cells"] if "widths" in cell), None)
    words = [str(results["data"]["spec"])]
    if trained is not None:
        words += [
            "-".join(str(width) for width in trained["widths"]),
            f"{trained['weight_bits']:,} weight bits",
            f"{trained['train_samples']:,} training samples",
            f"{trained['num_variables']:,} variables",
        ]
    words += [f"{results['model']['loss']} loss", f"{len(results['seeds'])} seeds"]
    return ", ".join(words)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table.

    Examples
    --------
    >>> print(markdown_table(["a", "b"], [["1", "2"]]))
    | a | b |
    | --- | --- |
    | 1 | 2 |
    """
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def report(results: Mapping[str, Any]) -> str:
    """A comparison as a page of Markdown: the summary, every run, and how it was made."""
    environment = results["environment"]
    packages = ", ".join(f"{k} {v}" for k, v in environment["packages"].items() if v)
    summary = [[cell.strip() for cell in row] for row in comparison_cells(results["summary"])]
    runs = [
        [
            str(cell["key"]),
            _number(cell.get("train_loss"), "{:g}"),
            _number(cell.get("lower_bound"), "{:g}"),
            _number(cell.get("train_accuracy"), "{:.3f}"),
            _number(cell.get("test_accuracy"), "{:.3f}"),
            _number(cell.get("oracle_sweeps"), "{:,}"),
            _number(cell.get("seconds"), "{:.2f}"),
            str(cell.get("error") or cell["status"]),
        ]
        for cell in results["cells"]
    ]
    run_header = [
        "run",
        "train loss",
        "lower bound",
        "train acc.",
        "test acc.",
        "oracle sweeps",
        "seconds",
        "status",
    ]
    cut = (
        f"\n**Interrupted: {len(runs)} of {results['planned']} runs are here.**\n"
        if results["interrupted"]
        else ""
    )
    return (
        f"# {headline(results)}\n{cut}\n{markdown_table(COLUMNS, summary)}\n\n{NOTE}\n\n"
        f"## Every run\n\n{markdown_table(run_header, runs)}\n\n"
        f"## Made with\n\nPython {environment['python']}, {environment['system']}, "
        f"{environment['cores']} cores, {environment['created']}; {packages}.\n\n"
        f"Data: {_words(results['data'])}.\n\nModel: {_words(results['model'])}.\n\n"
        f"Solvers: {_words(results['options'])}.\n"
    )


def _number(value: Any, form: str) -> str:
    return "-" if value is None else form.format(value)


def _words(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in options.items() if value is not None)


def record_table(title: str, record: Mapping[str, Any]) -> Table:
    """One record, a line a figure."""
    table = Table(title=title, show_header=False, title_justify="left")
    table.add_column()
    table.add_column(justify="right")
    for name, value in record.items():
        if isinstance(value, bool) or value is None:
            text = {True: "yes", False: "no", None: "-"}[value]
        elif isinstance(value, int):
            text = f"{value:,}"
        else:
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
        table.add_row(name.replace("_", " "), text)
    return table
