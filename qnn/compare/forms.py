"""Required form of results on disk: comparisons, their cells, and training runs."""

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


def _figure(value: Any, where: str, largest: float = 1e100) -> None:
    """Check a number that can be added and squared."""
    number()(value, where)
    if abs(value) > largest:
        raise Misfit(where, value, f"a number up to {largest:g}")


def _share(value: Any, where: str) -> None:
    """Check a number from 0 to 1."""
    _figure(value, where)
    if not 0 <= value <= 1:
        raise Misfit(where, value, "a share from 0 to 1")


def _plain(value: Any, where: str) -> None:
    """Check any value whose texts and numbers can be shown."""
    if isinstance(value, str):
        text(value, where)
    elif isinstance(value, list):
        items(_plain)(value, where)
    elif isinstance(value, dict):
        mapping(_plain)(value, where)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _figure(value, where)


def _columns(value: Any, where: str) -> None:
    """Check columns of equal length by name, such as a history."""
    mapping(items(nothing_or(_figure)))(value, where)
    if len({len(column) for column in value.values()}) > 1:
        raise Misfit(where, {name: len(part) for name, part in value.items()}, "equal lengths")
    if None in value.get("iteration", ()):
        raise Misfit(f"{where}.iteration", None, "the number of every round")


def _trace(value: Any, where: str) -> None:
    _columns(value, where)
    if value and not {"seconds", "loss"} <= value.keys():
        raise Misfit(where, value, "the columns 'seconds' and 'loss'")


def _with(**given: Any) -> Form:
    """Form of a mapping that can be shown and has at least these fields."""

    def check(value: Any, where: str) -> None:
        mapping(_plain)(value, where)
        fields(given, more=True)(value, where)

    return check


def _all(form: Any, *names: str) -> dict[str, Any]:
    return dict.fromkeys(names, form)


def _run(*needed: str) -> dict[str, Any]:
    """Forms of a run's figures; those of the ``needed`` names are required."""
    figures: dict[str, Form] = {
        **_all(_figure, "train_loss", "lower_bound", "bits_per_weight"),
        **_all(_figure, "oracle_seconds", "oracle_charged", "seconds"),
        **_all(_share, "train_accuracy", "test_accuracy"),
        **_all(whole(0), "num_weights", "weight_bits", "stored_bits", "num_variables"),
        **_all(whole(0), "oracle_calls", "oracle_sweeps", "train_samples", "test_samples"),
        **_all(text, "oracle", "reason", "error", "loss", "constraints"),
        "widths": items(whole(1)),
        "ledger": mapping(nothing_or(_figure)),
        "history": _columns,
        "trace": _trace,
    }
    return {
        name: form if name in needed else may(nothing_or(form)) for name, form in figures.items()
    }


def outcome() -> Form:
    """Form of a run of any comparison."""
    return fields({"status": text, **_run()}, more=True)


def cell(data: Any = text) -> Form:
    """Form of a run of a comparison."""
    own = {**_all(text, "variant", "solver", "status"), "seed": whole(0), "key": may(text)}
    return fields({**own, "reference": may(flag), **_run(), "data": data}, more=True)


def _environment() -> Form:
    """Form of the environment that results were made in."""
    packages, created = may(mapping(nothing_or(text))), may(nothing_or(text))
    return _with(packages=packages, created=created, cores=may(nothing_or(_figure)))


def _made(**more: Any) -> dict[str, Any]:
    """Forms of the fields that state how results were made."""
    return {
        "format": whole(1),
        "options": _with(),
        "command": may(nothing_or(text)),
        "environment": may(_environment()),
        **more,
    }


def _head(kind: str, **more: Any) -> Form:
    """Form of a comparison without its cells."""
    head = {
        "kind": one_of(kind),
        "environment": _environment(),
        "model": _with(weights=nothing_or(text), loss=text),
        "equal": may(nothing_or(text)),
        "workers": may(nothing_or(_figure)),
        "seeds": items(whole(0), 1),
        "planned": whole(0),
    }
    return fields(_made(**head, **more), more=True)


def comparison() -> Form:
    sets = items(_with(spec=text), 1)
    return _head(
        "comparison", interrupted=may(flag), datasets=sets, cells=items(cell()), summary=anything
    )


def old_comparison() -> Form:
    """Form of a comparison of format 1, which has one data set."""
    cells = items(cell(may(text)))
    return _head("comparison", interrupted=may(flag), data=_with(spec=text), cells=cells)


def plan() -> Form:
    """Form of the plan of a comparison in a folder."""

    def name(value: Any, where: str) -> None:
        text(value, where)
        if not re.fullmatch(r"[0-9a-f]{24}\.json", value):  # not a path elsewhere
            raise Misfit(
                where, value, "24 hexadecimal digits and .json, a file of the folder itself"
            )

    return _head("comparison plan", datasets=items(_with(spec=text), 1), files=items(name))


def frontier() -> Form:
    """Form of a frontier: accuracy against stored size."""
    point = {"variant": text, **_run("stored_bits", "widths")}
    known = {"name": text, "source": text, "accuracy": _share, "kib": _figure}
    return fields(
        _made(
            kind=one_of("frontier"),
            data=_with(spec=text),
            model=fields({"loss": text}, more=True),
            seeds=items(whole(0), 1),
            points=items(fields({**point, "kib": _figure, "weights": text}, more=True)),
            references=items(fields(point, more=True)),
            published=items(fields(known, more=True)),
        ),
        more=True,
    )


def training() -> Form:
    own = {"kind": one_of("training"), **_all(text, "solver", "status"), "seed": whole(0)}
    model = _with(weights=nothing_or(text), loss=text)
    return fields(_made(**own, data=_with(spec=text), model=model, **_run()), more=True)


def answer() -> Form:
    run = {
        "status": text,
        **_all(nothing_or(_figure), "objective", "seconds_to_best"),
        "oracle_calls": whole(0),
    }
    row = {
        **_all(text, "constraint", "state", "sense"),
        **_all(_figure, "value", "bound", "slack"),
        "multiplier": nothing_or(_figure),
    }
    own = {
        "kind": one_of("answer"),
        **_all(text, "model", "status"),
        "options": _with(seed=whole(0)),
        **_all(whole(0), "variables", "constraints"),
        "reason": may(nothing_or(text)),
        "feasible": flag,
        "infeasibility": nothing_or(text),
        "sense": may(one_of("minimize", "maximize")),
        "objective": nothing_or(_figure),
        **_all(may(nothing_or(_figure)), "bound", "gap", "seconds", "oracle_best"),
        **_all(may(whole(0)), "bits", "bits_after_presolve", "rows_after_presolve"),
        "ledger": _run()["ledger"],
        "trace": may(_trace),
        "sources": may(mapping(mapping(nothing_or(_figure)))),
        "runs": may(items(fields(run, more=True))),
        "rows": may(items(fields(row))),
    }
    return fields(_made(**own), more=True)
