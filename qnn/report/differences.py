"""Conclusions from the paired tests, per data set and over all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qnn.compare.ranking import leading
from qnn.report.text import at_most, counted, listed, sentence

SIGNIFICANT = 0.05
"""Adjusted p-values below this are significant."""

TOO_FEW = 5
"""With this many seeds or data sets, or fewer, no test can be significant."""

MEASURES = (
    ("train_loss", "lower training loss", "higher training loss"),
    ("test_accuracy", "higher test accuracy", "lower test accuracy"),
)
"""Tested measures, with the words for better and worse."""

COMPATIBLE = (
    f"what was measured is compatible with chance (adjusted p {SIGNIFICANT:g} or more), which does "
    "not show that they are equal"
)


def _on(data: Sequence[str], named: bool) -> str:
    return f"on {listed(data)}, " if named else ""


def _pairs(part: Mapping[str, Any], measure: str) -> list[Mapping[str, Any]]:
    return [pair for pair in part.get("pairs", ()) if pair["measure"] == measure]


def decided(pair: Mapping[str, Any]) -> bool:
    """Return True if a pair's difference is significant after the adjustment.

    Examples
    --------
    >>> decided({"p_adjusted": 0.03}), decided({"p_adjusted": 0.05}), decided({"p_adjusted": None})
    (True, False, False)
    """
    p = pair.get("p_adjusted")
    return p is not None and p < SIGNIFICANT


def hopeless(pairs: Sequence[Mapping[str, Any]]) -> str:
    """Explain why too few seeds make these pairs insignificant; empty if that is not the reason.

    Examples
    --------
    >>> pair = {"p_adjusted": 0.25, "smallest_p": 0.25, "seeds": 3, "wins": 3, "losses": 0}
    >>> hopeless([pair])
    'the least p that 3 of them can give is 0.25'
    >>> hopeless([{**pair, "p_adjusted": 0.1, "smallest_p": 0.031, "seeds": 6, "wins": 6}])
    'not even a lead on all 6 of them is significant among so many solvers'
    """
    most = max((pair["seeds"] for pair in pairs), default=0)
    least = min((pair["smallest_p"] for pair in pairs), default=0.0)
    if least >= SIGNIFICANT:
        return f"the least p that {most} of them can give is {least:.2g}"
    ahead = [p for p in pairs if max(p["wins"], p["losses"]) == p["seeds"] == most]
    if ahead and not any(map(decided, pairs)):
        return f"not even a lead on all {most} of them is significant among so many solvers"
    return ""


def leader(parts: Sequence[Mapping[str, Any]], named: bool) -> Iterator[str]:
    """State who is significantly better than whom; merge data sets with equal results."""
    where: dict[str, list[str]] = {}
    for part in parts:
        if clauses := _clauses(part):
            said = f"{part['pairs'][0]['first']} has {'; '.join(clauses)}"
            where.setdefault(said, []).append(part["data"])
    for said, names in where.items():
        yield sentence(f"{_on(names, named)}{said}")


def _clauses(part: Mapping[str, Any]) -> list[str]:
    """State the measures in which the first is significantly better or worse, and than whom."""
    clauses = []
    for measure, better, worse in MEASURES:
        pairs = _pairs(part, measure)
        for word, won in ((better, True), (worse, False)):
            apart = [p for p in pairs if decided(p) and (p["wins"] > p["losses"]) == won]
            if apart:
                worst = max(pair["p_adjusted"] for pair in apart)
                clauses.append(
                    f"a {word} than {_seconds(apart, pairs)} "
                    f"(adjusted p {at_most(worst, len(apart))})"
                )
    return clauses


def undecided(
    parts: Sequence[Mapping[str, Any]], named: bool, units: str = "seeds"
) -> Iterator[str]:
    """State which solvers the tests do not distinguish, and whether they could; merge reasons."""
    reasons: dict[str, dict[str, list[str]]] = {}
    for part in parts:
        for clause, reason in _open(part, units):
            reasons.setdefault(reason, {}).setdefault(clause, []).append(part["data"])
    for reason, clauses in reasons.items():
        said = [f"{_on(names, named)}{clause}" for clause, names in clauses.items()]
        yield sentence(f"{'; '.join(said)}: {reason}")


def _open(part: Mapping[str, Any], units: str) -> Iterator[tuple[str, str]]:
    """Yield what the tests of one data set leave open, and why."""
    if not part.get("pairs"):
        if len(part["rows"]) > 1:
            yield "which solver is better", "there is no paired test"
        return
    first = part["pairs"][0]["first"]
    equal = _equals(part)
    if first in equal and len(equal) > 1:
        yield (
            f"which of {listed(equal)} is better",
            "their training losses have the same median and the same mean",
        )
    reasons: dict[str, dict[str, list[str]]] = {}
    for measure, word in (("train_loss", "training loss"), ("test_accuracy", "test accuracy")):
        pairs = _pairs(part, measure)
        untested = [pair for pair in pairs if pair.get("p_adjusted") is None]
        open_ = [pair for pair in pairs if not decided(pair) and pair not in untested]
        why = hopeless(pairs)
        why = f"there are too few {units}, for {why}, and medians alone are no evidence" * bool(why)
        for some, reason in (
            (untested, f"there are too few {units} that both have"),
            (open_, why or COMPATIBLE),
        ):
            if some:
                whom = reasons.setdefault(reason, {})
                whom.setdefault(_seconds(some, pairs), []).append(word)
    for reason, whom in reasons.items():
        ways = [f"in {' or '.join(words)} from {names}" for names, words in whom.items()]
        yield f"whether {first} differs {', or '.join(ways)}", reason


def _equals(part: Mapping[str, Any]) -> list[str]:
    """Return the leaders in training loss: several if median and mean are equal."""
    return leading({row["name"]: row["train_loss"] for row in part["rows"] if not row["part"]})


def _seconds(some: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]]) -> str:
    """Name the other solvers of some pairs, individually or as a whole."""
    if len(some) == len(pairs) > 3:
        return f"all {len(pairs)} others"
    return listed([pair["second"] for pair in some], most=5)


# -- many data sets -------------------------------------------------------------------------------


def leaders(parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """State who is better over all data sets, and on how many by their own tests."""
    over = {"data": f"all {len(parts)} data sets together", "pairs": over_data_sets(parts)}
    yield from leader([over], named=True)
    led = Counter(pairs[0]["first"] for part in parts if (pairs := _pairs(part, "train_loss")))
    least = {name: [e for part in parts if name in (e := _equals(part))] for name in led}
    for name in sorted(led, key=lambda name: (-len(least[name]), name)):
        counts = [_count_of(parts, name, *measure) for measure in MEASURES]
        if any(counts):
            there = "there" if len(least[name]) == led[name] else f"on {led[name]} of them"
            yield (
                f"{name} has the least median training loss on {len(least[name])} of {len(parts)} "
                f"data sets{_shared(name, least[name])}. Against another solver {there}, it has "
                f"{listed([count for count in counts if count])} (p adjusted within each data set, "
                "not over all of them)."
            )


def _shared(name: str, least: Sequence[Sequence[str]]) -> str:
    """State on how many data sets others tie with a leading solver."""
    shared = [equal for equal in least if len(equal) > 1]
    others = list(dict.fromkeys(other for equal in shared for other in equal if other != name))
    return f", on {len(shared)} of them equal with {listed(others, most=5)}" if shared else ""


def _count_of(
    parts: Sequence[Mapping[str, Any]], first: str, measure: str, better: str, worse: str
) -> str:
    """Count the pairs in which a solver is significantly better and worse; empty if none."""
    own = [p for part in parts for p in _pairs(part, measure) if p["first"] == first]
    won = sum(decided(pair) and pair["wins"] > pair["losses"] for pair in own)
    lost = sum(decided(pair) and pair["wins"] <= pair["losses"] for pair in own)
    said = [
        f"a significantly {word} in {count} of {counted(len(own), 'pair')}"
        for word, count in ((better, won), (worse, lost))
        if count
    ]
    return " and ".join(said)


def undecided_in_all(parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    over = over_data_sets(parts)
    if any(decided(pair) for pair in over):
        yield (
            "Anything about data sets that are not here: the test over data sets takes them as a "
            "sample, and where they share samples or classes, as pairs of one set's classes do, "
            "its p values are too small."
        )
    about = {"data": f"all {len(parts)} data sets together", "pairs": over, "rows": ()}
    yield from undecided([about], named=True, units="data sets")
    pairs = [pair for part in parts for pair in _pairs(part, "train_loss")]
    open_ = sum(not decided(pair) for pair in pairs)
    if open_:
        yield (
            f"Which solver is better on a data set by itself in {open_} of {len(pairs)} pairs: "
            "their differences in training loss are compatible with chance."
        )
    no_chance = sum(bool(hopeless(own)) for part in parts if (own := _pairs(part, "train_loss")))
    if no_chance:
        yield (
            f"Anything about {no_chance} of {len(parts)} data sets by themselves: with so few "
            "seeds no result could be significant there."
        )


def over_data_sets(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Run the paired tests on medians, with data sets in place of seeds.  [Demsar 2006.]"""
    from qnn.compare.paired import paired

    named: dict[str, dict[str, dict[int, float]]] = {}
    for number, part in enumerate(parts):
        for row in part["rows"]:
            for measure in ("train_loss", "test_accuracy") if not row["part"] else ():
                if row.get(measure):
                    own = named.setdefault(row["name"], {}).setdefault(measure, {})
                    own[number] = row[measure]["median"]
    return paired(named)
