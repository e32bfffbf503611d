"""The ledger of oracle calls, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from qnn.report import text
from qnn.report.view import Row, Section, Table

LEDGER = [
    "calls",
    "reads",
    "oracle seconds",
    "sampling",
    "programming",
    "waiting",
    "ours",
    "charged",
    "failures",
    "retries",
]
COUNTS = ("calls", "reads", "failures", "retries")

SAID = {
    "oracle seconds": "Oracle seconds are the oracles' own account",
    "sampling": "sampling, programming and waiting are its parts",
    "ours": "ours is what the calls took beyond that on this machine",
    "charged": "charged is what is billed",
}
"""What columns mean."""


def ledger(cells: Sequence[Mapping[str, Any]]) -> Section:
    """What the oracles were asked and what it cost, summed over the runs of each solver."""
    rows = []
    for name in dict.fromkeys(cell["variant"] for cell in cells):
        booked = [_booked(cell) for cell in cells if cell["variant"] == name]
        if any(one.get("calls") for one in booked):
            items = dict.fromkeys(item for one in booked for item in one)
            total = {item: sum(one.get(item) or 0 for one in booked) for item in items}
            rows.append(Row([name, *_cells(total)]))
    if not rows:
        return Section("Ledger and cost", "no oracle was asked", folded=True)
    table = Table("Oracle calls and their cost", ["solver", *LEDGER], rows, wordy_end=False)
    table = table.without_empty()
    said = "; ".join(meaning for column, meaning in SAID.items() if column in table.columns)
    note = f"{'Sums over all runs. ' * (len(cells) > 1)}{said}; all but the counts in seconds."
    return Section("Ledger and cost", tables=[replace(table, note=note)])


def _booked(cell: Mapping[str, Any]) -> Mapping[str, Any]:
    """The ledger of a run, or what is left of it in results that have none."""
    kept = ("calls", "seconds", "charged")
    return cell.get("ledger") or {name: cell.get(f"oracle_{name}") or 0 for name in kept}


def _cells(booked: Mapping[str, Any]) -> list[str]:
    """A ledger as text, in the order of ``LEDGER``."""
    names = [name.removeprefix("oracle ") for name in LEDGER]
    return [
        text.whole(booked.get(name)) if name in COUNTS else text.seconds(booked.get(name) or None)
        for name in names
    ]
