"""Conclusions in plain words: what the figures show and what they do not.

Every sentence follows from figures in the results and claims no more than they show.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from qnn.report.differences import leader, leaders, undecided, undecided_in_all
from qnn.report.references import best_of_all
from qnn.report.text import counted, listed

Results = Mapping[str, Any]

PROVEN = "optimal"
EARLY = ("time limit", "call limit", "budget used up", "oracle failed", "interrupted")
"""Status of a run whose loss is proven minimal, and statuses of runs that were cut short."""


def of_comparison(results: Results, spelled_out: int = 3) -> tuple[list[str], list[str]]:
    """State what a comparison shows and what it does not; few data sets get sentences each."""
    parts = results["summary"]
    if len(parts) <= spelled_out:
        can = list(leader(parts, named=len(parts) > 1))
        cannot = list(undecided(parts, named=len(parts) > 1))
    else:
        can, cannot = list(leaders(parts)), list(undecided_in_all(parts))
    first, open_ = best_of_all(results, spelled_out)
    can = [*first, *can, *_proofs(results)]
    cannot = [*open_, *cannot]
    cannot += [
        *_cut(results),
        *_failures(results),
        *_early(results),
        *_without_bound(results),
        *_hindsight(parts),
        *_budget(results),
        *_clock(results),
        *_scope(results),
    ]
    nothing = "Nothing about which solver is better: the figures do not tell them apart."
    return can or [nothing], cannot


def of_training(results: Results) -> tuple[list[str], list[str]]:
    """State what one training run shows and what it does not."""
    can, cannot = [], []
    loss, bound = results.get("train_loss"), results.get("lower_bound")
    if results["status"] == PROVEN:
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
    if not can:
        can.append("Nothing: no bound is proven, and no accuracy on a test part is known.")
    return can, cannot


# -- all runs -------------------------------------------------------------------------------------


def _proofs(results: Results) -> Iterator[str]:
    """State how often a solver proved its own loss minimal, and how often others matched it."""
    cells = results["cells"]
    seeds = {(cell.get("data"), cell["seed"]) for cell in cells}
    proven = {
        (cell.get("data"), cell["seed"]): cell["train_loss"]
        for cell in cells
        if cell["status"] == PROVEN and cell.get("train_loss") is not None
    }
    if not proven:
        return
    provers = listed(sorted({c["variant"] for c in cells if c["status"] == PROVEN}))
    yield (
        f"The least possible training loss is known in {len(proven)} of "
        f"{counted(len(seeds), 'draw')} of data: {provers} proved it."
    )
    met, not_met = [], []
    for name in dict.fromkeys(cell["variant"] for cell in cells if not cell.get("reference")):
        own = [
            cell
            for cell in cells
            if cell["variant"] == name and (cell.get("data"), cell["seed"]) in proven
        ]
        least = sum(
            _trained(cell) and cell["train_loss"] <= proven[cell.get("data"), cell["seed"]] + 1e-9
            for cell in own
        )
        if least:
            met.append(f"{name} {least} of {len(own)}")
        else:
            not_met.append(name)
    none = f"; none of {listed(not_met, most=5)}" if not_met else ""
    yield f"Runs that found a loss that is proven least: {', '.join(met)}{none}."


def _trained(cell: Mapping[str, Any]) -> bool:
    return cell.get("train_loss") is not None


def _without_bound(results: Results) -> Iterator[str]:
    draws = {(cell.get("data"), cell["seed"]) for cell in results["cells"]}
    bounded = {
        (cell.get("data"), cell["seed"])
        for cell in results["cells"]
        if cell.get("lower_bound") is not None or cell["status"] == PROVEN
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
    """State which runs failed, how often and why."""
    cells = results["cells"]
    for name in dict.fromkeys(cell["variant"] for cell in cells):
        own = [cell for cell in cells if cell["variant"] == name]
        failed = [cell for cell in own if "error" in cell]
        if failed:
            why = str(failed[0].get("error") or failed[0]["status"]).rstrip(".")
            rest = (
                "it is in no test" if len(failed) == len(own) else "its figures are of the others"
            )
            yield (
                f"How good {name} is in full: {len(failed)} of {counted(len(own), 'run')} failed "
                f"({why}); {rest}."
            )


def _early(results: Results) -> Iterator[str]:
    """State which runs were cut short, how often, and by what."""
    if _equal_seconds(results):
        return
    cells = [cell for cell in results["cells"] if "error" not in cell]
    early = [cell for cell in cells if cell["status"] in EARLY]
    counts = [
        f"{name} {sum(cell['variant'] == name for cell in early)} of "
        f"{sum(cell['variant'] == name for cell in cells)}"
        for name in dict.fromkeys(cell["variant"] for cell in early)
    ]
    if counts:
        reasons = listed(list(dict.fromkeys(cell["status"] for cell in early)))
        yield (
            f"What these find when they run to their end, for runs of theirs ended early "
            f"({reasons}): {', '.join(counts)}."
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
    """State what was equal between the solvers, and what was not."""
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
    about = "Anything about other data, networks or sizes"
    if seeds == 1:
        yield f"{about}, or other draws: the one seed is one draw of a training part."
    else:
        yield (
            f"{about}: the seeds are {seeds} draws of training parts from the same data, which "
            "overlap, so that the p values hold for repeating this experiment, not for new data."
        )
