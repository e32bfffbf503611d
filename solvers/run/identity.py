"""Identity of a run: its solver's options and its problem, as short texts to compare.

Two runs with the same texts follow the same course.  Budgets, callbacks and workers are left out:
they decide how far and how fast a run gets, not which course it takes.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping, Sequence, Set
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from formulations import QCBO, TrainingProblem
from solvers.oracles.cloud.secrets import Redactor

WORKERS = {"executor", "workers", "threads"}
"""Options of a solver, and of objects inside it, that change no result."""


def identity(solver: object, problem: object) -> dict[str, str]:
    """Return the texts of a solver's options and of a problem's parts, by name.

    Examples
    --------
    >>> from formulations import Network
    >>> from solvers.weight_annealing import WeightAnnealing
    >>> problem = TrainingProblem(Network.dense([2, 1]), [[1, -1]], [1])
    >>> texts = identity(WeightAnnealing(flips=500, time_limit=3.0), problem)
    >>> texts["solver"], texts["flips"], "time_limit" in texts
    ('WeightAnnealing', '500', False)
    """
    # These may differ between the parts of one run.
    left_out = {"time_limit", "call_limit", "callbacks", "checkpoint", "checkpoint_every", *WORKERS}
    options = {name: value for name, value in _parameters(solver).items() if name not in left_out}
    hide = Redactor()  # A user's oracle may have been made with a token.
    return {
        "solver": type(solver).__name__,
        **{name: _short(hide(text(value))) for name, value in options.items()},
        **{f"the problem's {name}": _short(text(v)) for name, v in _parts(problem).items()},
    }


def _parts(problem: object) -> dict[str, Any]:
    """Return the parts of a problem by name."""
    if isinstance(problem, Mapping):  # already named
        return dict(problem)
    if isinstance(problem, QCBO):  # dimod assigns a random label to an unlabelled constraint
        numbers = {field.name: getattr(problem, field.name) for field in fields(problem)}
        return {"model": {k: v for k, v in numbers.items() if k not in ("labels", "row_labels")}}
    if not isinstance(problem, TrainingProblem):
        return {"model": problem}
    held = problem.incumbent_bits.copy()
    held[problem.free] = 0
    more = {"constraints": problem.constraints} if problem.constraints else {}
    return {
        "network": (problem.network, problem.splines),
        "samples": problem.X,
        "labels": (problem.targets, problem.target_index),
        "loss": (problem.loss_kind.name, problem.loss_splines),
        "free bits": (problem.free, held),
        **more,
    }


def _short(text: str) -> str:
    """Return the text, or its digest if it is long."""
    if len(text) <= 100:
        return text
    return f"{text.split('(')[0][:30]}({hashlib.sha256(text.encode()).hexdigest()[:16]})"


def text(value: object) -> str:
    """Return a text that only equal values share, across processes."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        return repr(value)
    if isinstance(value, np.generic):
        return repr(value.item())
    if isinstance(value, np.ndarray):
        digest = hashlib.sha256(np.ascontiguousarray(value).tobytes()).hexdigest()[:16]
        return f"{value.dtype}{list(value.shape)}({digest})"
    if not isinstance(value, type) and hasattr(value, "stands_for"):
        # a result that starts the run, or a wrapper that changes no answer of its oracle
        return text(value.stands_for)
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{text(k)}: {text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Set):
        return "{" + ", ".join(sorted(text(part) for part in value)) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(text(part) for part in value) + "]"
    if hasattr(value, "indptr"):  # a sparse matrix
        return text([value.indptr, value.indices, value.data])  # type: ignore[attr-defined]
    if hasattr(value, "__qualname__"):  # a function or a class
        return f"{value.__module__}.{value.__qualname__}"
    parts = {name: part for name, part in _parameters(value).items() if name not in WORKERS}
    named = (f"{name}={text(part)}" for name, part in parts.items())
    return f"{type(value).__name__}({', '.join(named)})"


def _parameters(value: object) -> dict[str, Any]:
    """Return an object's constructor arguments, or a dataclass's fields, by name."""
    if is_dataclass(value):
        names = [field.name for field in fields(value) if field.init]
    else:
        try:
            names = list(inspect.signature(type(value)).parameters)
        except (TypeError, ValueError):  # implemented in C
            names = []
    parameters = {name: getattr(value, name) for name in names if hasattr(value, name)}
    moved = {old: new for old, new in getattr(type(value), "old_keywords", {}).items() if new}
    for old, new in moved.items():  # under the old names of older checkpoints
        group, _, field = new.partition(".")
        held = getattr(value, group)
        parameters[old] = getattr(held, field) if field else held
    groups = {new.partition(".")[0] for new in moved.values()}
    return {name: part for name, part in parameters.items() if name not in groups}
