"""Tables of benchmarks/cqm.py, from its runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from cqm import Outcome

VARIANTS = ("", ", warm", ", warm, repaired")
"""Suffixes of a penalty weight in a method's name."""


def markdown(outcomes: Sequence[Outcome], budget: dict[str, Any], seconds: float) -> str:
    """Format gaps and feasible runs of every method on every family, and QAPLIB by instance."""
    families = list(dict.fromkeys(o.family for o in outcomes))
    rows = _methods(outcomes)
    lines = [
        f"{budget['calls']} calls of {budget['reads']} reads of {budget['sweeps']} sweeps; CP-SAT "
        f"{budget['seconds']:g} s, one worker; {seconds / 60:.0f} minutes in all.",
        "",
        "## Equal reads x sweeps: median gap in percent (share of runs with a feasible answer)",
        "",
        *_table(["method", *families, "seconds"], rows, families, None),
        "",
        "## Equal time: the same at the processor seconds that QCGD without repair took",
        "",
        *_table(["method", *families, "seconds"], rows, families, _clock(outcomes)),
        "",
        "## QAPLIB, gaps by seed",
        "",
        *_by_instance([o for o in outcomes if o.family == "QAP"]),
    ]
    return "\n".join(lines) + "\n"


def _methods(outcomes: Sequence[Outcome]) -> dict[str, list[Outcome]]:
    """Group runs by method; each variant of penalty weights also as its best one per run."""
    rows: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        rows.setdefault(outcome.method, []).append(outcome)
    for variant in VARIANTS:
        weights = [
            runs
            for name, runs in rows.items()
            if name.startswith("penalty") and name.partition(",")[1:] == variant.partition(",")[1:]
        ]
        if len(weights) > 1:
            best = [min(runs, key=lambda o: o.gap(o.value)) for runs in zip(*weights, strict=True)]
            rows[f"best of {len(weights)} penalties{variant}"] = best
    return rows


def _clock(outcomes: Sequence[Outcome]) -> dict[tuple[str, int], float]:
    """Return the seconds of the run that sets the clock, by instance and seed."""
    return {(o.instance, o.seed): o.seconds for o in outcomes if o.method == "QCGD without repair"}


def _table(
    head: list[str],
    rows: dict[str, list[Outcome]],
    families: list[str],
    clock: dict[tuple[str, int], float] | None,
) -> list[str]:
    """Format one row per method."""
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for name, runs in rows.items():
        cells = [name]
        for family in families:
            here = [o for o in runs if o.family == family]
            values = [
                o.value if clock is None else o.value_after(clock.get((o.instance, o.seed), np.inf))
                for o in here
            ]
            gaps = [o.gap(value) for o, value in zip(here, values, strict=True)]
            feasible = np.isfinite(gaps).mean() if gaps else 0.0
            cells.append(f"{np.median(gaps):.2f} ({feasible:.0%})" if gaps else "-")
        cells.append(f"{np.median([o.seconds for o in runs]):.1f}")
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def _by_instance(outcomes: Sequence[Outcome]) -> list[str]:
    """Format gaps of QCGD, with and without repair, for every seed."""
    lines = ["| instance | method | gaps | median | at the best known |", "|" + " --- |" * 5]
    for instance in dict.fromkeys(o.instance for o in outcomes):
        for method in ("QCGD", "QCGD without repair"):
            runs = [o for o in outcomes if (o.instance, o.method) == (instance, method)]
            if not runs:
                continue
            gaps = [o.gap(o.value) for o in runs]
            shown = ", ".join(f"{gap:.2f}" for gap in gaps)
            hits = sum(gap < 1e-6 for gap in gaps)
            lines.append(
                f"| {instance} | {method} | {shown} | {np.median(gaps):.2f} | "
                f"{hits} of {len(gaps)} |"
            )
    return lines
