"""Report part for a comparison: conclusions, tables, charts, and how it was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

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
"""Up to this many data sets get charts of their own; more share charts."""

EQUAL = "where medians are equal the better mean decides"
"""How the leader is determined, for the notes of tables."""


def part(results: Results, prefix: str) -> Part:
    """Build the part for a comparison; ``prefix`` begins the names of its charts."""
    sets = _data_sets(results, prefix)
    sections = [_overview(sets)] if len(sets) > 1 else []
    sections += [_data_set(one, len(sets)) for one in sets]
    sections += [ledger(results["cells"]), _every_run(results), made(results)]
    warning = (
        f"Interrupted: {len(results['cells'])} of {results.get('planned')} runs are here, and "
        "everything below is of these alone."
    )
    return Part(
        title=_title(results, sets),
        line=_line(results, sets),
        conclusions=words.of_comparison(results),
        sections=sections,
        warning=warning if results.get("interrupted") else "",
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
    """Describe in one line what was compared."""
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
        share = _range(shares, "{:.3g}")
        said.append(f"{share} {'bit' if share == '1' else 'bits'} a weight")
    samples = [cell["train_samples"] for cell in trained if cell.get("train_samples")]
    if samples:
        said.append(f"{_range(samples, '{:,}')} training samples")
    said.append(f"{results['model']['loss']} loss")
    said.append(counted(len(results["seeds"]), "seed"))
    said.append(counted(len(results["cells"]), "run"))
    return ", ".join(said)


def _range(values: Sequence[float], form: str) -> str:
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"


# -- data sets ------------------------------------------------------------------------------------


def _overview(sets: Sequence[DataSet]) -> Section:
    """Table with a row per data set and a column per solver."""
    with_references = any(row.get("reference") for one in sets for row in one.rows)
    alone = " That alone is no evidence: see the paired differences."
    scale = " References with real weights have no loss on this scale." * with_references
    tables = [
        _across(sets, "Test accuracy", "highest", alone),
        _across(sets, "Training loss", "lowest", scale),
    ]
    if len(sets) > TOO_FEW:
        tables += _pairs(over_data_sets([one.summary for one in sets]), "sets")
    charts = pictures.accuracy_by_data_set(sets)
    if len(sets) > CHARTED:
        charts += [*pictures.accuracy_and_size(sets), *pictures.share_over_time(sets)]
    return Section("Overview", tables=tables, charts=charts)


def _across(sets: Sequence[DataSet], title: str, best: str, more: str) -> Table:
    """Table of a measure of every solver on every data set, with the ``best`` highlighted."""
    loss, names, rows = best == "lowest", list(sets[0].looks), []
    for one in sets:
        measure = "train_loss" if loss else "test_accuracy"
        found = {row["name"]: row.get(measure) for row in one.rows}
        leaders = leading(found, -1.0 if loss else 1.0)
        shown = [text.quartiles(found.get(name), "{:.4g}" if loss else "{:.3f}") for name in names]
        stand_out = [column for column, name in enumerate(names, start=1) if name in leaders]
        rows.append(Row([one.name, *shown], tuple(stand_out)))
    note = f"Medians over the seeds, quartiles in brackets; the {best} stands out; {EQUAL}.{more}"
    return Table(title, ["data set", *names], rows, note, wordy_end=False).without_empty()


def _data_set(one: DataSet, count: int) -> Section:
    tables = [_figures(one), *_pairs(one.summary.get("pairs", ()), "seeds")]
    tables += _pairs(ahead_of_all(one.cells, one.summary), "reference")
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
    return Section(one.name, line, tables, charts, researchers, folded=count > 3)


def _figures(one: DataSet) -> Table:
    """Table of every solver's figures on one data set."""
    traced = any(cell.get("trace") for cell in one.cells)
    leaders = leading({row["name"]: row["train_loss"] for row in one.rows})
    rows, cells = [], dict[str, str]()
    for row in one.summary["rows"]:
        reached = row.get("time_to_target") if traced else None
        cells = {
            "solver": row["name"],
            "training loss": text.quartiles(row.get("train_loss")),
            "training accuracy": text.number(
                (row.get("train_accuracy") or {}).get("median"), "{:.3f}"
            ),
            "test accuracy": text.quartiles(row.get("test_accuracy"), "{:.3f}"),
            "bits a weight": text.number(row.get("bits_per_weight"), "{:.3g}"),
            "stored bits": text.whole(row.get("stored_bits")),
            "oracle sweeps": text.whole(row.get("oracle_sweeps")),
            "seconds": text.seconds((row.get("seconds") or {}).get("median")),
            "reached target": f"{reached['reached']} of {reached['runs']}"
            if reached
            else text.NONE,
            "proven bound": _bound(row),
            "status": statuses(row["status"]),
        }
        best = (1,) if row["name"] in leaders else ()
        rows.append(Row([*cells.values()], best, minor=row["part"]))
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
    return Table("Every solver", [*cells], rows, note).without_empty()


def _bound(row: Mapping[str, Any]) -> str:
    bounds = row["lower_bounds"]
    if not bounds:
        return text.NONE
    return f"{_range(bounds, '{:.4g}')} ({len(bounds)} of {row['runs']})"


def _pairs(
    pairs: Sequence[Mapping[str, Any]], over: Literal["seeds", "reference", "sets"]
) -> list[Table]:
    """Return the table of paired differences, none without pairs."""
    title, note = {
        "seeds": (
            "Paired differences",
            "The first, named above, minus each other on the same draw of data, seed by seed: "
            "median and quartiles, and how often the first was better, equal and worse. p: "
            "Wilcoxon's signed-rank test of this pair alone, two-sided. p adjusted allows for the "
            "choice of the first and for the number of solvers: how often the best of as many "
            "equal solvers is as far ahead of any other; below 0.05 it stands out. Least p: the "
            "smallest p that so many seeds can give.",
        ),
        "reference": (
            "Paired differences of the most accurate",
            "A reference with real weights, named above, has the highest median test accuracy; the "
            "same tests, against every solver.",
        ),
        "sets": (
            "Paired differences over data sets",
            "The first, named above, minus each other, on the medians over the seeds; the same "
            "tests, with data sets in the place of seeds. Data sets that share samples or classes "
            "are not independent, which makes p too small.",
        ),
    }[over]
    rows, cells = [], dict[str, str]()
    for pair in pairs:
        loss = pair["measure"] == "train_loss"
        difference = {**pair, "median": pair["median_difference"]}
        cells = {
            f"{pairs[0]['first']} against": pair["second"],
            "measure": "training loss" if loss else "test accuracy",
            "median difference": text.quartiles(difference, "{:+.4g}" if loss else "{:+.3f}"),
            "better / equal / worse": f"{pair['wins']} / {pair['ties']} / {pair['losses']}",
            "p": text.p_value(pair["p"]),
            "p adjusted": text.p_value(pair["p_adjusted"]),
            "least p": text.p_value(pair["smallest_p"]),
        }
        rows.append(Row([*cells.values()], best=(5,) if decided(pair) else ()))
    return [Table(title, [*cells], rows, note, words=2, wordy_end=False)] if rows else []


# -- all runs -------------------------------------------------------------------------------------


def _every_run(results: Results) -> Section:
    many = len(results["summary"]) > 1
    rows, cells = [], dict[str, str]()
    for cell in results["cells"]:
        cells = {
            **({"data set": cell["data"]} if many else {}),
            "solver": cell["variant"],
            "seed": str(cell["seed"]),
            "training loss": text.number(cell.get("train_loss"), "{:.6g}"),
            "proven bound": text.number(cell.get("lower_bound"), "{:.6g}"),
            "training accuracy": text.number(cell.get("train_accuracy"), "{:.3f}"),
            "test accuracy": text.number(cell.get("test_accuracy"), "{:.3f}"),
            "oracle calls": text.whole(cell.get("oracle_calls")),
            "oracle sweeps": text.whole(cell.get("oracle_sweeps")),
            "seconds": text.seconds(cell.get("seconds")),
            "status": str(cell.get("error") or cell.get("reason") or cell["status"]),
        }
        rows.append(Row([*cells.values()]))
    table = Table("", [*cells], rows, words=2 if many else 1)
    return Section("Every run", counted(len(rows), "run"), tables=[table], folded=True)
