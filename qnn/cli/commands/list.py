"""``qnn list``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from formulations.errors import QnnError
from qnn.cli import console, options, vocabulary
from qnn.cli.help import argument, command, one_of
from qnn.runs.solver_table import describe, solver_names
from solvers.oracles import registry

KINDS: Mapping[str, str] = {
    "solvers": "Values of --solver and --solvers.",
    "oracles": "Values of --oracle, with the options that --oracle-option sets and their defaults.",
    "data": "Data sets with names of their own.",
    "activations": "Values of --activation.",
    "weights": "Weight codes: values of --weights and --bias.",
    "losses": "Values of --loss.",
    "constraints": "Values of --constraint.",
    "encodings": "Values of --encoding.",
    "tables": "Tables of qnn reproduce.",
}
"""Valid values of WHAT."""


@command(
    "list",
    examples="""
    qnn list solvers
    qnn list oracles
    qnn list oracles --json - | jq .oracles
    """,
)
@argument("what", known=KINDS, required=False, shell_complete=one_of(KINDS))
@options.json_option
def list_(what: str | None, json_file: str | None) -> None:
    """List the names that the other commands take.

    qnn list oracles also shows the options of every oracle.  Solvers and oracles registered by
    other packages are included.  There is no --seed, since nothing here is random.
    """
    from formulations.checks import choose
    from qnn.runs.output import FORMAT

    console.check_outputs(json_file)
    kinds = list(KINDS) if what is None else [choose("kind of names", what, list(KINDS))]
    found = {kind: _names(kind, options=what is not None) for kind in kinds}
    tables = [_table(kind, found[kind]) for kind in kinds]
    console.deliver(json_file, {"format": FORMAT, "kind": "names", **found}, *tables)


def _names(kind: str, *, options: bool) -> list[dict[str, Any]]:
    """Names of a kind, each with a one-line description; loads oracles to list their options."""
    if kind == "solvers":
        return [{"name": name, "what": describe(name)} for name in solver_names()]
    if kind == "oracles":
        return [
            {"name": name, "what": registry.describe(name), **(_settings(name) if options else {})}
            for name in registry.names()
        ]
    known: Mapping[str, str] = getattr(vocabulary, kind.upper())
    return [{"name": name, "what": line} for name, line in known.items()]


def _settings(oracle: str) -> dict[str, Any]:
    """Options of an oracle with their defaults as text, or the error if it cannot be loaded."""
    try:
        parameters = registry.parameters(oracle)
    except QnnError as error:
        return {"options": {}, "error": " ".join(str(error).split())}
    defaults = {parameter.name: repr(parameter.default) for parameter in parameters}
    # None stands for no default, and for one that cannot be shown.
    shown = {name: None if text.startswith("<") else text for name, text in defaults.items()}
    return {"options": shown}


def _table(kind: str, names: list[dict[str, Any]]) -> Any:
    """Format the names as a table for the terminal."""
    from qnn.runs.tables import terminal_table

    with_options, rows = any("options" in entry for entry in names), []
    for entry in names:
        settings = entry.get("options", {}).items()
        given = [key if value is None else f"{key}={value}" for key, value in settings]
        row = [entry["name"], entry["what"], entry.get("error", ", ".join(given))]
        rows.append(row if with_options else row[:2])
    columns = ["name", "what it is", "options"][: 2 + with_options]
    return terminal_table(kind, columns, rows, words=range(3), rigid=(0,))
