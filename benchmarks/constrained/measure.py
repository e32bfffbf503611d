"""Constrained models of public sets at equal time: ours, penalties, CP-SAT, HiGHS, repair alone.

    python benchmarks/constrained/measure.py DATA --seconds 10 --json results.json
    python benchmarks/constrained/measure.py --sets bundled --seconds 5

DATA has folders qplib, qkp, mkp, qoblib, qaplib, or some of them; the set "bundled" needs none.  A
table for each set is printed: the median gap to the best known value in percent (to the best of all
methods where none is known), on how many instances that was met, and on how many a feasible point
was found.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from rivals import RIVALS
from sets import SETS, Instance

from qnn.runs.output import environment, plain
from qnn.runs.tables import markdown_table
from solvers import QCGD


def run(instance: Instance, name: str, seconds: float, threads: int, seed: int) -> dict[str, Any]:
    """One method on one instance."""
    cqm = instance.load()
    started = time.perf_counter()
    value, failure = None, None
    try:
        value = RIVALS[name](cqm, seconds, threads, seed)
    except Exception as error:  # a rival that cannot take the model is a result, too
        failure = f"{type(error).__name__}: {error}"
    return {
        "family": instance.family,
        "instance": instance.name,
        "method": name,
        "seed": seed,
        "value": value,
        "seconds": time.perf_counter() - started,
        "failure": failure,
    }


def judged(instance: Instance, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The runs on one instance with their gaps."""
    values = [one["value"] for one in runs if one["value"] is not None]
    known = None if instance.best is None else instance.best * instance.unit
    best = known if known is not None else min(values, default=None)
    return [
        {**one, "best": best, "known": known is not None, "gap": instance.gap(one["value"], best)}
        for one in runs
    ]


def table(family: str, runs: Sequence[dict[str, Any]]) -> str:
    """A set's methods, the best median gap first."""
    rows = []
    for name in dict.fromkeys(one["method"] for one in runs):
        own = [one for one in runs if one["method"] == name]
        gap = median(one["gap"] for one in own)
        rows.append((
            gap,
            [
                name,
                f"{gap:.3f}" if gap < float("inf") else "-",
                f"{sum(one['gap'] <= 0 for one in own)} of {len(own)}",
                f"{sum(one['value'] is not None for one in own)} of {len(own)}",
                f"{median(one['seconds'] for one in own):.1f}",
                str(sum(one["failure"] is not None for one in own) or ""),
            ],
        ))  # fmt: skip
    rows.sort(key=lambda row: row[0])
    columns = ["method", "median gap, %", "met", "feasible", "seconds", "refused"]
    return f"\n## {family}\n\n" + markdown_table(columns, [cells for _, cells in rows])


def main() -> None:
    """Measure, print the tables, write every run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "data", type=Path, nargs="?", help="folder with qplib, qkp, mkp, qoblib, qaplib"
    )
    parser.add_argument("--sets", default=",".join(SETS), help="some of them, comma-separated")
    parser.add_argument("--methods", default=",".join(RIVALS), help="some, comma-separated")
    parser.add_argument("--only", default="", help="instances whose names begin so, commas between")
    parser.add_argument("--most", type=int, help="at most so many instances of a set, evenly drawn")
    parser.add_argument("--seconds", type=float, default=10.0, help="of every run, set-up included")
    parser.add_argument(
        "--threads", type=int, default=2, help="of CP-SAT; ours takes what it finds"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="where every run goes")
    options = parser.parse_args()
    methods = [name.strip() for name in options.methods.split(",")]
    methods = [name for name in RIVALS if any(name.startswith(one) for one in methods)]
    if find_spec("ortools") is None and "CP-SAT" in methods:
        methods.remove("CP-SAT")
        print("CP-SAT is left out: pip install qnn-ising[exact]")
    runs: list[dict[str, Any]] = []
    for name in options.sets.split(","):
        folder = (options.data or Path()) / name
        if name != "bundled" and not folder.is_dir():
            print(f"{name} is left out: there is no folder {folder}")
            continue
        starts = tuple(options.only.split(","))
        found = [one for one in SETS[name](folder) if one.name.startswith(starts)]
        if options.most and len(found) > options.most:
            found = [found[k * len(found) // options.most] for k in range(options.most)]
        if found and not runs:  # what is compiled or loaded once
            QCGD(iterations=2).sample_cqm(found[0].load())
        for instance in found:
            here = [
                run(instance, method, options.seconds, options.threads, options.seed)
                for method in methods
            ]
            runs += judged(instance, here)
            told = ", ".join(f"{one['method']} {one['gap']:.3g}" for one in runs[-len(here) :])
            print(f"{instance.family} {instance.name}: {told}", flush=True)
            if options.json:  # what there is stays, if this is stopped
                about = {"data": str(options.data), "seconds": options.seconds,
                         "threads": options.threads, "seed": options.seed}  # fmt: skip
                content = {"options": about, "environment": environment(), "runs": runs}
                options.json.write_text(json.dumps(plain(content), indent=1))
    for family in dict.fromkeys(one["family"] for one in runs):
        print(table(family, [one for one in runs if one["family"] == family]))


if __name__ == "__main__":
    main()
