"""Read results of any release from disk, written by any command that reports cover."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from os import PathLike
from pathlib import Path
from typing import Any

from formulations.checks import shown
from formulations.errors import FileAccessError, FileFormatError
from formulations.files.bounded import damaged
from formulations.files.schema import checked, read_json
from qnn.compare import forms
from qnn.compare.summary import summarize
from qnn.runs.output import COMPARISON_FORMAT, plain

KINDS = {
    "comparison": ("qnn compare --json", forms.comparison),
    "training": ("qnn train --json", forms.training),
    "frontier": ("qnn frontier --json", forms.frontier),
    "answer": ("qnn solve --json", forms.answer),
}
"""Kinds of results that a report covers, with the commands that write them, and their form."""


def load(run: str | PathLike[str]) -> dict[str, Any]:
    """Read the results in a file or a folder, converted to the current format.

    ``run`` is a JSON file of ``qnn compare`` or ``qnn train``, a folder of ``qnn compare --keep``,
    or one of ``qnn train --checkpoint``. Results that are damaged, of another kind, or written by a
    newer release are refused.
    """
    path = Path(run)
    content = _of_folder(path) if path.is_dir() else _of_file(path)
    old = content["kind"] == "comparison" and "datasets" not in content
    form = forms.old_comparison if old else KINDS[content["kind"]][1]
    results = upgraded(checked(content, form(), path))
    if old:
        checked(results, forms.comparison(), path)
    if results["kind"] == "comparison":
        results["summary"] = plain(summarize(results["cells"]))
    return results


def _of_file(path: Path) -> dict[str, Any]:
    wanted = " or ".join(writer for writer, _ in KINDS.values())
    if not path.exists():
        raise FileAccessError(
            f"{str(path)!r} is not there: give a file of {wanted}, or a folder of qnn compare "
            "--keep or qnn train --checkpoint"
        )
    content = read_json(path, f"a file of {wanted}")
    head = content if isinstance(content, dict) else {}
    kind, version = head.get("kind"), head.get("format")
    if not isinstance(kind, str) or kind not in KINDS:
        raise FileFormatError(f"{str(path)!r} holds {shown(kind)}: expected results of {wanted}")
    if not isinstance(version, int) or version > COMPARISON_FORMAT:
        raise FileFormatError(
            f"{str(path)!r} has format {shown(version)}: expected {COMPARISON_FORMAT} or older; "
            "install a newer release of qnn-ising"
        )
    return dict(content)


def _of_folder(path: Path) -> dict[str, Any]:
    from qnn.compare.store import PLAN, in_folder
    from qnn.runs import resume

    if (path / PLAN).exists():
        return in_folder(path)
    if (path / resume.FILE).exists():
        return _of_checkpoint(path)
    raise FileAccessError(
        f"{str(path)!r} holds no run: there is neither {PLAN} of qnn compare --keep nor "
        f"{resume.FILE} of qnn train --checkpoint in it"
    )


def _of_checkpoint(path: Path) -> dict[str, Any]:
    """Read a training run from its folder: its arguments and the latest snapshot."""
    from qnn.runs import resume
    from solvers.run.checkpoint import FILE, peek

    asked = resume.read(str(path))
    saved = peek(path)
    if saved is None:
        raise FileAccessError(
            f"{str(path)!r} holds a run that has kept nothing yet: wait for its first checkpoint, "
            "or begin it with a smaller --checkpoint-every"
        )
    try:
        incumbent, ledger = saved["incumbent"], saved["ledger"]
        found = {
            "format": COMPARISON_FORMAT,
            "kind": "training",
            "solver": asked.solver,
            "seed": asked.seed,
            "status": saved["status"] or "not ended",
            "train_loss": incumbent["loss"],
            "oracle_calls": ledger["calls"],
            "oracle_seconds": ledger["seconds"],
            "oracle_charged": ledger["charged"],
            "seconds": saved["seconds"],
            "data": asdict(asked.data),
            "model": asdict(asked.model),
            "options": asdict(asked.options),
            "ledger": ledger,
            "history": saved["history"],
            "environment": {},
        }
    except (KeyError, TypeError) as error:
        raise damaged(path / FILE, f"{type(error).__name__}: {error}") from error
    return dict(plain(found))


def upgraded(results: Mapping[str, Any]) -> dict[str, Any]:
    """Convert results of any release to the current format.

    Comparisons of format 1 have one data set and no paired tests, which are computed from the
    cells.

    Examples
    --------
    >>> old = {"format": 1, "kind": "comparison", "data": {"spec": "iris"}, "options": {},
    ...        "model": {"loss": "hinge"}, "seeds": [0],
    ...        "cells": [{"variant": "qcgd", "solver": "qcgd", "seed": 0, "status": "finished",
    ...                   "train_loss": 2.0}]}
    >>> new = upgraded(old)
    >>> new["datasets"], new["summary"][0]["data"]
    ([{'spec': 'iris'}], 'iris')
    """
    if results["kind"] != "comparison" or "datasets" in results:
        return dict(results)
    spec = results["data"]["spec"]
    cells = [{"data": spec, "loss": results["model"]["loss"], **cell} for cell in results["cells"]]
    new = {name: value for name, value in results.items() if name != "data"}
    return {
        **new,
        "format": COMPARISON_FORMAT,
        "datasets": [results["data"]],
        "equal": "sweeps",
        "workers": 1,
        "command": None,
        "cells": cells,
        "summary": plain(summarize(cells)),
    }
