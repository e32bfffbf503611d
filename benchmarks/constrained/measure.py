"""Constrained models of public sets at equal time: ours, penalties, CP-SAT, HiGHS, repair alone.

    python benchmarks/constrained/measure.py DATA --seconds 10 --json results.json
    python benchmarks/constrained/measure.py --sets bundled --seconds 5

DATA has some or all of the folders qplib, qkp, mkp, qoblib, qaplib; the set "bundled" needs none.
Each set's table gives the median gap to the best known value in percent (to the best of all methods
if none is known), the number of instances that reach it, and the number with a feasible point.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import dimod
import numpy as np
from rivals import RIVALS, best_of
from scipy.stats import rankdata
from sets import SETS, Instance

from qnn.runs.output import environment, plain
from qnn.runs.tables import markdown_table
from solvers import QCGD


def run(instance: Instance, name: str, seconds: float, threads: int, seed: int) -> dict[str, Any]:
    """Run one method on one instance."""
    cqm = instance.load()
    started = time.perf_counter()
    answer, failure = None, None
    try:
        answer = RIVALS[name](cqm, seconds, threads, seed)
    except Exception as error:  # A failure of a rival to take the model is also a result.
        failure = f"{type(error).__name__}: {error}"
    taken = time.perf_counter() - started
    sampled = isinstance(answer, dimod.SampleSet)
    return {
        "family": instance.family,
        "instance": instance.name,
        "method": name,
        "seed": seed,
        "bits": len(cqm.variables),
        "rows": len(cqm.constraints),
        "value": best_of(answer) if sampled else answer,
        "seconds": taken,
        "failure": failure,
        "sources": answer.info.get("sources") if sampled else None,
    }


def judged(instance: Instance, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add gaps to the runs on one instance."""
    values = [one["value"] for one in runs if one["value"] is not None]
    known = None if instance.best is None else instance.best * instance.unit
    best = known if known is not None else min(values, default=None)
    return [
        {**one, "best": best, "known": known is not None, "gap": instance.gap(one["value"], best)}
        for one in runs
    ]


def table(runs: Sequence[dict[str, Any]]) -> str:
    """Compare a set's methods on their common instances, best median gap first."""
    names = list(dict.fromkeys(one["method"] for one in runs))
    of = {(one["instance"], one["method"]): one for one in runs}
    common = [
        instance
        for instance in dict.fromkeys(one["instance"] for one in runs)
        if all((instance, name) in of for name in names)
    ]
    gaps = np.array([[of[instance, name]["gap"] for name in names] for instance in common])
    ranks = rankdata(gaps, axis=1)
    rows = []
    for k, name in enumerate(names if common else []):
        own = [of[instance, name] for instance in common]
        gap = median(gaps[:, k])
        rows.append((
            (gap, median(ranks[:, k])),
            [
                name,
                f"{gap:.3f}" if gap < float("inf") else "-",
                f"{median(ranks[:, k]):g}",
                f"{(gaps[:, k] <= 0).sum()} of {len(own)}",
                f"{(gaps[:, k] <= 1).sum()}",
                f"{sum(one['value'] is not None for one in own)} of {len(own)}",
                f"{median(one['seconds'] for one in own):.1f}",
                str(sum(one["failure"] is not None for one in own) or ""),
            ],
        ))  # fmt: skip
    rows.sort(key=lambda row: row[0])
    columns = ["method", "median gap, %", "median rank", "met", "within 1 %", "feasible", "seconds",
               "refused"]  # fmt: skip
    return "\n" + markdown_table(columns, [cells for _, cells in rows])


def every_instance(runs: Sequence[dict[str, Any]]) -> str:
    """List each instance with the first method's result, and the finders of its best points."""
    own = [one for one in runs if one["method"] == runs[0]["method"]]
    gaps = np.array([one["gap"] for one in own])
    feasible = sum(one["value"] is not None for one in own)
    text = (
        f"\n{own[0]['method']}, {len(own)} instances: {feasible} feasible, "
        f"{(gaps <= 0).sum()} met, {(gaps <= 1).sum()} within 1 %, {(gaps > 1).sum()} worse; "
        f"median gap {median(gaps):.3g} %, largest {gaps.max():.3g} %.\n\n"
    )
    rows = []
    for one in own:
        sources = one["sources"] or {}
        found = {name: source["improvements"] for name, source in sources.items()}
        total = sum(source["seconds"] for source in sources.values()) or 1.0
        rows.append([
            one["instance"], f"{one['bits']}, {one['rows']}", number(one["best"]),
            number(one["value"]), f"{one['gap']:.3g}" if one["gap"] < float("inf") else "-",
            ", ".join(f"{name} {count}" for name, count in found.items() if count),
            f"{100 * sources['oracle']['seconds'] / total:.0f}" if sources else "-",
        ])  # fmt: skip
    columns = ["instance", "bits, rows", "best known", "found", "gap, %", "improvements by",
               "oracle's time, %"]  # fmt: skip
    return text + markdown_table(columns, rows)


def verdict(runs: Sequence[dict[str, Any]]) -> str:
    """State which methods beat the first on common instances, if any did."""
    first = runs[0]["method"]
    own = {one["instance"]: one["gap"] for one in runs if one["method"] == first}
    better, rivals = [], list(dict.fromkeys(one["method"] for one in runs))[1:]
    for name in rivals:
        pairs = [(one["gap"], own[one["instance"]]) for one in runs if one["method"] == name]
        wins = sum(theirs < ours for theirs, ours in pairs)
        losses = sum(theirs > ours for theirs, ours in pairs)
        if wins > losses:
            better.append(f"{name} is better on {wins} and worse on {losses} of {len(pairs)}")
    if not rivals:
        return ""
    return "\n" + ("; ".join(better) or f"No rival is better than {first} more often than worse")


def head(options: argparse.Namespace, about: dict[str, Any]) -> str:
    """Describe how a page was made."""
    rivals = f" --methods '{options.methods}'" if options.methods != ",".join(RIVALS) else ""
    every = f" --every {options.every}" if options.every > 1 else ""
    every += " --processor" if options.processor else ""
    clock = "Seconds are of the processor: the machine did other work, too. " * options.processor
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return (
        f"`python benchmarks/constrained/measure.py DATA --sets {options.sets} --seconds "
        f"{options.seconds:g} --threads {options.threads}{rivals}{every}`: {cores} core"
        f"{'s' if cores != 1 else ''}, seed {options.seed}, one run of each; "
        f"Python {about['python']}. {clock}Values are of the minimised objective; a gap is in "
        "percent of the best known value, or above 0 in units of one where that is below 1.\n"
    )


def number(value: float | None) -> str:
    """Convert a value of the model to the minimised objective."""
    return "-" if value is None else f"{value:.10g}"


def main() -> None:
    """Measure what is missing in the JSON file, print the tables, write every run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "data", type=Path, nargs="?", help="folder with qplib, qkp, mkp, qoblib, qaplib"
    )
    parser.add_argument("--sets", default=",".join(SETS), help="some of them, comma-separated")
    parser.add_argument("--methods", default=",".join(RIVALS), help="some, comma-separated")
    parser.add_argument("--only", default="", help="instances whose names begin so, commas between")
    parser.add_argument("--most", type=int, help="at most so many instances of a set, evenly drawn")
    parser.add_argument("--every", type=int, default=1, help="rivals have each so many-th instance")
    parser.add_argument("--seconds", type=float, default=10.0, help="of every run, set-up included")
    parser.add_argument(
        "--threads", type=int, default=2, help="of CP-SAT; ours takes what it finds"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--processor", action="store_true",
        help="seconds of the processor, not of the wall: for a machine that does other work, too; "
        "not for CP-SAT and HiGHS, which have a clock of their own",
    )  # fmt: skip
    parser.add_argument("--until", type=float, help="seconds after which no run begins any more")
    parser.add_argument("--json", type=Path, help="every run; what it has is not run again")
    parser.add_argument("--page", type=Path, help="where the tables go, besides the terminal")
    options = parser.parse_args()
    if options.processor:
        time.perf_counter = time.process_time
    started = time.perf_counter()
    methods = [name.strip() for name in options.methods.split(",")]
    methods = [name for name in RIVALS if any(name.startswith(one) for one in methods)]
    if find_spec("ortools") is None and "CP-SAT" in methods:
        methods.remove("CP-SAT")
        print("CP-SAT is left out: pip install qnn-ising[exact]")
    about = {"seconds": options.seconds, "threads": options.threads, "seed": options.seed}
    kept: dict[str, Any] = {"options": about, "runs": []}
    if options.json and options.json.exists():
        kept = json.loads(options.json.read_text())
        if kept["options"] != about:
            parser.error(f"{options.json} is of {kept['options']}: name another file")
    kept["environment"] = environment()
    done = {(one["family"], one["instance"], one["method"]): one for one in kept["runs"]}
    runs: list[dict[str, Any]] = []
    warm = False
    for name in options.sets.split(","):
        folder = (options.data or Path()) / name
        if name != "bundled" and not folder.is_dir():
            print(f"{name} is left out: there is no folder {folder}")
            continue
        starts = tuple(options.only.split(","))
        found = [one for one in SETS[name](folder) if one.name.startswith(starts)]
        if options.most and len(found) > options.most:
            found = [found[k * len(found) // options.most] for k in range(options.most)]
        for place, instance in enumerate(found):
            here = []
            for method in methods if place % options.every == 0 else methods[:1]:
                key = (instance.family, instance.name, method)
                late = options.until and time.perf_counter() - started > options.until
                if key not in done and not late:
                    if not warm:  # one-time compilation and loading
                        warm = bool(QCGD(iterations=2).sample_cqm(instance.load()))
                    done[key] = run(
                        instance, method, options.seconds, options.threads, options.seed
                    )
                    kept["runs"] = list(done.values())
                    if options.json:  # keep finished runs if this is stopped
                        options.json.write_text(json.dumps(plain(kept), indent=1))
                if key in done:
                    here.append(done[key])
            runs += judged(instance, here)
            told = ", ".join(f"{one['method']} {one['gap']:.3g}" for one in runs[-len(here) :])
            if here:
                print(f"{instance.family} {instance.name}: {told}", flush=True)
    pages = []
    for family in dict.fromkeys(one["family"] for one in runs):
        own = [one for one in runs if one["family"] == family]
        several = len({one["method"] for one in own}) > 1
        pages += [verdict(own) + "\n" + table(own)] if several else []
        pages.append(every_instance(own))
        pages[-1 - several] = f"\n## {family}\n" + pages[-1 - several]
    print(*pages, sep="\n")
    if options.page:
        title = f"# Constrained models of {options.sets} at equal time\n"
        text = "\n".join([title, head(options, kept["environment"]), *pages])
        options.page.write_text(re.sub(r"\n{3,}", "\n\n", text) + "\n")


if __name__ == "__main__":
    main()
