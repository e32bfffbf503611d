"""How results were made: command, options, machine and packages; oracle calls and their cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from qnn.report import text
from qnn.report.text import listed
from qnn.report.view import Row, Section, Table, figures


def made(results: Mapping[str, Any]) -> Section:
    """List everything needed to reproduce the results."""
    environment = results.get("environment") or {}
    packages = environment.get("packages") or {}
    created = environment.get("created") or ""
    equal = {
        "seconds": "wall-clock seconds a run",
        "sweeps": "oracle sweeps a run (calls x reads x sweeps), of solvers that ask an oracle",
    }
    machine = f"{environment.get('system')}, {environment.get('cores')} cores"
    said = {
        "command": results.get("command"),
        "data": _data(results.get("datasets") or [results["data"]]),
        "network": text.options(results["model"]),
        "solvers": text.options(results["options"]),
        "equal for all": equal.get(str(results.get("equal"))),
        "seeds": _seeds(results.get("seeds") or [results["seed"]]),
        "runs at a time": results.get("workers"),
        "created": created.replace("T", " ").replace("+00:00", " UTC"),
        "machine": machine if environment else None,
        "python": environment.get("python"),
        "packages": ", ".join(f"{name} {version}" for name, version in packages.items() if version),
    }
    shown = {name: str(value) for name, value in said.items() if value}
    return Section("How it was made", tables=[figures(shown, words=2)])


def _data(data: Sequence[Mapping[str, Any]]) -> str:
    """Describe data sets and how they are read, merging those read alike.

    Examples
    --------
    >>> _data([{"spec": "iris", "samples": 90}, {"spec": "wine", "samples": 90}])
    'iris and wine: samples 90'
    """
    names: dict[str, list[str]] = {}
    for one in data:
        how = text.options({name: value for name, value in one.items() if name != "spec"})
        names.setdefault(how, []).append(one["spec"])
    return "; ".join(f"{listed(own, len(own))}: {how}" for how, own in names.items())


def _seeds(seeds: list[int]) -> str:
    """Format seeds, as a range if they are consecutive.

    Examples
    --------
    >>> _seeds([0, 1, 2, 3]), _seeds([4]), _seeds([1, 5])
    ('0 to 3', '4', '1, 5')
    """
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


# -- oracle calls ----------------------------------------------------------------------------------


def ledger(cells: Sequence[Mapping[str, Any]]) -> Section:
    """Sum the calls to oracles and their cost over the runs of each solver."""
    rows, kept = [], ("calls", "seconds", "charged")
    for name in dict.fromkeys(cell["variant"] for cell in cells):
        booked = [  # fallback for results without a ledger
            cell.get("ledger") or {item: cell.get(f"oracle_{item}") or 0 for item in kept}
            for cell in cells
            if cell["variant"] == name
        ]
        if any(one.get("calls") for one in booked):
            items = dict.fromkeys(item for one in booked for item in one)
            total = {item: sum(one.get(item) or 0 for one in booked) for item in items}
            counts = [text.whole(total.get(item)) for item in ("calls", "reads")]
            parts = ("seconds", "sampling", "programming", "waiting", "ours", "charged")
            counts += [text.seconds(total.get(item) or None) for item in parts]
            counts += [text.whole(total.get(item)) for item in ("failures", "retries")]
            rows.append(Row([name, *counts]))
    if not rows:
        return Section("Ledger and cost", "no oracle was asked", folded=True)
    columns = ["solver", "calls", "reads", "oracle seconds", "sampling", "programming", "waiting",
               "ours", "charged", "failures", "retries"]  # fmt: skip
    table = Table("Oracle calls and their cost", columns, rows, wordy_end=False).without_empty()
    meanings = {
        "oracle seconds": "Oracle seconds are the oracles' own account",
        "sampling": "sampling, programming and waiting are its parts",
        "ours": "ours is what the calls took beyond that on this machine",
        "charged": "charged is what is billed",
    }
    said = "; ".join(meaning for column, meaning in meanings.items() if column in table.columns)
    note = f"{'Sums over all runs. ' * (len(cells) > 1)}{said}; all but the counts in seconds."
    return Section("Ledger and cost", tables=[replace(table, note=note)])
