"""What results on disk have to look like: comparisons, their cells, and training runs."""

from __future__ import annotations

import re
from typing import Any

from formulations.files.schema import (
    Form,
    Misfit,
    anything,
    fields,
    flag,
    items,
    mapping,
    may,
    nothing_or,
    number,
    one_of,
    text,
    whole,
)

LARGEST = 1e100
"""Figures up to here can be added and squared."""


def _figure(value: Any, where: str) -> None:
    """A number that can be reckoned with."""
    number()(value, where)
    if abs(value) > LARGEST:
        raise Misfit(where, value, f"a number up to {LARGEST:g}")


def _share(value: Any, where: str) -> None:
    """A number from 0 to 1."""
    _figure(value, where)
    if not 0 <= value <= 1:
        raise Misfit(where, value, "a share from 0 to 1")


def _plain(value: Any, where: str) -> None:
    """Anything, its texts and numbers such as can be shown."""
    if isinstance(value, str):
        text(value, where)
    elif isinstance(value, list):
        items(_plain)(value, where)
    elif isinstance(value, dict):
        mapping(_plain)(value, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _figure(value, where)


def _columns(value: Any, where: str) -> None:
    """Columns of one length by name, such as a history has."""
    mapping(items(nothing_or(_figure)))(value, where)
    if len({len(column) for column in value.values()}) > 1:
        raise Misfit(where, {name: len(part) for name, part in value.items()}, "equal lengths")
    if None in value.get("iteration", ()):
        raise Misfit(f"{where}.iteration", None, "the number of every round")


def _trace(value: Any, where: str) -> None:
    _columns(value, where)
    if value and not {"seconds", "loss"} <= value.keys():
        raise Misfit(where, value, "the columns 'seconds' and 'loss'")


_FIGURES: dict[str, Form] = {
    **dict.fromkeys(("train_loss", "lower_bound", "bits_per_weight"), _figure),
    **dict.fromkeys(("oracle_seconds", "oracle_charged", "seconds"), _figure),
    **dict.fromkeys(("train_accuracy", "test_accuracy"), _share),
    **dict.fromkeys(("num_weights", "weight_bits", "stored_bits", "num_variables"), whole(0)),
    **dict.fromkeys(("oracle_calls", "oracle_sweeps", "train_samples", "test_samples"), whole(0)),
    **dict.fromkeys(("oracle", "reason", "error", "loss", "constraints"), text),
    "widths": items(whole(1)),
    "ledger": mapping(nothing_or(_figure)),
    "history": _columns,
    "trace": _trace,
}
_RUN = {name: may(nothing_or(form)) for name, form in _FIGURES.items()}
_NEEDED: dict[str, Form | may] = {**_RUN, "stored_bits": whole(0), "widths": items(whole(1))}

_OWN: dict[str, Form | may] = {
    **dict.fromkeys(("variant", "solver", "status"), text),
    "seed": whole(0),
    "key": may(text),
    "reference": may(flag),
    **_RUN,
}
CELL = fields({**_OWN, "data": text}, more=True)
"""A run of a comparison."""

OUTCOME = fields({"status": text, **_RUN}, more=True)
"""A run, whatever comparison it is of."""

_MODEL = fields({"weights": nothing_or(text), "loss": text}, more=True)


def _environment(value: Any, where: str) -> None:
    _plain(value, where)
    form = {
        "packages": may(mapping(nothing_or(text))),
        "created": may(nothing_or(text)),
        "cores": may(nothing_or(_figure)),
    }
    fields(form, more=True)(value, where)


def _answer_options(value: Any, where: str) -> None:
    _options(value, where)
    fields({"seed": whole(0)}, more=True)(value, where)


def _named(value: Any, where: str) -> None:
    _plain(value, where)
    fields({"spec": text}, more=True)(value, where)


def _options(value: Any, where: str) -> None:
    mapping(_plain)(value, where)


def _model(value: Any, where: str) -> None:
    _plain(value, where)
    _MODEL(value, where)


_HEAD: dict[str, Form | may] = {
    "format": whole(1),
    "environment": _environment,
    "command": may(nothing_or(text)),
    "model": _model,
    "options": _options,
    "equal": may(nothing_or(text)),
    "workers": may(nothing_or(_figure)),
    "seeds": items(whole(0), 1),
    "planned": whole(0),
}

COMPARISON = fields(
    {
        **_HEAD,
        "kind": one_of("comparison"),
        "interrupted": may(flag),
        "datasets": items(_named, 1),
        "cells": items(CELL),
        "summary": anything,
    },
    more=True,
)
"""A comparison; its summary is reckoned anew from the cells."""

OLD_COMPARISON = fields(
    {
        **_HEAD,
        "kind": one_of("comparison"),
        "interrupted": may(flag),
        "data": _named,
        "cells": items(fields({**_OWN, "data": may(text)}, more=True)),
    },
    more=True,
)
"""A comparison of format 1, which has one data set."""


def _cell_name(value: Any, where: str) -> None:
    """The name that a store gives to a cell: never a way to another folder."""
    text(value, where)
    if not re.fullmatch(r"[0-9a-f]{24}\.json", value):
        raise Misfit(where, value, "24 hexadecimal digits and .json, a file of the folder itself")


PLAN = fields(
    {
        **_HEAD,
        "kind": one_of("comparison plan"),
        "datasets": items(_named, 1),
        "files": items(_cell_name),
    },
    more=True,
)
"""The plan of a comparison in a folder."""

_MADE: dict[str, Form | may] = {
    "format": whole(1),
    "data": _named,
    "options": _options,
    "environment": may(_environment),
    "command": may(nothing_or(text)),
}

FRONTIER = fields(
    {
        **_MADE,
        "kind": one_of("frontier"),
        "model": fields({"loss": text}, more=True),
        "seeds": items(whole(0), 1),
        "points": items(
            fields({"variant": text, "kib": _figure, "weights": text, **_NEEDED}, more=True)
        ),
        "references": items(fields({"variant": text, **_NEEDED}, more=True)),
        "published": items(
            fields({"name": text, "source": text, "accuracy": _share, "kib": _figure}, more=True)
        ),
    },
    more=True,
)
"""Accuracy against stored size."""

TRAINING = fields(
    {
        **_MADE,
        "kind": one_of("training"),
        "solver": text,
        "status": text,
        "seed": whole(0),
        "model": _model,
        **_RUN,
    },
    more=True,
)
"""A training run."""


def _solved(value: Any, where: str) -> None:
    """A run of several that one answer is made of."""
    form = {
        "status": text,
        "objective": nothing_or(_figure),
        "seconds_to_best": nothing_or(_figure),
        "oracle_calls": whole(0),
    }
    fields(form, more=True)(value, where)


_row = fields(
    {
        **dict.fromkeys(("constraint", "state", "sense"), text),
        **dict.fromkeys(("value", "bound", "slack"), _figure),
        "multiplier": nothing_or(_figure),
    }
)

ANSWER = fields(
    {
        "format": whole(1),
        "kind": one_of("answer"),
        "model": text,
        "options": _answer_options,
        "environment": may(_environment),
        "variables": whole(0),
        "constraints": whole(0),
        "status": text,
        "reason": may(nothing_or(text)),
        "feasible": flag,
        "infeasibility": nothing_or(text),
        "sense": may(one_of("minimize", "maximize")),
        "objective": nothing_or(_figure),
        **dict.fromkeys(("bound", "gap", "seconds", "oracle_best"), may(nothing_or(_figure))),
        **dict.fromkeys(("bits", "bits_after_presolve", "rows_after_presolve"), may(whole(0))),
        "ledger": _RUN["ledger"],
        "trace": may(_trace),
        "sources": may(mapping(mapping(nothing_or(_figure)))),
        "runs": may(items(_solved)),
        "rows": may(items(_row)),
    },
    more=True,
)
"""An answer to a constrained model."""
