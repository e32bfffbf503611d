"""Results formatted for readers: terminal tables and Markdown."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Literal

from rich.table import Table


def terminal_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    words: Collection[int] = (0,),
    rigid: Collection[int] = (),
    overflow: Literal["ellipsis", "fold"] = "ellipsis",
    caption: str | None = None,
    styles: Sequence[str | None] = (),
) -> Table:
    """Return a table for the terminal; without column names it has no header.

    Columns of ``words`` are left-aligned, the others are numbers and right-aligned.  ``rigid``
    columns are not wrapped on a narrow terminal; ``overflow`` cuts or folds words that are too
    wide; ``styles`` are those of the first rows.

    Examples
    --------
    >>> table = terminal_table("losses", ["solver", "loss"], [["qcgd", "2"]])
    >>> [column.justify for column in table.columns]
    ['left', 'right']
    """
    table = Table(
        title=title,
        caption=caption,
        show_header=any(columns),
        title_justify="left",
        caption_justify="left",
    )
    for number, name in enumerate(columns):
        table.add_column(
            name,
            justify="left" if number in words else "right",
            no_wrap=number in rigid,
            overflow=overflow,
        )
    for cells, style in zip_longest(rows, styles):
        table.add_row(*cells, style=style)
    return table


def _quartiles(value: Mapping[str, float] | None, form: str, *, spread: bool = False) -> str:
    """Format a median, with the quartiles in brackets if ``spread`` is set."""
    if value is None:
        return "-"
    median = form.format(value["median"])
    if not spread or value["low"] == value["high"]:
        return median
    return f"{median} ({form.format(value['low'])} - {form.format(value['high'])})"


def statuses(counts: Mapping[str, int]) -> str:
    """Count each status, unless all are equal.

    Examples
    --------
    >>> statuses({"finished": 3}), statuses({"finished": 2, "time limit": 1})
    ('finished', '2 finished, 1 time limit')
    """
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def comparison_tables(results: Mapping[str, Any], most: int = 6) -> list[Table]:
    """Return a table per data set, or one table of medians for many."""
    summaries = results["summary"]
    if len(summaries) > most:
        return [medians_table(results)]
    tables = [_table(results, summary) for summary in summaries]
    if tables:
        tables[-1].caption, tables[-1].caption_justify = note(results), "left"
    return tables


def _table(results: Mapping[str, Any], summary: Mapping[str, Any]) -> Table:
    """Return the table of one data set."""
    columns = ["solver", "train loss", "train acc.", "test acc.", "bits/weight", "oracle sweeps",
               "seconds", "status"]  # fmt: skip
    rows, styles, last = [], [], len(columns) - 1
    for row in summary["rows"]:
        bounds, status = row["lower_bounds"], statuses(row["status"])
        if bounds:
            status += f"; bound {min(bounds):g}"
            status += f" - {max(bounds):g}" if min(bounds) < max(bounds) else ""
        rows.append(
            [
                f"  {row['name']}" if row["part"] else str(row["name"]),
                _quartiles(row["train_loss"], "{:g}", spread=True),
                _quartiles(row["train_accuracy"], "{:.3f}"),
                _quartiles(row["test_accuracy"], "{:.3f}"),
                _number(row["bits_per_weight"], "{:.3g}"),
                f"{row['oracle_sweeps']:,}" if row["oracle_sweeps"] else "-",
                _quartiles(row["seconds"], "{:.2f}"),
                status,
            ]
        )
        styles.append("dim" if row["part"] or row["reference"] else None)
    title = headline(results, summary["data"])
    return terminal_table(
        title, columns, rows, words=(0, last), rigid=range(last), overflow="fold", styles=styles
    )


def medians_table(results: Mapping[str, Any]) -> Table:
    """Return a row per data set: each solver's median training loss, the lowest marked."""
    # A list of names, whose table is made here as well, needs no solver.
    from qnn.compare.ranking import leading

    names = list(
        dict.fromkeys(
            row["name"]
            for summary in results["summary"]
            for row in summary["rows"]
            if not row["part"] and row["train_loss"]
        )
    )
    rows: list[list[str]] = []
    wins = dict.fromkeys(names, 0)
    for summary in results["summary"]:
        losses = {row["name"]: row["train_loss"] for row in summary["rows"] if row["name"] in wins}
        leaders = leading(losses)
        for name in leaders:
            wins[name] += 1
        cells = [
            f"{losses[name]['median']:g}" + "*" * (name in leaders) if losses.get(name) else "-"
            for name in names
        ]
        rows.append([summary["data"], *cells])
    return terminal_table(
        f"Median training loss, {len(rows)} data sets",
        ["data", *names],
        [*rows, ["least or equal", *map(str, wins.values())]],
        caption=f"* least of the line, of equal medians that of the least mean. {note(results)}",
        styles=[*[None] * len(rows), "bold"],
    )


def note(results: Mapping[str, Any]) -> str:
    """Explain how to read the figures."""
    budget = {
        "sweeps": "Each run with an oracle had the same number of reads x sweeps.",
        "seconds": (
            f"Each run had {results['options']['time_limit'] or 0:g} s: it may have come to an end "
            "of its own, and it finished the step that it was at."
        ),
    }[results["equal"]]
    swept = any(row["part"] for data in results["summary"] for row in data["rows"])
    penalty = (
        " The best penalty weight is chosen afterwards, per seed, by training loss; its row costs "
        "the whole sweep."
    )
    return (
        f"Median over the seeds (quartiles in brackets). {budget}"
        f"{penalty if swept else ''} A bound is proven; without one nothing is "
        "proven."
    )


def headline(results: Mapping[str, Any], spec: str) -> str:
    """Describe in one line what was compared on which data."""
    own = [cell for cell in results["cells"] if cell["data"] == spec]
    trained = next((cell for cell in own if "num_variables" in cell), None)
    words = [spec]
    if trained is not None:
        words += [
            "-".join(str(width) for width in trained["widths"]),
            f"{trained['weight_bits']:,} weight bits",
            f"{trained['train_samples']:,} training samples",
            f"{trained['num_variables']:,} variables",
        ]
    seeds = len(results["seeds"])
    words += [f"{results['model']['loss']} loss", "1 seed" if seeds == 1 else f"{seeds} seeds"]
    return ", ".join(words)


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table.

    Examples
    --------
    >>> print(markdown_table(["a", "b"], [["1|0", "2"]]))
    | a | b |
    | --- | --- |
    | 1\\|0 | 2 |
    """
    written = [[" ".join(cell.split()).replace("|", r"\|") for cell in row] for row in rows]
    lines = [header, ["---"] * len(header), *written]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _number(value: Any, form: str) -> str:
    return "-" if value is None else form.format(value)


def frontier_table(results: Mapping[str, Any]) -> Table:
    """Table of networks by stored size, with logistic regression and published networks below."""
    trained = [
        [
            f"{'-'.join(map(str, point['widths']))} {point.get('weights') or point['variant']}",
            f"{point['stored_bits'] / 8192:.3g}",
            _number(point["test_accuracy"], "{:.2%}"),
            _number(point["train_accuracy"], "{:.2%}"),
            f"{point['seconds']:.1f}",
        ]
        for point in [*results["points"], *results["references"]]
    ]
    published = [
        [f"published: {point['name']}", f"{point['kib']:g}", f"{point['accuracy']:.2%}", "", ""]
        for point in results["published"]
    ]
    columns = ["network", "KiB", "test", "training", "seconds"]
    return terminal_table(f"frontier of {results['data']['spec']}", columns, [*trained, *published])


def record_table(
    title: str, record: Mapping[str, Any], given: Mapping[str, Any] = MappingProxyType({})
) -> Table:
    """One record, one figure per line: our names with blanks for underscores, and the user's names
    in ``given`` unchanged.

    Examples
    --------
    >>> table = record_table("model.lp", {"lower_bound": 2.0}, {"held_1": 1})
    >>> list(table.columns[0].cells)
    ['lower bound', 'held_1']
    """
    rows = []
    shown = [(name.replace("_", " "), value) for name, value in record.items()]
    for name, value in [*shown, *given.items()]:
        if isinstance(value, bool) or value is None:
            text = {True: "yes", False: "no", None: "-"}[value]
        elif isinstance(value, int):
            text = f"{value:,}"
        else:
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
        rows.append([name, text])
    return terminal_table(title, ["", ""], rows, overflow="fold")


def class_tables(figures: Mapping[str, Any], most: int = 20) -> list[Table]:
    """Format class figures and confusion matrix of :func:`qnn.runs.scoring.class_figures`.

    With more than ``most`` classes, the most frequent confusions replace the matrix.
    """
    rows = []
    for row in figures["per_class"]:
        shares = [_number(row[name], "{:.3f}") for name in ("precision", "recall", "f1")]
        rows.append([row["class"], f"{row['samples']:,}", *shares])
    columns = ["class", "samples", "precision", "recall", "F1"]
    each = terminal_table("each class", columns, rows)
    names, matrix = [row["class"] for row in figures["per_class"]], figures["confusion"]
    if len(names) <= most:
        rows = [
            [name, *(f"{count:,}" if count else "." for count in row)]
            for name, row in zip(names, matrix, strict=True)
        ]
        return [each, terminal_table("confusion matrix", ["true / predicted", *names], rows)]
    pairs = [
        (-count, i, j)
        for i, row in enumerate(matrix)
        for j, count in enumerate(row)
        if count and i != j
    ]
    rows = [[names[i], names[j], f"{-count:,}"] for count, i, j in sorted(pairs)[:most]]
    columns = ["true", "predicted", "samples"]
    return [each, terminal_table("most frequent confusions", columns, rows, words=(0, 1))]
