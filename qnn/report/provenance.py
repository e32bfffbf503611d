"""How results were made: command, options, machine and packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from qnn.report import text
from qnn.report.grammar import listed
from qnn.report.view import Row, Section, Table


def made(results: Mapping[str, Any]) -> Section:
    """Everything that is needed to make the results again."""
    environment = results.get("environment") or {}
    packages = environment.get("packages") or {}
    data = results.get("datasets") or [results["data"]]
    said = {
        "command": results.get("command"),
        "data": _data(data),
        "network": text.options(results["model"]),
        "solvers": text.options(results["options"]),
        "equal for all": _equal(results),
        "seeds": _seeds(results.get("seeds") or [results["seed"]]),
        "runs at a time": results.get("workers"),
        "created": _time(environment.get("created")),
        "machine": _machine(environment),
        "python": environment.get("python"),
        "packages": ", ".join(f"{name} {version}" for name, version in packages.items() if version),
    }
    rows = [Row([name, str(value)]) for name, value in said.items() if value]
    return Section("How it was made", tables=[Table("", ["", ""], rows, words=2)])


def _data(data: Sequence[Mapping[str, Any]]) -> str:
    """Data sets and how they are read; those that are read alike together.

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


def _time(created: str | None) -> str | None:
    """A time in UTC as people write it.

    Examples
    --------
    >>> _time("2026-11-21T16:39:39+00:00")
    '2026-11-21 16:39:39 UTC'
    """
    return created and created.replace("T", " ").replace("+00:00", " UTC")


def _equal(results: Mapping[str, Any]) -> str:
    return {
        "seconds": "wall-clock seconds a run",
        "sweeps": "oracle sweeps a run (calls x reads x sweeps), of solvers that ask an oracle",
    }.get(str(results.get("equal")), "")


def _seeds(seeds: list[int]) -> str:
    """Seeds, as a range where they are one.

    Examples
    --------
    >>> _seeds([0, 1, 2, 3]), _seeds([4]), _seeds([1, 5])
    ('0 to 3', '4', '1, 5')
    """
    if len(seeds) > 2 and list(seeds) == list(range(seeds[0], seeds[0] + len(seeds))):
        return f"{seeds[0]} to {seeds[-1]}"
    return ", ".join(map(str, seeds))


def _machine(environment: Mapping[str, Any]) -> str:
    if not environment:
        return ""
    return f"{environment.get('system')}, {environment.get('cores')} cores"
