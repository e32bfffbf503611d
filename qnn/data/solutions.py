"""Files of answers that other solvers read and write: a name and a value per line.

# Objective value = 34
x1 1
x2 0
"""

from __future__ import annotations

import json
import re
from collections.abc import Hashable, Mapping, Sequence
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from formulations.arrays import FloatArray
from formulations.checks import shown
from formulations.errors import FileFormatError
from formulations.files.bounded import read_regular
from qnn.data.model_files.text import checked_text, unpacked
from qnn.runs.output import write_text

if TYPE_CHECKING:
    from qnn.data.models import ModelFile


def by_name(sample: Mapping[Hashable, float]) -> dict[str, int]:
    """Map labels as text to values; if 1 and '1' both occur, labels are spelled as in Python.

    Examples
    --------
    >>> by_name({"x": 1, ("y", 2): 0})
    {'x': 1, "('y', 2)": 0}
    """
    name = str if len({str(label) for label in sample}) == len(sample) else repr
    return {name(label): int(value) for label, value in sample.items()}


def solution_text(objective: float, values: Mapping[str, int]) -> str:
    """Format a solution file.

    Examples
    --------
    >>> print(solution_text(3.0, {"x": 1, "y": 0}), end="")
    # Objective value = 3
    x 1
    y 0
    """
    lines = [f"{name} {value}" for name, value in values.items()]
    return "\n".join([f"# Objective value = {objective:.17g}", *lines]) + "\n"


def write_solutions(
    folder: str, objectives: Sequence[float], solutions: Sequence[Mapping[str, int]]
) -> None:
    """Write solution_001.sol, ... to ``folder``, best first, and remove older ones there."""
    place = Path(folder)
    place.mkdir(exist_ok=True)
    for number, (objective, values) in enumerate(zip(objectives, solutions, strict=True), 1):
        write_text(str(place / f"solution_{number:03d}.sol"), solution_text(objective, values))
    for path in place.glob("solution_*.sol"):
        found = re.fullmatch(r"solution_(\d{3,})\.sol", path.name)
        if found and int(found[1]) > len(solutions):
            path.unlink()


def read_start(path: str | PathLike[str], model: ModelFile) -> FloatArray:
    """Read values of the variables of ``model.cqm`` from a file of solutions, shape (k, n).

    Parameters
    ----------
    path : path-like
        A solution file in the format of this module, Gurobi, SCIP or MIPLIB, or the JSON of ``qnn
        solve --save`` or ``--json``; packed or plain.
    model : ModelFile
        Variables missing from the file are 0.

    Examples
    --------
    >>> import dimod, pathlib, tempfile
    >>> from qnn.data.models import ModelFile
    >>> model = ModelFile(dimod.ConstrainedQuadraticModel.from_bqm(dimod.Binary("x")))
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "best.sol"
    >>> _ = path.write_text("objective value: 1\\nx 1 \\t(obj:1)\\n")
    >>> read_start(path, model).tolist()
    [[1.0]]
    """
    text = checked_text(path, unpacked(path, read_regular(path)), "a file of solutions")
    told = _of_json(path, text) if text.lstrip().startswith("{") else [_of_lines(path, text)]
    labels = model.variables
    places = {name: place for place, name in enumerate(by_name(dict.fromkeys(labels, 0)))}
    values = np.zeros((len(told), len(labels)))
    added = set(map(str, list(model.cqm.variables)[len(labels) :]))
    for row, one in enumerate(told):
        for name, value in one.items():
            if name in places:
                values[row, places[name]] = value
            elif name not in added:
                near = get_close_matches(name, list(places)[:10_000], n=1)
                hint = "give a solution of this model"
                hint = f"expected one of its own, the nearest is {near[0]!r}" if near else hint
                raise FileFormatError(
                    f"{str(path)!r}: the model has no variable {shown(name)}; {hint}"
                )
    if not (np.isfinite(values) & (np.abs(values - np.rint(values)) < 1e-4)).all():
        bad = values[~(np.abs(values - np.rint(values)) < 1e-4)][0]
        raise FileFormatError(f"{str(path)!r}: value {bad:g}: expected whole numbers, round it")
    return model.completed(np.rint(values))


def _of_lines(path: str | PathLike[str], text: str) -> dict[str, float]:
    """Parse lines of a name and a value, optionally followed by SCIP's cost."""
    values = {}
    # beginnings of lines without values in files of Gurobi, SCIP and MIPLIB
    heading = re.compile(r"#|=obj=|(?i:objective value|solution status|no solution)")
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or heading.match(line.lstrip()):
            continue
        words = re.sub(r"\(obj:[^)]*\)\s*$", "", line).rsplit(None, 1)
        try:
            name, value = words
            values[name.strip()] = float(value)
        except ValueError:
            raise FileFormatError(
                f"{str(path)!r}, line {number}: expected a variable and its value"
            ) from None
    return values


def _of_json(path: str | PathLike[str], text: str) -> list[dict[str, float]]:
    """Read the samples of ``--save``, or the sample of ``--json``."""
    import dimod

    try:
        content: Any = json.loads(text)
        if content.get("type") == "SampleSet":
            samples = dimod.SampleSet.from_serializable(content)
            return [{**by_name(sample)} for sample in samples.samples()]
        return [{str(name): float(value) for name, value in content["sample"].items()}]
    except Exception as error:  # dimod raises a dozen kinds of errors
        raise FileFormatError(
            f"{str(path)!r}: {type(error).__name__}: {error}; expected what qnn solve --save or "
            "--json writes"
        ) from None
