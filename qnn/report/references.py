"""Conclusions about data sets on which a reference with real weights is best of all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qnn.compare.ranking import leading
from qnn.report.differences import COMPATIBLE, decided, hopeless
from qnn.report.text import at_most, listed, sentence

Part = Mapping[str, Any]


def best_of_all(results: Mapping[str, Any], spelled_out: int) -> tuple[list[str], list[str]]:
    """State what follows, and what does not, if no solver is as accurate as a reference.

    Up to ``spelled_out`` data sets get a sentence each.
    """
    parts: Sequence[Part] = results["summary"]
    won = [part for part in parts if _leader(part)]
    if len(parts) > spelled_out:
        return list(_counted(parts, won)), []
    can = []
    unsure: dict[str, list[str]] = {}
    for part in won:
        named = f"on {part['data']}, " if len(parts) > 1 else ""
        first, accuracies = _leader(part), _accuracies(part)
        cells = [cell for cell in results["cells"] if cell["data"] == part["data"]]
        pairs = ahead_of_all(cells, part)
        apart = [
            pair["second"] for pair in pairs if decided(pair) and pair["wins"] > pair["losses"]
        ]
        open_ = [pair["second"] for pair in pairs if not decided(pair)]
        said = f"{first}, with real weights, has the highest median test accuracy of all"
        solvers = {
            name: value for name, value in accuracies.items() if name not in _references(part)
        }
        if best := leading(solvers, 1.0):
            medians = accuracies[first]["median"], accuracies[best[0]]["median"]
            said += (
                f": {medians[0]:.3f}, against {medians[1]:.3f} of {listed(best)}, the best solver"
            )
        if apart:
            worst = max(p["p_adjusted"] for p in pairs if p["second"] in apart)
            said += (
                f"; its accuracy is higher than that of {listed(apart)} (adjusted p "
                f"{at_most(worst, len(apart))})"
            )
        can.append(sentence(f"{named}{said}"))
        if open_:
            why = (
                f"there are too few seeds, for {hopeless(pairs)}" if hopeless(pairs) else COMPATIBLE
            )
            said = f"whether {first} is more accurate than {listed(open_)}: {why}"
            unsure.setdefault(said, []).append(part["data"])
    return can, [
        sentence(f"{f'on {listed(data)}, ' if len(parts) > 1 else ''}{said}")
        for said, data in unsure.items()
    ]


def _counted(parts: Sequence[Part], won: Sequence[Part]) -> Iterator[str]:
    """State on how many of many data sets each reference is best."""
    for name in dict.fromkeys(_leader(part) for part in won):
        count = sum(_leader(part) == name for part in won)
        yield (
            f"{name}, with real weights, has the highest median test accuracy of all on {count} of "
            f"{len(parts)} data sets."
        )


def _accuracies(part: Part) -> dict[str, Mapping[str, float]]:
    rows = (row for row in part["rows"] if not row["part"])
    return {row["name"]: row["test_accuracy"] for row in rows if row.get("test_accuracy")}


def _references(part: Part) -> list[str]:
    return [row["name"] for row in part["rows"] if row.get("reference")]


def _leader(part: Part) -> str:
    """Return the reference that no solver matches in accuracy; empty if there is none."""
    leaders = leading(_accuracies(part), 1.0)
    references = _references(part)
    return leaders[0] if leaders and all(name in references for name in leaders) else ""


def ahead_of_all(cells: Sequence[Mapping[str, Any]], part: Part) -> list[dict[str, Any]]:
    """Return the paired accuracy tests of a reference against the solvers, if it leads them all.

    ``cells`` are the runs on one data set; ``part`` is their summary.
    """
    from qnn.compare.summary import by_accuracy

    first, references = _leader(part), _references(part)
    return [
        pair
        for pair in by_accuracy([dict(cell) for cell in cells])
        if pair["first"] == first and pair["second"] not in references
    ]


def most_accurate(results: Mapping[str, Any]) -> str:
    """State the outcome of a comparison in one sentence; empty if nothing was tested.

    Examples
    --------
    >>> rows = [
    ...     {"name": name, "part": False, "test_accuracy": {"median": m, "mean": m}, **more}
    ...     for name, m, more in [("ridge", 0.9, {"reference": True}), ("qcgd", 0.8, {})]
    ... ]
    >>> most_accurate({"summary": [{"data": "iris", "rows": rows}]})
    'Most accurate on test samples: ridge (0.900), with real weights; of the solvers: qcgd (0.800).'
    """
    parts: Sequence[Part] = [part for part in results["summary"] if _accuracies(part)]
    if not parts:
        return ""
    said = f"Most accurate on test samples: {_leads(parts, with_references=True)}"
    if any(_leader(part) for part in parts):
        solvers = _leads(parts, with_references=False)
        said += f", with real weights{f'; of the solvers: {solvers}' if solvers else ''}"
    pairs = [pair for part in parts for pair in part.get("pairs", ())]
    if pairs:
        count = sum(map(decided, pairs))
        said += f"; {count or 'none'} of {len(pairs)} paired differences significant"
    return sentence(said)


def _leads(parts: Sequence[Part], *, with_references: bool) -> str:
    """Name the most accurate, with the median on one data set, or the number of sets each leads."""
    counts: Counter[str] = Counter()
    for part in parts:
        left_out = () if with_references else _references(part)
        found = {n: value for n, value in _accuracies(part).items() if n not in left_out}
        counts.update(leading(found, 1.0))
    if len(parts) == 1:
        medians = _accuracies(parts[0])
        return listed([f"{name} ({medians[name]['median']:.3f})" for name in counts])
    return listed([f"{name} on {count} of {len(parts)}" for name, count in counts.most_common()])
