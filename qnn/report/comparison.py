"""A comparison as a part of a report: conclusions, tables, charts, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qnn.compare.ranking import leading
from qnn.report import conclusions as words
from qnn.report import text
from qnn.report.differences import TOO_FEW, decided, over_data_sets
from qnn.report.figures import pictures
from qnn.report.figures.charts import Look
from qnn.report.figures.pictures import DataSet
from qnn.report.provenance import ledger, made
from qnn.report.references import ahead_of_all, most_accurate
from qnn.report.text import counted, listed
from qnn.report.view import Chart, Part, Row, Section, Table
from qnn.runs.tables import statuses

Results = Mapping[str, Any]

CHARTED = 8
"""Up to so many data sets have charts of their own; more are drawn together."""

OPEN = 3
"""Up to so many data sets are shown unfolded."""

EQUAL = "where medians are equal the better mean decides"
"""Who leads, for the notes of tables."""


def part(results: Results, prefix: str) -> Part:
    """A comparison as it is shown.  ``prefix`` begins the names of its charts."""
    sets = _data_sets(results, prefix)
    sections = [_overview(sets)] if len(sets) > 1 else []
    sections += [_data_set(one, len(sets)) for one in sets]
    sections += [ledger(results["cells"]), _every_run(results), made(results)]
    return Part(
        title=_title(results, sets),
        line=_line(results, sets),
        conclusions=words.of_comparison(results),
        sections=sections,
        warning=_warning(results),
        verdict=most_accurate(results),
    )


def _data_sets(results: Results, prefix: str) -> list[DataSet]:
    names = [row["name"] for part in results["summary"] for row in part["rows"] if not row["part"]]
    references = {r["name"] for p in results["summary"] for r in p["rows"] if r.get("reference")}
    solvers = [name for name in dict.fromkeys(names) if name not in references]
    looks = {name: Look.number(i) for i, name in enumerate(solvers)}
    looks |= {name: Look.reference(i) for i, name in enumerate(sorted(references))}
    return [
        DataSet(
            prefix,
            number,
            part["data"],
            part,
            [cell for cell in results["cells"] if cell["data"] == part["data"]],
            looks,
        )
        for number, part in enumerate(results["summary"])
    ]


# -- the head -------------------------------------------------------------------------------------


def _title(results: Results, sets: Sequence[DataSet]) -> str:
    solvers = len(dict.fromkeys(row["name"] for one in sets for row in one.rows))
    where = sets[0].name if len(sets) == 1 else f"{len(sets)} data sets"
    return f"{counted(solvers, 'solver')} on {where}"


def _line(results: Results, sets: Sequence[DataSet]) -> str:
    """What was compared, in one line."""
    trained = [
        cell for cell in results["cells"] if cell.get("widths") and not cell.get("reference")
    ]
    said = []
    networks = dict.fromkeys(text.widths(cell) for cell in trained)
    if networks:
        shown = next(iter(networks)) if len(networks) == 1 else f"{len(networks)} networks"
        said.append(f"{shown} with {results['model']['weights']} weights")
    sizes = [cell["stored_bits"] for cell in trained if cell.get("stored_bits")]
    if sizes:
        said.append(f"{_range(sizes, '{:,}')} stored bits")
    shares = [cell["bits_per_weight"] for cell in trained if cell.get("bits_per_weight")]
    if shares:
        said.append(_bits_a_weight(_range(shares, "{:.3g}")))
    samples = [cell["train_samples"] for cell in trained if cell.get("train_samples")]
    if samples:
        said.append(f"{_range(samples, '{:,}')} training samples")
    said.append(f"{results['model']['loss']} loss")
    said.append(counted(len(results["seeds"]), "seed"))
    said.append(counted(len(results["cells"]), "run"))
    return ", ".join(said)


def _bits_a_weight(shares: str) -> str:
    return f"{shares} {'bit' if shares == '1' else 'bits'} a weight"


def _range(values: Sequence[float], form: str) -> str:
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"


def _warning(results: Results) -> str:
    if results.get("interrupted"):
        return (
            f"Interrupted: {len(results['cells'])} of {results['planned']} runs are here, and "
            "everything below is of these alone."
        )
    return ""


# -- data sets ------------------------------------------------------------------------------------


def _overview(sets: Sequence[DataSet]) -> Section:
    """A line a data set, a column a solver."""
    names = list(sets[0].looks)
    with_references = any(row.get("reference") for one in sets for row in one.rows)
    tables = [
        _across(
            sets,
            names,
            "Test accuracy",
            "test_accuracy",
            "{:.3f}",
            1.0,
            f"Medians over the seeds, quartiles in brackets; the highest stands out; {EQUAL}. That "
            "alone is no evidence: see the paired differences.",
        ),
        _across(
            sets,
            names,
            "Training loss",
            "train_loss",
            "{:.4g}",
            -1.0,
            f"Medians over the seeds, quartiles in brackets; the lowest stands out; {EQUAL}."
            f"{' References with real weights have no loss on this scale.' * with_references}",
        ),
    ]
    if len(sets) > TOO_FEW:
        tables += _pairs(over_data_sets([one.summary for one in sets]), OVER_SETS)
    charts = pictures.accuracy_by_data_set(sets)
    if len(sets) > CHARTED:
        charts += [*pictures.accuracy_and_size(sets), *pictures.share_over_time(sets)]
    return Section("Overview", tables=tables, charts=charts)


def _across(
    sets: Sequence[DataSet],
    names: Sequence[str],
    title: str,
    measure: str,
    form: str,
    better: float,
    note: str,
) -> Table:
    rows = []
    for one in sets:
        found = {row["name"]: row.get(measure) for row in one.rows}
        leaders = leading(found, better)
        shown = [text.quartiles(found.get(name), form) for name in names]
        stand_out = [column for column, name in enumerate(names, start=1) if name in leaders]
        rows.append(Row([one.name, *shown], tuple(stand_out)))
    return Table(title, ["data set", *names], rows, note, wordy_end=False).without_empty()


def _data_set(one: DataSet, count: int) -> Section:
    tables = [_figures(one), *_pairs(one.summary.get("pairs", ()), OVER_SEEDS)]
    tables += _pairs(ahead_of_all(one.cells, one.summary), OVER_REFERENCE)
    charts: list[Chart] = []
    researchers: list[Chart] = []
    if count <= CHARTED:
        charts = [
            *pictures.loss_over_time(one),
            *pictures.share_over_time([one]),
            *pictures.accuracy_and_size([one]),
        ]
        researchers = pictures.rounds(one)
    losses = {row["name"]: row["train_loss"] for row in one.rows}
    line = "no run found weights"
    if leaders := leading(losses):
        least = losses[leaders[0]]["median"]
        line = f"least median training loss: {listed(leaders)}, {least:.4g}"
    return Section(one.name, line, tables, charts, researchers, folded=count > OPEN)


def _figures(one: DataSet) -> Table:
    """Every solver on one data set."""
    traced = any(cell.get("trace") for cell in one.cells)
    leaders = leading({row["name"]: row["train_loss"] for row in one.rows})
    rows = []
    for row in one.summary["rows"]:
        loss = row.get("train_loss")
        reached = row.get("time_to_target") if traced else None
        rows.append(
            Row(
                [
                    row["name"],
                    text.quartiles(loss),
                    text.number((row.get("train_accuracy") or {}).get("median"), "{:.3f}"),
                    text.quartiles(row.get("test_accuracy"), "{:.3f}"),
                    text.number(row.get("bits_per_weight"), "{:.3g}"),
                    text.whole(row.get("stored_bits")),
                    text.whole(row.get("oracle_sweeps")),
                    text.seconds((row.get("seconds") or {}).get("median")),
                    f"{reached['reached']} of {reached['runs']}" if reached else text.NONE,
                    _bound(row),
                    statuses(row["status"]),
                ],
                best=(1,) if row["name"] in leaders else (),
                minor=row["part"],
            )
        )
    target = one.summary.get("target")
    note = (
        "Medians over the seeds, quartiles in brackets; the least training loss stands out; "
        f"{EQUAL}. Bits a weight are all stored bits, "
        "thresholds included, over the number of weights. "
    )
    if traced and target is not None:
        note += (
            f"Target: training loss {target:.4g}, the least median of all rows, chosen afterwards. "
        )
    if any(row["part"] for row in one.summary["rows"]):
        note += (
            "The best penalty weight is chosen afterwards, for each seed by training loss; its row "
            "costs the whole sweep. "
        )
    note += "A bound is proven; without one nothing is proven."
    columns = [
        "solver",
        "training loss",
        "training accuracy",
        "test accuracy",
        "bits a weight",
        "stored bits",
        "oracle sweeps",
        "seconds",
        "reached target",
        "proven bound",
        "status",
    ]
    return Table("Every solver", columns, rows, note).without_empty()


def _bound(row: Mapping[str, Any]) -> str:
    bounds = row["lower_bounds"]
    if not bounds:
        return text.NONE
    return f"{_range(bounds, '{:.4g}')} ({len(bounds)} of {row['runs']})"


OVER_SEEDS = (
    "Paired differences",
    "The first, named above, minus each other on the same draw of data, seed by seed: median and "
    "quartiles, and how often the first was better, equal and worse. p: Wilcoxon's signed-rank "
    "test of this pair alone, two-sided. p adjusted allows for the choice of the first and for the "
    "number of solvers: how often the best of as many equal solvers is as far ahead of any other; "
    "below 0.05 it stands out. Least p: the smallest p that so many seeds can give.",
)
OVER_REFERENCE = (
    "Paired differences of the most accurate",
    "A reference with real weights, named above, has the highest median test accuracy; the same "
    "tests, against every solver.",
)
OVER_SETS = (
    "Paired differences over data sets",
    "The first, named above, minus each other, on the medians over the seeds; the same tests, "
    "with data sets in the place of seeds. Data sets that share samples or classes are not "
    "independent, which makes p too small.",
)
"""Title and note of each kind of table of pairs."""


def _pairs(pairs: Sequence[Mapping[str, Any]], about: tuple[str, str]) -> list[Table]:
    rows = []
    for pair in pairs:
        loss = pair["measure"] == "train_loss"
        form = "{:+.4g}" if loss else "{:+.3f}"
        difference = {**pair, "median": pair["median_difference"]}
        rows.append(
            Row(
                [
                    pair["second"],
                    "training loss" if loss else "test accuracy",
                    text.quartiles(difference, form),
                    f"{pair['wins']} / {pair['ties']} / {pair['losses']}",
                    text.p_value(pair["p"]),
                    text.p_value(pair["p_adjusted"]),
                    text.p_value(pair["smallest_p"]),
                ],
                best=(5,) if decided(pair) else (),
            )
        )
    if not rows:
        return []
    columns = [
        f"{pairs[0]['first']} against",
        "measure",
        "median difference",
        "better / equal / worse",
        "p",
        "p adjusted",
        "least p",
    ]
    return [Table(about[0], columns, rows, about[1], words=2, wordy_end=False)]


# -- all runs -------------------------------------------------------------------------------------


def _every_run(results: Results) -> Section:
    many = len(results["summary"]) > 1
    rows = []
    for cell in results["cells"]:
        figures = [
            text.number(cell.get("train_loss"), "{:.6g}"),
            text.number(cell.get("lower_bound"), "{:.6g}"),
            text.number(cell.get("train_accuracy"), "{:.3f}"),
            text.number(cell.get("test_accuracy"), "{:.3f}"),
            text.whole(cell.get("oracle_calls")),
            text.whole(cell.get("oracle_sweeps")),
            text.seconds(cell.get("seconds")),
            str(cell.get("error") or cell.get("reason") or cell["status"]),
        ]
        head = [cell["data"]] if many else []
        rows.append(Row([*head, cell["variant"], str(cell["seed"]), *figures]))
    columns = [
        *(["data set"] if many else []),
        "solver",
        "seed",
        "training loss",
        "proven bound",
        "training accuracy",
        "test accuracy",
        "oracle calls",
        "oracle sweeps",
        "seconds",
        "status",
    ]
    table = Table("", columns, rows, words=2 if many else 1)
    return Section("Every run", counted(len(rows), "run"), tables=[table], folded=True)
