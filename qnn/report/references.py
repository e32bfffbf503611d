"""Where a reference with real weights is the best of all, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qnn.compare.ranking import leading
from qnn.report.differences import COMPATIBLE, decided, hopeless
from qnn.report.grammar import at_most, listed, sentence

Part = Mapping[str, Any]


def best_of_all(results: Mapping[str, Any], spelled_out: int) -> tuple[list[str], list[str]]:
    """What can and what cannot be concluded where no solver is as accurate as a reference.

    Parameters
    ----------
    results : mapping
        Of a comparison.
    spelled_out : int
        Up to so many data sets each gets a sentence of its own.
    """
    parts: Sequence[Part] = results["summary"]
    won = [part for part in parts if _leader(part)]
    if len(parts) > spelled_out:
        return list(_counted(parts, won)), []
    can, cannot = [], []
    for part in won:
        named = f"on {part['data']}, " if len(parts) > 1 else ""
        first, accuracies = _leader(part), _accuracies(part)
        pairs = _pairs(results, part, first)
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
            cannot.append(
                sentence(f"{named}whether {first} is more accurate than {listed(open_)}: {why}")
            )
    return can, cannot


def _counted(parts: Sequence[Part], won: Sequence[Part]) -> Iterator[str]:
    """On how many of many data sets which reference is the best."""
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
    """The reference that no solver is as accurate as; empty if there is none."""
    leaders = leading(_accuracies(part), 1.0)
    references = _references(part)
    return leaders[0] if leaders and all(name in references for name in leaders) else ""


def _pairs(results: Mapping[str, Any], part: Part, first: str) -> list[dict[str, Any]]:
    """The paired tests of a reference against the solvers, if it is the first in them."""
    from qnn.compare.summary import by_accuracy

    cells = [cell for cell in results["cells"] if cell["data"] == part["data"]]
    references = _references(part)
    return [
        pair
        for pair in by_accuracy(cells)
        if pair["first"] == first and pair["second"] not in references
    ]
