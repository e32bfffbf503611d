"""What the figures say in plain words, and what they do not.

Every sentence follows from figures in the results; none says more than they do.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qnn.report.view import Conclusions

Results = Mapping[str, Any]

SIGNIFICANT = 0.05
"""A difference counts if its adjusted p value is below."""

SPELLED_OUT = 3
"""Up to so many data sets each gets sentences of its own."""

MEASURES = (
    ("train_loss", "lower training loss", "higher training loss"),
    ("test_accuracy", "higher test accuracy", "lower test accuracy"),
)
"""What is tested, and the words for better and worse."""

PROVEN = ("optimal",)
EARLY = ("time limit", "call limit", "budget used up", "oracle failed", "interrupted")
"""Statuses of a run whose loss is proven least, and of one that something cut short."""


def of_comparison(results: Results) -> Conclusions:
    """What a comparison shows and what it does not."""
    parts = results["summary"]
    if len(parts) <= SPELLED_OUT:
        can = [sentence for part in parts for sentence in _leader(part, len(parts) > 1)]
        cannot = [sentence for part in parts for sentence in _undecided(part, len(parts) > 1)]
    else:
        can, cannot = list(_leaders(parts)), list(_undecided_in_all(parts))
    can += _proofs(results)
    cannot += [
        *_cut(results),
        *_failures(results),
        *_without_bound(results),
        *_hindsight(parts),
        *_budget(results),
        *_clock(results),
        *_scope(results),
    ]
    nothing = "Nothing about which solver is better: the figures do not tell them apart."
    return Conclusions(can or [nothing], cannot)


def of_training(results: Results) -> Conclusions:
    """What one training run shows and what it does not."""
    can, cannot = [], []
    loss, bound = results.get("train_loss"), results.get("lower_bound")
    if results["status"] in PROVEN:
        can.append(f"The training loss {loss:g} is proven to be the least that this network has.")
    elif bound is not None and loss is not None:
        can.append(f"No weights of this network have a training loss below {bound:g}: proven.")
        cannot.append(
            f"Whether a loss between {bound:g} and the {loss:g} that was found can be reached."
        )
    else:
        cannot.append("How far the training loss is from the least possible: no bound is proven.")
    test, count = results.get("test_accuracy"), results.get("test_samples")
    if test is not None and count:
        error = 1.96 * (test * (1 - test) / count) ** 0.5
        can.append(
            f"Of {count:,} samples that training did not see, {test:.1%} are classified correctly "
            f"(about ± {100 * error:.1f} points from the number of samples alone)."
        )
    if results["status"] in EARLY:
        reason = f" ({results['reason']})" if results.get("reason") else ""
        cannot.append(
            f"What the whole run would have found: it ended early, {results['status']}{reason}."
        )
    if results["status"] == "not ended":
        cannot.append("How the run ends: this is what its latest checkpoint holds.")
    cannot.append(
        "How another seed would have done: this is one run. qnn compare repeats it over seeds and "
        "tests the differences."
    )
    return Conclusions(can, cannot)


# -- one data set ---------------------------------------------------------------------------------


def _where(part: Mapping[str, Any], named: bool) -> str:
    return f"On {part['data']}, " if named else ""


def _pairs(part: Mapping[str, Any], measure: str) -> list[Mapping[str, Any]]:
    return [pair for pair in part.get("pairs", ()) if pair["measure"] == measure]


def decided(pair: Mapping[str, Any]) -> bool:
    """Whether a pair's difference is significant after the adjustment.

    Examples
    --------
    >>> decided({"p_adjusted": 0.03}), decided({"p_adjusted": 0.05}), decided({"p_adjusted": None})
    (True, False, False)
    """
    p = pair.get("p_adjusted")
    return p is not None and p < SIGNIFICANT


def hopeless(pairs: Sequence[Mapping[str, Any]]) -> str:
    """Why so few seeds cannot make these pairs significant, if that is so; else nothing.

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


def _leader(part: Mapping[str, Any], named: bool) -> Iterator[str]:
    """Who is better than whom, by the tests."""
    clauses = []
    for measure, better, worse in MEASURES:
        pairs = _pairs(part, measure)
        for word, won in ((better, True), (worse, False)):
            apart = [p for p in pairs if decided(p) and (p["wins"] > p["losses"]) == won]
            if apart:
                worst = max(pair["p_adjusted"] for pair in apart)
                clauses.append(
                    f"a {word} than {_seconds(apart, pairs)} "
                    f"(adjusted p {_at_most(worst, len(apart))})"
                )
    if clauses:
        first = part["pairs"][0]["first"]
        yield _sentence(f"{_where(part, named)}{first} has {'; '.join(clauses)}")


def _undecided(part: Mapping[str, Any], named: bool, units: str = "seeds") -> Iterator[str]:
    """Whom the tests do not tell apart, and whether they could have."""
    where = _where(part, named)
    for measure, word in (("train_loss", "training loss"), ("test_accuracy", "test accuracy")):
        pairs = _pairs(part, measure)
        about = f"{where}whether {pairs[0]['first']} differs in {word} from " if pairs else ""
        untested = [pair for pair in pairs if pair.get("p_adjusted") is None]
        if untested:
            yield _sentence(
                f"{about}{_seconds(untested, pairs)}: there are too few seeds that both have"
            )
        open_ = [pair for pair in pairs if not decided(pair) and pair not in untested]
        reason = hopeless(pairs)
        if open_ and reason:
            yield _sentence(
                f"{about}{_seconds(open_, pairs)}: there are too few {units}, for {reason}, and "
                "medians alone are no evidence"
            )
        elif open_:
            yield _sentence(
                f"{about}{_seconds(open_, pairs)}: what was measured is compatible with chance "
                f"(adjusted p {SIGNIFICANT:g} or more), which does not show that they are equal"
            )
    if not part.get("pairs") and len(part["rows"]) > 1:
        yield _sentence(f"{where}which solver is better: there is no paired test")


def _seconds(some: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]]) -> str:
    """The other solvers of some of the pairs, by name or as a whole."""
    if len(some) == len(pairs) > 3:
        return f"all {len(pairs)} others"
    return listed([pair["second"] for pair in some], most=5)


# -- many data sets -------------------------------------------------------------------------------


def _leaders(parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Who is better over all data sets, and on how many of them by their own tests."""
    over = {"data": f"all {len(parts)} data sets together", "pairs": over_data_sets(parts)}
    yield from _leader(over, named=True)
    firsts = [pairs[0]["first"] for part in parts if (pairs := _pairs(part, "train_loss"))]
    for name in sorted(set(firsts), key=lambda name: (-firsts.count(name), name)):
        counts = [_count_of(parts, name, *measure) for measure in MEASURES]
        if any(counts):
            yield (
                f"{name} has the least median training loss on {firsts.count(name)} of "
                f"{len(parts)} data sets. Against another solver there, it has "
                f"{listed([count for count in counts if count])} (p adjusted within each data set, "
                "not over all of them)."
            )


def _count_of(
    parts: Sequence[Mapping[str, Any]], first: str, measure: str, better: str, worse: str
) -> str:
    """In how many of its pairs a solver is better and worse by the tests; empty if in none."""
    own = [p for part in parts for p in _pairs(part, measure) if p["first"] == first]
    won = sum(decided(pair) and pair["wins"] > pair["losses"] for pair in own)
    lost = sum(decided(pair) and pair["wins"] <= pair["losses"] for pair in own)
    said = [
        f"a significantly {word} in {count} of {counted(len(own), 'pair')}"
        for word, count in ((better, won), (worse, lost))
        if count
    ]
    return " and ".join(said)


def _undecided_in_all(parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    over = over_data_sets(parts)
    if any(decided(pair) for pair in over):
        yield (
            "Anything about data sets that are not here: the test over data sets takes them as a "
            "sample, and where they share samples or classes, as pairs of one set's classes do, "
            "its p values are too small."
        )
    about = {"data": f"all {len(parts)} data sets together", "pairs": over, "rows": ()}
    yield from _undecided(about, named=True, units="data sets")
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
    """Paired tests with the data sets in the place of seeds, on medians.  [Demsar 2006.]"""
    from qnn.compare.paired import paired

    named: dict[str, dict[str, dict[int, float]]] = {}
    for number, part in enumerate(parts):
        for row in part["rows"]:
            for measure in ("train_loss", "test_accuracy") if not row["part"] else ():
                if row.get(measure):
                    own = named.setdefault(row["name"], {}).setdefault(measure, {})
                    own[number] = row[measure]["median"]
    return paired(named)


# -- all runs -------------------------------------------------------------------------------------


def _proofs(results: Results) -> Iterator[str]:
    """How often a solver proved that its own loss is least, and how often others met the proof."""
    cells = results["cells"]
    seeds = {(cell.get("data"), cell["seed"]) for cell in cells}
    proven = {
        (cell.get("data"), cell["seed"]): cell["train_loss"]
        for cell in cells
        if cell["status"] in PROVEN and cell.get("train_loss") is not None
    }
    if not proven:
        return
    provers = listed(sorted({c["variant"] for c in cells if c["status"] in PROVEN}))
    yield (
        f"The least possible training loss is known in {len(proven)} of "
        f"{counted(len(seeds), 'draw')} of data: {provers} proved it."
    )
    for name in dict.fromkeys(cell["variant"] for cell in cells):
        own = [
            cell
            for cell in cells
            if cell["variant"] == name and (cell.get("data"), cell["seed"]) in proven
        ]
        own = [cell for cell in own if cell["status"] not in PROVEN and _trained(cell)]
        met = sum(
            cell["train_loss"] <= proven[cell.get("data"), cell["seed"]] + 1e-9 for cell in own
        )
        if own:
            yield f"{name} found a loss that is proven least in {met} of these {len(own)}."


def _trained(cell: Mapping[str, Any]) -> bool:
    return cell.get("train_loss") is not None


def _without_bound(results: Results) -> Iterator[str]:
    draws = {(cell.get("data"), cell["seed"]) for cell in results["cells"]}
    bounded = {
        (cell.get("data"), cell["seed"])
        for cell in results["cells"]
        if cell.get("lower_bound") is not None or cell["status"] in PROVEN
    }
    if not bounded:
        yield "How far any loss is from the least possible: no solver proved a bound."
    elif draws - bounded:
        yield (
            f"How far the losses are from the least possible in {len(draws - bounded)} of "
            f"{counted(len(draws), 'draw')} of data: no bound is proven there."
        )


def _cut(results: Results) -> Iterator[str]:
    if results.get("interrupted"):
        yield (
            f"What the whole comparison shows: it was interrupted with {len(results['cells'])} of "
            f"{results['planned']} runs done."
        )


def _failures(results: Results) -> Iterator[str]:
    """Who failed, who was cut short, how often and why."""
    cells = results["cells"]
    for name in dict.fromkeys(cell["variant"] for cell in cells):
        own = [cell for cell in cells if cell["variant"] == name]
        failed = [cell for cell in own if "error" in cell]
        early = [cell for cell in own if cell["status"] in EARLY and cell not in failed]
        if failed:
            why = str(failed[0].get("error") or failed[0]["status"]).rstrip(".")
            rest = (
                "it is in no test" if len(failed) == len(own) else "its figures are of the others"
            )
            yield (
                f"How good {name} is in full: {len(failed)} of {counted(len(own), 'run')} failed "
                f"({why}); {rest}."
            )
        if early and not _equal_seconds(results):
            reasons = listed(list(dict.fromkeys(cell["status"] for cell in early)))
            yield (
                f"What {name} finds when it runs to its end: {len(early)} of "
                f"{counted(len(own), 'run')} ended early ({reasons})."
            )


def _hindsight(parts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    best = {row["name"] for part in parts for row in part["rows"] if ", best of " in row["name"]}
    if best:
        yield (
            f"How good {listed(sorted(best))} is in use: its weight is chosen afterwards, for each "
            "seed by training loss, better than anybody could in advance; its cost is that of all "
            "weights."
        )


def _equal_seconds(results: Results) -> bool:
    return bool(results.get("equal") == "seconds")


def _budget(results: Results) -> Iterator[str]:
    """What was equal between the solvers, and what was not."""
    if _equal_seconds(results):
        limit = results["options"].get("time_limit")
        yield (
            f"Anything about other budgets: every solver had {limit:g} seconds, or less if it "
            "ended by itself."
        )
        return
    asked = {c["variant"] for c in results["cells"] if c.get("oracle_calls")}
    others = [
        name
        for name in dict.fromkeys(c["variant"] for c in results["cells"] if _trained(c))
        if name not in asked
    ]
    if asked and others:
        yield (
            "Which solver is better at equal effort: those with an oracle had the same number of "
            f"oracle sweeps a run, but {listed(others)} "
            f"{'asks' if len(others) == 1 else 'ask'} no oracle and had a budget of "
            f"{'its' if len(others) == 1 else 'their'} own; hold the seconds beside the losses."
        )
    elif asked:
        yield "Anything about other budgets: all solvers had the same number of oracle sweeps."


def _clock(results: Results) -> Iterator[str]:
    workers, cores = results.get("workers") or 1, results["environment"].get("cores")
    if cores and workers > cores:
        yield (
            f"How fast a solver is alone: {workers} runs shared {cores} cores, so that all seconds "
            "are too long."
        )
    elif workers > 1:
        yield (
            f"Small differences in seconds: {workers} runs at a time shared the memory of one "
            f"machine with {cores} cores."
        )


def _scope(results: Results) -> Iterator[str]:
    seeds = len(results["seeds"])
    draws = f"{seeds} draws" if seeds > 1 else "one draw"
    yield (
        f"Anything about other data, networks or sizes: the seeds are {draws} of training parts "
        "from the same data, which overlap, so that the p values hold for repeating this "
        "experiment, not for new data."
    )


# -- language -------------------------------------------------------------------------------------


def listed(names: Sequence[str], most: int = 8) -> str:
    """Names as English lists them.

    Examples
    --------
    >>> listed(["qcgd"]), listed(["a", "b", "c"]), listed(list("abcdef"), most=3)
    ('qcgd', 'a, b and c', 'a, b, c and 3 others')
    """
    if len(names) > most + 1:
        return f"{', '.join(names[:most])} and {len(names) - most} others"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def counted(number: int, noun: str) -> str:
    """A number and its noun.

    Examples
    --------
    >>> counted(1, "draw"), counted(2_000, "draw")
    ('1 draw', '2,000 draws')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _at_most(p: float, count: int) -> str:
    return f"{p:.2g}" if count == 1 else f"at most {p:.2g}"


def _sentence(text: str) -> str:
    """Ends with a full stop, and begins with a capital unless a solver's name comes first."""
    first = text.split(" ", 1)[0]
    return f"{first.capitalize() if first in ('whether', 'which') else first}{text[len(first) :]}."
